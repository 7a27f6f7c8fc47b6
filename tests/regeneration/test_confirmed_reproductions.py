"""A result that differs is confirmed by a second run: an encoder may give other frames once in a while."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.regeneration.studio import QUICK, Studio
from tests.regeneration.test_reproduce import (
    LARGER,
    LEAST,
    ask,
    original_video,
    read,
    receipt_of,
    recorded_elsewhere,
)

from genlock.engines.media import decoded, encode_video, frames_digest
from genlock.engines.model import Engine, EngineInfo, Rendered, RenderSpec, Report
from genlock.engines.registry import configured_engines
from genlock.regeneration.reproduction.model import Reproduction, Thresholds, Verdict
from genlock.regeneration.worker import run_worker
from genlock.settings import Settings


class Flickering:
    """The sketch engine; the runs with these numbers give videos with one frame that differs."""

    def __init__(self, sketch: Engine, *runs: int) -> None:
        self._sketch, self._runs, self.started = sketch, runs, 0
        self.name = sketch.name

    async def describe(self) -> EngineInfo:
        return await self._sketch.describe()

    async def render(self, spec: RenderSpec, inputs: Mapping[str, Path], report: Report) -> Rendered:
        rendered = await self._sketch.render(spec, inputs, report)
        self.started += 1
        if self.started not in self._runs:
            return rendered
        path = rendered.outputs["video"].path
        digest = await asyncio.to_thread(_coarsen, path)
        return rendered.model_copy(update={"frames_digest": digest})

    async def cancel(self, run: str) -> None:
        await self._sketch.cancel(run)


def _coarsen(path: Path) -> str:
    frames = list(decoded(path))
    frames[1] = (frames[1] // 32 * 32).astype(np.uint8)
    encode_video(path, frames, 16)
    return frames_digest(path)


async def reproduced(
    studio: Studio, receipt_id: int, engine: Flickering, runs: int = 1, least: Thresholds = LEAST
) -> Reproduction:
    queued = await ask(studio, receipt_id, runs, least)
    await run_worker(studio.db, studio.store, engines={engine.name: engine}, until_idle=True, pace=QUICK)
    done = await read(studio, queued)
    assert done.error is None and done.result is not None, done.error
    return done


@pytest.mark.parametrize("runs", [1, 2])
async def test_a_difference_that_a_second_run_does_not_have_is_not_reported(studio: Studio, runs: int) -> None:
    (segment,) = await studio.shoot("A", 1, **LARGER)
    engine = Flickering(configured_engines(Settings())["sketch"], 1)
    done = await reproduced(studio, (await receipt_of(studio, segment)).id, engine, runs)
    assert (done.verdict, engine.started, done.progress) == (Verdict.IDENTICAL, 2, 1)
    assert done.result is not None and done.result.noise is not None
    assert done.result.comparison.why == "The video has the same bytes. Another of the 2 runs differed."
    assert (len(done.result.runs), done.result.noise.verdict) == (2, Verdict.DIFFERENT)
    assert done.result.within_noise is True


async def test_a_difference_that_two_runs_have_is_reported_after_both(studio: Studio, tmp_path: Path) -> None:
    (segment,) = await studio.shoot("A", 1, **LARGER)
    receipt = await receipt_of(studio, segment)
    path = tmp_path / "elsewhere.mp4"
    path.write_bytes(original_video(studio, receipt, tmp_path).read_bytes())
    _coarsen(path)
    other = await recorded_elsewhere(studio, receipt, path)
    engine = Flickering(configured_engines(Settings())["sketch"])
    done = await reproduced(studio, other, engine)
    assert (done.verdict, engine.started) == (Verdict.DIFFERENT, 2)
    assert done.result is not None and done.result.comparison.why.endswith(" 2 runs agree.")
    assert done.result.noise is not None and done.result.noise.verdict is Verdict.IDENTICAL


async def test_what_no_second_run_can_change_runs_once(studio: Studio, tmp_path: Path) -> None:
    """Another number of frames is certain, and what is visually equal is not different."""
    (segment,) = await studio.shoot("A", 1, **LARGER)
    receipt = await receipt_of(studio, segment)
    frames = list(decoded(original_video(studio, receipt, tmp_path)))
    shorter, close = tmp_path / "shorter.mp4", tmp_path / "close.mp4"
    encode_video(shorter, frames[:2], 16)
    encode_video(close, [frames[0], np.clip(frames[1].astype(np.int16) + 1, 0, 255).astype(np.uint8), frames[2]], 16)
    lenient = Thresholds(psnr_db=20, ssim=0.5)
    for path, verdict in ((shorter, Verdict.DIFFERENT), (close, Verdict.VISUALLY_EQUAL)):
        engine = Flickering(configured_engines(Settings())["sketch"])
        done = await reproduced(studio, await recorded_elsewhere(studio, receipt, path), engine, least=lenient)
        assert (done.verdict, engine.started) == (verdict, 1)
