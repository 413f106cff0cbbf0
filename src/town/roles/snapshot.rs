//! The facts of one pass: one transaction of the store and one look at the agents.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::evidence::{QUIET_MS, Seen};
use super::keep;
use crate::base::{Address, BeadId, RigName, Time, earliest};
use crate::policy::{BeadFact, ConvoyFact, MrFact, PolecatFact, PolecatState, Snapshot, StepFact, Subject};
use crate::queue::{self, Request, State};
use crate::session::Screen;
use crate::store::{Bead, DepKind, Filter, Hook, IssueType, Read, Status, StoreError};
use crate::town::{AgentRow, AgentState, Rig, agent, budget, convoy, intent, mol};

/// At most so many beads of a rig are facts of one pass, the most urgent first, and those of open convoys besides.
const MOST_BEADS: usize = 5000;

/// What policies of a rig may look at: all that is open and work.
fn open_work(rig: &Rig) -> Filter {
    Filter {
        prefix: Some(rig.prefix().to_string()),
        not_statuses: vec![Status::CLOSED, Status::TOMBSTONE],
        not_types: machinery(),
        ..Filter::default()
    }
}

/// What a person must know of a rig that has more open beads than its policies look at.
fn overlooked(r: &Read<'_>, rig: &Rig) -> Result<Option<String>, StoreError> {
    let open = r.count(&open_work(rig))?;
    Ok((open > MOST_BEADS).then(|| {
        format!(
            "{open} are open, and policies look at the {MOST_BEADS} most urgent, steps of molecules among them, and at \
             those of open convoys: close or put off what is not for now (bd defer ID), or give what is urgent a \
             higher priority"
        )
    }))
}

/// Facts, and when they change by mere passing of time.
#[derive(Debug, Clone)]
pub struct Made {
    /// The facts.
    pub snapshot: Arc<Snapshot>,
    /// The next moment at which a worker would be called silent, or a hold is over.
    pub next_ms: Option<i64>,
    /// The requests behind `snapshot.mrs`, in the same order.
    pub requests: Vec<Request>,
    /// What a person must know when there are more open beads than are looked at.
    pub overlooked: Option<String>,
}

/// Which rigs the beads of convoys belong to, as far as they were read in one look at the town: a rig need not read those
/// again that the ones before it found to be another's. What changes in between has another look follow.
#[derive(Debug, Default)]
pub struct Homes(RefCell<HashMap<BeadId, Option<RigName>>>);

/// Makes facts of beads, each once.
pub struct Beads<'a, 'r> {
    r: &'a Read<'r>,
    rigs: &'a [(String, RigName)],
    homes: &'a Homes,
    now_ms: i64,
    kept: keep::Known,
    convoys: HashMap<BeadId, ConvoyFact>,
    /// The rig that the convoy of a bead was slung into.
    slung_to: HashMap<BeadId, RigName>,
    known: HashMap<BeadId, Arc<BeadFact>>,
    epics: HashMap<BeadId, bool>,
    progress: HashMap<BeadId, i64>,
    next_ms: Option<i64>,
}

