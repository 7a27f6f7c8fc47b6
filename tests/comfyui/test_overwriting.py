"""Files replaced under the same name: ComfyUI alone returns the old video, which Genlock prevents.

Each case is run both ways on a real server with its usual cache: directly, to show that the danger exists, and
through the engine, whose frames must be those of a server without a cache.
"""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.comfyui import models, workflows
from tests.comfyui.server import ComfyServer
from tests.comfyui.studio import ROLES, ComfyStudio
from tests.comfyui.workflows import Graph
from tests.engines.studio import ignore

from genlock.engines.comfyui.client import connected
from genlock.engines.comfyui.engine import ComfyUIEngine
from genlock.engines.comfyui.staging import Staging
from genlock.engines.media import frames_digest
from genlock.engines.model import EngineInput
from genlock.errors import Tampered, Unavailable

pytestmark = pytest.mark.long

REPLACEMENTS: dict[str, Callable[[Path], Path]] = {
    "lora": lambda path: models.write(path, models.lora(12)),
    "model": lambda path: models.write(path, models.diffusion_model(7)),
    "vae": lambda path: models.write(path, models.vae(8)),
    "text_encoder": lambda path: models.write(path, models.text_encoder(9)),
}
FOLDERS = {"lora": "loras", "model": "diffusion_models", "vae": "vae", "text_encoder": "text_encoders"}
NAMES = {
    "lora": "mara_v1.safetensors",
    "model": "tiny_wan_i2v.safetensors",
    "vae": "tiny_wan_vae.safetensors",
    "text_encoder": "tiny_clip_l.safetensors",
}


def run_straight(server: ComfyServer, graph: Graph, folder: Path) -> tuple[str, list[str]]:
    """Run a graph directly; return the digest of its frames, and the nodes that were not run."""
    answer = httpx.post(f"{server.url}/prompt", json={"prompt": graph, "client_id": "a person"})
    assert answer.is_success, answer.text
    prompt_id = answer.json()["prompt_id"]
    ended: dict[str, Any] = {}
    while prompt_id not in ended:
        ended = httpx.get(f"{server.url}/history/{prompt_id}").json()
    assert ended[prompt_id]["status"]["status_str"] == "success", ended[prompt_id]["status"]
    messages = dict(ended[prompt_id]["status"]["messages"])
    (output,) = ended[prompt_id]["outputs"]["13"]["images"]
    path = folder / output["filename"]
    query = {key: output[key] for key in ("filename", "subfolder", "type")}
    path.write_bytes(httpx.get(f"{server.url}/view", params=query).content)
    return frames_digest(path), messages["execution_cached"]["nodes"]


def straight_graph(server: ComfyServer, studio: ComfyStudio) -> Graph:
    shutil.copyfile(studio.files["start"], server.base / "input" / "start.png")
    graph = workflows.image_to_video()
    graph["9"]["inputs"] |= {"length": 5}
    return graph


def replace_in_place(path: Path, content: bytes) -> None:
    """Write other bytes of the same size into the same inode, as `cp` over a file does."""
    assert path.stat().st_size == len(content)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)


def put_back(path: Path, content: bytes) -> None:
    """Restore a file through a temporary one that is renamed: a server with a mapped file dies when it is truncated."""
    temporary = path.with_name("restored")
    temporary.write_bytes(content)
    temporary.replace(path)


@pytest.mark.parametrize(("role", "in_place"), [*((role, False) for role in REPLACEMENTS), ("lora", True)])
async def test_a_replaced_model_file_is_used(
    role: str, in_place: bool, server: ComfyServer, truth: ComfyServer, studio: ComfyStudio, tmp_path: Path
) -> None:
    # The danger: with a file that was replaced or overwritten, ComfyUI reports success and returns the old video.
    graph = straight_graph(server, studio)
    graph["10"]["inputs"]["seed"] = 1000 + 2 * list(REPLACEMENTS).index(role) + in_place
    before, _ = await asyncio.to_thread(run_straight, server, graph, tmp_path)
    target = server.base / "models" / FOLDERS[role] / NAMES[role]
    original = target.read_bytes()
    if in_place:
        replace_in_place(target, REPLACEMENTS[role](tmp_path / "other").read_bytes())
    else:
        REPLACEMENTS[role](target)
    after, cached = await asyncio.to_thread(run_straight, server, graph, tmp_path)
    assert (after, len(cached)) == (before, len(graph)), "ComfyUI noticed by itself: this test shows nothing any more"
    put_back(target, original)

    # Through Genlock: the same prompt, and another seed, before and after.
    first = [await studio.render(seed=seed) for seed in ("1", "2")]
    replaced = {role: REPLACEMENTS[role](tmp_path / f"other {role}.safetensors")}
    second = [await studio.render(replaced, seed=seed) for seed in ("1", "2")]
    honest = ComfyStudio(truth, tmp_path / "truth")
    expected = [await honest.render(files, seed=seed) for files in ({}, replaced) for seed in ("1", "2")]
    assert [result.frames_digest for result in (*first, *second)] == [result.frames_digest for result in expected]
    assert len({result.frames_digest for result in expected}) == 4, "the files and the seed change the picture"
    assert {result.evidence for result in (*first, *second)} == {"recorded"}


