"""Makes what a scan has read a version, in one transaction: known, new, or in the place of another."""

from dataclasses import dataclass
from itertools import islice

from genlock.blobs import sql as blobs_sql
from genlock.db.connection import Conn, Database
from genlock.events import log
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.model import Asset, Identity, NewAsset, NewVersion
from genlock.library.stamps import FileStamp
from genlock.model import Actor
from genlock.staleness import activation, what_if
from genlock.watching import sql as scan_sql
from genlock.watching.folders import names_of
from genlock.watching.model import Remembered, ScannedFile, ScanOutcome
from genlock.watching.walking import Found

_NAMES_TRIED = 50


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read: where it was found, its stamp and identity, which belong together."""

    found: Found
    stamp: FileStamp
    identity: Identity


async def register(db: Database, host: str, read: Read, *, keep: bool, actor: Actor) -> ScannedFile | None:
    """Make a file's bytes a version, if they are none yet, and remember it; ``None`` when nothing is news about it.

    It becomes the active version where it is new, or where other bytes lay in its place before.
    """
    found, identity = read.found, read.identity
    async with db.transaction() as conn:
        await library_sql.lock(conn)
        before = await scan_sql.remembered(conn, host, found.path)
        if keep:
            await blobs_sql.note_blob(conn, identity.digest, identity.size_bytes, identity.media_type)
        asset = await _asset(conn, read, before, actor)
        number = await library_sql.version_with_digest(conn, asset.id, identity.digest)
        is_other = before is not None and before.number is not None and before.number != number
        outcome, moved = ScanOutcome.EXISTS, None
        if number is None or is_other:
            new = NewVersion(
                **identity.model_dump(),
                filename=found.filename[:255],
                note="found by a scan",
                in_place=None if keep else found.path,
            )
            added, moved = await activation.add_version(conn, asset.id, new, actor, activate=True)
            number, outcome = added.version.number, ScanOutcome(added.outcome.value)
        await scan_sql.remember(conn, host, found.path, read.stamp, version=(asset.id, number))
        active = (await library_sql.get_asset(conn, asset.id)).active_version
        replaced = before.number if before is not None and is_other else None
        lost = replaced is not None and await scan_sql.is_lost(conn, asset.id, replaced)
        if replaced is not None and lost:
            await tell_lost(conn, asset, replaced, found.path, actor)
    stale = 0
    if moved is not None:
        async with db.transaction() as conn:
            stale = (await what_if.publish_change(conn, moved)).segments.becomes_stale
    if before is not None and before.number == number and before.refusal is None and not before.is_gone:
        return None
    return ScannedFile(
        path=found.path,
        outcome=outcome,
        kind=found.kind,
        asset_id=asset.id,
        name=asset.name,
        version=number,
        active=active == number,
        replaced=replaced,
        replaced_gone=lost,
        becomes_stale=stale,
    )


async def tell_lost(conn: Conn, asset: Asset, number: int, path: str, actor: Actor) -> None:
    """Say in the log of events that the bytes of a version are not to be had any more."""
    await log.append(
        conn,
        "version.bytes_gone",
        actor,
        project_id=asset.project_id,
        subject=f"asset/{asset.id}",
        data={"version": number, "path": path},
    )


async def _asset(conn: Conn, read: Read, before: Remembered | None, actor: Actor) -> Asset:
    """The asset that a file is a version of: the one it was, else the one of its name, made if need be."""
    if before is not None and before.asset_id is not None:
        return await library_sql.get_asset(conn, before.asset_id)
    found = read.found
    names = list(islice(names_of(found.folders, found.filename), _NAMES_TRIED))
    name, asset_id = await scan_sql.asset_for(conn, found.kind, names, found.path, read.identity.digest)
    if asset_id is not None:
        return await library_sql.get_asset(conn, asset_id)
    return await library.create_asset(conn, NewAsset(kind=found.kind, name=name), actor)
