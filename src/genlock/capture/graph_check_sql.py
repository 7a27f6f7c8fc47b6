"""Looks up which versions should be used in a scene."""

from collections.abc import Sequence
from typing import NamedTuple

from genlock.db.connection import Conn, rows


class Expected(NamedTuple):
    """The version of an asset that should be used; ``same``: version ``number`` has the same content."""

    asset_id: int
    number: int | None
    name: str
    expected: int | None
    same: bool


async def expected(
    conn: Conn, scene_id: int | None, versions: Sequence[tuple[int, int | None]]
) -> tuple[Expected, ...]:
    """Return, for each (asset id, version), what should be used in a scene; without a scene, the active version."""
    distinct = list(dict.fromkeys(versions))
    result = await rows(
        conn,
        """
        WITH here AS (
            SELECT coalesce((SELECT scope_id FROM scene_scopes WHERE scene_id = %(scene_id)s), 0) AS scope_id
        )
        SELECT a.id AS asset_id, requested.number, a.name, should.version AS expected,
               coalesce(used.effective_digest = should.effective_digest, false) AS same
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS requested (asset_id, number)
          JOIN assets a ON a.id = requested.asset_id
         CROSS JOIN here
          LEFT JOIN contents used ON used.asset_id = a.id AND used.version = requested.number
          LEFT JOIN contents should
            ON should.asset_id = a.id AND should.version = expected_version(here.scope_id, a.id)
        """,
        scene_id=scene_id,
        assets=[asset_id for asset_id, _ in distinct],
        numbers=[number for _, number in distinct],
    )
    return tuple(Expected(**row) for row in result)
