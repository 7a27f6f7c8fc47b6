-- An input that was given by a digest alone, and whose digest was registered as a version after the receipt was
-- written: the content it has since then. Receipts stay unchanged.

CREATE TABLE input_links (
    receipt_id  bigint NOT NULL,
    role        text NOT NULL,
    ordinal     smallint NOT NULL,
    project_id  bigint NOT NULL,
    content_id  bigint NOT NULL REFERENCES contents,
    linked_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (receipt_id, role, ordinal),
    FOREIGN KEY (receipt_id, role, ordinal) REFERENCES receipt_inputs
);
CREATE INDEX input_links_by_content ON input_links (content_id, project_id, receipt_id);
SELECT write_once('input_links');

-- The inputs of receipts with the content that each has today. Two branches, so that a condition on the content uses an
-- index in each.
CREATE VIEW resolved_inputs AS
SELECT receipt_id, project_id, role, ordinal, content_id, digest, take_id, part, via, strength_model, strength_clip
  FROM receipt_inputs
 WHERE content_id IS NOT NULL
 UNION ALL
SELECT i.receipt_id, i.project_id, i.role, i.ordinal, l.content_id, i.digest, i.take_id, i.part, i.via,
       i.strength_model, i.strength_clip
  FROM receipt_inputs i
  LEFT JOIN input_links l ON (l.receipt_id, l.role, l.ordinal) = (i.receipt_id, i.role, i.ordinal)
 WHERE i.content_id IS NULL;

-- Whether too little is known about a take to call it fresh: something required is missing, the evidence is weak, or an
-- input has a digest that no asset has.
CREATE FUNCTION take_is_unknown(receipt bigint, missing text[], evidence text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN cardinality(missing) > 0 OR evidence IN ('matched_by_name', 'declared')
        OR EXISTS (SELECT FROM resolved_inputs i
                    WHERE i.receipt_id = receipt AND i.content_id IS NULL AND i.digest IS NOT NULL
                      AND i.role <> 'seed_frame');

-- Receipts written before this revision: link what was registered since, to the asset that registered it first.
INSERT INTO input_links (receipt_id, role, ordinal, project_id, content_id)
SELECT DISTINCT ON (i.receipt_id, i.role, i.ordinal) i.receipt_id, i.role, i.ordinal, i.project_id, v.content_id
  FROM receipt_inputs i
  JOIN asset_versions v ON v.digest = i.digest
  JOIN assets a ON a.id = v.asset_id AND a.kind = i.role AND (a.project_id IS NULL OR a.project_id = i.project_id)
 WHERE i.content_id IS NULL AND i.role <> 'seed_frame' AND i.project_id IS NOT NULL
 ORDER BY i.receipt_id, i.role, i.ordinal, v.created_at, a.project_id NULLS LAST, a.id;

INSERT INTO usage_deltas (content_id, project_id, takes, selected)
SELECT content_id, project_id, count(DISTINCT receipt_id), 0
  FROM input_links
 GROUP BY content_id, project_id
 UNION ALL
SELECT -asset_id, project_id, sum(before - after), 0
  FROM (SELECT c.asset_id, i.project_id, i.receipt_id, count(DISTINCT i.content_id) AS after,
               greatest(count(DISTINCT r.content_id), 1) AS before
          FROM resolved_inputs i
          JOIN contents c ON c.id = i.content_id
          LEFT JOIN receipt_inputs r ON (r.receipt_id, r.role, r.ordinal) = (i.receipt_id, i.role, i.ordinal)
         WHERE i.receipt_id IN (SELECT receipt_id FROM input_links)
         GROUP BY 1, 2, 3) AS several
 GROUP BY 1, 2
HAVING sum(before - after) <> 0;

UPDATE selected_takes t
   SET unknown = true
  FROM receipts r
 WHERE r.id = t.receipt_id AND NOT t.unknown AND take_is_unknown(r.id, r.missing, r.evidence);

UPDATE runs r
   SET unknown_from = first.position
  FROM (SELECT run_id, min(run_position) FILTER (WHERE unknown) AS position FROM selected_takes GROUP BY run_id) AS first
 WHERE first.run_id = r.run_id AND r.unknown_from IS DISTINCT FROM first.position;

WITH linked AS (
    SELECT l.content_id, t.project_id, t.segment_id, t.scene_id, t.run_id, t.run_position,
           bool_or(i.via IS NULL OR (i.via = 'seed_frame' AND t.via_judged)) AS judged
      FROM input_links l
      JOIN selected_takes t ON t.receipt_id = l.receipt_id
      JOIN receipt_inputs i ON (i.receipt_id, i.role, i.ordinal) = (l.receipt_id, l.role, l.ordinal)
     GROUP BY 1, 2, 3, 4, 5, 6
), several AS (
    SELECT c.asset_id, l.project_id, l.segment_id, count(*) AS added,
           (SELECT count(*) FROM current_inputs i JOIN contents k ON k.id = i.content_id
             WHERE i.segment_id = l.segment_id AND k.asset_id = c.asset_id) AS before
      FROM linked l
      JOIN contents c ON c.id = l.content_id
     WHERE NOT EXISTS (SELECT FROM current_inputs i
                        WHERE (i.content_id, i.project_id, i.segment_id) = (l.content_id, l.project_id, l.segment_id))
     GROUP BY 1, 2, 3
), added AS (
    INSERT INTO current_inputs (content_id, project_id, segment_id, scene_id, run_id, run_position, judged)
    SELECT content_id, project_id, segment_id, scene_id, run_id, run_position, judged FROM linked
    ON CONFLICT (content_id, project_id, segment_id) DO UPDATE SET judged = current_inputs.judged OR excluded.judged
    RETURNING content_id, project_id, xmax = 0 AS inserted
)
INSERT INTO usage_deltas (content_id, project_id, takes, selected)
SELECT content_id, project_id, 0, count(*) FROM added WHERE inserted GROUP BY 1, 2
 UNION ALL
SELECT -asset_id, project_id, 0, sum(greatest(before, 1) - greatest(before + added, 1))
  FROM several
 GROUP BY 1, 2
HAVING sum(greatest(before, 1) - greatest(before + added, 1)) <> 0;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT ON input_links TO genlock_app;
        GRANT SELECT ON resolved_inputs TO genlock_app;
        GRANT EXECUTE ON FUNCTION take_is_unknown TO genlock_app;
    END IF;
END $$;
