//! `gt rig`: the projects of the town.

use clap::Subcommand;

use super::Context;
use crate::cli::CliError;

mod add;
mod list;
mod remove;

/// Adds, lists and removes the projects of the town.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Clone a project into the town
    Add(add::Args),
    /// List the projects
    List(list::Args),
    /// Take a project out of the town; deletes nothing
    Remove(remove::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Add(args) => add::run(cx, args),
        Verb::List(args) => list::run(cx, args),
        Verb::Remove(args) => remove::run(cx, &args),
    }
}
