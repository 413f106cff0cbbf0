//! Brings a town's daemon back: any command that finds an up town without one starts it, after its own work.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::base::process::{self, ProcId};
use crate::cli::env::Env;
use crate::cli::{CliError, Kind};
use crate::daemon::supervise::Budget;
use crate::daemon::{client, lock};
use crate::store::Store;
use crate::town::{Surroundings, Town, lifecycle};

/// Starts the daemon of the town around here, if that town is up and has none. Never fails a command.
pub(crate) fn after(env: &Env) {
    let town = match &env.town {
        Some(root) => Town::at(root).ok(),
        None => Town::around(&env.cwd),
    };
    let Some(town) = town else { return };
    if !town.daemon_lock_path().exists() || lock::is_held(town.root()).unwrap_or(true) {
        return;
    }
    // Its supervisor is about to start it again, when its budget says so; or a person has to look first.
    if lock::supervisor(town.root()).is_some() || Budget::load(town.root()).spent_at().is_some() {
        return;
    }
    let Ok(store) = Store::open(&town.beads_dir()) else { return };
    if store.read(lifecycle::is_up).unwrap_or(false)
        && let Ok(gt) = super::place::gt_program()
    {
        let _ = spawn(&Surroundings { gt, path: env.path.clone(), env: env.all.clone() }, &town);
    }
}

/// Starts `gt daemon supervise` for the town, detached, in the environment of the last person who started the town:
/// whoever finds the daemon gone may be an agent with next to nothing in its own. A second one finds the lock taken.
fn spawn(around: &Surroundings, town: &Town) -> std::io::Result<()> {
    let kept = Surroundings::recall(town);
    let env = if kept.is_empty() { around.lasting() } else { kept };
    let log = std::fs::File::options().create(true).append(true).open(town.logs_dir().join("daemon.log"));
    let mut command = Command::new(&around.gt);
    command.args(["daemon", "supervise"]).arg("-C").arg(town.root()).current_dir(town.root());
    command.stdin(Stdio::null()).stdout(Stdio::null()).env_clear().envs(env);
    match log {
        Ok(file) => command.stderr(file),
        Err(_) => command.stderr(Stdio::null()),
    };
    command.spawn().map(drop)
}

/// The daemon that serves the town now.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Daemon {
    /// It was running before.
    pub(super) already: bool,
    /// Its process.
    pub(super) pid: u32,
}

/// How long a daemon may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the town's daemon if it has none, and waits until it has taken its lock.
pub(super) fn start_daemon(place: &Place) -> Result<Daemon, CliError> {
    let town = &place.town;
    let held = || lock::is_held(town.root()).unwrap_or(false).then(|| lock::holder(town.root())).flatten();
    if let Some(pid) = held() {
        return Ok(Daemon { already: true, pid });
    }
    if Budget::load(town.root()).spent_at().is_some() {
        let error = CliError::refused("the daemon died too often and is not started again by itself");
        return Err(error.hint(format!("see why in {}, then: gt start", town.logs_dir().display())));
    }
    spawn(place.around(), town).map_err(|e| CliError::user(format!("the daemon cannot be started: {e}")))?;
    match wait(held) {
        Some(pid) => Ok(Daemon { already: false, pid }),
        None => Err(CliError::new(Kind::Timeout, format!("the daemon did not begin within {} s", PATIENCE.as_secs()))
            .hint(format!("its last words are in {}", town.daemon_log().display()))),
    }
}

/// Asks the town's daemon to end, and sees to it that it does. Gives the processes that it was.
pub(super) fn stop_daemon(place: &Place) -> Result<Vec<ProcId>, CliError> {
    let root = place.town.root();
    let supervisor = lock::supervisor(root).and_then(ProcId::of);
    let running = lock::is_held(root).unwrap_or(false);
    let daemon = running.then(|| lock::holder(root)).flatten().and_then(ProcId::of);
    let all: Vec<ProcId> = supervisor.into_iter().chain(daemon.clone()).collect();
    if all.is_empty() {
        return Ok(all);
    }
    let asked = daemon.is_some() && client::ask(root, &client::Request::Stop, PATIENCE).is_ok();
    if !asked || wait(|| all.iter().all(|p| !p.alive()).then_some(())).is_none() {
        process::kill_all(&all, None, Duration::from_secs(3)).map_err(|e| CliError::refused(e.to_string()))?;
    }
    Ok(all)
}

/// Asks again until there is an answer, for as long as patience lasts.
fn wait<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if begun.elapsed() > PATIENCE {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
