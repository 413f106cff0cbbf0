//! Where things are in a town: one folder, found from any folder below it.

use std::path::{Path, PathBuf};

use super::error::TownError;
use crate::base::{RigName, WorkerName};
use crate::config::TownConfig;
use crate::session::RuntimeSettings;

/// The file that makes a folder a town.
pub const MARKER: &str = "town.toml";

/// A town on disk. Knows paths; opens nothing until asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Town {
    root: PathBuf,
}

impl Town {
    /// The town at `over` (`GT_TOWN`) when given, else the nearest ancestor of `cwd` with a `town.toml`.
    pub fn find(cwd: &Path, over: Option<&Path>) -> Result<Self, TownError> {
        if let Some(root) = over {
            return Self::at(root);
        }
        Self::around(cwd).ok_or_else(|| {
            TownError::not_found(format!(
                "no town here: neither {} nor a folder above it has a {MARKER}",
                cwd.display()
            ))
            .hint("go to a town, use `gt -C DIR`, or make one: gt install ~/gt")
        })
    }

    /// The nearest ancestor of `cwd` with a `town.toml`, if there is one.
    pub fn around(cwd: &Path) -> Option<Self> {
        let root = cwd.ancestors().find(|dir| dir.join(MARKER).is_file())?;
        Some(Self { root: real(root) })
    }

    /// The town whose root is `root`.
    pub fn at(root: &Path) -> Result<Self, TownError> {
        if root.join(MARKER).is_file() {
            return Ok(Self { root: real(root) });
        }
        Err(TownError::not_found(format!("{} is no town: it has no {MARKER}", root.display()))
            .hint(format!("make one: gt install {}", root.display())))
    }

    /// The folder of the town.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `town.toml`.
    pub fn config_path(&self) -> PathBuf {
        self.root.join(MARKER)
    }

    /// Reads `town.toml`.
    pub fn config(&self) -> Result<TownConfig, TownError> {
        Ok(TownConfig::load_with::<RuntimeSettings>(&self.config_path())?)
    }

    /// The folder of the store: database, lock, ledger, formulas.
    pub fn beads_dir(&self) -> PathBuf {
        self.root.join(".beads")
    }

    /// Formulas and aspects of the town.
    pub fn formulas_dir(&self) -> PathBuf {
        self.beads_dir().join("formulas")
    }

    /// Policies of the town.
    pub fn lua_dir(&self) -> PathBuf {
        self.root.join("lua")
    }

    /// Rolling logs; the terminal logs of agents are below `logs/agents`.
    pub fn logs_dir(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log to read after the daemon has died or failed: it keeps one for each day, and one for what it says before
    /// it has opened that or while it dies. The last that something was written to; the folder when there is none.
    pub fn daemon_log(&self) -> PathBuf {
        let logs = std::fs::read_dir(self.logs_dir()).into_iter().flatten().flatten();
        let said = logs.filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let known = file.metadata().ok().filter(|known| known.is_file() && known.len() > 0)?;
            let ours = name.starts_with("daemon.") && name.ends_with(".log");
            ours.then_some((known.modified().ok()?, file.path()))
        });
        said.max().map_or_else(|| self.logs_dir(), |(_, path)| path)
    }

    /// Sockets, locks and process ids: nothing that has to survive a reboot.
    pub fn runtime_dir(&self) -> PathBuf {
        self.root.join(".runtime")
    }

    /// The datagram socket that the daemon is woken through.
    pub fn wake_path(&self) -> PathBuf {
        self.runtime_dir().join("wake")
    }

    /// The lock that a running daemon holds.
    pub fn daemon_lock_path(&self) -> PathBuf {
        self.runtime_dir().join("daemon.lock")
    }

    /// The terminal log of an agent's session.
    pub fn session_log_path(&self, session: &str) -> PathBuf {
        self.logs_dir().join("agents").join(format!("{session}.log"))
    }

    /// The folder of a rig.
    pub fn rig_dir(&self, rig: &RigName) -> PathBuf {
        self.root.join(rig.as_str())
    }

    /// `rig.toml` of a rig.
    pub fn rig_config_path(&self, rig: &RigName) -> PathBuf {
        self.rig_dir(rig).join("rig.toml")
    }

    /// The bare clone of a rig.
    pub fn repo_dir(&self, rig: &RigName) -> PathBuf {
        self.rig_dir(rig).join(".repo.git")
    }

    /// The worktree of a worker.
    pub fn worktree(&self, rig: &RigName, worker: &WorkerName) -> PathBuf {
        self.rig_dir(rig).join("polecats").join(worker.as_str())
    }

    /// The names of all rigs: the folders with a `rig.toml`, sorted.
    pub fn rig_names(&self) -> Result<Vec<RigName>, TownError> {
        let entries = std::fs::read_dir(&self.root).map_err(|e| TownError::io("read", &self.root, e))?;
        let mut names: Vec<RigName> = entries
            .flatten()
            .filter(|entry| entry.path().join("rig.toml").is_file())
            .filter_map(|entry| RigName::new(entry.file_name().to_str()?).ok())
            .collect();
        names.sort();
        Ok(names)
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_town_around_a_folder_is_found() {
        let dir = tempfile::tempdir().expect("folder");
        let deep = dir.path().join("app/polecats/toast/src");
        std::fs::create_dir_all(&deep).expect("folders");
        assert!(Town::find(&deep, None).is_err());
        std::fs::write(dir.path().join(MARKER), "").expect("marker");
        let town = Town::find(&deep, None).expect("town");
        assert_eq!(town.root(), dir.path().canonicalize().expect("real"));
        assert!(Town::find(&deep, Some(&deep)).is_err(), "GT_TOWN must name a town");
        std::fs::write(dir.path().join("app/rig.toml"), "").expect("rig");
        assert_eq!(town.rig_names().expect("rigs"), [RigName::new("app").expect("name")]);
    }

    #[test]
    fn the_log_to_read_is_one_that_something_was_written_to() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join(MARKER), "").expect("marker");
        let town = Town::at(dir.path()).expect("town");
        let logs = town.logs_dir();
        assert_eq!(town.daemon_log(), logs);
        std::fs::create_dir_all(logs.join("agents")).expect("folders");
        std::fs::write(logs.join("daemon.2026-01-02.log"), "died\n").expect("log");
        std::fs::write(logs.join("daemon.log"), "").expect("log");
        std::fs::write(logs.join("other.log"), "x").expect("log");
        assert_eq!(town.daemon_log(), logs.join("daemon.2026-01-02.log"));
    }
}
