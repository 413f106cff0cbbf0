//! `gt convoy`: beads that are to land together.

use clap::Subcommand;

use super::Context;
use crate::cli::CliError;

mod add;
mod create;
mod list;
mod status;

/// Groups beads that are to land together, and shows how far they are.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a convoy of beads
    Create(create::Args),
    /// List convoys
    List(list::Args),
    /// Show one convoy and its beads
    Status(status::Args),
    /// Add beads to a convoy
    Add(add::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Create(args) => create::run(cx, args),
        Verb::List(args) => list::run(cx, &args),
        Verb::Status(args) => status::run(cx, &args),
        Verb::Add(args) => add::run(cx, &args),
    }
}
