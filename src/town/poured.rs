//! Molecules that were poured before there was a bead to work on with them: what is slung and tracked in their place.
//!
//! A hook holds work, and a molecule is how that is gone through. Where a person names a molecule as work, the bead
//! that it is for is meant; a molecule that is for none gets one of its title.

use serde_json::json;

use super::agent::AgentRow;
use super::error::TownError;
use super::sling::{self, Plan, Ready};
use crate::base::{BeadId, Prefix};
use crate::molecule::{self, MOLECULE};
use crate::store::{Bead, DepKind, IssueType, NewBead, Patch, Read, StoreError, Write};

/// What a name of work stands for.
enum Work {
    /// This bead.
    Bead(BeadId),
    /// A bead that is still to be filed for this molecule.
    Unfiled(Box<Bead>),
}

fn work(r: &Read<'_>, id: &BeadId) -> Result<Work, StoreError> {
    let bead = r.need(id)?;
    if !molecule::is_molecule(&bead) {
        return Ok(Work::Bead(bead.id));
    }
    if let Some(work) = bead.meta_str("for").and_then(|work| BeadId::new(work).ok())
        && r.bead(&work)?.is_some()
    {
        return Ok(Work::Bead(work));
    }
    // Patrols, and molecules that are a part of another one, are nobody's work of their own.
    let is_part = r.deps(id)?.iter().any(|dep| dep.kind == DepKind::PARENT_CHILD);
    if bead.is_over() || bead.ephemeral || is_part {
        return Ok(Work::Bead(bead.id));
    }
    Ok(Work::Unfiled(Box::new(bead)))
}

/// The bead that is meant where `id` is named as work; a molecule that has none yet stands for itself.
pub fn meant(r: &Read<'_>, id: &BeadId) -> Result<BeadId, StoreError> {
    match work(r, id)? {
        Work::Bead(work) => Ok(work),
        Work::Unfiled(root) => Ok(root.id),
    }
}

/// The bead that is meant where `id` is named as work. For a molecule that has none, one is filed, with ids of
/// `prefix` or else the store's.
pub fn file(w: &mut Write<'_>, id: &BeadId, prefix: Option<&Prefix>) -> Result<BeadId, StoreError> {
    let root = match work(w, id)? {
        Work::Bead(work) => return Ok(work),
        Work::Unfiled(root) => root,
    };
    let bead = w.create(NewBead {
        prefix: prefix.cloned(),
        description: root.description,
        priority: Some(root.priority),
        metadata: [(MOLECULE.to_owned(), json!(root.id))].into_iter().collect(),
        ..NewBead::titled(root.title)
    })?;
    w.update(&root.id, Patch::default().with_meta("for", bead.id.as_str()))?;
    Ok(bead.id)
}

/// What slinging `id` would do, which may be a molecule that no bead is filed for yet, once there are the workers
/// `ahead`, too.
pub(super) fn foresee(r: &Read<'_>, ready: &Ready, id: &BeadId, ahead: &[AgentRow]) -> Result<Plan, TownError> {
    let root = match work(r, id)? {
        Work::Bead(work) => {
            let plan = sling::decide_after(r, ready, &work, ahead)?;
            return Ok(Plan { asked: (plan.bead != *id).then(|| id.clone()), ..plan });
        }
        Work::Unfiled(root) => root,
    };
    let mut bead = Bead { issue_type: IssueType::TASK, ..*root };
    bead.metadata.insert(MOLECULE.into(), json!(bead.id));
    let plan = sling::decide_on(r, ready, bead, ahead)?;
    let branch = plan.worker.as_ref().map(|worker| format!("gt/{}/{}-…", worker.short(), ready.prefix()));
    Ok(Plan { asked: Some(id.clone()), branch, ..plan })
}
