-- What no longer matches. A version is out of date, never a segment: nothing here names a segment
-- but waivers, which a person wrote.

CREATE TABLE outdated_contents (
    scope_id              bigint NOT NULL,    -- 0 = the global one
    content_id            bigint NOT NULL REFERENCES contents,
    asset_id              bigint NOT NULL,
    kind                  text NOT NULL CHECK (kind IN ('superseded', 'derived')),
    root_asset_id         bigint NOT NULL,
    root_used             integer NOT NULL,
    root_expected         integer NOT NULL,
    root_used_digest      bytea NOT NULL,     -- effective digests: what a waiver is bound to
    root_expected_digest  bytea NOT NULL,
    path                  jsonb NOT NULL,     -- [[asset, version], …] from the root's used version to this one
    PRIMARY KEY (scope_id, content_id, root_asset_id, root_used, root_expected)
);
CREATE INDEX outdated_contents_of_asset ON outdated_contents (asset_id);
CREATE INDEX outdated_contents_by_content ON outdated_contents (content_id, scope_id);

CREATE TABLE waivers (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id       bigint NOT NULL REFERENCES projects,
    segment_id       bigint NOT NULL CONSTRAINT waivers_segment_exists REFERENCES segments,
    asset_id         bigint REFERENCES assets,           -- null = a chain link
    used_digest      bytea NOT NULL,
    expected_digest  bytea NOT NULL,
    reason           text NOT NULL CHECK (length(reason) BETWEEN 1 AND 4000),
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz,
    withdrawn_at     timestamptz,
    withdrawn_by     text
);
CREATE INDEX waivers_of_segment ON waivers (segment_id) WHERE withdrawn_at IS NULL;
CREATE INDEX waivers_of_project ON waivers (project_id, id);

-- An activation whose consequences have not been told yet. Written with the activation, removed with its events,
-- so that a crash between the two loses no event.
CREATE TABLE untold_activations (
    activation_id  bigint PRIMARY KEY REFERENCES activations,
    asset_id       bigint NOT NULL,
    from_version   integer NOT NULL,
    at             timestamptz NOT NULL DEFAULT now()
);

-- How many positions a set of ranges covers.
CREATE FUNCTION positions(covered int4multirange) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (SELECT coalesce(sum(upper(range) - lower(range)), 0) FROM unnest(covered) AS range);
