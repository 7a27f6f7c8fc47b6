"""Writes history: the takes, receipts, inputs and outputs of many claims in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from genlock.db.connection import Conn, SentQuery, ask, execute, rows, scalar
from genlock.db.tables import table
from genlock.digest import Digest, to_hex, to_raw
from genlock.model import Actor, InputRole, Model
from genlock.takes.receipt import NewReceipt, Workload, contents_per_asset


class Place(Model):
    """The position of a claim: its segment, and the take it was recorded as, else the take that it will become.

    Ids and numbers are allocated before writing because a later claim of a batch may continue the take of an earlier
    one.
    """

    segment_id: int
    scene_id: int
    project_id: int
    before_id: int | None
    name: str
    archived: bool
    take_id: int
    take: int
    receipt_id: int
    receipt_digest: Digest | None  # null while it is not recorded
    now: datetime


async def lock_scenes(conn: Conn, segment_ids: Iterable[int]) -> None:
    """Lock the scenes of segments, lowest id first, until the transaction ends.

    Until then, statements use generic plans, made once per connection, with index lookups only: planning would take
    longer than writing, and a generic plan from when tables were small would scan them.
    """
    await execute(
        conn,
        """
        SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
               set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
        """,
    )
    await execute(
        conn,
        """
        SELECT 1 FROM scenes s
         WHERE s.id IN (SELECT scene_id FROM segments WHERE id = ANY(%(ids)s))
         ORDER BY s.id FOR NO KEY UPDATE OF s
        """,
        ids=list(segment_ids),
    )


async def ask_places(conn: Conn, claims: Sequence[tuple[int, Digest]]) -> SentQuery:
    """Send the query for the places of claims (segment, claim digest), each claim once; for ``places_of``.

    New claims get the next take numbers of their segments, in order, and ids for the take and its receipt. Numbers
    allocated for claims that are then refused are rolled back with the transaction.
    """
    return await ask(
        conn,
        """
        WITH place AS MATERIALIZED (
            SELECT c.n, c.claim_digest, g.id AS segment_id, g.scene_id, g.project_id, g.name, before.id AS before_id,
                   coalesce(counter.last, 0) AS last,
                   coalesce(g.archived_at, s.archived_at, p.archived_at) IS NOT NULL AS archived,
                   r.take_id, t.number AS take, r.id AS receipt_id, r.receipt_digest
              FROM unnest(%(segments)s::bigint[], %(digests)s::bytea[])
                   WITH ORDINALITY AS c (segment_id, claim_digest, n)
              JOIN segments g ON g.id = c.segment_id
              JOIN scenes s ON s.id = g.scene_id
              JOIN projects p ON p.id = g.project_id
              LEFT JOIN segments before ON before.scene_id = g.scene_id AND before.position = g.position - 1
              LEFT JOIN receipts r ON r.segment_id = c.segment_id AND r.claim_digest = c.claim_digest
              LEFT JOIN takes t ON t.id = r.take_id
              LEFT JOIN take_counters counter ON counter.segment_id = g.id -- cannot change: the scene is locked
        ), counted AS (
            INSERT INTO take_counters AS c (segment_id, last)
            SELECT segment_id, count(*) FROM place WHERE receipt_id IS NULL
             GROUP BY segment_id ORDER BY segment_id
            ON CONFLICT (segment_id) DO UPDATE SET last = c.last + excluded.last
        ), numbered AS MATERIALIZED (
            SELECT p.*, p.last + count(*) FILTER (WHERE p.receipt_id IS NULL) OVER so_far AS next
              FROM place p
            WINDOW so_far AS (PARTITION BY p.segment_id ORDER BY p.n)
             ORDER BY p.n
        )
        SELECT digest_text(claim_digest) AS claim_digest, segment_id, scene_id, project_id, name, before_id, archived,
               CASE WHEN receipt_id IS NULL THEN nextval('takes_id_seq') ELSE take_id END AS take_id,
               CASE WHEN receipt_id IS NULL THEN next ELSE take END AS take,
               CASE WHEN receipt_id IS NULL THEN nextval('receipts_id_seq') ELSE receipt_id END AS receipt_id,
               digest_text(receipt_digest) AS receipt_digest, now() AS now
          FROM numbered
        """,
        segments=[segment for segment, _ in claims],
        digests=[to_raw(digest) for _, digest in claims],
    )


async def places_of(request: SentQuery) -> dict[tuple[int, Digest], Place]:
    """Return the places of claims; claims for unknown segments are omitted."""
    result = await request.fetchall()
    return {(row["segment_id"], row.pop("claim_digest")): Place.model_construct(**row) for row in result}


async def next_receipt_id(conn: Conn) -> int:
    """Allocate an id for the receipt of a generated version."""
    return await scalar(conn, "SELECT nextval('receipts_id_seq')")


async def selected_takes(conn: Conn, segment_ids: Sequence[int]) -> dict[int, int]:
    """Return the selected take of each segment that has one."""
    result = await rows(
        conn,
        "SELECT segment_id, take_id FROM selected_takes WHERE segment_id = ANY(%(segments)s)",
        segments=list(segment_ids),
    )
    return {row["segment_id"]: row["take_id"] for row in result}


async def insert_workloads(conn: Conn, new: Iterable[Workload]) -> dict[Workload, int]:
    """Insert new workloads (workflow and size); return their ids."""
    sizes = sorted(new)
    result = await rows(
        conn,
        """
        INSERT INTO workloads (workflow_content_id, width, height)
        SELECT * FROM unnest(%(contents)s::bigint[], %(widths)s::int[], %(heights)s::int[])
        ON CONFLICT ON CONSTRAINT workloads_unique DO UPDATE SET width = excluded.width
        RETURNING id, workflow_content_id, width, height
        """,
        contents=[content for content, _, _ in sizes],
        widths=[width for _, width, _ in sizes],
        heights=[height for _, _, height in sizes],
    )
    return {(row["workflow_content_id"], row["width"], row["height"]): row["id"] for row in result}


async def insert_history(
    conn: Conn,
    receipts: Sequence[NewReceipt],
    workloads: Mapping[Workload, int],
    actor: Actor,
    selected: Mapping[int, int],
) -> None:
    """Write receipts with their takes, inputs and outputs, and count the contents they used.

    ``selected`` takes (by segment id) are selected and logged, as by ``selection_sql.select_takes``.
    """
    await execute(
        conn,
        """
        WITH receipt AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%(receipts)s) AS r (
                   id bigint, project_id bigint, segment_id bigint, take_id bigint, take int, asset_id bigint,
                   version int, derivation_id bigint, receipt_digest bytea, inputs_digest bytea, claim_digest bytea,
                   document text, engine text, engine_version text, evidence text, missing text[], seed numeric,
                   prompt text, graph_digest bytea, workload_id int, duration_s float8, step_id bigint,
                   selected bool, unknown bool, seed_digest bytea, seed_part text, seed_take_id bigint)
        ), line AS MATERIALIZED (
            SELECT i.*, c.id AS content_id
              FROM json_to_recordset(%(inputs)s) AS i (
                   receipt_id bigint, project_id bigint, role text, ordinal smallint, asset_id bigint, digest bytea,
                   take_id bigint, part text, via text, strength_model float8, strength_clip float8)
              LEFT JOIN contents c ON c.asset_id = i.asset_id AND c.digest = i.digest
        ), take AS (
            INSERT INTO takes (id, project_id, segment_id, number, recorded_by) OVERRIDING SYSTEM VALUE
            SELECT take_id, project_id, segment_id, take, %(actor)s FROM receipt WHERE take_id IS NOT NULL
        ), kept AS (
            INSERT INTO receipts (id, project_id, segment_id, take_id, asset_id, version, derivation_id,
                                  receipt_digest, inputs_digest, claim_digest, document, engine, engine_version,
                                  evidence, missing, seed, prompt, graph_digest, workload_id, duration_s, step_id,
                                  recorded_by) OVERRIDING SYSTEM VALUE
            SELECT id, project_id, segment_id, take_id, asset_id, version, derivation_id, receipt_digest,
                   inputs_digest, claim_digest, convert_to(document, 'UTF8'), engine, engine_version, evidence,
                   missing, seed, prompt, graph_digest, workload_id, duration_s, step_id, %(actor)s
              FROM receipt
        ), used AS (
            INSERT INTO receipt_inputs (receipt_id, project_id, role, ordinal, content_id, digest, take_id, part, via,
                                        strength_model, strength_clip)
            SELECT receipt_id, project_id, role, ordinal, content_id, CASE WHEN content_id IS NULL THEN digest END,
                   take_id, part, via, strength_model, strength_clip
              FROM line
        ), made AS (
            INSERT INTO receipt_outputs (receipt_id, part, digest, media_type, size_bytes)
            SELECT receipt_id, part, digest, media_type, size_bytes
              FROM json_to_recordset(%(outputs)s)
                AS o (receipt_id bigint, part text, digest bytea, media_type text, size_bytes bigint)
        ), selecting AS (
            SELECT r.*, g.scene_id, was.take_id AS previous_take_id
              FROM receipt r
              JOIN segments g ON g.id = r.segment_id
              LEFT JOIN selected_takes was ON was.segment_id = r.segment_id
             WHERE r.selected
        ), logged AS (
            INSERT INTO selections (segment_id, take_id, previous_take_id, actor)
            SELECT segment_id, take_id, previous_take_id, %(actor)s FROM selecting
        ), present_take AS ( -- a new row is the only one of its run until its scene is linked again
            INSERT INTO selected_takes (segment_id, project_id, scene_id, take_id, receipt_id, unknown, seed_digest,
                                        seed_part, seed_take_id, workload_id, via_judged, run_id, run_position)
            SELECT segment_id, project_id, scene_id, take_id, id, unknown, seed_digest, seed_part, seed_take_id,
                   workload_id, true, segment_id, 1
              FROM selecting
            ON CONFLICT (segment_id) DO UPDATE
               SET take_id = excluded.take_id, receipt_id = excluded.receipt_id, unknown = excluded.unknown,
                   seed_digest = excluded.seed_digest, seed_part = excluded.seed_part,
                   seed_take_id = excluded.seed_take_id, workload_id = excluded.workload_id
        )
        INSERT INTO usage_deltas (content_id, project_id, takes, selected)
        SELECT content_id, project_id, count(DISTINCT receipt_id), 0
          FROM line
         WHERE content_id IS NOT NULL AND project_id IS NOT NULL
         GROUP BY 1, 2
        """,
        receipts=table([_receipt_row(receipt, workloads, selected) for receipt in receipts]),
        inputs=table([row for receipt in receipts for row in _input_rows(receipt)]),
        outputs=table([row for receipt in receipts for row in _output_rows(receipt)]),
        actor=actor.name,
    )
    several = [
        (asset, receipt.project_id, count)
        for receipt in receipts
        if receipt.take_id is not None
        for asset, count in contents_per_asset(receipt.inputs).items()
    ]
    if several:
        await _correct_counts(conn, several)


async def _correct_counts(conn: Conn, several: Sequence[tuple[int, int | None, int]]) -> None:
    """Count a take that used several contents of an asset only once for the asset."""
    await execute(
        conn,
        """
        INSERT INTO usage_deltas (content_id, project_id, takes, selected)
        SELECT -asset_id, project_id, sum(1 - contents), 0
          FROM unnest(%(assets)s::bigint[], %(projects)s::bigint[], %(contents)s::int[])
               AS used (asset_id, project_id, contents)
         GROUP BY 1, 2
        """,
        assets=[asset for asset, _, _ in several],
        projects=[project for _, project, _ in several],
        contents=[contents for _, _, contents in several],
    )


def _receipt_row(receipt: NewReceipt, workloads: Mapping[Workload, int], selected: Mapping[int, int]) -> dict[str, Any]:
    parameters = receipt.claim.parameters
    frames = [line for line in receipt.inputs if line.role is InputRole.SEED_FRAME]
    frame = min(frames, key=lambda line: line.ordinal, default=None)
    return {
        "id": receipt.receipt_id,
        "project_id": receipt.project_id,
        "segment_id": receipt.segment_id,
        "take_id": receipt.take_id,
        "take": receipt.take,
        "asset_id": receipt.asset_id,
        "version": receipt.version,
        "derivation_id": receipt.derivation_id,
        "receipt_digest": to_hex(receipt.receipt_digest),
        "inputs_digest": to_hex(receipt.inputs_digest),
        "claim_digest": to_hex(receipt.claim_digest),
        "document": receipt.document.decode(),
        "engine": receipt.claim.engine.name,
        "engine_version": receipt.claim.engine.version,
        "evidence": receipt.evidence,
        "missing": receipt.missing,
        "seed": parameters.seed,
        "prompt": parameters.prompt,
        "graph_digest": receipt.graph and to_hex(receipt.graph),
        "workload_id": receipt.workload and workloads[receipt.workload],
        "duration_s": receipt.claim.observed and receipt.claim.observed.duration_s,
        "step_id": receipt.step_id,
        "selected": receipt.segment_id is not None and selected.get(receipt.segment_id) == receipt.take_id,
        "unknown": receipt.unknown,
        "seed_digest": frame and frame.digest and to_hex(frame.digest),
        "seed_part": frame and frame.part,
        "seed_take_id": frame and frame.take,
    }


def _input_rows(receipt: NewReceipt) -> list[dict[str, Any]]:
    project_id = receipt.project_id if receipt.take_id is not None else None
    return [
        {
            "receipt_id": receipt.receipt_id,
            "project_id": project_id,
            "role": line.role,
            "ordinal": line.ordinal,
            "asset_id": line.asset,
            "digest": line.digest and to_hex(line.digest),
            "take_id": line.take,
            "part": line.part,
            "via": line.via,
            "strength_model": line.strength_model,
            "strength_clip": line.strength_clip,
        }
        for line in receipt.inputs
    ]


def _output_rows(receipt: NewReceipt) -> list[dict[str, Any]]:
    return [
        {
            "receipt_id": receipt.receipt_id,
            "part": part,
            "digest": to_hex(output.digest),
            "media_type": output.media_type,
            "size_bytes": output.size_bytes,
        }
        for part, output in receipt.outputs.items()
    ]
