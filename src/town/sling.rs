//! Sling: hang a bead on the hook of a new worker of a rig and start it.
//!
//! [`decide`] reads and judges; [`commit`] writes the hook, the bead's status, the agent's row, the molecule,
//! the convoy and the intent in one transaction; [`super::finish`] makes worktree and session. A dry run
//! prints the plan that `decide` gave.

mod elsewhere;
mod foresee;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::agent::{self, AgentRow, HostKind};
use super::around::Acting;
use super::convoy::{self, ConvoyOpts};
use super::error::TownError;
use super::intent::{self, Act, Intent, Spawn};
use super::rework::{self, Evidence};
use super::rig::Rig;
use super::roles::execute::evidence_text;
use super::{budget, hook, hosts, mol, names, poured, retire, spawn};
use crate::base::{Address, BeadId, Prefix, RigName, Time, WorkerName, text};
use crate::config::{Layer, Overrides};
use crate::formula::{Proto, Vars};
use crate::molecule::{self, MOLECULE};
use crate::queue::{MR_KEY, MrMeta, State};
use crate::session::Runtimes;
use crate::store::{Bead, Patch, Read, Status, Store, StoreError, Write};

pub use elsewhere::Stays;
pub use foresee::{Foreseen, foresee};

/// How to sling.
#[derive(Debug, Clone)]
pub struct SlingOpts {
    /// Runtime, host and formula from flags and environment.
    pub overrides: Overrides,
    /// Values for the formula's variables.
    pub vars: Vars,
    /// The work tree that the person is in, whose formulas are nearest.
    pub work_tree: Option<PathBuf>,
    /// Make a convoy for a bead that is in none.
    pub convoy: bool,
    /// Sling a bead that is blocked, deferred or in quarantine all the same.
    pub force: bool,
    /// Sling a bead that belongs to another rig all the same.
    pub abroad: bool,
}

impl Default for SlingOpts {
    fn default() -> Self {
        Self {
            overrides: Overrides::default(),
            vars: Vars::default(),
            work_tree: None,
            convoy: true,
            force: false,
            abroad: false,
        }
    }
}

/// What slinging one bead will do, or did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The bead.
    pub bead: BeadId,
    /// The molecule that was named in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<BeadId>,
    /// Its title.
    pub title: String,
    /// The rig.
    pub rig: RigName,
    /// The worker; none when the bead has to wait.
    pub worker: Option<Address>,
    /// Who of this rig works on it already; then nothing is done.
    pub held: Option<Address>,
    /// Why the bead waits.
    pub waits: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// The runtime.
    pub runtime: String,
    /// What runs its session.
    pub host: HostKind,
    /// The formula that is poured; none for bare work. For a bead that has to wait, only one that was named for it is.
    pub formula: Option<String>,
    /// The molecule that is gone on with instead.
    pub molecule: Option<BeadId>,
    /// The commit that an earlier worker left off at, or handed in.
    pub from: Option<String>,
    /// What was made for the bead in another rig: it stays there, and the work begins anew here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<Stays>,
    /// The merge request that did not land and is gone on from.
    pub came_back: Option<BeadId>,
    /// The convoys that track the bead.
    pub convoys: Vec<BeadId>,
    /// Whether a convoy is made for it.
    pub new_convoy: bool,
    /// Whether the Witness slings it by itself when what it waits for is over.
    pub by_itself: bool,
}

/// What is needed to sling into a rig, checked before anything is written.
#[derive(Debug)]
pub struct Ready {
    rig: Rig,
    host: HostKind,
    proto: Option<Proto>,
    vars: Vars,
    /// Whether formula or values were named for this sling: whoever slings the bead later does not know them.
    chosen: bool,
    /// Whether a flag names the formula.
    flagged: bool,
    force: bool,
    abroad: bool,
    convoy: bool,
    /// The other rigs of the town whose configuration can be read.
    others: Vec<Rig>,
    /// The runtime that a person named for this sling.
    named: Option<String>,
    runtimes: Runtimes,
    /// Where programs are looked for.
    search_path: String,
}

