"""Links receipt inputs to an asset that registers their digest after the receipt was written.

    receipt names a bare digest ─▶ take unknown ─▶ an asset registers it ─▶ linked: judged, counted, planned

An input is linked once, to the first asset of its role's kind that registers the digest: an asset of the take's
project, or a shared one. A digest that an asset already has is resolved when the claim is recorded, and only then.

Lock order: library ─▶ scenes of the inputs ─▶ unresolved digests. Recording locks its scenes, then the unresolved
digests (shared), then reads which assets have them.
"""

from collections.abc import Collection

from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.takes import input_links_sql, selection_sql


async def lock(conn: Conn, digests: Collection[Digest]) -> None:
    """Block recordings that name one of ``digests`` without an asset, until versions with them are registered.

    A transaction that registers several versions locks all their digests first.
    """
    while not await input_links_sql.try_lock(conn, digests):
        pass  # another scene got such an input between the two reads: retry with it


async def link(conn: Conn, asset_id: int, number: int) -> None:
    """Link the inputs that name the digest of a new version. The digest must be locked."""
    selected = await input_links_sql.insert_links(conn, asset_id, number)
    if selected:
        await input_links_sql.update_unknown(conn, list(selected))
        await selection_sql.write_inputs(conn, selected)
