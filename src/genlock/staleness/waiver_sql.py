"""The rows of waivers, and what could be waived."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from genlock.db.connection import Conn, execute, many, one, scalar
from genlock.db.pages import decode_key, page_of
from genlock.errors import Invalid, NotFound
from genlock.model import Actor, Model, Page
from genlock.staleness import causes_sql
from genlock.staleness.model import Waiver

_SELECT: LiteralString = """
        SELECT w.id, w.project_id, w.segment_id, w.asset_id, digest_text(w.used_digest) AS used_digest,
               digest_text(w.expected_digest) AS expected_digest, w.reason, w.created_by, w.created_at, w.expires_at,
               w.withdrawn_at
          FROM waivers w
"""

# A segment's cause with this asset as its root is bound to the digests of its nearest own cause: its own if it has
# one, else that of the last segment before it that has one.
_WAIVABLE: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_PROJECTS
    + """
, hit AS (
    SELECT t.segment_id, t.run_id, t.run_position, s.root_kind, s.root_asset, s.root_used, s.root_expected
      FROM spread s
      JOIN selected_takes t ON t.run_id = s.run_id AND t.run_position <@ s.cover
     WHERE (s.root_asset = %(asset_id)s OR (%(asset_id)s::bigint IS NULL AND s.root_kind = 2))
       AND (%(segments)s::bigint[] IS NULL OR t.segment_id = ANY(%(segments)s::bigint[]))
       AND (%(scene_id)s::bigint IS NULL OR t.scene_id = %(scene_id)s)
)
SELECT DISTINCT h.segment_id, near.used, near.expected
  FROM hit h
 CROSS JOIN LATERAL (
       SELECT o.used, o.expected, dense_rank() OVER (ORDER BY o.run_position DESC) AS nearest
         FROM bound o
        WHERE o.run_id = h.run_id AND o.run_position <= h.run_position AND o.root_kind = h.root_kind
          AND o.root_asset = h.root_asset AND o.root_used = h.root_used AND o.root_expected = h.root_expected) near
 WHERE near.nearest = 1
   AND NOT EXISTS (SELECT FROM waived_at w WHERE w.segment_id = h.segment_id AND w.root_asset = h.root_asset
                                             AND w.used = near.used AND w.expected = near.expected)
"""
)


class Waivable(Model):
    """A cause that a segment has, by the digests that a waiver of it is bound to."""

    segment_id: int
    used: bytes
    expected: bytes


async def project_of(
    conn: Conn, segment_ids: Sequence[int] | None, scene_id: int | None, project_id: int | None
) -> int:
    """The one project that segments, a scene or a project are in. ``NotFound`` when something is not there."""
    found = await scalar(
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
    wanted = len(set(segment_ids)) if segment_ids is not None else 1
    if len(found or ()) != wanted:
        raise NotFound("A segment, scene or project to waive does not exist.", hint="Check the ids.")
    if len(set(found)) != 1:
        raise Invalid("The segments belong to several projects.", hint="Waive one project at a time.")
    return found[0]


async def waivable(
    conn: Conn, project_id: int, segment_ids: Sequence[int] | None, scene_id: int | None, asset_id: int | None
) -> tuple[Waivable, ...]:
    """The causes with this asset (``None``: a chain link) as their root that segments have, not waived yet."""
    return await many(
        conn,
        Waivable,
        _WAIVABLE,
        projects=[project_id],
        runs=None,
        segments=None if segment_ids is None else list(segment_ids),
        scene_id=scene_id,
        asset_id=asset_id,
    )


async def insert(
    conn: Conn,
    project_id: int,
    asset_id: int | None,
    found: Sequence[Waivable],
    reason: str,
    expires_at: datetime | None,
    actor: Actor,
) -> tuple[Waiver, ...]:
    """Waivers for some causes."""
    return await many(
        conn,
        Waiver,
        """
        INSERT INTO waivers AS w (project_id, segment_id, asset_id, used_digest, expected_digest, reason, expires_at,
                                  created_by)
        SELECT %(project_id)s, segment_id, %(asset_id)s, used, expected, %(reason)s, %(expires_at)s, %(actor)s
          FROM unnest(%(segments)s::bigint[], %(used)s::bytea[], %(expected)s::bytea[])
               AS c (segment_id, used, expected)
         ORDER BY segment_id
        RETURNING w.id, w.project_id, w.segment_id, w.asset_id, digest_text(w.used_digest) AS used_digest,
                  digest_text(w.expected_digest) AS expected_digest, w.reason, w.created_by, w.created_at,
                  w.expires_at, w.withdrawn_at
        """,
        project_id=project_id,
        asset_id=asset_id,
        reason=reason,
        expires_at=expires_at,
        actor=actor.name,
        segments=[one.segment_id for one in found],
        used=[one.used for one in found],
        expected=[one.expected for one in found],
    )


async def get(conn: Conn, waiver_id: int) -> Waiver:
    """A waiver by id; ``NotFound`` when there is none."""
    missing = NotFound(f"There is no waiver {waiver_id}.", hint="`GET /projects/{id}/waivers` lists them.")
    return await one(conn, Waiver, missing, _SELECT + " WHERE w.id = %(id)s", id=waiver_id)


async def withdraw(conn: Conn, waiver_id: int, actor: Actor) -> None:
    """Mark a waiver as withdrawn."""
    await execute(
        conn,
        "UPDATE waivers SET withdrawn_at = now(), withdrawn_by = %(actor)s WHERE id = %(id)s AND withdrawn_at IS NULL",
        id=waiver_id,
        actor=actor.name,
    )


async def waivers_of(conn: Conn, project_id: int, *, after: str | None = None, limit: int = 100) -> Page[Waiver]:
    """A project's waivers, newest first, withdrawn and expired ones included."""
    found = await many(
        conn,
        Waiver,
        _SELECT
        + """
         WHERE w.project_id = %(project_id)s AND (%(before)s::bigint IS NULL OR w.id < %(before)s)
         ORDER BY w.id DESC
         LIMIT %(limit)s + 1
        """,
        project_id=project_id,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(found, limit, lambda last: (last.id,))
