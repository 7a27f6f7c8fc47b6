"""Faults of a real server: each ends in an error with a hint, or is handled."""

import asyncio
import json
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from tests.comfyui.server import ComfyServer
from tests.comfyui.studio import ComfyStudio
from tests.comfyui.wire import wired
from tests.comfyui.workflows import node
from tests.engines.studio import Job, ignore

from genlock.engines.comfyui.client import connected
from genlock.engines.comfyui.engine import ComfyUIEngine
from genlock.engines.comfyui.follow import Patience
from genlock.engines.comfyui.staging import Staging
from genlock.engines.model import Rendered
from genlock.errors import Conflict, Invalid, Unavailable

pytestmark = pytest.mark.long
LONG = 3000
"""Steps that take long enough to do something meanwhile."""
PATIENT = Patience(poll_s=0.2, away_s=120, reconnect_s=0.1)
"""Waits for a server that is being started again."""


async def queue_of(server: ComfyServer) -> int:
    async with connected(server.url) as client:
        return len(await client.queue())


async def once_sampling(studio: ComfyStudio, job: Job, act: Callable[[], object]) -> Rendered:
    """Render, and do something once when the sampler is at work."""
    done: list[bool] = []

    def report(progress: float, message: str) -> None:
        if message == "node 10" and not done:
            done.append(True)
            act()

    result = await studio.engine.render(job.spec, job.files, report)
    assert done
    return result


async def test_a_choice_that_the_server_does_not_have_is_named(studio: ComfyStudio, server: ComfyServer) -> None:
    job = studio.job("run", sampler="no such sampler")
    with pytest.raises(Invalid, match=r"node 10 \(KSampler\).*no such sampler") as refused:
        await studio.engine.render(job.spec, job.files, ignore)
    assert refused.value.code == "graph_refused"
    assert await queue_of(server) == 0


async def test_a_class_that_the_server_does_not_have_is_named(studio: ComfyStudio) -> None:
    studio.graph["11"] = node("NobodyHasThisNode", samples=("10", 0), vae=("7", 0))
    with pytest.raises(Invalid, match="NobodyHasThisNode"):
        await studio.render()


async def test_a_partly_valid_graph_is_not_run(server: ComfyServer, studio: ComfyStudio) -> None:
    await studio.render(seed="71")  # so that the files are staged
    job = studio.job("whole", seed="72")
    whole = json.loads((await studio.engine.render(job.spec, job.files, ignore)).graph)
    whole["10"]["inputs"]["seed"] = 73
    whole["90"] = node("SaveImage", images=("91", 0), filename_prefix="bad")
    whole["91"] = node("LoadImage", image="nobody has this.png")
    before = len(list((server.base / "output").rglob("*.webp")))
    prompt_id = str(uuid4())
    async with connected(server.url) as client:
        with pytest.raises(Invalid, match="node 91"):
            await client.submit(json.dumps(whole).encode(), prompt_id, "test")
        while await client.is_queued(prompt_id):  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.05)
        ended = await client.history(prompt_id)
    assert ended is None or ended["status"]["status_str"] == "error", "it was taken out, or interrupted"
    assert len(list((server.base / "output").rglob("*.webp"))) == before


async def test_a_node_that_fails_is_named_with_its_message(studio: ComfyStudio) -> None:
    studio.graph["4"]["inputs"]["type"] = "stable_diffusion"  # 768 numbers for a token, where the model takes 4096
    with pytest.raises(Unavailable, match=r"Node \d+ \(\w+\) failed in ComfyUI") as failed:
        await studio.render()
    assert failed.value.code == "execution_error"


async def test_cancelling_in_a_long_sampler_stops_only_this_run(studio: ComfyStudio, server: ComfyServer) -> None:
    long, other = studio.job("long", steps=LONG), studio.job("other", seed="81")
    meanwhile: list[asyncio.Future[Rendered]] = []

    async def queue_another_and_cancel() -> Rendered:
        waiting = asyncio.ensure_future(studio.engine.render(other.spec, other.files, ignore))
        while await queue_of(server) < 2:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.05)
        await studio.engine.cancel("long")
        return await waiting

    with pytest.raises(Conflict, match="cancelled"):
        await once_sampling(studio, long, lambda: meanwhile.append(asyncio.ensure_future(queue_another_and_cancel())))
    assert (await meanwhile[0]).frames_digest == (await studio.render(seed="81")).frames_digest
    assert await queue_of(server) == 0


