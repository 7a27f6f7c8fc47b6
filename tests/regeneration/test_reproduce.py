"""Receipts run again by the real engine: the verdict, the rows that stay unchanged, and early refusals."""

# PyAV's stubs leave the stream type of a packet open.
# pyright: reportUnknownMemberType=false

import asyncio
import signal
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.regeneration.processes import SLOW, jobs, until, worker
from tests.regeneration.studio import PARAMETERS, Studio

from genlock.blobs import sql as blobs_sql
from genlock.db.connection import rows
from genlock.engines.media import decoded, encode_video, examine
from genlock.engines.pictures import read_picture
from genlock.errors import Conflict, NotFound
from genlock.model import Kind
from genlock.regeneration.plans import plan_sql
from genlock.regeneration.reproduction import asking as reproduce
from genlock.regeneration.reproduction import sql as reproduce_sql
from genlock.regeneration.reproduction.model import (
    Comparison,
    NewReproduction,
    Reproduction,
    ReproductionState,
    Thresholds,
    Verdict,
)
from genlock.takes import receipt_sql, record
from genlock.takes.claim import Claim, ClaimEngine, ClaimInput, Output, Parameters
from genlock.takes.model import Receipt
from genlock.takes.parts import Parts
from genlock.takes.receipt import Input

LEAST = Thresholds(psnr_db=40, ssim=0.98)
LARGER = {"frames": 3, "width": 64, "height": 64}


async def receipt_of(studio: Studio, segment_id: int) -> Receipt:
    async with studio.db.transaction() as conn:
        receipt = await receipt_sql.receipt_of_selected(conn, segment_id)
    assert receipt is not None
    return receipt


async def ask(studio: Studio, receipt_id: int, runs: int = 1, least: Thresholds = LEAST) -> Reproduction:
    new = NewReproduction.model_validate({"runs": runs})
    async with studio.db.transaction() as conn:
        return await reproduce.ask(conn, studio.store, receipt_id, new, least, studio.actor)


async def read(studio: Studio, reproduction: Reproduction) -> Reproduction:
    async with studio.db.transaction() as conn:
        return await reproduce_sql.get_reproduction(conn, reproduction.id)


async def reproduced(studio: Studio, receipt_id: int, runs: int = 1, least: Thresholds = LEAST) -> Reproduction:
    queued = await ask(studio, receipt_id, runs, least)
    assert (queued.state, queued.verdict, queued.progress) == (ReproductionState.QUEUED, None, 0)
    await studio.work()
    done = await read(studio, queued)
    assert done.error is None, done.error
    return done


def comparison_of(done: Reproduction) -> Comparison:
    assert done.result is not None
    return done.result.comparison


async def everything(studio: Studio) -> dict[str, Any]:
    """Return every row that a reproduction must not change."""
    tables = ("takes", "receipts", "receipt_inputs", "receipt_outputs", "selected_takes", "selections", "segments")
    async with studio.db.transaction() as conn:
        return {
            table: await rows(conn, f"SELECT to_jsonb(t) AS row FROM {table} t ORDER BY to_jsonb(t)::text")  # pyright: ignore[reportArgumentType]
            for table in (*tables, "plans", "plan_steps", "asset_versions", "activations", "waivers")
        }


async def recorded_elsewhere(studio: Studio, original: Receipt, video: Path, **engine: Any) -> int:
    """Record a take with everything of a receipt except its video and engine; return the id of its receipt."""
    document = original.document
    shown = await asyncio.to_thread(examine, video)
    stored = await asyncio.to_thread(studio.store.put_file, video)
    lines = [Input.model_validate(line) for line in document["inputs"]]
    claim = Claim(
        inputs=tuple(
            ClaimInput(
                role=line.role,
                ordinal=line.ordinal,
                asset=line.asset,
                version=line.version,
                take=line.take,
                part=line.part,
                strength_model=line.strength_model,
            )
            for line in lines
            if line.via is None
        ),
        parameters=Parameters.model_validate(document["parameters"]),
        engine=ClaimEngine.model_validate({**document["engine"], **engine}),
        graph=document["graph"],
    )
    outputs = {
        "video": Output(digest=stored.digest, media_type="video/mp4", size_bytes=stored.size_bytes),
        "frames": Output(digest=shown.frames_digest),
    }
    assert original.segment_id is not None
    async with studio.db.transaction() as conn:
        graph = Output(digest=document["graph"], size_bytes=1)
        parts = Parts(outputs, graph, {"video": stored.digest})
        recorded = await record.record_take(conn, original.segment_id, claim, parts, studio.actor, select=False)
    return recorded.receipt.id


