"""How takes are put in the cut, for statements that have them as ``wanted``.

wanted (segment_id, project_id, scene_id, take_id, previous_take_id, receipt_id, unknown, workload_id, seed_digest,
        seed_part, seed_take_id) ──▶ LOGGED, PRESENT
"""

from typing import LiteralString

UNKNOWN: LiteralString = "cardinality(r.missing) > 0 OR r.evidence IN ('matched_by_name', 'declared')"
"""Whether too little is known of how the take of a receipt ``r`` was made."""

LOGGED: LiteralString = """
            INSERT INTO selections (segment_id, take_id, previous_take_id, actor)
            SELECT segment_id, take_id, previous_take_id, %(actor)s FROM wanted WHERE %(actor)s::text IS NOT NULL
"""
"""Who did it; without an actor nothing is logged."""

# A new row stands alone in a run of its own until its scene is settled.
PRESENT: LiteralString = """
            INSERT INTO selected_takes AS t (segment_id, project_id, scene_id, take_id, receipt_id, unknown,
                                             seed_digest, seed_part, seed_take_id, via_judged, run_id, run_position,
                                             workload_id)
            SELECT segment_id, project_id, scene_id, take_id, receipt_id, unknown, seed_digest, seed_part,
                   seed_take_id, true, segment_id, 1, workload_id
              FROM wanted
            ON CONFLICT (segment_id) DO UPDATE
               SET take_id = excluded.take_id, receipt_id = excluded.receipt_id, unknown = excluded.unknown,
                   seed_digest = excluded.seed_digest, seed_part = excluded.seed_part,
                   seed_take_id = excluded.seed_take_id, workload_id = excluded.workload_id
"""
"""The rows of the present; all else of a segment's row stays as it is until its scene is settled."""
