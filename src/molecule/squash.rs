//! Squashing: what a molecule or wisp did, condensed into one closed bead.

use std::fmt::Write as _;

use super::leave::{SMALL, leave};
use super::{MoleculeError, is_step, view};
use crate::base::BeadId;
use crate::base::text::headline;
use crate::store::{Bead, Close, IssueType, NewBead, Read, Stamp, Status, Store, Write};

const REASON: &str = "squashed";
/// So many steps are listed one by one in a digest that nobody wrote.
const LISTED: usize = 1_000;

/// What was squashed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Squashed {
    /// The root.
    pub molecule_id: BeadId,
    /// The digest; it lasts.
    pub digest_id: BeadId,
    /// The beads that it condenses.
    pub squashed_ids: Vec<BeadId>,
    /// How many.
    pub squashed_count: usize,
    /// How many of them were deleted: ephemeral ones, unless they are to be kept.
    pub deleted_count: usize,
    /// They were left alone.
    pub kept_children: bool,
    /// The root was a wisp, and is gone too.
    pub wisp_squash: bool,
}

/// What squashing is about to do.
struct Plan {
    root: Bead,
    steps: usize,
    digest: NewBead,
    reason: String,
    below: Vec<BeadId>,
    deleted: Vec<BeadId>,
    keep_children: bool,
}

/// Condenses a molecule into a digest. `summary` is its text; without one the steps are listed.
///
/// Of a wisp nothing else remains. The beads of a poured molecule stay, for they are the record in the ledger.
pub fn squash(
    w: &mut Write<'_>,
    root: &BeadId,
    summary: Option<&str>,
    keep_children: bool,
) -> Result<Squashed, MoleculeError> {
    let plan = Plan::of(w, root, summary, keep_children)?;
    for id in &plan.deleted {
        w.delete(id, REASON)?;
    }
    plan.record(w)
}

/// As [`squash`], whatever the size: the digest is there when the beads are gone.
pub fn squash_any(
    store: &mut Store,
    by: &Stamp,
    root: &BeadId,
    summary: Option<&str>,
    keep_children: bool,
) -> Result<Squashed, MoleculeError> {
    if store.in_group() {
        return store.write(by, |w| squash(w, root, summary, keep_children));
    }
    let plan = store.read(|r| Plan::of(r, root, summary, keep_children))?;
    if plan.below.len() <= SMALL {
        return store.write(by, |w| squash(w, root, summary, keep_children));
    }
    if plan.deleted.is_empty() {
        return store.write(by, |w| plan.record(w));
    }
    let leaving = plan.deleted.clone();
    leave(store, by, REASON, &leaving, |w| plan.record(w))
}

impl Plan {
    fn of(r: &Read<'_>, root: &BeadId, summary: Option<&str>, keep_children: bool) -> Result<Self, MoleculeError> {
        let bead = view::need(r, root)?;
        let below = view::all(r, root)?;
        let steps: Vec<&Bead> = below.iter().filter(|b| is_step(b)).collect();
        let mut metadata = crate::store::Map::new();
        for key in ["formula", "proto", "for", "vars"] {
            if let Some(value) = bead.metadata.get(key) {
                metadata.insert(key.into(), value.clone());
            }
        }
        metadata.insert("molecule".into(), root.as_str().into());
        let digest = NewBead {
            title: format!("Digest: {}", headline(&bead.title, 450)),
            description: summary.map_or_else(|| digest(&bead, &steps), str::to_owned),
            issue_type: Some(IssueType::TASK),
            priority: Some(bead.priority),
            labels: vec!["digest".into()],
            metadata,
            parent: (!bead.ephemeral).then(|| root.clone()),
            ..NewBead::default()
        };
        let mut deleted = Vec::new();
        if !keep_children {
            deleted.extend(below.iter().rev().filter(|b| b.ephemeral).map(|b| b.id.clone()));
            deleted.extend(bead.ephemeral.then(|| root.clone()));
        }
        Ok(Self {
            steps: steps.len(),
            digest,
            reason: format!("Squashed from {} wisps", below.len()),
            below: below.into_iter().map(|b| b.id).collect(),
            deleted,
            keep_children,
            root: bead,
        })
    }

    /// Files the digest.
    fn record(self, w: &mut Write<'_>) -> Result<Squashed, MoleculeError> {
        let digest = w.create(self.digest)?.id;
        w.close(&digest, Close { force: true, ..Close::because(self.reason) })?;
        let root = self.root.id;
        w.emit("squashed", root.as_str(), serde_json::json!({ "digest": digest, "steps": self.steps }))?;
        let deleted = self.deleted.len() - usize::from(self.deleted.last() == Some(&root));
        Ok(Squashed {
            molecule_id: root,
            digest_id: digest,
            squashed_count: self.below.len(),
            squashed_ids: self.below,
            deleted_count: deleted,
            kept_children: self.keep_children,
            wisp_squash: self.root.ephemeral,
        })
    }
}

/// The text of a digest that nobody wrote.
fn digest(root: &Bead, steps: &[&Bead]) -> String {
    let mut out = String::new();
    let done = steps.iter().filter(|s| s.is_over()).count();
    let going = steps.iter().filter(|s| s.status == Status::IN_PROGRESS).count();
    let _ =
        write!(out, "## Molecule Execution Summary\n\n**Molecule**: {}\n**Steps**: {}\n\n", root.title, steps.len());
    let _ = writeln!(out, "**Completed**: {done}/{}", steps.len());
    if going > 0 {
        let _ = writeln!(out, "**In Progress**: {going}");
    }
    let _ = write!(out, "\n---\n\n### Steps\n\n");
    for (i, step) in steps.iter().take(LISTED).enumerate() {
        let _ = writeln!(out, "{}. **[{}]** {}", i + 1, step.status, step.title);
        let about = headline(&step.description, 200);
        if !about.is_empty() {
            let _ = writeln!(out, "   {about}");
        }
        if !step.close_reason.is_empty() {
            let _ = writeln!(out, "   *Outcome: {}*", headline(&step.close_reason, 200));
        }
    }
    if steps.len() > LISTED {
        let _ = writeln!(out, "… and {} more", steps.len() - LISTED);
    }
    out
}