async def test_a_replaced_checkpoint_is_used(server: ComfyServer, truth: ComfyServer, tmp_path: Path) -> None:
    digests: dict[str, list[str]] = {}
    for name, where in (("charge", server), ("truth", truth)):
        studio = ComfyStudio(where, tmp_path / name, graph=workflows.checkpoint_to_video())
        digests[name] = []
        for seed in (4, 14):
            file = models.write(tmp_path / name / "all.safetensors", models.checkpoint(seed))
            job = studio.job(f"checkpoint {seed}")
            inputs = tuple(item for item in job.spec.inputs if item.key != "vae")
            spec = job.spec.model_copy(update={"inputs": inputs})
            result = await studio.engine.render(spec, {**job.files, "model": file}, ignore)
            digests[name].append(result.frames_digest)
    assert digests["charge"] == digests["truth"]
    assert len(set(digests["truth"])) == 2


async def test_a_replaced_lora_with_another_strength_is_used(
    server: ComfyServer, truth: ComfyServer, studio: ComfyStudio, tmp_path: Path
) -> None:
    """The loader runs again then, and alone it would still use the old weights, which it caches by path."""
    graph = straight_graph(server, studio)
    graph["10"]["inputs"]["seed"] = 77
    target = server.base / "models" / "loras" / "mara_v1.safetensors"
    before, _ = await asyncio.to_thread(run_straight, server, graph, tmp_path)
    original = target.read_bytes()
    models.write(target, models.lora(12))
    graph["2"]["inputs"]["strength_model"] = 0.8000001
    after, cached = await asyncio.to_thread(run_straight, server, graph, tmp_path)
    assert "2" not in cached, "the loader ran"
    assert after == before, "with the old weights"
    put_back(target, original)

    await studio.render(seed="3")
    other = {"lora": studio.lora(12)}
    nudged = await _nudged(studio, other)
    assert nudged == await _nudged(ComfyStudio(truth, tmp_path / "truth"), other)


async def _nudged(studio: ComfyStudio, files: dict[str, Path]) -> str:
    job = studio.job("nudged", seed="3")
    inputs = tuple(
        item.model_copy(update={"strength_model": 0.8000001}) if item.role == "lora" else item
        for item in job.spec.inputs
    )
    result = await studio.engine.render(job.spec.model_copy(update={"inputs": inputs}), {**job.files, **files}, ignore)
    return result.frames_digest


async def test_a_replaced_start_image_is_used(truth: ComfyServer, studio: ComfyStudio, tmp_path: Path) -> None:
    honest = ComfyStudio(truth, tmp_path / "truth")
    pictures = [{"start": studio.picture(number)} for number in (1, 2)]
    digests = [(await studio.render(files)).frames_digest for files in pictures]
    assert digests == [(await honest.render(files)).frames_digest for files in pictures]
    assert len(set(digests)) == 2


async def test_an_overwritten_staged_file_is_staged_again_under_another_name(
    server: ComfyServer, studio: ComfyStudio
) -> None:
    first = await studio.render(seed="5")
    name = json.loads(first.graph)["2"]["inputs"]["lora_name"]
    path = server.base / "models" / "loras" / name
    assert path.stat().st_mode & 0o222 == 0, "staged files are read-only"
    replace_in_place(path, models.write(studio.folder / "evil", models.lora(13)).read_bytes())
    again = await studio.render(seed="5")
    other = json.loads(again.graph)["2"]["inputs"]["lora_name"]
    assert other != name
    assert again.frames_digest == first.frames_digest
    assert not path.exists()


