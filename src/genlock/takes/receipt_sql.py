"""Queries of receipts."""

from genlock.db.connection import Conn, SentQueryFor, ask_many, maybe, rows, single
from genlock.digest import digest_of, from_raw
from genlock.errors import NotFound, Tampered
from genlock.takes.model import Receipt


async def get_receipt(conn: Conn, receipt_id: int) -> Receipt:
    """Return a receipt with its document parsed. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Receipt,
        _unknown(receipt_id),
        """
        SELECT r.id, r.project_id, r.segment_id, r.take_id, r.asset_id, r.version, r.receipt_digest, r.inputs_digest,
               r.claim_digest, r.evidence, r.missing, r.recorded_at, r.recorded_by, r.document
          FROM receipt_details r
         WHERE r.id = %(id)s
        """,
        id=receipt_id,
    )


async def receipt_of_selected(conn: Conn, segment_id: int) -> Receipt | None:
    """Return the receipt of a segment's selected take; ``None`` if it has none."""
    return await (await ask_receipt_of_selected(conn, segment_id)).fetchone()


async def ask_receipt_of_selected(conn: Conn, segment_id: int) -> SentQueryFor[Receipt]:
    """Send the query for the receipt of a segment's selected take: one row or none."""
    return await ask_many(
        conn,
        Receipt,
        """
        SELECT r.id, r.project_id, r.segment_id, r.take_id, r.asset_id, r.version, r.receipt_digest, r.inputs_digest,
               r.claim_digest, r.evidence, r.missing, r.recorded_at, r.recorded_by, r.document
          FROM judged_takes s
          JOIN receipt_details r ON r.id = s.receipt_id
         WHERE s.segment_id = %(id)s
        """,
        id=segment_id,
    )


async def receipt_of_version(conn: Conn, asset_id: int, number: int) -> Receipt | None:
    """Return the newest receipt of a generated version; ``None`` if it was not generated."""
    return await maybe(
        conn,
        Receipt,
        """
        SELECT r.id, r.project_id, r.segment_id, r.take_id, r.asset_id, r.version, r.receipt_digest, r.inputs_digest,
               r.claim_digest, r.evidence, r.missing, r.recorded_at, r.recorded_by, r.document
          FROM receipt_details r
         WHERE r.asset_id = %(asset_id)s AND r.version = %(number)s
         ORDER BY r.id DESC
         LIMIT 1
        """,
        asset_id=asset_id,
        number=number,
    )


async def document_of(conn: Conn, receipt_id: int) -> bytes:
    """Return the bytes of a receipt's document. Raise ``Tampered`` if they do not match its digest."""
    stored = await rows(conn, "SELECT document, receipt_digest FROM receipts WHERE id = %(id)s", id=receipt_id)
    if not stored:
        raise _unknown(receipt_id)
    document, expected = bytes(stored[0]["document"]), from_raw(stored[0]["receipt_digest"])
    if digest_of(document) != expected:
        raise Tampered(
            f"The document of receipt {receipt_id} has the digest {digest_of(document)}, not {expected}.",
            hint="The database was changed from outside. Restore it from a backup; `genlock verify` lists more.",
        )
    return document


def _unknown(receipt_id: int) -> NotFound:
    return NotFound(f"There is no receipt {receipt_id}.", hint="`genlock provenance` shows a segment's receipt.")
