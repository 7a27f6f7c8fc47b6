-- Reports of large projects.

-- A segment's takes with the same seed: where one of them may be put back instead of rendering, told by this index alone.
CREATE INDEX receipts_of_segment ON receipts (segment_id, seed, id) WHERE segment_id IS NOT NULL AND seed IS NOT NULL;
