-- Workflows as ComfyUI's page saved them, with the definitions of their nodes' classes, kept with the version that was
-- made of them. A version is its graph in API format; the same graph may be saved with another layout.

CREATE TABLE editor_forms (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset_id    bigint NOT NULL,
    number      integer NOT NULL,
    editor      bytea NOT NULL CHECK (octet_length(editor) = 32),             -- digests of the stored bytes
    definitions bytea CHECK (octet_length(definitions) = 32),                 -- null = the page made the graph itself
    size_bytes  bigint NOT NULL,
    filename    text NOT NULL,                -- for display; never used as a path
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (asset_id, number) REFERENCES asset_versions,
    CONSTRAINT editor_forms_unique UNIQUE (asset_id, number, editor)
);
SELECT write_once('editor_forms');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT ON editor_forms TO genlock_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA genlock TO genlock_app;
    END IF;
END $$;
