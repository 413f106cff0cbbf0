//! Follows a town from outside: its events as they are written, each as a line that a person reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::base::text::headline;
use crate::cli::CliError;
use crate::store::{Event, Store};

/// A worker that dies so often does not come to its end: `--crash` kills one twice at most.
const DEATHS: usize = 3;

/// Everything that has happened so far, and how to see what comes.
pub(super) struct Watch {
    store: Store,
    version: Option<u64>,
    /// All events, oldest first.
    pub(super) events: Vec<Event>,
    started: Instant,
    names: BTreeMap<String, String>,
}

impl Watch {
    /// Opens the town's store; lines count from `started`.
    pub(super) fn open(beads_dir: &Path, started: Instant) -> Result<Self, CliError> {
        let store = Store::open(beads_dir)?;
        Ok(Self { store, version: None, events: Vec::new(), started, names: BTreeMap::new() })
    }

    /// The store, for questions.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Calls a bead by a short name on screen: `gt-x7f` stays, its part in the story is added.
    pub(super) fn name(&mut self, id: &str, name: &str) {
        self.names.insert(id.to_owned(), name.to_owned());
    }

    /// Reads what is new and gives a line for each thing that a person wants to see.
    pub(super) fn news(&mut self) -> Result<Vec<String>, CliError> {
        let version = self.store.data_version()?;
        if self.version == Some(version) {
            return Ok(Vec::new());
        }
        self.version = Some(version);
        let after = self.events.last().map_or(0, |e| e.seq);
        let new = self.store.read(|r| r.events_after(after, 10_000).map_err(CliError::from))?;
        let lines = new.iter().filter_map(|e| self.line(e)).collect();
        self.events.extend(new);
        Ok(lines)
    }

    /// A line with the time since the start.
    pub(super) fn stamp(&self, who: &str, what: &str) -> String {
        format!("{:04.1}  {who:<9} {what}", self.started.elapsed().as_secs_f64())
    }

    /// How many events of `kind` there are about `subject` (any, when empty).
    pub(super) fn count(&self, kind: &str, subject: &str) -> usize {
        self.events.iter().filter(|e| e.kind == kind && (subject.is_empty() || e.subject == subject)).count()
    }

    /// The name of a worker that died again and again.
    pub(super) fn given_up(&self) -> Option<String> {
        let last = &self.events.iter().rfind(|e| e.kind == "agent_exited")?.subject;
        (self.count("agent_exited", last) >= DEATHS).then(|| short(last))
    }

    fn bead(&self, id: &str) -> String {
        self.names.get(id).map_or_else(|| id.to_owned(), |name| format!("{id} {name}"))
    }

    fn line(&self, event: &Event) -> Option<String> {
        let text = |key: &str| event.payload.get(key).and_then(Value::as_str).unwrap_or_default();
        let (who, what) = match event.kind.as_str() {
            "slung" => ("sling".to_owned(), format!("{} -> {}", self.bead(&event.subject), short(text("agent")))),
            "step_closed" => (short(text("agent")), format!("{} step {} done", self.bead(text("bead")), text("step"))),
            "mr_queued" => {
                let again = event.payload.get("attempt").and_then(Value::as_u64).filter(|n| *n > 1);
                let again = again.map_or_else(String::new, |n| format!(", attempt {n}"));
                (short(text("agent")), format!("{} handed in{again}", self.bead(text("bead"))))
            }
            "gate_ran" => {
                let seconds = event.payload.get("ms").and_then(Value::as_f64).unwrap_or_default() / 1000.0;
                let verdict = text("verdict").to_uppercase();
                (
                    "refinery".to_owned(),
                    format!("gate on the merged tree {:.8}: {verdict} in {seconds:.1} s", text("tree")),
                )
            }
            "pushed" => ("refinery".to_owned(), format!("pushed {:.8} to {}", text("new"), text("target"))),
            "mr_put_back" => (
                "refinery".to_owned(),
                format!("{} waits again: {}", self.bead(text("bead")), headline(text("reason"), 80)),
            ),
            "mr_merged" => ("refinery".to_owned(), format!("{} landed", self.bead(text("bead")))),
            "mr_failed" => {
                let why = headline(text("reason"), 80);
                ("refinery".to_owned(), format!("{} does not merge: {why}", self.bead(text("bead"))))
            }
            "rework" => {
                ("refinery".to_owned(), format!("{} back to {}", self.bead(&event.subject), short(text("agent"))))
            }
            "agent_exited" => (short(&event.subject), format!("ended before {} was done", self.bead(text("bead")))),
            "agent_restarted" => ("witness".to_owned(), format!("{} is back at its work", short(&event.subject))),
            "convoy_joined" => {
                ("convoy".to_owned(), format!("{} found on the way, joins {}", self.bead(text("bead")), event.subject))
            }
            "convoy_landed" => ("convoy".to_owned(), format!("{} \"{}\" landed", event.subject, text("title"))),
            "quarantined" => {
                ("witness".to_owned(), format!("{} is set aside: {}", self.bead(&event.subject), text("why")))
            }
            _ => return None,
        };
        Some(self.stamp(&who, &what))
    }
}

/// The last part of an address.
fn short(address: &str) -> String {
    address.rsplit('/').next().unwrap_or_default().to_owned()
}