impl std::fmt::Debug for Beads<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beads").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl<'a, 'r> Beads<'a, 'r> {
    /// `rigs` says which prefix belongs to which rig, `homes` what the rigs before this one have found.
    pub fn new(
        r: &'a Read<'r>,
        rigs: &'a [(String, RigName)],
        homes: &'a Homes,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let filter = Filter {
            types: vec![IssueType::CONVOY],
            not_statuses: vec![Status::CLOSED, Status::TOMBSTONE],
            ..Filter::default()
        };
        let (mut convoys, mut slung_to) = (HashMap::new(), HashMap::new());
        for found in r.find(&filter)? {
            let fact = ConvoyFact { id: found.id.clone(), active: convoy::is_active(&found) };
            let rig = convoy::slung_to(&found);
            for tracked in convoy::tracked_ids(r, &found.id)? {
                if let Some(rig) = &rig {
                    slung_to.entry(tracked.clone()).or_insert_with(|| rig.clone());
                }
                // An active convoy is the one that matters for who is slung next.
                let known = convoys.entry(tracked).or_insert_with(|| fact.clone());
                if fact.active && !known.active {
                    *known = fact.clone();
                }
            }
        }
        let (known, epics, progress) = (HashMap::new(), HashMap::new(), HashMap::new());
        let kept = keep::Known::read(r)?;
        Ok(Self { r, rigs, homes, now_ms, kept, convoys, slung_to, known, epics, progress, next_ms: None })
    }

    /// The fact of this bead; `None` when there is none or it was deleted.
    pub fn get(&mut self, id: &BeadId) -> Result<Option<Arc<BeadFact>>, StoreError> {
        if let Some(fact) = self.known.get(id) {
            return Ok(Some(Arc::clone(fact)));
        }
        match self.r.bead(id)? {
            Some(bead) if bead.status != Status::TOMBSTONE => self.of(&bead).map(Some),
            _ => Ok(None),
        }
    }

    /// The fact of a bead that was read already.
    pub fn of(&mut self, bead: &Bead) -> Result<Arc<BeadFact>, StoreError> {
        if let Some(fact) = self.known.get(&bead.id) {
            return Ok(Arc::clone(fact));
        }
        let key = bead.id.as_str();
        let hooked = self.r.hook_of(&bead.id)?.is_some();
        let held = self.kept.hold(self.r, key, self.now_ms)?;
        self.wake_at(held.as_ref().and_then(|h| h.until_ms));
        let open = bead.status == Status::OPEN && bead.assignee.is_empty();
        let deferred = bead.defer_until.map(Time::millis).filter(|t| *t > self.now_ms);
        self.wake_at(deferred);
        let mut fact = BeadFact::new(bead.id.clone(), bead.title.clone());
        fact.kind = bead.issue_type.to_string();
        fact.status = bead.status.to_string();
        fact.priority = i64::from(bead.priority);
        fact.labels.clone_from(&bead.labels);
        fact.epic = self.epic(&bead.id)?;
        fact.workers = bead.metadata.get("workers").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
        fact.ready = open
            && !hooked
            && deferred.is_none()
            && !bead.pinned
            && !bead.is_template
            && !bead.issue_type.is_machinery()
            && !self.r.is_blocked(&bead.id)?;
        fact.hooked = hooked;
        fact.rig = self.home(bead);
        fact.convoy = self.convoys.get(&bead.id).cloned();
        fact.held = held.is_some();
        fact.quarantined = bead.has_label(budget::QUARANTINE);
        fact.progress_ms = self.progress.get(&bead.id).copied();
        fact.memory = self.kept.memory(self.r, key, self.now_ms)?;
        fact.answers = self.kept.answers(self.r, key)?;
        let fact = Arc::new(fact);
        self.known.insert(bead.id.clone(), Arc::clone(&fact));
        Ok(fact)
    }

    /// The rig that a bead belongs to: the one it was slung into, else the one of its prefix, else the one of its convoy.
    fn home(&self, bead: &Bead) -> Option<RigName> {
        let own = || {
            let of_rig =
                |prefix: &str| bead.id.prefix() == prefix || bead.id.prefix().starts_with(&format!("{prefix}-"));
            self.rigs.iter().find(|(prefix, _)| of_rig(prefix)).map(|(_, rig)| rig.clone())
        };
        convoy::slung_to(bead).or_else(own).or_else(|| self.slung_to.get(&bead.id).cloned())
    }

    /// Beads of convoys that belong to `rig`, other than those that `had` says are there already.
    fn of_convoys(&mut self, rig: &RigName, had: impl Fn(&BeadId) -> bool) -> Result<Vec<Arc<BeadFact>>, StoreError> {
        let mut ids: Vec<BeadId> = self.convoys.keys().filter(|id| !had(id)).cloned().collect();
        ids.sort();
        let mut found = Vec::new();
        for id in ids {
            if self.homes.0.borrow().get(&id).is_some_and(|home| home.as_ref() != Some(rig)) {
                continue;
            }
            let is_work =
                |bead: &Bead| !bead.is_over() && !bead.issue_type.is_machinery() && !bead.metadata.contains_key("step");
            let bead = self.r.bead(&id)?.filter(is_work);
            let home = bead.as_ref().and_then(|bead| self.home(bead));
            if let Some(bead) = bead.filter(|_| home.as_ref() == Some(rig)) {
                found.push(self.of(&bead)?);
            }
            self.homes.0.borrow_mut().insert(id, home);
        }
        Ok(found)
    }

    fn wake_at(&mut self, at: Option<i64>) {
        self.next_ms = earliest(self.next_ms, at);
    }

    fn epic(&mut self, id: &BeadId) -> Result<Option<BeadId>, StoreError> {
        let parent = self.r.deps(id)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD).map(|d| d.depends_on_id);
        let Some(parent) = parent else { return Ok(None) };
        let is_epic = if let Some(known) = self.epics.get(&parent) {
            *known
        } else {
            let is_epic = self.r.bead(&parent)?.is_some_and(|b| b.issue_type == IssueType::EPIC);
            self.epics.insert(parent.clone(), is_epic);
            is_epic
        };
        Ok(is_epic.then_some(parent))
    }
}

