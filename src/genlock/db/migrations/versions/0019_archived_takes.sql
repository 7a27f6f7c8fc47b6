-- What is archived has left the present and keeps its truth: its last selected take, judged alone. Nothing continues an
-- archived segment, and it continues nothing.

CREATE VIEW archived_takes AS
SELECT g.id AS segment_id, g.project_id, g.scene_id, last.take_id, r.id AS receipt_id,
       take_is_unknown(r.id, r.missing, r.evidence) AS unknown, r.workload_id
  FROM segments g
  JOIN scenes s ON s.id = g.scene_id
  JOIN projects p ON p.id = g.project_id
 CROSS JOIN LATERAL (SELECT take_id FROM selections WHERE segment_id = g.id ORDER BY id DESC LIMIT 1) AS last
  JOIN receipts r ON r.take_id = last.take_id
 WHERE coalesce(g.archived_at, s.archived_at, p.archived_at) IS NOT NULL;

-- The take that a segment is judged by. Inputs that came with a seed frame are judged where nothing before speaks for
-- them.
CREATE VIEW judged_takes AS
SELECT segment_id, take_id, receipt_id, via_judged FROM selected_takes
 UNION ALL
SELECT segment_id, take_id, receipt_id, true FROM archived_takes;

CREATE VIEW archived_inputs AS
SELECT DISTINCT a.segment_id, i.content_id
  FROM archived_takes a
  JOIN resolved_inputs i ON i.receipt_id = a.receipt_id
 WHERE i.content_id IS NOT NULL AND (i.via IS NULL OR i.via = 'seed_frame');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT ON archived_takes, judged_takes, archived_inputs TO genlock_app;
    END IF;
END $$;
