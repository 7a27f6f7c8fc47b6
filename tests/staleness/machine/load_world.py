"""Load a database into the oracle's plain rows: only recorded facts, and nothing derived from them.

It reads history (receipts' documents, selections, pins, derivations) and never the tables of the current state that
the SQL rules maintain, so that a fault in maintaining them shows.
"""

import json
from datetime import datetime
from typing import Any

from tests.staleness.oracle.rows import (
    AssetRow,
    DerivationRow,
    InputRow,
    PinRow,
    ProjectRow,
    ReceiptRow,
    SceneRow,
    SegmentRow,
    TakeRow,
    VersionRow,
    WaiverRow,
    World,
)

from genlock.db.connection import Conn, rows, scalar
from genlock.digest import from_raw


async def load_world(conn: Conn) -> World:
    """Load everything that states depend on, as seen by this transaction."""
    receipts = await rows(
        conn,
        "SELECT id, take_id, missing, evidence, document, inputs_digest, duration_s FROM receipts ORDER BY id",
    )
    documents = {row["id"]: json.loads(row["document"]) for row in receipts}
    now: datetime = await scalar(conn, "SELECT now()")
    return World(
        projects=tuple(
            ProjectRow(row["id"], row["slug"], row["archived"])
            for row in await rows(conn, "SELECT id, slug, archived_at IS NOT NULL AS archived FROM projects")
        ),
        scenes=tuple(
            SceneRow(row["id"], row["project_id"], row["name"], row["position"], row["archived"])
            for row in await rows(
                conn, "SELECT id, project_id, name, position, archived_at IS NOT NULL AS archived FROM scenes"
            )
        ),
        segments=tuple(
            SegmentRow(
                row["id"],
                row["scene_id"],
                row["project_id"],
                row["position"],
                row["name"],
                row["chained"],
                row["archived"],
                row["archived_position"],
            )
            for row in await rows(
                conn,
                """SELECT id, scene_id, project_id, position, name, chained, archived_at IS NOT NULL AS archived,
                          archived_position
                     FROM segments""",
            )
        ),
        assets=tuple(
            AssetRow(row["id"], row["project_id"], row["kind"], row["name"], row["active"])
            for row in await rows(
                conn,
                "SELECT id, project_id, kind, name, active_version AS active FROM assets WHERE active_version > 0",
            )
        ),
        versions=tuple(
            VersionRow(
                row["asset_id"], row["number"], row["digest"], row["effective"], row["filename"], row["registered"]
            )
            for row in await rows(
                conn,
                """SELECT asset_id, number, digest_text(digest) AS digest, digest_text(effective_digest) AS effective,
                          filename, row_number() OVER (ORDER BY created_at, asset_id, number) AS registered
                     FROM asset_versions""",
            )
        ),
        derivations=tuple(
            DerivationRow(row["id"], row["asset_id"], row["number"], tuple(map(tuple, row["sources"])))
            for row in await rows(
                conn,
                """SELECT d.id, d.asset_id, d.number, jsonb_agg(jsonb_build_array(s.asset_id, s.number)) AS sources
                     FROM derivations d JOIN derivation_sources s ON s.derivation_id = d.id GROUP BY d.id""",
            )
        ),
        pins=tuple(
            PinRow(row["project_id"], row["scene_id"], row["asset_id"], row["number"])
            for row in await rows(conn, "SELECT project_id, scene_id, asset_id, number FROM pins")
        ),
        takes=tuple(
            TakeRow(
                row["id"],
                row["segment_id"],
                row["number"],
                row["receipt_id"],
                {part: output["digest"] for part, output in documents[row["receipt_id"]]["outputs"].items()},
            )
            for row in await rows(
                conn,
                """SELECT t.id, t.segment_id, t.number, r.id AS receipt_id
                     FROM takes t JOIN receipts r ON r.take_id = t.id""",
            )
        ),
        receipts=tuple(_receipt(row, documents[row["id"]]) for row in receipts),
        selected={
            row["segment_id"]: row["take_id"]
            for row in await rows(
                conn,
                "SELECT DISTINCT ON (segment_id) segment_id, take_id FROM selections ORDER BY segment_id, id DESC",
            )
        },
        waivers=tuple(
            WaiverRow(
                row["id"],
                row["segment_id"],
                row["asset_id"],
                row["used"],
                row["expected"],
                row["expires_at"],
                row["withdrawn"],
            )
            for row in await rows(
                conn,
                """SELECT id, segment_id, asset_id, digest_text(used_digest) AS used, expires_at,
                          digest_text(expected_digest) AS expected, withdrawn_at IS NOT NULL AS withdrawn
                     FROM waivers""",
            )
        ),
        now=now,
    )


def _receipt(row: dict[str, Any], document: dict[str, Any]) -> ReceiptRow:
    inputs = tuple(
        InputRow(
            role=line["role"],
            ordinal=line["ordinal"],
            digest=line["digest"],
            asset_id=line.get("asset"),
            take_id=line.get("take"),
            part=line.get("part"),
            via=line.get("via"),
            strength_model=line.get("strength_model"),
            strength_clip=line.get("strength_clip"),
        )
        for line in document["inputs"]
    )
    workflow = next((line.digest for line in inputs if line.role == "workflow" and line.asset_id), None)
    return ReceiptRow(
        id=row["id"],
        take_id=row["take_id"],
        inputs=inputs,
        missing=tuple(row["missing"]),
        evidence=row["evidence"],
        duration_s=row["duration_s"],
        workflow_digest=workflow,
        width=document["parameters"].get("width"),
        height=document["parameters"].get("height"),
        inputs_digest=from_raw(row["inputs_digest"]),
    )
