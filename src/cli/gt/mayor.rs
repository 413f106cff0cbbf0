//! `gt mayor`: the session that a person talks to.

use clap::Subcommand;

use super::Context;
use crate::cli::CliError;
use crate::town::{TownError, hosts, mayor};

/// The Mayor: a model session with the whole town before it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Enter the Mayor's office; starts its session if there is none
    #[command(visible_alias = "at")]
    Attach,
    /// End the Mayor's session
    Stop,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Attach => attach(cx),
        Verb::Stop => {
            let (here, mut store) = cx.open()?;
            mayor::stop(&here.acting(), &mut store)?;
            cx.out
                .print(&serde_json::json!({ "agent": "mayor", "state": "stopped" }), |_| "✓ the Mayor is gone".into());
            Ok(())
        }
    }
}

/// Starts the Mayor if need be, and shows its session on this terminal.
pub(super) fn attach(cx: &Context) -> Result<(), CliError> {
    super::polecat::need_terminal("gt peek mayor")?;
    let (here, mut store) = cx.open()?;
    let row = mayor::ensure(&here.acting(), &mut store)?;
    let argv = hosts::open(&here.acting(), row.host)?.attach_argv(&row.session).map_err(TownError::from)?;
    drop(store);
    super::polecat::show(&argv)
}