impl Ready {
    /// What ids of the rig's beads begin with.
    pub(super) fn prefix(&self) -> &Prefix {
        self.rig.prefix()
    }

    /// Whether all that was ever made for a bead was made in this rig, as far as its id says.
    fn is_home(&self, bead: &Bead) -> bool {
        bead.id.prefix() == self.prefix().as_str() && convoy::slung_to(bead).is_none_or(|rig| rig == self.rig.name)
    }
}

/// Where the runtime that a person named stays, on the bead and on its convoys: whoever is slung later goes by it.
const RUNTIME: &str = "runtime";

/// Checks everything outside the store: the host is there, the formula cooks, the target branch exists. An error here
/// means that nothing was changed.
pub fn prepare(cx: &Acting<'_>, rig: Rig, opts: &SlingOpts) -> Result<Ready, TownError> {
    let host = hosts::choose(cx, rig.config.host)?;
    rig.target_tip(&rig.repo()?)?;
    let proto = match &rig.config.formula {
        Some(name) => {
            let home = cx.around.env.get("HOME").map(Path::new);
            Some(mol::cook(&rig.library_around(opts.work_tree.as_deref(), home), name, &opts.vars)?)
        }
        None => None,
    };
    let named = opts.overrides.runtime.as_ref().map(|(_, name)| name.clone());
    let flagged = matches!(opts.overrides.formula, Some((Layer::Flag, _)));
    let chosen = opts.overrides.formula.is_some() || !opts.vars.is_empty();
    let mut others = cx.town.rigs_apart()?.rigs;
    others.retain(|other| other.name != rig.name);
    Ok(Ready {
        others,
        vars: opts.vars.clone(),
        force: opts.force,
        abroad: opts.abroad,
        convoy: opts.convoy,
        runtimes: hosts::runtimes(cx)?,
        search_path: cx.around.path.clone(),
        rig,
        host,
        proto,
        chosen,
        flagged,
        named,
    })
}

/// What slinging `bead` would do, given what the store holds now. A runtime that is not installed is an error.
pub fn decide(r: &Read<'_>, ready: &Ready, bead: &BeadId) -> Result<Plan, TownError> {
    decide_after(r, ready, bead, &[])
}

/// [`decide`], once there are these workers, too.
pub(super) fn decide_after(r: &Read<'_>, ready: &Ready, bead: &BeadId, ahead: &[AgentRow]) -> Result<Plan, TownError> {
    let bead = r.need(bead)?;
    let elsewhere = elsewhere::refuse(r, ready, &bead);
    let plan = decide_on(r, ready, bead, ahead)?;
    // Who works on it here already was told so before.
    if plan.held.is_none() {
        elsewhere?;
    }
    Ok(plan)
}

