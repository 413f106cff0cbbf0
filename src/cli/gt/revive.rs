//! Brings a town's daemon back: any command that finds an up town without one starts it, after its own work.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::env::Env;
use crate::daemon::lock;
use crate::session::MARK_VAR;
use crate::store::Store;
use crate::town::{Town, lifecycle};

/// Variables that belong to one session or command and not to the town's daemon.
const NOT_FOR_THE_DAEMON: [&str; 6] = [MARK_VAR, "GT_ROLE", "BD_ACTOR", "BEADS_ACTOR", "TMUX", "TMUX_PANE"];

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
    let Ok(store) = Store::open(&town.beads_dir()) else { return };
    if store.read(lifecycle::is_up).unwrap_or(false)
        && let Ok(gt) = super::place::gt_program()
    {
        let _ = spawn(&gt, &town);
    }
}

/// Starts `gt daemon supervise` for the town, detached. A second one finds the lock taken and ends.
pub(crate) fn spawn(gt: &Path, town: &Town) -> std::io::Result<()> {
    let log = std::fs::File::options().create(true).append(true).open(town.logs_dir().join("daemon.log"));
    let mut command = Command::new(gt);
    command.args(["daemon", "supervise"]).arg("-C").arg(town.root()).current_dir(town.root());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    match log {
        Ok(file) => command.stderr(file),
        Err(_) => command.stderr(Stdio::null()),
    };
    for name in NOT_FOR_THE_DAEMON {
        command.env_remove(name);
    }
    command.spawn().map(drop)
}
