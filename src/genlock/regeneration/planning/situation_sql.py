"""Loads the situation for planning: a constant number of queries for any number of segments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from genlock.db.connection import Conn, rows
from genlock.digest import Digest, to_raw
from genlock.model import Kind
from genlock.regeneration.planning import library_sql
from genlock.regeneration.planning.redo import names_of
from genlock.regeneration.planning.situation import (
    AssetFact,
    EarlierTake,
    Judgement,
    OwnCause,
    PlannedSegment,
    ReceiptFacts,
    SelectedTake,
    Situation,
    Target,
)
from genlock.staleness.arrays import integers
from genlock.staleness.judge import Judged, judge
from genlock.staleness.model import RootKey
from genlock.staleness.outdated_versions import Scope
from genlock.staleness.present_sql import load_scenes
from genlock.takes.model import ReferencedAsset
from genlock.takes.receipt import Input

_SAMPLES = 1000
"""Medians are of up to this many of the newest measurements of a workload, as in the report."""


async def load(
    conn: Conn, project_id: int, scene_ids: Sequence[int], used: Iterable[tuple[int, int]] = ()
) -> Situation:
    """Load some scenes of a project with everything that planning them may need.

    ``used`` are (scope, asset) pairs that segments elsewhere use, whose regeneration matters as well.
    """
    places = await _places(conn, scene_ids)
    receipts = [row["receipt_id"] for row in places if row["receipt_id"] is not None]
    facts = await library_sql.receipt_facts(conn, receipts)
    inputs = await _inputs(conn, receipts)
    outputs = await _outputs(conn, receipts)
    segments = tuple(_segment(row, facts, inputs, outputs) for row in places)
    judgements = await _judgements(conn, project_id, scene_ids, places)
    named = {line.asset for lines in inputs.values() for line in lines if line.asset is not None}
    named |= {asset_id for _, asset_id in used}
    scopes = sorted({segment.scope_id for segment in segments} | {scope_id for scope_id, _ in used})
    library = await library_sql.library(conn, sorted(named), sorted({*scopes, 0}))
    recipes = library.recipes.values() if library else ()
    named |= {line.asset for recipe in recipes for line in recipe.inputs if line.asset is not None}
    named |= set(library.lineage.active) if library else set()
    assets = await assets_of(conn, sorted(named))
    by_scene = await scopes_of(conn, scene_ids)
    refs = {(asset_id, fact.active) for asset_id, fact in assets.items() if fact.active is not None}
    refs |= {ref for scope in by_scene.values() for ref in scope.pins.items() if ref[0] in assets}
    versions = await versions_of(conn, sorted(refs))
    roots = names_of(root for judgement in judgements.values() for root in judgement.stale) - set(assets)
    stored = {line.digest for lines in inputs.values() for line in lines if line.role != "seed_frame"}
    stored |= {line.digest for recipe in recipes for line in recipe.inputs}
    stored |= {target.digest for target in versions.values()}
    stored |= {recipe.graph for recipe in (*facts.values(), *recipes)}
    workloads = {recipe.workload_id for recipe in (*facts.values(), *recipes)}
    return Situation(
        project_id=project_id,
        segments=segments,
        judgements=judgements,
        assets=assets,
        scopes=by_scene,
        versions=versions,
        outdated=await _outdated(conn, sorted(named), scopes),
        earlier_takes=await _earlier_takes(conn, [segment.segment_id for segment in segments], receipts),
        lost=await lost_among(conn, stored - {None}),
        cost_s=await _costs(conn, sorted(workload for workload in workloads if workload is not None)),
        library=library,
        names={asset_id: fact.asset for asset_id, fact in (await assets_of(conn, sorted(roots))).items()},
    )


async def _places(conn: Conn, scene_ids: Sequence[int]) -> list[dict[str, Any]]:
    return await rows(
        conn,
        """
        SELECT g.id AS segment_id, g.scene_id, scope.scope_id, g.name,
               CASE WHEN s.archived_at IS NULL THEN g.position END AS position,
               t.take_id, t.receipt_id, t.run_id, t.run_position, t.via_judged
          FROM segments g
          JOIN scenes s ON s.id = g.scene_id
          JOIN scene_scopes scope ON scope.scene_id = s.id
          LEFT JOIN selected_takes t ON t.segment_id = g.id
         WHERE g.scene_id = ANY(%(scenes)s)
         ORDER BY s.position, s.id, g.position NULLS LAST, g.id
        """,
        scenes=list(scene_ids),
    )


def _segment(
    row: Mapping[str, Any],
    facts: Mapping[int, ReceiptFacts],
    inputs: Mapping[int, Sequence[Input]],
    outputs: Mapping[int, Mapping[str, Digest]],
) -> PlannedSegment:
    take = None
    if row["receipt_id"] is not None:
        lines = inputs.get(row["receipt_id"], ())
        receipt = facts[row["receipt_id"]]
        take = SelectedTake(
            take_id=row["take_id"],
            receipt=ReceiptFacts(
                receipt_digest=receipt.receipt_digest,
                engine=receipt.engine,
                parameters=receipt.parameters,
                graph=receipt.graph,
                inputs=tuple(line for line in lines if line.via is None),
                workload_id=receipt.workload_id,
            ),
            continues=row["run_position"] > 1,
            via=tuple(line for line in lines if line.via is not None),
            outputs=outputs.get(row["receipt_id"], {}),
        )
    return PlannedSegment(row["segment_id"], row["scene_id"], row["scope_id"], row["position"], row["name"], take)


async def _inputs(conn: Conn, receipt_ids: Sequence[int]) -> dict[int, list[Input]]:
    """Return the inputs of receipts as resolved today: a digest that was registered since has a version."""
    lines = await rows(
        conn,
        """
        SELECT i.receipt_id, i.role, i.ordinal, a.kind, a.id AS asset, a.name, c.version,
               digest_text(coalesce(c.digest, i.digest)) AS digest, digest_text(c.effective_digest) AS effective_digest,
               i.strength_model, i.strength_clip, i.part, i.take_id AS take, i.via
          FROM resolved_inputs i
          LEFT JOIN contents c ON c.id = i.content_id
          LEFT JOIN assets a ON a.id = c.asset_id
         WHERE i.receipt_id = ANY(%(receipts)s)
         ORDER BY i.receipt_id, i.role, i.ordinal
        """,
        receipts=list(receipt_ids),
    )
    inputs: dict[int, list[Input]] = {}
    distinct: dict[tuple[Any, ...], Input] = {}  # segments of a project share most inputs, and parsing them takes long
    for row in lines:
        receipt_id = row.pop("receipt_id")
        values = tuple(row.values())
        if values not in distinct:
            distinct[values] = Input.model_validate(row)
        inputs.setdefault(receipt_id, []).append(distinct[values])
    return inputs


async def _outputs(conn: Conn, receipt_ids: Sequence[int]) -> dict[int, dict[str, Digest]]:
    parts = await rows(
        conn,
        """
        SELECT receipt_id, part, digest_text(digest) AS digest FROM receipt_outputs
         WHERE receipt_id = ANY(%(receipts)s)
        """,
        receipts=list(receipt_ids),
    )
    outputs: dict[int, dict[str, Digest]] = {}
    for row in parts:
        outputs.setdefault(row["receipt_id"], {})[row["part"]] = row["digest"]
    return outputs


async def _judgements(
    conn: Conn, project_id: int, scene_ids: Sequence[int], places: Sequence[Mapping[str, Any]]
) -> dict[int, Judgement]:
    """Return the judgement of each segment that is not fresh, from that of its scene."""
    judged = judge((await load_scenes(conn, project_id, scene_ids)).present)
    taken = [row for row in places if row["run_id"] is not None]
    run_ids, positions = (integers([row[name] for row in taken]) for name in ("run_id", "run_position"))
    existing = judged.present.runs.hold(run_ids, positions)
    at = judged.places(judged.present.run_index(run_ids[existing]), positions[existing])
    segment_at = dict(zip(at.tolist(), integers([row["segment_id"] for row in taken])[existing].tolist(), strict=True))
    roots = judged.present.roots
    stale: dict[int, set[RootKey]] = {}
    waived: dict[int, set[RootKey]] = {}
    for reason in judged.reasons(at):
        segment_id = segment_at[int(judged.base[reason.run]) + reason.position - 1]
        (stale if reason.stale else waived).setdefault(segment_id, set()).add(roots[reason.root])
    own = await _own_causes(conn, judged, segment_at)
    return {
        segment_id: Judgement(
            stale=frozenset(stale.get(segment_id, ())),
            waived=frozenset(waived.get(segment_id, ())),
            own=tuple(own.get(segment_id, ())),
        )
        for segment_id in {*stale, *waived, *own}
    }


async def _own_causes(conn: Conn, judged: Judged, segment_at: Mapping[int, int]) -> dict[int, list[OwnCause]]:
    """Return the causes that begin in each segment, with the asset and digest of the input that gives each."""
    content_ids = np.unique(judged.present.sources.content[judged.own.source[judged.own.source >= 0]]).tolist()
    contents = {
        row["id"]: row
        for row in await rows(
            conn,
            "SELECT id, asset_id, digest_text(digest) AS digest FROM contents WHERE id = ANY(%(contents)s::bigint[])",
            contents=content_ids,
        )
    }
    own: dict[int, list[OwnCause]] = {}
    for cause in judged.own_causes():
        content = contents.get(cause.content or 0, {})
        own.setdefault(segment_at[cause.place], []).append(
            OwnCause(
                judged.present.roots[cause.root],
                cause.direct,
                cause.waived,
                content.get("asset_id"),
                content.get("digest"),
            )
        )
    return own


async def assets_of(conn: Conn, asset_ids: Sequence[int]) -> dict[int, AssetFact]:
    """Return assets by id; unknown ones are absent."""
    if not asset_ids:
        return {}
    assets = await rows(
        conn,
        """
        SELECT id, kind, name, project_id, active_version, archived_at IS NOT NULL AS archived FROM assets
         WHERE id = ANY(%(assets)s)
        """,
        assets=list(asset_ids),
    )
    return {
        row["id"]: AssetFact(
            ReferencedAsset(id=row["id"], kind=Kind(row["kind"]), name=row["name"]),
            row["project_id"],
            row["active_version"],
            row["archived"],
        )
        for row in assets
    }


async def scopes_of(conn: Conn, scene_ids: Sequence[int]) -> dict[int, Scope]:
    """Return the scope of each scene with pins."""
    pinned = await rows(
        conn,
        """
        SELECT s.scene_id, s.scope_id, jsonb_object_agg(p.asset_id, p.number) AS pins
          FROM scene_scopes s JOIN scope_pins p ON p.scope_id = s.scope_id
         WHERE s.scene_id = ANY(%(scenes)s::bigint[])
         GROUP BY s.scene_id, s.scope_id
        """,
        scenes=list(scene_ids),
    )
    return {
        row["scene_id"]: Scope(row["scope_id"], {int(asset): number for asset, number in row["pins"].items()})
        for row in pinned
    }


async def versions_of(conn: Conn, refs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Target]:
    """Return versions by (asset, number); unknown ones are absent."""
    versions = await rows(
        conn,
        """
        SELECT v.asset_id, v.number, a.kind, a.name, digest_text(v.digest) AS digest,
               digest_text(v.effective_digest) AS effective
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS wanted (asset_id, number)
          JOIN asset_versions v ON v.asset_id = wanted.asset_id AND v.number = wanted.number
          JOIN assets a ON a.id = v.asset_id
        """,
        assets=[asset for asset, _ in refs],
        numbers=[number for _, number in refs],
    )
    return {
        (row["asset_id"], row["number"]): Target(
            ReferencedAsset(id=row["asset_id"], kind=Kind(row["kind"]), name=row["name"]),
            row["number"],
            row["digest"],
            row["effective"],
        )
        for row in versions
    }


async def _outdated(conn: Conn, assets: Sequence[int], scopes: Sequence[int]) -> frozenset[tuple[int, int, int]]:
    outdated = await rows(
        conn,
        """
        SELECT DISTINCT o.scope_id, o.asset_id, c.version
          FROM outdated_contents o JOIN contents c ON c.id = o.content_id
         WHERE o.asset_id = ANY(%(assets)s) AND o.scope_id = ANY(%(scopes)s) AND o.kind = 'derived'
        """,
        assets=list(assets),
        scopes=list(scopes),
    )
    return frozenset((row["scope_id"], row["asset_id"], row["version"]) for row in outdated)


async def _earlier_takes(
    conn: Conn, segment_ids: Sequence[int], selected: Sequence[int]
) -> dict[int, tuple[EarlierTake, ...]]:
    """Return the takes that could be selected again: not selected, complete, well evidenced, every byte stored."""
    takes = await rows(
        conn,
        """
        SELECT r.segment_id, r.take_id, digest_text(r.inputs_digest) AS inputs_digest,
               digest_text(r.graph_digest) AS graph, o.outputs
          FROM receipts r
         CROSS JOIN LATERAL (
               SELECT jsonb_object_agg(o.part, digest_text(o.digest)) AS outputs,
                      bool_and(o.part = 'frames' OR b.digest IS NOT NULL) AS there
                 FROM receipt_outputs o
                 LEFT JOIN blobs b ON b.digest = o.digest AND b.gone_since IS NULL
                WHERE o.receipt_id = r.id) o
         WHERE r.segment_id = ANY(%(segments)s) AND r.id <> ALL(%(selected)s)
           AND well_evidenced(r.missing, r.evidence) AND o.there
         ORDER BY r.segment_id, r.id DESC
        """,
        segments=list(segment_ids),
        selected=list(selected),
    )
    earlier_takes: dict[int, list[EarlierTake]] = {}
    for row in takes:
        take = EarlierTake(row["take_id"], row["inputs_digest"], row["graph"], row["outputs"])
        earlier_takes.setdefault(row["segment_id"], []).append(take)
    return {segment_id: tuple(earlier) for segment_id, earlier in earlier_takes.items()}


async def lost_among(conn: Conn, digests: Iterable[Digest | None]) -> frozenset[Digest]:
    """Return those of ``digests`` whose bytes are neither in the store nor in a file registered in place."""
    lost = await rows(
        conn,
        """
        SELECT digest_text(d.digest) AS digest
          FROM unnest(%(digests)s::bytea[]) AS d (digest)
         WHERE NOT EXISTS (SELECT FROM blobs b WHERE b.digest = d.digest AND b.gone_since IS NULL)
           AND NOT EXISTS (SELECT FROM contents c JOIN asset_versions v ON v.content_id = c.id
                            WHERE c.digest = d.digest
                              AND lies_at(v.asset_id, v.number, v.in_place) IS NOT NULL)
        """,
        digests=[to_raw(digest) for digest in digests if digest is not None],
    )
    return frozenset(row["digest"] for row in lost)


async def _costs(conn: Conn, workloads: Sequence[int]) -> dict[int, float]:
    medians = await rows(
        conn,
        """
        SELECT w.id, m.median
          FROM unnest(%(workloads)s::int[]) AS w (id)
         CROSS JOIN LATERAL (
               SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.duration_s) AS median
                 FROM (SELECT r.duration_s FROM receipts r
                        WHERE r.workload_id = w.id AND r.duration_s IS NOT NULL
                        ORDER BY r.id DESC LIMIT %(samples)s) d) m
         WHERE m.median IS NOT NULL
        """,
        workloads=list(workloads),
        samples=_SAMPLES,
    )
    return {row["id"]: row["median"] for row in medians}
