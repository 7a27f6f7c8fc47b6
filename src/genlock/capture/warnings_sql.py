"""Which of the versions that a run used are not the active ones any more."""

from collections.abc import Iterable

from genlock.capture.seen import Used
from genlock.capture.shelf import Shelf
from genlock.db.connection import Conn, rows


async def out_of_date(conn: Conn, used: Iterable[Used], shelf: Shelf) -> tuple[str, ...]:
    """A sentence for each asset of which another version is active, with other content. Pins are not asked."""
    found = {
        (match.asset_id, match.number)
        for one in used
        if (match := shelf.match(one)) is not None and match.number is not None
    }
    if not found:
        return ()
    said = await rows(
        conn,
        """
        SELECT a.kind, a.name, wanted.number, a.active_version
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS wanted (asset_id, number)
          JOIN assets a ON a.id = wanted.asset_id
          JOIN contents used ON used.asset_id = a.id AND used.version = wanted.number
          JOIN contents active ON active.asset_id = a.id AND active.version = a.active_version
         WHERE used.effective_digest <> active.effective_digest
         ORDER BY a.kind, a.name, wanted.number
        """,
        assets=[asset_id for asset_id, _ in sorted(found)],
        numbers=[number for _, number in sorted(found)],
    )
    return tuple(
        f"{row['kind']} {row['name']}: this run used v{row['number']}, v{row['active_version']} is active"
        for row in said
    )
