-- Small and derived columns stand before long texts, so that filters and counters never read overflow pages.

CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE beads (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    batch INTEGER NOT NULL DEFAULT 0,          -- 0: seen by all; else see `batches`
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    issue_type TEXT NOT NULL,
    assignee TEXT NOT NULL DEFAULT '',
    pinned INTEGER NOT NULL DEFAULT 0,
    ephemeral INTEGER NOT NULL DEFAULT 0,
    is_template INTEGER NOT NULL DEFAULT 0,
    blockers INTEGER NOT NULL DEFAULT 0,       -- active edges that start here
    outside INTEGER NOT NULL DEFAULT 0,        -- blocks edges to `external:…`, listed as held back and never judged
    children INTEGER NOT NULL DEFAULT 0,
    open_children INTEGER NOT NULL DEFAULT 0,
    next_child INTEGER NOT NULL DEFAULT 0,     -- the highest child number ever given
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    closed_ns INTEGER,
    due_ns INTEGER,
    defer_ns INTEGER,
    defer_over INTEGER NOT NULL DEFAULT 0,     -- the deferral has passed
    created_at TEXT NOT NULL,                  -- times as they were written, with their offset
    updated_at TEXT NOT NULL,
    closed_at TEXT,
    due_at TEXT,
    defer_until TEXT,
    created_by TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT '',
    external_ref TEXT,
    labels TEXT NOT NULL DEFAULT '',           -- the live labels, sorted, one a line
    title TEXT NOT NULL,
    close_reason TEXT NOT NULL DEFAULT '',
    stamps TEXT NOT NULL,                      -- JSON: clock and replica per field, "*" for the others
    metadata TEXT,                             -- JSON object
    other TEXT,                                -- JSON object: all other keys of the format, and unknown ones
    description TEXT NOT NULL DEFAULT '',
    design TEXT NOT NULL DEFAULT '',
    acceptance_criteria TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    over INTEGER GENERATED ALWAYS AS (status IN ('closed', 'tombstone')) VIRTUAL,
    -- 1: can be taken up; 2: only the deferral is in the way
    ready INTEGER GENERATED ALWAYS AS (
        CASE WHEN status IN ('open', 'in_progress') AND blockers = 0 AND pinned = 0 AND ephemeral = 0
                  AND is_template = 0 AND instr(id, '-wisp-') = 0
                  AND issue_type NOT IN ('merge-request', 'gate', 'molecule', 'message', 'agent', 'role', 'rig',
                                         'convoy', 'event', 'slot')
             THEN CASE WHEN defer_ns IS NULL OR defer_over = 1 THEN 1 ELSE 2 END
             ELSE 0 END) VIRTUAL
);
CREATE INDEX ready_priority ON beads (batch, priority, created_ns, id) WHERE ready = 1;
CREATE INDEX ready_created ON beads (batch, created_ns, id) WHERE ready = 1;
CREATE INDEX ready_assignee ON beads (batch, assignee, priority, created_ns, id) WHERE ready = 1;
CREATE INDEX ready_later ON beads (defer_ns) WHERE ready = 2;
CREATE INDEX open_priority ON beads (batch, priority, created_ns, id) WHERE over = 0;
CREATE INDEX open_type ON beads (issue_type, priority, created_ns) WHERE over = 0;
CREATE INDEX open_assignee ON beads (assignee, priority, created_ns) WHERE over = 0 AND assignee <> '';
CREATE INDEX open_updated ON beads (updated_ns) WHERE over = 0;
CREATE INDEX held_back ON beads (batch, priority, created_ns) WHERE over = 0 AND (blockers > 0 OR outside > 0 OR status IN ('blocked', 'deferred'));
CREATE INDEX by_status ON beads (status, priority, created_ns);
CREATE INDEX wisps ON beads (updated_ns) WHERE ephemeral = 1;
CREATE INDEX by_external_ref ON beads (external_ref) WHERE external_ref IS NOT NULL;

-- How many top-level ids a prefix has: their number decides the length of new ones.
CREATE TABLE id_counts (prefix TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;

-- issue_id depends on depends_on_id. Removed edges stay with live = 0, so that a merge knows of the removal.
CREATE TABLE deps (
    num INTEGER PRIMARY KEY,
    issue_id TEXT NOT NULL,
    depends_on_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    batch INTEGER NOT NULL DEFAULT 0,
    live INTEGER NOT NULL DEFAULT 1,
    active INTEGER NOT NULL DEFAULT 0,         -- holds issue_id back now
    spawner TEXT,                              -- waits-for: whose children are waited for
    any_child INTEGER NOT NULL DEFAULT 0,      -- waits-for: one closed child is enough
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL DEFAULT '',
    metadata TEXT NOT NULL DEFAULT '',
    thread_id TEXT NOT NULL DEFAULT '',
    added TEXT NOT NULL,
    removed TEXT,
    UNIQUE (issue_id, depends_on_id, kind)
);
CREATE INDEX deps_target ON deps (depends_on_id, kind, issue_id) WHERE live = 1;
CREATE INDEX deps_spawner ON deps (spawner) WHERE live = 1 AND spawner IS NOT NULL;

CREATE TABLE labels (
    bead INTEGER NOT NULL,
    label TEXT NOT NULL,
    live INTEGER NOT NULL DEFAULT 1,
    added TEXT NOT NULL,
    removed TEXT,
    PRIMARY KEY (bead, label)
) WITHOUT ROWID;
CREATE INDEX labels_label ON labels (label, bead) WHERE live = 1;

CREATE TABLE comments (
    num INTEGER PRIMARY KEY,
    bead INTEGER NOT NULL,
    uid TEXT NOT NULL,                         -- the same in every copy of the store
    id INTEGER NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    live INTEGER NOT NULL DEFAULT 1,
    added TEXT NOT NULL,
    removed TEXT,
    UNIQUE (bead, uid)
);

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    actor TEXT NOT NULL,
    at TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE INDEX events_subject ON events (subject, seq);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    batch INTEGER NOT NULL DEFAULT 0,
    bead TEXT NOT NULL,
    actor TEXT NOT NULL,
    at TEXT NOT NULL,
    summary TEXT NOT NULL,
    doc TEXT NOT NULL
);

-- staged: nobody sees its beads; published: everybody does
CREATE TABLE batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at TEXT NOT NULL
);
-- Edges of staged beads that lead out of their batch: judged again when it is published.
CREATE TABLE batch_edges (batch INTEGER NOT NULL, dep INTEGER NOT NULL, PRIMARY KEY (batch, dep)) WITHOUT ROWID;

CREATE TABLE hooks (
    agent TEXT PRIMARY KEY,
    bead TEXT NOT NULL UNIQUE,
    molecule TEXT,
    epoch INTEGER NOT NULL,
    since TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE local (
    ns TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (ns, key)
) WITHOUT ROWID;

CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    rig TEXT NOT NULL,
    rule TEXT NOT NULL,
    layer TEXT NOT NULL,
    revision TEXT NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    rung INTEGER,
    outcome TEXT NOT NULL,
    actions TEXT NOT NULL,
    because TEXT NOT NULL
);
CREATE INDEX decisions_subject ON decisions (subject, seq);

-- Lines of issues.jsonl that our writer would not reproduce byte for byte, and what they were read as.
CREATE TABLE source_lines (bead INTEGER PRIMARY KEY, line TEXT NOT NULL);

CREATE VIRTUAL TABLE bead_text USING fts5 (
    id, title, description, design, acceptance_criteria, notes, close_reason,
    content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
