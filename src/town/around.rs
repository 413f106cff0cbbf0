//! What surrounds a verb: the town, who acts, the clock, and what sessions may inherit from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::TownError;
use super::layout::Town;
use crate::base::{Clock, Time, atomic};
use crate::session::MARK_VAR;
use crate::store::Stamp;

/// What the command line or the daemon knows of the machine, read once.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The program that runs now, or the `gt` beside it; its folder comes first on the PATH of sessions.
    pub gt: PathBuf,
    /// `PATH`.
    pub path: String,
    /// Variables that sessions of a model may inherit (`HOME`, `USER`, `LANG`, `TERM`, keys); a scripted worker
    /// gets none of them.
    pub env: BTreeMap<String, String>,
}

impl Surroundings {
    /// The PATH of a session: the folder of the running `gt` first.
    pub fn session_path(&self) -> String {
        let own = self.gt.parent().map(|p| p.display().to_string()).unwrap_or_default();
        if own.is_empty() || self.path.split(':').next() == Some(own.as_str()) {
            return self.path.clone();
        }
        format!("{own}:{}", self.path)
    }
}

/// Where the environment of the town's daemon is kept, below the runtime folder.
const KEPT: &str = "environment.json";

impl Surroundings {
    /// The variables that outlive the command which saw them: all but those of one terminal, one session, one git hook.
    pub fn lasting(&self) -> BTreeMap<String, String> {
        let kept = self.env.iter().filter(|(name, _)| !passes(name));
        let mut env: BTreeMap<String, String> = kept.map(|(n, v)| (n.clone(), v.clone())).collect();
        env.insert("PATH".into(), self.path.clone());
        env
    }

    /// The whole environment of gates.
    pub fn gate_env(&self) -> Vec<(String, String)> {
        let mut env = self.lasting();
        env.insert("CI".into(), "true".into());
        env.into_iter().collect()
    }

    /// Keeps what lasts for the town's daemon, for whoever starts it next. There are keys among it: the file is for its
    /// owner alone. What an agent's session sees is next to nothing, and is not kept.
    pub fn remember(&self, town: &Town) -> Result<(), TownError> {
        if self.env.contains_key(MARK_VAR) || self.env.contains_key("GT_ROLE") {
            return Ok(());
        }
        let path = town.runtime_dir().join(KEPT);
        atomic::write_with_mode(&path, serde_json::json!(self.lasting()).to_string().as_bytes(), 0o600)
            .map_err(|e| TownError::io("write", &path, e))
    }

    /// What was kept; nothing when no person has started the town yet.
    pub fn recall(town: &Town) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(town.runtime_dir().join(KEPT)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// Whether a variable says something of one terminal, one session or one git hook only. With those of a git hook, gates
/// would work on the repository of whoever ran the command.
fn passes(name: &str) -> bool {
    const BEGINNINGS: [&str; 8] = ["GT_", "BD_", "BEADS_", "TMUX", "TERM_", "ITERM_", "SSH_C", "CLAUDE_CODE_SS"];
    const NAMES: [&str; 21] = [
        "TERM",
        "COLORTERM",
        "COLUMNS",
        "LINES",
        "STY",
        "WINDOW",
        "WINDOWID",
        "SSH_TTY",
        "CLAUDECODE",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    ];
    BEGINNINGS.iter().any(|start| name.starts_with(start)) || NAMES.contains(&name)
}

/// Who acts, where and when. Every verb of the town takes one.
#[derive(Clone, Copy)]
pub struct Acting<'a> {
    /// The town.
    pub town: &'a Town,
    /// The address or name that events and the ledger show.
    pub by: &'a str,
    /// The present.
    pub clock: &'a dyn Clock,
    /// The machine.
    pub around: &'a Surroundings,
}

impl Acting<'_> {
    /// The present.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The stamp of a write that happens now.
    pub fn stamp(&self) -> Stamp {
        Stamp::new(self.by, self.now())
    }
}

impl std::fmt::Debug for Acting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acting").field("town", &self.town.root()).field("by", &self.by).finish_non_exhaustive()
    }
}
