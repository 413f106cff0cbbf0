//! Sessions on a tmux server that belongs to one town.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Delivery, Host, Listed, Probe, SessionError, SessionSpec, Signs, Started};

/// The town's own tmux server.
#[derive(Debug, Clone)]
pub struct TmuxHost {
    runtime_dir: PathBuf,
    gt: PathBuf,
    path: String,
}

impl TmuxHost {
    /// The server of the town whose runtime folder is `runtime_dir`. `gt` is this program's executable, `path` the
    /// `PATH` in which tmux is looked for. Starts nothing.
    pub fn new(runtime_dir: &Path, gt: &Path, path: &str) -> Result<Self, SessionError> {
        Ok(Self { runtime_dir: runtime_dir.to_owned(), gt: gt.to_owned(), path: path.to_owned() })
    }
}
impl Host for TmuxHost {
    fn kind(&self) -> &'static str {
        "tmux"
    }
    fn start(&self, spec: &SessionSpec) -> Result<Started, SessionError> {
        let _ = spec;
        nothing()
    }
    fn probe(&self, name: &str) -> Result<Probe, SessionError> {
        let _ = name;
        nothing()
    }
    fn list(&self) -> Result<Vec<Listed>, SessionError> {
        nothing()
    }
    fn screen(&self, _: &str, _: usize) -> Result<String, SessionError> {
        nothing()
    }
    fn send(&self, _: &str, _: &str, _: &Signs) -> Result<Delivery, SessionError> {
        nothing()
    }
    fn stop(&self, _: &str, _: Duration) -> Result<(), SessionError> {
        nothing()
    }
    fn attach_argv(&self, _: &str) -> Result<Vec<String>, SessionError> {
        nothing()
    }
    fn shutdown_all(&self, _: Duration) -> Result<(), SessionError> {
        nothing()
    }
}
fn nothing<T>() -> Result<T, SessionError> {
    Err(SessionError::NoTmux("not landed".into()))
}
