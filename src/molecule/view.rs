//! Reading a molecule: its steps in order, the one that is next, how far it is.

use std::collections::HashSet;

use serde::Serialize;

use super::{MoleculeError, is_molecule, is_step};
use crate::base::{BeadId, Time};
use crate::store::{Bead, Filter, IssueType, Read, ReadyQuery, Sort, Status, StoreError};

/// The steps of a molecule in the order of the formula, what was added later behind them. Gates are not among them.
pub fn steps(r: &Read<'_>, root: &BeadId) -> Result<Vec<Bead>, StoreError> {
    Ok(all(r, root)?.into_iter().filter(is_step).collect())
}

/// As [`steps`], without those of molecules that hang in it.
pub(super) fn own_steps(r: &Read<'_>, root: &BeadId) -> Result<Vec<Bead>, StoreError> {
    let mut below = all(r, root)?;
    if below.iter().any(is_molecule) {
        below = nested(r, root, |bead| !is_molecule(bead))?;
    }
    Ok(below.into_iter().filter(is_step).collect())
}

/// Every bead below the root, parents before their children.
pub(super) fn all(r: &Read<'_>, root: &BeadId) -> Result<Vec<Bead>, StoreError> {
    let mut below = r.find(&Filter { under: Some(root.clone()), sort: Sort::Id, ..Filter::default() })?;
    if below.iter().any(is_molecule) {
        return nested(r, root, |_| true);
    }
    below.sort_by_key(order);
    Ok(below)
}

/// Whether work is open below a bead, at any depth: what a step fanned out to is below it when it is closed itself.
pub(super) fn is_open_below(r: &Read<'_>, id: &BeadId) -> Result<bool, StoreError> {
    let open = Filter {
        under: Some(id.clone()),
        not_statuses: vec![Status::CLOSED],
        not_types: vec![IssueType::GATE, IssueType::MOLECULE],
        limit: Some(1),
        ..Filter::default()
    };
    Ok(!r.find(&open)?.is_empty())
}

/// As [`all`], where molecules are part of the molecule: each in one piece. Below a bead that is not to be `entered`
/// nothing is looked at.
fn nested(r: &Read<'_>, root: &BeadId, entered: impl Fn(&Bead) -> bool) -> Result<Vec<Bead>, StoreError> {
    let mut out = Vec::new();
    let mut seen: HashSet<BeadId> = HashSet::from([root.clone()]);
    let mut todo = children(r, root)?;
    while let Some(bead) = todo.pop() {
        if seen.insert(bead.id.clone()) {
            if entered(&bead) {
                todo.extend(children(r, &bead.id)?);
            }
            out.push(bead);
        }
    }
    Ok(out)
}

/// The children in reverse order, for a stack.
fn children(r: &Read<'_>, id: &BeadId) -> Result<Vec<Bead>, StoreError> {
    let mut children: Vec<Bead> = r.children(id)?.into_iter().filter(|b| b.status != Status::TOMBSTONE).collect();
    children.sort_by_key(order);
    children.reverse();
    Ok(children)
}

/// A key to sort by: steps that were poured come in the order of the formula, later rounds of a loop between its first one
/// and what comes after it, what was added later behind all.
pub(super) fn order(bead: &Bead) -> u64 {
    let order = bead.metadata.get("order").and_then(serde_json::Value::as_f64).unwrap_or(f64::MAX);
    // The bits of positive numbers stand in the order of the numbers.
    order.max(0.0).to_bits()
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Closed.
    Done,
    /// Somebody is on it, or it is the next one.
    Current,
    /// Could be begun.
    Ready,
    /// Waits for another step or a gate.
    Blocked,
    /// Put off, or done by its children.
    Pending,
}

/// A step and where it stands.
#[derive(Debug, Clone, Serialize)]
pub struct StepLine {
    /// The step.
    pub issue: Bead,
    /// Where it stands.
    pub status: StepState,
    /// The one that is worked on.
    pub is_current: bool,
}

