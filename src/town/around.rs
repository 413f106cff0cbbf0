//! What surrounds a verb: the town, who acts, the clock, and what sessions may inherit from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::layout::Town;
use crate::base::{Clock, Time};
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
