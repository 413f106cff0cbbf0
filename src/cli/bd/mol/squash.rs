//! `bd mol squash`: a molecule becomes a digest.

use serde_json::json;

use super::super::Context;
use super::super::arg;
use crate::base::text::count;
use crate::cli::CliError;
use crate::molecule;

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
            molecule::may_squash(r, &root, args.force)?;
            let steps = molecule::steps(r, &root)?;
            Ok::<_, CliError>((root, steps))
        })?;
        let ids: Vec<_> = steps.iter().map(|s| &s.id).collect();
        let value = json!({ "molecule_id": root, "squashed_ids": ids, "squashed_count": ids.len(), "dry_run": true });
        cx.out.print(&value, |_| format!("would squash {root} with {}", count(ids.len(), "step")));
        return Ok(());
    }
    let root = cx.read(|r| super::meant(r, Some(&args.molecule), ""))?;
    let (by, summary) = (cx.stamp(), summary.as_deref());
    let squashed =
        cx.change_store(|store| Ok(molecule::squash_any(store, &by, &root, summary, args.keep_children, args.force)?))?;
    cx.out.print(&squashed, |s| {
        let stay = if s.open > 0 { format!("; {} of it stay open", count(s.open, "step")) } else { String::new() };
        format!("✓ squashed {} into {}{stay}", s.molecule_id, s.digest_id)
    });
    Ok(())
}
