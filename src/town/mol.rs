//! The molecule on a hook, as the town's verbs see it.

use serde::Serialize;
use serde_json::json;

use crate::base::BeadId;
use crate::formula::Proto;
use crate::store::{Bead, Close, DepKind, IssueType, NewBead, NewDep, Read, Status, StoreError, Write};

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
    Ok(r.children(root)?.into_iter().filter(|b| b.status != Status::TOMBSTONE).map(StepView::of).collect())
}

/// The step to work on: the first in progress, else the first that is ready.
pub fn current(r: &Read<'_>, root: &BeadId) -> Result<Option<StepView>, StoreError> {
    let open: Vec<StepView> = steps(r, root)?.into_iter().filter(|s| s.status.is_workable()).collect();
    if let Some(begun) = open.iter().find(|s| s.status == Status::IN_PROGRESS) {
        return Ok(Some(begun.clone()));
    }
    for step in open {
        if !r.is_blocked(&step.id)? {
            return Ok(Some(step));
        }
    }
    Ok(None)
}

/// Closes a step.
pub(super) fn close_step(w: &mut Write<'_>, step: &StepView, note: Option<&str>) -> Result<(), StoreError> {
    w.close(&step.id, Close { force: true, ..Close::because(note.unwrap_or("done")) }).map(|_| ())
}

/// Makes a molecule for a bead. Gives its root.
pub(super) fn pour(w: &mut Write<'_>, proto: &Proto, bead: &BeadId, title: &str) -> Result<BeadId, StoreError> {
    let meta = |step: Option<&str>| {
        let mut map = crate::store::Map::new();
        map.insert("formula".into(), json!(proto.formula));
        map.insert("proto".into(), json!(proto.id));
        map.insert("for".into(), json!(bead));
        if let Some(step) = step {
            map.insert("step".into(), json!(step));
        }
        map
    };
    let prefix = crate::base::Prefix::new(bead.prefix()).ok();
    let root = w.create(NewBead {
        prefix,
        description: proto.description.clone(),
        issue_type: Some(IssueType::MOLECULE),
        metadata: meta(None),
        ..NewBead::titled(title)
    })?;
    let mut ids: Vec<(&str, BeadId)> = Vec::with_capacity(proto.steps.len());
    for step in &proto.steps {
        let needs = step.needs.iter().filter_map(|need| ids.iter().find(|(name, _)| name == need));
        let deps = needs.map(|(_, id)| NewDep::new(DepKind::BLOCKS, id.clone())).collect();
        let made = w.create(NewBead {
            parent: Some(root.id.clone()),
            description: step.description.clone(),
            metadata: meta(Some(&step.id)),
            deps,
            ..NewBead::titled(step.title.as_str())
        })?;
        ids.push((&step.id, made.id));
    }
    Ok(root.id)
}
