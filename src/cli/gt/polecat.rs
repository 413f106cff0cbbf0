//! `gt polecat`: the workers.

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt;

use clap::Subcommand;

use super::{Context, place};
use crate::base::Address;
use crate::cli::CliError;
use crate::town::{TownError, agent, hosts, unreadable};

/// Lists workers, attaches to their sessions, mends their rows.
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
    /// Make the rows of a worker anew that cannot be read (gt status names them), from its hook and its worktree
    Mend {
        /// Whose rows, as gt status shows it.
        key: String,
    },
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    match &args.verb {
        Verb::List { rig } => super::agents::list(cx, rig.as_deref(), |a| matches!(a, Address::Polecat(..))),
        Verb::Attach { worker } => attach(cx, worker),
        Verb::Mend { key } => mend(cx, key),
    }
}

fn mend(cx: &Context, key: &str) -> Result<(), CliError> {
    let (here, mut store) = cx.open()?;
    let mended = unreadable::mend(&here.acting(), &mut store, key)?;
    cx.out.print(&mended, |mended| {
        let row = match (mended.state, mended.removed) {
            (Some(state), _) => format!("its row is made anew: {state}"),
            (None, true) => "its row is taken away: it had no work and no worktree".to_owned(),
            (None, false) => "its row is as it was".to_owned(),
        };
        let intent = if mended.intent_dropped { "; what was under way is forgotten" } else { "" };
        format!("✓ {}: {row}{intent}", mended.key)
    });
    Ok(())
}

fn attach(cx: &Context, worker: &str) -> Result<(), CliError> {
    need_terminal(&format!("gt peek {worker}"))?;
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

/// Refuses to show a session where nobody could see it or type into it.
pub(super) fn need_terminal(instead: &str) -> Result<(), CliError> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(CliError::refused("a session can only be shown on a terminal, and this is none")
        .hint(format!("see its screen: {instead}")))
}

/// Becomes the program that shows a session on this terminal.
pub(super) fn show(argv: &[String]) -> Result<(), CliError> {
    let Some((program, rest)) = argv.split_first() else { return Err(CliError::user("this session cannot be shown")) };
    let error = std::process::Command::new(program).args(rest).exec();
    Err(CliError::user(format!("{program} cannot be started: {error}")))
}