def remuxed(source: Path, path: Path) -> Path:
    """Write the same packets to a file with another title."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        container.metadata["title"] = "the same, wrapped anew"
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return path


def original_video(studio: Studio, receipt: Receipt, tmp_path: Path) -> Path:
    path = tmp_path / "original.mp4"
    studio.store.copy_out(receipt.document["outputs"]["video"]["digest"], path)
    return path


async def test_a_chain_is_reproduced_bit_for_bit_and_no_other_row_changes(studio: Studio) -> None:
    segments = await studio.shoot("A", 2)
    before = await everything(studio)
    for segment in segments:
        receipt = await receipt_of(studio, segment)
        done = await reproduced(studio, receipt.id)
        assert (done.state, done.verdict, done.progress) == (ReproductionState.SUCCEEDED, Verdict.IDENTICAL, 1)
        assert done.result is not None
        assert done.result.runs[0].outputs["video"].digest == receipt.document["outputs"]["video"]["digest"]
        assert done.result.runs[0].graph == receipt.document["graph"]
        assert done.result.surroundings == ()
        assert (done.result.noise, done.result.within_noise) == (None, None)
    assert await everything(studio) == before
    async with studio.db.transaction() as conn:
        query = "SELECT verb FROM events WHERE verb LIKE 'repro%%' ORDER BY id"
        verbs = [row["verb"] for row in await rows(conn, query)]
    assert verbs == ["reproduction.created", "reproduction.finished"] * 2
    assert await jobs(studio) == 0


async def test_recorded_versions_are_used_whichever_is_active_now(studio: Studio) -> None:
    (segment,) = await studio.shoot("A", 1)
    first = await receipt_of(studio, segment)
    await studio.upload(Kind.LORA, "rain", "rain_v2.safetensors")
    await studio.upload(Kind.WORKFLOW, "walk", "walk_v2.json")
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)])
    await studio.run(await studio.plan())
    second = await receipt_of(studio, segment)
    assert second.id != first.id and second.inputs_digest != first.inputs_digest
    for receipt in (first, second):
        assert (await reproduced(studio, receipt.id)).verdict is Verdict.IDENTICAL


async def test_a_generated_version_is_reproduced(engine_studio: Studio) -> None:
    async with engine_studio.db.transaction() as conn:
        receipt = await receipt_sql.receipt_of_version(conn, engine_studio.assets["clothed"], 1)
    assert receipt is not None
    assert (await reproduced(engine_studio, receipt.id)).verdict is Verdict.IDENTICAL


async def test_two_runs_measure_the_noise_floor(studio: Studio) -> None:
    (segment,) = await studio.shoot("A", 1)
    done = await reproduced(studio, (await receipt_of(studio, segment)).id, runs=2)
    assert done.result is not None and done.result.noise is not None
    assert len(done.result.runs) == 2
    assert done.result.noise.verdict is Verdict.IDENTICAL
    assert done.result.within_noise is True


async def test_the_same_frames_in_another_file_are_the_same(studio: Studio, tmp_path: Path) -> None:
    (segment,) = await studio.shoot("A", 1)
    receipt = await receipt_of(studio, segment)
    elsewhere = remuxed(original_video(studio, receipt, tmp_path), tmp_path / "wrapped.mp4")
    done = await reproduced(studio, await recorded_elsewhere(studio, receipt, elsewhere))
    assert done.verdict is Verdict.SAME_FRAMES
    assert comparison_of(done).difference is None


async def test_a_difference_is_measured_shown_and_graded_by_the_thresholds(studio: Studio, tmp_path: Path) -> None:
    (segment,) = await studio.shoot("A", 1, **LARGER)
    receipt = await receipt_of(studio, segment)
    frames = list(decoded(original_video(studio, receipt, tmp_path)))
    frames[1] = (frames[1] // 8 * 8).astype(np.uint8)
    elsewhere = tmp_path / "elsewhere.mp4"
    encode_video(elsewhere, frames, 16)
    other = await recorded_elsewhere(studio, receipt, elsewhere, version="0", environment={"numpy": "0.1"})

    strict = await reproduced(studio, other)
    comparison = comparison_of(strict)
    assert strict.verdict is Verdict.DIFFERENT
    assert (comparison.frames, comparison.other_frames, len(comparison.psnr_db), len(comparison.ssim)) == (3, 3, 3, 3)
    assert comparison.worst_psnr_db is not None and comparison.worst_ssim is not None
    assert (
        comparison.worst_psnr_db
        == min(value for value in comparison.psnr_db if value is not None)
        == comparison.psnr_db[1]
    )
    assert comparison.worst_ssim == min(comparison.ssim)
    assert f"{comparison.worst_psnr_db:.1f} dB" in comparison.why and "40 dB" in comparison.why
    assert comparison.first_different_frame is not None and comparison.difference is not None
    async with studio.db.transaction() as conn:
        assert await blobs_sql.get(conn, comparison.difference) is not None
    picture = read_picture(studio.store.read_verified(comparison.difference), "difference")
    assert picture.shape == (64, 3 * 64, 3), "the original, what was made now, and the difference"
    at = comparison.first_different_frame - 1
    assert np.array_equal(picture[:, :64], list(decoded(elsewhere))[at])
    assert strict.result is not None
    changes = {change.name: (change.before, change.after) for change in strict.result.surroundings}
    assert changes["version"] == ("0", receipt.document["engine"]["version"])
    assert changes["environment.numpy"] == ("0.1", np.__version__)

    lenient = Thresholds(psnr_db=comparison.worst_psnr_db - 0.1, ssim=comparison.worst_ssim - 0.001)
    done = await reproduced(studio, other, runs=2, least=lenient)
    assert (done.verdict, done.thresholds) == (Verdict.VISUALLY_EQUAL, lenient)
    assert done.result is not None
    assert done.result.within_noise is False, "two runs are the same, so chance does not explain it"


async def test_another_number_of_frames_and_a_lost_original_are_different(studio: Studio, tmp_path: Path) -> None:
    (segment,) = await studio.shoot("A", 1, **LARGER)
    receipt = await receipt_of(studio, segment)
    video = original_video(studio, receipt, tmp_path)
    shorter = tmp_path / "shorter.mp4"
    encode_video(shorter, list(decoded(video))[:2], 16)
    other = await recorded_elsewhere(studio, receipt, shorter)
    comparison = comparison_of(await reproduced(studio, other))
    assert (comparison.verdict, comparison.frames, comparison.other_frames) == (Verdict.DIFFERENT, 2, 3)
    async with studio.db.transaction() as conn:
        lost = await receipt_sql.get_receipt(conn, other)
    studio.store.remove(lost.document["outputs"]["video"]["digest"])
    comparison = comparison_of(await reproduced(studio, other))
    assert (comparison.verdict, comparison.psnr_db) == (Verdict.DIFFERENT, ())
    assert "gone" in comparison.why
    # The digest of the frames still proves equality without the bytes.
    studio.store.remove(receipt.document["outputs"]["video"]["digest"])
    assert (await reproduced(studio, receipt.id)).verdict is Verdict.IDENTICAL


async def test_bytes_that_are_gone_are_refused_before_anything_runs(studio: Studio) -> None:
    (segment,) = await studio.shoot("A", 1)
    receipt = await receipt_of(studio, segment)
    lora = next(line for line in receipt.document["inputs"] if line["role"] == "lora")
    studio.store.remove(lora["digest"])
    with pytest.raises(Conflict, match=r"lora rain v1 are gone") as refused:
        await ask(studio, receipt.id)
    assert refused.value.code == "bytes_gone"
    assert refused.value.hint
    async with studio.db.transaction() as conn:
        assert await rows(conn, "SELECT id FROM reproductions") == []
        assert not await plan_sql.is_any_running(conn)
    # With the file restored the receipt can be run.
    await studio.upload(Kind.LORA, "rain", "rain_v1.safetensors")
    assert (await reproduced(studio, receipt.id)).verdict is Verdict.IDENTICAL


async def test_a_receipt_that_cannot_be_run_again_is_refused_with_the_reason(studio: Studio) -> None:
    (segment,) = await studio.shoot("A", 1)
    receipt = await receipt_of(studio, segment)
    assert receipt.segment_id is not None

    async def recorded(claim: Claim, outputs: dict[str, Output]) -> int:
        async with studio.db.transaction() as conn:
            take = await record.record_take(conn, segment, claim, Parts(outputs), studio.actor, select=False)
        return take.receipt.id

    video = Output.model_validate(receipt.document["outputs"]["video"])
    workflow = ClaimInput.model_validate({"role": "workflow", "asset": studio.assets["walk"], "version": 1})
    nameless = ClaimInput.model_validate({"role": "lora", "asset": studio.assets["rain"]})
    sketch = ClaimEngine(name="sketch")
    cases = [
        (Claim(engine=ClaimEngine(name="diffusers"), inputs=(workflow,), parameters=PARAMETERS), "no_such_engine"),
        (Claim(engine=sketch, inputs=(), parameters=PARAMETERS), "nothing_to_run"),
        (Claim(engine=sketch, inputs=(workflow, nameless), parameters=PARAMETERS), "input_unknown"),
    ]
    for claim, code in cases:
        with pytest.raises(Conflict) as refused:
            await ask(studio, await recorded(claim, {"video": video}))
        assert refused.value.code == code
    with pytest.raises(Conflict) as refused:
        await ask(studio, await recorded(Claim(engine=sketch, inputs=(workflow,), parameters=PARAMETERS), {}))
    assert refused.value.code == "nothing_to_compare"
    with pytest.raises(NotFound):
        await ask(studio, 10**9)


async def test_a_receipt_is_not_reproduced_twice_at_a_time(studio: Studio) -> None:
    (segment,) = await studio.shoot("A", 1)
    receipt = await receipt_of(studio, segment)
    queued = await ask(studio, receipt.id)
    with pytest.raises(Conflict, match=f"reproduction {queued.id}") as refused:
        await ask(studio, receipt.id)
    assert refused.value.code == "under_way"
    async with studio.db.transaction() as conn:
        assert await plan_sql.is_any_running(conn), "a server does not end meanwhile"
    await studio.work()
    assert (await reproduced(studio, receipt.id)).id > queued.id
    async with studio.db.transaction() as conn:
        listed = await reproduce_sql.reproductions_of(conn, receipt.id)
    assert [reproduction.verdict for reproduction in listed.items] == [Verdict.IDENTICAL] * 2
    assert [reproduction.id for reproduction in listed.items] == sorted(
        (reproduction.id for reproduction in listed.items), reverse=True
    )


async def test_a_file_that_changed_in_place_fails_the_reproduction_with_the_reason(
    studio: Studio, tmp_path: Path
) -> None:
    (segment,) = await studio.shoot("A", 1)
    receipt = await receipt_of(studio, segment)
    queued = await ask(studio, receipt.id)
    lora = next(line for line in receipt.document["inputs"] if line["role"] == "lora")
    studio.store.remove(lora["digest"])  # after it was queued, before it runs
    await studio.work()
    done = await read(studio, queued)
    assert (done.state, done.verdict, done.result) == (ReproductionState.FAILED, None, None)
    assert done.error is not None and done.error.code == "bytes_gone"


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("claimed", marks=pytest.mark.long),
        pytest.param("rendering", marks=pytest.mark.long),
        "stored",
        pytest.param("recording", marks=pytest.mark.long),
        pytest.param("recorded", marks=pytest.mark.long),
    ],
)
async def test_a_killed_worker_is_replaced_by_another(studio: Studio, tmp_path: Path, point: str) -> None:
    (segment,) = await studio.shoot("A", 1)
    queued = await ask(studio, (await receipt_of(studio, segment)).id)
    async with worker(studio, tmp_path, "--die-at", point) as dying:
        assert await asyncio.wait_for(dying.wait(), 60) == -signal.SIGKILL

    async def is_done() -> bool:
        return (await read(studio, queued)).state is ReproductionState.SUCCEEDED

    async def queue_is_empty() -> bool:
        return await jobs(studio) == 0

    async with worker(studio, tmp_path):
        await until(is_done)
        await until(queue_is_empty)
    done = await read(studio, queued)
    assert (done.verdict, done.attempt) == (Verdict.IDENTICAL, 1 if point == "recorded" else 2)


@pytest.mark.long
async def test_a_worker_that_ends_gives_the_reproduction_back(studio: Studio, tmp_path: Path) -> None:
    (segment,) = await studio.shoot("A", 1, **SLOW)
    queued = await ask(studio, (await receipt_of(studio, segment)).id)

    async def is_rendering() -> bool:
        return (await read(studio, queued)).progress > 0

    async with worker(studio, tmp_path, "--grace-s", "0.1") as ending:
        await until(is_rendering)
        ending.terminate()
        assert await asyncio.wait_for(ending.wait(), 60) == 0
    given_back = await read(studio, queued)
    assert (given_back.state, given_back.worker) == (ReproductionState.QUEUED, None)

    async def is_done() -> bool:
        return (await read(studio, queued)).verdict is Verdict.IDENTICAL

    async with worker(studio, tmp_path):
        await until(is_done)
