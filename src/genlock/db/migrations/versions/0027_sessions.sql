-- Browser sessions. A session acts for a token, has its role, and ends when the token is revoked.

CREATE TABLE sign_in_links (
    digest      bytea PRIMARY KEY CHECK (length(digest) = 32),  -- of the code in the link, which is not stored
    token_id    bigint NOT NULL REFERENCES tokens,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sign_in_links_age ON sign_in_links (expires_at);

CREATE TABLE sessions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest        bytea NOT NULL UNIQUE CHECK (length(digest) = 32),  -- of the secret in the cookie
    token_id      bigint NOT NULL REFERENCES tokens,
    browser       text NOT NULL CHECK (length(browser) <= 200),       -- the beginning of its User-Agent
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);
CREATE INDEX sessions_of_token ON sessions (token_id, id);
CREATE INDEX sessions_age ON sessions (expires_at);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT, DELETE ON sign_in_links TO genlock_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO genlock_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA genlock TO genlock_app;
    END IF;
END $$;
