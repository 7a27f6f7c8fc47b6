"""Writes history: takes, receipts, their inputs and outputs, each in one statement however many there are."""

from collections.abc import Iterable, Sequence

from genlock.db.connection import Conn, execute, many, rows
from genlock.digest import Digest, from_raw, to_raw
from genlock.model import Actor, Model
from genlock.takes.compose import Written
from genlock.takes.document import Input
from genlock.takes.model import RecordedIds


class Place(Model):
    """Where a segment is."""

    segment_id: int
    scene_id: int
    project_id: int
    name: str
    archived: bool


async def lock_places(conn: Conn, segment_ids: Iterable[int]) -> dict[int, Place]:
    """Where segments are, their scenes held in order of id until the transaction ends."""
    ids = list(segment_ids)
    await execute(
        conn,
        """
        SELECT 1 FROM scenes
         WHERE id IN (SELECT scene_id FROM segments WHERE id = ANY(%(ids)s))
         ORDER BY id FOR NO KEY UPDATE
        """,
        ids=ids,
    )
    found = await many(
        conn,
        Place,
        """
        SELECT g.id AS segment_id, g.scene_id, g.project_id, g.name,
               coalesce(g.archived_at, s.archived_at, p.archived_at) IS NOT NULL AS archived
          FROM segments g JOIN scenes s ON s.id = g.scene_id JOIN projects p ON p.id = g.project_id
         WHERE g.id = ANY(%(ids)s)
        """,
        ids=ids,
    )
    return {place.segment_id: place for place in found}


async def known_claims(conn: Conn, claims: Sequence[tuple[int, Digest]]) -> dict[tuple[int, Digest], RecordedIds]:
    """Those of (segment, claim digest) that are recorded already, with their ids."""
    found = await rows(
        conn,
        """
        SELECT r.segment_id, digest_text(r.claim_digest) AS claim_digest, r.take_id, t.number AS take,
               r.id AS receipt_id, digest_text(r.receipt_digest) AS receipt_digest, false AS created
          FROM unnest(%(segments)s::bigint[], %(digests)s::bytea[]) AS c (segment_id, claim_digest)
          JOIN receipts r ON r.segment_id = c.segment_id AND r.claim_digest = c.claim_digest
          JOIN takes t ON t.id = r.take_id
        """,
        segments=[segment for segment, _ in claims],
        digests=[to_raw(digest) for _, digest in claims],
    )
    return {(row["segment_id"], row.pop("claim_digest")): RecordedIds.model_validate(row) for row in found}


async def draw_numbers(conn: Conn, segment_ids: Sequence[int]) -> list[int]:
    """The next take number for each segment in order; a segment that stands twice gets two."""
    found = await rows(
        conn,
        """
        INSERT INTO take_counters AS c (segment_id, last)
        SELECT segment_id, count(*) FROM unnest(%(segments)s::bigint[]) AS s (segment_id)
         GROUP BY segment_id ORDER BY segment_id
        ON CONFLICT (segment_id) DO UPDATE SET last = c.last + excluded.last
        RETURNING segment_id, last
        """,
        segments=list(segment_ids),
    )
    last = {row["segment_id"]: row["last"] for row in found}
    numbers: list[int] = []
    for segment_id in reversed(segment_ids):
        numbers.append(last[segment_id])
        last[segment_id] -= 1
    return numbers[::-1]


async def draw_ids(conn: Conn, count: int) -> list[tuple[int, int]]:
    """Ids for ``count`` takes and their receipts, drawn before writing because one may name the other."""
    found = await rows(
        conn,
        """
        SELECT nextval(pg_get_serial_sequence('genlock.takes', 'id')) AS take_id,
               nextval(pg_get_serial_sequence('genlock.receipts', 'id')) AS receipt_id
          FROM generate_series(1, %(count)s)
        """,
        count=count,
    )
    return [(row["take_id"], row["receipt_id"]) for row in found]


async def selected_takes(conn: Conn, segment_ids: Sequence[int]) -> dict[int, int]:
    """The selected take of each segment that has one."""
    found = await rows(
        conn,
        "SELECT segment_id, take_id FROM selected_takes WHERE segment_id = ANY(%(segments)s)",
        segments=list(segment_ids),
    )
    return {row["segment_id"]: row["take_id"] for row in found}


