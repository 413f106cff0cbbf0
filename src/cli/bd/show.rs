//! `bd show`: beads and all around them.

use super::context::resolve_all;
use super::{Context, render};
use crate::base::BeadId;
use crate::cli::CliError;
use crate::store::{Bead, DepKind, Map, Read};

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
    /// Only what depends on them or points at them.
    #[arg(long, conflicts_with = "children")]
    refs: bool,
    /// The whole conversation that they belong to, oldest first.
    #[arg(long, conflicts_with_all = ["children", "refs"])]
    thread: bool,
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
        if args.refs {
            let mut rows = Vec::new();
            for id in &ids {
                rows.extend(super::dep::list::rows(r, id, super::dep::Direction::Up, None)?);
            }
            cx.out.print(&rows, |rows| super::dep::list::told(rows, "nothing points at it"));
            return Ok(());
        }
        if args.thread {
            let beads = thread(r, &ids)?;
            cx.out.print(&beads, |beads| render::lines(beads, ""));
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

/// Everything that answers something that these answer or are.
fn thread(r: &Read<'_>, ids: &[BeadId]) -> Result<Vec<Bead>, CliError> {
    let mut seen: Vec<BeadId> = ids.to_vec();
    let mut next = 0;
    while let Some(id) = seen.get(next).cloned() {
        let (up, down) = (r.deps(&id)?, r.dependents(&id)?);
        let ends = up.into_iter().chain(down).filter(|dep| dep.kind == DepKind::REPLIES_TO);
        for end in ends.flat_map(|dep| [dep.issue_id, dep.depends_on_id]) {
            if !seen.contains(&end) {
                seen.push(end);
            }
        }
        next += 1;
    }
    let mut beads = Vec::new();
    for id in &seen {
        beads.extend(r.bead(id)?);
    }
    beads.sort_by_key(|bead| (bead.created_at, bead.id.clone()));
    Ok(beads)
}
