//! What can be asked of many beads at once.

use serde::Serialize;

use super::{Bead, IssueType, Status};
use crate::base::{BeadId, Time};

/// Which beads; every condition given must hold. The default gives all but deleted ones, by priority and age.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One of these statuses; empty for any. Naming `tombstone` brings deleted beads in.
    pub statuses: Vec<Status>,
    /// None of these statuses.
    pub not_statuses: Vec<Status>,
    /// One of these types; empty for any.
    pub types: Vec<IssueType>,
    /// None of these types.
    pub not_types: Vec<IssueType>,
    /// This priority.
    pub priority: Option<u8>,
    /// At least this number (4 is the lowest priority).
    pub priority_min: Option<u8>,
    /// At most this number.
    pub priority_max: Option<u8>,
    /// Assigned to this one.
    pub assignee: Option<String>,
    /// Assigned to nobody.
    pub unassigned: bool,
    /// All of these labels.
    pub labels: Vec<String>,
    /// At least one of these labels.
    pub labels_any: Vec<String>,
    /// Without any label.
    pub no_labels: bool,
    /// One of these ids; empty for any.
    pub ids: Vec<BeadId>,
    /// Below this bead, at any depth.
    pub under: Option<BeadId>,
    /// Ids with this prefix, or with one that begins with it and a `-`.
    pub prefix: Option<String>,
    /// The title contains this, letter case aside.
    pub title_contains: Option<String>,
    /// The description contains this, letter case aside.
    pub desc_contains: Option<String>,
    /// The notes contain this, letter case aside.
    pub notes_contains: Option<String>,
    /// Without a description.
    pub empty_description: bool,
    /// Filed at or after.
    pub created_after: Option<Time>,
    /// Filed before.
    pub created_before: Option<Time>,
    /// Changed at or after.
    pub updated_after: Option<Time>,
    /// Changed before.
    pub updated_before: Option<Time>,
    /// Closed at or after.
    pub closed_after: Option<Time>,
    /// Closed before.
    pub closed_before: Option<Time>,
    /// Due at or after.
    pub due_after: Option<Time>,
    /// Due before.
    pub due_before: Option<Time>,
    /// Put off: by its status, or to a time after this one.
    pub deferred_at: Option<Time>,
    /// Of this type of molecule.
    pub mol_type: Option<String>,
    /// Wisps only, or none.
    pub ephemeral: Option<bool>,
    /// Pinned only, or none.
    pub pinned: Option<bool>,
    /// Templates only, or none.
    pub template: Option<bool>,
    /// Ready only.
    pub ready: bool,
    /// A metadata key with this value (text as itself, other values as JSON text).
    pub meta: Vec<(String, String)>,
    /// The order.
    pub sort: Sort,
    /// The order turned round.
    pub reverse: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Priority, then oldest first.
    #[default]
    Priority,
    /// Newest filed first.
    Created,
    /// Latest changed first.
    Updated,
    /// Latest closed first.
    Closed,
    /// By id.
    Id,
    /// By title.
    Title,
    /// By status, then priority.
    Status,
    /// By type, then priority.
    Type,
    /// By assignee, then priority.
    Assignee,
    /// Of a search: what fits best first. Of a list: as [`Sort::Priority`].
    Best,
}

/// What can be taken up now.
#[derive(Debug, Clone, Default)]
pub struct ReadyQuery {
    /// The present: deferrals that have passed are over.
    pub now: Option<Time>,
    /// The order.
    pub sort: ReadySort,
    /// Only this status; none is open and in progress.
    pub status: Option<Status>,
    /// Only this type, which may then be one that is otherwise left out.
    pub issue_type: Option<IssueType>,
    /// This priority.
    pub priority: Option<u8>,
    /// Assigned to this one.
    pub assignee: Option<String>,
    /// Assigned to nobody; wins over `assignee`.
    pub unassigned: bool,
    /// All of these labels.
    pub labels: Vec<String>,
    /// At least one of these labels.
    pub labels_any: Vec<String>,
    /// Below this bead, at any depth.
    pub under: Option<BeadId>,
    /// Ids with this prefix, or with one that begins with it and a `-`.
    pub prefix: Option<String>,
    /// Only molecules of this type.
    pub mol_type: Option<String>,
    /// Also those deferred to a later time.
    pub include_deferred: bool,
    /// Wisps instead of lasting beads.
    pub ephemeral: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

/// The order of ready work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadySort {
    /// Filed within 48 hours by priority, then the older ones by age.
    #[default]
    Hybrid,
    /// By priority, then age.
    Priority,
    /// By age.
    Oldest,
}

/// A bead that is held back, and the open beads it waits for.
#[derive(Debug, Clone, Serialize)]
pub struct Blocked {
    /// The bead.
    #[serde(flatten)]
    pub bead: Bead,
    /// How many open beads it waits for.
    pub blocked_by_count: usize,
    /// Which: ids, and names in other projects as `external:<project>:<capability>`.
    pub blocked_by: Vec<String>,
}

/// The children of an epic, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EpicCount {
    /// All.
    pub total: usize,
    /// Those that are closed.
    pub closed: usize,
}

impl EpicCount {
    /// Whether the epic can be closed: there are children and all are.
    pub fn is_done(self) -> bool {
        self.total > 0 && self.closed == self.total
    }
}

/// What beads are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Status.
    Status,
    /// Priority, as `P0` to `P4`.
    Priority,
    /// Type.
    Type,
    /// Assignee, empty for none.
    Assignee,
    /// All labels of a bead, one a line.
    Labels,
}

/// The store in numbers; wisps are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// All beads that are not deleted.
    pub total: usize,
    /// By status, deleted ones too.
    pub by_status: std::collections::BTreeMap<String, usize>,
    /// Those that are pinned.
    pub pinned: usize,
    /// Those that can be taken up now.
    pub ready: usize,
    /// Those that are held back.
    pub blocked: usize,
    /// Open epics whose children are all closed.
    pub closable_epics: usize,
    /// Hours from filing to closing, on average, of those closed last.
    pub lead_hours: f64,
    /// What has happened lately, when asked.
    pub recent: Option<Recent>,
}

/// What has happened since some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// Beads filed.
    pub created: usize,
    /// Beads closed.
    pub closed: usize,
    /// Beads changed.
    pub updated: usize,
}
