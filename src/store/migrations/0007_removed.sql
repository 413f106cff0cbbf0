-- The removed edges to a bead are found without looking at all edges: those to a wisp go with it.
CREATE INDEX deps_removed ON deps (depends_on_id) WHERE live = 0;
