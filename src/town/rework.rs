//! Rework: a change that did not land goes back to the worker that made it, with the evidence.

use serde_json::json;

use super::agent::{self, AgentRow, AgentState};
use super::around::Acting;
use super::error::TownError;
use super::hook::REWORK;
use super::intent::{self, Act, Intent, Spawn};
use super::retire::{self, LEFT_OFF};
use super::roles::keep;
use super::{budget, hosts};
use crate::base::{BeadId, WorkerName};
use crate::molecule::MOLECULE;
use crate::queue::{MR_KEY, MrMeta, State, request};
use crate::store::{Bead, NewBead, Patch, Read, Status, Write};

/// How often a bead may come back before it goes into quarantine.
pub const LIMIT: u32 = 5;

/// Why a change comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// One line: what is wrong.
    pub why: String,
    /// What the worker needs to see: hunks, the gate's output, a person's comment. Markdown.
    pub text: String,
}

/// Hangs the bead of a merge request on its worker's hook again, with a step `rework`. A request that is not final
/// yet is rejected first.
///
/// Gives the intent that starts the worker. When the budget is used up and the bead goes into quarantine, those that
/// take its former worker down.
/// Part of the caller's transaction, so that a decision and its effect are one.
pub fn plan(w: &mut Write<'_>, cx: &Acting<'_>, mr: &BeadId, evidence: &Evidence) -> Result<Vec<Intent>, TownError> {
    let Some((meta, bead)) = come_back(w, mr, evidence)? else { return Ok(Vec::new()) };
    if !budget::take(w, REWORK, &bead.id, LIMIT)? {
        w.update(&bead.id, Patch::status(Status::OPEN).with_assignee("").with_meta(LEFT_OFF, meta.commit.clone()))?;
        budget::quarantine(w, &bead.id, &format!("handed in {LIMIT} times and sent back each time: {}", evidence.why))?;
        return Ok(retire::plan_former(w, &bead.id, "its bead is in quarantine")?);
    }
    Ok(vec![hang(w, cx, mr, &meta, &bead, evidence)?])
}

/// As [`plan`], on a person's word: it is no failure of the change, so it draws on no budget, and the budgets of the bead
/// are whole again.
pub fn asked(
    w: &mut Write<'_>,
    cx: &Acting<'_>,
    mr: &BeadId,
    evidence: &Evidence,
) -> Result<Option<Intent>, TownError> {
    let Some((meta, bead)) = come_back(w, mr, evidence)? else { return Ok(None) };
    budget::go_on(w, &bead.id)?;
    Ok(Some(hang(w, cx, mr, &meta, &bead, evidence)?))
}

/// Takes the request out of the queue. Gives it and its bead; none when nobody has to work on that any more.
fn come_back(w: &mut Write<'_>, mr: &BeadId, evidence: &Evidence) -> Result<Option<(MrMeta, Bead)>, TownError> {
    let mut meta = MrMeta::of(&w.need(mr)?)?;
    if meta.state == State::Merged {
        return Err(TownError::refused(format!("{mr} has landed")).hint("file a new bead: bd create TITLE"));
    }
    if !meta.state.is_final() {
        request::reject(w, mr, &evidence.why)?;
        meta = MrMeta::of(&w.need(mr)?)?;
    }
    keep::release(w, mr.as_str())?;
    let bead = w.need(&meta.bead)?;
    Ok((!bead.is_over() && w.hook_of(&bead.id)?.is_none()).then_some((meta, bead)))
}

/// Hangs the bead on a worker's hook again, with the evidence. Gives the intent that starts the worker.
fn hang(
    w: &mut Write<'_>,
    cx: &Acting<'_>,
    mr: &BeadId,
    meta: &MrMeta,
    bead: &Bead,
    evidence: &Evidence,
) -> Result<Intent, TownError> {
    let row = worker_for(w, cx, meta)?;
    let root = bead.meta_str(MOLECULE).and_then(|id| BeadId::new(id).ok());
    let step = add_step(w, root.as_ref(), &bead.id, &bead.title, evidence)?;
    w.hook(&row.address, &bead.id, root.as_ref())?;
    let mut patch = Patch::status(Status::HOOKED).with_assignee(row.address.to_string());
    patch.meta.push((MR_KEY.into(), None));
    w.update(&bead.id, patch)?;
    let from = Some(meta.commit.clone());
    let how = Spawn { cause: REWORK.into(), from, replaces: row.proc.clone(), resume: true };
    let intent = Intent::new(row.address.clone(), w.by().actor.clone(), w.by().now, Act::Spawn(how));
    agent::put(w, &row)?;
    intent::put(w, &intent)?;
    w.emit("rework", bead.id.as_str(), json!({ "agent": row.address, "mr": mr, "step": step, "why": evidence.why }))?;
    Ok(intent)
}

/// The worker that made the change; a new one if it has gone or its name is another's now.
fn worker_for(r: &Read<'_>, cx: &Acting<'_>, meta: &MrMeta) -> Result<AgentRow, TownError> {
    let now = cx.now();
    let found = agent::get(r, &meta.worker)?;
    let mut row = match found {
        Some(row)
            if row.bead.as_ref() == Some(&meta.bead)
                && r.hook(&row.address)?.is_none()
                && row.state != AgentState::Retiring =>
        {
            row
        }
        _ => return fresh(r, cx, meta),
    };
    row.state = AgentState::Spawning;
    row.bead = Some(meta.bead.clone());
    row.last_progress_at = Some(now);
    Ok(row)
}

/// A new worker that goes on from the commit that was handed in.
fn fresh(r: &Read<'_>, cx: &Acting<'_>, meta: &MrMeta) -> Result<AgentRow, TownError> {
    let rig = cx.town.rig(&meta.rig, &crate::config::Overrides::default())?;
    let name = super::sling::free_name(&rig, &agent::of_rig(r, &rig.name)?);
    let address = crate::base::Address::Polecat(rig.name.clone(), name.clone());
    let host = hosts::choose(cx, rig.config.host)?;
    Ok(AgentRow {
        worktree: Some(cx.town.worktree(&rig.name, &name)),
        branch: Some(super::sling::branch(&WorkerName::new(address.short())?, &meta.bead)),
        bead: Some(meta.bead.clone()),
        last_progress_at: Some(cx.now()),
        ..AgentRow::new(address, &rig.config.runtime, host, cx.now())
    })
}

/// The step that holds the evidence. Work without a molecule gets it as a comment.
pub(super) fn add_step(
    w: &mut Write<'_>,
    root: Option<&BeadId>,
    bead: &BeadId,
    title: &str,
    evidence: &Evidence,
) -> Result<Option<BeadId>, TownError> {
    let text = format!("{}\n\n{}", evidence.why, evidence.text);
    let Some(root) = root else {
        w.add_comment(bead, &text)?;
        return Ok(None);
    };
    if w.need(root)?.is_over() {
        w.reopen(root, "the change came back")?;
    }
    let step = w.create(NewBead {
        parent: Some(root.clone()),
        description: text,
        metadata: [("step".to_owned(), json!(REWORK)), ("for".to_owned(), json!(bead))].into_iter().collect(),
        ..NewBead::titled(format!("Rework: {title}"))
    })?;
    Ok(Some(step.id))
}
