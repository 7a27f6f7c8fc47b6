-- The application's role: not the owner, and without the right to change what is written once.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        CREATE ROLE genlock_app NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN RAISE NOTICE 'the role genlock_app cannot be created here';
    WHEN duplicate_object OR unique_violation THEN NULL;   -- another database of the cluster was faster
END $$;

DO $$
DECLARE guarded text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        RETURN;
    END IF;
    BEGIN
        EXECUTE format('GRANT genlock_app TO %I', current_user);
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'genlock_app cannot be granted to %: %', current_user, SQLERRM;
    END;
    GRANT USAGE ON SCHEMA genlock, queue TO genlock_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA genlock, queue TO genlock_app;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA genlock, queue TO genlock_app;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA genlock, queue TO genlock_app;
    FOREACH guarded IN ARRAY ARRAY['events', 'asset_versions', 'derivations', 'derivation_sources', 'activations',
                                   'takes', 'receipts', 'receipt_inputs', 'receipt_outputs', 'selections'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM genlock_app', guarded);
    END LOOP;
    REVOKE DELETE, TRUNCATE ON projects, scenes, segments, assets, contents, waivers, blobs FROM genlock_app;
    REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM genlock_app;
END $$;