/// [`decide_after`] for a bead that was read, or is only about to be filed with an id of this rig.
pub(super) fn decide_on(r: &Read<'_>, ready: &Ready, bead: Bead, ahead: &[AgentRow]) -> Result<Plan, TownError> {
    let rig = &ready.rig;
    // Asked for twice, or the Witness was faster: what was wanted is so.
    let held = r.hook_of(&bead.id)?.map(|hook| hook.agent).filter(|agent| agent.rig() == Some(&rig.name));
    if held.is_none() {
        refuse(r, ready, &bead)?;
    }
    let convoys = convoy::of(r, &bead.id)?;
    let runtime = runtime(ready, &bead, &convoys);
    if held.is_none() {
        hosts::installed(&ready.runtimes, &ready.search_path, &runtime)?;
    }
    let convoys: Vec<BeadId> = convoys.into_iter().map(|c| c.id).collect();
    let mut agents = agent::of_rig(r, &rig.name)?;
    agents.extend_from_slice(ahead);
    let waits = if ready.force || held.is_some() { None } else { waits(r, rig, &bead, &agents)? };
    let name = free_name(rig, &agents);
    let worker = (waits.is_none() && held.is_none()).then(|| Address::Polecat(rig.name.clone(), name.clone()));
    let came_back = if held.is_some() { None } else { came_back(r, rig, &bead)? };
    let stays = if held.is_some() { None } else { Stays::of(ready, &bead)? };
    let molecule = match bead.meta_str(MOLECULE).and_then(|id| BeadId::new(id).ok()) {
        // Its steps were closed for commits that are not here.
        Some(_) if stays.is_some() => None,
        Some(id) => r.bead(&id)?.filter(|root| came_back.is_some() || !root.is_over()).map(|root| root.id),
        None => None,
    };
    let formula = match &molecule {
        _ if held.is_some() => None,
        Some(root) => {
            refuse_other(r, ready, &bead, root)?;
            None
        }
        None => to_pour(ready, &bead, waits.is_some())?,
    };
    if formula.is_none() && !ready.vars.is_empty() {
        return Err(unused_values(&bead, molecule.as_ref(), &rig.name));
    }
    let new_convoy = ready.convoy && convoys.is_empty();
    let left_off = bead.meta_str(retire::LEFT_OFF).filter(|_| stays.is_none()).map(str::to_owned);
    Ok(Plan {
        by_itself: rig.config.witness && (new_convoy || !convoys.is_empty()),
        new_convoy,
        branch: worker.as_ref().map(|_| branch(&name, &bead.id)),
        worker,
        held,
        waits,
        rig: rig.name.clone(),
        runtime,
        host: ready.host,
        formula,
        molecule,
        from: came_back.as_ref().map(|(_, meta)| meta.commit.clone()).or(left_off),
        came_back: came_back.map(|(mr, _)| mr),
        stays,
        convoys,
        title: bead.title,
        bead: bead.id,
        asked: None,
    })
}

/// The formula that is poured for a bead without a molecule, with all that it has to be told. For one that waits only
/// what this sling names is poured now.
fn to_pour(ready: &Ready, bead: &Bead, waits: bool) -> Result<Option<String>, TownError> {
    let Some(proto) = ready.proto.as_ref().filter(|_| ready.chosen || !waits) else { return Ok(None) };
    molecule::check(proto, &mol::values(proto, &ready.vars, &bead.id, &bead.title))?;
    Ok(Some(proto.formula.clone()))
}

/// Refuses where a person named a formula and the bead's molecule is one of another.
fn refuse_other(r: &Read<'_>, ready: &Ready, bead: &Bead, root: &BeadId) -> Result<(), TownError> {
    let Some(proto) = ready.proto.as_ref().filter(|_| ready.flagged) else { return Ok(()) };
    let poured = r.need(root)?;
    let own = molecule::formula_of(&poured).unwrap_or_default();
    if own == proto.formula {
        return Ok(());
    }
    let (id, rig) = (&bead.id, &ready.rig.name);
    Err(TownError::refused(format!("{id} goes on with molecule {root} of formula {own}, not with {}", proto.formula))
        .hint(format!("go on: gt sling {id} {rig}"))
        .hint(format!("begin anew: bd mol burn {root} --force")))
}

/// Values were given, and nothing is poured that would take them.
fn unused_values(bead: &Bead, molecule: Option<&BeadId>, rig: &RigName) -> TownError {
    let id = &bead.id;
    match molecule {
        Some(root) => TownError::refused(format!("{id} goes on with molecule {root}, which has its values already"))
            .hint(format!("without --var: gt sling {id} {rig}")),
        None => TownError::refused(format!("no formula is poured for {id} that would take the values"))
            .hint(format!("name one: gt sling {id} {rig} --formula NAME --var NAME=VALUE")),
    }
}

/// The runtime of a bead's worker: the one that is named now, or was named for the bead or for a convoy of it, or the
/// rig's.
fn runtime(ready: &Ready, bead: &Bead, convoys: &[Bead]) -> String {
    let kept = || std::iter::once(bead).chain(convoys).find_map(|b| b.meta_str(RUNTIME)).map(str::to_owned);
    ready.named.clone().or_else(kept).unwrap_or_else(|| ready.rig.config.runtime.clone())
}

