"""Registers a file that a scan has read, in one transaction: as an existing version, a new one, or a replacement."""

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
from genlock.watching.model import FileRecord, ScannedFile, ScanOutcome
from genlock.watching.walking import FileOnDisk

_NAMES_TRIED = 50


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read: its stamp and identity, which belong together."""

    file: FileOnDisk
    stamp: FileStamp
    identity: Identity


async def register(db: Database, host: str, read: Read, *, keep: bool, actor: Actor) -> ScannedFile | None:
    """Make a file's bytes a version, if they are not one yet, and record the file; ``None`` if nothing changed.

    It becomes the active version where it is new, or where other bytes lay in its place before.
    """
    file, identity = read.file, read.identity
    async with db.transaction() as conn:
        await library_sql.lock(conn)
        before = await scan_sql.file_record(conn, host, file.path)
        if keep:
            await blobs_sql.note_blob(conn, identity.digest, identity.size_bytes, identity.media_type)
        asset = await _asset(conn, read, before, actor)
        number = await library_sql.version_with_digest(conn, asset.id, identity.digest)
        is_other = before is not None and before.number is not None and before.number != number
        outcome, change = ScanOutcome.EXISTS, None
        if number is None or is_other:
            new = NewVersion(
                **identity.model_dump(),
                filename=file.filename[:255],
                note="found by a scan",
                in_place=None if keep else file.path,
            )
            added, change = await activation.add_version(conn, asset.id, new, actor, activate=True)
            number, outcome = added.version.number, ScanOutcome(added.outcome.value)
        await scan_sql.record_file(conn, host, file.path, read.stamp, version=(asset.id, number))
        active = (await library_sql.get_asset(conn, asset.id)).active_version
        replaced = before.number if before is not None and is_other else None
        lost = replaced is not None and await scan_sql.is_lost(conn, asset.id, replaced)
        if replaced is not None and lost:
            await append_lost_event(conn, asset, replaced, file.path, actor)
    stale = 0
    if change is not None:
        async with db.transaction() as conn:
            stale = (await what_if.publish_change(conn, change)).segments.becomes_stale
    if before is not None and before.number == number and before.refusal is None and not before.is_gone:
        return None
    return ScannedFile(
        path=file.path,
        outcome=outcome,
        kind=file.kind,
        asset_id=asset.id,
        name=asset.name,
        version=number,
        active=active == number,
        replaced=replaced,
        replaced_gone=lost,
        becomes_stale=stale,
    )


async def append_lost_event(conn: Conn, asset: Asset, number: int, path: str, actor: Actor) -> None:
    """Append an event: the bytes of a version are gone."""
    await log.append(
        conn,
        "version.bytes_gone",
        actor,
        project_id=asset.project_id,
        subject=f"asset/{asset.id}",
        data={"version": number, "path": path},
    )


async def _asset(conn: Conn, read: Read, before: FileRecord | None, actor: Actor) -> Asset:
    """Return the asset that a file is a version of: the recorded one, else the one of its name, created if needed."""
    if before is not None and before.asset_id is not None:
        return await library_sql.get_asset(conn, before.asset_id)
    file = read.file
    names = list(islice(names_of(file.folders, file.filename), _NAMES_TRIED))
    name, asset_id = await scan_sql.asset_for(conn, file.kind, names, file.path, read.identity.digest)
    if asset_id is not None:
        return await library_sql.get_asset(conn, asset_id)
    return await library.create_asset(conn, NewAsset(kind=file.kind, name=name), actor)
