//! `bd reopen`: opens closed beads again.

use super::context::resolve_all;
use super::{Context, render};
use crate::base::BeadId;
use crate::cli::CliError;
use crate::store::{Bead, Status};

/// Opens closed beads again: all that are named or none.
///
/// One that is open already stays as it is, and is named. One that stands anywhere else is refused.
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
    let (mut beads, were_open) = cx.write(|w| {
        let (mut beads, mut were_open): (Vec<Bead>, Vec<BeadId>) = Default::default();
        for id in resolve_all(w, &args.ids)? {
            let status = w.need(&id)?.status;
            let named_twice = beads.iter().any(|bead| bead.id == id);
            if status == Status::OPEN && !named_twice {
                were_open.push(id.clone());
            } else if status != Status::OPEN && !status.is_over() {
                return Err(not_closed(&id, &status));
            }
            beads.push(w.reopen(&id, &args.reason)?);
        }
        Ok((beads, were_open))
    })?;
    render::own(&mut beads);
    cx.out.print(&beads, |beads| {
        let opened: Vec<Bead> = beads.iter().filter(|bead| !were_open.contains(&bead.id)).cloned().collect();
        render::done(&opened)
    });
    for id in &were_open {
        cx.out.note(&format!("note: {id} is open already: nothing was changed"));
    }
    Ok(())
}

fn not_closed(id: &BeadId, status: &Status) -> CliError {
    let hint = match status.as_str() {
        "deferred" => format!("`bd undefer {id}` brings it back"),
        _ => format!("`bd update {id} --status open` opens it all the same"),
    };
    CliError::refused(format!("{id} is {status}, and not closed: there is nothing to open again")).hint(hint)
}
