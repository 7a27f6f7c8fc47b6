-- Files that scans have seen where they lie: so that an unchanged one costs a stat, and a changed one is a new version.

CREATE TABLE scanned_files (
    host        text NOT NULL,                -- the machine on whose disk it is: stamps of two of them say nothing
    path        text NOT NULL,                -- resolved: no part of it is a link
    asset_id    bigint,                       -- what it is a version of, once it was read …
    number      integer,                      -- … and which one its bytes are, or were when they were last sound
    refusal     text,                         -- why its bytes cannot be a version
    device      numeric(20) NOT NULL,
    inode       numeric(20) NOT NULL,
    size_bytes  bigint NOT NULL,
    mtime_ns    bigint NOT NULL,
    ctime_ns    bigint NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),    -- when these bytes were first seen there
    gone_since  timestamptz,                  -- the file is not there any more
    PRIMARY KEY (host, path),
    FOREIGN KEY (asset_id, number) REFERENCES asset_versions,
    CHECK ((asset_id IS NULL) = (number IS NULL)),
    CHECK (asset_id IS NOT NULL OR refusal IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX scanned_files_of_version ON scanned_files (asset_id, number);
CREATE INDEX scanned_files_by_path ON scanned_files (path);

-- Where the bytes of a version lie outside of the store: where a scan saw them, else where they were registered,
-- unless a scan has seen something else there since.
CREATE FUNCTION lies_at(asset bigint, version integer, registered text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        (SELECT f.path FROM scanned_files f
          WHERE f.asset_id = asset AND f.number = version AND f.refusal IS NULL AND f.gone_since IS NULL
          ORDER BY f.path = registered DESC NULLS LAST, f.path LIMIT 1),
        CASE WHEN NOT EXISTS (SELECT FROM scanned_files f WHERE f.path = registered) THEN registered END)
$$;

-- Since when the bytes of a version are not to be had any more, as far as anybody noticed; null while they are.
CREATE FUNCTION bytes_gone_since(asset bigint, version integer, content bytea, registered text) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM blobs b WHERE b.digest = content AND b.gone_since IS NULL) THEN NULL
        WHEN lies_at(asset, version, registered) IS NOT NULL THEN NULL
        ELSE coalesce((SELECT max(coalesce(f.gone_since, f.since)) FROM scanned_files f WHERE f.path = registered),
                      (SELECT b.gone_since FROM blobs b WHERE b.digest = content))
    END
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT, INSERT, UPDATE ON scanned_files TO genlock_app;
        GRANT EXECUTE ON FUNCTION lies_at, bytes_gone_since TO genlock_app;
    END IF;
END $$;
