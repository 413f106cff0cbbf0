//! `gt done`: hand in what was made.
//!
//! The order matters. The intent records the HEAD that was seen; a ref of our own holds that commit; HEAD and
//! status are read again; then one transaction closes the steps, queues *that commit* and releases the hook.
//! A crash anywhere leaves the intent, and finishing it comes to the same end.

use serde::Serialize;
use serde_json::json;

use super::agent::{self, AgentRow, AgentState};
use super::around::Acting;
use super::error::TownError;
use super::intent::{self, Act, Handing, Intent};
use super::mol::{self, StepView};
use super::{budget, convoy, finish, rig};
use crate::base::fault::{Point, pass};
use crate::base::{Address, BeadId, text};
use crate::config::Overrides;
use crate::git::{self, Nothing, Oid, WorktreeState};
use crate::molecule;
use crate::queue::{MR_KEY, MrMeta, State};
use crate::store::{Bead, Close, DepKind, Hook, IssueType, NewBead, NewDep, Patch, Read, Status, Store, Write};

/// What became of the work.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Finished {
    /// It waits in the merge queue.
    Queued {
        /// The bead.
        bead: BeadId,
        /// The merge request.
        mr: BeadId,
        /// The commit that was handed in.
        commit: String,
        /// 1 for the first time, also after a person's word.
        attempt: u32,
        /// Lines added or removed.
        lines: u64,
        /// Paths touched.
        paths: Vec<String>,
    },
    /// Nothing had to be changed; the bead is closed.
    NoChange {
        /// The bead.
        bead: BeadId,
        /// Why.
        reason: String,
        /// Convoys that landed with it.
        convoys: Vec<convoy::Landed>,
    },
}

/// Hands in the work on an agent's hook; with `no_change` closes the bead for that reason instead.
pub fn done(
    cx: &Acting<'_>,
    store: &mut Store,
    agent: &Address,
    no_change: Option<&str>,
) -> Result<Finished, TownError> {
    let lock = finish::lock(cx, agent)?;
    let (row, hook) = store.read(|r| {
        let hook = r.hook(agent)?.ok_or_else(|| super::step::nothing_hooked(agent))?;
        Ok::<_, TownError>((agent::need(r, agent)?, hook))
    })?;
    let rig = rig_of(cx, &row)?;
    let repo = rig.repo()?;
    let path = row.worktree.clone().ok_or_else(|| no_worktree(agent))?;
    let state = git::worktree_state(&path)?;
    let head = state.head.ok_or_else(|| TownError::refused(format!("{} has no commit yet", path.display())))?;
    let tip = rig.target_tip(&repo)?;
    let brings = Brings { commits: repo.ahead(head, tip)?, nothing: repo.adds_nothing(head, tip)? };
    store.read(|r| check(r, &hook, &state, &brings, &rig, no_change.is_some()))?;
    if let Some(reason) = no_change {
        let finished = close_unchanged(cx, store, &row, &hook, reason)?;
        super::wake(cx.town);
        return Ok(finished);
    }
    let handing =
        Handing { mr: mr_id(&rig, &hook, head), bead: hook.bead.clone(), epoch: hook.epoch, commit: head.to_string() };
    let intent = Intent::new(agent.clone(), cx.by, cx.now(), Act::Done(handing.clone()));
    store.write(&cx.stamp(), |w| intent::put(w, &intent))?;
    let finished = act(cx, store, &intent, &handing)?;
    drop(lock);
    super::wake(cx.town);
    Ok(finished)
}

fn rig_of(cx: &Acting<'_>, row: &AgentRow) -> Result<rig::Rig, TownError> {
    let name = row.rig().ok_or_else(|| no_worktree(&row.address))?;
    cx.town.rig(name, &Overrides::default())
}

fn no_worktree(agent: &Address) -> TownError {
    TownError::refused(format!("{agent} has no worktree to hand in from"))
}

/// The id of the merge request of one hold at one commit: the same whenever it is asked again.
fn mr_id(rig: &rig::Rig, hook: &Hook, head: Oid) -> BeadId {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(format!("{}\n{}\n{head}", hook.bead, hook.epoch));
    let hash = data_encoding::HEXLOWER.encode(&digest[..5]);
    BeadId::new(format!("{}-mr-{hash}", rig.prefix())).expect("a prefix and hexadecimal digits")
}

