//! Closing steps: a worker says that the current step of its molecule is done.

use std::cell::RefCell;

use serde::Serialize;
use serde_json::{Value, json};

use super::around::Acting;
use super::error::TownError;
use super::mol::{self, StepView, Touched};
use super::{agent, budget};
use crate::base::Address;
use crate::molecule::fan_out_failures;
use crate::store::{Patch, Store};

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepDone {
    /// The step that was closed.
    pub closed: StepView,
    /// The step to work on next; none when all are closed.
    pub next: Option<StepView>,
    /// Why it cannot be told whether `next`, which only some changes need, is needed by this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<String>,
    /// What its fan-out could not pour.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_poured: Vec<String>,
}

/// Closes the current step of the molecule on an agent's hook.
///
/// `note` is what was found or decided, `output` what the steps after it work with.
pub fn done(
    cx: &Acting<'_>,
    store: &mut Store,
    agent: &Address,
    note: Option<&str>,
    output: Option<&Value>,
) -> Result<StepDone, TownError> {
    let worker = RefCell::new(None);
    let attempt = |touched: &Touched| {
        store.write(&cx.stamp(), |w| {
            let hook = super::hook::held(w, agent)?.ok_or_else(|| nothing_hooked(agent))?;
            let root = hook.molecule.ok_or_else(|| {
                TownError::refused(format!("{} has no steps", hook.bead)).hint("when the work is done: gt done")
            })?;
            let Some(step) = mol::current(w, &root)? else {
                let left = mol::steps(w, &root)?.iter().any(|step| !step.status.is_over());
                return Err(if left {
                    TownError::refused(format!("no step of {root} can be closed now")).hint("see the steps: gt hook")
                } else {
                    TownError::refused(format!("all steps of {root} are closed")).hint("hand it in: gt done")
                });
            };
            if let Some(note) = note {
                w.add_comment(&step.id, note)?;
            }
            if let Some(output) = output {
                w.update(&step.id, Patch::default().with_meta("output", output.clone()))?;
            }
            let row = agent::get(w, agent)?;
            worker.replace(row.clone());
            let (next, undecided) = mol::close_step(w, cx, row.as_ref(), &root, &step.id, note, touched)?;
            agent::progressed(w, agent, cx.now())?;
            budget::progressed(w, &hook.bead)?;
            w.emit("step_closed", step.id.as_str(), json!({ "agent": agent, "step": step.name, "bead": hook.bead }))?;
            let not_poured = fan_out_failures(&w.need(&step.id)?);
            Ok::<_, TownError>(StepDone { closed: step, next, undecided, not_poured })
        })
    };
    let result = mol::deciding(attempt, || match &*worker.borrow() {
        Some(row) => mol::touched(cx.town, row),
        None => Err("whoever works on it has no worktree".to_owned()),
    })?;
    super::wake(cx.town);
    Ok(result)
}

/// The error for an agent without work.
pub(super) fn nothing_hooked(agent: &Address) -> TownError {
    TownError::refused(format!("nothing is on the hook of {agent}")).hint("get work: gt sling BEAD RIG")
}
