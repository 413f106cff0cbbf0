//! `bd mol squash`: a molecule becomes a digest.

use serde_json::json;

use super::super::Context;
use super::super::arg;
use crate::base::BeadId;
use crate::base::text::count;
use crate::cli::CliError;
use crate::molecule;
use crate::store::{Bead, Read};

/// Condenses a molecule or wisp into one closed bead.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The molecule, or one of its steps
    molecule: String,
    /// The text of the digest; `-` reads stdin
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// Leave a wisp's beads where they are
    #[arg(long)]
    keep_children: bool,
    /// Also a poured molecule whose steps are not all closed (those stay as they are), and one that has a digest
    #[arg(long)]
    force: bool,
    /// Say what would be squashed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let summary = args.summary.map(arg::text_or_stdin).transpose()?;
    if args.dry_run {
        let (root, steps) = cx.read(|r| {
            let root = super::meant(r, Some(&args.molecule), "")?;
            let steps = molecule::steps(r, &root)?;
            finished(r, &root, &steps, args.force)?;
            Ok::<_, CliError>((root, steps))
        })?;
        let ids: Vec<_> = steps.iter().map(|s| &s.id).collect();
        let value = json!({ "molecule_id": root, "squashed_ids": ids, "squashed_count": ids.len(), "dry_run": true });
        cx.out.print(&value, |_| format!("would squash {root} with {}", count(ids.len(), "step")));
        return Ok(());
    }
    let (root, open) = cx.read(|r| {
        let root = super::meant(r, Some(&args.molecule), "")?;
        let open = finished(r, &root, &molecule::steps(r, &root)?, args.force)?;
        Ok::<_, CliError>((root, open))
    })?;
    let (by, summary) = (cx.stamp(), summary.as_deref());
    let squashed =
        cx.change_store(|store| Ok(molecule::squash_any(store, &by, &root, summary, args.keep_children)?))?;
    cx.out.print(&squashed, |s| {
        let stay = if open > 0 { format!("; {} of it stay open", count(open, "step")) } else { String::new() };
        format!("✓ squashed {} into {}{stay}", s.molecule_id, s.digest_id)
    });
    Ok(())
}

/// How many steps of a poured molecule are open; refused without `force` when there are any, and where there is a digest.
/// Of a wisp nothing stays.
fn finished(r: &Read<'_>, root: &BeadId, steps: &[Bead], force: bool) -> Result<usize, CliError> {
    if let Some(digest) = molecule::digest_of(r, root)?.filter(|_| !force) {
        return Err(molecule::MoleculeError::Squashed { root: root.clone(), digest: digest.to_string() }.into());
    }
    if r.need(root)?.ephemeral {
        return Ok(0);
    }
    let open = steps.iter().filter(|step| !step.is_over()).count();
    if open > 0 && !force {
        let (done, all) = (steps.len() - open, steps.len());
        return Err(CliError::refused(format!("{root} is unfinished: {done} of {all} steps are closed"))
            .hint(format!("see what is left: bd mol current {root}"))
            .hint(format!("record it as it is, its open steps stay open: bd mol squash {root} --force")));
    }
    Ok(open)
}