/// What a branch would bring to the target of its rig.
struct Brings {
    /// Commits that the target lacks.
    commits: usize,
    /// Why merging them would change nothing there, if that is so.
    nothing: Option<Nothing>,
}

/// Refuses, all reasons at once, each with the command that mends it.
fn check(
    r: &Read<'_>,
    hook: &Hook,
    state: &WorktreeState,
    brings: &Brings,
    rig: &rig::Rig,
    no_change: bool,
) -> Result<(), TownError> {
    let mut wrong: Vec<(String, String)> = Vec::new();
    if r.need(&hook.bead)?.is_over() {
        let mend = format!("it counts after all: bd reopen {0}; it does not: gt unsling {0}", hook.bead);
        wrong.push((format!("{} was closed meanwhile", hook.bead), mend));
    }
    if let Some(unfinished) = &state.in_progress {
        let command = unfinished.command();
        wrong.push((format!("a git {command} is unfinished"), "finish or abort it: git status says how".into()));
    }
    let changed = state.dirty.len() + state.untracked.len();
    if changed > 0 {
        let first = state.dirty.iter().chain(&state.untracked).next().cloned().unwrap_or_default();
        let what =
            format!("{} not committed ({first}{})", text::count(changed, "file"), if changed > 1 { ", …" } else { "" });
        wrong.push((what, "commit: git add -A && git commit -m MESSAGE".into()));
    }
    let target = &rig.config.target;
    match (brings.nothing, no_change) {
        (Some(nothing), false) => {
            let what = match nothing {
                Nothing::Landed => format!("the branch has no commit that {target} lacks"),
                Nothing::Idle | Nothing::Same => format!("the branch {}", nothing.words(target)),
            };
            let mend = "commit your work, or say why nothing had to change: gt done --no-change REASON";
            wrong.push((what, mend.into()));
        }
        (None, true) => wrong.push((
            format!("the branch has {} beyond {target}", text::count(brings.commits, "commit")),
            "hand them in: gt done".into(),
        )),
        _ => {}
    }
    let open = open_steps(r, hook)?;
    if open.len() > 1 {
        let names: Vec<&str> = open.iter().map(|s| s.name.as_str()).collect();
        wrong.push((
            format!("{} open: {}", text::count(open.len(), "step"), names.join(", ")),
            "do them, and close each: gt step done".into(),
        ));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = wrong.iter().map(|(what, _)| what.clone()).collect();
    let error = TownError::refused(format!("{} cannot be handed in: {}", hook.bead, reasons.join("; ")));
    Err(wrong.into_iter().fold(error, |error, (_, hint)| error.hint(hint)))
}

/// Steps that are not closed. The last one may be left: handing in is what closes it.
fn open_steps(r: &Read<'_>, hook: &Hook) -> Result<Vec<StepView>, TownError> {
    let Some(root) = &hook.molecule else { return Ok(Vec::new()) };
    Ok(mol::steps(r, root)?.into_iter().filter(|s| !s.status.is_over()).collect())
}

/// Carries out a handing-in that was written down. The caller holds the agent's lock.
pub(super) fn act(cx: &Acting<'_>, store: &mut Store, intent: &Intent, what: &Handing) -> Result<Finished, TownError> {
    let row = store.read(|r| agent::need(r, &intent.agent))?;
    let (rig, agent) = (rig_of(cx, &row)?, &intent.agent);
    let repo = rig.repo()?;
    let commit = repo.resolve(&what.commit)?;
    let source_ref = format!("refs/gt/mr/{}", what.mr);
    let held = repo.oid_of(&source_ref)?;
    if held != Some(commit) {
        repo.set_ref(&source_ref, commit, held, &format!("{agent} hands in {}", what.bead))?;
    }
    pass(Point::DoneHeld);
    let path = row.worktree.clone().ok_or_else(|| no_worktree(agent))?;
    let state = git::worktree_state(&path)?;
    if state.head != Some(commit) || !state.clean() {
        store.write(&cx.stamp(), |w| intent::complete(w, intent).map(|_| ()).map_err(TownError::from))?;
        return Err(TownError::refused(format!("the worktree of {agent} changed while it was handed in"))
            .hint("run it again: gt done"));
    }
    let tip = rig.target_tip(&repo)?;
    let stat = repo.diff_stat(tip, commit)?;
    let meta = MrMeta {
        rig: rig.name.clone(),
        bead: what.bead.clone(),
        worker: agent.clone(),
        branch: row.branch.clone().unwrap_or_default(),
        commit: what.commit.clone(),
        target: rig.config.target.clone(),
        source_ref,
        attempt: 1,
        state: State::Queued,
        queued_at: cx.now(),
        lines: (stat.insertions + stat.deletions) as u64,
        paths: stat.paths().map(str::to_owned).collect(),
        approved: None,
        landed: None,
        why: None,
        evidence: crate::store::Map::new(),
    };
    store.write(&cx.stamp(), |w| enqueue(w, cx, intent, what, row, meta))
}

fn enqueue(
    w: &mut Write<'_>,
    cx: &Acting<'_>,
    intent: &Intent,
    what: &Handing,
    mut row: AgentRow,
    mut meta: MrMeta,
) -> Result<Finished, TownError> {
    let bead = w.need(&what.bead)?;
    meta.attempt = attempts(&bead) + 1;
    let finished = |meta: &MrMeta| Finished::Queued {
        bead: what.bead.clone(),
        mr: what.mr.clone(),
        commit: what.commit.clone(),
        attempt: meta.attempt,
        lines: meta.lines,
        paths: meta.paths.clone(),
    };
    if !intent::complete(w, intent)? {
        let mr = w.need(&what.mr)?;
        return Ok(finished(&MrMeta::of(&mr)?));
    }
    let hook = super::hook::held(w, &intent.agent)?;
    w.unhook(&intent.agent, what.epoch)?;
    if let Some(root) = hook.and_then(|h| h.molecule) {
        molecule::finish(w, &root, "handed in")?;
    }
    w.create(NewBead {
        id: Some(what.mr.clone()),
        issue_type: Some(IssueType::MERGE_REQUEST),
        priority: Some(bead.priority),
        assignee: format!("{}/refinery", meta.rig),
        description: format!("{} at {} for {}", meta.branch, what.commit, meta.target),
        metadata: [(MR_KEY.to_owned(), meta.to_value())].into_iter().collect(),
        deps: vec![NewDep::new(DepKind::RELATED, what.bead.clone())],
        ..NewBead::titled(format!("Merge: {} {}", bead.id, bead.title))
    })?;
    let patch = Patch::status(Status::IN_PROGRESS)
        .with_meta(MR_KEY, what.mr.as_str())
        .with_meta(budget::ATTEMPTS, meta.attempt);
    w.update(&what.bead, patch)?;
    super::retire::forget_left_off(w, &bead)?;
    row.state = AgentState::Done;
    row.last_progress_at = Some(cx.now());
    agent::put(w, &row)?;
    w.emit(
        "mr_queued",
        what.mr.as_str(),
        json!({ "rig": meta.rig, "bead": what.bead, "agent": intent.agent, "commit": what.commit, "attempt": meta.attempt }),
    )?;
    Ok(finished(&meta))
}

/// How often the bead was handed in so far; what came before the last word of a person counts no more.
fn attempts(bead: &Bead) -> u32 {
    bead.metadata.get(budget::ATTEMPTS).and_then(serde_json::Value::as_u64).unwrap_or(0) as u32
}

fn close_unchanged(
    cx: &Acting<'_>,
    store: &mut Store,
    row: &AgentRow,
    hook: &Hook,
    reason: &str,
) -> Result<Finished, TownError> {
    let agent = &row.address;
    store.write(&cx.stamp(), |w| {
        w.unhook(agent, hook.epoch)?;
        if let Some(root) = &hook.molecule {
            molecule::finish(w, root, "no change was needed")?;
        }
        let how = Close { force: true, ..Close::because(format!("no change: {reason}")) };
        molecule::close(w, &hook.bead, how, None)?;
        let convoys = convoy::check(w, &hook.bead)?;
        super::retire::plan(w, agent, &format!("{} needed no change", hook.bead), None)?;
        Ok::<_, TownError>(Finished::NoChange { bead: hook.bead.clone(), reason: reason.to_owned(), convoys })
    })
}
