//! `bd undefer`: brings beads back that were put off.

use super::context::resolve_all;
use super::{Context, render};
use crate::cli::CliError;
use crate::store::{Patch, Status};

/// Brings beads back that were put off.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear.
    #[arg(required = true)]
    ids: Vec<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let beads = cx.write(|w| {
        let mut beads = Vec::new();
        for id in resolve_all(w, &args.ids)? {
            let deferred = w.need(&id)?.status == Status::DEFERRED;
            let status = deferred.then_some(Status::OPEN);
            beads.push(w.update(&id, Patch { status, defer_until: Some(None), ..Patch::default() })?);
        }
        Ok(beads)
    })?;
    cx.out.print(&beads, |beads| render::done(beads));
    Ok(())
}