/// The steps with their states. Wisps have ready steps as molecules do.
pub fn lines(r: &Read<'_>, root: &BeadId) -> Result<Vec<StepLine>, MoleculeError> {
    let bead = need(r, root)?;
    let steps = steps(r, root)?;
    let ready: HashSet<BeadId> = ready_beads(r, &bead)?.into_iter().map(|b| b.id).collect();
    let now = current(r, root)?.map(|b| b.id);
    Ok(steps
        .into_iter()
        .map(|issue| {
            let is_current = Some(&issue.id) == now.as_ref();
            let status = if issue.is_over() {
                StepState::Done
            } else if is_current || issue.status == Status::IN_PROGRESS {
                StepState::Current
            } else if ready.contains(&issue.id) {
                StepState::Ready
            } else if r.is_blocked(&issue.id).unwrap_or(true) {
                StepState::Blocked
            } else {
                StepState::Pending
            };
            StepLine { issue, status, is_current }
        })
        .collect())
}

/// The step to be done now: the first one in progress, else the first that is ready. `None` when all are closed, or
/// when the rest waits.
///
/// Looks only at steps that are begun or ready, so it is as quick on a molecule of a million steps.
pub fn current(r: &Read<'_>, root: &BeadId) -> Result<Option<Bead>, MoleculeError> {
    first(r, root, |_| true)
}

/// As [`current`], of the steps that `who` has and those that nobody has.
pub(super) fn current_of(r: &Read<'_>, root: &BeadId, who: &str) -> Result<Option<Bead>, MoleculeError> {
    first(r, root, |step| step.assignee.is_empty() || step.assignee == who)
}

/// The first step in progress that passes, else the first ready one.
fn first(r: &Read<'_>, root: &BeadId, passes: impl Fn(&Bead) -> bool) -> Result<Option<Bead>, MoleculeError> {
    let bead = need(r, root)?;
    let begun =
        Filter { under: Some(root.clone()), statuses: vec![Status::IN_PROGRESS], sort: Sort::Id, ..Filter::default() };
    for candidates in [r.find(&begun)?, ready_beads(r, &bead)?] {
        let mut steps: Vec<Bead> = candidates.into_iter().filter(|b| is_step(b) && passes(b)).collect();
        steps.sort_by_key(order);
        for step in steps {
            // A step with open children is done by doing them.
            let children = r.epic_count(&step.id)?;
            if children.total == children.closed {
                return Ok(Some(step));
            }
        }
    }
    Ok(None)
}

/// The beads of the molecule that can be begun.
fn ready_beads(r: &Read<'_>, root: &Bead) -> Result<Vec<Bead>, StoreError> {
    r.ready(&ReadyQuery { under: Some(root.id.clone()), ephemeral: root.ephemeral, ..ReadyQuery::default() })
}

/// The root, or an error that says that it is none.
pub(super) fn need(r: &Read<'_>, root: &BeadId) -> Result<Bead, MoleculeError> {
    let bead = r.need(root)?;
    if is_molecule(&bead) { Ok(bead) } else { Err(MoleculeError::NotAMolecule(root.clone())) }
}

/// How far a molecule is. Steps that are done by their children count too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// The root.
    pub molecule_id: BeadId,
    /// Its title.
    pub molecule_title: String,
    /// All steps.
    pub total: usize,
    /// Closed ones.
    pub completed: usize,
    /// Those somebody is on.
    pub in_progress: usize,
    /// The one to be done now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_step_id: Option<BeadId>,
    /// Of the total, rounded down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Steps closed per hour between the first and the last closing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_hour: Option<f64>,
    /// At that rate, until the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_hours: Option<f64>,
}

/// How far a molecule is.
pub fn progress(r: &Read<'_>, root: &BeadId) -> Result<Progress, MoleculeError> {
    let bead = need(r, root)?;
    let steps = steps(r, root)?;
    let now = current(r, root)?;
    let (total, completed) = (steps.len(), steps.iter().filter(|s| s.is_over()).count());
    let closed: Vec<Time> = steps.iter().filter_map(|s| s.closed_at).collect();
    let span = closed.iter().max().zip(closed.iter().min()).map(|(last, first)| last.millis() - first.millis());
    let rate = span.filter(|ms| *ms > 0 && closed.len() > 1).map(|ms| {
        let hours = ms as f64 / 3_600_000.0;
        (closed.len() - 1) as f64 / hours
    });
    Ok(Progress {
        molecule_id: bead.id.clone(),
        molecule_title: bead.title,
        total,
        completed,
        in_progress: steps.iter().filter(|s| s.status == Status::IN_PROGRESS).count(),
        current_step_id: now.map(|s| s.id),
        percent: (total > 0).then(|| completed as f64 * 100.0 / total as f64),
        rate_per_hour: rate,
        eta_hours: rate.filter(|r| *r > 0.0).map(|r| (total - completed) as f64 / r),
    })
}
