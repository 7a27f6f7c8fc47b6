"""Requirements of every engine, checked on every engine."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.comfyui.studio import ComfyStudio
from tests.engines.studio import SMALL, SketchStudio, Studio, ignore

from genlock.digest import canonical
from genlock.engines.media import frames_digest, probe
from genlock.engines.model import EngineInput, Produces, Rendered
from genlock.engines.offers import offer_of
from genlock.engines.pictures import read_picture
from genlock.engines.registry import engine_named
from genlock.errors import Conflict, Invalid, NotFound, Unavailable
from genlock.settings import Settings

ENGINES = ("sketch", pytest.param("comfyui", marks=pytest.mark.long))


@pytest.fixture(params=ENGINES)
def studio(request: pytest.FixtureRequest, samples: Path, tmp_path: Path) -> Studio:
    if request.param == "sketch":
        return SketchStudio(samples, tmp_path / "outputs")
    return ComfyStudio(request.getfixturevalue("comfyui_server"), tmp_path)


async def rendered(studio: Studio, run: str = "run", produces: Produces = "video", **changes: Any) -> Rendered:
    job = studio.job(run, produces, **changes)
    return await studio.engine.render(job.spec, job.files, ignore)


def contents(result: Rendered) -> dict[str, bytes]:
    return {part: file.path.read_bytes() for part, file in result.outputs.items()}


def test_an_unknown_engine_is_refused_with_the_existing_names() -> None:
    with pytest.raises(NotFound, match="comfy") as refused:
        engine_named("comfy", Settings())
    assert "sketch" in str(refused.value.hint)


async def test_an_engine_describes_itself(studio: Studio) -> None:
    info = await studio.engine.describe()
    assert info.name == studio.engine.name
    assert offer_of(info.name).model_dump().items() <= info.model_dump().items()
    assert info.version
    assert {"model", "workflow", "seed_frame", "variant", "lora"} <= set(info.roles)
    assert {"prompt", "seed", "cfg", "width", "height", "frames"} <= set(info.parameters)
    assert info.environment["python"]


async def test_a_video_has_every_part_and_the_parameters_that_were_used(studio: Studio) -> None:
    result = await rendered(studio)
    assert {part: file.media_type for part, file in result.outputs.items()} == {
        "video": studio.video_type,
        "last_frame": "image/png",
        "thumbnail": "image/jpeg",
    }
    video = result.outputs["video"].path
    facts = probe(video)
    assert (facts.width, facts.height, facts.frames) == (SMALL["width"], SMALL["height"], SMALL["frames"])
    assert facts.fps == result.parameters["fps"]
    assert result.frames_digest == frames_digest(video)
    last = read_picture(result.outputs["last_frame"].path.read_bytes(), "last frame")
    assert last.shape == (SMALL["height"], SMALL["width"], 3)
    info = await studio.engine.describe()
    assert set(result.parameters) == set(info.parameters) - studio.without
    assert SMALL.items() <= result.parameters.items()
    assert result.environment == info.environment
    assert result.duration_s > 0
    assert all(seconds >= 0 for seconds in result.per_node_s.values())
    assert set(result.per_node_s) == set(json.loads(result.graph))
    assert {"workflow", "model", "lora", "start"} <= {item.key for item in result.inputs}


async def test_a_picture_has_every_part(studio: Studio) -> None:
    result = await rendered(studio, produces="image")
    assert {part: file.media_type for part, file in result.outputs.items()} == {
        "image": "image/png",
        "thumbnail": "image/jpeg",
    }
    assert result.produces == "image"
    assert result.parameters["frames"] == 1
    assert "fps" not in result.parameters
    picture = read_picture(result.outputs["image"].path.read_bytes(), "picture")
    assert picture.shape == (SMALL["height"], SMALL["width"], 3)


@pytest.mark.parametrize("produces", ["video", "image"])
async def test_the_same_spec_makes_the_same_bytes(studio: Studio, produces: Produces) -> None:
    first, second = await rendered(studio, "one", produces=produces), await rendered(studio, "two", produces=produces)
    assert contents(first) == contents(second)
    assert (first.frames_digest, first.graph) == (second.frames_digest, second.graph)


async def test_the_executed_graph_is_canonical_and_reproduces_the_output(studio: Studio) -> None:
    first = await rendered(studio, "one")
    assert canonical(json.loads(first.graph)) == first.graph
    job = studio.job("two")
    again = job.spec.model_copy(update={"graph": first.graph, "parameters": first.parameters})
    second = await studio.engine.render(again, job.files, ignore)
    assert second.graph == first.graph
    assert contents(second) == contents(first)
    assert "workflow" not in {item.role for item in second.inputs}


async def test_names_do_not_affect_the_output(studio: Studio, tmp_path: Path) -> None:
    first = await rendered(studio, "one")
    job = studio.job("two")
    renamed_files: dict[str, Path] = {}
    inputs: list[EngineInput] = []
    for number, item in enumerate(job.spec.inputs):
        path = tmp_path / f"renamed {number}"
        path.write_bytes(job.files[item.key].read_bytes())
        renamed_files[f"k{number}"] = path
        inputs.append(item.model_copy(update={"key": f"k{number}", "filename": f"other name {number}.bin"}))
    second = await studio.engine.render(job.spec.model_copy(update={"inputs": tuple(inputs)}), renamed_files, ignore)
    assert contents(second) == contents(first)
    assert second.graph == first.graph


async def test_progress_never_falls_and_is_reported_on_the_loops_thread(studio: Studio) -> None:
    reports: list[float] = []
    threads: set[int] = set()

    def report(progress: float, message: str) -> None:
        reports.append(progress)
        threads.add(threading.get_ident())
        assert message

    job = studio.job("run")
    await studio.engine.render(job.spec, job.files, report)
    assert reports == sorted(reports)
    assert reports[0] == 0.0
    assert reports[-1] == 1.0
    assert len(reports) > SMALL["frames"]
    assert threads == {threading.get_ident()}


async def test_the_event_loop_runs_during_a_render(studio: Studio) -> None:
    job = studio.job("run")
    turns = 0
    running = asyncio.ensure_future(studio.engine.render(job.spec, job.files, ignore))
    while not running.done():
        turns += 1
        await asyncio.sleep(0)
    await running
    assert turns > 10


async def test_concurrent_runs_have_the_same_output_as_single_ones(studio: Studio) -> None:
    alone = [await rendered(studio, f"alone {seed}", seed=seed) for seed in ("1", "2")]
    together = await asyncio.gather(*(rendered(studio, f"together {seed}", seed=seed) for seed in ("1", "2")))
    assert [contents(result) for result in alone] == [contents(result) for result in together]


async def test_cancel_stops_a_run_and_leaves_its_name_free(studio: Studio) -> None:
    job = studio.job("run", frames=200)
    stopping: list[asyncio.Task[None]] = []

    def report(progress: float, message: str) -> None:
        if progress > 0 and not stopping:
            stopping.append(asyncio.ensure_future(studio.engine.cancel("run")))

    with pytest.raises(Conflict, match="cancelled") as stopped:
        await studio.engine.render(job.spec, job.files, report)
    assert stopped.value.code == "cancelled"
    assert not (job.spec.workdir / "last_frame.png").exists()
    await rendered(studio)


async def test_a_task_that_is_cancelled_waits_for_its_work_to_end(studio: Studio) -> None:
    job = studio.job("run", frames=200)
    reports: list[float] = []
    started = asyncio.Event()

    def report(progress: float, message: str) -> None:
        reports.append(progress)
        if progress > 0:
            started.set()

    before = asyncio.all_tasks()
    running = asyncio.ensure_future(studio.engine.render(job.spec, job.files, report))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() <= before, "no thread works on behind the caller's back"
    assert 1.0 not in reports
    assert not (job.spec.workdir / "last_frame.png").exists()
    await rendered(studio)


async def test_cancelling_an_unknown_run_does_nothing(studio: Studio) -> None:
    await studio.engine.cancel("nobody")


async def test_a_name_in_use_is_refused(studio: Studio) -> None:
    job = studio.job("run")
    first = asyncio.ensure_future(studio.engine.render(job.spec, job.files, ignore))
    await asyncio.sleep(0)
    with pytest.raises(Conflict, match="in progress"):
        await studio.engine.render(job.spec, job.files, ignore)
    await first


async def test_a_missing_file_is_named(studio: Studio, tmp_path: Path) -> None:
    job = studio.job("run")
    with pytest.raises(Unavailable, match=r"model 0 \(tiny_v1.safetensors\)"):
        await studio.engine.render(job.spec, {**job.files, "model": tmp_path / "gone"}, ignore)
    with pytest.raises(Unavailable, match="rain_v1"):
        await studio.engine.render(job.spec, {k: v for k, v in job.files.items() if k != "lora"}, ignore)


async def test_a_folder_that_cannot_be_written_is_unavailable(studio: Studio, tmp_path: Path) -> None:
    job = studio.job("run")
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(Unavailable, match="could not be written"):
        await studio.engine.render(job.spec.model_copy(update={"workdir": blocked}), job.files, ignore)


async def test_an_input_without_a_place_is_refused(studio: Studio) -> None:
    with pytest.raises(Invalid, match="'mood'"):
        await rendered(studio, mood="sad")
    job = studio.job("run")
    odd = job.spec.model_copy(update={"inputs": (*job.spec.inputs, EngineInput(key="a", role="audio"))})
    with pytest.raises(Invalid, match="audio"):
        await studio.engine.render(odd, {**job.files, "a": job.files["model"]}, ignore)


@pytest.mark.parametrize("seed", [1, 1.5, "-1", "1e3", "", "01", str(2**64), True, None])
async def test_an_invalid_seed_is_refused(studio: Studio, seed: object) -> None:
    with pytest.raises(Invalid, match="seed"):
        await rendered(studio, seed=seed)


async def test_all_64_bits_of_a_seed_affect_the_output(studio: Studio) -> None:
    seeds = ("0", "1", str(2**32), str(2**53), str(2**53 + 1), str(2**63), str(2**64 - 2), str(2**64 - 1))
    results = [await rendered(studio, f"seed {seed}", seed=seed) for seed in seeds]
    assert [result.parameters["seed"] for result in results] == list(seeds)
    assert len({result.graph for result in results}) == len(seeds)
    # ComfyUI draws noise with torch, whose generator for CPUs uses only the lower 32 bits of a seed.
    assert len({result.frames_digest for result in results}) == len({int(seed) % 2**studio.seed_bits for seed in seeds})


async def test_a_chained_segment_starts_from_the_last_frame_of_the_previous_one(studio: Studio) -> None:
    first = await rendered(studio, "first")
    job = studio.job("second")
    frame = EngineInput(key="frame", role="seed_frame")
    spec = job.spec.model_copy(update={"inputs": (*job.spec.inputs, frame)})
    last = first.outputs["last_frame"].path
    second = await studio.engine.render(spec, {**job.files, "frame": last}, ignore)
    assert second.frames_digest != first.frames_digest
    assert "frame" in {item.key for item in second.inputs}
    assert "start" not in {item.key for item in second.inputs}, "the seed frame goes before the variant"
