-- Tokens of ComfyUI's extension send runs and do nothing else, in chosen projects or in all; and runs recorded as takes
-- that a person has to review.

ALTER TABLE tokens DROP CONSTRAINT tokens_role_check;
ALTER TABLE tokens ADD CONSTRAINT tokens_role_check CHECK (role IN ('capture', 'viewer', 'creator', 'admin'));
ALTER TABLE tokens ADD COLUMN projects bigint[];          -- where its runs may become takes; null = every project
ALTER TABLE tokens ADD CONSTRAINT tokens_projects_of_captures
    CHECK (projects IS NULL OR (role = 'capture' AND cardinality(projects) BETWEEN 1 AND 1000));

ALTER TABLE captures ADD COLUMN token_id bigint REFERENCES tokens;    -- that sent it; null = before this was kept
ALTER TABLE captures ADD COLUMN for_review boolean NOT NULL DEFAULT false;
CREATE INDEX captures_of_receipt ON captures (receipt_id) WHERE receipt_id IS NOT NULL;
CREATE INDEX captures_for_review ON captures (id) WHERE for_review;
CREATE INDEX captures_of_prompt ON captures (prompt_id, id);

-- A take stays for review until it is selected, or its capture is dismissed.
CREATE VIEW capture_details AS
SELECT c.id, c.run, c.prompt_id, c.status, c.state, CASE WHEN c.for_review AND chosen.once THEN NULL ELSE c.why END AS why,
       c.place, c.segment_id, c.receipt_id, digest_text(c.video) AS video, digest_text(c.graph) AS graph, c.started_at,
       c.duration_s, c.received_at, c.received_by, c.for_review AND NOT chosen.once AS for_review, c.record
  FROM captures c
 CROSS JOIN LATERAL (
       SELECT EXISTS (SELECT FROM receipts r
                        JOIN selections s ON s.segment_id = r.segment_id AND s.take_id = r.take_id
                       WHERE r.id = c.receipt_id AND c.for_review) AS once) AS chosen;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'genlock_app') THEN
        GRANT SELECT ON capture_details TO genlock_app;
    END IF;
END $$;
