-- What goes in: assets, their versions, what was made from what, and which version is active.

CREATE TABLE projects (                       -- the timeline's; here first because an asset may belong to one
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug        text NOT NULL CONSTRAINT projects_slug_unique UNIQUE,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL,
    archived_at timestamptz
);

CREATE TABLE assets (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id      bigint CONSTRAINT assets_project_exists REFERENCES projects,    -- null = shared by all projects
    kind            text NOT NULL CHECK (kind IN ('source_image', 'variant', 'workflow', 'model', 'lora', 'vae',
                                                  'text_encoder', 'controlnet', 'prompt', 'audio', 'video', 'other')),
    name            text NOT NULL,
    active_version  integer,                  -- null only until the first version is there
    versions_total  integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL,
    archived_at     timestamptz,
    CONSTRAINT assets_name_unique UNIQUE NULLS NOT DISTINCT (kind, name, project_id)
);
CREATE INDEX assets_by_name ON assets (name COLLATE "C", id);

-- One row per digest that was ever named for an asset, registered or not. Registering fills it in,
-- and every receipt that named the digest before matches from then on without being touched.
CREATE TABLE contents (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset_id          bigint NOT NULL REFERENCES assets,
    digest            bytea NOT NULL CHECK (length(digest) = 32),
    effective_digest  bytea CHECK (length(effective_digest) = 32),
    version           integer,                -- null = no version has these bytes: unmatched
    CONSTRAINT contents_unique UNIQUE (asset_id, digest),
    CONSTRAINT contents_version_unique UNIQUE (asset_id, version),
    CHECK ((version IS NULL) = (effective_digest IS NULL))
);
CREATE INDEX contents_by_effective ON contents (asset_id, effective_digest);
CREATE INDEX contents_by_digest ON contents (digest);
CREATE INDEX contents_by_effective_alone ON contents (effective_digest);
CREATE INDEX contents_unmatched ON contents (id) WHERE version IS NULL;

CREATE TABLE asset_versions (
    asset_id          bigint NOT NULL REFERENCES assets,
    number            integer NOT NULL CHECK (number > 0),
    content_id        bigint NOT NULL UNIQUE REFERENCES contents,
    digest            bytea NOT NULL CHECK (length(digest) = 32),
    effective_digest  bytea NOT NULL CHECK (length(effective_digest) = 32),
    size_bytes        bigint NOT NULL,
    media_type        text NOT NULL,
    filename          text NOT NULL,          -- for display; never used as a path
    note              text NOT NULL DEFAULT '',
    equivalent_to     integer,                -- the earlier version with the same effective digest
    in_place          text,                   -- where the file lies when its bytes are not in the store
    details           jsonb NOT NULL DEFAULT '{}',
    bindings          jsonb,
    created_by        text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asset_id, number),
    CONSTRAINT asset_versions_digest_unique UNIQUE (asset_id, digest)
);
SELECT write_once('asset_versions');

-- A derivation is one act of making: one upload or one receipt, from a set of sources.
CREATE TABLE derivations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset_id    bigint NOT NULL,
    number      integer NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (asset_id, number) REFERENCES asset_versions
);
CREATE INDEX derivations_of_version ON derivations (asset_id, number, id);
SELECT write_once('derivations');

CREATE TABLE derivation_sources (
    derivation_id  bigint NOT NULL REFERENCES derivations,
    asset_id       bigint NOT NULL,
    number         integer NOT NULL,
    PRIMARY KEY (derivation_id, asset_id, number),
    CONSTRAINT derivation_source_exists FOREIGN KEY (asset_id, number) REFERENCES asset_versions
);
CREATE INDEX derivation_sources_of_asset ON derivation_sources (asset_id, number);
SELECT write_once('derivation_sources');

CREATE TABLE activations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset_id      bigint NOT NULL,
    from_version  integer,
    to_version    integer NOT NULL,
    actor         text NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    note          text NOT NULL DEFAULT '',
    FOREIGN KEY (asset_id, to_version) REFERENCES asset_versions
);
CREATE INDEX activations_of_asset ON activations (asset_id, id);
SELECT write_once('activations');
