-- Reports of large projects.

-- A segment's takes with the same seed: where one of them may be put back instead of rendering, told by this index alone.
CREATE INDEX receipts_of_segment ON receipts (segment_id, seed, id) WHERE segment_id IS NOT NULL AND seed IS NOT NULL;

-- What a segment was made from lies scattered over the table, which is in the order of the contents.
DROP INDEX current_inputs_of_segment;
CREATE INDEX current_inputs_of_segment ON current_inputs (segment_id) INCLUDE (content_id, judged);
