-- The columns that several statements read, each set of them defined once. Conditions and order belong to the statements:
-- these views add no grouping or limit of their own, so that a page still comes out of an index.

CREATE VIEW version_details AS
SELECT v.asset_id, v.number, digest_text(v.digest) AS digest, digest_text(v.effective_digest) AS effective_digest,
       v.size_bytes, v.media_type, v.filename, v.note, v.equivalent_to, v.in_place IS NOT NULL AS in_place,
       bytes_gone_since(v.asset_id, v.number, v.digest, v.in_place) AS gone_since,
       v.number IS NOT DISTINCT FROM a.active_version AS active, v.created_by, v.created_at, v.details, v.bindings,
       coalesce((SELECT jsonb_agg(jsonb_build_object(
                            'id', d.id, 'created_at', d.created_at,
                            'sources', (SELECT jsonb_agg(jsonb_build_object('asset_id', s.asset_id, 'number', s.number)
                                                         ORDER BY s.asset_id, s.number)
                                          FROM derivation_sources s WHERE s.derivation_id = d.id)) ORDER BY d.id)
                   FROM derivations d
                  WHERE d.asset_id = v.asset_id AND d.number = v.number), '[]') AS derivations
  FROM asset_versions v
  JOIN assets a ON a.id = v.asset_id;

CREATE VIEW pin_details AS
SELECT p.id, p.project_id, p.scene_id, p.asset_id, a.kind, a.name, p.number AS version, a.active_version, p.reason,
       p.created_by, p.created_at
  FROM pins p
  JOIN assets a ON a.id = p.asset_id;

-- A take with what its receipt says about it; unregistered are the inputs with a digest that no asset has.
CREATE VIEW take_details AS
SELECT t.id, t.segment_id, t.number, r.id AS receipt_id, t.recorded_at, t.recorded_by, r.duration_s, r.engine,
       r.evidence, r.missing,
       ARRAY(SELECT i.role || '[' || i.ordinal || ']'
               FROM resolved_inputs i
              WHERE i.receipt_id = r.id AND i.content_id IS NULL AND i.digest IS NOT NULL AND i.role <> 'seed_frame'
              ORDER BY i.role, i.ordinal) AS unregistered,
       coalesce((SELECT jsonb_object_agg(o.part, digest_text(o.digest))
                   FROM receipt_outputs o
                  WHERE o.receipt_id = r.id), '{}') AS outputs
  FROM takes t
  JOIN receipts r ON r.take_id = t.id;

CREATE VIEW receipt_details AS
SELECT id, project_id, segment_id, take_id, asset_id, version, digest_text(receipt_digest) AS receipt_digest,
       digest_text(inputs_digest) AS inputs_digest, digest_text(claim_digest) AS claim_digest, evidence, missing,
       recorded_at, recorded_by, convert_from(document, 'UTF8')::json AS document
  FROM receipts;

-- Whether a prompt has the words of a query, with quotes for phrases and "-" for words that it must not have. The
-- expression is the one of the index receipts_by_prompt.
CREATE FUNCTION prompt_matches(prompt text, query text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('simple', coalesce(prompt, '')) @@ websearch_to_tsquery('simple', query);

CREATE VIEW plan_details AS
SELECT p.id, p.project_id, p.state, p.selection, p.cascade, p.review, p.force, p.seed, p.as_planned,
       steps.totals
       || jsonb_build_object('left_out', (SELECT count(*) FROM plan_left_out l WHERE l.plan_id = p.id)) AS totals,
       steps.progress, p.downstream_stale, p.notes, p.created_by, p.created_at, p.started_by, p.started_at,
       p.finished_at
  FROM plans p
 CROSS JOIN LATERAL (
       SELECT jsonb_build_object(
                  'steps', count(*),
                  'render', count(*) FILTER (WHERE s.kind = 'render'),
                  'restore', count(*) FILTER (WHERE s.kind = 'restore'),
                  'blocked', count(*) FILTER (WHERE s.kind = 'blocked'),
                  'gpu_seconds', round(sum(s.estimate_s)::numeric, 3),
                  'rendered', count(*) FILTER (WHERE s.kind = 'render' AND s.state = 'succeeded'),
                  'restored', count(*) FILTER (WHERE s.kind = 'restore' AND s.state = 'succeeded'),
                  'saved', count(*) FILTER (WHERE s.saved),
                  'failed', count(*) FILTER (WHERE s.state = 'failed'),
                  'cancelled', count(*) FILTER (WHERE s.state = 'cancelled')) AS totals,
              coalesce(avg(CASE WHEN s.state IN ('succeeded', 'skipped', 'failed', 'cancelled') THEN 1
                                ELSE s.progress END) FILTER (WHERE s.kind <> 'blocked'),
                       CASE WHEN p.state IN ('draft', 'running') THEN 0 ELSE 1 END) AS progress
         FROM plan_steps s
        WHERE s.plan_id = p.id) AS steps;

CREATE VIEW reproduction_details AS
SELECT p.id, p.receipt_id, p.project_id, p.engine, p.runs,
       jsonb_build_object('psnr_db', p.least_psnr_db, 'ssim', p.least_ssim) AS thresholds, p.state, p.progress,
       p.attempt, p.worker, r.verdict, r.result, p.error, p.created_by, p.created_at, p.started_at, p.finished_at
  FROM reproductions p
  LEFT JOIN reproduction_results r ON r.reproduction_id = p.id;

-- What the last scan read from a file, and whether its version's bytes are in the store.
CREATE VIEW scanned_file_details AS
SELECT f.host, f.path, f.asset_id, f.number, f.refusal, f.gone_since IS NOT NULL AS is_gone,
       coalesce(a.archived_at IS NOT NULL, false) AS is_archived,
       EXISTS (SELECT FROM asset_versions v
                 JOIN blobs b ON b.digest = v.digest AND b.gone_since IS NULL
                WHERE v.asset_id = f.asset_id AND v.number = f.number) AS is_stored,
       jsonb_build_object('device', f.device, 'inode', f.inode, 'size_bytes', f.size_bytes, 'mtime_ns', f.mtime_ns,
                          'ctime_ns', f.ctime_ns) AS stamp
  FROM scanned_files f
  LEFT JOIN assets a ON a.id = f.asset_id;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT ON version_details, pin_details, take_details, receipt_details, plan_details, reproduction_details,
                        scanned_file_details TO genlock_app;
        GRANT EXECUTE ON FUNCTION prompt_matches TO genlock_app;
    END IF;
END $$;
