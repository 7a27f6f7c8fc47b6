-- What we made, with proof. History is append-only; the present (selected takes) is small and rewritten.

-- history -----------------------------------------------------------------------------------------

CREATE TABLE take_counters (
    segment_id  bigint PRIMARY KEY REFERENCES segments,
    last        integer NOT NULL
);

CREATE TABLE takes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL,
    segment_id   bigint NOT NULL CONSTRAINT takes_segment_exists REFERENCES segments,
    number       integer NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    recorded_by  text NOT NULL,
    CONSTRAINT takes_number_unique UNIQUE (segment_id, number)
);
SELECT write_once('takes');

-- What a render costs depends on the workflow and the size: one row per such pair.
CREATE TABLE workloads (
    id                   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow_content_id  bigint REFERENCES contents,
    width                integer,
    height               integer,
    CONSTRAINT workloads_unique UNIQUE NULLS NOT DISTINCT (workflow_content_id, width, height)
);

CREATE TABLE receipts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id      bigint,
    segment_id      bigint REFERENCES segments,         -- of a take …
    take_id         bigint UNIQUE REFERENCES takes,
    asset_id        bigint,                             -- … or of a generated version
    version         integer,
    derivation_id   bigint UNIQUE REFERENCES derivations,
    receipt_digest  bytea NOT NULL,
    inputs_digest   bytea NOT NULL,
    claim_digest    bytea NOT NULL,
    document        bytea NOT NULL,                     -- the canonical bytes that were digested, verbatim
    engine          text NOT NULL,
    engine_version  text,
    evidence        text NOT NULL CHECK (evidence IN ('recorded', 'matched_by_digest', 'matched_by_name', 'declared')),
    missing         text[] NOT NULL,
    seed            numeric(20) CHECK (seed BETWEEN 0 AND 18446744073709551615),
    prompt          text,
    graph_digest    bytea,
    workload_id     integer REFERENCES workloads,
    duration_s      double precision,
    step_id         bigint CONSTRAINT receipts_step_once UNIQUE,   -- one recording per step of a plan, whatever was killed
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    recorded_by     text NOT NULL,
    FOREIGN KEY (asset_id, version) REFERENCES asset_versions,
    CONSTRAINT receipts_claim_once UNIQUE (segment_id, claim_digest),
    CHECK ((take_id IS NOT NULL AND segment_id IS NOT NULL AND asset_id IS NULL AND version IS NULL)
        OR (take_id IS NULL AND segment_id IS NULL AND asset_id IS NOT NULL AND version IS NOT NULL))
);
CREATE INDEX receipts_of_version ON receipts (asset_id, version) WHERE asset_id IS NOT NULL;
CREATE INDEX receipts_by_inputs ON receipts (inputs_digest, id);
CREATE INDEX receipts_by_digest ON receipts (receipt_digest, id);
CREATE INDEX receipts_by_claim ON receipts (claim_digest, id);
CREATE INDEX receipts_by_graph ON receipts (graph_digest, id) WHERE graph_digest IS NOT NULL;
CREATE INDEX receipts_by_seed ON receipts (seed, id);
CREATE INDEX receipts_by_workload ON receipts (workload_id, id) INCLUDE (duration_s) WHERE duration_s IS NOT NULL;
CREATE INDEX receipts_by_prompt ON receipts USING gin (to_tsvector('simple', coalesce(prompt, '')));
SELECT write_once('receipts');

CREATE TABLE receipt_inputs (
    receipt_id      bigint NOT NULL REFERENCES receipts,
    project_id      bigint,                              -- of the take; null for a generated version
    role            text NOT NULL,
    ordinal         smallint NOT NULL,
    content_id      bigint REFERENCES contents,          -- null when no asset was named
    digest          bytea,                               -- where there is no content row; and of a seed frame
    take_id         bigint REFERENCES takes,             -- the take a seed frame came from
    part            text,
    via             text CHECK (via IN ('variant', 'seed_frame')),
    strength_model  double precision,
    strength_clip   double precision,
    PRIMARY KEY (receipt_id, role, ordinal)
);
-- By project first: a project's few uses of what everything else uses are found without passing the rest.
CREATE INDEX receipt_inputs_by_content ON receipt_inputs (content_id, project_id, receipt_id) WHERE content_id IS NOT NULL;
CREATE INDEX receipt_inputs_by_digest ON receipt_inputs (digest, receipt_id) WHERE digest IS NOT NULL;
SELECT write_once('receipt_inputs');

