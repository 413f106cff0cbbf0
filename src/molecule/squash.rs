//! Squashing: what a molecule or wisp did, condensed into one closed bead.

use super::burn::off_hooks;
use super::digest::{Closers, Rule};
use super::leave::{alone, leave};
use super::turns::SMALL;
use super::{MoleculeError, is_step, view};
use crate::base::BeadId;
use crate::base::text::{count, headline};
use crate::store::{Bead, Close, IssueType, NewBead, Patch, Read, Stamp, Status, Store, Write};

const REASON: &str = "squashed";
/// Where the root of a molecule that was squashed names its digest.
const DIGEST: &str = "digest";

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
    /// How many steps of a poured molecule stay open.
    #[serde(skip)]
    pub open: usize,
}

/// How many steps of a poured molecule are open; refused without `force` when there are any, and where there is a digest.
/// Of a wisp nothing stays.
pub fn may_squash(r: &Read<'_>, root: &BeadId, force: bool) -> Result<usize, MoleculeError> {
    if let Some(digest) = digest_of(r, root)?.filter(|_| !force) {
        return Err(MoleculeError::Squashed { root: root.clone(), digest: digest.to_string() });
    }
    if r.need(root)?.ephemeral {
        return Ok(0);
    }
    let steps = view::steps(r, root)?;
    let open = steps.iter().filter(|step| !step.is_over()).count();
    if open > 0 && !force {
        return Err(MoleculeError::Unfinished { root: root.clone(), done: steps.len() - open, all: steps.len() });
    }
    Ok(open)
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

/// The digest that a molecule has already.
pub fn digest_of(r: &Read<'_>, root: &BeadId) -> Result<Option<BeadId>, MoleculeError> {
    let bead = view::need(r, root)?;
    let digest = bead.meta_str(DIGEST).and_then(|id| BeadId::new(id).ok());
    let digest = digest.map(|id| r.bead(&id)).transpose()?.flatten();
    Ok(digest.filter(|bead| bead.status != Status::TOMBSTONE).map(|bead| bead.id))
}

/// Condenses a molecule into a digest. `summary` is its text; without one it is written as the formula's `[squash]` says.
///
/// Of a wisp nothing else remains. The beads of a poured molecule stay, for they are the record in the ledger.
pub fn squash(
    w: &mut Write<'_>,
    root: &BeadId,
    summary: Option<&str>,
    keep_children: bool,
) -> Result<Squashed, MoleculeError> {
    let plan = Plan::of(w, root, summary, keep_children)?;
    off_hooks(w, &plan.deleted)?;
    for id in &plan.deleted {
        w.delete(id, REASON)?;
    }
    plan.record(w)
}

/// As [`squash`], whatever the size, and where it [may be](may_squash) with or without `force`: the digest is there when the
/// beads are gone.
pub fn squash_any(
    store: &mut Store,
    by: &Stamp,
    root: &BeadId,
    summary: Option<&str>,
    keep_children: bool,
    force: bool,
) -> Result<Squashed, MoleculeError> {
    let plan = store.read(|r| {
        may_squash(r, root, force)?;
        Plan::of(r, root, summary, keep_children)
    })?;
    // Somebody else may do it between a look and a transaction: what decides is asked in the latter.
    if store.in_group() || plan.below.len() <= SMALL {
        return store.write(by, |w| {
            let open = may_squash(w, root, force)?;
            Ok(Squashed { open, ..squash(w, root, summary, keep_children)? })
        });
    }
    if plan.deleted.is_empty() {
        return store.write(by, |w| {
            let open = may_squash(w, root, force)?;
            Ok(Squashed { open, ..plan.record(w)? })
        });
    }
    let alone = alone(store, by)?;
    let plan = store.read(|r| Plan::of(r, root, summary, keep_children))?;
    let leaving = plan.deleted.clone();
    leave(store, &alone, by, REASON, &leaving, |w| {
        let open = may_squash(w, root, force)?;
        Ok(Squashed { open, ..plan.record(w)? })
    })
}

/// Files the digest of a molecule whose last step has just been closed, if its formula wants that, it has none and no
/// fan-out goes on in it. The molecule stays; a wisp goes when it is swept.
pub(super) fn squash_complete(w: &mut Write<'_>, root: &BeadId) -> Result<Option<Bead>, MoleculeError> {
    let bead = view::need(w, root)?;
    if !Rule::of(&bead).on_complete() || bead.metadata.contains_key(DIGEST) || view::is_open_below(w, root)? {
        return Ok(None);
    }
    let digest = Plan::of(w, root, None, true)?.record(w)?.digest_id;
    Ok(Some(w.need(&digest)?))
}

/// Who closed each of the steps, where the digest says so and this store has seen it.
fn closers(r: &Read<'_>, rule: &Rule, steps: &[&Bead]) -> Result<Closers, MoleculeError> {
    let mut closers = Closers::new();
    for step in steps.iter().filter(|step| rule.names_closers() && step.is_over()) {
        if let Some(closing) = r.history(&step.id)?.into_iter().rfind(|event| event.kind == "closed") {
            closers.insert(step.id.clone(), closing.actor);
        }
    }
    Ok(closers)
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
        let rule = Rule::of(&bead);
        let text = match summary {
            Some(text) => text.to_owned(),
            None => rule.text(&bead, &steps, &closers(r, &rule, &steps)?),
        };
        let wisps = below.iter().filter(|b| b.ephemeral).count();
        let digest = NewBead {
            title: format!("Digest: {}", headline(&bead.title, 450)),
            description: text,
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
            reason: if wisps > 0 {
                format!("Squashed from {}", count(wisps, "wisp"))
            } else {
                format!("Squashed from {}", count(steps.len(), "step"))
            },
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
        if !self.root.ephemeral || self.keep_children {
            w.update(&root, Patch::default().with_meta(DIGEST, digest.as_str()))?;
        }
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
            open: 0,
        })
    }
}
