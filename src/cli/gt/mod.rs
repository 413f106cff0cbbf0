//! `gt`: the verbs of the orchestrator.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::{CliError, Output, completion, env::Env, help};

mod agents;
mod convoy;
mod daemon;
mod demo;
mod done;
mod formula;
mod hook;
mod install;
mod mayor;
mod patrol;
mod peek;
mod place;
mod polecat;
mod policy;
mod prime;
mod queue;
mod review;
pub(crate) mod revive;
mod rig;
mod session_host;
mod shutdown;
mod sling;
mod start;
mod status;
mod step;
mod unsling;
mod version;
mod why;

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

// Only the arguments of the verb that is called are put together.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Verb {
    /// List the agents of the town
    #[command(visible_alias = "ag")]
    Agents(agents::Args),
    /// Print a script that completes verbs and flags in a shell
    Completion(completion::Args),
    /// Group beads that are to land together
    Convoy(convoy::Args),
    /// Run or ask the process that lets policies act
    Daemon(daemon::Args),
    /// Show Gas Town at work in a throw-away town
    Demo(demo::Args),
    /// Hand in your work
    Done(done::Args),
    /// Start a convoy formula
    Formula(formula::Args),
    /// Show what is on your hook
    Hook(hook::Args),
    /// Make a town
    Install(install::Args),
    /// Talk to the Mayor
    Mayor(mayor::Args),
    /// Show what the roles do by themselves on a schedule
    Patrol(patrol::Args),
    /// Show the end of an agent's screen
    Peek(peek::Args),
    /// List workers and attach to them
    #[command(visible_alias = "worker")]
    Polecat(polecat::Args),
    /// Look at the rules of the town, check and test your own
    Policy(policy::Args),
    /// Say who you are and what to do
    Prime(prime::Args),
    /// Show what waits to be merged
    #[command(visible_alias = "mq")]
    Queue(queue::Args),
    /// Look at what waits for your word, and let it land or send it back
    Review(review::Args),
    /// Add and list the projects of the town
    #[command(visible_alias = "project")]
    Rig(rig::Args),
    /// The processes behind sessions
    #[command(hide = true)]
    SessionHost(session_host::Args),
    /// Stop the town, and prove that nothing of it lives
    Shutdown(shutdown::Args),
    /// Give work to a worker
    Sling(sling::Args),
    /// Start the town
    Start(start::Args),
    /// Show the town at a glance
    #[command(visible_alias = "stat")]
    Status(status::Args),
    /// Close the current step of your work
    Step(step::Args),
    /// Take work off a hook
    #[command(visible_alias = "unhook")]
    Unsling(unsling::Args),
    /// Print the version
    Version(version::Args),
    /// Say why something happened
    Why(why::Args),
    /// Say how a verb is used, as `gt VERB --help` does
    Help(help::Args),
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
    let cli: Cli = match super::parse::parse(|_| None) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let json = cli.globals.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let mut env = Env::read().map_err(|e| CliError::user(format!("the current directory cannot be read: {e}")))?;
    if let Some(dir) = cli.globals.directory {
        // Folders are looked for upwards, so that no `..` may be left in the path.
        let path = env.path(dir);
        env.cwd = path
            .canonicalize()
            .map_err(|e| CliError::path(&path, &e, "name a folder that is there: gt -C DIR VERB"))?;
    }
    env.arm_fault()?;
    let cx = Context { env, out: Output { json: cli.globals.json, quiet: cli.globals.quiet } };
    let verb = cli.verb;
    let revives = !matches!(
        verb,
        Verb::Completion(_)
            | Verb::Daemon(_)
            | Verb::Demo(_)
            | Verb::Help(_)
            | Verb::Install(_)
            | Verb::SessionHost(_)
            | Verb::Shutdown(_)
            | Verb::Start(_)
            | Verb::Version(_)
    );
    let result = perform(&cx, verb);
    if revives {
        revive::after(&cx.env);
    }
    result
}

fn perform(cx: &Context, verb: Verb) -> Result<(), CliError> {
    match verb {
        Verb::Agents(args) => agents::run(cx, &args),
        Verb::Completion(args) => {
            completion::print(&args, Cli::command(), "gt");
            Ok(())
        }
        Verb::Convoy(args) => convoy::run(cx, args),
        Verb::Daemon(args) => daemon::run(cx, &args),
        Verb::Done(args) => done::run(cx, &args),
        Verb::Formula(args) => formula::run(cx, args),
        Verb::Hook(args) => hook::run(cx, &args),
        Verb::Install(args) => install::run(cx, args),
        Verb::Mayor(args) => mayor::run(cx, &args),
        Verb::Patrol(args) => patrol::run(cx, &args),
        Verb::Peek(args) => peek::run(cx, &args),
        Verb::Polecat(args) => polecat::run(cx, &args),
        Verb::Policy(args) => policy::run(cx, args),
        Verb::Prime(args) => prime::run(cx, &args),
        Verb::Queue(args) => queue::run(cx, &args),
        Verb::Review(args) => review::run(cx, args),
        Verb::Rig(args) => rig::run(cx, args),
        Verb::SessionHost(args) => session_host::run(cx, args),
        Verb::Shutdown(args) => shutdown::run(cx, &args),
        Verb::Sling(args) => sling::run(cx, &args),
        Verb::Start(args) => start::run(cx, args),
        Verb::Status(args) => status::run(cx, &args),
        Verb::Step(args) => step::run(cx, &args),
        Verb::Unsling(args) => unsling::run(cx, &args),
        Verb::Demo(args) => demo::run(cx, args),
        Verb::Version(args) => version::run(cx, args),
        Verb::Why(args) => why::run(cx, &args),
        Verb::Help(args) => help::print(&args, Cli::command(), "gt"),
    }
}
