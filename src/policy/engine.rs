//! One role of one rig: its layers, loaded and checked, ready to be asked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::decision::{Answer, Decision, Pass};
use super::diagnostic::Diagnostic;
use super::facts::{EventFact, EventKind, MrFact, Snapshot};
use super::ladder::Ladders;
use super::layer::{LayerSource, revision};
use super::reads::Reads;

/// What one call into Lua may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall time of one call; over it, the VM is dropped.
    pub time: Duration,
    /// Bytes of one VM.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_millis(200), memory: 32 << 20 }
    }
}

/// A loaded role. Send, and used from one thread at a time.
#[derive(Debug)]
pub struct Engine {
    role: String,
    revision: String,
}

impl Engine {
    /// Loads and checks the layers, lowest first. `settings` is `[roles.NAME]` of the config.
    pub fn load(role: &str, layers: &[LayerSource], settings: &toml::Table) -> Result<Self, Vec<Diagnostic>> {
        Self::load_with(role, layers, settings, Limits::default())
    }

    /// [`Engine::load`] with other limits.
    pub fn load_with(
        role: &str,
        layers: &[LayerSource],
        settings: &toml::Table,
        _limits: Limits,
    ) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { role: role.into(), revision: revision(layers, settings) })
    }

    /// The role's name.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Hash of all sources and settings, 12 hex digits.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The kinds of events that it listens to.
    pub fn events(&self) -> BTreeSet<EventKind> {
        BTreeSet::new()
    }

    /// Judges every rule on every subject of the snapshot.
    pub fn pass(&mut self, _snapshot: &Arc<Snapshot>, _reads: &dyn Reads, _ladders: &mut dyn Ladders) -> Pass {
        Pass::default()
    }

    /// Judges the rules that listen to this event. Each event is to be given once.
    pub fn on_event(&mut self, _event: &Arc<EventFact>, _snapshot: &Arc<Snapshot>, _reads: &dyn Reads) -> Pass {
        Pass::default()
    }

    /// May this merge request enter the queue? Safe answer: no. The word why is in `reasons`.
    pub fn admit(&mut self, _mr: &Arc<MrFact>, _snapshot: &Arc<Snapshot>, _reads: &dyn Reads) -> Answer<bool> {
        Answer::safe(false)
    }

    /// The queue in policy order, highest first, ties by arrival. Safe answer: order of arrival.
    pub fn order(
        &mut self,
        queue: &[Arc<MrFact>],
        _snapshot: &Arc<Snapshot>,
        _reads: &dyn Reads,
    ) -> Answer<Vec<Arc<MrFact>>> {
        Answer::safe(queue.to_vec())
    }

    /// Which of the (ordered, not empty) queue to build together. Safe answer: the first alone.
    pub fn batch(
        &mut self,
        queue: &[Arc<MrFact>],
        _snapshot: &Arc<Snapshot>,
        _reads: &dyn Reads,
    ) -> Answer<Vec<Arc<MrFact>>> {
        Answer::safe(queue.iter().take(1).cloned().collect())
    }

    /// The gates for this batch, out of those that the rig has. Safe answer: all of them. Required ones cannot be
    /// dropped.
    pub fn gates(
        &mut self,
        _batch: &[Arc<MrFact>],
        all: &[String],
        _required: &[String],
        _snapshot: &Arc<Snapshot>,
        _reads: &dyn Reads,
    ) -> Answer<Vec<String>> {
        Answer::safe(all.to_vec())
    }

    /// What to do about a conflict. Safe answer: hold it and escalate.
    pub fn on_conflict(
        &mut self,
        _mr: &Arc<MrFact>,
        _snapshot: &Arc<Snapshot>,
        _reads: &dyn Reads,
    ) -> Answer<Option<Decision>> {
        Answer::safe(None)
    }

    /// What to do about a failed gate. Safe answer: hold it and escalate.
    pub fn on_failure(
        &mut self,
        _mr: &Arc<MrFact>,
        _snapshot: &Arc<Snapshot>,
        _reads: &dyn Reads,
    ) -> Answer<Option<Decision>> {
        Answer::safe(None)
    }

    /// What else to do after it landed. Safe answer: nothing.
    pub fn after_merge(
        &mut self,
        _mr: &Arc<MrFact>,
        _snapshot: &Arc<Snapshot>,
        _reads: &dyn Reads,
    ) -> Answer<Option<Decision>> {
        Answer::safe(None)
    }
}

impl<T> Answer<T> {
    /// The answer that the core gives by itself.
    pub(super) fn safe(value: T) -> Self {
        Self { value, origin: None, because: Vec::new(), reasons: Vec::new(), warnings: Vec::new(), undecided: None }
    }
}
