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
            Ok::<_, CliError>((root, steps))
        })?;
        let ids: Vec<_> = steps.iter().map(|s| &s.id).collect();
        let value = json!({ "molecule_id": root, "squashed_ids": ids, "squashed_count": ids.len(), "dry_run": true });
        cx.out.print(&value, |_| format!("would squash {root} with {}", count(ids.len(), "step")));
        return Ok(());
    }
    let squashed = cx.write(|w| {
        let root = super::meant(w, Some(&args.molecule), "")?;
        molecule::squash(w, &root, summary.as_deref(), args.keep_children).map_err(CliError::from)
    })?;
    cx.out.print(&squashed, |s| format!("✓ squashed {} into {}", s.molecule_id, s.digest_id));
    Ok(())
}
