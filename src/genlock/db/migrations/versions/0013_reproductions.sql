-- Receipts that are run again: what was asked for, how far it is, and, written once, what came of it.

CREATE TABLE reproductions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt_id   bigint NOT NULL CONSTRAINT reproductions_receipt_exists REFERENCES receipts,
    project_id   bigint,
    engine       text NOT NULL,
    runs         integer NOT NULL CHECK (runs BETWEEN 1 AND 2),   -- the second one measures the noise floor
    least_psnr_db  double precision NOT NULL,      -- what every frame must reach to be called visually equal,
    least_ssim     double precision NOT NULL,      -- as it was set when this was asked for
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'succeeded', 'failed')),
    attempt      integer NOT NULL DEFAULT 0,       -- the fence: finishing names the attempt it belongs to
    progress     real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    worker       text,
    seen_at      timestamptz,                      -- when its worker last said that it is at it
    error        jsonb,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz
) WITH (fillfactor = 80);
CREATE INDEX reproductions_of_receipt ON reproductions (receipt_id, id);
CREATE UNIQUE INDEX reproductions_one_at_a_time ON reproductions (receipt_id) WHERE state IN ('queued', 'running');
CREATE INDEX reproductions_under_way ON reproductions (id) WHERE state IN ('queued', 'running');

CREATE TABLE reproduction_results (
    reproduction_id  bigint PRIMARY KEY REFERENCES reproductions,
    verdict          text NOT NULL CHECK (verdict IN ('identical', 'same_frames', 'visually_equal', 'different')),
    result           jsonb NOT NULL,               -- how it was compared, the noise floor, what differs around it
    recorded_at      timestamptz NOT NULL DEFAULT now()
);
SELECT write_once('reproduction_results');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON reproductions TO genlock_app;
        GRANT SELECT, INSERT ON reproduction_results TO genlock_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA genlock TO genlock_app;
    END IF;
END $$;
