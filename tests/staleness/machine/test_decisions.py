"""A cause says since when it holds, and who decided it: by a pin, an activation, a selection or a recording."""

import pytest
from tests.staleness.machine.conftest import FIRST
from tests.staleness.machine.studio import ACTOR, Studio

from genlock.db.connection import rows
from genlock.model import Actor, Role
from genlock.staleness import activation
from genlock.staleness.explanation import causes_of
from genlock.staleness.model import Cause
from genlock.staleness.places_sql import judge_segments
from genlock.takes import editing
from genlock.timeline.model import NewPin

CLIENT, DIRECTOR = (Actor(token_id=None, name=name, role=Role.ADMIN) for name in ("client", "director"))


async def _cause(studio: Studio, segment_id: int) -> Cause:
    async with studio.db.transaction() as conn:
        (cause,) = (await causes_of(conn, await judge_segments(conn, [segment_id]), [segment_id]))[segment_id]
    return cause


async def _pin(studio: Studio, scene_id: int | None, version: int, actor: Actor) -> None:
    async with studio.db.transaction() as conn:
        new = NewPin(version=version, reason="the client likes it")
        await activation.pin(conn, studio.projects[0], scene_id, studio.assets["rain"], new, actor)


async def _at(studio: Studio, query: str, **parameters: int) -> object:
    async with studio.db.transaction() as conn:
        (row,) = await rows(conn, query, **parameters)  # pyright: ignore[reportArgumentType]
    return row["at"]


@pytest.mark.parametrize("scene_first", [True, False])
async def test_the_pin_of_a_scene_decides_though_its_project_has_one(studio: Studio, scene_first: bool) -> None:
    """Segments 1 to 3 are in the first scene, 4 to 6 in the second."""
    pins = [(studio.scenes[0], 2, DIRECTOR), (None, 1, CLIENT)]
    for scene_id, version, actor in pins if scene_first else pins[::-1]:
        await _pin(studio, scene_id, version, actor)
    cause = await _cause(studio, 1)
    assert (cause.root.used, cause.root.expected, cause.moved_by) == (1, 2, "director")
    query = "SELECT created_at AS at FROM pins WHERE scene_id = %(scene)s"
    assert cause.since == await _at(studio, query, scene=studio.scenes[0])


async def test_the_pin_of_a_project_decides_where_a_scene_has_one_of_another_asset(studio: Studio) -> None:
    async with studio.db.transaction() as conn:
        new = NewPin(version=1, reason="it stays")
        await activation.pin(conn, studio.projects[0], studio.scenes[0], studio.assets["walk"], new, DIRECTOR)
    await _pin(studio, None, 2, CLIENT)
    assert (await _cause(studio, 1)).moved_by == "client"
    assert (await _cause(studio, 4)).moved_by == "client"


async def test_an_activation_decides_where_nothing_is_pinned(studio: Studio) -> None:
    async with studio.db.transaction() as conn:
        await activation.activate(conn, studio.assets["rain"], 2, DIRECTOR)
    cause = await _cause(studio, 7)
    assert (cause.root.expected, cause.moved_by) == (2, "director")
    query = "SELECT at FROM activations WHERE asset_id = %(asset)s ORDER BY id DESC LIMIT 1"
    assert cause.since == await _at(studio, query, asset=studio.assets["rain"])


async def test_a_selection_decides_that_a_frame_no_longer_fits(studio: Studio) -> None:
    await studio.record(7, versions=FIRST, continues=False, select=False)
    async with studio.db.transaction() as conn:
        await editing.select_take(conn, 7, 2, DIRECTOR)
    cause = await _cause(studio, 8)
    assert (cause.root.kind, cause.moved_by) == ("chain", "director")
    query = "SELECT at FROM selections WHERE segment_id = %(segment)s ORDER BY id DESC LIMIT 1"
    assert cause.since == await _at(studio, query, segment=7)


async def test_a_file_that_no_version_has_is_out_of_date_since_it_was_recorded(unmatched: Studio) -> None:
    cause = await _cause(unmatched, 1)
    assert (cause.root.kind, cause.moved_by) == ("unmatched", ACTOR.name)
    query = """
        SELECT r.recorded_at AS at FROM selected_takes t JOIN receipts r ON r.id = t.receipt_id
         WHERE t.segment_id = %(segment)s
        """
    assert cause.since == await _at(unmatched, query, segment=1)
