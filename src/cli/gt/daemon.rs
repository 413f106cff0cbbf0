//! `gt daemon`: the process that lets policies act; started by `gt start`, rarely typed.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Context, place};
use crate::base::SystemClock;
use crate::cli::{CliError, Kind};
use crate::daemon::client::{self, Reply, Request, Status};
use crate::daemon::{DaemonError, World, lock, supervise};

/// Run, supervise, ask or stop the daemon of this town.
///
/// `gt start` starts it and `gt shutdown` stops it; any command brings it back in a town that is up.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Run it here, until it is stopped
    Run,
    /// Run it as a child, and start it again when it dies
    Supervise,
    /// Say what it is doing
    Status,
    /// Let it end; agents go on, and the next command of a town that is up starts it again
    Stop,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the verb. The codes 66 and 75 tell the supervisor that starting again is no help.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Run => serve(cx),
        Verb::Supervise => watch(cx),
        Verb::Status => status(cx),
        Verb::Stop => stop(cx),
    }
}

fn serve(cx: &Context) -> Result<(), CliError> {
    let place = cx.place()?;
    let logs = place.town.logs_dir();
    let appender = tracing_appender::rolling::Builder::new()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .filename_prefix("daemon")
        .filename_suffix("log")
        .max_log_files(14)
        .build(&logs)
        .map_err(|e| CliError::user(format!("{} cannot be written: {e}", logs.display())))?;
    let level = cx.env.all.get("GT_LOG").map_or("info", String::as_str);
    let filter = tracing_subscriber::EnvFilter::try_new(level)
        .map_err(|e| CliError::user(format!("GT_LOG=`{level}`: {e}")).hint("use error, warn, info, debug or trace"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(appender).with_ansi(false).init();
    // Whoever started this process gave it what lasts; a person who types it gives what they have.
    let mut around = place.around().clone();
    around.env = around.lasting();
    let world = World {
        town: place.town.clone(),
        gate_env: around.gate_env(),
        around,
        clock: std::sync::Arc::new(SystemClock),
    };
    match crate::daemon::run(world) {
        Ok(why) => {
            crate::cli::output::message(&format!("the daemon has ended: {why}"));
            Ok(())
        }
        Err(error @ DaemonError::AlreadyRunning) => {
            crate::cli::output::message(&format!("error: {error}\n  hint: see what it does: gt daemon status"));
            std::process::exit(i32::from(supervise::ALREADY_RUNNING))
        }
        Err(error @ DaemonError::TownGone(_)) => {
            crate::cli::output::message(&format!("error: {error}"));
            std::process::exit(i32::from(supervise::NO_TOWN))
        }
        Err(error) => Err(CliError::from_error(Kind::Internal, &error)),
    }
}

fn watch(cx: &Context) -> Result<(), CliError> {
    let place = cx.place()?;
    let root = place.town.root();
    if lock::is_held(root).unwrap_or(false) {
        return Ok(());
    }
    // Out of the terminal session of whoever started us, so that closing that terminal ends nothing.
    let _ = rustix::process::setsid();
    let gt = place::gt_program()?;
    let args = ["daemon".to_owned(), "run".into(), "-C".into(), root.display().to_string()];
    // One supervisor, with one budget: who finds the daemon gone while it waits to start it again starts no second.
    let taken = lock::DaemonLock::take_supervisor(root)
        .map_err(|e| CliError::user(format!("{} cannot be locked: {e}", lock::supervisor_path(root).display())))?;
    let Some(_only) = taken else { return Ok(()) };
    let ended = supervise::supervise(&gt, &args, root, &SystemClock, crate::cli::output::message)
        .map_err(|e| CliError::user(format!("the daemon cannot be started: {e}")))?;
    match ended {
        supervise::Ended::BudgetSpent => Err(CliError::new(Kind::Internal, "the daemon died too often")
            .hint(format!("see {}", place.town.logs_dir().display()))),
        _ => Ok(()),
    }
}

fn ask(cx: &Context, request: &Request) -> Result<Option<Reply>, CliError> {
    let place = cx.place()?;
    if !lock::is_held(place.town.root()).unwrap_or(false) {
        return Ok(None);
    }
    let timeout = |e: std::io::Error| CliError::new(Kind::Timeout, format!("the daemon does not answer: {e}"));
    client::ask(place.town.root(), request, PATIENCE).map(Some).map_err(timeout)
}

fn status(cx: &Context) -> Result<(), CliError> {
    let Some(Reply::Status(status)) = ask(cx, &Request::Status)? else {
        cx.out.print(&serde_json::Value::Null, |_| "no daemon is running; start the town: gt start".to_owned());
        return Ok(());
    };
    cx.out.print(&status, |s| text_of(s));
    Ok(())
}

fn text_of(status: &Status) -> String {
    let mut text = format!("daemon {} (version {})", status.pid, status.version);
    if let Some(since) = status.started_at {
        let _ = write!(text, ", since {since}");
    }
    let _ = write!(text, "\n  looked {} times, acted {} times", status.passes, status.actions);
    if let Some(next) = status.next {
        let _ = write!(text, "\n  looks again at {next}, or when something happens");
    }
    for queue in &status.queues {
        let _ = write!(text, "\n  queue of {}: {}", queue.rig, queue.in_hand.join(" "));
    }
    for (what, why) in &status.troubles {
        let _ = write!(text, "\n  trouble: {what}: {why}");
    }
    text
}

fn stop(cx: &Context) -> Result<(), CliError> {
    if super::revive::stop_daemon(&cx.place()?)?.is_empty() {
        cx.out.note("no daemon is running");
    }
    Ok(())
}
