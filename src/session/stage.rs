//! The last stage before an agent's program: takes the environment and directory from a file, so that neither
//! passes through an argument list or a shell, and becomes the program.

use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{MARK_VAR, SessionError, SessionSpec};
use crate::base::process::find_program;

/// Variables that only the terminal knows; they pass from the host into the session.
const OF_THE_TERMINAL: &[&str] = &["TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLORTERM", "TMUX", "TMUX_PANE"];

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    program: PathBuf,
    args: Vec<String>,
    cwd: PathBuf,
    env: Vec<(String, String)>,
}

impl Stage {
    /// Checks that `spec` can be started and makes its stage, with `mark` (`NAME=value`) in its environment.
    pub(super) fn new(spec: &SessionSpec, mark: &str) -> Result<Self, SessionError> {
        let Some((program, args)) = spec.argv.split_first() else {
            return Err(SessionError::Start { name: spec.name.clone(), message: "there is no program".to_owned() });
        };
        let path = spec.var("PATH").unwrap_or_default();
        let missing = || SessionError::NoProgram { program: program.clone(), path: path.to_owned() };
        let program = find_program(program, path).ok_or_else(missing)?;
        if !spec.cwd.is_dir() {
            return Err(SessionError::NoFolder(spec.cwd.clone()));
        }
        let value = mark.split_once('=').map_or("", |(_, value)| value);
        let mut env = spec.env.clone();
        env.push((MARK_VAR.to_owned(), value.to_owned()));
        Ok(Self { program, args: args.to_vec(), cwd: spec.cwd.clone(), env })
    }

    /// Writes it where only the owner can read it.
    pub(super) fn write(&self, path: &Path) -> Result<(), SessionError> {
        let what = || format!("writing {}", path.display());
        let text = serde_json::to_vec(self).map_err(|e| SessionError::io(what())(e.into()))?;
        let _ = std::fs::remove_file(path);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(SessionError::io(what()))?;
        std::io::Write::write_all(&mut file, &text).map_err(SessionError::io(what()))
    }
}

/// Becomes the program that `file` describes, and removes the file. With `own_terminal`, standard input is a
/// terminal that is made the controlling one of a new session first. Returns only when that failed.
///
/// `terminal` are the variables of this process; only those that a terminal sets are taken.
pub fn exec_stage(
    file: &Path,
    own_terminal: bool,
    terminal: impl IntoIterator<Item = (String, String)>,
) -> SessionError {
    match prepare(file, own_terminal, terminal) {
        Ok((program, mut command)) => {
            let _caught = hear_signals();
            SessionError::io(format!("starting {program}"))(command.exec())
        }
        Err(error) => error,
    }
}

/// Lets the program hear the signals that whoever started the town ignores, as `nohup` does: else it would outlive its
/// terminal. A signal that is caught, as from here on, is the program's own again once this process has become it. One
/// that cannot be caught is no reason not to start.
fn hear_signals() -> Option<(tokio::runtime::Runtime, Vec<Signal>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().ok()?;
    let caught = {
        let _inside = runtime.enter();
        let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];
        kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect()
    };
    Some((runtime, caught))
}

fn prepare(
    file: &Path,
    own_terminal: bool,
    terminal: impl IntoIterator<Item = (String, String)>,
) -> Result<(String, Command), SessionError> {
    let what = || format!("reading {}", file.display());
    let text = std::fs::read(file).map_err(SessionError::io(what()))?;
    let stage: Stage = serde_json::from_slice(&text).map_err(|e| SessionError::io(what())(e.into()))?;
    let _ = std::fs::remove_file(file);
    if own_terminal {
        rustix::process::setsid().map_err(|e| SessionError::io("starting a session")(e.into()))?;
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())
            .map_err(|e| SessionError::io("taking the terminal")(e.into()))?;
    }
    let mut command = Command::new(&stage.program);
    command.args(&stage.args).current_dir(&stage.cwd).env_clear();
    let terminal = terminal.into_iter().filter(|(n, _)| OF_THE_TERMINAL.contains(&n.as_str()));
    command.envs(terminal).envs(stage.env);
    Ok((stage.program.display().to_string(), command))
}
