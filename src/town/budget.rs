//! Budgets: how often something may be tried for one bead. Kept on disk, so that no crash refills them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::{BeadId, Time};
use crate::store::{IssueType, NewBead, NewDep, Patch, Read, StoreError, Write};

/// The local namespace of budgets.
pub const BUDGETS: &str = "budget";
/// The label of a bead that nobody works on until a person says so.
pub const QUARANTINE: &str = "quarantine";

/// What has been used of one budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// How often.
    pub times: u32,
    /// When last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
}

fn key(what: &str, bead: &BeadId) -> String {
    format!("{what}:{bead}")
}

/// What has been used of the budget `what` of a bead.
pub fn spent(r: &Read<'_>, what: &str, bead: &BeadId) -> Result<Spent, StoreError> {
    match r.local(BUDGETS, &key(what, bead))? {
        None => Ok(Spent::default()),
        Some(value) => serde_json::from_value(value)
            .map_err(|e| StoreError::Invalid { field: "budget", reason: format!("{}: {e}", key(what, bead)) }),
    }
}

/// Takes one from the budget; false, and nothing taken, when all `limit` are used.
pub fn take(w: &mut Write<'_>, what: &str, bead: &BeadId, limit: u32) -> Result<bool, StoreError> {
    let mut used = spent(w, what, bead)?;
    if used.times >= limit {
        return Ok(false);
    }
    used.times += 1;
    used.last = Some(w.by().now);
    w.put_local(BUDGETS, &key(what, bead), &json!(used))?;
    Ok(true)
}

/// Gives a budget back whole: progress was made, or a person said so.
pub fn refill(w: &mut Write<'_>, what: &str, bead: &BeadId) -> Result<(), StoreError> {
    w.delete_local(BUDGETS, &key(what, bead)).map(|_| ())
}

/// Takes a bead out of circulation and tells the overseer once.
pub fn quarantine(w: &mut Write<'_>, bead: &BeadId, why: &str) -> Result<(), StoreError> {
    if !w.add_label(bead, QUARANTINE)? {
        return Ok(());
    }
    w.update(bead, Patch::default().with_meta("quarantined", why))?;
    w.emit("quarantined", bead.as_str(), json!({ "why": why }))?;
    w.create(NewBead {
        description: format!(
            "{why}\n\nLook: gt why {bead}\nGo on: bd label remove {bead} {QUARANTINE}, then gt sling {bead} RIG"
        ),
        issue_type: Some(IssueType::MESSAGE),
        assignee: "overseer".into(),
        priority: Some(1),
        labels: vec![format!("from:{}", w.by().actor)],
        deps: vec![NewDep::new(crate::store::DepKind::RELATED, bead.clone())],
        ..NewBead::titled(format!("In quarantine: {bead}"))
    })?;
    Ok(())
}
