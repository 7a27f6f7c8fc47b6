"""Queries of scanned files, by which a scan recognises unchanged files without reading them."""

from collections.abc import Sequence

from genlock.db.connection import Conn, execute, many, maybe, rows, scalar
from genlock.digest import Digest, to_raw
from genlock.library.model import Asset
from genlock.library.stamps import FileStamp
from genlock.model import Kind
from genlock.watching.model import FileRecord


async def file_records_below(conn: Conn, host: str, folders: Sequence[str]) -> dict[str, FileRecord]:
    """Return the records of the files below some folders (resolved), by path."""
    records = await many(
        conn,
        FileRecord,
        """
        SELECT path, asset_id, number, refusal, is_gone, is_archived, is_stored, stamp
          FROM scanned_file_details
         WHERE host = %(host)s
           AND EXISTS (SELECT FROM unnest(%(folders)s::text[]) AS within (folder)
                        WHERE starts_with(path, within.folder || '/'))
        """,
        host=host,
        folders=[folder.rstrip("/") for folder in folders],
    )
    return {record.path: record for record in records}


async def file_record(conn: Conn, host: str, path: str) -> FileRecord | None:
    """Return the record of a file."""
    return await maybe(
        conn,
        FileRecord,
        """
        SELECT path, asset_id, number, refusal, is_gone, is_archived, is_stored, stamp
          FROM scanned_file_details
         WHERE host = %(host)s AND path = %(path)s
        """,
        host=host,
        path=path,
    )


async def record_file(
    conn: Conn, host: str, path: str, stamp: FileStamp, *, version: tuple[int, int] | None, refusal: str | None = None
) -> None:
    """Record a file: the (asset, number) that has its bytes, or the refusal; then the earlier version is kept."""
    await execute(
        conn,
        """
        INSERT INTO scanned_files AS f (host, path, asset_id, number, refusal, device, inode, size_bytes, mtime_ns,
                                        ctime_ns)
        VALUES (%(host)s, %(path)s, %(asset)s, %(number)s, %(refusal)s, %(device)s, %(inode)s, %(size)s, %(mtime)s,
                %(ctime)s)
        ON CONFLICT (host, path) DO UPDATE
           SET asset_id = coalesce(excluded.asset_id, f.asset_id), number = coalesce(excluded.number, f.number),
               refusal = excluded.refusal, device = excluded.device, inode = excluded.inode,
               size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,
               gone_since = NULL,
               since = CASE WHEN (f.asset_id, f.number) IS NOT DISTINCT FROM (excluded.asset_id, excluded.number)
                             AND f.refusal IS NOT DISTINCT FROM excluded.refusal THEN f.since ELSE now() END
        """,
        host=host,
        path=path,
        asset=None if version is None else version[0],
        number=None if version is None else version[1],
        refusal=refusal,
        device=stamp.device,
        inode=stamp.inode,
        size=stamp.size_bytes,
        mtime=stamp.mtime_ns,
        ctime=stamp.ctime_ns,
    )


async def mark_gone(conn: Conn, host: str, paths: Sequence[str]) -> None:
    """Record that files are missing."""
    await execute(
        conn,
        """
        UPDATE scanned_files SET gone_since = now()
         WHERE host = %(host)s AND path = ANY(%(paths)s) AND gone_since IS NULL
        """,
        host=host,
        paths=list(paths),
    )


async def mark_back(conn: Conn, host: str, paths: Sequence[str]) -> None:
    """Record that files exist again, unchanged."""
    await execute(
        conn,
        "UPDATE scanned_files SET gone_since = NULL WHERE host = %(host)s AND path = ANY(%(paths)s)",
        host=host,
        paths=list(paths),
    )


async def asset_for(conn: Conn, kind: Kind, names: Sequence[str], path: str, digest: Digest) -> tuple[str, int | None]:
    """Return the first available one of ``names``, and the id of the asset that already has it.

    A name is taken if another existing file is a version of that asset and has other bytes.
    """
    records = await rows(
        conn,
        """
        SELECT wanted.name, a.id
          FROM unnest(%(names)s::text[]) WITH ORDINALITY AS wanted (name, place)
          LEFT JOIN assets a ON a.kind = %(kind)s AND a.name = wanted.name AND a.project_id IS NULL
         WHERE NOT EXISTS (
               SELECT FROM scanned_files f
                 LEFT JOIN asset_versions v ON v.asset_id = f.asset_id AND v.number = f.number
                WHERE f.asset_id = a.id AND f.path <> %(path)s AND f.gone_since IS NULL
                  AND (f.refusal IS NOT NULL OR v.digest <> %(digest)s))
         ORDER BY wanted.place
         LIMIT 1
        """,
        kind=kind,
        names=list(names),
        path=path,
        digest=to_raw(digest),
    )
    return (records[0]["name"], records[0]["id"]) if records else (names[-1], None)


async def is_lost(conn: Conn, asset_id: int, number: int) -> bool:
    """Return whether the bytes of a version are lost."""
    return await scalar(
        conn,
        """
        SELECT bytes_gone_since(v.asset_id, v.number, v.digest, v.in_place) IS NOT NULL
          FROM asset_versions v WHERE v.asset_id = %(asset_id)s AND v.number = %(number)s
        """,
        asset_id=asset_id,
        number=number,
    )


async def versions_at(conn: Conn, host: str, paths: Sequence[str]) -> dict[str, tuple[Asset, int, bool]]:
    """Return for files that are versions the asset, the number, and whether its bytes are lost."""
    records = await rows(
        conn,
        """
        SELECT f.path, f.number, a.id, a.project_id, a.kind, a.name, a.active_version, a.versions_total,
               a.archived_at IS NOT NULL AS archived, a.created_at, a.created_by,
               bytes_gone_since(v.asset_id, v.number, v.digest, v.in_place) IS NOT NULL AS lost
          FROM scanned_files f
          JOIN assets a ON a.id = f.asset_id
          JOIN asset_versions v ON v.asset_id = f.asset_id AND v.number = f.number
         WHERE f.host = %(host)s AND f.path = ANY(%(paths)s)
        """,
        host=host,
        paths=list(paths),
    )
    of_asset = Asset.model_fields.keys() - {"used_by"}
    return {
        row["path"]: (Asset(**{name: row[name] for name in of_asset}), row["number"], row["lost"]) for row in records
    }
