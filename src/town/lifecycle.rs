//! A town comes up, and a town goes down and proves it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::agent::{self, AgentRow, AgentState, HostKind};
use super::around::Acting;
use super::error::TownError;
use super::intent::{self, Act, Intent, Spawn};
use super::{hosts, last_words};
use crate::base::process::{self, ProcId};
use crate::base::{Address, Time};
use crate::git;
use crate::store::{Read, Store, StoreError, Write};

const TOWN: &str = "town";
const UP: &str = "up";

/// Whether the town is up: then its daemon is to run, and any command brings it back.
pub fn is_up(r: &Read<'_>) -> Result<bool, StoreError> {
    Ok(up_since(r)?.is_some())
}

/// Since when the town is up.
pub fn up_since(r: &Read<'_>) -> Result<Option<Time>, StoreError> {
    let up: Option<Value> = r.local_or_none(TOWN, UP)?;
    Ok(up.and_then(|up| serde_json::from_value(up.get("since")?.clone()).ok()))
}

/// Writes that the town is up. False when it was before.
pub fn set_up(w: &mut Write<'_>) -> Result<bool, StoreError> {
    if is_up(w)? {
        return Ok(false);
    }
    let (by, since) = (w.by().actor.clone(), w.by().now);
    w.put_local(TOWN, UP, &json!({ "since": since, "by": by }))?;
    w.emit("town_up", "town", json!({}))?;
    Ok(true)
}

/// What `start` did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Started {
    /// It was up before.
    pub already: bool,
    /// Workers whose sessions are being started again, because work hangs on their hooks.
    pub resumed: Vec<Address>,
}

/// Brings the town up: workers with work on their hooks get their sessions back.
pub fn start(cx: &Acting<'_>, store: &mut Store) -> Result<Started, TownError> {
    let rows = store.read(agent::all)?;
    let mut asleep = Vec::new();
    for row in rows {
        let rests =
            matches!(row.state, AgentState::Stopped | AgentState::Working | AgentState::Waiting | AgentState::Dead);
        // A host that cannot be asked any more has no session of ours that runs.
        let alive = || hosts::open(cx, row.host).is_ok_and(|host| host.probe(&row.session).is_ok_and(|p| p.alive));
        if rests && !alive() {
            asleep.push(row.address);
        }
    }
    let started = store.write(&cx.stamp(), |w| {
        let already = !set_up(w)?;
        super::tries::refill(w)?;
        super::roles::events::mend_cursors(w)?;
        super::unreadable::begin_anew(w)?;
        let mut resumed = Vec::new();
        for agent in asleep {
            let (Some(mut row), Some(_)) = (agent::get(w, &agent)?, super::hook::held(w, &agent)?) else { continue };
            if intent::stands(w, &agent)? {
                continue;
            }
            let how = Spawn { cause: "start".into(), from: None, replaces: row.proc.take(), resume: true };
            row.state = AgentState::Spawning;
            agent::put(w, &row)?;
            intent::put(w, &Intent::new(agent.clone(), w.by().actor.clone(), w.by().now, Act::Spawn(how)))?;
            resumed.push(agent);
        }
        Ok::<_, TownError>(Started { already, resumed })
    })?;
    super::finish_all(cx, store)?;
    super::wake(cx.town);
    Ok(started)
}

/// Writes that the town is down, so that nothing starts anything any more.
pub fn set_down(cx: &Acting<'_>, store: &mut Store) -> Result<bool, TownError> {
    let was = store.write(&cx.stamp(), |w| {
        let was = w.delete_local(TOWN, UP)?;
        if was {
            w.emit("town_down", "town", json!({}))?;
        }
        Ok::<_, TownError>(was)
    })?;
    super::wake(cx.town);
    Ok(was)
}

/// What is left of a town after it was shut down.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// Sessions that were running.
    pub stopped: Vec<Address>,
    /// Processes of the town that still live: pid and start time.
    pub left: Vec<ProcId>,
    /// Hosts that could not be shut down, and why.
    pub trouble: Vec<String>,
    /// Files in worktrees that are not committed; they stay where they are.
    pub uncommitted: usize,
}

/// Ends all sessions of the town and proves that none of its processes lives. Where the store cannot be used that is done
/// too: processes are known by their mark.
///
/// The caller has stopped the daemon; `others` are processes that it knows of besides.
pub fn stop_sessions(cx: &Acting<'_>, store: Option<&mut Store>, others: &[ProcId], grace: Duration) -> Proof {
    let mut trouble = Vec::new();
    let read = store.as_ref().map(|store| store.read(agent::all)).transpose();
    let rows = read.unwrap_or_else(|error| {
        trouble.push(error.to_string());
        None
    });
    let rows = rows.unwrap_or_default();
    let mut known: Vec<ProcId> = others.iter().flat_map(ProcId::tree).collect();
    known.extend(rows.iter().filter_map(|row| row.proc.as_ref()).flat_map(ProcId::tree));
    let mut stopped = Vec::new();
    for row in &rows {
        if row.proc.as_ref().is_some_and(ProcId::alive) {
            stopped.push(row.address.clone());
        }
    }
    last_words::keep_all(cx, &rows);
    for kind in [HostKind::Tmux, HostKind::Headless] {
        if let Err(error) = hosts::existing(cx, kind).map_or(Ok(()), |host| host.shutdown_all(grace)) {
            trouble.push(format!("{}: {error}", kind.word()));
        }
    }
    if let Some(Err(error)) = store.map(|store| note_stopped(cx, store, &rows)) {
        trouble.push(error.to_string());
    }
    let bench = crate::queue::bench::mark_prefix(cx.town.root());
    for (what, found) in [("gates", process::marked(&bench, true)), ("git", git::running_below(cx.town.root()))] {
        if let Err(error) = process::kill_all(&found, None, grace) {
            trouble.push(format!("{what}: {error}"));
        }
    }
    let mut left: Vec<ProcId> = known.into_iter().filter(ProcId::alive).collect();
    let sessions = crate::session::living(&cx.town.runtime_dir());
    for found in [sessions, process::marked(&bench, true), git::running_below(cx.town.root())].concat() {
        if !left.contains(&found) {
            left.push(found);
        }
    }
    Proof { stopped, left, trouble, uncommitted: uncommitted(&rows) }
}

/// Nobody runs any more.
fn note_stopped(cx: &Acting<'_>, store: &mut Store, rows: &[AgentRow]) -> Result<(), TownError> {
    store.write(&cx.stamp(), |w| {
        for row in rows {
            let Some(mut row) = agent::get(w, &row.address)? else { continue };
            if row.wants_session() {
                row.state = AgentState::Stopped;
            }
            row.proc = None;
            agent::put(w, &row)?;
        }
        Ok(())
    })
}

fn uncommitted(rows: &[AgentRow]) -> usize {
    let worktrees = rows.iter().filter_map(|row| row.worktree.as_ref()).filter(|path| path.is_dir());
    worktrees
        .filter_map(|path| git::worktree_state(path).ok())
        .map(|state| state.dirty.len() + state.untracked.len())
        .sum()
}
