//! Facts: what a policy may know of the town, as plain values made before the rules run.
//!
//! All times are absolute milliseconds since the epoch; ages are made from them when a rule reads them. A value
//! that could not be read is `None` where the field says so, and reading it leaves the rule undecided.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::base::{Address, BeadId, RigName};

/// Everything that the rules of one role see in one pass.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The moment of the pass.
    pub now_ms: i64,
    /// The rig, for a role of scope `rig`.
    pub rig: Option<RigName>,
    /// All polecats of the rig; those with a bead are the subjects of `each.worker`.
    pub polecats: Vec<Arc<PolecatFact>>,
    /// The open beads of the rig, and those that its polecats hold.
    pub beads: Vec<Arc<BeadFact>>,
    /// The merge requests that wait or are being worked on, in order of arrival.
    pub mrs: Vec<Arc<MrFact>>,
    /// What `gt.remember` stored on the town (or the rig, for a role of scope `rig`).
    pub memory: Map<String, Value>,
    /// The latest results of the probes that TOML declares.
    pub probes: BTreeMap<String, Arc<ProbeFact>>,
}

/// A bead, as rules see it.
#[derive(Debug, Clone)]
pub struct BeadFact {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// `task`, `bug`, `merge-request`, …
    pub kind: String,
    /// `open`, `in_progress`, `hooked`, `closed`, …
    pub status: String,
    /// 0 is most urgent.
    pub priority: i64,
    /// Its labels.
    pub labels: Vec<String>,
    /// The epic above it.
    pub epic: Option<BeadId>,
    /// How many sessions have held it.
    pub workers: u32,
    /// Open, unassigned and with nothing open that blocks it.
    pub ready: bool,
    /// On somebody's hook.
    pub hooked: bool,
    /// The rig that its prefix belongs to.
    pub rig: Option<RigName>,
    /// The convoy that tracks it.
    pub convoy: Option<ConvoyFact>,
    /// A policy or a person holds it back.
    pub held: bool,
    /// Its budget is spent; only a person brings it back.
    pub quarantined: bool,
    /// The last commit, closed step or person's word on it; resets ladders.
    pub progress_ms: Option<i64>,
    /// What `gt.remember` stored on it.
    pub memory: Map<String, Value>,
    /// What `gt.ask` got back, by the question's name.
    pub answers: BTreeMap<String, AnswerFact>,
}

impl BeadFact {
    /// A bead of which only id and title are known: an open task of priority 2.
    pub fn new(id: BeadId, title: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            kind: "task".into(),
            status: "open".into(),
            priority: 2,
            labels: Vec::new(),
            epic: None,
            workers: 0,
            ready: false,
            hooked: false,
            rig: None,
            convoy: None,
            held: false,
            quarantined: false,
            progress_ms: None,
            memory: Map::new(),
            answers: BTreeMap::new(),
        }
    }
}

/// The convoy of a bead.
#[derive(Debug, Clone)]
pub struct ConvoyFact {
    /// Its id.
    pub id: BeadId,
    /// At least one of its beads was slung.
    pub active: bool,
}

/// What came back for one question of `gt.ask`.
#[derive(Debug, Clone)]
pub struct AnswerFact {
    /// One of the question's choices.
    pub choice: String,
    /// The words that came with it.
    pub text: String,
    /// Who answered.
    pub by: String,
}

/// A polecat. With a bead it is a worker.
#[derive(Debug, Clone)]
pub struct PolecatFact {
    /// `rig/polecats/name`.
    pub address: Address,
    /// The short name.
    pub name: String,
    /// What the evidence says it does.
    pub state: PolecatState,
    /// Since when nothing was heard of it; `None` when it could not be read.
    pub silent_since_ms: Option<i64>,
    /// A person is looking at it.
    pub attached: bool,
    /// The question on its screen that only a person may answer.
    pub dialog: Option<String>,
    /// What `gt.remember` stored on it.
    pub memory: Map<String, Value>,
    /// The bead on its hook.
    pub bead: Option<Arc<BeadFact>>,
    /// The step it is on.
    pub step: Option<Arc<StepFact>>,
}

/// What a polecat does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolecatState {
    /// It makes noise.
    Working,
    /// It holds work, lives, and nothing is heard of it.
    Silent,
    /// It lives and holds nothing.
    Idle,
    /// It waits for a person or an answer.
    Waiting,
    /// Its runtime says that a usage limit is reached.
    Limited,
    /// It has handed its work in.
    Done,
    /// Its process tree is proven gone.
    Dead,
    /// The evidence does not say.
    Unknown,
}

impl PolecatState {
    /// All states, in the order of the documentation.
    pub const ALL: [Self; 8] =
        [Self::Working, Self::Silent, Self::Idle, Self::Waiting, Self::Limited, Self::Done, Self::Dead, Self::Unknown];

