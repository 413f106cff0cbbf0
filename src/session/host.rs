//! What every session host can do.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Delivery, SessionError, Signs};
use crate::base::Time;
use crate::base::process::ProcId;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSpec {
    /// Unique within the town; see [`super::SessionName`].
    pub name: String,
    /// Program and arguments. A program without `/` is looked up in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// The whole environment; the host adds the terminal's own variables and the session's mark.
    pub env: Vec<(String, String)>,
    /// Where a headless host writes what the program prints.
    pub log: PathBuf,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// A Unix datagram socket that is told of the program's end.
    pub wake: Option<PathBuf>,
}

impl SessionSpec {
    /// `argv` in `cwd` with an empty environment, 200 columns by 50 rows, logging beside the working directory's
    /// parent under the session's name.
    pub fn new(name: impl Into<String>, argv: Vec<String>, cwd: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), argv, cwd: cwd.into(), env: Vec::new(), log: log.into(), size: (200, 50), wake: None }
    }

    /// The value of an environment variable of the session.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A session that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The agent's process: the leader of its terminal session.
    pub proc: ProcId,
    /// It was running before; nothing was started.
    pub already: bool,
}

/// What is known about a session without disturbing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// The agent's process runs.
    pub alive: bool,
    /// The agent's process, running or the last one known.
    pub pid: Option<ProcId>,
    /// A person looks at it.
    pub attached: bool,
    /// How the agent's process ended: its exit code, or 128 + the signal. `None` while it runs, or if the host
    /// died with it.
    pub exit: Option<i32>,
    /// When the program last wrote to its terminal (to the second).
    pub changed: Option<Time>,
    /// The title that the program gave its terminal.
    pub title: Option<String>,
}

/// One line of a host's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The session's name.
    pub name: String,
    /// What is known about it.
    pub probe: Probe,
}

/// Runs agents on terminals. Every method may be called by any process at any time.
pub trait Host: Send + Sync + std::fmt::Debug {
    /// `tmux` or `headless`.
    fn kind(&self) -> &'static str;

    /// Starts a session. Idempotent by name: one that runs is returned as it is; what is left of one whose host
    /// died is ended first.
    fn start(&self, spec: &SessionSpec) -> Result<Started, SessionError>;

    /// What is known about a session. One that never was is not an error: it is not alive.
    fn probe(&self, name: &str) -> Result<Probe, SessionError>;

    /// Every session that this host knows, running or ended, by name.
    fn list(&self) -> Result<Vec<Listed>, SessionError>;

    /// The last `lines` lines of the screen, without escapes and without empty lines at the end. Of an ended
    /// session, its last screen; empty when nothing was kept.
    fn screen(&self, name: &str, lines: usize) -> Result<String, SessionError>;

    /// Types `text` and Enter, and looks whether it arrived, reading the screen by `signs`.
    fn send(&self, name: &str, text: &str, signs: &Signs) -> Result<Delivery, SessionError>;

    /// Ends a session and every process of it: SIGTERM, after `grace` SIGKILL. Ok means that all were seen dead
    /// and that the host has forgotten the session. Stopping one that does not run is fine.
    fn stop(&self, name: &str, grace: Duration) -> Result<(), SessionError>;

    /// The command that shows the session on the caller's terminal.
    fn attach_argv(&self, name: &str) -> Result<Vec<String>, SessionError>;

    /// Ends every session and the host's own processes. Ok means that nothing of this host lives.
    fn shutdown_all(&self, grace: Duration) -> Result<(), SessionError>;
}
