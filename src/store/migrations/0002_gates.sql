-- Gates that open by themselves are found without looking at the others: timers by when, and those that wait for a
-- bead by its id (in `rig:id` only the id counts).

ALTER TABLE beads ADD COLUMN opens_ns INTEGER GENERATED ALWAYS AS (
    CASE WHEN issue_type = 'gate' AND json_extract(other, '$.await_type') = 'timer'
         THEN created_ns + json_extract(other, '$.timeout') END) VIRTUAL;
ALTER TABLE beads ADD COLUMN awaits TEXT GENERATED ALWAYS AS (
    CASE WHEN issue_type = 'gate' AND json_extract(other, '$.await_type') = 'bead'
         THEN substr(json_extract(other, '$.await_id'), instr(json_extract(other, '$.await_id'), ':') + 1) END) VIRTUAL;
CREATE INDEX gate_timers ON beads (opens_ns) WHERE issue_type = 'gate' AND over = 0;
CREATE INDEX gate_awaits ON beads (awaits) WHERE issue_type = 'gate' AND over = 0;
