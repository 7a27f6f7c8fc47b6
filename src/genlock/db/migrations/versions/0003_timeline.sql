-- What we want: scenes, segments in order, pins.

CREATE TABLE scenes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL CONSTRAINT scenes_project_exists REFERENCES projects,
    name         text NOT NULL,
    position     integer NOT NULL,
    segments_total  integer NOT NULL DEFAULT 0,      -- not archived ones; moves with the scene's lock
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text NOT NULL,
    archived_at  timestamptz,
    CONSTRAINT scenes_name_unique UNIQUE (project_id, name),
    CONSTRAINT scenes_position_unique UNIQUE (project_id, position) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE segments (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id         bigint NOT NULL REFERENCES projects,
    scene_id           bigint NOT NULL CONSTRAINT segments_scene_exists REFERENCES scenes,
    position           integer,               -- 1, 2, 3 … among those not archived; null when archived
    archived_position  integer,               -- where it stood when it was archived
    name               text NOT NULL,
    chained            boolean NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    created_by         text NOT NULL,
    archived_at        timestamptz,
    CHECK ((position IS NULL) = (archived_at IS NOT NULL)),
    CONSTRAINT segments_position_unique UNIQUE (scene_id, position) DEFERRABLE INITIALLY DEFERRED
) WITH (fillfactor = 85);
CREATE INDEX segments_of_project ON segments (project_id, scene_id, position);

CREATE TABLE pins (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES projects,
    scene_id    bigint REFERENCES scenes,     -- null = the whole project
    asset_id    bigint NOT NULL,
    number      integer NOT NULL,
    reason      text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pins_version_exists FOREIGN KEY (asset_id, number) REFERENCES asset_versions,
    CONSTRAINT pins_unique UNIQUE NULLS NOT DISTINCT (project_id, scene_id, asset_id)
);
CREATE INDEX pins_of_asset ON pins (asset_id);

-- A scene or project with pins judges in a scope of its own; everything else in scope 0.
CREATE TABLE scopes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES projects,
    scene_id    bigint REFERENCES scenes,
    CONSTRAINT scopes_unique UNIQUE NULLS NOT DISTINCT (project_id, scene_id)
);
