//! A bead to be created.

use super::{IssueType, Map, NewDep, Status};
use crate::base::{BeadId, Prefix, Time};

/// What to create. Everything but the title may be left out: `NewBead { title, ..NewBead::default() }`.
#[derive(Debug, Clone, Default)]
pub struct NewBead {
    /// The id; none makes one.
    pub id: Option<BeadId>,
    /// The prefix of a made id; none takes the store's (or, for wisps, that and `-wisp`).
    pub prefix: Option<Prefix>,
    /// The parent: the id becomes `<parent>.<n>` (unless `id` or `prefix` is given) and a parent-child edge is drawn.
    pub parent: Option<BeadId>,
    /// One line, 1-500 bytes.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// How it is to be done.
    pub design: String,
    /// When it is done.
    pub acceptance_criteria: String,
    /// What was learnt.
    pub notes: String,
    /// Where it stands; none is open.
    pub status: Option<Status>,
    /// 0 critical … 4 backlog; none is 2.
    pub priority: Option<u8>,
    /// What kind of thing it is; none is a task.
    pub issue_type: Option<IssueType>,
    /// Who has it; empty for nobody.
    pub assignee: String,
    /// Whom it belongs to.
    pub owner: String,
    /// Who filed it; empty takes the actor of the write.
    pub created_by: String,
    /// How long it may take.
    pub estimated_minutes: Option<i64>,
    /// When it is due.
    pub due_at: Option<Time>,
    /// Not before this.
    pub defer_until: Option<Time>,
    /// Its name in another tracker.
    pub external_ref: Option<String>,
    /// Anything that the tracker itself gives no meaning.
    pub metadata: Map,
    /// Its labels.
    pub labels: Vec<String>,
    /// What it depends on, beside the parent.
    pub deps: Vec<NewDep>,
    /// A wisp: lives in this store only and never reaches the ledger.
    pub ephemeral: bool,
    /// Kept in view and never worked off.
    pub pinned: bool,
    /// A pattern to make beads from, not work itself.
    pub is_template: bool,
    /// Any other key of the format by its name (`mol_type`, `await_type`, …), and unknown ones.
    pub other: Map,
}

impl NewBead {
    /// A task with this title.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
}
