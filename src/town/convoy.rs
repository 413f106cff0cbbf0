//! Convoys: beads that are to land together, and the first thing a person looks at.
//!
//! A convoy is a bead `hq-cv-…` of type `convoy` with `tracks` edges. It is *active* once any of its beads was
//! slung: from then on the Witness slings the others as they become ready. It closes when all its beads are.

use serde::Serialize;
use serde_json::json;

use super::error::TownError;
use super::roles::keep;
use super::{agent, budget};
use crate::base::{Address, BeadId, Prefix, RigName, Time};
use crate::store::{Bead, Close, DepKind, Filter, IssueType, NewBead, NewDep, Patch, Read, Status, StoreError, Write};

const ACTIVE: &str = "active";
const NOTIFY: &str = "notify";
/// The rig that something was slung into: on a bead, and on a convoy for those of its beads that no rig's prefix says.
const SLUNG_TO: &str = "slung_to";

/// How to make a convoy.
#[derive(Debug, Clone, Default)]
pub struct ConvoyOpts {
    /// Who gets mail when it lands.
    pub notify: Vec<Address>,
    /// Its beads are being slung right now.
    pub active: bool,
}

/// A convoy that closed because all its beads are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Landed {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// How many beads it had.
    pub total: usize,
}

/// A convoy with what it tracks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConvoyStatus {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// Whether its ready beads are slung without being asked for.
    pub active: bool,
    /// Its beads, in the order in which they were added.
    pub tracked: Vec<Tracked>,
    /// How many of them are closed.
    pub completed: usize,
    /// How many there are.
    pub total: usize,
    /// When it was made.
    pub created_at: Time,
    /// When it landed.
    pub closed_at: Option<Time>,
}

impl ConvoyStatus {
    /// Whether it is over because all its beads are; one that was closed by hand before that has not landed.
    pub fn has_landed(&self) -> bool {
        self.status.is_over() && self.total > 0 && self.completed == self.total
    }

    /// How far it is, when it was closed without landing.
    pub fn closed_early(&self) -> Option<String> {
        let early = self.status.is_over() && !self.has_landed();
        early.then(|| format!("closed, {} of {} done", self.completed, self.total))
    }
}

/// A bead of a convoy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tracked {
    /// Its id.
    pub id: BeadId,
    /// Its title; `(not in this store)` for one that is not here.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// Always `tracks`.
    pub dependency_type: &'static str,
    /// What kind of thing it is.
    pub issue_type: IssueType,
    /// Who has it.
    pub assignee: String,
    /// The agent that has it on its hook.
    pub worker: Option<Address>,
    /// Where that agent stands, in words: `working`, `dead`, `stopped`, `no session` and the like.
    pub worker_state: Option<&'static str>,
    /// Whether that agent works, or is about to.
    pub worked_on: bool,
    /// Since when, in seconds before now.
    pub worker_age: Option<i64>,
    /// The open beads that it waits for.
    pub waits_for: Vec<BeadId>,
    /// Why it is held back, when it is: nobody slings it until a person does, or the hold is over.
    pub held: Option<String>,
    /// Why it is in quarantine, when it is, and the next command: only a person brings it back.
    pub quarantined: Option<String>,
    /// Its merge request, where there is one: id and state.
    pub merge_request: Option<(BeadId, String)>,
}

/// Makes a convoy of `beads`, each of which must exist.
pub fn create(w: &mut Write<'_>, title: &str, beads: &[BeadId], opts: &ConvoyOpts) -> Result<Bead, TownError> {
    let mut deps = Vec::with_capacity(beads.len());
    for id in beads {
        let bead = w.need(id)?;
        if bead.issue_type == IssueType::CONVOY {
            return Err(TownError::user(format!("{id} is a convoy itself")).hint("name the beads it tracks"));
        }
        if !deps.iter().any(|d: &NewDep| d.depends_on_id == *id) {
            deps.push(NewDep::new(DepKind::TRACKS, id.clone()));
        }
    }
    let notify: Vec<String> = opts.notify.iter().map(ToString::to_string).collect();
    let metadata = [(ACTIVE.to_owned(), json!(opts.active)), (NOTIFY.to_owned(), json!(notify))].into_iter().collect();
    let convoy = w.create(NewBead {
        prefix: Some(Prefix::new("hq-cv").expect("a good prefix")),
        description: format!("Convoy tracking {}", crate::base::text::count(deps.len(), "bead")),
        issue_type: Some(IssueType::CONVOY),
        metadata,
        deps,
        ..NewBead::titled(title)
    })?;
    w.emit("convoy_created", convoy.id.as_str(), json!({ "beads": beads }))?;
    Ok(convoy)
}

/// Adds beads to a convoy; a closed one is opened again. Gives those that were not in it before.
pub fn add(w: &mut Write<'_>, convoy: &BeadId, beads: &[BeadId]) -> Result<Vec<BeadId>, TownError> {
    let found = need(w, convoy)?;
    let known = tracked_ids(w, convoy)?;
    let mut added = Vec::new();
    for id in beads {
        w.need(id)?;
        if !known.contains(id) && !added.contains(id) {
            w.add_dep(convoy, NewDep::new(DepKind::TRACKS, id.clone()))?;
            added.push(id.clone());
        }
    }
    if found.is_over() && !added.is_empty() {
        w.reopen(convoy, "beads were added")?;
    }
    Ok(added)
}

