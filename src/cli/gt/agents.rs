//! `gt agents`: who is there.

use super::Context;
use crate::base::Address;
use crate::cli::CliError;
use crate::surface::agents::{Agent, describe};
use crate::town::{TownError, agent};

/// Lists the agents of the town that are at work; with --all also those that rest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also agents without work.
    #[arg(short, long)]
    all: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let all = args.all;
    list(cx, None, move |a| all || !matches!(a, Address::Role(..)))
}

/// Prints the agents that `wanted` picks, of one rig when it is named.
pub(super) fn list(cx: &Context, rig: Option<&str>, wanted: impl Fn(&Address) -> bool) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let name = rig.map(crate::base::RigName::new).transpose()?;
    if let Some(name) = &name {
        here.town.rig(name, &crate::config::Overrides::default())?;
    }
    let lines: Vec<Agent> = store.read(|r| {
        let rows = agent::all(r)?;
        let rows =
            rows.into_iter().filter(|row| wanted(&row.address) && (name.is_none() || row.rig() == name.as_ref()));
        rows.map(|row| describe(r, row)).collect::<Result<_, TownError>>()
    })?;
    if lines.is_empty() {
        cx.out.note("nobody is here; give work: gt sling BEAD RIG");
    }
    let now = cx.env.now();
    cx.out.print(&lines, |lines| {
        lines.iter().map(|l| l.line(&format!("{:<28}", l.address), now)).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}
