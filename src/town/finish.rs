//! Finishing intents: the acting half of every verb, and what the daemon calls after a crash.
//!
//! Each step may be repeated. One lock per agent keeps two finishers apart; whoever comes second finds the
//! intent gone and has nothing to do. No session ends while a person looks at it: the intent waits.

use std::fs::File;

use serde_json::json;

use super::agent;
use super::around::Acting;
use super::error::TownError;
use super::intent::{self, Act, Intent};
use super::{done, hosts, last_words, retire, spawn};
use crate::base::Address;
use crate::base::fault::{Point, pass};
use crate::base::process::ProcId;
use crate::store::Store;

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It is carried out.
    Done,
    /// Somebody else has carried it out, or another one has taken its place.
    Nothing,
    /// It stands and has to wait, for this reason; the daemon carries it out when that is over.
    Waits(String),
}

/// Carries out an intent that was written down, unless somebody else has.
pub fn finish(cx: &Acting<'_>, store: &mut Store, intent: &Intent) -> Result<Finish, TownError> {
    let _lock = lock(cx, &intent.agent)?;
    let current = store.read(|r| intent::get(r, &intent.agent))?;
    if current.as_ref() != Some(intent) {
        return Ok(Finish::Nothing);
    }
    let waits = attended(cx, store, intent)?;
    note(cx, store, &intent.agent, waits.as_ref())?;
    if let Some(why) = waits {
        return Ok(Finish::Waits(why));
    }
    pass(Point::ActBegun);
    if matches!(intent.act, Act::Retire { .. } | Act::Stop { .. })
        && let Some(row) = store.read(|r| agent::get(r, &intent.agent))?
    {
        // Its session goes, also when its screen cannot be kept.
        let _ = last_words::keep(cx, &row);
    }
    match &intent.act {
        Act::Spawn(how) => spawn::act(cx, store, intent, how)?,
        Act::Done(what) => done::act(cx, store, intent, what).map(|_| ())?,
        Act::Retire { why, give_back } => retire::act(cx, store, intent, why, give_back.as_ref())?,
        Act::Stop { why } => retire::act_stop(cx, store, intent, why)?,
    }
    super::wake(cx.town);
    Ok(Finish::Done)
}

/// Why the session that an intent ends must not end now: a person is attached to it.
fn attended(cx: &Acting<'_>, store: &Store, intent: &Intent) -> Result<Option<String>, TownError> {
    let what = match &intent.act {
        Act::Spawn(how) if how.replaces.as_ref().is_some_and(ProcId::alive) => "it is started anew",
        Act::Retire { .. } => "it is taken down",
        Act::Stop { .. } => "it is stopped",
        Act::Spawn(_) | Act::Done(_) => return Ok(None),
    };
    let Some(row) = store.read(|r| agent::get(r, &intent.agent))? else { return Ok(None) };
    if row.proc.as_ref().is_none_or(|proc| !proc.alive()) {
        return Ok(None);
    }
    let attached = hosts::open(cx, row.host)?.probe(&row.session)?.attached;
    Ok(attached.then(|| format!("a person is attached to its session; {what} when they have gone")))
}

/// Writes down why an agent's intent waits, or that it does no more.
fn note(cx: &Acting<'_>, store: &mut Store, agent: &Address, waits: Option<&String>) -> Result<(), TownError> {
    if store.read(|r| agent::get(r, agent))?.is_none_or(|row| row.waits.as_ref() == waits) {
        return Ok(());
    }
    store.write(&cx.stamp(), |w| {
        if let Some(mut row) = agent::get(w, agent)? {
            row.waits = waits.cloned();
            agent::put(w, &row)?;
            if let Some(why) = waits {
                w.emit("agent_attended", &agent.to_string(), json!({ "bead": row.bead, "why": why }))?;
            }
        }
        Ok::<_, TownError>(())
    })
}

/// Finishes all intents that are there. Gives those that failed, with the reason; the rest is done or waits.
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