CREATE TABLE receipt_outputs (
    receipt_id  bigint NOT NULL REFERENCES receipts,
    part        text NOT NULL,
    digest      bytea NOT NULL CHECK (length(digest) = 32),
    media_type  text,
    size_bytes  bigint,
    PRIMARY KEY (receipt_id, part)
);
CREATE INDEX receipt_outputs_by_digest ON receipt_outputs (digest, receipt_id);
SELECT write_once('receipt_outputs');

CREATE TABLE selections (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    segment_id        bigint NOT NULL REFERENCES segments,
    take_id           bigint NOT NULL REFERENCES takes,
    previous_take_id  bigint REFERENCES takes,
    actor             text NOT NULL,
    at                timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX selections_of_segment ON selections (segment_id, id);
SELECT write_once('selections');

-- present -----------------------------------------------------------------------------------------

-- What the present says is copied from history, which has the foreign keys: checked here again they would cost more
-- than the rows.

CREATE TABLE selected_takes (
    segment_id    bigint PRIMARY KEY,
    project_id    bigint NOT NULL,
    scene_id      bigint NOT NULL,
    take_id       bigint NOT NULL,
    receipt_id    bigint NOT NULL,
    unknown       boolean NOT NULL,           -- something required is missing, or the evidence is weak
    seed_digest   bytea,                      -- of the seed frame it was made from; null = it starts a run
    seed_part     text,
    seed_take_id  bigint,
    via_judged    boolean NOT NULL,           -- inputs it has via its seed frame are judged on their own
    run_id        bigint NOT NULL,            -- the first segment of the run this one belongs to
    run_position  integer NOT NULL,           -- 1 for that first segment
    workload_id   integer
) WITH (fillfactor = 80);
CREATE INDEX selected_takes_of_run ON selected_takes (run_id, run_position) INCLUDE (segment_id, scene_id, workload_id);
CREATE INDEX selected_takes_of_scene ON selected_takes (scene_id);
CREATE INDEX selected_takes_of_take ON selected_takes (take_id);

-- A run: segments that continue one another. Causes pass along it, so closure is arithmetic on positions.
CREATE TABLE runs (
    run_id        bigint PRIMARY KEY,
    project_id    bigint NOT NULL,
    scene_id      bigint NOT NULL,
    length        integer NOT NULL,
    unknown_from  integer,                    -- the first position whose take is unknown: all behind it are, too
    workload_id   integer                     -- when all its takes share one, else null
) WITH (fillfactor = 80);
CREATE INDEX runs_of_project ON runs (project_id, scene_id) INCLUDE (run_id, length, unknown_from, workload_id);

-- A link that no longer fits: the selected take before this one has another frame than this one continues.
CREATE TABLE broken_links (
    segment_id       bigint PRIMARY KEY,
    project_id       bigint NOT NULL,
    used_digest      bytea NOT NULL,
    expected_digest  bytea NOT NULL
);
CREATE INDEX broken_links_of_project ON broken_links (project_id);

-- Copied from receipt_inputs, which has the foreign keys: checked here again they would cost more than the rows.
-- Where the segment stands is copied from selected_takes, so that a large project's causes come out of one index.
CREATE TABLE current_inputs (
    content_id    bigint NOT NULL,
    project_id    bigint NOT NULL,
    segment_id    bigint NOT NULL,
    scene_id      bigint NOT NULL,
    run_id        bigint NOT NULL,
    run_position  integer NOT NULL,
    judged        boolean NOT NULL,           -- false: recorded via something that is judged for it
    PRIMARY KEY (content_id, project_id, segment_id) INCLUDE (scene_id, run_id, run_position, judged)
);
CREATE INDEX current_inputs_of_segment ON current_inputs (segment_id);

-- counts ------------------------------------------------------------------------------------------

-- How many takes used a content. A row with content_id = −(asset id) says by how many the sums over that asset's
-- contents are too high, because a take that used several of them is in each: it is never above zero.
CREATE TABLE usage_counts (
    content_id  bigint NOT NULL,
    project_id  bigint NOT NULL,
    takes       bigint NOT NULL,
    selected    bigint NOT NULL,
    PRIMARY KEY (content_id, project_id)
) WITH (fillfactor = 70);
CREATE INDEX usage_counts_of_project ON usage_counts (project_id, content_id);

-- Appended by every recording and selection, folded into usage_counts in the background: no hot rows.
CREATE TABLE usage_deltas (
    content_id  bigint NOT NULL,
    project_id  bigint NOT NULL,
    takes       integer NOT NULL,
    selected    integer NOT NULL
);
CREATE INDEX usage_deltas_of_content ON usage_deltas (content_id);
CREATE INDEX usage_deltas_of_project ON usage_deltas (project_id, content_id);
