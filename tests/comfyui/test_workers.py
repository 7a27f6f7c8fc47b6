"""Workers and real servers that die during renders: a step is done once, on a server that is alive."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.comfyui import workflows
from tests.comfyui.builds import chosen_build
from tests.comfyui.conftest import PACK
from tests.comfyui.server import ComfyServer
from tests.comfyui.studio import ComfyStudio
from tests.regeneration.processes import recorded, until, worker
from tests.regeneration.studio import Studio

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database, rows
from genlock.engines.comfyui.client import connected
from genlock.model import Actor, InputRole, Kind
from genlock.regeneration import render
from genlock.regeneration.model import NewRender, Plan, PlanState, RenderInput
from genlock.takes.claim import Parameters

pytestmark = pytest.mark.long
ASSETS = {
    "walk": Kind.WORKFLOW, "tiny": Kind.MODEL, "wan": Kind.VAE, "clip_l": Kind.TEXT_ENCODER, "mara": Kind.LORA,
    "clothed": Kind.VARIANT,
}  # fmt: skip
_DOCUMENTS = "SELECT convert_from(document, 'UTF8')::jsonb AS document FROM receipts ORDER BY id"
LONG = 1200
"""Steps that take long enough to kill somebody meanwhile, and be found dead."""


@pytest.fixture
async def studio(db: Database, store: DiskStore, actor: Actor, server: ComfyServer, tmp_path: Path) -> Studio:
    """Create a project with the assets that the workflow loads."""
    files = ComfyStudio(server, tmp_path / "files")
    (files.folder / "walk.json").write_bytes(workflows.as_file(workflows.image_to_video()))
    names = {name: files.files[key].name for name, key in _KEYS.items()} | {"walk": "walk.json"}
    created = Studio(db=db, store=store, samples=files.folder, actor=actor)
    await created.project()
    for name, kind in ASSETS.items():
        await created.upload(kind, name, names[name])
    return created


_KEYS = {"tiny": "model", "wan": "vae", "clip_l": "text_encoder", "mara": "lora", "clothed": "start"}


async def start(studio: Studio, segments: int, *, chained: bool = True, steps: int = 2) -> Plan:
    """Start a plan that renders a scene of several segments, each with another seed if they are not chained."""
    await studio.scene("A", segments, chained=chained)
    lines = tuple(
        RenderInput(
            role=InputRole(kind.value), asset_id=studio.assets[name], strength_model=0.8 if name == "mara" else None
        )
        for name, kind in ASSETS.items()
    )
    parameters = Parameters.model_validate(
        {"prompt": "a walk", "seed": "7", "steps": steps, "width": 64, "height": 64, "frames": 5}
    )
    new = NewRender(engine="comfyui", inputs=lines, parameters=parameters)
    async with studio.db.transaction() as conn:
        return await render.render_scene(conn, studio.scenes["A"], new, studio.actor)


def at(server: ComfyServer) -> dict[str, str]:
    """Return a worker's environment for a server."""
    return {"GENLOCK_COMFYUI_URL": server.url, "GENLOCK_COMFYUI_FOLDER": str(server.base)}


async def history_of(server: ComfyServer) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=server.url) as http:
        return (await http.get("/history")).json()


def is_busy(server: ComfyServer) -> Callable[[], asyncio.Future[bool]]:
    async def is_queue_filled() -> bool:
        async with connected(server.url) as client:
            return bool(await client.queue())

    return lambda: asyncio.ensure_future(is_queue_filled())


def is_over(studio: Studio, plan: Plan) -> Callable[[], asyncio.Future[bool]]:
    async def has_ended() -> bool:
        return (await studio.read(plan)).state is not PlanState.RUNNING

    return lambda: asyncio.ensure_future(has_ended())


async def test_the_run_of_a_killed_worker_is_stopped_when_its_step_is_tried_again(
    studio: Studio, server: ComfyServer, tmp_path: Path
) -> None:
    before = await history_of(server)
    plan = await start(studio, 1, steps=LONG)
    async with worker(studio, tmp_path, environment=at(server)) as dying:
        await until(is_busy(server))
        dying.kill()
        await dying.wait()
    async with worker(studio, tmp_path, environment=at(server)):
        await until(is_over(studio, plan))
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED
    assert await recorded(studio, plan.id) == [(1, 1)]
    assert (await studio.steps(plan))[0].attempt == 2
    history = await history_of(server)
    ends = [
        [kind for kind, _ in entry["status"]["messages"]][-1]
        for prompt_id, entry in history.items()
        if prompt_id not in before
    ]
    assert sorted(ends) == ["execution_interrupted", "execution_success"]


async def test_the_step_of_a_server_that_died_goes_to_another(
    studio: Studio, server: ComfyServer, truth: ComfyServer, tmp_path: Path
) -> None:
    plan = await start(studio, 2, steps=200)
    try:
        async with worker(studio, tmp_path, "--name", "first", environment=at(server)):
            await until(is_busy(server))
            await asyncio.to_thread(server.kill)
            async with worker(studio, tmp_path, "--name", "second", environment=at(truth)):
                await until(is_over(studio, plan))
    finally:
        await asyncio.to_thread(server.start)
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED
    assert await recorded(studio, plan.id) == [(1, 1), (2, 1)]
    flags = [document["engine"]["environment"]["flags"] for document in await documents(studio)]
    assert ["--cache-none" in arguments for arguments in flags] == [True, True], (
        "both were rendered by the server that is still alive"
    )


async def documents(studio: Studio) -> list[dict[str, Any]]:
    """Return every receipt's document."""
    async with studio.db.transaction() as conn:
        return [row["document"] for row in await rows(conn, _DOCUMENTS)]


async def test_two_workers_share_one_server_and_do_nothing_twice(
    studio: Studio, server: ComfyServer, tmp_path: Path
) -> None:
    async with (
        worker(studio, tmp_path, environment=at(server)),
        worker(studio, tmp_path, environment=at(server)),
    ):
        plan = await start(studio, 4, chained=False)
        await until(is_over(studio, plan))
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED
    assert await recorded(studio, plan.id) == [(position, 1) for position in range(1, 5)]
    # The receipt records where and how it was rendered.
    for document in await documents(studio):
        assert (document["evidence"], document["missing"]) == ("recorded", [])
        engine, seconds = document["engine"], document["observed"]["per_node_s"]
        assert (engine["name"], engine["version"]) == ("comfyui", chosen_build().version)
        environment = engine["environment"]
        assert (environment["device"], environment["node_packs"]) == ("cpu", PACK)
        assert environment["torch"].startswith("2.13.0")
        assert "--cpu" in environment["flags"]
        assert seconds.keys() == workflows.image_to_video().keys()
        assert seconds["10"] > 0, "the sampler took time"
        assert sum(seconds.values()) <= document["observed"]["duration_s"]
