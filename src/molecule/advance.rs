//! Closing a step and taking up the next one.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::squash::squash_complete;
use super::{MoleculeError, is_molecule, is_step, only_if_of, view};
use crate::base::BeadId;
use crate::store::{Bead, Close, Closed, DepKind, Patch, Read, SKIPPED, Status, StoreError, Write};

/// Whether the molecule's changes touch one of these globs; an error says why that cannot be told.
pub type Touches<'a> = &'a dyn Fn(&[String]) -> Result<bool, String>;

/// The place where a step is closed: what conditions on files and on the environment are judged by.
#[derive(Debug, Clone, Copy)]
pub struct Outside<'a> {
    /// The work tree that paths count from.
    pub folder: &'a Path,
    /// The environment of whoever closes the step.
    pub env: &'a BTreeMap<String, String>,
}

/// Who goes on with a molecule.
#[derive(Debug, Clone, Copy, Default)]
pub enum Worker<'a> {
    /// Nobody: takes up nothing, and says which step is next, whoever has it.
    #[default]
    Nobody,
    /// One of several, who only asks: nothing is taken up.
    Asking(&'a str),
    /// One of several: takes up what is its own or nobody's, never what somebody else has.
    Among(&'a str),
    /// The one that the whole molecule was given to: also takes up what one before it has left.
    Holder(&'a str),
}

impl Worker<'_> {
    /// The step that this one goes on with.
    fn next(self, r: &Read<'_>, root: &BeadId) -> Result<Option<Bead>, MoleculeError> {
        match self {
            Self::Nobody | Self::Holder(_) => view::current(r, root),
            Self::Asking(who) | Self::Among(who) => view::current_of(r, root, who),
        }
    }

    /// Who has the step then; `None` leaves it as it is.
    const fn takes(&self) -> Option<&str> {
        match self {
            Self::Nobody | Self::Asking(_) => None,
            Self::Among(who) | Self::Holder(who) => Some(who),
        }
    }
}

/// How the next step is taken up.
#[derive(Clone, Copy, Default)]
pub struct Advance<'a> {
    /// Who takes it.
    pub worker: Worker<'a>,
    /// Whether the molecule's changes touch one of these globs. Where that cannot be told, a step with `only_if` is done.
    pub touches: Option<Touches<'a>>,
    /// Where the step is closed. Without it, no condition on files or variables holds.
    pub outside: Option<Outside<'a>>,
}

impl std::fmt::Debug for Advance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Advance").field("worker", &self.worker).finish_non_exhaustive()
    }
}

/// What came of closing a step.
#[derive(Debug, Clone)]
pub struct Advanced {
    /// What was closed: the step asked for, groups that are complete with it, steps that were skipped, the digest that
    /// the formula wants of a complete molecule.
    pub closed: Vec<Bead>,
    /// The step to be done now.
    pub next: Option<Bead>,
    /// All steps are closed.
    pub complete: bool,
    /// Why it cannot be told whether `next`, which has an `only_if`, is needed.
    pub undecided: Option<String>,
}

/// The step to be done now, and what came of looking for it.
#[derive(Debug, Clone, Default)]
pub struct Up {
    /// Steps that were closed as skipped.
    pub skipped: Vec<Bead>,
    /// The step.
    pub next: Option<Bead>,
    /// As [`Advanced::undecided`].
    pub undecided: Option<String>,
}

/// Closes `step` of the molecule `root` and takes up the next one. Closing a step that is closed already changes
/// nothing and gives the next: a worker that lost its answer asks again.
pub fn close_step(
    w: &mut Write<'_>,
    root: &BeadId,
    step: &BeadId,
    how: Close,
    then: Advance<'_>,
) -> Result<Advanced, MoleculeError> {
    view::need(w, root)?;
    let bead = w.need(step)?;
    if !is_step(&bead) || !is_below(w, step, root)? {
        return Err(MoleculeError::NotAStep { step: step.clone(), root: root.clone() });
    }
    let mut closed = Vec::new();
    if !bead.is_over() {
        let waits = w.blockers(step)?;
        if !waits.is_empty() && !how.force {
            return Err(MoleculeError::Blocked {
                step: step.clone(),
                waits_for: waits.iter().map(ToString::to_string).collect(),
            });
        }
        closed.push(w.close(step, how)?.bead);
        after_close(w, &bead, then.outside, &mut closed)?;
    }
    let Up { skipped, next, undecided } = advance(w, root, then)?;
    closed.extend(skipped);
    let complete = next.is_none() && view::steps(w, root)?.iter().all(Bead::is_over);
    Ok(Advanced { closed, next, complete, undecided })
}

