-- What every room stands on: digests as text, who may, what happened, which bytes there are.

CREATE FUNCTION digest_text(raw bytea) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN 'sha256:' || encode(raw, 'hex');

-- Refuses, whoever asks. Attached below to everything that is written once.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written once: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'written_once', TABLE = TG_TABLE_NAME;
END $$;

CREATE FUNCTION write_once(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE short text := (SELECT relname FROM pg_class WHERE oid = guarded);
BEGIN
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                   short || '_written_once', guarded);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                   short || '_never_truncated', guarded);
    -- ALWAYS: refused under session_replication_role = replica too, and for cascades.
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guarded, short || '_written_once');
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guarded, short || '_never_truncated');
END $$;

-- access ------------------------------------------------------------------------------------------

CREATE TABLE tokens (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    role        text NOT NULL CHECK (role IN ('viewer', 'creator', 'admin')),
    digest      bytea NOT NULL CONSTRAINT tokens_digest_unique UNIQUE CHECK (length(digest) = 32),  -- of the secret; the secret is never stored
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL,
    revoked_at  timestamptz
);

CREATE TABLE idempotency_keys (
    token_id        bigint NOT NULL REFERENCES tokens,
    key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_digest  bytea NOT NULL,          -- of method, path and body: the same key with another request is refused
    status          integer,                 -- null while the first request is still running
    media_type      text,
    answer          bytea,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- events ------------------------------------------------------------------------------------------

CREATE TABLE events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL,
    verb        text NOT NULL,
    project_id  bigint,
    subject     text,                        -- 'plan/3', 'asset/12', 'segment/7'
    data        jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX events_of_project ON events (project_id, id);
SELECT write_once('events');

-- blobs -------------------------------------------------------------------------------------------

CREATE TABLE blobs (
    digest      bytea PRIMARY KEY CHECK (length(digest) = 32),
    size_bytes  bigint NOT NULL CHECK (size_bytes >= 0),
    media_type  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    gone_since  timestamptz                  -- noticed by a failed read, a verification or retention; null = there
);
