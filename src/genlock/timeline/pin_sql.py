"""The rows of pins, and of the scopes that they open."""

from collections.abc import Sequence

from genlock.db.connection import Conn, SentQueryFor, ask_many, execute, many, scalar, single
from genlock.errors import NotFound
from genlock.model import Actor
from genlock.timeline.model import NewPin, Pin


async def pins_of(conn: Conn, project_id: int, scene_id: int | None = None) -> tuple[Pin, ...]:
    """The pins of a project with those of its scenes; with ``scene_id`` those that count there."""
    return await many(
        conn,
        Pin,
        """
        SELECT id, project_id, scene_id, asset_id, kind, name, version, active_version, reason, created_by, created_at
          FROM pin_details
         WHERE project_id = %(project_id)s
           AND (%(scene_id)s::bigint IS NULL OR scene_id IS NULL OR scene_id = %(scene_id)s)
         ORDER BY scene_id NULLS FIRST, id
        """,
        project_id=project_id,
        scene_id=scene_id,
    )


async def ask_pins(conn: Conn, segment_ids: Sequence[int]) -> SentQueryFor[Pin]:
    """Ask for the pins of the projects that some segments are in, with those of all their scenes."""
    return await ask_many(
        conn,
        Pin,
        """
        SELECT id, project_id, scene_id, asset_id, kind, name, version, active_version, reason, created_by, created_at
          FROM pin_details
         WHERE project_id IN (SELECT project_id FROM segments WHERE id = ANY(%(segments)s))
         ORDER BY scene_id NULLS FIRST, id
        """,
        segments=list(segment_ids),
    )


async def put_pin(conn: Conn, project_id: int, scene_id: int | None, asset_id: int, new: NewPin, actor: Actor) -> int:
    """Pin an asset here, in place of an earlier pin of it, and open the scope; the pin's id."""
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
    """Remove a pin; whether there was one. A scope without pins stays until ``close_scope``."""
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
    """A pin by id."""
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
    """Remove the scope of a project or scene if no pin is left in it; the id it had."""
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
