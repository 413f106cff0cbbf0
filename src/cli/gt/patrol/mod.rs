//! `gt patrol`: what the roles do by themselves on a schedule.

use clap::Subcommand;

use super::Context;
use crate::cli::CliError;

mod list;
mod run;

/// Shows what the roles do by themselves on a schedule, and starts it now.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the patrols with their schedules and what the last cycle came to
    List(list::Args),
    /// Start a cycle now
    Run(run::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    match &args.verb {
        Verb::List(args) => list::run(cx, args),
        Verb::Run(args) => run::run(cx, args),
    }
}
