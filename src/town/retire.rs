//! Taking workers down: stop the session, keep all that is in the worktree, free the name.
//!
//! Nothing is deleted before git holds it: the worktree goes only after its dirty and untracked files were
//! committed to `refs/gt/preserve/…`, and its branch only when another ref reaches its commits.

use std::path::Path;

use serde_json::json;

use super::agent::{self, AgentRow, AgentState};
use super::around::Acting;
use super::error::TownError;
use super::finish::Finish;
use super::intent::{self, Act, Intent, Spawn};
use super::roles::keep::{self, Hold};
use super::{budget, hook, hosts, review, spawn};
use crate::base::fault::{Point, pass};
use crate::base::{Address, BeadId};
use crate::git::{self, InProgress, Oid};
use crate::policy::MOST_RESTARTS;
use crate::store::{Bead, IssueType, Patch, Read, Status, Store, StoreError, Write};

/// The metadata key of a bead whose work was given back: the commit that the next worker goes on from.
pub const LEFT_OFF: &str = "left_off";
/// The metadata key of such a bead for the ref that keeps the files that were not committed.
pub const LEFT_OFF_FILES: &str = "left_off_files";

/// The budget of restarts of a bead's worker, given back whole when the worker gets on.
pub const RESTART: &str = "restart";

/// Decides that those workers go that were made for this bead and have nothing on their hooks: its last one has handed
/// it in, and others go on with it or it is over. Part of the caller's transaction.
pub fn plan_former(w: &mut Write<'_>, bead: &BeadId, why: &str) -> Result<Vec<Intent>, StoreError> {
    let mut intents = Vec::new();
    for row in agent::all(w)? {
        let free = row.state != AgentState::Retiring && hook::held(w, &row.address)?.is_none();
        if free && row.bead.as_ref() == Some(bead) {
            intents.push(plan_row(w, row, why, None)?);
        }
    }
    Ok(intents)
}

/// Decides that a worker goes. Part of the caller's transaction; [`super::finish`] acts on the intent.
///
/// With `give_back` that bead becomes ready again for another worker once everything is kept.
pub fn plan(w: &mut Write<'_>, agent: &Address, why: &str, give_back: Option<&BeadId>) -> Result<Intent, TownError> {
    let row = agent::need(w, agent)?;
    Ok(plan_row(w, row, why, give_back)?)
}

fn plan_row(w: &mut Write<'_>, mut row: AgentRow, why: &str, give_back: Option<&BeadId>) -> Result<Intent, StoreError> {
    row.state = AgentState::Retiring;
    agent::put(w, &row)?;
    let act = Act::Retire { why: why.to_owned(), give_back: give_back.cloned() };
    let intent = Intent::new(row.address, w.by().actor.clone(), w.by().now, act);
    intent::put(w, &intent)?;
    Ok(intent)
}

/// Takes a worker down whose work has landed, or who has none.
pub fn retire(cx: &Acting<'_>, store: &mut Store, agent: &Address, why: &str) -> Result<Finish, TownError> {
    let intent = store.write(&cx.stamp(), |w| {
        if let Some(hook) = super::hook::held(w, agent)? {
            return Err(TownError::refused(format!("{agent} has {} on its hook", hook.bead))
                .hint(format!("let it finish, or give the work back: gt unsling {}", hook.bead)));
        }
        plan(w, agent, why, None)
    })?;
    super::finish(cx, store, &intent)
}

/// Whether a bead that was given back may go to the next worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// No policy slings it until a person does.
    Held,
    /// Whoever slings it first.
    Anybody,
}

/// Gives a bead back on a person's word: its worker goes, what it made is kept, and the next worker goes on from there.
pub fn requeue(cx: &Acting<'_>, store: &mut Store, bead: &BeadId, why: &str, next: Next) -> Result<Finish, TownError> {
    let intent = store.write(&cx.stamp(), |w| {
        refuse_unslung(w, bead, next)?;
        let intent = requeue_plan(w, bead, why)?;
        match next {
            Next::Held => {
                let hold = Hold { why: why.to_owned(), until_ms: None };
                keep::set_hold(w, bead.as_str(), &hold)?;
                w.emit("held", bead.as_str(), json!({ "why": why }))?;
            }
            Next::Anybody => {
                if keep::release(w, bead.as_str())? {
                    w.emit("released", bead.as_str(), json!({ "why": why }))?;
                }
            }
        }
        Ok::<_, TownError>(intent)
    })?;
    super::wake(cx.town);
    match intent {
        Some(intent) => super::finish(cx, store, &intent),
        None => Ok(Finish::Done),
    }
}