async def insert_takes(conn: Conn, written: Sequence[Written], actor: Actor) -> None:
    """Write the takes of some receipts."""
    await execute(
        conn,
        """
        INSERT INTO takes (id, project_id, segment_id, number, recorded_by) OVERRIDING SYSTEM VALUE
        SELECT id, project_id, segment_id, number, %(actor)s
          FROM unnest(%(ids)s::bigint[], %(projects)s::bigint[], %(segments)s::bigint[], %(numbers)s::int[])
            AS t (id, project_id, segment_id, number)
        """,
        ids=[one.take_id for one in written],
        projects=[one.project_id for one in written],
        segments=[one.segment_id for one in written],
        numbers=[one.take for one in written],
        actor=actor.name,
    )


async def insert_receipts(conn: Conn, written: Sequence[Written], actor: Actor) -> None:
    """Write receipts with their inputs and outputs, and count what they used."""
    workloads = await _workloads(conn, written)
    await execute(
        conn,
        """
        INSERT INTO receipts (id, project_id, segment_id, take_id, asset_id, version, derivation_id, receipt_digest,
                              inputs_digest, claim_digest, document, engine, engine_version, evidence, missing, seed,
                              prompt, graph_digest, workload_id, duration_s, step_id, recorded_by)
               OVERRIDING SYSTEM VALUE
        SELECT id, project_id, segment_id, take_id, asset_id, version, derivation_id, receipt_digest, inputs_digest,
               claim_digest, document, engine, engine_version, evidence, string_to_array(missing, ' '), seed, prompt,
               graph_digest, workload_id, duration_s, step_id, %(actor)s
          FROM unnest(%(ids)s::bigint[], %(projects)s::bigint[], %(segments)s::bigint[], %(takes)s::bigint[],
                      %(assets)s::bigint[], %(versions)s::int[], %(derivations)s::bigint[], %(receipts)s::bytea[],
                      %(inputs)s::bytea[], %(claims)s::bytea[], %(documents)s::bytea[], %(engines)s::text[],
                      %(engine_versions)s::text[], %(evidences)s::text[], %(missing)s::text[], %(seeds)s::numeric[],
                      %(prompts)s::text[], %(graphs)s::bytea[], %(workloads)s::int[], %(durations)s::float8[],
                      %(steps)s::bigint[])
            AS r (id, project_id, segment_id, take_id, asset_id, version, derivation_id, receipt_digest, inputs_digest,
                  claim_digest, document, engine, engine_version, evidence, missing, seed, prompt, graph_digest,
                  workload_id, duration_s, step_id)
        """,
        ids=[one.receipt_id for one in written],
        projects=[one.project_id for one in written],
        segments=[one.segment_id for one in written],
        takes=[one.take_id for one in written],
        assets=[one.asset_id for one in written],
        versions=[one.version for one in written],
        derivations=[one.derivation_id for one in written],
        receipts=[to_raw(one.receipt_digest) for one in written],
        inputs=[to_raw(one.inputs_digest) for one in written],
        claims=[to_raw(one.claim_digest) for one in written],
        documents=[one.document for one in written],
        engines=[one.claim.engine.name for one in written],
        engine_versions=[one.claim.engine.version for one in written],
        evidences=[one.evidence for one in written],
        missing=[" ".join(one.missing) for one in written],
        seeds=[one.claim.parameters.seed for one in written],
        prompts=[one.claim.parameters.prompt for one in written],
        graphs=[one.graph and to_raw(one.graph) for one in written],
        workloads=workloads,
        durations=[one.claim.observed and one.claim.observed.duration_s for one in written],
        steps=[one.step_id for one in written],
        actor=actor.name,
    )
    await _insert_inputs(conn, [(one, line) for one in written for line in one.inputs])
    await _insert_outputs(conn, written)


