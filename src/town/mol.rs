//! The molecule on a hook, as the town's verbs see it.

use serde::Serialize;

use crate::base::BeadId;
use crate::store::{Bead, Read, Status, StoreError, Write};

/// A step of the molecule on a hook.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// The bead of the step.
    pub id: BeadId,
    /// The id of the step in its formula: `design`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// Where it stands.
    pub status: Status,
}

impl StepView {
    fn of(bead: Bead) -> Self {
        let name = step_name(&bead);
        Self { id: bead.id, name, title: bead.title, description: bead.description, status: bead.status }
    }
}

/// The id of a step in its formula; its bead id when it has none.
pub fn step_name(step: &Bead) -> String {
    step.meta_str("step").unwrap_or(step.id.as_str()).to_owned()
}

/// All steps of a molecule that are work, in order.
pub fn steps(r: &Read<'_>, root: &BeadId) -> Result<Vec<StepView>, StoreError> {
    Ok(crate::molecule::steps(r, root)?.into_iter().map(StepView::of).collect())
}

/// The step to work on: the first in progress, else the first that is ready.
pub fn current(r: &Read<'_>, root: &BeadId) -> Result<Option<StepView>, StoreError> {
    Ok(crate::molecule::current(r, root)?.map(StepView::of))
}

/// Closes a step.
pub(super) fn close_step(w: &mut Write<'_>, root: &BeadId, step: &StepView, note: Option<&str>) -> Result<(), StoreError> {
    crate::molecule::close_step(w, root, &step.id, note.unwrap_or("done")).map(|_| ())
}
