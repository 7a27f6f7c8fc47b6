"""Queries of files in place: paths of versions outside the store, and the stamps under which they were verified."""

from genlock.db.connection import Conn, execute, scalar
from genlock.digest import Digest, to_raw
from genlock.library.stamps import FileStamp


async def in_place_path(conn: Conn, asset_id: int, number: int) -> str | None:
    """Return the path of a version's file in place; ``None`` if its bytes are in the store."""
    return await scalar(
        conn,
        """
        SELECT lies_at(v.asset_id, v.number, v.in_place)
          FROM asset_versions v
         WHERE v.asset_id = %(asset_id)s AND v.number = %(number)s
           AND NOT EXISTS (SELECT FROM blobs b WHERE b.digest = v.digest AND b.gone_since IS NULL)
        """,
        asset_id=asset_id,
        number=number,
    )


async def is_verified(conn: Conn, host: str, path: str, stamp: FileStamp, digest: Digest) -> bool:
    """Return whether a verification or a scan found this digest in the file with this stamp."""
    return await scalar(
        conn,
        """
        SELECT EXISTS (
               SELECT FROM verified_files f
                WHERE f.host = %(host)s AND f.path = %(path)s AND f.digest = %(digest)s
                  AND f.device = %(device)s AND f.inode = %(inode)s AND f.size_bytes = %(size_bytes)s
                  AND f.mtime_ns = %(mtime_ns)s AND f.ctime_ns = %(ctime_ns)s)
            OR EXISTS (
               SELECT FROM scanned_files f
                 JOIN asset_versions v ON v.asset_id = f.asset_id AND v.number = f.number
                WHERE f.host = %(host)s AND f.path = %(path)s AND v.digest = %(digest)s AND f.refusal IS NULL
                  AND f.device = %(device)s AND f.inode = %(inode)s AND f.size_bytes = %(size_bytes)s
                  AND f.mtime_ns = %(mtime_ns)s AND f.ctime_ns = %(ctime_ns)s)
        """,
        host=host,
        path=path,
        digest=to_raw(digest),
        **stamp.model_dump(),
    )


async def note_verified(conn: Conn, host: str, path: str, stamp: FileStamp, digest: Digest) -> None:
    """Record that the file with this stamp has this digest, replacing the earlier record of the path."""
    await execute(
        conn,
        """
        INSERT INTO verified_files (host, path, digest, device, inode, size_bytes, mtime_ns, ctime_ns)
        VALUES (%(host)s, %(path)s, %(digest)s, %(device)s, %(inode)s, %(size_bytes)s, %(mtime_ns)s, %(ctime_ns)s)
        ON CONFLICT (host, path) DO UPDATE
           SET digest = excluded.digest, device = excluded.device, inode = excluded.inode,
               size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,
               verified_at = now()
        """,
        host=host,
        path=path,
        digest=to_raw(digest),
        **stamp.model_dump(),
    )
