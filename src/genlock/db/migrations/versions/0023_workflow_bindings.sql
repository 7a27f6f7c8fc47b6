-- Bindings that were set after a workflow was uploaded, as a history beside its versions: a version stays what it was.

CREATE TABLE workflow_bindings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset_id    bigint NOT NULL,
    number      integer NOT NULL,
    bindings    jsonb NOT NULL CHECK (jsonb_typeof(bindings) = 'object'),   -- all that are declared from then on
    note        text NOT NULL DEFAULT '',
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (asset_id, number) REFERENCES asset_versions
);
CREATE INDEX workflow_bindings_of_version ON workflow_bindings (asset_id, number, id);
SELECT write_once('workflow_bindings');

-- The bindings in effect: those set last, else those of the upload.
CREATE FUNCTION bindings_in_effect(asset bigint, version integer, uploaded jsonb) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce((SELECT b.bindings
                       FROM workflow_bindings b
                      WHERE b.asset_id = asset AND b.number = version
                      ORDER BY b.id DESC
                      LIMIT 1), uploaded);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT ON workflow_bindings TO genlock_app;
        GRANT EXECUTE ON FUNCTION bindings_in_effect TO genlock_app;
    END IF;
END $$;