/// Makes the facts of `rig`.
pub fn snapshot(
    r: &Read<'_>,
    beads: &mut Beads<'_, '_>,
    rig: &Rig,
    seen: &BTreeMap<Address, Seen>,
    now_ms: i64,
) -> Result<Made, StoreError> {
    let rows: Vec<AgentRow> =
        agent::of_rig(r, &rig.name)?.into_iter().filter(|row| matches!(row.address, Address::Polecat(..))).collect();
    for row in &rows {
        let committed = seen.get(&row.address).and_then(|s| s.committed);
        if let Some(hook) = r.hook(&row.address)?
            && let Some(at) = committed.max(last_word(r, &hook)?)
        {
            beads.progress.insert(hook.bead, at.millis());
        }
    }
    let mut next_ms = None;
    let nothing = Seen::default();
    let mut polecats = Vec::new();
    for row in &rows {
        let seen = seen.get(&row.address).unwrap_or(&nothing);
        let fact = polecat(r, beads, row, seen, now_ms)?;
        if fact.state == PolecatState::Working
            && let Some(since) = fact.silent_since_ms
        {
            next_ms = earliest(next_ms, Some(quiet_at(since, now_ms)));
        }
        polecats.push(Arc::new(fact));
    }
    let filter = Filter { limit: Some(MOST_BEADS), ..open_work(rig) };
    let mut facts: Vec<Arc<BeadFact>> = Vec::new();
    let found = r.find(&filter)?;
    let is_cut = found.len() == MOST_BEADS;
    for bead in found {
        // Steps of molecules are looked after with their worker.
        if bead.metadata.contains_key("step") {
            continue;
        }
        let fact = beads.of(&bead)?;
        if fact.rig.as_ref() == Some(&rig.name) {
            facts.push(fact);
        }
    }
    let own = rig.prefix().as_str();
    let had: HashSet<BeadId> = if is_cut { facts.iter().map(|fact| fact.id.clone()).collect() } else { HashSet::new() };
    let had = |id: &BeadId| if is_cut { had.contains(id) } else { id.prefix() == own };
    facts.extend(beads.of_convoys(&rig.name, had)?);
    let overlooked = if is_cut { overlooked(r, rig)? } else { None };
    let requests = queue::open(r, &rig.name)?;
    let mut mrs = Vec::new();
    for request in &requests {
        mrs.push(Arc::new(mr(r, beads, request, now_ms)?));
    }
    next_ms = earliest(next_ms, beads.next_ms);
    let memory = keep::memory(r, &keep::key(&Subject::Town, rig.name.as_str()).unwrap_or_default(), now_ms)?;
    let snapshot =
        Snapshot { now_ms, rig: Some(rig.name.clone()), polecats, beads: facts, mrs, memory, probes: BTreeMap::new() };
    Ok(Made { snapshot: Arc::new(snapshot), next_ms, requests, overlooked })
}

