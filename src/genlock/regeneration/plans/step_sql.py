"""The row of a step while a worker executes it: claimed, kept alive, ended, each guarded by the fence.

The fence is the attempt: every claim raises it, and a worker that ends the step names the attempt it was given. A
worker that was stalled and comes back no longer holds the step.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, execute, maybe, rows, scalar
from genlock.digest import Digest, to_raw
from genlock.regeneration.plans.claimed_step import ClaimedStep
from genlock.regeneration.plans.step_outcome import StepEnd
from genlock.regeneration.recipe import ResolvedInput


async def claim(conn: Conn, step_id: int, worker: str) -> ClaimedStep | None:
    """Claim the step if it is queued in a running plan; from then on only this attempt may finish it."""
    return await maybe(
        conn,
        ClaimedStep,
        """
        WITH claimed AS (
            UPDATE plan_steps s
               SET state = 'running', attempt = s.attempt + 1, worker = %(worker)s, progress = 0, seen_at = now(),
                   started_at = now()
              FROM plans p
             WHERE s.id = %(step_id)s AND s.state = 'queued' AND p.id = s.plan_id AND p.state IN ('running', 'review')
            RETURNING s.id AS step_id, s.plan_id, s.position, p.project_id, s.segment_id, s.asset_id, s.kind,
                      s.wanted AS recipe, s.take_id, s.selected_take_id, s.active_version, s.attempt, p.review, p.force,
                      p.started_by, s.started_at AS claimed_at, p.created_at AS planned_at
        )
        SELECT c.step_id, c.plan_id, c.position, c.project_id, c.segment_id, g.scene_id, g.name AS segment, c.asset_id,
               a.kind AS asset_kind, a.name AS asset, c.kind, c.recipe, c.take_id, c.selected_take_id,
               c.active_version, c.attempt, c.review, c.force, c.started_by, c.claimed_at, c.planned_at
          FROM claimed c
          LEFT JOIN segments g ON g.id = c.segment_id
          LEFT JOIN assets a ON a.id = c.asset_id
        """,
        step_id=step_id,
        worker=worker,
    )


async def keep_alive(conn: Conn, step_id: int, attempt: int, progress: float) -> bool:
    """Say that the step is being worked on; whether it still is this attempt's."""
    touched = await execute(
        conn,
        """
        UPDATE plan_steps SET seen_at = now(), progress = greatest(progress, least(%(progress)s, 1))
         WHERE id = %(step_id)s AND attempt = %(attempt)s AND state = 'running'
        """,
        step_id=step_id,
        attempt=attempt,
        progress=progress,
    )
    return touched > 0


async def lock_if_current_attempt(conn: Conn, claimed: ClaimedStep) -> bool:
    """Lock the step's plan and then the step; whether this attempt may still finish it."""
    await execute(conn, "SELECT 1 FROM plans WHERE id = %(id)s FOR NO KEY UPDATE", id=claimed.plan_id)
    return await scalar(
        conn,
        """
        SELECT EXISTS (SELECT FROM plan_steps
                        WHERE id = %(step_id)s AND attempt = %(attempt)s AND state = 'running' FOR NO KEY UPDATE)
        """,
        step_id=claimed.step_id,
        attempt=claimed.attempt,
    )


async def made_versions(conn: Conn, plan_id: int) -> dict[int, ResolvedInput]:
    """Return the versions that steps of a plan have made, by asset."""
    records = await rows(
        conn,
        """
        SELECT s.asset_id, v.number, digest_text(v.digest) AS digest, digest_text(v.effective_digest) AS effective
          FROM plan_steps s JOIN asset_versions v ON v.asset_id = s.asset_id AND v.number = s.version
         WHERE s.plan_id = %(plan_id)s
        """,
        plan_id=plan_id,
    )
    return {
        row["asset_id"]: ResolvedInput(digest=row["digest"], effective_digest=row["effective"], version=row["number"])
        for row in records
    }


async def frame_before(conn: Conn, plan_id: int, segment_id: int) -> tuple[int, dict[str, Digest]] | None:
    """Return what a segment continues: the previous selected take, or with *review* the one this plan made."""
    records = await rows(
        conn,
        """
        SELECT r.take_id, jsonb_object_agg(o.part, digest_text(o.digest)) AS parts
          FROM segments g
          JOIN segments before ON before.scene_id = g.scene_id AND before.position = g.position - 1
          JOIN plans p ON p.id = %(plan_id)s
          LEFT JOIN plan_steps d ON p.review AND d.plan_id = p.id AND d.segment_id = before.id
                                AND d.state IN ('succeeded', 'skipped')
          LEFT JOIN selected_takes t ON t.segment_id = before.id
          JOIN receipts r ON r.take_id = coalesce(d.take_id, t.take_id)
          JOIN receipt_outputs o ON o.receipt_id = r.id
         WHERE g.id = %(segment_id)s
         GROUP BY r.take_id
        """,
        plan_id=plan_id,
        segment_id=segment_id,
    )
    return (records[0]["take_id"], records[0]["parts"]) if records else None


