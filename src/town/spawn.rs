//! The acting half of a spawn: worktree, session, row. Each step may be repeated.

use std::time::Duration;

use serde_json::json;

use super::agent::{self, AgentRow, AgentState, Told};
use super::around::Acting;
use super::error::TownError;
use super::intent::{self, Intent, Spawn};
use super::{hosts, retire};
use crate::base::fault::{Point, pass};
use crate::config::Overrides;
use crate::git::{Oid, Repo};
use crate::session::Host;
use crate::store::{Patch, Status, Store};

/// How long a session that is replaced may take to end by itself.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// How long a new worker waits for the remote. Without its answer it begins at what was last seen, and the merge queue
/// fetches again before it builds.
const FETCH: Duration = Duration::from_secs(30);
/// The event, about a bead, that its worker began at the target as last seen.
pub(super) const FETCH_FAILED: &str = "fetch_failed";

pub(super) fn act(cx: &Acting<'_>, store: &mut Store, intent: &Intent, how: &Spawn) -> Result<(), TownError> {
    let (row, hook) = store.read(|r| Ok::<_, TownError>((agent::get(r, &intent.agent)?, r.hook(&intent.agent)?)))?;
    let (Some(mut row), Some(hook)) = (row, hook) else {
        // Retired or unhooked meanwhile: nothing is to be started.
        return store.write(&cx.stamp(), |w| intent::complete(w, intent).map(|_| ()).map_err(TownError::from));
    };
    if store.read(|r| r.need(&hook.bead))?.is_over() {
        // Closed meanwhile: there is nothing to work on, and the worker goes.
        return store.write(&cx.stamp(), |w| {
            if intent::complete(w, intent)? {
                retire::plan(w, &row.address, "its bead was closed before it began", Some(&hook.bead))?;
            }
            Ok(())
        });
    }
    let host = hosts::open(cx, row.host)?;
    if how.replaces.as_ref().is_some_and(crate::base::process::ProcId::alive) {
        host.stop(&row.session, GRACE)?;
    }
    forget_locks(cx, &*host, &row)?;
    row.base_commit = worktree(cx, store, &row, how.from.as_deref())?.or(row.base_commit);
    pass(Point::SpawnTree);
    let begun = row.started_at.is_some() && row.conversation.is_some();
    let runtime = hosts::require_runtime(cx, &row.runtime)?;
    row.resumed = how.resume && begun && runtime.can_resume();
    if !row.resumed && row.started_at.is_some() {
        // No program begins the same conversation twice. The id comes from the intent: it is the same when this is repeated.
        row.conversation = Some(hosts::conversation(&row.address, intent.at));
    }
    let note = |told: &Told| {
        store.write(&cx.stamp(), |w| {
            let Some(mut now) = agent::get(w, &intent.agent)? else { return Ok(()) };
            now.told = Some(told.clone());
            Ok(agent::put(w, &now)?)
        })
    };
    let (started, told) = hosts::begin(cx, &*host, &row, &runtime, note)?;
    pass(Point::SpawnStarted);
    let now = cx.now();
    row.state = AgentState::Working;
    row.proc = Some(started.proc);
    row.started_at = Some(now);
    row.told = told;
    store.write(&cx.stamp(), |w| {
        if !intent::complete(w, intent)? {
            return Ok(());
        }
        agent::put(w, &row)?;
        let ours = super::hook::held(w, &row.address)?.is_some_and(|h| h.epoch == hook.epoch);
        // Whoever closed or parked it while the session started has said the last word.
        if ours && w.need(&hook.bead)?.status == Status::HOOKED {
            w.update(&hook.bead, Patch::status(Status::IN_PROGRESS))?;
        }
        w.emit(
            "agent_started",
            &row.address.to_string(),
            json!({
                "bead": hook.bead,
                "cause": how.cause,
                "session": row.session,
                "host": row.host,
                "runtime": row.runtime,
            }),
        )?;
        if let Some(why) = row.untold() {
            w.emit("agent_not_told", &row.address.to_string(), json!({ "bead": hook.bead, "why": why }))?;
        }
        Ok::<_, TownError>(())
    })
}

/// A session that was killed may have left git's locks in its worktree, where the next one could commit nothing.
fn forget_locks(cx: &Acting<'_>, host: &dyn Host, row: &AgentRow) -> Result<(), TownError> {
    let (Some(path), Some(rig)) = (&row.worktree, row.rig()) else { return Ok(()) };
    // A session that runs was begun by this intent before it was interrupted.
    if !path.is_dir() || host.probe(&row.session)?.alive {
        return Ok(());
    }
    // What outlived the session ends first: then nobody works there.
    host.stop(&row.session, GRACE)?;
    Ok(cx.town.rig(rig, &Overrides::default())?.repo()?.forget_locks_of(path)?)
}

/// Makes the worktree if it is not there. Gives the commit that its branch began at; none when that is known.
fn worktree(
    cx: &Acting<'_>,
    store: &mut Store,
    row: &AgentRow,
    from: Option<&str>,
) -> Result<Option<String>, TownError> {
    let (Some(path), Some(branch), Some(rig)) = (&row.worktree, &row.branch, row.rig()) else { return Ok(None) };
    let rig = cx.town.rig(rig, &Overrides::default())?;
    let repo = rig.repo_at_remote()?;
    let own = repo.worktree_at(path)?.filter(|tree| row.started_at.is_some() && tree.is_whole());
    let refname = format!("refs/heads/{branch}");
    let begun = repo.oid_of(&refname)?;
    let start = if let Some(head) = own.as_ref().and_then(|tree| tree.head) {
        // Its own, and as it left it: in the middle of a rebase, or on a branch that it made itself.
        head
    } else {
        // A branch that is there is where it is: neither the remote nor the target has a say in it any more.
        let start = match (begun, from.map(|commit| repo.resolve(commit)).transpose()?) {
            (Some(tip), Some(from)) if repo.worktree_at(path)?.is_none() && repo.is_ancestor(tip, from)? => {
                repo.set_ref(&refname, from, Some(tip), "goes on where an earlier worker left off")?;
                from
            }
            (Some(tip), _) => tip,
            (None, Some(from)) => from,
            (None, None) => start_of(cx, store, row, &rig, &repo)?,
        };
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent).map_err(|e| TownError::io("make", parent, e))?;
        repo.worktree_add(path, branch, start)?;
        start
    };
    if (own.is_some() || begun.is_some()) && row.base_commit.is_some() {
        return Ok(None);
    }
    let base = repo.merge_base(start, rig.target_tip(&repo)?)?.unwrap_or(start);
    Ok(Some(base.to_string()))
}

/// The target as the remote has it now; when that cannot be known in time, as last seen, which is written down.
fn start_of(
    cx: &Acting<'_>,
    store: &mut Store,
    row: &AgentRow,
    rig: &super::rig::Rig,
    repo: &Repo,
) -> Result<Oid, TownError> {
    let fetched = repo.fetch_within("origin", FETCH, &mut |_| {});
    let tip = rig.target_tip(repo)?;
    if let (Err(error), Some(bead)) = (fetched, &row.bead) {
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let target = &rig.config.target;
        let why = format!("{error}{hint}; begun at {target} as last seen, {:.10}", tip.to_string());
        store.write(&cx.stamp(), |w| {
            w.emit(FETCH_FAILED, bead.as_str(), json!({ "agent": row.address, "why": why })).map_err(TownError::from)
        })?;
    }
    Ok(tip)
}
