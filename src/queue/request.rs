//! A merge request and where it stands, and the one function that writes a step of it down.
//!
//! What lasts (queued, held and the final states) stands in the bead. What the queue has in hand right now
//! (building, gating, pushing) is local to this store, under `mr`: it means nothing elsewhere, and a crash
//! ends it.

use serde_json::{Value, json};

use super::error::{Malformed, QueueError};
use super::machine::{Event, Progress, State, transition};
use super::mr::{Approval, MrMeta};
use crate::base::{BeadId, RigName, Time};
use crate::store::{Bead, Close, Filter, IssueType, Map, Read, Status, StoreError, Write};

/// The piece of evidence that is what a gate printed last.
pub const OUTPUT: &str = "output";

/// The local namespace of what the queue has in hand.
const IN_HAND: &str = "mr";

/// A merge request with all that the queue knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its own id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Since when it waits.
    pub at: Time,
    /// 0 is most urgent.
    pub priority: u8,
    /// What is to land where.
    pub mr: MrMeta,
    /// Where it stands now, what is in hand included.
    pub progress: Progress,
}

impl Request {
    /// Reads a merge request and what is in hand of it.
    pub fn load(r: &Read<'_>, id: &BeadId) -> Result<Self, QueueError> {
        Self::from_bead(r, &r.need(id)?)
    }

    /// The same from a bead that was read already.
    pub fn from_bead(r: &Read<'_>, bead: &Bead) -> Result<Self, QueueError> {
        let mr = MrMeta::of(bead)?;
        let in_hand = r.local_or_none(IN_HAND, bead.id.as_str())?;
        let progress = match in_hand {
            Some(progress) if !mr.state.is_final() => progress,
            _ => Progress::at(mr.state),
        };
        let at = mr.queued_at;
        Ok(Self { id: bead.id.clone(), title: bead.title.clone(), at, priority: bead.priority, mr, progress })
    }

    /// What the gate printed that it failed, or that it waits for; empty when there is no such gate.
    pub fn output(&self) -> &str {
        self.mr.evidence.get(OUTPUT).and_then(Value::as_str).unwrap_or_default()
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.progress.state
    }
}

/// The open merge requests of a rig in order of arrival. Those that cannot be read belong to no rig: [`all_open`].
pub fn open(r: &Read<'_>, rig: &RigName) -> Result<Vec<Request>, StoreError> {
    let mut all = all_open(r)?.0;
    all.retain(|request| request.mr.rig == *rig);
    Ok(all)
}

/// The open merge requests of all rigs in order of arrival, and those that cannot be read.
pub fn all_open(r: &Read<'_>) -> Result<(Vec<Request>, Vec<Malformed>), StoreError> {
    let filter = Filter {
        types: vec![IssueType::MERGE_REQUEST],
        not_statuses: vec![Status::CLOSED, Status::TOMBSTONE],
        ..Filter::default()
    };
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for bead in r.find(&filter)? {
        match Request::from_bead(r, &bead) {
            Ok(request) => good.push(request),
            Err(QueueError::Store(error)) => return Err(error),
            Err(QueueError::Malformed(error)) => bad.push(error),
            Err(other) => bad.push(Malformed { mr: bead.id, why: other.to_string() }),
        }
    }
    good.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok((good, bad))
}

/// What is said beside a step: why it happened and what speaks for it.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Why, in one line.
    pub why: Option<String>,
    /// Hunks, output, names: goes into the request's evidence.
    pub evidence: Map,
    /// Its own merge commit, below the tip that was tested and pushed.
    pub landed: Option<String>,
}

impl Words {
    /// Only a reason.
    pub fn why(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..Self::default() }
    }

    /// Also a piece of evidence.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(key.to_owned(), value.into());
        self
    }
}

/// Moves a merge request by `event`, in the caller's transaction. A final state closes its bead; what becomes of
/// the bead whose work it carries is the caller's business.
pub fn step(w: &mut Write<'_>, id: &BeadId, event: Event, words: &Words) -> Result<Progress, QueueError> {
    let request = Request::load(w, id)?;
    let next = transition(&request.progress, event.clone())
        .map_err(|illegal| QueueError::Illegal { mr: id.clone(), illegal })?;
    if next == request.progress {
        return Ok(next);
    }
    if next.state.in_hand() {
        let value = serde_json::to_value(&next).expect("plain data serialises");
        w.put_local(IN_HAND, id.as_str(), &value)?;
        return Ok(next);
    }
    w.delete_local(IN_HAND, id.as_str())?;
    let old = request.mr;
    let mut mr = old.clone();
    mr.state = next.state;
    mr.why.clone_from(&words.why);
    // It belongs to the gate that this step is about, and to no earlier one.
    mr.evidence.remove(OUTPUT);
    mr.evidence.extend(words.evidence.clone());
    match &event {
        Event::Accepted => mr.approved = Some(Approval { by: w.by().actor.clone(), at: w.by().now }),
        Event::Landed { commit } => mr.landed = Some(words.landed.clone().unwrap_or_else(|| commit.clone())),
        Event::AlreadyThere => mr.landed = Some(mr.commit.clone()),
        _ => {}
    }
    if mr != old {
        mr.save(w, id)?;
    }
    if next.state.is_final() {
        super::wait::forget(w, id)?;
        let reason = words.why.clone().unwrap_or_else(|| next.state.word().to_owned());
        w.close(id, Close { reason, force: true, ..Close::default() })?;
    }
    tell(w, id, &mr, &next, &event, words)?;
    Ok(next)
}

/// The events that others listen to.
fn tell(
    w: &mut Write<'_>,
    id: &BeadId,
    mr: &MrMeta,
    next: &Progress,
    event: &Event,
    words: &Words,
) -> Result<(), StoreError> {
    let kind = match (next.state, event) {
        (State::Merged, _) => "mr_merged",
        (State::Conflict | State::Failed, _) => "mr_failed",
        (State::Rejected, _) => "mr_rejected",
        (State::Held, _) => "mr_held",
        (State::Queued, Event::Accepted) => "mr_accepted",
        (State::Queued, Event::PutBack | Event::Interrupted) => "mr_put_back",
        _ => return Ok(()),
    };
    let payload = json!({
        "rig": mr.rig, "bead": mr.bead, "worker": mr.worker, "target": mr.target, "attempt": mr.attempt,
        "state": next.state, "commit": mr.landed.as_ref().unwrap_or(&mr.commit), "reason": words.why,
    });
    w.emit(kind, id.as_str(), payload)?;
    Ok(())
}

/// Closes a request that cannot be read, and forgets what the queue kept of it.
pub fn withdraw(w: &mut Write<'_>, id: &BeadId, why: &str) -> Result<(), StoreError> {
    w.delete_local(IN_HAND, id.as_str())?;
    super::wait::forget(w, id)?;
    w.close(id, Close { force: true, ..Close::because(why) })?;
    w.emit("mr_withdrawn", id.as_str(), json!({ "why": why })).map(|_| ())
}

/// A person lets a held change land.
pub fn accept(w: &mut Write<'_>, id: &BeadId) -> Result<Progress, QueueError> {
    step(w, id, Event::Accepted, &Words::default())
}

/// A person or a policy sends a change back or withdraws it.
pub fn reject(w: &mut Write<'_>, id: &BeadId, why: &str) -> Result<Progress, QueueError> {
    step(w, id, Event::Rejected, &Words::why(why))
}