async def _workloads(conn: Conn, written: Sequence[Written]) -> list[int | None]:
    """For each receipt the id of its workload (workflow and size), when both are known."""
    keys = [(one.workflow, one.parameters.get("width"), one.parameters.get("height")) for one in written]
    wanted = {key for key in keys if None not in key}
    if not wanted:
        return [None] * len(keys)
    found = await rows(
        conn,
        """
        WITH wanted AS (
            SELECT c.id AS workflow_content_id, w.asset_id, w.digest, w.width, w.height
              FROM unnest(%(assets)s::bigint[], %(digests)s::bytea[], %(widths)s::int[], %(heights)s::int[])
                   AS w (asset_id, digest, width, height)
              JOIN contents c ON c.asset_id = w.asset_id AND c.digest = w.digest
        ), new AS (
            INSERT INTO workloads (workflow_content_id, width, height)
            SELECT workflow_content_id, width, height FROM wanted
             WHERE NOT EXISTS (SELECT FROM workloads k WHERE k.workflow_content_id = wanted.workflow_content_id
                                                         AND k.width = wanted.width AND k.height = wanted.height)
             ORDER BY 1, 2, 3
            ON CONFLICT ON CONSTRAINT workloads_unique DO UPDATE SET width = excluded.width
            RETURNING id, workflow_content_id, width, height
        )
        SELECT w.asset_id, w.digest, w.width, w.height, k.id
          FROM wanted w
          JOIN (SELECT id, workflow_content_id, width, height FROM new
                UNION ALL
                SELECT id, workflow_content_id, width, height FROM workloads) k
            ON (k.workflow_content_id, k.width, k.height) = (w.workflow_content_id, w.width, w.height)
        """,
        assets=[workflow[0] for workflow, _, _ in wanted if workflow],
        digests=[to_raw(workflow[1]) for workflow, _, _ in wanted if workflow],
        widths=[width for _, width, _ in wanted],
        heights=[height for _, _, height in wanted],
    )
    ids = {((row["asset_id"], from_raw(row["digest"])), row["width"], row["height"]): row["id"] for row in found}
    return [ids.get((workflow, width, height)) if workflow else None for workflow, width, height in keys]


async def _insert_inputs(conn: Conn, lines: Sequence[tuple[Written, Input]]) -> None:
    of_takes = {one.receipt_id: one.project_id for one, _ in lines if one.take_id is not None}
    await execute(
        conn,
        """
        WITH line AS (
            INSERT INTO receipt_inputs (receipt_id, role, ordinal, content_id, digest, take_id, part, via,
                                        strength_model, strength_clip)
            SELECT i.receipt_id, i.role, i.ordinal, c.id, CASE WHEN c.id IS NULL THEN i.digest END, i.take_id, i.part,
                   i.via, i.strength_model, i.strength_clip
              FROM unnest(%(receipts)s::bigint[], %(roles)s::text[], %(ordinals)s::smallint[], %(assets)s::bigint[],
                          %(digests)s::bytea[], %(takes)s::bigint[], %(parts)s::text[], %(vias)s::text[],
                          %(models)s::float8[], %(clips)s::float8[])
                   AS i (receipt_id, role, ordinal, asset_id, digest, take_id, part, via, strength_model, strength_clip)
              LEFT JOIN contents c ON c.asset_id = i.asset_id AND c.digest = i.digest
            RETURNING receipt_id, content_id
        )
        INSERT INTO usage_deltas (content_id, project_id, takes, selected)
        SELECT line.content_id, owner.project_id, count(DISTINCT line.receipt_id), 0
          FROM line
          JOIN unnest(%(counted)s::bigint[], %(projects)s::bigint[]) AS owner (receipt_id, project_id)
            ON owner.receipt_id = line.receipt_id
         WHERE line.content_id IS NOT NULL
         GROUP BY 1, 2
        """,
        receipts=[one.receipt_id for one, _ in lines],
        roles=[line.role.value for _, line in lines],
        ordinals=[line.ordinal for _, line in lines],
        assets=[line.asset for _, line in lines],
        digests=[line.digest and to_raw(line.digest) for _, line in lines],
        takes=[line.take for _, line in lines],
        parts=[line.part for _, line in lines],
        vias=[line.via for _, line in lines],
        models=[line.strength_model for _, line in lines],
        clips=[line.strength_clip for _, line in lines],
        counted=list(of_takes),
        projects=list(of_takes.values()),
    )


async def _insert_outputs(conn: Conn, written: Sequence[Written]) -> None:
    parts = [(one.receipt_id, part, output) for one in written for part, output in one.outputs.items()]
    await execute(
        conn,
        """
        INSERT INTO receipt_outputs (receipt_id, part, digest, media_type, size_bytes)
        SELECT receipt_id, part, digest, media_type, size_bytes
          FROM unnest(%(receipts)s::bigint[], %(parts)s::text[], %(digests)s::bytea[], %(types)s::text[],
                      %(sizes)s::bigint[]) AS o (receipt_id, part, digest, media_type, size_bytes)
        """,
        receipts=[receipt for receipt, _, _ in parts],
        parts=[part for _, part, _ in parts],
        digests=[to_raw(output.digest) for _, _, output in parts],
        types=[output.media_type for _, _, output in parts],
        sizes=[output.size_bytes for _, _, output in parts],
    )
