"""Queries for explaining causes: paths, inputs, names, and who changed what and when."""

from collections.abc import Sequence

from genlock.db.connection import Conn, SentQuery, ask


async def ask_paths(conn: Conn, content_ids: Sequence[int], scope_ids: Sequence[int]) -> SentQuery:
    """Request why contents are out of date in some scopes, with the versions between the root and each content."""
    return await ask(
        conn,
        """
        SELECT content_id, scope_id, root_kind, root_asset_id, root_used, root_expected, path
          FROM stale_contents
         WHERE content_id = ANY(%(contents)s::bigint[]) AND scope_id = ANY(%(scopes)s::bigint[])
        """,
        contents=list(content_ids),
        scopes=list(scope_ids),
    )


async def ask_members(conn: Conn, run_ids: Sequence[int], last: Sequence[int]) -> SentQuery:
    """Request the segments of some runs, each up to its last position, with their positions in run and scene."""
    return await ask(
        conn,
        """
        SELECT t.run_id, t.run_position, t.segment_id, g.position, g.name
          FROM unnest(%(runs)s::bigint[], %(last)s::int[]) AS r (id, last)
          JOIN selected_takes t ON t.run_id = r.id AND t.run_position <= r.last
          JOIN segments g ON g.id = t.segment_id
         UNION ALL
        SELECT a.segment_id, 1, a.segment_id, coalesce(g.position, g.archived_position), g.name
          FROM archived_takes a JOIN segments g ON g.id = a.segment_id
         WHERE a.segment_id = ANY(%(runs)s::bigint[])
        """,
        runs=list(run_ids),
        last=list(last),
    )


async def ask_inputs(conn: Conn, segment_ids: Sequence[int], content_ids: Sequence[int]) -> SentQuery:
    """Request the judged inputs with some contents, and the seed frames, of the selected takes of some segments."""
    return await ask(
        conn,
        """
        SELECT t.segment_id, i.content_id, i.role, i.ordinal
          FROM judged_takes t JOIN resolved_inputs i ON i.receipt_id = t.receipt_id
         WHERE t.segment_id = ANY(%(segments)s::bigint[])
           AND (i.role = 'seed_frame' OR i.content_id = ANY(%(contents)s::bigint[]))
           AND (i.role = 'seed_frame' OR i.via IS NULL OR (i.via = 'seed_frame' AND t.via_judged))
         ORDER BY t.segment_id, i.role, i.ordinal
        """,
        segments=list(segment_ids),
        contents=list(content_ids),
    )


async def ask_versions(conn: Conn, refs: Sequence[tuple[int, int]]) -> SentQuery:
    """Request the asset's name and the digest of versions by (asset, number)."""
    return await ask(
        conn,
        """
        SELECT v.asset_id, v.number, a.name, digest_text(v.digest) AS digest
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS w (asset_id, number)
          JOIN asset_versions v ON v.asset_id = w.asset_id AND v.number = w.number
          JOIN assets a ON a.id = v.asset_id
        """,
        assets=[asset for asset, _ in refs],
        numbers=[number for _, number in refs],
    )


async def ask_expectations(conn: Conn, scene_ids: Sequence[int], asset_ids: Sequence[int]) -> SentQuery:
    """Request since when scenes expect the version of an asset that they expect, and who decided it."""
    return await ask(
        conn,
        """
        SELECT s.scene_id, a.id AS asset_id, coalesce(p.created_at, activated.at) AS since,
               coalesce(p.created_by, activated.actor) AS moved_by
          FROM scene_scopes s
         CROSS JOIN unnest(%(assets)s::bigint[]) AS a (id)
          LEFT JOIN scope_pins p ON p.scope_id = s.scope_id AND p.asset_id = a.id
          LEFT JOIN LATERAL (SELECT at, actor FROM activations m WHERE m.asset_id = a.id
                              ORDER BY m.id DESC LIMIT 1) AS activated ON true
         WHERE s.scene_id = ANY(%(scenes)s::bigint[])
        """,
        scenes=list(scene_ids),
        assets=list(asset_ids),
    )


async def ask_link_changes(conn: Conn, segment_ids: Sequence[int]) -> SentQuery:
    """Request for segments with a broken link when, and by whom, the take before them was selected."""
    return await ask(
        conn,
        """
        SELECT g.id AS segment_id, selection.at AS since, selection.actor AS moved_by
          FROM segments g
          JOIN segments before ON before.scene_id = g.scene_id AND before.position = g.position - 1
          JOIN LATERAL (SELECT at, actor FROM selections c WHERE c.segment_id = before.id
                         ORDER BY c.id DESC LIMIT 1) AS selection ON true
         WHERE g.id = ANY(%(segments)s::bigint[])
        """,
        segments=list(segment_ids),
    )


async def ask_recordings(conn: Conn, segment_ids: Sequence[int]) -> SentQuery:
    """Request when, and by whom, the selected takes of some segments were recorded."""
    return await ask(
        conn,
        """
        SELECT t.segment_id, r.recorded_at AS since, r.recorded_by AS moved_by
          FROM judged_takes t JOIN receipts r ON r.id = t.receipt_id
         WHERE t.segment_id = ANY(%(segments)s::bigint[])
        """,
        segments=list(segment_ids),
    )
