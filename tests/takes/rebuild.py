"""The current state, recomputed from history with loops over plain rows: slow, and obviously right."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from genlock.db.connection import Conn, rows

Row = dict[str, Any]
WEAK = ("matched_by_name", "declared")


async def rebuilt(conn: Conn) -> Mapping[str, list[Row]]:
    """Return the expected rows of each table of the current state."""
    segments = await rows(
        conn,
        """
        SELECT g.id, g.scene_id, g.project_id, g.position, g.chained,
               s.archived_at IS NULL AND p.archived_at IS NULL AND g.archived_at IS NULL AS open
          FROM segments g JOIN scenes s ON s.id = g.scene_id JOIN projects p ON p.id = g.project_id
         ORDER BY g.scene_id, g.position
        """,
    )
    last = {row["segment_id"]: row["take_id"] for row in await rows(conn, "SELECT * FROM selections ORDER BY id")}
    receipts = {row["take_id"]: row for row in await rows(conn, "SELECT * FROM receipts")}
    takes = {row["id"]: row for row in await rows(conn, "SELECT * FROM takes")}
    inputs = await rows(
        conn,
        """
        SELECT i.receipt_id, i.role, i.ordinal, i.digest, i.take_id, i.part, i.via,
               coalesce(i.content_id, l.content_id) AS content_id
          FROM receipt_inputs i LEFT JOIN input_links l USING (receipt_id, role, ordinal)
         ORDER BY i.receipt_id, i.role, i.ordinal
        """,
    )
    outputs = {
        (row["receipt_id"], row["part"]): row["digest"] for row in await rows(conn, "SELECT * FROM receipt_outputs")
    }
    present: dict[str, list[Row]] = {"selected_takes": [], "runs": [], "broken_links": [], "current_inputs": []}
    selected_rows: dict[int, Row] = {}
    for segment in segments:
        take_id = last.get(segment["id"])
        if not segment["open"] or take_id is None:
            continue
        receipt = receipts[take_id]
        mine = [line for line in inputs if line["receipt_id"] == receipt["id"]]
        seed = next((line for line in mine if line["role"] == "seed_frame"), None)
        before = next(
            (
                other
                for other in segments
                if other["scene_id"] == segment["scene_id"] and other["position"] == segment["position"] - 1
            ),
            None,
        )
        continued = selected_rows.get(before["id"]) if before and segment["chained"] and seed else None
        frame_of = takes[seed["take_id"]]["segment_id"] if seed and seed["take_id"] else None
        row: Row = {
            "segment_id": segment["id"],
            "project_id": segment["project_id"],
            "scene_id": segment["scene_id"],
            "take_id": take_id,
            "receipt_id": receipt["id"],
            "unknown": bool(receipt["missing"])
            or receipt["evidence"] in WEAK
            or any(line["digest"] and not line["content_id"] and line["role"] != "seed_frame" for line in mine),
            "seed_digest": seed and seed["digest"],
            "seed_part": seed and seed["part"],
            "seed_take_id": seed and seed["take_id"],
            "via_judged": not (segment["chained"] and before and frame_of == before["id"]),
            "run_id": continued["run_id"] if continued else segment["id"],
            "run_position": continued["run_position"] + 1 if continued else 1,
            "workload_id": receipt["workload_id"],
        }
        selected_rows[segment["id"]] = row
        present["selected_takes"].append(row)
        expected_digest = outputs.get((continued["receipt_id"], seed["part"])) if continued and seed else None
        if expected_digest is not None and seed and expected_digest != seed["digest"]:
            present["broken_links"].append(
                {
                    "segment_id": segment["id"],
                    "project_id": segment["project_id"],
                    "used_digest": seed["digest"],
                    "expected_digest": expected_digest,
                }
            )
        judged: dict[int, bool] = {}
        for line in mine:
            if line["content_id"] is not None:
                speaks = line["via"] is None or (line["via"] == "seed_frame" and row["via_judged"])
                judged[line["content_id"]] = judged.get(line["content_id"], False) or speaks
        present["current_inputs"] += [
            {
                "content_id": content,
                "project_id": segment["project_id"],
                "segment_id": segment["id"],
                "scene_id": segment["scene_id"],
                "run_id": row["run_id"],
                "run_position": row["run_position"],
                "judged": speaks,
            }
            for content, speaks in judged.items()
        ]
    for run_id in {row["run_id"] for row in selected_rows.values()}:
        run = sorted(
            (row for row in selected_rows.values() if row["run_id"] == run_id), key=lambda row: row["run_position"]
        )
        workloads = {row["workload_id"] for row in run}
        present["runs"].append(
            {
                "run_id": run_id,
                "project_id": run[0]["project_id"],
                "scene_id": run[0]["scene_id"],
                "length": len(run),
                "unknown_from": next((row["run_position"] for row in run if row["unknown"]), None),
                "workload_id": workloads.pop() if len(workloads) == 1 else None,
            }
        )
    return {name: sorted(table_rows, key=repr) for name, table_rows in present.items()}


async def counted(conn: Conn, *, selected: bool) -> Mapping[tuple[int, int | None, int], int]:
    """Return how many takes of a project used an asset or its version: (asset, version or none, project) → takes."""
    uses = await rows(
        conn,
        """
        SELECT DISTINCT k.id AS take_id, k.project_id, c.asset_id, c.version
          FROM takes k
          JOIN receipts r ON r.take_id = k.id
          JOIN receipt_inputs i ON i.receipt_id = r.id
          LEFT JOIN input_links l USING (receipt_id, role, ordinal)
          JOIN contents c ON c.id IN (i.content_id, l.content_id)
         WHERE NOT %(selected)s OR k.id IN (SELECT take_id FROM selected_takes)
        """,
        selected=selected,
    )
    by_asset = {(row["asset_id"], None, row["project_id"], row["take_id"]) for row in uses}
    by_version = {
        (row["asset_id"], row["version"], row["project_id"], row["take_id"]) for row in uses if row["version"]
    }
    return Counter((asset, version, project) for asset, version, project, _ in by_asset | by_version)