async def test_an_interrupt_by_another_client_is_reported(studio: ComfyStudio, server: ComfyServer) -> None:
    with pytest.raises(Conflict, match="was interrupted") as interrupted:
        await once_sampling(
            studio, studio.job("long", steps=LONG), lambda: httpx.post(f"{server.url}/interrupt", json={})
        )
    assert interrupted.value.code == "interrupted"


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_server_that_is_killed_in_mid_run_is_unavailable_or_lost_the_run(
    restarted: bool, studio: ComfyStudio, server: ComfyServer
) -> None:
    restarting: list[asyncio.Future[None]] = []

    def kill() -> None:
        server.kill()
        if restarted:
            restarting.append(asyncio.ensure_future(asyncio.to_thread(server.start)))

    engine = studio.engine
    studio.engine = ComfyUIEngine(server.url, Staging(server.base, 10**10), PATIENT if restarted else studio.patience)
    with pytest.raises(Unavailable) as gone:
        await once_sampling(studio, studio.job("long", steps=LONG), kill)
    assert gone.value.code == ("run_lost" if restarted else "engine_away")
    if restarted:
        await restarting[0]
    else:
        await asyncio.to_thread(server.start)
    assert await engine.describe()
    assert (await studio.render(seed="1")).evidence == "recorded"


async def test_a_lost_web_socket_is_reconnected(studio: ComfyStudio, server: ComfyServer) -> None:
    async with wired(server) as wire:
        studio.engine = ComfyUIEngine(wire.url, Staging(server.base, 10**10), studio.patience)
        cut: list[int] = []
        result = await once_sampling(studio, studio.job("run", steps=400), lambda: cut.append(wire.cut(b"/ws")))
        assert cut == [1]
        sockets = [request for request in wire.requests if request.startswith(b"GET /ws")]
        assert len(sockets) >= 2, "it connected again"
    assert result.per_node_s["11"] > 0, "and received later messages"


async def test_a_run_is_followed_by_history_without_a_web_socket(studio: ComfyStudio, server: ComfyServer) -> None:
    async with wired(server, lambda head: head.startswith(b"GET /ws")) as wire:
        studio.engine = ComfyUIEngine(wire.url, Staging(server.base, 10**10), studio.patience)
        by_history = await studio.render(seed="91")
    studio.engine = ComfyUIEngine(server.url, Staging(server.base, 10**10), studio.patience)
    assert by_history.frames_digest == (await studio.render(seed="91")).frames_digest
    assert set(by_history.per_node_s.values()) == {0.0}


async def test_a_run_is_followed_by_web_socket_without_a_history(studio: ComfyStudio, server: ComfyServer) -> None:
    """Another client keeps clearing the history."""
    ended = asyncio.Event()

    async def clear() -> None:
        async with httpx.AsyncClient(base_url=server.url) as http:
            while not ended.is_set():
                await http.post("/history", json={"clear": True})

    clearing = asyncio.ensure_future(clear())
    try:
        assert (await studio.render(seed="92")).outputs
    finally:
        ended.set()
        await clearing


async def test_two_workers_render_on_one_server(studio: ComfyStudio, server: ComfyServer) -> None:
    other = ComfyStudio(server, studio.folder / "other")
    seeds = [str(number) for number in range(101, 105)]
    together = await asyncio.gather(
        *(
            each.engine.render(job.spec, job.files, ignore)
            for seed in seeds
            for each in (studio, other)
            for job in [each.job(f"run {seed}", seed=seed)]
        )
    )
    pairs = list(zip(together[::2], together[1::2], strict=True))
    assert all(first.frames_digest == second.frames_digest for first, second in pairs)
    assert len({first.frames_digest for first, _ in pairs}) == len(seeds)


async def test_a_graph_whose_answer_was_lost_is_queued_once(studio: ComfyStudio, server: ComfyServer) -> None:
    """The connection breaks after the server has accepted the graph; a query shows that it is queued."""
    async with wired(server) as wire:
        wire.loses = lambda head: head.startswith(b"POST /prompt")
        studio.engine = ComfyUIEngine(wire.url, Staging(server.base, 10**10), studio.patience)
        result = await studio.render(seed="111")
        assert sum(request.startswith(b"POST /prompt") for request in wire.requests) == 1
    async with httpx.AsyncClient(base_url=server.url) as http:
        history = (await http.get("/history")).json()
    assert sum(json.loads(result.graph) == entry["prompt"][2] for entry in history.values()) == 1


async def test_the_run_of_a_killed_worker_is_stopped_by_the_next_attempt(
    studio: ComfyStudio, server: ComfyServer
) -> None:
    """The next attempt knows the ids of the earlier ones, and interrupts only those."""
    job = studio.job("first", steps=LONG)
    spec = job.spec.model_copy(update={"work": "some work, and nobody else's"})
    sampling = asyncio.Event()
    left = asyncio.ensure_future(once_sampling(studio, Job(spec, job.files), sampling.set))
    await sampling.wait()
    aside = ComfyStudio(server, studio.folder / "aside")
    waiting = asyncio.ensure_future(aside.render(seed="121"))
    job = studio.job("again", seed="122")
    spec = job.spec.model_copy(update={"work": spec.work, "attempt": 2})
    assert (await studio.engine.render(spec, job.files, ignore)).outputs
    with pytest.raises(Conflict, match="was interrupted"):
        await left
    assert (await waiting).outputs
    assert await queue_of(server) == 0
