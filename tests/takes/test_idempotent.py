"""The same claim for the same segment is recorded once, by any sender and any number of times."""

import subprocess
import sys

from tests.takes.stage import ADA, VARIANT, Stage, arriving, set_the_stage, whole

from genlock.db.connection import Database, rows, scalar
from genlock.takes.claim import Claim
from genlock.takes.record import record_takes

HISTORY = """
    SELECT (SELECT count(*) FROM takes) AS takes, (SELECT count(*) FROM receipts) AS receipts,
           (SELECT count(*) FROM receipt_inputs) AS inputs, (SELECT count(*) FROM events) AS events,
           (SELECT count(*) FROM selections) AS selections, (SELECT count(*) FROM usage_deltas) AS deltas
"""


async def test_a_repeated_claim_writes_nothing(stage: Stage) -> None:
    first = await stage.record(stage.segments[0], whole())
    before = await rows(stage.conn, HISTORY)
    again = await stage.record(stage.segments[0], whole())
    assert again == first.model_copy(update={"created": False})
    assert await rows(stage.conn, HISTORY) == before


async def test_a_repeated_claim_selects_nothing(stage: Stage) -> None:
    await stage.record(stage.segments[0], whole(), {"video": "1"})
    second = await stage.record(stage.segments[0], whole(), {"video": "2"})
    await stage.record(stage.segments[0], whole(), {"video": "1"})
    assert await stage.ask("SELECT take_id FROM selected_takes") == second.take_id


async def test_another_part_is_another_claim(stage: Stage) -> None:
    first = await stage.record(stage.segments[0], whole(), {"video": "1"})
    second = await stage.record(stage.segments[0], whole(), {"video": "2"})
    assert (first.take, second.take) == (1, 2)


async def test_a_claim_for_another_segment_is_another_take(stage: Stage) -> None:
    first, second = [await stage.record(segment, whole(), {"video": "1"}) for segment in stage.segments[:2]]
    assert first.take_id != second.take_id


async def test_equal_numbers_in_another_notation_are_the_same_claim(stage: Stage) -> None:
    first = await stage.record(stage.segments[0], whole(parameters={"cfg": 4}))
    again = await stage.record(stage.segments[0], whole(parameters={"cfg": 4.0}))
    assert (again.take_id, again.created) == (first.take_id, False)


async def test_twice_in_one_batch_is_one_take(stage: Stage) -> None:
    first, second, again = await stage.record_all(
        [(stage.segments[0], whole(), None), (stage.segments[1], whole(), None), (stage.segments[0], whole(), None)]
    )
    assert first == again and second.take_id != first.take_id
    assert await stage.ask("SELECT count(*) FROM takes") == 2


async def test_a_batch_may_repeat_recorded_claims(stage: Stage) -> None:
    before = await stage.record(stage.segments[0], whole())
    again, new = await stage.record_all([(stage.segments[0], whole(), None), (stage.segments[1], whole(), None)])
    assert (again.take_id, again.created, new.created) == (before.take_id, False, True)


async def test_a_batch_records_a_thousand_claims_with_chains(stage: Stage) -> None:
    claims: list[tuple[int, Claim, None]] = []
    for number in range(250):
        _, segments = await stage.another_scene(f"scene {number}", 4)
        for position, segment in enumerate(segments):
            frame = {"role": "seed_frame", "take": None, "digest": arriving_frame(segments[position - 1])}
            claims.append((segment, whole(frame if position else VARIANT), None))
    recorded = await stage.record_all(claims)
    assert (len(recorded), len({take.take_id for take in recorded})) == (1000, 1000)
    assert await stage.ask("SELECT count(*) FROM runs WHERE length = 4 AND unknown_from IS NULL") == 250
    assert await stage.ask("SELECT count(*) FROM broken_links") == 0
    assert await stage.ask("SELECT count(*) FROM selected_takes WHERE via_judged") == 250


def arriving_frame(segment: int) -> str:
    """Return the digest of the last frame of a segment's take."""
    return arriving(segment, whole()).parts.outputs["last_frame"].digest


PROGRAM = """
import asyncio, sys
from genlock.db.connection import Database
from genlock.takes.claim import Claim
from genlock.takes.record import record_takes
from tests.takes.stage import ADA, arriving, whole

async def main():
    db = Database(sys.argv[1])
    await db.open()
    print("ready", flush=True)
    sys.stdin.readline()
    async with db.transaction() as conn:
        (made,) = await record_takes(conn, [arriving(int(sys.argv[2]), whole(), {"video": sys.argv[3]})], ADA)
    print(made.take_id, made.receipt_id, made.created, flush=True)
    await db.close()

asyncio.run(main())
"""


async def test_concurrent_processes_record_one_take(db: Database, database: str) -> None:
    async with db.transaction() as conn:
        stage = await set_the_stage(conn)
    for attempt in range(5):
        command = [sys.executable, "-c", PROGRAM, database, str(stage.segments[0]), str(attempt)]
        both = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
            for _ in range(2)
        ]
        for process in both:
            assert process.stdout and process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate()[0].split() for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert answers[0][:2] == answers[1][:2]
        assert sorted(answer[2] for answer in answers) == ["False", "True"]
        async with db.transaction() as conn:
            assert await scalar(conn, "SELECT count(*) FROM takes") == attempt + 1
            (recorded,) = await record_takes(conn, [arriving(stage.segments[0], whole(), {"video": str(attempt)})], ADA)
            assert not recorded.created
