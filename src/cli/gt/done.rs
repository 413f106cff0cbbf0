//! `gt done`: hand in the work.

use super::Context;
use crate::base::BeadId;
use crate::cli::CliError;
use crate::town::done::{self, Finished};

/// Hands in what you made: the commit that is checked out goes to the merge queue.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Nothing has to be changed, or the commits change nothing, and why: closes the bead instead.
    #[arg(long, value_name = "REASON")]
    no_change: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let finished = done::done(&here.acting(), &mut store, &here.me, args.no_change.as_deref())?;
    cx.out.print(&finished, |finished| match finished {
        Finished::Queued { bead, mr, commit, lines, paths, .. } => format!(
            "✓ {bead} handed in as {mr}: {} in {} at {}",
            crate::base::text::count(*lines as usize, "line"),
            crate::base::text::count(paths.len(), "file"),
            commit.get(..12).unwrap_or(commit)
        ),
        Finished::NoChange { bead, reason, convoys } => {
            let landed: Vec<&str> = convoys.iter().map(|c| BeadId::as_str(&c.id)).collect();
            let landed =
                if landed.is_empty() { String::new() } else { format!("; convoy {} landed", landed.join(", ")) };
            format!("✓ {bead} closed without a change: {reason}{landed}")
        }
    });
    Ok(())
}
