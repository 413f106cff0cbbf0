//! `bd formula`: looking at formulas without cooking them into anything.

use clap::Subcommand;

use super::Context;
use crate::cli::CliError;

mod check;
mod convert;
mod explain;
mod graph;
pub(super) mod library;
mod list;
mod show;

/// Look at formulas.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the formulas that are found here, and what hides what
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Show a formula as it is written
    Show(show::Args),
    /// Say everything that is wrong with formulas
    #[command(alias = "lint", alias = "validate")]
    Check(check::Args),
    /// Say where each step of a formula comes from
    Explain(explain::Args),
    /// Draw the steps of a formula
    Graph(graph::Args),
    /// Write a JSON formula as TOML
    Convert(convert::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::List(args) => list::run(cx, args),
        Verb::Show(args) => show::run(cx, args),
        Verb::Check(args) => check::run(cx, args),
        Verb::Explain(args) => explain::run(cx, args),
        Verb::Graph(args) => graph::run(cx, args),
        Verb::Convert(args) => convert::run(cx, args),
    }
}
