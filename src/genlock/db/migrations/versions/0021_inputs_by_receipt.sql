-- Inputs are asked for in two ways, each with a view that uses an index, however it is joined. Until now one view with
-- two branches served both. PostgreSQL passes constants into such branches, but no join condition: a statement that
-- joined it to a take read the inputs of all receipts.

-- The inputs of receipts with the content that each has today: ask by receipt.
CREATE OR REPLACE VIEW resolved_inputs AS
SELECT i.receipt_id, i.project_id, i.role, i.ordinal, coalesce(i.content_id, l.content_id) AS content_id, i.digest,
       i.take_id, i.part, i.via, i.strength_model, i.strength_clip
  FROM receipt_inputs i
  LEFT JOIN input_links l
    ON i.content_id IS NULL AND (l.receipt_id, l.role, l.ordinal) = (i.receipt_id, i.role, i.ordinal);

-- The receipts that used a content, under the digest that was recorded or under one that was registered since: ask by
-- content. Neither branch has a condition, so that each is read in the order of its index, and only as far as needed.
-- Inputs without a content are here as well, with none.
CREATE VIEW content_uses AS
SELECT content_id, project_id, receipt_id FROM receipt_inputs
 UNION ALL
SELECT content_id, project_id, receipt_id FROM input_links;

-- Files that are imported are matched by their names.
CREATE INDEX asset_versions_by_filename ON asset_versions (filename);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT ON content_uses TO genlock_app;
    END IF;
END $$;
