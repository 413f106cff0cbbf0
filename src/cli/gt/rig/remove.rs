//! `gt rig remove`.

use crate::base::{RigName, text};
use crate::cli::CliError;
use crate::cli::gt::Context;
use crate::town::rig_remove::{self, Removed};

/// Takes a project out of the town. Nothing is deleted: its folder is put aside, and its beads stay.
///
/// Refused while anybody works in it, while anything is in its queue, and while it has open beads.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name.
    name: RigName,
    /// Its open beads stay open, and belong to no rig.
    #[arg(long)]
    keep_open: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let removed = rig_remove::remove(&here.acting(), &mut store, &args.name, args.keep_open)?;
    cx.out.print(&removed, said);
    Ok(())
}

fn said(removed: &Removed) -> String {
    let Removed { rig, from, kept, open } = removed;
    let open = match open.len() {
        0 => String::new(),
        n => format!("\n  {} stay without a rig", text::count(n, "open bead")),
    };
    format!(
        "✓ rig {rig} is out of the town; its folder, with all that was ever made in it, is {0}{open}\n  bring it back: mv {0} {1}",
        kept.display(),
        from.display()
    )
}
