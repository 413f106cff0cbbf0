//! `gt`: the verbs of the orchestrator.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{CliError, Output, env::Env};

mod demo;
mod version;

/// Runs many coding agents over many git repositories without losing work.
#[derive(Debug, Parser)]
#[command(name = "gt", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// Flags of every verb.
#[derive(Debug, clap::Args)]
pub struct Globals {
    /// Work as if started in DIR.
    #[arg(short = 'C', value_name = "DIR", global = true)]
    directory: Option<std::path::PathBuf>,
    /// Print one JSON value on stdout.
    #[arg(long, global = true)]
    json: bool,
    /// Print data only, no messages.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show Gas Town at work in a throw-away town
    Demo(demo::Args),
    /// Print the version
    Version(version::Args),
}

/// What every verb gets.
#[derive(Debug)]
pub struct Context {
    /// Where the command runs.
    pub env: Env,
    /// How it prints.
    pub out: Output,
}

/// Parses the command line, runs the verb, reports its error.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.globals.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let mut env = Env::read().map_err(|e| CliError::user(format!("the current directory cannot be read: {e}")))?;
    if let Some(dir) = cli.globals.directory {
        env.cwd = env.cwd.join(dir);
    }
    let cx = Context { env, out: Output { json: cli.globals.json, quiet: cli.globals.quiet } };
    match cli.verb {
        Verb::Demo(args) => demo::run(&cx, args),
        Verb::Version(args) => version::run(&cx, args),
    }
}
