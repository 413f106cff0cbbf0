//! Changes to a bead.

use serde_json::Value;

use super::{IssueType, Map, Status};
use crate::base::Time;

/// What to change; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    /// One line, 1-500 bytes.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// How it is to be done.
    pub design: Option<String>,
    /// When it is done.
    pub acceptance_criteria: Option<String>,
    /// What was learnt.
    pub notes: Option<String>,
    /// Where it stands. Closing through a patch minds no guard; use [`super::Write::close`].
    pub status: Option<Status>,
    /// Why it is closed; only together with a status of closed.
    pub close_reason: Option<String>,
    /// 0 critical … 4 backlog.
    pub priority: Option<u8>,
    /// What kind of thing it is.
    pub issue_type: Option<IssueType>,
    /// Who has it; empty for nobody.
    pub assignee: Option<String>,
    /// Whom it belongs to.
    pub owner: Option<String>,
    /// How long it may take.
    pub estimated_minutes: Option<Option<i64>>,
    /// When it is due.
    pub due_at: Option<Option<Time>>,
    /// Not before this.
    pub defer_until: Option<Option<Time>>,
    /// Its name in another tracker.
    pub external_ref: Option<Option<String>>,
    /// Kept in view and never worked off.
    pub pinned: Option<bool>,
    /// The whole metadata.
    pub metadata: Option<Map>,
    /// Single metadata keys; `None` removes one. Applied after `metadata`.
    pub meta: Vec<(String, Option<Value>)>,
    /// Any other key of the format by its name, and unknown ones; null removes one.
    pub other: Map,
}

impl Patch {
    /// Only the status.
    pub fn status(status: Status) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Also sets one metadata key.
    #[must_use]
    pub fn with_meta(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meta.push((key.into(), Some(value.into())));
        self
    }

    /// Also sets the assignee; empty for nobody.
    #[must_use]
    pub fn with_assignee(mut self, assignee: impl Into<String>) -> Self {
        self.assignee = Some(assignee.into());
        self
    }
}
