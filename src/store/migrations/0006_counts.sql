-- Counts are answered from indexes that hold all that they look at.
DROP INDEX by_status;
CREATE INDEX by_status ON beads (status, priority, created_ns, batch, issue_type, assignee, ephemeral, pinned, is_template);
CREATE INDEX finished ON beads (closed_ns, updated_ns, created_ns, status, batch, assignee, ephemeral) WHERE closed_ns IS NOT NULL;
