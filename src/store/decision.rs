//! Decisions of policies that had an effect, kept in the transaction of their effect.

use serde::Serialize;
use serde_json::Value;

use crate::base::Time;

/// What a policy decided, why, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionRow {
    /// Its place in the order of this store; ignored when recording.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// The role that decided: `witness`, `refinery`, …
    pub role: String,
    /// The rig it decided for; empty for the town.
    pub rig: String,
    /// The rule's name.
    pub rule: String,
    /// The layer the rule comes from: builtin, town or rig.
    pub layer: String,
    /// The revision of the policy.
    pub revision: String,
    /// The file of the rule.
    pub file: String,
    /// The line in it.
    pub line: u32,
    /// What it was about: a bead's id, an address, …
    pub subject: String,
    /// The actions, as JSON.
    pub actions: Value,
    /// The facts that decided it, as JSON.
    pub because: Value,
    /// The rung of a ladder, where one was used.
    pub rung: Option<u32>,
    /// What came of it: `done`, or why not.
    pub outcome: String,
}