/// When a worker that works, and was last heard of at `since`, is to be looked at again. One that is quiet already
/// works because its screen says so: that is believed for as long again.
fn quiet_at(since: i64, now_ms: i64) -> i64 {
    if since + QUIET_MS > now_ms { since + QUIET_MS } else { now_ms + QUIET_MS }
}

/// The last closed step of the work on a hook, or the last word of a person about it. A restart is neither.
fn last_word(r: &Read<'_>, hook: &Hook) -> Result<Option<Time>, StoreError> {
    let mut last = None;
    if let Some(root) = &hook.molecule {
        last = r.children(root)?.into_iter().filter_map(|step| step.closed_at).max();
    }
    let person = |author: &str| !author.contains('/') && author != "deacon";
    let said = r.comments(&hook.bead)?.into_iter().filter(|c| person(&c.author)).map(|c| c.created_at).max();
    Ok(last.max(said))
}

fn machinery() -> Vec<IssueType> {
    IssueType::KNOWN.iter().map(|word| IssueType::new(word)).filter(IssueType::is_machinery).collect()
}

/// The fact of one polecat.
pub fn polecat(
    r: &Read<'_>,
    beads: &mut Beads<'_, '_>,
    row: &AgentRow,
    seen: &Seen,
    now_ms: i64,
) -> Result<PolecatFact, StoreError> {
    let hook = r.hook(&row.address)?;
    let bead = match &hook {
        Some(hook) => beads.get(&hook.bead)?,
        None => None,
    };
    let step = match hook.as_ref().and_then(|h| h.molecule.as_ref()) {
        Some(root) => mol::current(r, root)?.map(|step| {
            let labels = Vec::new();
            Arc::new(StepFact { id: step.name, title: step.title, kind: "task".into(), labels })
        }),
        None => None,
    };
    let busy = intent::stands(r, &row.address)?;
    let silent_since_ms = seen.heard.map(|t| t.millis().min(now_ms));
    Ok(PolecatFact {
        name: row.name().to_owned(),
        state: state(row, hook.is_some(), busy, seen, now_ms),
        silent_since_ms,
        attached: seen.attached,
        dialog: seen.dialog(row).map(str::to_owned),
        memory: keep::memory(r, &row.address.to_string(), now_ms)?,
        bead,
        step,
        address: row.address.clone(),
    })
}

/// What the evidence says that an agent does. `acting`: something is being done to it right now.
fn state(row: &AgentRow, hooked: bool, acting: bool, seen: &Seen, now_ms: i64) -> PolecatState {
    if acting || matches!(row.state, AgentState::Spawning | AgentState::Retiring) {
        // What is being started or ended is nobody's concern until that is over.
        return if hooked { PolecatState::Working } else { PolecatState::Idle };
    }
    match (row.state, hooked) {
        (AgentState::Done, _) => return PolecatState::Done,
        (AgentState::Stopped, _) => return PolecatState::Waiting,
        (_, false) => return PolecatState::Idle,
        _ => {}
    }
    match (seen.alive, &seen.screen) {
        (Some(false), _) => PolecatState::Dead,
        (None, _) if row.state == AgentState::Dead => PolecatState::Dead,
        (None, _) => PolecatState::Unknown,
        (_, Some(Screen::Limit(_))) => PolecatState::Limited,
        (_, Some(Screen::Dialog(_))) => PolecatState::Waiting,
        (_, Some(Screen::Busy)) => PolecatState::Working,
        _ if row.state == AgentState::Waiting => PolecatState::Waiting,
        _ => match seen.heard {
            Some(heard) if now_ms - heard.millis() < QUIET_MS => PolecatState::Working,
            Some(_) => PolecatState::Silent,
            None => PolecatState::Unknown,
        },
    }
}

