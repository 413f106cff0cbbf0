-- One row of the outbox may stand for many transitions of beads that were filed together: `pack` holds them all, and
-- the last `many` of them, up to `seq`, are still to be recorded.
ALTER TABLE outbox ADD COLUMN many INTEGER NOT NULL DEFAULT 1;
ALTER TABLE outbox ADD COLUMN pack BLOB;
DROP INDEX outbox_batch;
CREATE INDEX outbox_batch ON outbox (batch, seq, many);

-- The beads of a batch are found without looking at all the others.
CREATE INDEX batched ON beads (batch) WHERE batch <> 0;

-- Many short transactions make many small parts of the text index: they are put together in larger steps.
INSERT INTO bead_text (bead_text, rank) VALUES ('automerge', 8);
