//! What can go wrong with a session.

use std::io;
use std::path::PathBuf;

use crate::base::process::{RunError, Survivors};

/// Why a session could not be started, asked or stopped.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The name has characters that a terminal multiplexer or a file system would give a meaning.
    #[error("session name `{0}` is not valid: 1-100 letters, digits, `_` or `-`, starting with a letter or digit")]
    BadName(String),
    /// The program of the agent is not installed.
    #[error("the program `{program}` was not found in {path}")]
    NoProgram {
        /// What was to be started.
        program: String,
        /// The `PATH` that was searched.
        path: String,
    },
    /// The working directory is not there.
    #[error("the folder {0} does not exist")]
    NoFolder(PathBuf),
    /// tmux is not installed, or not new enough.
    #[error("tmux 3.2 or newer is needed, {0}")]
    NoTmux(String),
    /// tmux refused.
    #[error("tmux {command} failed: {message}")]
    Tmux {
        /// The tmux command.
        command: String,
        /// What it said.
        message: String,
    },
    /// There is no such session, or it has ended.
    #[error("no session `{0}` is running")]
    NotRunning(String),
    /// The process that hosts the session does not answer.
    #[error("the host of session `{name}` does not answer: {message}")]
    Unreachable {
        /// The session.
        name: String,
        /// What happened.
        message: String,
    },
    /// The host could not start the program.
    #[error("session `{name}` could not be started: {message}")]
    Start {
        /// The session.
        name: String,
        /// What happened.
        message: String,
    },
    /// Something of the session still runs.
    #[error("session `{name}` is not stopped")]
    Survivors {
        /// The session, or all of them.
        name: String,
        /// Who still runs.
        source: Survivors,
    },
    /// A file or socket failed.
    #[error("{what} failed")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl SessionError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
