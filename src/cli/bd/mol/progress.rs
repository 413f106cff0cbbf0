//! `bd mol progress`: how far a molecule is.

use std::fmt::Write as _;

use super::super::Context;
use crate::cli::CliError;
use crate::molecule;

/// Says how far a molecule is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The molecule, one of its steps, or the bead it was poured for; yours when none is given
    molecule: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let who = cx.stamp().actor;
    let progress = cx.read(|r| {
        let root = super::meant(r, args.molecule.as_deref(), &who)?;
        molecule::progress(r, &root).map_err(CliError::from)
    })?;
    cx.out.print(&progress, |p| {
        let mut out = format!("{}  {}\n  {}/{} closed", p.molecule_id, p.molecule_title, p.completed, p.total);
        if let Some(percent) = p.percent {
            let _ = write!(out, " ({percent:.0} %)");
        }
        if p.in_progress > 0 {
            let _ = write!(out, ", {} in progress", p.in_progress);
        }
        if let Some(step) = &p.current_step_id {
            let _ = write!(out, "\n  now: {step}");
        }
        if let (Some(rate), Some(eta)) = (p.rate_per_hour, p.eta_hours) {
            let _ = write!(out, "\n  {rate:.1} an hour, {eta:.1} h to go");
        }
        out
    });
    Ok(())
}
