//! `bd`: the verbs of the issue tracker.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::{CliError, Output, completion, env::Env, help};

mod arg;
mod batch;
mod blocked;
mod close;
mod comments;
mod config;
mod context;
mod cook;
mod count;
mod create;
mod defer;
mod delete;
mod dep;
mod doctor;
mod elsewhere;
mod epic;
mod exclude;
mod export;
mod formula;
mod gate;
mod graph;
mod history;
mod import;
mod info;
mod init;
mod label;
mod last;
mod list;
mod mol;
mod onboard;
mod place;
mod prime;
mod q;
mod ready;
mod relate;
mod render;
mod reopen;
mod replace;
mod restore;
mod search;
mod select;
mod show;
mod stale;
mod stats;
mod sync;
mod undefer;
mod uninstall;
mod update;
mod version;
mod r#where;
mod words;

pub use context::Context;

/// Tracks issues in a git-backed ledger, fast, offline and without a server.
#[derive(Debug, Parser)]
#[command(name = "bd", version, disable_help_subcommand = true, max_term_width = 100)]
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
    /// Act in this name.
    #[arg(long, value_name = "NAME", global = true)]
    actor: Option<String>,
    /// Change nothing: what would is refused.
    #[arg(long, global = true)]
    readonly: bool,
    /// Wait so long for others who write, and no longer; 30s when left out.
    #[arg(long, value_name = "SPAN", global = true)]
    lock_timeout: Option<crate::base::span::Span>,
    // The database by its path, for those who know this flag; BEADS_DIR names the folder.
    #[arg(long, value_name = "FILE", global = true, hide = true)]
    db: Option<std::path::PathBuf>,
    // Flags of other trackers that ask for what is always so here: no daemon, nothing flushed behind your back, all said
    // that there is to say.
    #[arg(long, global = true, hide = true)]
    no_daemon: bool,
    #[arg(long, global = true, hide = true)]
    no_auto_flush: bool,
    #[arg(long, global = true, hide = true)]
    no_auto_import: bool,
    #[arg(long, global = true, hide = true)]
    allow_stale: bool,
    #[arg(long, global = true, hide = true)]
    sandbox: bool,
    #[arg(short, long, global = true, hide = true)]
    verbose: bool,
}

// Only the arguments of the verb that is called are put together.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Verb {
    /// Make a tracker in this repository
    Init(init::Args),
    /// File a bead
    #[command(visible_alias = "new")]
    Create(create::Args),
    /// File a bead and print its id alone
    Q(q::Args),
    /// Show beads and all around them
    #[command(alias = "view")]
    Show(show::Args),
    /// List beads
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// List what can be taken up or gone on with now
    Ready(ready::Args),
    /// List what is held back, and by what
    Blocked(blocked::Args),
    /// Change beads, or claim one
    #[command(alias = "edit")]
    Update(update::Args),
    /// Close beads
    #[command(visible_alias = "done")]
    Close(close::Args),
    /// Open closed beads again
    Reopen(reopen::Args),
    /// Put beads off
    Defer(defer::Args),
    /// Bring beads back that were put off
    Undefer(undefer::Args),
    /// Say what depends on what
    #[command(alias = "deps")]
    Dep(dep::Args),
    /// Note that two beads have to do with each other
    Relate(relate::Args),
    /// Take that note back
    Unrelate(relate::Args),
    /// Close a bead as the same thing as another one
    Duplicate(replace::Duplicate),
    /// Close a bead that another one takes the place of
    Supersede(replace::Supersede),
    /// Label beads
    #[command(alias = "labels")]
    Label(label::Args),
    /// Read and write comments
    #[command(alias = "comment")]
    Comments(comments::Args),
    /// Find beads by their words
    Search(search::Args),
    /// Look at formulas
    #[command(alias = "formulas")]
    Formula(formula::Args),
    /// Cook a formula into a protomolecule
    Cook(cook::Args),
    /// Pour formulas and work molecules
    #[command(alias = "molecule")]
    Mol(mol::Args),
    /// Run many commands out of stdin, as one transaction or each as its own
    Batch(batch::Args),
    /// Delete beads; a tombstone of each stays
    Delete(delete::Args),
    /// Count beads
    Count(count::Args),
    /// Show the tracker in numbers
    #[command(visible_alias = "status")]
    Stats(stats::Args),
    /// List open beads that nobody has touched for long
    Stale(stale::Args),
    /// Hold beads back until something outside has happened
    #[command(alias = "gates")]
    Gate(gate::Args),
    /// Show how far epics are
    Epic(epic::Args),
    /// Show what is connected with a bead, in layers
    Graph(graph::Args),
    /// Write issues.jsonl
    Export(export::Args),
    /// Read issues.jsonl
    Import(import::Args),
    /// Exchange beads with a git repository that you name
    Sync(sync::Args),
    /// Show the transitions of a bead
    History(history::Args),
    /// Make the database anew from the ledger
    Restore(restore::Args),
    /// Say what is wrong with the tracker, and what to do about it
    Doctor(doctor::Args),
    /// Take the tracker out of this repository
    Uninstall(uninstall::Args),
    /// Read and change settings
    Config(config::Args),
    /// Say how to work with the tracker, and what is ready
    Prime(prime::Args),
    /// Print the lines for AGENTS.md
    Onboard(onboard::Args),
    /// Say where the tracker is, and why there
    Where(r#where::Args),
    /// Describe the tracker
    Info(info::Args),
    /// Print a script that completes verbs and flags in a shell
    Completion(completion::Args),
    /// Print the version
    Version(version::Args),
    /// Say how a verb is used, as `bd VERB --help` does
    Help(help::Args),
}

