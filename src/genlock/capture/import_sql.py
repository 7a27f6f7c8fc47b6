"""What import asks of receipts: whether a file is recorded already."""

from genlock.db.connection import Conn, scalar
from genlock.digest import Digest, to_raw


async def receipt_of_file(conn: Conn, segment_id: int | None, digest: Digest, importer: str) -> int | None:
    """The receipt of the take that these bytes are: of the segment, else one that was recorded when they were made.

    That is every one that the ``importer`` did not write, whatever its evidence: of a run that was seen while a file
    was overwritten it is not ``recorded``.
    """
    return await scalar(
        conn,
        """
        SELECT r.id
          FROM receipt_outputs o
          JOIN receipts r ON r.id = o.receipt_id
         WHERE o.digest = %(digest)s AND o.part NOT IN ('last_frame', 'thumbnail') AND r.take_id IS NOT NULL
           AND (r.segment_id = %(segment_id)s
                OR convert_from(r.document, 'UTF8')::json #>> '{recorder,name}' IS DISTINCT FROM %(importer)s)
         ORDER BY r.segment_id IS NOT DISTINCT FROM %(segment_id)s DESC, r.id
         LIMIT 1
        """,
        digest=to_raw(digest),
        segment_id=segment_id,
        importer=importer,
    )
