//! `bd defer`: puts beads off.

use super::{Context, arg, last, render};
use crate::cli::CliError;
use crate::store::{Patch, Status};

/// Puts beads off. With --until they come back by themselves, without it by `bd undefer`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Until when: a date, a time, or 2d.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let until = args.until.as_deref().map(|text| arg::when(text, cx.now())).transpose()?;
    let patch = |was: &Status| match until {
        // The status stays as it is: what is merely put off to a time needs nobody to bring it back.
        Some(until) => {
            let status = (*was == Status::DEFERRED).then_some(Status::OPEN);
            Patch { status, defer_until: Some(Some(until)), ..Patch::default() }
        }
        None => Patch::status(Status::DEFERRED),
    };
    let beads = cx.write(|w| {
        let ids = last::meant(w, &args.ids, "defer")?;
        let mut beads = Vec::with_capacity(ids.len());
        for id in &ids {
            let status = w.need(id)?.status;
            if status.is_over() {
                return Err(CliError::refused(format!("{id} is {status}: there is nothing to put off"))
                    .hint(format!("if it is to be done again: bd reopen {id}")));
            }
            beads.push(w.update(id, patch(&status))?);
        }
        Ok(beads)
    })?;
    cx.out.print(&beads, |beads| render::done(beads));
    Ok(())
}