/// Refuses what is on nobody's hook, did not come back from the queue either, and is not held back for somebody to get.
fn refuse_unslung(r: &Read<'_>, bead: &BeadId, next: Next) -> Result<(), TownError> {
    let found = r.need(bead)?;
    if found.issue_type.is_machinery() {
        let see = if found.issue_type == IssueType::CONVOY { "gt convoy status" } else { "bd show" };
        return Err(TownError::refused(format!("{bead} is a {}, which is on no hook", found.issue_type))
            .hint(format!("name a bead that is worked on: {see} {bead}")));
    }
    let begun = [Status::HOOKED, Status::IN_PROGRESS].contains(&found.status) || review::is_back(r, &found)?.is_some();
    if begun || found.is_over() || r.hook_of(bead)?.is_some() || hook::open_request(r, &found)?.is_some() {
        return Ok(());
    }
    match keep::hold(r, bead.as_str(), i64::MAX)? {
        Some(_) if next == Next::Anybody => Ok(()),
        Some(_) => Err(TownError::refused(format!("{bead} is on no hook, and held back already"))
            .hint(format!("go on: {}", budget::sling_command(&found)))),
        None => Err(TownError::refused(format!("{bead} is on no hook"))
            .hint(format!("keep it from being slung: bd defer {bead}"))),
    }
}

/// The deciding half of [`requeue`], as part of the caller's transaction: the bead is not held back.
pub fn requeue_plan(w: &mut Write<'_>, bead: &BeadId, why: &str) -> Result<Option<Intent>, TownError> {
    let found = w.need(bead)?;
    if let Some(held) = w.hook_of(bead)? {
        w.emit("requeued", bead.as_str(), json!({ "agent": held.agent, "why": why }))?;
        return Ok(Some(plan(w, &held.agent, why, Some(bead))?));
    }
    if let Some((mr, meta)) = hook::open_request(w, &found)? {
        return Err(TownError::refused(format!("{bead} has been handed in: {mr} {}", meta.state.is()))
            .hint(format!("send it back to its worker: gt review back {bead} --comment TEXT")));
    }
    if found.is_over() {
        return Err(TownError::refused(format!("{bead} is {}", found.status)).hint(format!("see: bd show {bead}")));
    }
    w.update(bead, Patch::status(Status::OPEN).with_assignee(""))?;
    w.emit("requeued", bead.as_str(), json!({ "why": why }))?;
    // Its change came back, and whoever made it waits for nothing more; the next one goes on from that change.
    Ok(plan_former(w, bead, why)?.pop())
}

/// Forgets where an earlier worker left off: what it made is handed in now.
pub fn forget_left_off(w: &mut Write<'_>, bead: &Bead) -> Result<(), StoreError> {
    let keys = [LEFT_OFF, LEFT_OFF_FILES].into_iter().filter(|key| bead.metadata.contains_key(*key));
    let meta: Vec<_> = keys.map(|key| (key.to_owned(), None)).collect();
    if !meta.is_empty() {
        w.update(&bead.id, Patch { meta, ..Patch::default() })?;
    }
    Ok(())
}

/// Stops a worker's session and keeps worktree, hook and row.
pub fn stop(cx: &Acting<'_>, store: &mut Store, agent: &Address, why: &str) -> Result<Finish, TownError> {
    let intent = store.write(&cx.stamp(), |w| stop_plan(w, agent, why))?;
    super::finish(cx, store, &intent)
}

/// [`stop`] as part of the caller's transaction.
pub fn stop_plan(w: &mut Write<'_>, agent: &Address, why: &str) -> Result<Intent, TownError> {
    agent::need(w, agent)?;
    let act = Act::Stop { why: why.to_owned() };
    let intent = Intent::new(agent.clone(), w.by().actor.clone(), w.by().now, act);
    intent::put(w, &intent)?;
    Ok(intent)
}

