"""Queries for the groups of a report: the names of assets, and render times."""

from collections.abc import Sequence

from genlock.db.connection import Conn, SentQuery, ask

_SAMPLES = 1000
"""The newest measurements of a workload that count for its median."""


async def ask_names(conn: Conn, refs: Sequence[tuple[int, int]]) -> SentQuery:
    """Request assets by id and version number, with the version's filename; version 0 has none."""
    return await ask(
        conn,
        """
        SELECT w.asset_id, w.number, a.kind, a.name, v.filename
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS w (asset_id, number)
          JOIN assets a ON a.id = w.asset_id
          LEFT JOIN asset_versions v ON v.asset_id = w.asset_id AND v.number = w.number
        """,
        assets=[asset for asset, _ in refs],
        numbers=[number for _, number in refs],
    )


async def ask_medians(conn: Conn, workloads: Sequence[int]) -> SentQuery:
    """Request the median duration in seconds of each measured workload, and the number of its measurements."""
    return await ask(
        conn,
        """
        SELECT w.id, m.median, m.samples
          FROM unnest(%(workloads)s::int[]) AS w (id)
         CROSS JOIN LATERAL (
               SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.duration_s) AS median, count(*) AS samples
                 FROM (SELECT r.duration_s FROM receipts r
                        WHERE r.workload_id = w.id AND r.duration_s IS NOT NULL
                        ORDER BY r.id DESC LIMIT %(samples)s) d) m
         WHERE m.samples > 0
        """,
        workloads=list(workloads),
        samples=_SAMPLES,
    )
