-- Stamps under which files in place were read and found to have a digest: an equal stamp means equal bytes.

CREATE TABLE verified_files (
    host        text NOT NULL,                -- the machine on whose disk it is: stamps of two of them say nothing
    path        text NOT NULL,                -- resolved: no part of it is a link
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    device      numeric(20) NOT NULL,
    inode       numeric(20) NOT NULL,
    size_bytes  bigint NOT NULL,
    mtime_ns    bigint NOT NULL,
    ctime_ns    bigint NOT NULL,
    verified_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host, path)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON verified_files TO genlock_app;
    END IF;
END $$;