/// Whether a restart was granted.
#[derive(Debug, Clone, PartialEq)]
pub enum Restart {
    /// The intent that brings the session back.
    Granted(Box<Intent>),
    /// The budget of the bead is used up: the bead is in quarantine now, and this takes its worker down.
    Quarantined(Box<Intent>),
}

/// Why a bead is in quarantine whose budget of restarts is used up.
pub fn used_up() -> String {
    format!("its worker was started again {MOST_RESTARTS} times without closing a step")
}

/// Decides that a worker's session is started again, within the budget of its bead.
pub fn restart_plan(w: &mut Write<'_>, agent: &Address, resume: bool) -> Result<Restart, TownError> {
    let mut row = agent::need(w, agent)?;
    let hook = super::hook::held(w, agent)?.ok_or_else(|| super::step::nothing_hooked(agent))?;
    if !budget::take(w, RESTART, &hook.bead, MOST_RESTARTS)? {
        budget::quarantine(w, &hook.bead, &used_up())?;
        let intent = plan(w, agent, "restart budget used up", Some(&hook.bead))?;
        return Ok(Restart::Quarantined(Box::new(intent)));
    }
    row.restarts += 1;
    row.state = AgentState::Spawning;
    row.last_progress_at = Some(w.by().now);
    let how = Spawn { cause: "restart".into(), from: None, replaces: row.proc.clone(), resume };
    let intent = Intent::new(agent.clone(), w.by().actor.clone(), w.by().now, Act::Spawn(how));
    agent::put(w, &row)?;
    intent::put(w, &intent)?;
    w.emit("agent_restarted", &agent.to_string(), json!({ "bead": hook.bead, "times": row.restarts }))?;
    Ok(Restart::Granted(Box::new(intent)))
}

pub(super) fn act_stop(cx: &Acting<'_>, store: &mut Store, intent: &Intent, why: &str) -> Result<(), TownError> {
    let Some(mut row) = store.read(|r| agent::get(r, &intent.agent))? else {
        return store.write(&cx.stamp(), |w| intent::complete(w, intent).map(|_| ()).map_err(TownError::from));
    };
    hosts::open(cx, row.host)?.stop(&row.session, spawn::GRACE)?;
    row.state = AgentState::Stopped;
    row.proc = None;
    store.write(&cx.stamp(), |w| {
        if intent::complete(w, intent)? {
            agent::put(w, &row)?;
            w.emit("agent_stopped", &row.address.to_string(), json!({ "why": why }))?;
        }
        Ok::<_, TownError>(())
    })
}

pub(super) fn act(
    cx: &Acting<'_>,
    store: &mut Store,
    intent: &Intent,
    why: &str,
    give_back: Option<&BeadId>,
) -> Result<(), TownError> {
    let Some(row) = store.read(|r| agent::get(r, &intent.agent))? else {
        return store.write(&cx.stamp(), |w| intent::complete(w, intent).map(|_| ()).map_err(TownError::from));
    };
    hosts::open(cx, row.host)?.stop(&row.session, spawn::GRACE)?;
    pass(Point::RetireStopped);
    if let Some(bead) = give_back {
        note_left_off(cx, store, &row, bead)?;
    }
    let kept = take_down(cx, &row)?;
    pass(Point::RetireKept);
    store.write(&cx.stamp(), |w| {
        if !intent::complete(w, intent)? {
            return Ok(());
        }
        if let Some(bead) = give_back {
            give(w, &row.address, bead, &kept)?;
        }
        agent::remove(w, &row.address)?;
        let payload = json!({ "why": why, "kept": kept.files, "bead": row.bead });
        w.emit("agent_retired", &row.address.to_string(), payload)?;
        Ok::<_, TownError>(())
    })
}

/// Writes down which commit the next worker goes on from, before the worktree goes.
fn note_left_off(cx: &Acting<'_>, store: &mut Store, row: &AgentRow, bead: &BeadId) -> Result<(), TownError> {
    let Some(path) = row.worktree.as_ref().filter(|path| path.is_dir()) else { return Ok(()) };
    let Some(head) = left_off(cx, row, path)? else { return Ok(()) };
    store.write(&cx.stamp(), |w| {
        let begun = row.base_commit.as_deref() != Some(head.to_string().as_str());
        if begun && super::hook::held(w, &row.address)?.is_some_and(|h| h.bead == *bead) {
            w.update(bead, Patch::default().with_meta(LEFT_OFF, head.to_string()))?;
        }
        Ok::<_, TownError>(())
    })
}

