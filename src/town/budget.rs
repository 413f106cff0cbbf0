//! Budgets: how often something may be tried for one bead. Kept on disk, so that no crash refills them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::hook::REWORK;
use super::retire::RESTART;
use super::roles::{keep, ladders};
use super::{agent, convoy};
use crate::base::{BeadId, RigName, Time};
use crate::store::{Bead, IssueType, NewBead, NewDep, Patch, Read, StoreError, Write};

/// The local namespace of budgets.
pub const BUDGETS: &str = "budget";
/// The label of a bead that nobody works on until a person says so.
pub const QUARANTINE: &str = "quarantine";
/// The metadata key of such a bead that says why.
pub const QUARANTINED: &str = "quarantined";

/// The metadata key of a bead that says how often it was handed in since a person last had a word.
pub const ATTEMPTS: &str = "attempts";

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
    let key = key(what, bead);
    let invalid =
        |error| StoreError::Invalid { field: "budget", reason: format!("{key}: {error}; to fill it: gt start") };
    Ok(r.local_row(BUDGETS, &key)?.transpose().map_err(invalid)?.unwrap_or_default())
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

/// The worker of a bead got on: it may be started again as often as at first.
pub fn progressed(w: &mut Write<'_>, bead: &BeadId) -> Result<(), StoreError> {
    w.delete_local(BUDGETS, &key(RESTART, bead)).map(|_| ())
}

/// Gives the budgets of a bead back whole, and holds it back no more: it landed, or a person said so.
pub fn refill(w: &mut Write<'_>, bead: &BeadId) -> Result<(), StoreError> {
    if keep::release(w, bead.as_str())? {
        w.emit("released", bead.as_str(), json!({}))?;
    }
    w.delete_local(BUDGETS, &key(REWORK, bead))?;
    progressed(w, bead)
}

/// A person lets a bead go on: it is held back no more, it is in no quarantine any more, its budgets are whole, it
/// was handed in for the first time when that comes next, and the rules begin at the foot of their ladders.
pub fn go_on(w: &mut Write<'_>, bead: &BeadId) -> Result<(), StoreError> {
    let held = w.remove_label(bead, QUARANTINE)?;
    if w.need(bead)?.metadata.contains_key(QUARANTINED) {
        w.update(bead, Patch { meta: vec![(QUARANTINED.into(), None)], ..Patch::default() })?;
    }
    if held {
        w.emit("quarantine_lifted", bead.as_str(), json!({}))?;
    }
    if w.need(bead)?.metadata.contains_key(ATTEMPTS) {
        w.update(bead, Patch { meta: vec![(ATTEMPTS.into(), None)], ..Patch::default() })?;
    }
    ladders::forget_all(w, bead.as_str())?;
    refill(w, bead)
}

/// [`go_on`] for a bead whose label a person has taken off.
pub fn go_on_if_released(w: &mut Write<'_>, bead: &Bead) -> Result<(), StoreError> {
    if bead.metadata.contains_key(QUARANTINED) && !bead.has_label(QUARANTINE) {
        go_on(w, &bead.id)?;
    }
    Ok(())
}

/// Why a bead is in quarantine; none when it is not, or is over.
pub fn why_quarantined(bead: &Bead) -> Option<&str> {
    let waits = bead.has_label(QUARANTINE) && !bead.is_over();
    waits.then(|| bead.meta_str(QUARANTINED).unwrap_or("a person has to look at it"))
}

/// The command by which a person gives this bead to a worker: one in quarantine must be forced, and one that was slung
/// into another rig than that of its id goes on there.
pub fn sling_command(bead: &Bead) -> String {
    match convoy::slung_to(bead) {
        Some(rig) => sling_into(bead, &rig),
        None => bare_sling(bead),
    }
}

/// [`sling_command`] into a rig that is known.
pub fn sling_into(bead: &Bead, rig: &RigName) -> String {
    format!("{} {rig}", bare_sling(bead))
}

fn bare_sling(bead: &Bead) -> String {
    let force = if why_quarantined(bead).is_some() { "--force " } else { "" };
    format!("gt sling {force}{}", bead.id)
}

/// Takes a bead out of circulation; whoever does it tells the overseer. False when it is in quarantine already.
pub fn seclude(w: &mut Write<'_>, bead: &BeadId, why: &str) -> Result<bool, StoreError> {
    if !w.add_label(bead, QUARANTINE)? {
        return Ok(false);
    }
    w.update(bead, Patch::default().with_meta(QUARANTINED, why))?;
    w.emit("quarantined", bead.as_str(), json!({ "why": why }))?;
    Ok(true)
}

/// What a message about a bead in quarantine says below the reason: its worker's last words, and what to do.
pub fn particulars(r: &Read<'_>, bead: &BeadId) -> Result<String, StoreError> {
    use agent::AgentState::{Dead, Retiring};
    let gone = |row: &agent::AgentRow| matches!(row.state, Dead | Retiring);
    let rows: Vec<agent::AgentRow> = agent::all(r)?.into_iter().filter(|row| row.bead.as_ref() == Some(bead)).collect();
    let slung_to = r.bead(bead)?.as_ref().and_then(convoy::slung_to);
    let rig = rows.iter().find_map(|row| row.rig().cloned()).or(slung_to);
    let rig = rig.map_or(String::new(), |rig| format!(" {rig}"));
    let line = rows.into_iter().find(gone).and_then(|row| row.last_line);
    let ended = line.map_or(String::new(), |line| format!("\nIts worker's last line: {line}"));
    Ok(format!("{ended}\n\nLook: gt peek {bead}, gt why {bead}\nGo on: gt sling --force {bead}{rig}"))
}

/// Takes a bead out of circulation and tells the overseer once.
pub fn quarantine(w: &mut Write<'_>, bead: &BeadId, why: &str) -> Result<(), StoreError> {
    if !seclude(w, bead, why)? {
        return Ok(());
    }
    w.create(NewBead {
        description: format!("{why}{}", particulars(w, bead)?),
        issue_type: Some(IssueType::MESSAGE),
        assignee: "overseer".into(),
        priority: Some(1),
        labels: vec![format!("from:{}", w.by().actor)],
        deps: vec![NewDep::new(crate::store::DepKind::RELATED, bead.clone())],
        ..NewBead::titled(format!("In quarantine: {bead}"))
    })?;
    Ok(())
}
