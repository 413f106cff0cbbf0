//! `gt formula`: convoy formulas at work. Looking at formulas and cooking them is `bd formula`.

use clap::Subcommand;

use super::Context;
use crate::cli::CliError;

mod run;

/// Starts a convoy formula; `bd formula` looks at formulas.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the convoy of a convoy formula: its legs, and the synthesis that waits for them
    Run(run::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Run(args) => run::run(cx, args),
    }
}
