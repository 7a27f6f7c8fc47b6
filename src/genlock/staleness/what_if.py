"""The impact, actual or hypothetical, of activating a version: one present judged in two worlds. Writes only events.

affected versions before and after ─▶ the projects that use those that differ ─▶ judge both ─▶ changes, reports
"""

from collections.abc import Mapping

from genlock.db.connection import Conn
from genlock.db.pages import decode_cursor
from genlock.errors import Invalid
from genlock.events import log
from genlock.library import sql as library_sql
from genlock.library.model import Added, Outcome
from genlock.model import Actor, Role
from genlock.staleness import activation_sql, outdated_versions_sql, what_if_sql
from genlock.staleness.activation import ActiveChange
from genlock.staleness.activation_sql import PendingActivation
from genlock.staleness.judge import judge
from genlock.staleness.model import Impact, ProjectImpact, SegmentChanges
from genlock.staleness.outdated_versions import outdated, unmatched
from genlock.staleness.present import AFTER, BEFORE
from genlock.staleness.present_sql import Instead, load_projects
from genlock.staleness.report import count_groups
from genlock.staleness.tally import changes

_GROUPS = 100
_NO_CHANGES = SegmentChanges(becomes_stale=0, becomes_unknown=0, becomes_fresh=0)
_NO_IMPACT = Impact(segments=_NO_CHANGES, projects=())


async def impact(
    conn: Conn,
    asset_id: int,
    version: int,
    *,
    project_id: int | None = None,
    after: str | None = None,
    limit: int = _GROUPS,
) -> Impact:
    """Return what making ``version`` active would change, in every project or in one.

    The groups of one project come in pages. Raise ``NotFound`` when there is no such version.
    """
    decode_cursor(after, int, str)
    if after is not None and project_id is None:
        raise Invalid("A cursor continues the groups of one project.", hint="Send `project_id` with `cursor`.")
    await library_sql.get_version(conn, asset_id, version)
    asset = await library_sql.get_asset(conn, asset_id)
    return await compare(
        conn, asset_id, asset.active_version or version, version, project_id=project_id, after=after, limit=limit
    )


async def compare(
    conn: Conn,
    asset_id: int,
    before: int,
    after_version: int,
    *,
    declared: int | None = None,
    project_id: int | None = None,
    after: str | None = None,
    limit: int = _GROUPS,
) -> Impact:
    """Return what a change of an asset's active version means for every project that it concerns.

    ``declared`` is a derivation that was added with the change, or alone where both versions are the same.
    """
    affected = await outdated_versions_sql.load_affected(conn, [asset_id])
    lineage = affected.lineage
    worlds = [
        frozenset(outdated(world, affected.scopes, affected.assets))
        | frozenset(unmatched(world, affected.scopes, affected.unmatched))
        for world in (lineage.without(declared).activated(asset_id, before), lineage.activated(asset_id, after_version))
    ]
    changed = {row.content_id for row in worlds[0] ^ worlds[1]}
    projects = await what_if_sql.projects_using(conn, sorted(changed)) if changed else []
    if project_id is not None:
        projects = [number for number in projects if number == project_id]
    if not projects:
        return _NO_IMPACT
    present = (await load_projects(conn, projects, Instead(affected.assets, *worlds))).present
    judged = judge(present, AFTER)
    by_project = changes(judge(present, BEFORE), judged)
    counted = await count_groups(conn, projects, judged, after=after, limit=limit)
    return Impact(
        segments=SegmentChanges(
            becomes_stale=sum(change.becomes_stale for change in by_project.values()),
            becomes_unknown=sum(change.becomes_unknown for change in by_project.values()),
            becomes_fresh=sum(change.becomes_fresh for change in by_project.values()),
        ),
        projects=tuple(
            ProjectImpact.model_construct(
                project_id=number,
                segments=by_project.get(number, _NO_CHANGES),
                totals=counted[number].totals,
                groups=counted[number].groups,
                next=counted[number].next,
                total=counted[number].total,
            )
            for number in projects
        ),
    )


async def publish_pending(conn: Conn, older_than_s: float) -> None:
    """Publish the events of activations that were committed and, after a crash, never published."""
    for pending in await activation_sql.take_pending(conn, older_than_s=older_than_s):
        await _publish(conn, pending, await compare(conn, pending.asset_id, pending.from_version, pending.to_version))


async def publish_change(conn: Conn, change: ActiveChange | None, *, declared: int | None = None) -> Impact:
    """Return the impact of a committed activation and publish its events: one per project, exactly once.

    ``declared`` is a derivation that was added with it.
    """
    if change is None or change.activation_id is None or change.previous is None:
        return _NO_IMPACT
    taken = await activation_sql.take_pending(conn, change.activation_id)  # none if ``publish_pending`` was first
    result = await compare(conn, change.asset_id, change.previous, change.active, declared=declared)
    for pending in taken:
        await _publish(conn, pending, result)
    return result


async def publish_added(conn: Conn, added: Added, change: ActiveChange | None, actor: Actor) -> Impact:
    """Return the impact of a committed upload and publish its events: those of its activation or of its derivation.

    The derivation of a new content that nothing used before changes nothing; one that is in use may (example 7).
    """
    declared = None if added.outcome is Outcome.CREATED else added.derivation_id
    if declared is None or (change is not None and change.activation_id is not None):
        return await publish_change(conn, change, declared=declared)
    asset_id = added.version.asset_id
    active = (await library_sql.get_asset(conn, asset_id)).active_version or added.version.number
    result = await compare(conn, asset_id, active, active, declared=declared)
    await _append(conn, result, asset_id, actor, {"derivation": declared, "version": added.version.number})
    return result


async def _publish(conn: Conn, pending: PendingActivation, result: Impact) -> None:
    actor = Actor(token_id=None, name=pending.actor, role=Role.CREATOR)
    details = {"activation": pending.activation_id, "from": pending.from_version, "to": pending.to_version}
    await _append(conn, result, pending.asset_id, actor, details)


async def _append(conn: Conn, result: Impact, asset_id: int, actor: Actor, details: Mapping[str, int]) -> None:
    """Append the events of a change. They carry counts and where the report is, however many groups it has."""
    for project in result.projects:
        for verb, segments in (
            ("staleness.detected", project.segments.becomes_stale),
            ("staleness.unknown", project.segments.becomes_unknown),
            ("staleness.resolved", project.segments.becomes_fresh),
        ):
            if segments:
                await log.append(
                    conn,
                    verb,
                    actor,
                    project_id=project.project_id,
                    subject=f"asset/{asset_id}",
                    data={
                        **details,
                        "segments": segments,
                        "totals": project.totals.model_dump(),
                        "groups": project.total,
                        "report": f"/api/v1/projects/{project.project_id}/staleness-report",
                    },
                )
