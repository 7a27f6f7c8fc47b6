"""Queries of pins and their scopes."""

from collections.abc import Sequence
from typing import NamedTuple

from genlock.db.connection import Conn, SentQuery, ask, execute, many, scalar, single
from genlock.db.pages import decode_cursor, page_of
from genlock.errors import NotFound
from genlock.model import Actor, Page
from genlock.timeline.model import NewPin, Pin

MAX_SHOWN = 5
"""Number of pins returned with a segment; the others are on the pages of pins."""


class PinsOfScene(NamedTuple):
    """The first ``MAX_SHOWN`` pins that apply to a scene, those of its project first, and their total."""

    pins: tuple[Pin, ...]
    total: int


NO_PINS = PinsOfScene((), 0)


async def pins_of(
    conn: Conn,
    project_id: int,
    *,
    scene_id: int | None = None,
    asset_id: int | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Page[Pin]:
    """Return the pins of a project and its scenes, those of the project first, with the exact total.

    ``scene_id`` restricts them to those that apply to that scene, ``asset_id`` to those of that asset.
    """
    key = decode_cursor(after, int, int) or (-1, 0)
    filters = {"project_id": project_id, "scene_id": scene_id, "asset_id": asset_id}
    pins = await many(
        conn,
        Pin,
        """
        SELECT id, project_id, scene_id, asset_id, kind, name, version, active_version, reason, created_by, created_at
          FROM pin_details
         WHERE project_id = %(project_id)s
           AND (%(scene_id)s::bigint IS NULL OR scene_id IS NULL OR scene_id = %(scene_id)s)
           AND (%(asset_id)s::bigint IS NULL OR asset_id = %(asset_id)s)
           AND (coalesce(scene_id, 0), id) > (%(after_scene)s, %(after_id)s)
         ORDER BY coalesce(scene_id, 0), id
         LIMIT %(limit)s + 1
        """,
        **filters,
        after_scene=key[0],
        after_id=key[1],
        limit=limit,
    )
    total = await scalar(
        conn,
        """
        SELECT count(*)
          FROM pins
         WHERE project_id = %(project_id)s
           AND (%(scene_id)s::bigint IS NULL OR scene_id IS NULL OR scene_id = %(scene_id)s)
           AND (%(asset_id)s::bigint IS NULL OR asset_id = %(asset_id)s)
        """,
        **filters,
    )
    return page_of(pins, limit, lambda last: (last.scene_id or 0, last.id), total=total)


async def ask_pins(conn: Conn, segment_ids: Sequence[int]) -> SentQuery:
    """Send the query for the pins that apply to the scenes of some segments; for ``receive_pins``."""
    return await ask(
        conn,
        """
        SELECT s.id AS of_scene, applying.*
          FROM scenes s
         CROSS JOIN LATERAL (
               SELECT d.id, d.project_id, d.scene_id, d.asset_id, d.kind, d.name, d.version, d.active_version, d.reason,
                      d.created_by, d.created_at, count(*) OVER () AS total
                 FROM pin_details d
                WHERE d.project_id = s.project_id AND (d.scene_id IS NULL OR d.scene_id = s.id)
                ORDER BY d.scene_id NULLS FIRST, d.id
                LIMIT %(limit)s) applying
         WHERE s.id IN (SELECT scene_id FROM segments WHERE id = ANY(%(segments)s))
        """,
        segments=list(segment_ids),
        limit=MAX_SHOWN,
    )


async def receive_pins(query: SentQuery) -> dict[int, PinsOfScene]:
    """Return the pins of each scene that has any."""
    scenes: dict[int, PinsOfScene] = {}
    for row in await query.fetchall():
        scene_id, total = row.pop("of_scene"), row.pop("total")
        before = scenes.get(scene_id, NO_PINS)
        scenes[scene_id] = PinsOfScene((*before.pins, Pin.model_validate(row)), total)
    return scenes


async def put_pin(conn: Conn, project_id: int, scene_id: int | None, asset_id: int, new: NewPin, actor: Actor) -> int:
    """Pin an asset, replacing an earlier pin of it, and open the scope; return the pin's id."""
    return await scalar(
        conn,
        """
        WITH scope AS (
            INSERT INTO scopes (project_id, scene_id) VALUES (%(project_id)s, %(scene_id)s)
            ON CONFLICT ON CONSTRAINT scopes_unique DO NOTHING
        )
        INSERT INTO pins (project_id, scene_id, asset_id, number, reason, created_by)
        VALUES (%(project_id)s, %(scene_id)s, %(asset_id)s, %(number)s, %(reason)s, %(actor)s)
        ON CONFLICT ON CONSTRAINT pins_unique
        DO UPDATE SET number = excluded.number, reason = excluded.reason, created_by = excluded.created_by,
                      created_at = now()
        RETURNING id
        """,
        project_id=project_id,
        scene_id=scene_id,
        asset_id=asset_id,
        number=new.version,
        reason=new.reason,
        actor=actor.name,
    )


async def remove_pin(conn: Conn, project_id: int, scene_id: int | None, asset_id: int) -> bool:
    """Remove a pin; return whether it existed. A scope without pins remains until ``close_scope``."""
    removed = await execute(
        conn,
        """
        DELETE FROM pins
         WHERE project_id = %(project_id)s AND scene_id IS NOT DISTINCT FROM %(scene_id)s AND asset_id = %(asset_id)s
        """,
        project_id=project_id,
        scene_id=scene_id,
        asset_id=asset_id,
    )
    return removed > 0


async def get_pin(conn: Conn, pin_id: int) -> Pin:
    """Return a pin by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Pin,
        NotFound(f"There is no pin {pin_id}."),
        """
        SELECT id, project_id, scene_id, asset_id, kind, name, version, active_version, reason, created_by, created_at
          FROM pin_details
         WHERE id = %(id)s
        """,
        id=pin_id,
    )


async def close_scope(conn: Conn, project_id: int, scene_id: int | None) -> int | None:
    """Remove the scope of a project or scene if it has no pins; return its id."""
    return await scalar(
        conn,
        """
        DELETE FROM scopes s
         WHERE s.project_id = %(project_id)s AND s.scene_id IS NOT DISTINCT FROM %(scene_id)s
           AND NOT EXISTS (SELECT FROM pins p WHERE p.project_id = s.project_id
                                                AND p.scene_id IS NOT DISTINCT FROM s.scene_id)
        RETURNING id
        """,
        project_id=project_id,
        scene_id=scene_id,
    )
