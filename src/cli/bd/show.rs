//! `bd show`: beads and all around them.

use super::context::resolve_all;
use super::{Context, render};
use crate::cli::CliError;
use crate::store::Map;

/// Shows beads: their texts, what they depend on, what depends on them, what was said.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear.
    #[arg(required = true)]
    ids: Vec<String>,
    /// One line each.
    #[arg(long)]
    short: bool,
    /// Only the children.
    #[arg(long)]
    children: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let ids = resolve_all(r, &args.ids)?;
        if args.children {
            let mut children = Vec::new();
            for id in &ids {
                children.extend(r.children(id)?);
            }
            cx.out.print(&children, |beads| render::lines(beads, "no children"));
            return Ok(());
        }
        let beads = ids.iter().map(|id| r.need(id)).collect::<Result<Vec<_>, _>>()?;
        if args.short && !cx.out.json {
            cx.out.print(&beads, |beads| render::lines(beads, ""));
            return Ok(());
        }
        let whole = beads.iter().map(|bead| render::whole(r, bead)).collect::<Result<Vec<Map>, _>>()?;
        cx.out.print(&whole, |all| all.iter().map(render::page).collect::<Vec<_>>().join("\n"));
        Ok(())
    })
}
