//! Squashing: what a molecule or wisp did, condensed into one closed bead.

use std::fmt::Write as _;

use super::{MoleculeError, is_step, view};
use crate::base::BeadId;
use crate::base::text::headline;
use crate::store::{Bead, Close, IssueType, NewBead, Status, Write};

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

/// Condenses a molecule into a digest. `summary` is its text; without one the steps are listed.
///
/// Of a wisp nothing else remains. The beads of a poured molecule stay, for they are the record in the ledger.
pub fn squash(
    w: &mut Write<'_>,
    root: &BeadId,
    summary: Option<&str>,
    keep_children: bool,
) -> Result<Squashed, MoleculeError> {
    let bead = view::need(w, root)?;
    let below = view::all(w, root)?;
    let steps: Vec<&Bead> = below.iter().filter(|b| is_step(b)).collect();
    let text = summary.map_or_else(|| digest(&bead, &steps), str::to_owned);
    let mut metadata = crate::store::Map::new();
    for key in ["formula", "proto", "for", "vars"] {
        if let Some(value) = bead.metadata.get(key) {
            metadata.insert(key.into(), value.clone());
        }
    }
    metadata.insert("molecule".into(), root.as_str().into());
    let new = NewBead {
        title: format!("Digest: {}", headline(&bead.title, 450)),
        description: text,
        issue_type: Some(IssueType::TASK),
        priority: Some(bead.priority),
        labels: vec!["digest".into()],
        metadata,
        parent: (!bead.ephemeral).then(|| root.clone()),
        ..NewBead::default()
    };
    let digest = w.create(new)?.id;
    let reason = format!("Squashed from {} wisps", below.len());
    w.close(&digest, Close { force: true, ..Close::because(reason) })?;
    let mut deleted = 0;
    if !keep_children {
        for bead in below.iter().rev().filter(|b| b.ephemeral) {
            w.delete(&bead.id, "squashed")?;
            deleted += 1;
        }
        if bead.ephemeral {
            w.delete(root, "squashed")?;
        }
    }
    w.emit("squashed", root.as_str(), serde_json::json!({ "digest": digest, "steps": steps.len() }))?;
    Ok(Squashed {
        molecule_id: root.clone(),
        digest_id: digest,
        squashed_count: below.len(),
        squashed_ids: below.into_iter().map(|b| b.id).collect(),
        deleted_count: deleted,
        kept_children: keep_children,
        wisp_squash: bead.ephemeral,
    })
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
    for (i, step) in steps.iter().enumerate() {
        let _ = writeln!(out, "{}. **[{}]** {}", i + 1, step.status, step.title);
        let about = headline(&step.description, 200);
        if !about.is_empty() {
            let _ = writeln!(out, "   {about}");
        }
        if !step.close_reason.is_empty() {
            let _ = writeln!(out, "   *Outcome: {}*", headline(&step.close_reason, 200));
        }
    }
    out
}
