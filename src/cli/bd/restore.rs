//! `bd restore`: makes the database anew from the ledger.

use super::Context;
use crate::base::{Prefix, text};
use crate::cli::{CliError, output};
use crate::ledger;
use crate::store::DATABASE;

/// Makes the database anew from the ledger alone: every bead with its edges, labels and comments, as far as they
/// were recorded. What is local (wisps, hooks, settings) is not in the ledger.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Replace the database that is there; it is kept beside the new one.
    #[arg(long)]
    force: bool,
    /// What new ids begin with; as in the old database, or that of the most beads, when left out.
    #[arg(short, long)]
    prefix: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let place = cx.place();
    if let Some(town) = &place.town
        && crate::daemon::lock::is_held(town).unwrap_or(true)
    {
        return Err(CliError::refused("the town is at work with this database").hint("`gt shutdown` first"));
    }
    let prefix = args.prefix.as_deref().map(|p| Prefix::new(p.trim_end_matches('-'))).transpose()?;
    let done = ledger::restore(&place.beads_dir, prefix, args.force, cx.now()).map_err(|error| match error {
        ledger::LedgerError::Store(crate::store::StoreError::StoreExists(path)) => {
            CliError::refused(format!("there is a database at {}", path.display()))
                .hint("`bd doctor` says what is wrong with it; `bd restore --force` replaces it and keeps it aside")
        }
        ledger::LedgerError::NoLedger(_) if args.force && place.beads_dir.join(DATABASE).exists() => {
            let database = place.beads_dir.join(DATABASE);
            CliError::from(error).hint(format!(
                "the database is all there is, and nothing was done to it; to begin anew put it aside: `mv {0} {0}.damaged`, \
                 then `bd init`",
                database.display()
            ))
        }
        other => other.into(),
    })?;
    if let Some(error) = &done.unrecorded {
        cx.out.note(&format!("note: the old database could not be recorded to its end: {error}"));
    }
    cx.out.print(&done, |done| {
        let kept = done.replaced.as_ref().map(|p| format!("\n  the old one is {}", p.display())).unwrap_or_default();
        format!("✓ {} from the ledger, new ids like {}-a3f{kept}", text::count(done.beads, "bead"), done.prefix)
    });
    if !cx.out.json {
        done.left_out.iter().for_each(|line| output::message(&format!("left in the ledger: {line}")));
    }
    Ok(())
}