/// The last merge request of a bead, if that did not land and nobody works on it again.
fn came_back(r: &Read<'_>, rig: &Rig, bead: &Bead) -> Result<Option<(BeadId, MrMeta)>, TownError> {
    let Some((mr, meta)) = hook::last_request(r, bead)? else { return Ok(None) };
    let ours = meta.state.is_final() && meta.state != State::Merged && meta.rig == rig.name;
    Ok((ours && rig.repo()?.resolve(&meta.commit).is_ok()).then_some((mr, meta)))
}

fn refuse(r: &Read<'_>, ready: &Ready, bead: &Bead) -> Result<(), TownError> {
    let id = &bead.id;
    if bead.is_over() {
        return Err(TownError::over(bead));
    }
    if bead.issue_type.is_machinery() || bead.is_template || bead.pinned {
        let what = if bead.pinned { "pinned".to_owned() } else { format!("a {}", bead.issue_type) };
        return Err(
            TownError::refused(format!("{id} is {what}, not work")).hint("sling the beads of the work: bd ready")
        );
    }
    if let Some(held) = r.hook_of(id)? {
        let error = TownError::refused(format!("{id} is already on the hook of {}", held.agent));
        return Err(error.hint(format!("watch: gt peek {}", held.agent)));
    }
    if let Some((mr, meta)) = hook::open_request(r, bead)? {
        return Err(TownError::refused(format!("{id} has been handed in: {mr} {}", meta.state.is()))
            .hint(format!("look at it: gt review diff {id}")));
    }
    if let Some(why) = budget::why_quarantined(bead)
        && !ready.force
    {
        return Err(TownError::refused(format!("{id} is in quarantine: {why}"))
            .hint(format!("when it is mended: gt sling --force {id} {}", ready.rig.name)));
    }
    Ok(())
}

/// Why a bead has to wait, if it has to.
fn waits(r: &Read<'_>, rig: &Rig, bead: &Bead, agents: &[AgentRow]) -> Result<Option<String>, TownError> {
    let blockers = r.blockers(&bead.id)?;
    if !blockers.is_empty() {
        let list: Vec<&str> = blockers.iter().map(BeadId::as_str).collect();
        return Ok(Some(format!("waits for {}", list.join(", "))));
    }
    if bead.status == Status::DEFERRED || bead.status == Status::BLOCKED {
        return Ok(Some(format!("is {}", bead.status)));
    }
    let busy = agents.iter().filter(|a| a.has_place()).count();
    if busy >= rig.config.workers as usize {
        return Ok(Some(format!(
            "waits for a worker: all {} of rig {} are busy",
            text::count(busy, "worker"),
            rig.name
        )));
    }
    Ok(None)
}

/// The first name of the pool that no agent and no folder of the rig has.
pub(super) fn free_name(rig: &Rig, agents: &[AgentRow]) -> WorkerName {
    let folders = std::fs::read_dir(rig.dir().join("polecats")).into_iter().flatten().flatten();
    let taken: BTreeSet<WorkerName> = agents
        .iter()
        .map(|a| a.name().to_owned())
        .chain(folders.filter_map(|entry| entry.file_name().into_string().ok()))
        .filter_map(|name| WorkerName::new(name).ok())
        .collect();
    names::first_free(&taken)
}

/// The branch of a worker for a bead.
pub fn branch(worker: &WorkerName, bead: &BeadId) -> String {
    format!("gt/{worker}/{bead}")
}

