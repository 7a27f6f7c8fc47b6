"""Queries of waivers."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from genlock.db.connection import Conn, execute, many, rows, scalar, single
from genlock.db.pages import decode_key, page_of
from genlock.errors import Invalid, NotFound
from genlock.model import Actor, Page
from genlock.staleness.model import Waiver

_RETURNED = 500
"""How many new waivers are returned."""


class Acceptable(NamedTuple):
    """A cause of a segment that can be waived, by the digests that its waiver is bound to."""

    segment_id: int
    used: bytes
    expected: bytes


async def project_of(
    conn: Conn, segment_ids: Sequence[int] | None, scene_id: int | None, project_id: int | None
) -> int:
    """Return the one project of segments, a scene or a project. Raise ``NotFound`` when one does not exist."""
    projects = await scalar(
        conn,
        """
        SELECT array_agg(project_id)
          FROM (SELECT project_id, id FROM segments WHERE id = ANY(%(segments)s::bigint[])
                 UNION ALL SELECT project_id, id FROM scenes WHERE id = %(scene_id)s
                 UNION ALL SELECT id, id FROM projects WHERE id = %(project_id)s) AS named
        """,
        segments=list(segment_ids or ()),
        scene_id=scene_id,
        project_id=project_id,
    )
    expected = len(set(segment_ids)) if segment_ids is not None else 1
    if len(projects or ()) != expected:
        raise NotFound("A segment, scene or project to waive does not exist.", hint="Check the ids.")
    if len(set(projects)) != 1:
        raise Invalid("The segments belong to several projects.", hint="Waive one project at a time.")
    return projects[0]


async def insert(
    conn: Conn,
    project_id: int,
    asset_id: int | None,
    acceptable: Sequence[Acceptable],
    reason: str,
    expires_at: datetime | None,
    actor: Actor,
) -> Page[Waiver]:
    """Insert waivers, and return the first of them by segment with the total."""
    added = await rows(
        conn,
        """
        WITH added AS (
            INSERT INTO waivers (project_id, segment_id, asset_id, used_digest, expected_digest, reason, expires_at,
                                 created_by)
            SELECT %(project_id)s, segment_id, %(asset_id)s, used, expected, %(reason)s, %(expires_at)s, %(actor)s
              FROM unnest(%(segments)s::bigint[], %(used)s::bytea[], %(expected)s::bytea[])
                   AS c (segment_id, used, expected)
             ORDER BY segment_id, used
            RETURNING *
        )
        SELECT id, project_id, segment_id, asset_id, digest_text(used_digest) AS used_digest,
               digest_text(expected_digest) AS expected_digest, reason, created_by, created_at, expires_at, withdrawn_at
          FROM added
         ORDER BY segment_id, id
         LIMIT %(limit)s
        """,
        project_id=project_id,
        asset_id=asset_id,
        reason=reason,
        expires_at=expires_at,
        actor=actor.name,
        segments=[row.segment_id for row in acceptable],
        used=[row.used for row in acceptable],
        expected=[row.expected for row in acceptable],
        limit=_RETURNED,
    )
    return Page(items=tuple(Waiver.model_validate(row) for row in added), total=len(acceptable))


async def get(conn: Conn, waiver_id: int) -> Waiver:
    """Return a waiver by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Waiver,
        NotFound(f"There is no waiver {waiver_id}.", hint="`genlock waivers` lists the waivers of a project."),
        """
        SELECT id, project_id, segment_id, asset_id, digest_text(used_digest) AS used_digest,
               digest_text(expected_digest) AS expected_digest, reason, created_by, created_at, expires_at, withdrawn_at
          FROM waivers
         WHERE id = %(id)s
        """,
        id=waiver_id,
    )


async def withdraw(conn: Conn, waiver_id: int, actor: Actor) -> None:
    """Mark a waiver as withdrawn."""
    await execute(
        conn,
        "UPDATE waivers SET withdrawn_at = now(), withdrawn_by = %(actor)s WHERE id = %(id)s AND withdrawn_at IS NULL",
        id=waiver_id,
        actor=actor.name,
    )


async def waivers_of(conn: Conn, project_id: int, *, after: str | None = None, limit: int = 100) -> Page[Waiver]:
    """Return a project's waivers, newest first, withdrawn and expired ones included, with the exact total."""
    waivers = await many(
        conn,
        Waiver,
        """
        SELECT id, project_id, segment_id, asset_id, digest_text(used_digest) AS used_digest,
               digest_text(expected_digest) AS expected_digest, reason, created_by, created_at, expires_at, withdrawn_at
          FROM waivers
         WHERE project_id = %(project_id)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        project_id=project_id,
        before=decode_key(after),
        limit=limit,
    )
    total = await scalar(conn, "SELECT count(*) FROM waivers WHERE project_id = %(id)s", id=project_id)
    return page_of(waivers, limit, lambda last: (last.id,), total=total)