/// A bead that was discovered while working on `from` joins the open convoys that track `from`.
///
/// Called in the transaction that draws the `discovered-from` edge. Gives the convoys joined.
pub fn adopt(w: &mut Write<'_>, bead: &BeadId, from: &BeadId) -> Result<Vec<BeadId>, StoreError> {
    let mut joined = Vec::new();
    for convoy in of(w, from)? {
        if !tracked_ids(w, &convoy.id)?.contains(bead) {
            w.add_dep(&convoy.id, NewDep::new(DepKind::TRACKS, bead.clone()))?;
            w.emit("convoy_joined", convoy.id.as_str(), json!({ "bead": bead, "from": from }))?;
            joined.push(convoy.id);
        }
    }
    Ok(joined)
}

/// Says that work on the convoys of a bead has begun, in `rig`.
pub fn activate(w: &mut Write<'_>, bead: &BeadId, rig: &RigName) -> Result<(), StoreError> {
    for convoy in of(w, bead)? {
        let mut patch = Patch::default();
        if !is_active(&convoy) {
            patch = patch.with_meta(ACTIVE, true);
        }
        if slung_to(&convoy).is_none() {
            patch = patch.with_meta(SLUNG_TO, rig.as_str());
        }
        if !patch.meta.is_empty() {
            w.update(&convoy.id, patch)?;
        }
    }
    Ok(())
}

/// Notes that a person's word sent a bead into `rig`, where its id does not say so.
pub fn note_rig(w: &mut Write<'_>, bead: &Bead, rig: &RigName, prefix: &Prefix) -> Result<(), StoreError> {
    let known = slung_to(bead);
    if known.as_ref() == Some(rig) || (known.is_none() && bead.id.prefix() == prefix.as_str()) {
        return Ok(());
    }
    w.update(&bead.id, Patch::default().with_meta(SLUNG_TO, rig.as_str())).map(|_| ())
}

/// The rig that a bead, or the first of a convoy, was slung into, as far as that was noted.
pub fn slung_to(bead: &Bead) -> Option<RigName> {
    bead.meta_str(SLUNG_TO).and_then(|name| RigName::new(name).ok())
}

/// Closes the convoys of `bead` whose beads are all closed. Called in the transaction that closes `bead`.
pub fn check(w: &mut Write<'_>, bead: &BeadId) -> Result<Vec<Landed>, StoreError> {
    let mut landed = Vec::new();
    for convoy in of(w, bead)? {
        let ids = tracked_ids(w, &convoy.id)?;
        let mut open = false;
        for id in &ids {
            open |= w.bead(id)?.is_some_and(|b| !b.is_over());
        }
        if open || ids.is_empty() {
            continue;
        }
        w.close(&convoy.id, Close { force: true, ..Close::because("All tracked issues completed") })?;
        w.emit("convoy_landed", convoy.id.as_str(), json!({ "title": convoy.title, "total": ids.len() }))?;
        notify(w, &convoy, &ids)?;
        landed.push(Landed { id: convoy.id, title: convoy.title, total: ids.len() });
    }
    Ok(landed)
}

fn notify(w: &mut Write<'_>, convoy: &Bead, ids: &[BeadId]) -> Result<(), StoreError> {
    let to = convoy.metadata.get(NOTIFY).and_then(|v| v.as_array()).cloned().unwrap_or_default();
    let list: Vec<&str> = ids.iter().map(BeadId::as_str).collect();
    for address in to.iter().filter_map(|v| v.as_str()) {
        w.create(NewBead {
            description: format!("All beads of the convoy are closed: {}", list.join(", ")),
            issue_type: Some(IssueType::MESSAGE),
            assignee: address.to_owned(),
            labels: vec![format!("from:{}", w.by().actor)],
            deps: vec![NewDep::new(DepKind::RELATED, convoy.id.clone())],
            ..NewBead::titled(format!("Convoy landed: {} ({})", convoy.title, convoy.id))
        })?;
    }
    Ok(())
}

/// Whether ready beads of this convoy are slung without being asked for.
pub fn is_active(convoy: &Bead) -> bool {
    convoy.metadata.get(ACTIVE).and_then(serde_json::Value::as_bool).unwrap_or(false)
}

/// The open convoys that track a bead.
pub fn of(r: &Read<'_>, bead: &BeadId) -> Result<Vec<Bead>, StoreError> {
    let mut convoys = Vec::new();
    for dep in r.dependents(bead)? {
        if dep.kind == DepKind::TRACKS
            && let Some(convoy) = r.bead(&dep.issue_id)?
            && convoy.issue_type == IssueType::CONVOY
            && !convoy.is_over()
        {
            convoys.push(convoy);
        }
    }
    Ok(convoys)
}

