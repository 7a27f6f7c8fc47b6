"""What making a version active does, or would do: two worlds side by side, nothing written."""

from collections.abc import Mapping, Sequence
from typing import Any

from genlock.db.connection import Conn
from genlock.events import log
from genlock.library import sql as library_sql
from genlock.library.model import Added, Outcome
from genlock.model import Actor, Role
from genlock.staleness import impact_sql, moves_sql, outdated_sql
from genlock.staleness.model import Impact, ProjectImpact, SegmentChanges
from genlock.staleness.moves import Moved
from genlock.staleness.moves_sql import Untold
from genlock.staleness.outdated import Outdated, outdated

_NOTHING = SegmentChanges(becomes_stale=0, becomes_fresh=0)


async def impact(conn: Conn, asset_id: int, version: int) -> Impact:
    """What would follow if ``version`` were made active. ``NotFound`` when there is no such version."""
    await library_sql.get_version(conn, asset_id, version)
    asset = await library_sql.get_asset(conn, asset_id)
    return await between(conn, asset_id, asset.active_version or version, version)


async def between(conn: Conn, asset_id: int, before: int, after: int, *, declared: int | None = None) -> Impact:
    """What the move of an asset's active version from ``before`` to ``after`` means for every project it changes.

    ``declared`` is a derivation that came with the move, or alone where both are the same: before, there was none.
    """
    affected = await outdated_sql.load_affected(conn, [asset_id])
    was, will_be = (
        outdated(lineage.activated(asset_id, number), affected.scopes, affected.assets)
        for lineage, number in ((affected.lineage.without(declared), before), (affected.lineage, after))
    )
    moved = {one.content_id for one in set(was) ^ set(will_be)}
    # What no version has is told of by the version that is expected, which only a move changes.
    unmatched_of = asset_id if before != after else None
    projects = await impact_sql.projects_using(conn, sorted(moved), unmatched_of) if moved or unmatched_of else []
    if not projects:
        return Impact(segments=_NOTHING, projects=())
    worlds = (
        {**_arrays(affected.assets, world), "activated": [asset_id], "activated_numbers": [number]}
        for number, world in ((before, was), (after, will_be))
    )
    changes = await impact_sql.changes(conn, projects, *worlds)
    return Impact(
        segments=SegmentChanges(
            becomes_stale=sum(change.segments.becomes_stale for change in changes.values()),
            becomes_fresh=sum(change.segments.becomes_fresh for change in changes.values()),
        ),
        projects=tuple(
            ProjectImpact.model_construct(
                project_id=project_id,
                segments=changes[project_id].segments,
                totals=changes[project_id].after.totals,
                groups=changes[project_id].after.groups,
            )
            for project_id in projects
        ),
    )


async def tell_left_over(conn: Conn, older_than_s: float) -> None:
    """Tell of activations that nobody told of, although they were committed so long ago: a crash came between."""
    for one in await moves_sql.take_untold(conn, older_than_s=older_than_s):
        await _tell_of(conn, one, await between(conn, one.asset_id, one.from_version, one.to_version))


async def tell_moved(conn: Conn, moved: Moved | None, *, declared: int | None = None) -> Impact:
    """The report of a move that was committed, if there was one, with its events: one per project, exactly once.

    ``declared`` is a derivation that came with the move.
    """
    if moved is None or moved.activation_id is None or moved.previous is None:
        return Impact(segments=_NOTHING, projects=())
    owed = await moves_sql.take_untold(conn, moved.activation_id)  # nothing, for whom comes after ``tell_left_over``
    told = await between(conn, moved.asset_id, moved.previous, moved.active, declared=declared)
    for one in owed:
        await _tell_of(conn, one, told)
    return told


async def tell_added(conn: Conn, added: Added, moved: Moved | None, actor: Actor) -> Impact:
    """The report of an upload that was committed, with its events: of its activation, and of what it was declared of.

    A new content that nobody used before changes nothing by its derivation; one that is in use may (example 7).
    """
    declared = None if added.outcome is Outcome.CREATED else added.derivation_id
    if declared is None or (moved is not None and moved.activation_id is not None):
        return await tell_moved(conn, moved, declared=declared)
    asset_id = added.version.asset_id
    active = (await library_sql.get_asset(conn, asset_id)).active_version or added.version.number
    told = await between(conn, asset_id, active, active, declared=declared)
    await _append(conn, told, asset_id, actor, {"derivation": declared, "version": added.version.number})
    return told


async def _tell_of(conn: Conn, one: Untold, told: Impact) -> None:
    actor = Actor(token_id=None, name=one.actor, role=Role.CREATOR)
    said = {"activation": one.activation_id, "from": one.from_version, "to": one.to_version}
    await _append(conn, told, one.asset_id, actor, said)


async def _append(conn: Conn, told: Impact, asset_id: int, actor: Actor, said: Mapping[str, int]) -> None:
    for project in told.projects:
        for verb, count in (
            ("staleness.detected", project.segments.becomes_stale),
            ("staleness.resolved", project.segments.becomes_fresh),
        ):
            if count:
                await log.append(
                    conn,
                    verb,
                    actor,
                    project_id=project.project_id,
                    subject=f"asset/{asset_id}",
                    data={
                        **said,
                        "segments": count,
                        "totals": project.totals.model_dump(),
                        "sentences": [group.sentence for group in project.groups],
                    },
                )


def _arrays(assets: frozenset[int], world: Sequence[Outdated]) -> Mapping[str, Any]:
    return {**outdated_sql.as_arrays(world), "replaced": sorted(assets)}
