-- 0009 and 0014 were changed after databases had been made with them. This brings those to what the files say now;
-- on every other database it changes nothing.

DO $$
BEGIN
    IF pg_get_indexdef('current_inputs_of_segment'::regclass) NOT LIKE '%INCLUDE%' THEN
        DROP INDEX current_inputs_of_segment;
        CREATE INDEX current_inputs_of_segment ON current_inputs (segment_id) INCLUDE (content_id, judged);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION lies_at(asset bigint, version integer, registered text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        (SELECT f.path
           FROM asset_versions wanted
           JOIN contents same ON same.digest = wanted.digest
           JOIN scanned_files f ON f.asset_id = same.asset_id AND f.number = same.version
          WHERE wanted.asset_id = asset AND wanted.number = lies_at.version
            AND f.refusal IS NULL AND f.gone_since IS NULL
          ORDER BY f.path = registered DESC NULLS LAST, f.path LIMIT 1),
        CASE WHEN NOT EXISTS (SELECT FROM scanned_files f WHERE f.path = registered) THEN registered END)
$$;