/// The convoys that have not landed, newest first.
pub fn open(r: &Read<'_>) -> Result<Vec<Bead>, StoreError> {
    r.find(&Filter {
        types: vec![IssueType::CONVOY],
        not_statuses: vec![Status::CLOSED],
        sort: crate::store::Sort::Created,
        ..Filter::default()
    })
}

/// The ids that a convoy tracks.
pub fn tracked_ids(r: &Read<'_>, convoy: &BeadId) -> Result<Vec<BeadId>, StoreError> {
    Ok(r.deps(convoy)?.into_iter().filter(|d| d.kind == DepKind::TRACKS).map(|d| d.depends_on_id).collect())
}

/// The convoys of this title, whatever its case where none has it exactly; the open ones alone where there are such.
pub fn titled(r: &Read<'_>, title: &str) -> Result<Vec<BeadId>, StoreError> {
    let all = r.find(&Filter { types: vec![IssueType::CONVOY], ..Filter::default() })?;
    let (exact, title) = (all.iter().any(|c| c.title == title), (title, title.to_lowercase()));
    let called = |c: &Bead| if exact { c.title == title.0 } else { c.title.to_lowercase() == title.1 };
    let (over, open): (Vec<Bead>, Vec<Bead>) = all.into_iter().filter(called).partition(Bead::is_over);
    let found = if open.is_empty() { over } else { open };
    Ok(found.into_iter().map(|convoy| convoy.id).collect())
}

/// The bead of a convoy, or an error that says what it is instead.
pub fn need(r: &Read<'_>, id: &BeadId) -> Result<Bead, TownError> {
    let bead = r.need(id)?;
    if bead.issue_type != IssueType::CONVOY {
        return Err(TownError::user(format!("{id} is a {}, not a convoy", bead.issue_type))
            .hint("see the convoys: gt convoy list"));
    }
    Ok(bead)
}

/// Open convoys, newest first; with `all` the closed ones too.
pub fn list(r: &Read<'_>, all: bool, now: Time) -> Result<Vec<ConvoyStatus>, TownError> {
    let found = if all {
        r.find(&Filter { types: vec![IssueType::CONVOY], sort: crate::store::Sort::Created, ..Filter::default() })?
    } else {
        open(r)?
    };
    found.into_iter().map(|convoy| describe(r, convoy, now)).collect()
}

/// A convoy and its beads as they are now.
pub fn status(r: &Read<'_>, id: &BeadId, now: Time) -> Result<ConvoyStatus, TownError> {
    describe(r, need(r, id)?, now)
}

fn describe(r: &Read<'_>, convoy: Bead, now: Time) -> Result<ConvoyStatus, TownError> {
    let mut tracked = Vec::new();
    for id in tracked_ids(r, &convoy.id)? {
        tracked.push(describe_bead(r, id, now)?);
    }
    Ok(ConvoyStatus {
        active: is_active(&convoy),
        completed: tracked.iter().filter(|t| t.status.is_over()).count(),
        total: tracked.len(),
        id: convoy.id,
        title: convoy.title,
        status: convoy.status,
        tracked,
        created_at: convoy.created_at,
        closed_at: convoy.closed_at,
    })
}

fn describe_bead(r: &Read<'_>, id: BeadId, now: Time) -> Result<Tracked, TownError> {
    let Some(bead) = r.bead(&id)? else {
        return Ok(Tracked {
            id,
            title: "(not in this store)".into(),
            status: Status::new("unknown"),
            dependency_type: "tracks",
            issue_type: IssueType::TASK,
            assignee: String::new(),
            worker: None,
            worker_state: None,
            worked_on: false,
            worker_age: None,
            waits_for: Vec::new(),
            held: None,
            quarantined: None,
            merge_request: None,
        });
    };
    let hook = r.hook_of(&id)?;
    let row = match &hook {
        // One that cannot be read is told elsewhere.
        Some(hook) => agent::readable(r, &hook.agent)?,
        None => None,
    };
    let merge_request = match bead.meta_str(crate::queue::MR_KEY).and_then(|mr| BeadId::new(mr).ok()) {
        Some(mr) => r.bead(&mr)?.and_then(|b| crate::queue::MrMeta::of(&b).ok()).map(|m| (mr, m.state.to_string())),
        None => None,
    };
    Ok(Tracked {
        quarantined: budget::why_quarantined(&bead)
            .map(|why| format!("{why}; look: gt why {id}; go on: {}", budget::sling_command(&bead))),
        held: keep::hold(r, id.as_str(), now.millis())?.map(|hold| hold.text(&bead)),
        title: bead.title,
        status: bead.status,
        dependency_type: "tracks",
        issue_type: bead.issue_type,
        assignee: bead.assignee,
        worker_age: hook.as_ref().map(|h| (now.millis() - h.since.millis()).max(0) / 1000),
        worker: hook.map(|h| h.agent),
        worker_state: row.as_ref().map(agent::AgentRow::state_word),
        worked_on: row.as_ref().is_some_and(agent::AgentRow::at_work),
        waits_for: r.blockers(&id)?,
        merge_request,
        id,
    })
}