async def test_a_file_that_changes_during_the_run_fails_the_render(server: ComfyServer, studio: ComfyStudio) -> None:
    job = studio.job("changing", seed="6")
    lora = studio.lora(14)

    def report(progress: float, message: str) -> None:
        for path in (server.base / "models" / "loras" / "genlock").glob("*/*.safetensors"):
            if progress > 0.3 and path.read_bytes() == lora.read_bytes():
                replace_in_place(path, models.write(studio.folder / "evil", models.lora(15)).read_bytes())

    with pytest.raises(Tampered, match="changed while ComfyUI used it"):
        await studio.engine.render(job.spec, {**job.files, "lora": lora}, report)


async def test_an_image_that_changes_during_the_run_fails_the_render(server: ComfyServer, studio: ComfyStudio) -> None:
    job = studio.job("changing picture", seed="7")
    start = studio.picture(21)

    def report(progress: float, message: str) -> None:
        for path in (server.base / "input" / "genlock").glob("*.png"):
            if progress > 0.3 and path.read_bytes() == start.read_bytes():
                path.write_bytes(studio.picture(22).read_bytes())

    with pytest.raises(Tampered, match="input folder"):
        await studio.engine.render(job.spec, {**job.files, "start": start}, report)


# without a folder to write --------------------------------------------------------------------------


def unstaged(studio: ComfyStudio, server: ComfyServer, monkeypatch: pytest.MonkeyPatch | None = None) -> ComfyUIEngine:
    """Return an engine that may not write the server's folders; with ``monkeypatch`` it may read them."""
    if monkeypatch is None:
        return ComfyUIEngine(server.url, None, studio.patience)
    monkeypatch.setattr(Staging, "is_writable", _never)  # root may write whatever the mode is
    return ComfyUIEngine(server.url, Staging(server.base, 10**9), studio.patience)


def _never(_: Staging) -> bool:
    return False


async def _by_name(engine: ComfyUIEngine, studio: ComfyStudio, run: str, **files: Path) -> tuple[str, str]:
    job = studio.job(run, seed="9")
    named: tuple[EngineInput, ...] = tuple(
        item.model_copy(update={"filename": NAMES[item.role]}) if item.role in ROLES else item
        for item in job.spec.inputs
    )
    spec = job.spec.model_copy(update={"inputs": named})
    result = await engine.render(spec, {**job.files, **files}, ignore)
    return result.frames_digest, result.evidence


@pytest.mark.parametrize("readable", [True, False])
async def test_by_name_the_new_weights_are_used_and_the_evidence_shows_how_they_were_matched(
    readable: bool,
    server: ComfyServer,
    truth: ComfyServer,
    studio: ComfyStudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = ComfyStudio(truth, tmp_path / "truth")
    target = server.base / "models" / "loras" / NAMES["lora"]
    original = target.read_bytes()
    results: list[tuple[str, str]] = []
    for number, seed in enumerate((11, 12)):
        lora = studio.lora(seed)
        shutil.copyfile(lora, target.with_suffix(".new"))
        target.with_suffix(".new").rename(target)
        expected = await honest.render({"lora": lora}, seed="9")
        with monkeypatch.context() as patched:
            engine = unstaged(studio, server, patched if readable else None)
            results.append(await _by_name(engine, studio, f"by name {number}", lora=lora))
        assert results[-1] == (expected.frames_digest, "recorded" if readable else "matched_by_name")
    assert results[0] != results[1]
    put_back(target, original)


async def test_by_name_another_version_in_the_folder_is_refused(
    server: ComfyServer, studio: ComfyStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Tampered, match="is not the expected version of lora 0"):
        await _by_name(unstaged(studio, server, monkeypatch), studio, "other", lora=studio.lora(99))
    larger = models.write(studio.folder / "larger", {**models.lora(11), **models.vae(1)})
    with pytest.raises(Tampered, match="is not the expected version"):
        await _by_name(unstaged(studio, server), studio, "larger", lora=larger)


async def test_a_folder_of_another_comfyui_is_noticed(studio: ComfyStudio, server: ComfyServer) -> None:
    elsewhere = studio.folder / "elsewhere"
    (elsewhere / "models").mkdir(parents=True)
    engine = ComfyUIEngine(server.url, Staging(elsewhere, 10**9), studio.patience)
    job = studio.job("elsewhere")
    with pytest.raises(Unavailable, match="does not see"):
        await engine.render(job.spec, job.files, ignore)
    async with connected(server.url) as client:
        assert await client.queue() == (), "nothing was submitted"