/// Writes down what was decided. Gives the intents that make it real, that of the new worker first; none when the bead
/// has to wait.
pub fn commit(w: &mut Write<'_>, cx: &Acting<'_>, ready: &Ready, plan: &mut Plan) -> Result<Vec<Intent>, TownError> {
    // It may have been taken out of the town since the plan began.
    cx.town.need_rig(&plan.rig)?;
    let now = w.by().now;
    let id = plan.bead.clone();
    if plan.new_convoy && plan.convoys.is_empty() {
        let opts = ConvoyOpts { active: true, ..ConvoyOpts::default() };
        let made = convoy::create(w, &shared_title(&plan.title, 1), std::slice::from_ref(&id), &opts)?;
        plan.convoys.push(made.id);
    }
    convoy::activate(w, &id, &plan.rig)?;
    if let Some(name) = &ready.named {
        for bead in plan.convoys.iter().chain([&id]) {
            w.update(bead, Patch::default().with_meta(RUNTIME, name.as_str()))?;
        }
    }
    let bead = w.need(&id)?;
    convoy::note_rig(w, &bead, &plan.rig, ready.rig.prefix())?;
    budget::go_on_if_released(w, &bead)?;
    if plan.held.is_some() {
        return Ok(Vec::new());
    }
    if let Some(stays) = &plan.stays {
        stays.leave(w, &bead, &plan.rig)?;
    }
    if plan.formula.is_some()
        && let Some(proto) = &ready.proto
    {
        let assignee = plan.worker.as_ref().map(ToString::to_string);
        plan.molecule = Some(mol::pour(w, proto, &id, &plan.title, assignee, &ready.vars)?);
    }
    let (Some(worker), Some(branch)) = (plan.worker.clone(), plan.branch.clone()) else {
        if bead.status == Status::IN_PROGRESS || bead.status == Status::HOOKED {
            // Nobody holds it: it is ready for whoever slings it when its turn has come.
            w.update(&id, Patch::status(Status::OPEN).with_assignee(""))?;
        }
        w.emit("sling_waits", id.as_str(), json!({ "rig": plan.rig, "why": plan.waits }))?;
        return Ok(Vec::new());
    };
    let former = retire::plan_former(w, &id, "another worker goes on with its bead")?;
    let mut patch = Patch::status(Status::HOOKED).with_assignee(worker.to_string());
    if let Some(mr) = &plan.came_back {
        let meta = MrMeta::of(&w.need(mr)?)?;
        let why = meta.why.clone().unwrap_or_else(|| meta.state.to_string());
        let evidence = Evidence { why: format!("{mr}: {why}"), text: evidence_text(&meta) };
        rework::add_step(w, plan.molecule.as_ref(), &id, &plan.title, &evidence)?;
        patch.meta.push((MR_KEY.into(), None));
        // Where it goes on stays known, whatever becomes of this worker.
        patch = patch.with_meta(retire::LEFT_OFF, meta.commit);
    } else if hook::last_request(w, &bead)?.is_some_and(|(_, meta)| meta.rig != plan.rig) {
        // It was taken away from that rig, and goes on from nothing that was handed in there.
        patch.meta.push((MR_KEY.into(), None));
    }
    w.hook(&worker, &id, plan.molecule.as_ref())?;
    if let Some(root) = &plan.molecule {
        patch = patch.with_meta(MOLECULE, root.as_str());
    }
    patch.meta.push(("workers".into(), Some(json!(times_held(w, &id)? + 1))));
    w.update(&id, patch)?;
    agent::put(w, &row(cx, ready, plan, &worker, &branch, now))?;
    w.emit(
        "slung",
        id.as_str(),
        json!({ "rig": plan.rig, "agent": worker, "branch": branch, "convoys": plan.convoys }),
    )?;
    let how = Spawn { cause: "sling".into(), from: plan.from.clone(), replaces: None, resume: false };
    let intent = Intent::new(worker, w.by().actor.clone(), now, Act::Spawn(how));
    intent::put(w, &intent)?;
    Ok(std::iter::once(intent).chain(former).collect())
}

/// How many workers have held a bead so far.
fn times_held(r: &Read<'_>, bead: &BeadId) -> Result<i64, TownError> {
    Ok(r.need(bead)?.metadata.get("workers").and_then(serde_json::Value::as_i64).unwrap_or(0))
}