/// Where a worker left off: at its HEAD, unless that has not all of its branch, as in the middle of a rebase.
fn left_off(cx: &Acting<'_>, row: &AgentRow, path: &Path) -> Result<Option<Oid>, TownError> {
    let state = git::worktree_state(path)?;
    let (Some(branch), Some(rig)) = (&row.branch, row.rig()) else { return Ok(state.head) };
    let repo = git::Repo::open(&cx.town.repo_dir(rig))?;
    let tip = repo.oid_of(&format!("refs/heads/{branch}"))?;
    Ok(match (state.head, tip) {
        (Some(_), Some(tip)) if state.in_progress == Some(InProgress::Rebase) => Some(tip),
        (Some(head), Some(tip)) if repo.is_ancestor(head, tip)? => Some(tip),
        (head, tip) => head.or(tip),
    })
}

/// What git holds of a worker that is gone.
struct Kept {
    /// The ref of what it had not committed.
    files: Option<String>,
    /// The ref of commits of its branch that were on no other one, where it had left that branch.
    commits: Option<String>,
}

/// Removes worktree and branch once git holds what is in them.
fn take_down(cx: &Acting<'_>, row: &AgentRow) -> Result<Kept, TownError> {
    let (Some(path), Some(rig)) = (&row.worktree, row.rig()) else { return Ok(Kept { files: None, commits: None }) };
    let repo = git::Repo::open(&cx.town.repo_dir(rig))?;
    let agent = row.address.to_string();
    let what = git::Retire { worktree: path, agent: &agent, now: cx.now(), delete_branch: true, dry_run: false };
    let preserved = repo.retire(&what)?.preserved;
    let commits = drop_branch(&repo, cx, row)?;
    let files = preserved.saved.map(|saved| saved.refname);
    if files.is_some() || preserved.clean {
        return Ok(Kept { files, commits });
    }
    // Whoever saved it was killed before it was written down where.
    let its_own = |saved: &git::SavedRef| saved.branch == row.branch && saved.at.is_some_and(|at| at >= row.created_at);
    let files = repo.saved(&agent)?.into_iter().rfind(its_own).map(|saved| saved.refname);
    Ok(Kept { files, commits })
}

/// A worker that had left its branch leaves it behind, for the next one of its name to begin at. Gives the ref that keeps
/// what nothing else does.
fn drop_branch(repo: &git::Repo, cx: &Acting<'_>, row: &AgentRow) -> Result<Option<String>, TownError> {
    let Some(refname) = row.branch.as_ref().map(|branch| format!("refs/heads/{branch}")) else { return Ok(None) };
    let Some(tip) = repo.oid_of(&refname)? else { return Ok(None) };
    let saved = repo.keep(&refname, &row.address.to_string(), cx.now())?;
    repo.delete_ref_if(&refname, tip)?;
    Ok(saved.map(|saved| saved.refname))
}

/// The bead is ready again.
fn give(w: &mut Write<'_>, agent: &Address, bead: &BeadId, kept: &Kept) -> Result<(), TownError> {
    let Some(hook) = super::hook::held(w, agent)?.filter(|h| h.bead == *bead) else { return Ok(()) };
    w.unhook(agent, hook.epoch)?;
    let before = w.need(bead)?;
    if before.is_over() {
        return Ok(());
    }
    let mut patch = Patch::status(Status::OPEN).with_assignee("");
    if let Some(refname) = &kept.commits {
        w.add_comment(bead, &format!("commits of its branch that an earlier worker had left behind are in {refname}"))?;
    }
    if let Some(refname) = kept.files.as_deref() {
        if let Some(older) = before.meta_str(LEFT_OFF_FILES).filter(|older| *older != refname) {
            w.add_comment(bead, &format!("what an earlier worker had not committed is in {older}"))?;
        }
        patch = patch.with_meta(LEFT_OFF_FILES, refname);
    }
    w.update(bead, patch)?;
    Ok(())
}
