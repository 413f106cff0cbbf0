//! What a command may know of its surroundings, read once: directory, actor, town and tracker overrides.

use std::path::{Path, PathBuf};

use crate::base::{Clock, SystemClock, Time, path};

/// The surroundings of one command.
#[derive(Debug, Clone)]
pub struct Env {
    /// The directory the command works in (`-C` applied).
    pub cwd: PathBuf,
    /// `GT_TOWN`: the town to use wherever we are.
    pub town: Option<PathBuf>,
    /// `BEADS_DIR`: the tracker folder to use wherever we are.
    pub beads_dir: Option<PathBuf>,
    /// `GT_ROLE`: the address of the agent that runs this command, as set by its session.
    pub role: Option<String>,
    /// `--actor`, `BD_ACTOR` or `BEADS_ACTOR`.
    pub actor: Option<String>,
    /// `USER`, for people without any of these.
    pub user: Option<String>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `PATH`.
    pub path: String,
    /// Every variable whose name and value are text, for what sessions may inherit.
    pub all: std::collections::BTreeMap<String, String>,
}

impl Env {
    /// Reads the process environment. An empty variable counts as unset.
    pub fn read() -> std::io::Result<Self> {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        Ok(Self {
            cwd: std::env::current_dir()?,
            town: var("GT_TOWN").map(PathBuf::from),
            beads_dir: var("BEADS_DIR").map(PathBuf::from),
            role: var("GT_ROLE"),
            actor: var("BD_ACTOR").or_else(|| var("BEADS_ACTOR")),
            user: var("USER"),
            home: var("HOME").map(PathBuf::from),
            path: var("PATH").unwrap_or_default(),
            all: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        })
    }

    /// Arms the fault point that `GT_FAULT` names: this process dies there, for tests of what is left behind.
    pub fn arm_fault(&self) -> Result<(), crate::cli::CliError> {
        match self.all.get("GT_FAULT") {
            Some(fault) => crate::base::fault::arm(fault).map_err(crate::cli::CliError::user),
            None => Ok(()),
        }
    }

    /// A path that was given, from the directory the command works in, as it is shown.
    pub fn path(&self, given: impl AsRef<Path>) -> PathBuf {
        path::plain(&self.cwd.join(given))
    }

    /// The root of the git work tree that the command works in.
    pub fn work_tree(&self) -> Option<&Path> {
        self.cwd.ancestors().find(|dir| dir.join(".git").exists())
    }

    /// The present, from the machine's clock.
    pub fn now(&self) -> Time {
        SystemClock.now()
    }
}
