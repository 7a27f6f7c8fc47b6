-- The rules of staleness that other statements need as a relation, each defined once.

-- The scope in which a scene is judged: its own if it has pins, else its project's, else the global one, 0.
CREATE VIEW scene_scopes AS
SELECT s.id AS scene_id, s.project_id, coalesce(of_scene.id, of_project.id, 0) AS scope_id
  FROM scenes s
  LEFT JOIN scopes of_scene ON of_scene.scene_id = s.id
  LEFT JOIN scopes of_project ON of_project.project_id = s.project_id AND of_project.scene_id IS NULL;

-- The pins that hold in a scope: a scene's own pin of an asset replaces its project's.
CREATE VIEW scope_pins AS
SELECT DISTINCT ON (s.id, p.asset_id) s.id AS scope_id, p.asset_id, p.number, p.created_at, p.created_by
  FROM scopes s
  JOIN pins p ON p.project_id = s.project_id AND (p.scene_id IS NULL OR p.scene_id = s.scene_id)
 ORDER BY s.id, p.asset_id, p.scene_id NULLS LAST;

-- The version of an asset that segments in a scope should use: the pinned one, else the active one.
CREATE FUNCTION expected_version(scope bigint, asset bigint) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce((SELECT p.number FROM scope_pins p WHERE p.scope_id = scope AND p.asset_id = asset),
                    (SELECT a.active_version FROM assets a WHERE a.id = asset));

-- Why a content should not be used in a scope: one row for each root. Root kinds: 0 a version of an asset that is out
-- of date, 1 bytes that no version of their asset has. A root of kind 1 has no used version.
CREATE VIEW stale_contents AS
SELECT scope_id, content_id, asset_id, 0 AS root_kind, kind = 'superseded' AS direct, root_asset_id, root_used,
       root_expected, root_used_digest, root_expected_digest, path
  FROM outdated_contents
 UNION ALL
SELECT s.id, c.id, c.asset_id, 1, true, c.asset_id, 0, coalesce(expected.version, 0), c.digest,
       expected.effective_digest, '[]'::jsonb
  FROM contents c
 CROSS JOIN (SELECT 0::bigint AS id UNION ALL SELECT id FROM scopes) s
  LEFT JOIN contents expected
    ON expected.asset_id = c.asset_id AND expected.version = expected_version(s.id, c.asset_id)
 WHERE c.version IS NULL;

-- The waivers that hold now. Asset 0 stands for a chain link.
CREATE VIEW waivers_in_force AS
SELECT id, project_id, segment_id, coalesce(asset_id, 0) AS root_asset_id, used_digest, expected_digest
  FROM waivers
 WHERE withdrawn_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- Whether a receipt lacks nothing that is required and its evidence is good enough to call a take fresh.
CREATE FUNCTION well_evidenced(missing text[], evidence text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN cardinality(missing) = 0 AND evidence IN ('recorded', 'matched_by_digest');

CREATE OR REPLACE FUNCTION take_is_unknown(receipt bigint, missing text[], evidence text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NOT well_evidenced(missing, evidence)
        OR EXISTS (SELECT FROM resolved_inputs i
                    WHERE i.receipt_id = receipt AND i.content_id IS NULL AND i.digest IS NOT NULL
                      AND i.role <> 'seed_frame');

-- A project's segments by the beginning of their names.
CREATE INDEX segments_by_name ON segments (project_id, name COLLATE "C") INCLUDE (scene_id, position)
 WHERE position IS NOT NULL;

DROP FUNCTION positions(int4multirange);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT ON scene_scopes, scope_pins, stale_contents, waivers_in_force TO genlock_app;
        GRANT EXECUTE ON FUNCTION expected_version, well_evidenced TO genlock_app;
    END IF;
END $$;