async def equal_take(conn: Conn, segment_id: int, inputs_digest: Digest, graph: Digest | None) -> int | None:
    """Return a complete take of the segment with these inputs and its bytes: the selected one, else the newest."""
    return await scalar(
        conn,
        """
        SELECT r.take_id
          FROM receipts r LEFT JOIN selected_takes t ON t.take_id = r.take_id
         WHERE r.segment_id = %(segment_id)s AND r.inputs_digest = %(inputs)s
           AND (%(graph)s::bytea IS NULL OR r.graph_digest = %(graph)s)
           AND well_evidenced(r.missing, r.evidence)
           AND (SELECT bool_and(o.part = 'frames' OR b.digest IS NOT NULL)
                  FROM receipt_outputs o LEFT JOIN blobs b ON b.digest = o.digest AND b.gone_since IS NULL
                 WHERE o.receipt_id = r.id)
         ORDER BY t.take_id IS NOT NULL DESC, r.id DESC
         LIMIT 1
        """,
        segment_id=segment_id,
        inputs=to_raw(inputs_digest),
        graph=None if graph is None else to_raw(graph),
    )


async def equal_version(conn: Conn, asset_id: int, inputs_digest: Digest, graph: Digest | None) -> int | None:
    """Return the newest version of the asset that an engine made from these inputs, if it has its bytes."""
    return await scalar(
        conn,
        """
        SELECT r.version
          FROM receipts r
          JOIN asset_versions v ON v.asset_id = r.asset_id AND v.number = r.version
          JOIN blobs b ON b.digest = v.digest AND b.gone_since IS NULL
         WHERE r.asset_id = %(asset_id)s AND r.inputs_digest = %(inputs)s
           AND (%(graph)s::bytea IS NULL OR r.graph_digest = %(graph)s)
         ORDER BY r.id DESC
         LIMIT 1
        """,
        asset_id=asset_id,
        inputs=to_raw(inputs_digest),
        graph=None if graph is None else to_raw(graph),
    )


class VersionFile(NamedTuple):
    """A version's file: its name, its path if it was registered in place, and the bindings of a workflow."""

    filename: str | None
    in_place: str | None = None
    bindings: dict[str, Any] | None = None
    editor: Digest | None = None
    """The workflow as ComfyUI's page saved it, if that and its node definitions are stored."""
    definitions: Digest | None = None


async def places_of(conn: Conn, refs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], VersionFile]:
    """Return the files of (asset, version) pairs."""
    records = await rows(
        conn,
        """
        SELECT v.asset_id, v.number, v.filename, bindings_in_effect(v.asset_id, v.number, v.bindings) AS bindings,
               digest_text(form.editor) AS editor, digest_text(form.definitions) AS definitions,
               coalesce(lies_at(v.asset_id, v.number, v.in_place), v.in_place) AS in_place
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS wanted (asset_id, number)
          JOIN asset_versions v ON v.asset_id = wanted.asset_id AND v.number = wanted.number
          LEFT JOIN LATERAL (
                SELECT f.editor, f.definitions FROM editor_forms f
                 WHERE f.asset_id = v.asset_id AND f.number = v.number AND f.definitions IS NOT NULL
                 ORDER BY f.id DESC
                 LIMIT 1) AS form ON true
        """,
        assets=[asset for asset, _ in refs],
        numbers=[number for _, number in refs],
    )
    return {
        (row["asset_id"], row["number"]): VersionFile(
            row["filename"], row["in_place"], row["bindings"], row["editor"], row["definitions"]
        )
        for row in records
    }


async def selected_take(conn: Conn, segment_id: int) -> int | None:
    """Return the selected take of a segment."""
    return await scalar(conn, "SELECT take_id FROM selected_takes WHERE segment_id = %(id)s", id=segment_id)


async def mark_ended(conn: Conn, step_id: int, end: StepEnd) -> None:
    """Write how a step ended; one that was given back waits for another attempt."""
    await execute(
        conn,
        """
        UPDATE plan_steps
           SET state = %(state)s, saved = %(saved)s, error = %(error)s,
               take_id = coalesce(%(take_id)s, take_id), version = coalesce(%(version)s, version),
               progress = CASE %(state)s WHEN 'queued' THEN 0 WHEN 'failed' THEN progress ELSE 1 END,
               finished_at = CASE WHEN %(state)s <> 'queued' THEN now() END,
               worker = CASE WHEN %(state)s <> 'queued' THEN worker END,
               seen_at = CASE WHEN %(state)s <> 'queued' THEN seen_at END
         WHERE id = %(step_id)s
        """,
        step_id=step_id,
        state=end.state.value,
        saved=end.saved,
        error=None if end.error is None else Jsonb(end.error.model_dump(exclude_none=True)),
        take_id=end.take_id,
        version=end.version,
    )
