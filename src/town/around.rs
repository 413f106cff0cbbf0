//! What surrounds a verb: the town, who acts, the clock, and what sessions may inherit from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::layout::Town;
use crate::base::{Clock, Time};
use crate::store::{Read, Stamp, StoreError, Write};

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

/// The variables that are remembered with the town: enough to work by, and no secrets.
const REMEMBERED: [&str; 8] = ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];
const OUTSIDE: &str = "outside";

impl Surroundings {
    /// Remembers PATH, HOME and the like with the town, for a daemon that is started from inside a session.
    pub fn remember(&self, w: &mut Write<'_>) -> Result<(), StoreError> {
        let env: BTreeMap<&str, &String> =
            REMEMBERED.iter().filter_map(|name| Some((*name, self.env.get(*name)?))).collect();
        w.put_local("town", OUTSIDE, &serde_json::json!({ "path": self.path, "env": env }))
    }

    /// What is remembered, PATH among it: what the town's daemon is started with, whoever starts it.
    pub fn recall(r: &Read<'_>) -> Result<BTreeMap<String, String>, StoreError> {
        let Some(saved) = r.local("town", OUTSIDE)? else { return Ok(BTreeMap::new()) };
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let vars = saved["env"].as_object().into_iter().flatten();
        let mut env: BTreeMap<String, String> = vars.filter_map(|(k, v)| Some((k.clone(), text(v)?))).collect();
        env.extend(text(&saved["path"]).map(|path| ("PATH".to_owned(), path)));
        Ok(env)
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
