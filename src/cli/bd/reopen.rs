//! `bd reopen`: opens closed beads again.

use super::context::resolve_all;
use super::{Context, render};
use crate::cli::CliError;
use crate::store::Bead;

/// Opens closed beads again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why; kept as a comment.
    #[arg(short, long, default_value = "")]
    reason: String,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let beads = cx.write(|w| {
        let ids = resolve_all(w, &args.ids)?;
        ids.iter().map(|id| Ok(w.reopen(id, &args.reason)?)).collect::<Result<Vec<Bead>, CliError>>()
    })?;
    cx.out.print(&beads, |beads| render::done(beads));
    Ok(())
}
