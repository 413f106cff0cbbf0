//! Finishing intents: the acting half of every verb, and what the daemon calls after a crash.
//!
//! Each step may be repeated. One lock per agent keeps two finishers apart; whoever comes second finds the
//! intent gone and has nothing to do.

use std::fs::File;

use super::around::Acting;
use super::error::TownError;
use super::intent::{self, Act, Intent};
use super::{done, retire, spawn};
use crate::base::Address;
use crate::store::Store;

/// Carries out an intent that was written down, unless somebody else has. False when there was nothing to do.
pub fn finish(cx: &Acting<'_>, store: &mut Store, intent: &Intent) -> Result<bool, TownError> {
    let _lock = lock(cx, &intent.agent)?;
    let current = store.read(|r| intent::get(r, &intent.agent))?;
    if current.as_ref() != Some(intent) {
        return Ok(false);
    }
    match &intent.act {
        Act::Spawn(how) => spawn::act(cx, store, intent, how)?,
        Act::Done(what) => done::act(cx, store, intent, what).map(|_| ())?,
        Act::Retire { why, give_back } => retire::act(cx, store, intent, why, give_back.as_ref())?,
        Act::Stop { why } => retire::act_stop(cx, store, intent, why)?,
    }
    super::wake(cx.town);
    Ok(true)
}

/// Finishes all intents that are there. Gives those that failed, with the reason; the rest is done.
pub fn finish_all(cx: &Acting<'_>, store: &mut Store) -> Result<Vec<(Intent, TownError)>, TownError> {
    let mut failed = Vec::new();
    for intent in store.read(intent::all)? {
        if let Err(error) = finish(cx, store, &intent) {
            failed.push((intent, error));
        }
    }
    Ok(failed)
}

/// Held while the session, worktree or row of one agent is changed. Released when dropped.
pub(super) fn lock(cx: &Acting<'_>, agent: &Address) -> Result<File, TownError> {
    let dir = cx.town.runtime_dir().join("agents");
    std::fs::create_dir_all(&dir).map_err(|e| TownError::io("make", &dir, e))?;
    let path = dir.join(format!("{}.lock", agent.to_string().replace('/', ".")));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| TownError::io("open", &path, e))?;
    file.lock().map_err(|e| TownError::io("lock", &path, e))?;
    Ok(file)
}