/// The fact of one merge request.
pub fn mr(r: &Read<'_>, beads: &mut Beads<'_, '_>, request: &Request, now_ms: i64) -> Result<MrFact, StoreError> {
    let key = request.id.as_str();
    let held = keep::hold(r, key, now_ms)?;
    beads.wake_at(held.as_ref().and_then(|h| h.until_ms));
    let bead = match beads.get(&request.mr.bead)? {
        Some(bead) => bead,
        None => Arc::new(BeadFact::new(request.mr.bead.clone(), request.title.clone())),
    };
    Ok(MrFact {
        id: request.id.clone(),
        bead,
        worker: request.mr.worker.to_string(),
        target: request.mr.target.clone(),
        queued_ms: request.at.millis(),
        attempt: request.mr.attempt,
        lines: Some(request.mr.lines),
        paths: Some(request.mr.paths.clone()),
        held: held.is_some() || request.state() == State::Held,
        gate: request.mr.evidence.get("gate").and_then(|v| v.as_str()).map(str::to_owned),
        memory: keep::memory(r, key, now_ms)?,
        answers: keep::answers(r, key)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewBead, NewDep, Stamp, temporary};

    #[test]
    fn a_bead_of_a_convoy_is_read_once_in_a_look_however_many_rigs_there_are() {
        let now = Time::from_millis(1_000_000);
        let (_dir, mut store) = temporary("gt", now);
        let names = ["app", "lib", "web", "doc"].map(|name| RigName::new(name).expect("name"));
        let rigs: Vec<_> = ["gt", "li", "we", "do"].map(str::to_owned).into_iter().zip(names.clone()).collect();
        let bead = store.write::<_, StoreError>(&Stamp::new("tester", now), |w| {
            let bead = w.create(NewBead::titled("work"))?.id;
            let convoy = w.create(NewBead { issue_type: Some(IssueType::CONVOY), ..NewBead::titled("convoy") })?.id;
            w.add_dep(&convoy, NewDep::new(DepKind::TRACKS, bead.clone()))?;
            Ok(bead)
        });
        let (bead, homes) = (bead.expect("written"), Homes::default());
        let found = |rig: &RigName| {
            let found = store.read::<_, StoreError>(|r| {
                let mut beads = Beads::new(r, &rigs, &homes, now.millis())?;
                let found = beads.of_convoys(rig, |_| false)?;
                Ok(found.iter().map(|fact| fact.id.clone()).collect::<Vec<_>>())
            });
            found.expect("read")
        };
        assert_eq!(found(&names[1]), []);
        assert_eq!(homes.0.borrow().get(&bead), Some(&Some(names[0].clone())));
        // Whoever asks after this goes by what is known: it is not read again.
        homes.0.borrow_mut().insert(bead.clone(), Some(names[3].clone()));
        assert_eq!(found(&names[2]), []);
        assert_eq!(homes.0.borrow().get(&bead), Some(&Some(names[3].clone())));
        homes.0.borrow_mut().clear();
        assert_eq!(found(&names[0]), [bead], "its own rig has the fact");
    }

    #[test]
    fn a_busy_screen_that_stands_still_is_not_looked_at_again_at_once() {
        assert_eq!(quiet_at(1000, 2000), 1000 + QUIET_MS);
        let now = 1000 + QUIET_MS;
        assert_eq!(quiet_at(1000, now), now + QUIET_MS);
        assert_eq!(quiet_at(1000, now + 1), now + 1 + QUIET_MS);
    }
}
