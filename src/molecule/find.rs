//! Which beads belong to a molecule, and what their metadata says.

use crate::base::BeadId;
use crate::formula::OnlyIf;
use crate::store::{Bead, DepKind, IssueType, Read, StoreError};

/// Whether the bead is the root of a molecule.
pub fn is_molecule(bead: &Bead) -> bool {
    bead.issue_type == IssueType::MOLECULE
}

/// Whether the bead is a step of a molecule.
pub fn is_step(bead: &Bead) -> bool {
    step_name(bead).is_some()
}

/// The step's id in its formula.
pub fn step_name(bead: &Bead) -> Option<&str> {
    bead.meta_str("step")
}

/// The formula that a root or a step comes from.
pub fn formula_of(bead: &Bead) -> Option<&str> {
    bead.meta_str("formula")
}

/// The policy function that does the step.
pub fn run_of(bead: &Bead) -> Option<&str> {
    bead.meta_str("run")
}

/// The condition on the work under which the step is done at all.
pub fn only_if_of(bead: &Bead) -> Option<OnlyIf> {
    serde_json::from_value(bead.metadata.get("only_if")?.clone()).ok()
}

/// The molecules that a bead is part of, the nearest first: where one hangs below a step or the root of another, the
/// other too.
pub fn roots_of(r: &Read<'_>, id: &BeadId) -> Result<Vec<BeadId>, StoreError> {
    let mut roots = Vec::new();
    let mut at = id.clone();
    // Bounded: a damaged ledger may hold a circle of parents.
    for _ in 0..64 {
        let Some(root) = root_of(r, &at)? else { break };
        let parent = r.deps(&root.id)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD);
        roots.push(root.id);
        match parent {
            Some(edge) => at = edge.depends_on_id,
            None => break,
        }
    }
    Ok(roots)
}

/// The molecule that a bead is part of: itself, or the nearest root above it.
pub fn root_of(r: &Read<'_>, id: &BeadId) -> Result<Option<Bead>, StoreError> {
    let mut at = r.bead(id)?;
    // Bounded: a damaged ledger may hold a circle of parents.
    for _ in 0..64 {
        let Some(bead) = at else { return Ok(None) };
        if is_molecule(&bead) {
            return Ok(Some(bead));
        }
        let parent = r.deps(&bead.id)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD);
        at = match parent {
            Some(edge) => r.bead(&edge.depends_on_id)?,
            None => None,
        };
    }
    Ok(None)
}
