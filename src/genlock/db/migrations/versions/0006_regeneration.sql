-- Make only that again: plans, their steps, what was left out, and which segments a running plan holds.

CREATE TABLE plans (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id        bigint REFERENCES projects,    -- null: it makes a version of an asset that all projects share
    state             text NOT NULL CHECK (state IN ('draft', 'running', 'review', 'succeeded', 'failed', 'cancelled')),
    selection         jsonb NOT NULL,         -- what was asked for, as it was asked
    cascade           boolean NOT NULL DEFAULT false,
    review            boolean NOT NULL DEFAULT false,
    force             boolean NOT NULL DEFAULT false,
    seed              text NOT NULL DEFAULT 'same' CHECK (seed IN ('same', 'new')),
    as_planned        boolean NOT NULL DEFAULT false,
    downstream_stale  integer NOT NULL DEFAULT 0,    -- segments that will be stale after it, outside the selection
    expected          jsonb NOT NULL DEFAULT '{}',   -- what it was planned on: refused at start when it moved
    notes             jsonb NOT NULL DEFAULT '[]',   -- what happened that a person should know
    created_by        text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_by        text,
    started_at        timestamptz,
    finished_at       timestamptz
);
CREATE INDEX plans_of_project ON plans (project_id, id);
CREATE INDEX plans_open ON plans (state, id) WHERE state IN ('running', 'review');

CREATE TABLE plan_steps (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id       bigint NOT NULL REFERENCES plans,
    position      integer NOT NULL,           -- in dependency order, from 1
    chain         integer NOT NULL,           -- the position of the first step of its chain: one of them runs at a time
    segment_id    bigint REFERENCES segments, -- one of these two
    asset_id      bigint REFERENCES assets,
    kind          text NOT NULL CHECK (kind IN ('render', 'restore', 'blocked')),
    state         text NOT NULL CHECK (state IN ('waiting', 'queued', 'running', 'succeeded', 'skipped', 'failed', 'cancelled')),
    saved         boolean NOT NULL DEFAULT false,    -- cut off: its inputs turned out equal to a take's
    engine        text,                       -- who renders it; null when nothing is to be rendered
    wanted        jsonb,                      -- engine, inputs and parameters that the step makes; null when blocked
    substitutes   jsonb NOT NULL DEFAULT '[]',
    after         integer[] NOT NULL DEFAULT '{}',   -- positions of the steps that come first
    selected_take_id  bigint,                 -- the segment's selected take when the plan was made, then when it started
    active_version    integer,                -- of an asset step: the active version then
    estimate_s    double precision,
    attempt       integer NOT NULL DEFAULT 0, -- the fence: finishing names the attempt it belongs to
    progress      real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    worker        text,
    seen_at       timestamptz,                -- when its worker last said that it is at it
    take_id       bigint REFERENCES takes,    -- made, restored, or found to be equal
    version       integer,                    -- made, of the asset
    why           text,                       -- of a blocked or cancelled step
    error         jsonb,
    started_at    timestamptz,
    finished_at   timestamptz,
    CONSTRAINT plan_steps_position_unique UNIQUE (plan_id, position),
    CHECK ((segment_id IS NULL) <> (asset_id IS NULL)),
    CHECK ((wanted IS NULL) = (kind = 'blocked'))
) WITH (fillfactor = 80);
CREATE INDEX plan_steps_unfinished ON plan_steps (plan_id) WHERE state IN ('waiting', 'queued', 'running');
CREATE INDEX plan_steps_under_way ON plan_steps (id) WHERE state IN ('queued', 'running');
CREATE INDEX plan_steps_of_segment ON plan_steps (segment_id);

CREATE TABLE plan_left_out (
    plan_id     bigint NOT NULL REFERENCES plans,
    segment_id  bigint NOT NULL REFERENCES segments,
    why         text NOT NULL CHECK (why IN ('pinned', 'waived', 'not_selected', 'matching', 'upstream', 'archived')),
    PRIMARY KEY (plan_id, segment_id)
);

-- A segment is in at most one running plan; an asset is made by at most one.
CREATE TABLE plan_holds (
    plan_id     bigint NOT NULL REFERENCES plans,
    segment_id  bigint CONSTRAINT plan_holds_segment_once UNIQUE REFERENCES segments,
    asset_id    bigint CONSTRAINT plan_holds_asset_once UNIQUE REFERENCES assets
);
CREATE INDEX plan_holds_of_plan ON plan_holds (plan_id);

CREATE TABLE workers (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    engines     text[] NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    stopped_at  timestamptz
);
CREATE INDEX workers_seen ON workers (seen_at);
