//! What is written down about a session: how to host it, and who hosts it, whom, and how that ended.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{SessionError, SessionName};
use crate::base::atomic;
use crate::base::process::ProcId;

/// Who runs, or ran last, under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) host: ProcId,
    pub(super) agent: ProcId,
    pub(super) log: PathBuf,
    pub(super) size: (u16, u16),
    /// Exit code, or 128 + signal; written by the host.
    pub(super) exit: Option<i32>,
}

impl Record {
    /// The session is usable: both its agent and its host live.
    pub(super) fn runs(&self) -> bool {
        self.agent.alive() && self.host.alive()
    }

    /// The record in `path`; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, SessionError> {
        let what = || format!("reading {}", path.display());
        match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| SessionError::io(what())(e.into())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(SessionError::io(what())(e)),
        }
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        atomic::write(path, &serde_json::to_vec(self)?)
    }
}

/// The names of which there are records in `folder`.
pub(super) fn names(folder: &Path) -> Result<Vec<SessionName>, SessionError> {
    let what = || format!("reading {}", folder.display());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SessionError::io(what())(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = entry.map_err(SessionError::io(what()))?.file_name();
        let name = file.to_str().and_then(|f| f.strip_suffix(".json")).and_then(|n| SessionName::new(n).ok());
        names.extend(name);
    }
    Ok(names)
}

/// What a host process is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostSpec {
    pub(super) name: String,
    pub(super) mark: String,
    pub(super) gt: PathBuf,
    pub(super) stage: PathBuf,
    pub(super) record: PathBuf,
    pub(super) screen: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) log: PathBuf,
    pub(super) size: (u16, u16),
    pub(super) wake: Option<PathBuf>,
}

impl HostSpec {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), SessionError> {
        let text = serde_json::to_vec(self).map_err(io::Error::from);
        text.and_then(|t| std::fs::write(path, t)).map_err(SessionError::io(format!("writing {}", path.display())))
    }
}

/// What a host process says once: its agent runs, or why not.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ready {
    pub(super) agent: Option<ProcId>,
    pub(super) error: Option<String>,
}