    /// The word that policies compare with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Limited => "limited",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

/// A step of a molecule.
#[derive(Debug, Clone)]
pub struct StepFact {
    /// Its name in the formula, as in `implement`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// `task`, `gate`, …
    pub kind: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// A merge request.
#[derive(Debug, Clone)]
pub struct MrFact {
    /// Its id.
    pub id: BeadId,
    /// The bead whose work it carries.
    pub bead: Arc<BeadFact>,
    /// Who handed it in, by address.
    pub worker: String,
    /// The branch it is to land on.
    pub target: String,
    /// Since when it waits.
    pub queued_ms: i64,
    /// 1 for the first try of this bead, one more for each rework.
    pub attempt: u32,
    /// Changed lines; `None` when the diff could not be read.
    pub lines: Option<u64>,
    /// Changed paths; `None` when the diff could not be read.
    pub paths: Option<Vec<String>>,
    /// Held for a person.
    pub held: bool,
    /// The gate that failed last, while `on_failure` is asked.
    pub gate: Option<String>,
    /// What `gt.remember` stored on it.
    pub memory: Map<String, Value>,
    /// What `gt.ask` got back, by the question's name.
    pub answers: BTreeMap<String, AnswerFact>,
}

/// A letter.
#[derive(Debug, Clone)]
pub struct MailFact {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// Its text.
    pub body: String,
}

/// A branch of the rig's repository.
#[derive(Debug, Clone)]
pub struct BranchFact {
    /// Its name without `refs/heads/`.
    pub name: String,
    /// Commits that the default branch does not have.
    pub ahead: u64,
    /// When its last commit was made.
    pub last_commit_ms: i64,
    /// The bead that it was made for.
    pub bead: Option<Arc<BeadFact>>,
}

/// The latest result of a probe.
#[derive(Debug, Clone)]
pub struct ProbeFact {
    /// Its command ended with 0.
    pub ok: bool,
    /// Its output, when that was JSON.
    pub json: Value,
    /// When it ran.
    pub at_ms: i64,
}

/// Something that happened once. Which fields are set depends on the kind.
#[derive(Debug, Clone)]
pub struct EventFact {
    /// Its place in the store's order.
    pub seq: i64,
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at_ms: i64,
    /// The bead it is about.
    pub bead: Option<Arc<BeadFact>>,
    /// The merge request it is about.
    pub mr: Option<Arc<MrFact>>,
    /// The polecat it is about.
    pub polecat: Option<Arc<PolecatFact>>,
    /// The step it is about.
    pub step: Option<Arc<StepFact>>,
    /// The letter that came.
    pub mail: Option<Arc<MailFact>>,
    /// The commit that landed.
    pub commit: Option<String>,
    /// Why, where the event carries words.
    pub reason: Option<String>,
}

impl EventFact {
    /// An event that carries nothing yet.
    pub fn new(seq: i64, kind: EventKind, actor: impl Into<String>, at_ms: i64) -> Self {
        Self {
            seq,
            kind,
            actor: actor.into(),
            at_ms,
            bead: None,
            mr: None,
            polecat: None,
            step: None,
            mail: None,
            commit: None,
            reason: None,
        }
    }
}

/// The kinds of events that a policy can listen to with `role.on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A bead was created. Carries `bead`.
    BeadCreated,
    /// A bead was closed. Carries `bead` and `reason`.
    BeadClosed,
    /// A step of a molecule was closed. Carries `bead`, `step` and `polecat`.
    StepClosed,
    /// A merge request landed. Carries `mr`, `bead` and `commit`.
    MrMerged,
    /// A merge request failed a gate or conflicted. Carries `mr`, `bead` and `reason`.
    MrFailed,
    /// A letter came. Carries `mail`.
    MailReceived,
    /// The process of an agent ended. Carries `polecat`, `bead` when it held one, and as `reason` the last line on its screen.
    AgentExited,
    /// All beads of a convoy are closed. Carries `bead`, the convoy itself.
    ConvoyLanded,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::BeadCreated,
        Self::BeadClosed,
        Self::StepClosed,
        Self::MrMerged,
        Self::MrFailed,
        Self::MailReceived,
        Self::AgentExited,
        Self::ConvoyLanded,
    ];

    /// The name in `role.on.NAME`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeadCreated => "bead_created",
            Self::BeadClosed => "bead_closed",
            Self::StepClosed => "step_closed",
            Self::MrMerged => "mr_merged",
            Self::MrFailed => "mr_failed",
            Self::MailReceived => "mail_received",
            Self::AgentExited => "agent_exited",
            Self::ConvoyLanded => "convoy_landed",
        }
    }
}
