//! `gt polecat`: the workers.

use std::os::unix::process::CommandExt;

use clap::Subcommand;

use super::{Context, place};
use crate::base::Address;
use crate::cli::CliError;
use crate::town::{TownError, agent, hosts};

/// Lists workers and attaches to their sessions.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the workers, of one rig or of all
    List {
        /// The rig.
        rig: Option<String>,
    },
    /// Show a worker's session on this terminal
    #[command(visible_alias = "at")]
    Attach {
        /// The worker: a name, or RIG/NAME.
        worker: String,
    },
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    match &args.verb {
        Verb::List { rig } => super::agents::list(cx, rig.as_deref(), |a| matches!(a, Address::Polecat(..))),
        Verb::Attach { worker } => attach(cx, worker),
    }
}

fn attach(cx: &Context, worker: &str) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let row = store.read(|r| agent::need(r, &place::agent(r, worker)?))?;
    drop(store);
    let host = hosts::open(&here.acting(), row.host)?;
    if !host.probe(&row.session).map_err(TownError::from)?.alive {
        return Err(CliError::refused(format!("{} has no running session (it is {})", row.address, row.state))
            .hint(format!("see what was last on its screen: gt peek {}", row.address)));
    }
    show(&host.attach_argv(&row.session).map_err(TownError::from)?)
}

/// Becomes the program that shows a session on this terminal.
pub(super) fn show(argv: &[String]) -> Result<(), CliError> {
    let Some((program, rest)) = argv.split_first() else { return Err(CliError::user("this session cannot be shown")) };
    let error = std::process::Command::new(program).args(rest).exec();
    Err(CliError::user(format!("{program} cannot be started: {error}")))
}
