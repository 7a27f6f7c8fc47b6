"""Rows that recording captured work reads: receipts of known files, unmanaged assets, outdated versions."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from genlock.capture.sender import Sender
from genlock.db.connection import Conn, many, rows, scalar
from genlock.digest import Digest, to_raw
from genlock.model import Actor
from genlock.takes.model import Receipt


async def receipt_of_repeated(conn: Conn, graph: Digest, outputs: list[Digest]) -> int | None:
    """Return the receipt of the files that a run returned from the cache, else of the newest run of its graph."""
    return await scalar(
        conn,
        """
        SELECT coalesce(
            (SELECT max(receipt_id) FROM receipt_outputs WHERE digest = ANY(%(outputs)s) AND part = 'video'),
            (SELECT receipt_id FROM captures
              WHERE graph = %(graph)s AND receipt_id IS NOT NULL ORDER BY id DESC LIMIT 1))
        """,
        graph=to_raw(graph),
        outputs=[to_raw(output) for output in outputs],
    )


async def receipts_of_files(conn: Conn, files: Sequence[tuple[int | None, Digest]], importer: str) -> list[int | None]:
    """Return, for each (segment, digest), the receipt of the take with these bytes; None if there is none.

    That is a take of the segment, else one recorded at generation: one that the ``importer`` did not write, whatever
    its evidence, because a run whose files were overwritten meanwhile is not ``recorded``.
    """
    result = await rows(
        conn,
        """
        SELECT best.id
          FROM unnest(%(segments)s::bigint[], %(digests)s::bytea[])
               WITH ORDINALITY AS file (segment_id, digest, number)
          LEFT JOIN LATERAL (
               SELECT r.id
                 FROM receipt_outputs o
                 JOIN receipts r ON r.id = o.receipt_id
                WHERE o.digest = file.digest AND o.part NOT IN ('last_frame', 'thumbnail') AND r.take_id IS NOT NULL
                  AND (r.segment_id = file.segment_id
                       OR convert_from(r.document, 'UTF8')::json #>> '{recorder,name}' IS DISTINCT FROM %(importer)s)
                ORDER BY r.segment_id IS NOT DISTINCT FROM file.segment_id DESC, r.id
                LIMIT 1) best ON true
         ORDER BY file.number
        """,
        segments=[segment_id for segment_id, _ in files],
        digests=[to_raw(digest) for _, digest in files],
        importer=importer,
    )
    return [row["id"] for row in result]


async def receipts_by_id(conn: Conn, receipt_ids: Collection[int]) -> dict[int, Receipt]:
    """Return receipts by their ids."""
    receipts = await many(
        conn,
        Receipt,
        """
        SELECT r.id, r.project_id, r.segment_id, r.take_id, r.asset_id, r.version,
               digest_text(r.receipt_digest) AS receipt_digest, digest_text(r.inputs_digest) AS inputs_digest,
               digest_text(r.claim_digest) AS claim_digest, r.evidence, r.missing, r.recorded_at, r.recorded_by,
               convert_from(r.document, 'UTF8')::json AS document
          FROM receipts r
         WHERE r.id = ANY(%(ids)s)
        """,
        ids=list(receipt_ids),
    )
    return {receipt.id: receipt for receipt in receipts}


class SelectedTake(NamedTuple):
    """The selected take of a segment, and who recorded it."""

    take_id: int
    number: int
    recorded_by: str


async def selected_from_elsewhere(conn: Conn, segment_id: int, actor: Actor) -> SelectedTake | None:
    """Return the selected take of a segment unless it is a run that the actor sent; None if it is, or there is none."""
    result = await rows(
        conn,
        """
        SELECT t.id, t.number, t.recorded_by, c.token_id, c.received_by, k.revoked_at IS NOT NULL AS is_revoked
          FROM selected_takes s
          JOIN takes t ON t.id = s.take_id
          LEFT JOIN captures c ON c.receipt_id = s.receipt_id AND c.state = 'recorded'
          LEFT JOIN tokens k ON k.id = c.token_id
         WHERE s.segment_id = %(segment_id)s
        """,
        segment_id=segment_id,
    )
    senders = [
        Sender(row["token_id"], row["received_by"], row["is_revoked"])
        for row in result
        if row["received_by"] is not None
    ]
    if not result or any(sender.is_same_as(actor) for sender in senders):
        return None
    return SelectedTake(result[0]["id"], result[0]["number"], result[0]["recorded_by"])


class TakeName(NamedTuple):
    """The number of a take, and the name of its segment."""

    number: int
    segment: str


async def names_of_takes(conn: Conn, take_ids: Collection[int]) -> dict[int, TakeName]:
    """Return the number of each take, and the name of its segment."""
    result = await rows(
        conn,
        """
        SELECT t.id, t.number, g.name
          FROM takes t JOIN segments g ON g.id = t.segment_id
         WHERE t.id = ANY(%(takes)s)
        """,
        takes=list(take_ids),
    )
    return {row["id"]: TakeName(row["number"], row["name"]) for row in result}


async def unmanaged_assets(conn: Conn, asset_ids: Collection[int]) -> frozenset[int]:
    """Return the assets whose versions are all unmanaged."""
    result = await rows(
        conn,
        """
        SELECT asset_id
          FROM asset_versions
         WHERE asset_id = ANY(%(assets)s)
         GROUP BY asset_id
        HAVING bool_and(details @> '{"unmanaged": true}')
        """,
        assets=sorted(asset_ids),
    )
    return frozenset(row["asset_id"] for row in result)


async def outdated(conn: Conn, versions: Collection[tuple[int, int]]) -> tuple[str, ...]:
    """Return a sentence for each (asset id, version) whose asset has an active version with other content.

    Pins are ignored.
    """
    if not versions:
        return ()
    result = await rows(
        conn,
        """
        SELECT a.kind, a.name, requested.number, a.active_version
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS requested (asset_id, number)
          JOIN assets a ON a.id = requested.asset_id
          JOIN contents used ON used.asset_id = a.id AND used.version = requested.number
          JOIN contents active ON active.asset_id = a.id AND active.version = a.active_version
         WHERE used.effective_digest <> active.effective_digest
         ORDER BY a.kind, a.name, requested.number
        """,
        assets=[asset_id for asset_id, _ in versions],
        numbers=[number for _, number in versions],
    )
    return tuple(
        f"{row['kind']} {row['name']}: this run used v{row['number']}, v{row['active_version']} is active"
        for row in result
    )
