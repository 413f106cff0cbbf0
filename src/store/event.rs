//! What happened, in order: the audit trail of beads and the bus of the daemon.

use serde::Serialize;
use serde_json::Value;

use crate::base::Time;

/// One event. Of beads: `created updated status_changed closed reopened deleted commented dep_added
/// dep_removed label_added label_removed hooked unhooked`; others are named by who emits them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Its place in the order of this store; grows, with gaps.
    pub seq: i64,
    /// What happened.
    pub kind: String,
    /// To what: a bead's id, an address, or another name.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Time,
    /// The particulars.
    pub payload: Value,
}