/// What follows from the closing of a step: what its output asks for, another round of its loop, and the closing of
/// the groups that are complete now.
fn after_close(
    w: &mut Write<'_>,
    was: &Bead,
    outside: Option<Outside<'_>>,
    closed: &mut Vec<Bead>,
) -> Result<(), MoleculeError> {
    let roots = super::find::roots_of(w, &was.id)?;
    let Some(top) = roots.last() else { return Ok(()) };
    let step = w.need(&was.id)?;
    super::fan_out::fan_out(w, &step)?;
    // With what became of its fan-out.
    if let Some(told) = closed.iter_mut().find(|bead| bead.id == step.id) {
        *told = w.need(&step.id)?;
    }
    settle(w, &roots, top, &step, outside, closed)
}

/// What is complete or released now that `step` is over, which is in these molecules, the nearest first.
fn settle(
    w: &mut Write<'_>,
    roots: &[BeadId],
    top: &BeadId,
    step: &Bead,
    outside: Option<Outside<'_>>,
    closed: &mut Vec<Bead>,
) -> Result<(), MoleculeError> {
    super::rounds::next(w, step, outside)?;
    closed.extend(close_unneeded(w, top, step)?);
    groups(w, top, &step.id, outside, closed)?;
    super::held::release(w, &step.id, outside)?;
    closed.extend(close_awaited(w, top)?);
    for root in roots {
        if !w.epic_count(root)?.is_done() {
            break;
        }
        closed.extend(squash_complete(w, root)?);
    }
    Ok(())
}

/// Closes a bead by other means than [`close_step`], and [`follow`]s it; gives what was closed by that, too. Nothing
/// follows where it was over already.
pub fn close(
    w: &mut Write<'_>,
    id: &BeadId,
    how: Close,
    outside: Option<Outside<'_>>,
) -> Result<(Closed, Vec<Bead>), StoreError> {
    let again = w.need(id)?.is_over();
    let done = w.close(id, how)?;
    let more = if again { Vec::new() } else { follow(w, &done.bead, outside)? };
    Ok((done, more))
}

/// What follows from the closing of `bead`, if it is a step of a molecule; gives what was closed by that. Without
/// `outside`, no condition on files or variables holds.
pub fn follow(w: &mut Write<'_>, bead: &Bead, outside: Option<Outside<'_>>) -> Result<Vec<Bead>, StoreError> {
    let mut closed = Vec::new();
    if is_step(bead) {
        after_close(w, bead, outside, &mut closed).map_err(|error| match error {
            MoleculeError::Store(error) => error,
            other => StoreError::Invalid { field: "molecule", reason: other.to_string() },
        })?;
    }
    Ok(closed)
}

/// Whether `id` is below `root`, at any depth.
pub(super) fn is_below(r: &Read<'_>, id: &BeadId, root: &BeadId) -> Result<bool, StoreError> {
    let mut at = id.clone();
    // Bounded: a damaged ledger may hold a circle of parents.
    for _ in 0..64 {
        let parent = r.deps(&at)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD);
        match parent {
            Some(edge) if edge.depends_on_id == *root => return Ok(true),
            Some(edge) => at = edge.depends_on_id,
            None => return Ok(false),
        }
    }
    Ok(false)
}

/// Takes up the step to be done now, after closing as skipped those whose `only_if` does not hold.
pub fn advance(w: &mut Write<'_>, root: &BeadId, then: Advance<'_>) -> Result<Up, MoleculeError> {
    let mut up = Up::default();
    loop {
        let Some(next) = then.worker.next(w, root)? else { return Ok(up) };
        up.undecided = None;
        if let (Some(only_if), Some(touches)) = (only_if_of(&next), then.touches)
            && next.status != Status::IN_PROGRESS
        {
            match touches(&only_if.touches) {
                Ok(true) => {}
                Ok(false) => {
                    skip(w, root, &next, &only_if.touches, then.outside, &mut up.skipped)?;
                    continue;
                }
                Err(why) => up.undecided = Some(why),
            }
        }
        up.next = Some(match then.worker.takes() {
            Some(who) if next.status != Status::IN_PROGRESS || next.assignee != who => {
                w.update(&next.id, Patch::status(Status::IN_PROGRESS).with_assignee(who))?
            }
            _ => next,
        });
        return Ok(up);
    }
}

/// Closes a step that the change does not need.
fn skip(
    w: &mut Write<'_>,
    root: &BeadId,
    step: &Bead,
    globs: &[String],
    outside: Option<Outside<'_>>,
    skipped: &mut Vec<Bead>,
) -> Result<(), MoleculeError> {
    let reason = format!("{SKIPPED}{}", globs.join(", "));
    w.update(&step.id, Patch::default().with_meta("outcome", "skipped"))?;
    skipped.push(w.close(&step.id, Close::because(reason))?.bead);
    let roots = super::find::roots_of(w, &step.id)?;
    let top = roots.last().unwrap_or(root);
    settle(w, &roots, top, &w.need(&step.id)?, outside, skipped)
}

