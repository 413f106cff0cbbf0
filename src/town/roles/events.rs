//! Events of the store as policies see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evidence::Seen;
use super::snapshot::{Beads, mr, polecat};
use crate::base::{Address, BeadId, RigName};
use crate::policy::{BeadFact, EventFact, EventKind, MailFact, StepFact};
use crate::queue::{QueueError, Request};
use crate::store::{Event, IssueType, Read, StoreError, Write};
use crate::town::{Rig, agent};

/// Where each role of a rig has got to in the events.
const CURSORS: &str = "cursor";

/// How far a role has got: everything up to `seq` is acted upon, and `part` decisions about the event after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The last event that is done with.
    pub seq: i64,
    /// Decisions about the next event of the role that were carried out.
    #[serde(default)]
    pub part: usize,
}

/// How far `role` of `rig` has got; `None` before its first look. When that cannot be read, nobody knows which events are
/// done with: it is an error, so that none is acted upon twice and none is passed over.
pub fn cursor(r: &Read<'_>, rig: &RigName, role: &str) -> Result<Option<Cursor>, StoreError> {
    let key = format!("{rig}/{role}");
    let row = r.local_row(CURSORS, &key)?.transpose();
    row.map_err(|error| StoreError::Invalid {
        field: "cursor",
        reason: format!(
            "how far {key} has got in the events cannot be read ({error}); to go on from the newest: gt start"
        ),
    })
}

/// A person says that roles go on from the newest event whose place in them cannot be read.
pub fn mend_cursors(w: &mut Write<'_>) -> Result<(), StoreError> {
    for (key, text) in w.local_texts(CURSORS)? {
        if let Err(error) = serde_json::from_str::<Cursor>(&text) {
            w.delete_local(CURSORS, &key)?;
            w.emit("events_passed_over", &key, json!({ "why": error.to_string() }))?;
        }
    }
    Ok(())
}

/// Remembers how far it has got.
pub fn set_cursor(w: &mut Write<'_>, rig: &RigName, role: &str, cursor: Cursor) -> Result<(), StoreError> {
    w.put_local(CURSORS, &format!("{rig}/{role}"), &serde_json::to_value(cursor).expect("plain data serialises"))
}

/// What policies call an event of the store; `None` for those that they do not hear of.
pub fn kind(event: &Event) -> Option<EventKind> {
    Some(match event.kind.as_str() {
        "created" => EventKind::BeadCreated,
        "closed" => EventKind::BeadClosed,
        "step_closed" => EventKind::StepClosed,
        "mr_merged" => EventKind::MrMerged,
        "mr_failed" => EventKind::MrFailed,
        "agent_exited" => EventKind::AgentExited,
        "convoy_landed" => EventKind::ConvoyLanded,
        _ => return None,
    })
}

/// The event with its facts; `None` when it is not about this rig, or what it was about is gone.
pub fn fact(
    r: &Read<'_>,
    beads: &mut Beads<'_, '_>,
    rig: &Rig,
    seen: &BTreeMap<Address, Seen>,
    event: &Event,
    now_ms: i64,
) -> Result<Option<EventFact>, StoreError> {
    let Some(kind) = kind(event) else { return Ok(None) };
    let text = |key: &str| event.payload.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut fact = EventFact::new(event.seq, kind, event.actor.clone(), event.at.millis());
    fact.reason = text("reason").or_else(|| text("why"));
    let ours = |bead: &BeadFact| bead.rig.as_ref() == Some(&rig.name);
    let subject = BeadId::new(&event.subject).ok();
    match kind {
        EventKind::MrMerged | EventKind::MrFailed => {
            if text("rig").as_deref() != Some(rig.name.as_str()) {
                return Ok(None);
            }
            let Some(id) = subject else { return Ok(None) };
            let request = match Request::load(r, &id) {
                Ok(request) => request,
                Err(QueueError::Store(error)) if error.is_fault() => return Err(error),
                Err(_) => return Ok(None),
            };
            let made = mr(r, beads, &request, now_ms)?;
            fact.bead = Some(Arc::clone(&made.bead));
            fact.mr = Some(Arc::new(made));
            fact.commit = text("commit");
        }
        EventKind::AgentExited => {
            let Ok(address) = event.subject.parse::<Address>() else { return Ok(None) };
            let Some(row) = agent::readable(r, &address)?.filter(|row| row.rig() == Some(&rig.name)) else {
                return Ok(None);
            };
            let nothing = Seen::default();
            let made = polecat(r, beads, &row, seen.get(&address).unwrap_or(&nothing), now_ms)?;
            fact.bead.clone_from(&made.bead);
            fact.polecat = Some(Arc::new(made));
        }
        EventKind::StepClosed => {
            let Some(work) = text("bead").and_then(|id| BeadId::new(id).ok()) else { return Ok(None) };
            let Some(bead) = beads.get(&work)?.filter(|bead| ours(bead)) else { return Ok(None) };
            fact.bead = Some(bead);
            fact.step = Some(Arc::new(StepFact {
                id: text("step").unwrap_or_default(),
                title: text("title").unwrap_or_default(),
                kind: "task".into(),
                labels: Vec::new(),
            }));
        }
        EventKind::BeadCreated | EventKind::BeadClosed | EventKind::ConvoyLanded | EventKind::MailReceived => {
            let Some(id) = subject else { return Ok(None) };
            let Some(bead) = r.bead(&id)? else { return Ok(None) };
            let convoy = kind == EventKind::ConvoyLanded;
            if bead.metadata.contains_key("step") {
                return Ok(None);
            }
            let made = beads.of(&bead)?;
            if !convoy && !ours(&made) {
                return Ok(None);
            }
            if bead.issue_type == IssueType::MESSAGE {
                if kind != EventKind::BeadCreated {
                    return Ok(None);
                }
                fact.kind = EventKind::MailReceived;
                let (from, to_read) = (bead.created_by.clone(), bead.clone());
                fact.mail = Some(Arc::new(MailFact {
                    id: id.to_string(),
                    from,
                    subject: to_read.title,
                    body: to_read.description,
                }));
                return Ok(Some(fact));
            }
            fact.bead = Some(made);
        }
    }
    Ok(Some(fact))
}
