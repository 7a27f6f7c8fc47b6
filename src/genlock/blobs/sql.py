"""Queries of the table ``blobs``."""

from collections.abc import Collection

from genlock.blobs.model import Blob
from genlock.db.connection import Conn, execute, many, maybe
from genlock.digest import Digest, to_raw


async def note_blob(conn: Conn, digest: Digest, size_bytes: int, media_type: str) -> None:
    """Register a stored blob. A media type that is already recorded is kept."""
    await note_blobs(conn, [(digest, size_bytes, media_type)])


async def note_blobs(conn: Conn, blobs: Collection[tuple[Digest, int, str]]) -> None:
    """Register several blobs, as (digest, size in bytes, media type), in one statement.

    A transaction that stores several blobs calls this once: rows are locked in digest order, so that transactions with
    the same blobs wait for each other and never deadlock.
    """
    if not blobs:
        return
    distinct = {digest: (size_bytes, media_type) for digest, size_bytes, media_type in blobs}
    await execute(
        conn,
        """
        INSERT INTO blobs (digest, size_bytes, media_type)
        SELECT digest, size_bytes, media_type
          FROM unnest(%(digests)s::bytea[], %(sizes)s::bigint[], %(types)s::text[])
               AS new (digest, size_bytes, media_type)
         ORDER BY digest
        ON CONFLICT (digest) DO UPDATE SET gone_since = NULL WHERE blobs.gone_since IS NOT NULL
        """,
        digests=[to_raw(digest) for digest in distinct],
        sizes=[size_bytes for size_bytes, _ in distinct.values()],
        types=[media_type for _, media_type in distinct.values()],
    )


async def mark_gone(conn: Conn, digest: Digest) -> None:
    """Record that the store has lost a blob; the time at which it was first noticed is kept."""
    await execute(
        conn,
        "UPDATE blobs SET gone_since = now() WHERE digest = %(digest)s AND gone_since IS NULL",
        digest=to_raw(digest),
    )


async def get(conn: Conn, digest: Digest) -> Blob | None:
    """Return a blob; ``None`` if it was never stored."""
    return await maybe(
        conn,
        Blob,
        """
        SELECT digest_text(digest) AS digest, size_bytes, media_type, created_at, gone_since
          FROM blobs WHERE digest = %(digest)s
        """,
        digest=to_raw(digest),
    )


async def stored(conn: Conn, digests: Collection[Digest]) -> dict[Digest, Blob]:
    """Return the blobs among ``digests`` that are not lost, by digest."""
    blobs = await many(
        conn,
        Blob,
        """
        SELECT digest_text(digest) AS digest, size_bytes, media_type, created_at, gone_since
          FROM blobs WHERE digest = ANY(%(digests)s) AND gone_since IS NULL
        """,
        digests=[to_raw(digest) for digest in digests],
    )
    return {blob.digest: blob for blob in blobs}