/// Closes a molecule whose steps are all closed if something waits for it, so that this goes on; as failed if a step
/// failed, for that is what a conditional bond asks. One on a hook is closed when its work is handed in.
pub(super) fn close_awaited(w: &mut Write<'_>, root: &BeadId) -> Result<Option<Bead>, MoleculeError> {
    let waits = [DepKind::BLOCKS, DepKind::CONDITIONAL_BLOCKS, DepKind::WAITS_FOR];
    let bead = w.need(root)?;
    let done = !bead.is_over() && is_molecule(&bead) && w.epic_count(root)?.is_done();
    if !done
        || !w.dependents(root)?.iter().any(|edge| waits.contains(&edge.kind))
        || w.hooks()?.iter().any(|hook| hook.molecule.as_ref() == Some(root))
        || view::is_open_below(w, root)?
    {
        return Ok(None);
    }
    close_root(w, root).map(Some)
}

/// Closes the root of a molecule whose steps are all closed; as failed if a step failed.
fn close_root(w: &mut Write<'_>, root: &BeadId) -> Result<Bead, MoleculeError> {
    // A round that failed was followed by another, or its loop has said how it ended.
    let failed = |step: &Bead| step.has_failed() && step.meta_str("round_of").is_none();
    let reason = match view::steps(w, root)?.into_iter().find(failed) {
        Some(step) => format!("failed: {}", step.id),
        None => "all its steps are closed".to_owned(),
    };
    Ok(w.close(root, Close { force: true, ..Close::because(reason) })?.bead)
}

/// Closes what hangs in the molecule `top` for the case that `done` fails, and `done` did not.
fn close_unneeded(w: &mut Write<'_>, top: &BeadId, done: &Bead) -> Result<Vec<Bead>, MoleculeError> {
    let mut closed = Vec::new();
    if done.status != Status::CLOSED || done.has_failed() {
        return Ok(closed);
    }
    let dependents = w.dependents(&done.id)?;
    for edge in dependents.into_iter().filter(|edge| edge.kind == DepKind::CONDITIONAL_BLOCKS) {
        let other = w.need(&edge.issue_id)?;
        if !other.is_over() && is_molecule(&other) && is_below(w, &other.id, top)? {
            closed.extend(finish(w, &other.id, &format!("not needed: {} went well", done.id))?);
        }
    }
    Ok(closed)
}

/// Closes the groups above `step` that are complete now, and the roots of molecules that hang below a step.
fn groups(
    w: &mut Write<'_>,
    root: &BeadId,
    step: &BeadId,
    outside: Option<Outside<'_>>,
    closed: &mut Vec<Bead>,
) -> Result<(), MoleculeError> {
    let mut at = step.clone();
    let below = w.epic_count(step)?;
    if below.closed < below.total {
        return Ok(());
    }
    for _ in 0..64 {
        let Some(edge) = w.deps(&at)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD) else { return Ok(()) };
        let parent = edge.depends_on_id;
        if parent == *root {
            return Ok(());
        }
        let bead = w.need(&parent)?;
        let part = is_step(&bead) || is_molecule(&bead);
        let count = w.epic_count(&parent)?;
        if !part || count.closed < count.total || view::is_open_below(w, &parent)? {
            return Ok(());
        }
        if bead.is_over() {
            // It was closed by hand before its steps were.
            closed.extend(close_unneeded(w, root, &bead)?);
        } else {
            let done = if is_molecule(&bead) {
                close_root(w, &parent)?
            } else {
                w.close(&parent, Close::because("all its steps are closed"))?.bead
            };
            closed.extend(close_unneeded(w, root, &done)?);
            closed.push(done);
            super::rounds::next(w, &w.need(&parent)?, outside)?;
        }
        at = parent;
    }
    Ok(())
}

/// Closes the root of a molecule whose work is done, with whatever of it is still open.
pub fn finish(w: &mut Write<'_>, root: &BeadId, reason: &str) -> Result<Vec<Bead>, MoleculeError> {
    let bead = view::need(w, root)?;
    let mut closed = Vec::new();
    // Children before their parents.
    for bead in view::all(w, root)?.into_iter().rev().filter(|b| !b.is_over()) {
        closed.push(w.close(&bead.id, Close { force: true, ..Close::because(reason) })?.bead);
    }
    if !bead.is_over() {
        closed.push(w.close(root, Close { force: true, ..Close::because(reason) })?.bead);
        w.emit("molecule_closed", root.as_str(), json!({ "reason": reason }))?;
    }
    Ok(closed)
}