/// Parses the command line, runs the verb, reports its error.
pub fn main() -> ExitCode {
    let cli: Cli = match super::parse::parse(elsewhere::instead) {
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
            .map_err(|e| CliError::path(&path, &e, "name a folder that is there: bd -C DIR VERB"))?;
    }
    if let Some(file) = cli.globals.db {
        env.beads_dir = Some(folder_of(&file)?);
        env.town = None;
    }
    if cli.globals.actor.is_some() {
        env.actor = cli.globals.actor;
    }
    env.arm_fault()?;
    if let Some(patience) = cli.globals.lock_timeout {
        crate::base::lock::set_patience(std::time::Duration::from_millis(patience.as_millis().max(0).cast_unsigned()));
    }
    let mut cx = Context::new(env, Output { json: cli.globals.json, quiet: cli.globals.quiet });
    if cli.globals.readonly {
        readonly(&cli.verb)?;
        cx.readonly = true;
    }
    let done = dispatch(&cx, cli.verb);
    cx.after();
    crate::cli::gt::revive::after(&cx.env);
    done
}

/// The folder of a database that is named by its path.
fn folder_of(file: &std::path::Path) -> Result<std::path::PathBuf, CliError> {
    if file.file_name().is_some_and(|name| name == "beads.db") {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        return Ok(folder.unwrap_or(std::path::Path::new(".")).to_owned());
    }
    Err(CliError::user(format!(
        "{} is no database of this program: it is beads.db in a folder of its own",
        file.display()
    ))
    .hint("name that file, or its folder in the variable BEADS_DIR"))
}

/// Refuses what would change more than the store lets it; whatever else writes is refused by the store.
fn readonly(verb: &Verb) -> Result<(), CliError> {
    let word = match verb {
        Verb::Init(_) => "init",
        Verb::Restore(_) => "restore",
        Verb::Uninstall(_) => "uninstall",
        Verb::Sync(args) if !args.only_looks() => "sync",
        Verb::Doctor(args) if args.mends() => "doctor --fix",
        _ => return Ok(()),
    };
    Err(CliError::refused(format!("`bd {word}` would write, and --readonly was given"))
        .hint("without --readonly it does"))
}

fn dispatch(cx: &Context, verb: Verb) -> Result<(), CliError> {
    match verb {
        Verb::Init(args) => init::run(cx, args),
        Verb::Create(args) => create::run(cx, args),
        Verb::Q(args) => q::run(cx, args),
        Verb::Show(args) => show::run(cx, args),
        Verb::List(args) => list::run(cx, args),
        Verb::Ready(args) => ready::run(cx, args),
        Verb::Blocked(args) => blocked::run(cx, args),
        Verb::Update(args) => update::run(cx, args),
        Verb::Close(args) => close::run(cx, args),
        Verb::Reopen(args) => reopen::run(cx, args),
        Verb::Defer(args) => defer::run(cx, args),
        Verb::Undefer(args) => undefer::run(cx, args),
        Verb::Dep(args) => dep::run(cx, args),
        Verb::Relate(args) => relate::run(cx, args),
        Verb::Unrelate(args) => relate::undo(cx, args),
        Verb::Duplicate(args) => replace::duplicate(cx, args),
        Verb::Supersede(args) => replace::supersede(cx, args),
        Verb::Label(args) => label::run(cx, args),
        Verb::Comments(args) => comments::run(cx, args),
        Verb::Search(args) => search::run(cx, args),
        Verb::Formula(args) => formula::run(cx, args),
        Verb::Cook(args) => cook::run(cx, args),
        Verb::Mol(args) => mol::run(cx, args),
        Verb::Batch(args) => batch::run(cx, &args),
        Verb::Delete(args) => delete::run(cx, args),
        Verb::Count(args) => count::run(cx, args),
        Verb::Stats(args) => stats::run(cx, args),
        Verb::Stale(args) => stale::run(cx, args),
        Verb::Gate(args) => gate::run(cx, args),
        Verb::Epic(args) => epic::run(cx, args),
        Verb::Graph(args) => graph::run(cx, args),
        Verb::Export(args) => export::run(cx, args),
        Verb::Import(args) => import::run(cx, args),
        Verb::Sync(args) => sync::run(cx, args),
        Verb::History(args) => history::run(cx, args),
        Verb::Restore(args) => restore::run(cx, args),
        Verb::Doctor(args) => doctor::run(cx, args),
        Verb::Uninstall(args) => uninstall::run(cx, args),
        Verb::Config(args) => config::run(cx, args),
        Verb::Prime(args) => prime::run(cx, args),
        Verb::Onboard(args) => {
            onboard::run(cx, args);
            Ok(())
        }
        Verb::Where(args) => {
            r#where::run(cx, args);
            Ok(())
        }
        Verb::Info(args) => info::run(cx, args),
        Verb::Completion(args) => {
            completion::print(&args, Cli::command(), "bd");
            Ok(())
        }
        Verb::Version(args) => {
            version::run(cx, args);
            Ok(())
        }
        Verb::Help(args) => help::print(&args, Cli::command(), "bd"),
    }
}
