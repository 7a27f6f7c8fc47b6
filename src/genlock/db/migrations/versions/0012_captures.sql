-- Runs of ComfyUI that the extension told of, and what became of each: a take, the inbox, or nothing.

CREATE TABLE captures (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run          text NOT NULL CONSTRAINT captures_run_once UNIQUE,    -- the same run told again is the same capture
    prompt_id    text NOT NULL,
    status       text NOT NULL CHECK (status IN ('success', 'error', 'interrupted')),
    state        text NOT NULL CHECK (state IN ('inbox', 'recorded', 'repeated', 'failed', 'dismissed')),
    why          text,
    place        jsonb,                       -- where it says that it belongs
    segment_id   bigint REFERENCES segments,
    receipt_id   bigint REFERENCES receipts,
    video        bytea CHECK (length(video) = 32),
    graph        bytea NOT NULL CHECK (length(graph) = 32),
    record       jsonb NOT NULL,
    started_at   timestamptz NOT NULL,
    duration_s   double precision,
    received_at  timestamptz NOT NULL DEFAULT now(),
    received_by  text NOT NULL,
    CHECK (state <> 'recorded' OR (receipt_id IS NOT NULL AND segment_id IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX captures_by_state ON captures (state, id);
CREATE INDEX captures_of_graph ON captures (graph, id) WHERE receipt_id IS NOT NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON captures TO genlock_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA genlock TO genlock_app;
    END IF;
END $$;