fn row(cx: &Acting<'_>, ready: &Ready, plan: &Plan, worker: &Address, branch: &str, now: Time) -> AgentRow {
    let worktree = WorkerName::new(worker.short()).ok().map(|name| cx.town.worktree(&ready.rig.name, &name));
    AgentRow {
        worktree,
        branch: Some(branch.to_owned()),
        bead: Some(plan.bead.clone()),
        last_progress_at: Some(now),
        ..AgentRow::new(worker.clone(), &plan.runtime, ready.host, now)
    }
}

/// What became of one sling.
#[derive(Debug)]
pub struct Slung {
    /// What was done.
    pub plan: Plan,
    /// Why the session is not running yet, when that failed; the intent stays and the daemon tries again.
    pub trouble: Option<TownError>,
}

/// Why the worker of a sling that began at `begun` works on the target as last seen, if it does.
pub fn older_target(r: &Read<'_>, slung: &Slung, begun: Time) -> Result<Vec<String>, StoreError> {
    let events = r.events_of(slung.plan.bead.as_str())?.into_iter();
    let ours = events.filter(|e| e.kind == spawn::FETCH_FAILED && e.at >= begun);
    Ok(ours.filter_map(|e| e.payload["why"].as_str().map(str::to_owned)).collect())
}

/// Slings beads into a rig on a person's word: one transaction for all, then their sessions. Their budgets are whole
/// again.
pub fn sling(
    cx: &Acting<'_>,
    store: &mut Store,
    rig: Rig,
    beads: &[BeadId],
    opts: &SlingOpts,
) -> Result<Vec<Slung>, TownError> {
    let ready = prepare(cx, rig, opts)?;
    let mut shared = None;
    let decided = store.write(&cx.stamp(), |w| {
        let mut work = Vec::with_capacity(beads.len());
        for id in beads {
            work.push(poured::file(w, id, Some(ready.prefix()))?);
        }
        if ready.convoy && work.len() > 1 {
            shared = one_convoy(w, &ready, &work)?;
        }
        let mut all = Vec::with_capacity(work.len());
        for (id, asked) in work.iter().zip(beads) {
            let mut plan = decide(w, &ready, id)?;
            plan.asked = (asked != id).then(|| asked.clone());
            plan.new_convoy |= shared.is_some() && plan.convoys.iter().any(|c| Some(c) == shared.as_ref());
            budget::go_on(w, id)?;
            let intents = commit(w, cx, &ready, &mut plan)?;
            all.push((plan, intents));
        }
        Ok::<_, TownError>(all)
    })?;
    super::wake(cx.town);
    Ok(decided
        .into_iter()
        .map(|(plan, intents)| {
            let mut results = intents.iter().map(|intent| super::finish(cx, store, intent).err());
            // A former worker that cannot be taken down yet does not keep the new one: the daemon tries again.
            let trouble = results.next().flatten();
            results.for_each(drop);
            Slung { plan, trouble }
        })
        .collect())
}

/// The title of a convoy for so many beads, the first of which is called this.
fn shared_title(first: &str, beads: usize) -> String {
    match beads {
        0 | 1 => format!("Work: {first}"),
        n => format!("Work: {first} and {}", text::count(n - 1, "other")),
    }
}

/// One convoy for those beads of a batch that are in none.
fn one_convoy(w: &mut Write<'_>, ready: &Ready, beads: &[BeadId]) -> Result<Option<BeadId>, TownError> {
    let mut alone = Vec::new();
    for id in beads {
        if w.hook_of(id)?.is_none_or(|hook| hook.agent.rig() != Some(&ready.rig.name)) {
            refuse(w, ready, &w.need(id)?)?;
        }
        if convoy::of(w, id)?.is_empty() && !alone.contains(id) {
            alone.push(id.clone());
        }
    }
    let Some(first) = alone.first() else { return Ok(None) };
    let title = shared_title(&w.need(first)?.title, alone.len());
    let made = convoy::create(w, &title, &alone, &ConvoyOpts { active: true, ..ConvoyOpts::default() })?;
    Ok(Some(made.id))
}
