"""Bindings of workflows that were set after the upload: a history next to each version, which stays what it was."""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, many, single
from genlock.db.pages import decode_key, page_of
from genlock.errors import NotFound
from genlock.library.model import Asset, BindingsChange
from genlock.model import Actor, Page


async def insert_bindings(
    conn: Conn, asset: Asset, number: int, bindings: Mapping[str, Any], note: str, actor: Actor
) -> BindingsChange:
    """Declare ``bindings`` for a version from now on. The caller has made sure that they fit its graph."""
    return await single(
        conn,
        BindingsChange,
        NotFound(f"{asset.name} has no version {number}.", hint="`genlock asset history` shows its versions."),
        """
        INSERT INTO workflow_bindings (asset_id, number, bindings, note, created_by)
        SELECT v.asset_id, v.number, %(bindings)s, %(note)s, %(actor)s
          FROM asset_versions v
         WHERE v.asset_id = %(asset_id)s AND v.number = %(number)s
        RETURNING id, asset_id, number, bindings, note, created_by, created_at
        """,
        asset_id=asset.id,
        number=number,
        bindings=Jsonb(dict(bindings)),
        note=note,
        actor=actor.name,
    )


async def bindings_history(
    conn: Conn, asset_id: int, number: int, *, after: str | None = None, limit: int = 100
) -> Page[BindingsChange]:
    """Return the bindings that were set for a version after its upload, newest first."""
    changes = await many(
        conn,
        BindingsChange,
        """
        SELECT id, asset_id, number, bindings, note, created_by, created_at
          FROM workflow_bindings
         WHERE asset_id = %(asset_id)s AND number = %(number)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        asset_id=asset_id,
        number=number,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(changes, limit, lambda last: (last.id,))
