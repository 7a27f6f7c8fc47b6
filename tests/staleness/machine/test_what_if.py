"""Cases that random histories seldom reach: files that no version has, takes that lack evidence, and waivers."""

import pytest
from tests.staleness.machine.compare import compare, compare_impact
from tests.staleness.machine.conftest import FIRST
from tests.staleness.machine.studio import ACTOR, Studio

from genlock.db.connection import rows
from genlock.staleness import waivers
from genlock.staleness.model import CHAIN, Impact, NewWaiver, State
from genlock.staleness.places_sql import states_of


async def _what_if(studio: Studio, version: int = 2) -> Impact:
    async with studio.db.transaction() as conn:
        return await compare_impact(conn, await compare(conn), studio.assets["rain"], version)


async def test_an_unmatched_group_expects_the_version_to_be_activated(unmatched: Studio) -> None:
    predicted = await _what_if(unmatched)
    assert [group.expected for group in predicted.projects[0].groups if group.kind == "unmatched"] == [2]
    assert await unmatched.activate(unmatched.assets["rain"], 2) == predicted


async def test_an_unmatched_file_is_in_the_what_if_without_other_changes(unmatched: Studio) -> None:
    for segment_id in range(2, 9):
        await unmatched.record(segment_id, versions={**FIRST, "rain": 2}, continues=True)
    predicted = await _what_if(unmatched)
    assert await unmatched.activate(unmatched.assets["rain"], 2) == predicted


async def test_a_waiver_of_an_unmatched_file_ends(unmatched: Studio) -> None:
    async with unmatched.db.transaction() as conn:
        new = NewWaiver(asset_id=unmatched.assets["rain"], reason="good enough", segment_ids=(1,))
        await waivers.waive(conn, new, ACTOR)
    predicted = await _what_if(unmatched)
    assert predicted.segments.becomes_stale > 0
    assert await unmatched.activate(unmatched.assets["rain"], 2) == predicted


async def test_a_take_that_lacks_evidence_does_not_become_fresh(studio: Studio) -> None:
    await studio.record(3, versions=FIRST, continues=True, complete=False)
    await studio.activate(studio.assets["rain"], 2)
    predicted = await _what_if(studio, 1)
    assert 0 < predicted.segments.becomes_fresh < 8
    assert await studio.activate(studio.assets["rain"], 1) == predicted


async def test_a_waived_segment_becomes_fresh(studio: Studio) -> None:
    await studio.activate(studio.assets["rain"], 2)
    async with studio.db.transaction() as conn:
        await waivers.waive(conn, NewWaiver(asset_id=studio.assets["rain"], reason="good", segment_ids=(1,)), ACTOR)
    predicted = await _what_if(studio, 1)
    assert predicted.segments.becomes_fresh == 8
    assert await studio.activate(studio.assets["rain"], 1) == predicted


async def test_a_waiver_accepts_the_nearest_root_of_a_chain(unmatched: Studio) -> None:
    await unmatched.record(2, versions=FIRST, continues=True, unknown_lora="c")
    await unmatched.record(3, versions=FIRST, continues=True)
    async with unmatched.db.transaction() as conn:
        new = NewWaiver(asset_id=unmatched.assets["rain"], reason="good enough", segment_ids=(3,))
        (only,) = (await waivers.waive(conn, new, ACTOR)).items
        used = await rows(
            conn,
            "SELECT digest_text(c.digest) AS digest FROM selected_takes t JOIN receipt_inputs i"
            " ON i.receipt_id = t.receipt_id JOIN contents c ON c.id = i.content_id"
            " WHERE t.segment_id = 2 AND i.role = 'lora'",
        )
    assert [row["digest"] for row in used] == [only.used_digest]
    await _what_if(unmatched)


@pytest.mark.parametrize("accepted", [2, 5])
async def test_a_waiver_accepts_one_of_two_broken_links(studio: Studio, accepted: int) -> None:
    """Segments 2 and 5 continue the earlier takes of 1 and 4."""
    for segment_id in (1, 4):
        await studio.record(segment_id, versions=FIRST, continues=False)
    async with studio.db.transaction() as conn:
        await waivers.waive(conn, NewWaiver(asset_id=CHAIN, segment_ids=(accepted,), reason="it fits"), ACTOR)
        await compare(conn)
        states = await states_of(conn, [2, 5])
    assert states == {number: State.WAIVED if number == accepted else State.STALE for number in (2, 5)}
