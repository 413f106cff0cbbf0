//! Actions: what a policy may ask for. The core checks, executes and journals them; a policy does nothing itself.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::base::{Address, BeadId};

/// More restarts of one bead's worker without a step closed in between no policy gets, whatever it says; `gt.most_restarts`
/// in Lua. The number that people set is the Witness's own: `[roles.witness] restarts`.
pub const MOST_RESTARTS: u32 = 20;

/// One thing that a decision asks for. The actions of a decision come in the order in which they must happen:
/// an action that another one needs stands before it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Say something to an agent.
    Nudge {
        /// Whom.
        to: Address,
        /// What.
        text: String,
    },
    /// End an agent's session and start it again in the same worktree. Refused while a person is attached.
    Restart {
        /// Whom.
        who: Address,
        /// Keep the conversation.
        resume: bool,
    },
    /// End an agent's session; its work is preserved first.
    Stop {
        /// Whom.
        who: Address,
        /// Why.
        why: String,
    },
    /// Take work from its worker and make it ready for another one.
    Requeue {
        /// The bead or merge request.
        what: Subject,
        /// Why.
        why: String,
    },
    /// Send a merge request back to the worker who made it, with the evidence (conflict hunks, gate output) that
    /// the core adds.
    Rework {
        /// The merge request.
        mr: BeadId,
        /// Why.
        why: String,
    },
    /// Nothing works on it until a person brings it back.
    Quarantine {
        /// The bead or polecat.
        what: Subject,
    },
    /// Keep it back for a person, or until a moment.
    Hold {
        /// The bead or merge request.
        what: Subject,
        /// Why.
        why: String,
        /// When it comes back by itself.
        until_ms: Option<i64>,
    },
    /// Tell the overseer.
    Escalate {
        /// What it is about.
        about: Subject,
        /// How urgent.
        severity: Severity,
        /// What to say.
        text: String,
    },
    /// Write a letter.
    Mail {
        /// To whom, as an address.
        to: String,
        /// Subject line.
        subject: String,
        /// Text.
        body: String,
    },
    /// Put a bead on a worker's hook.
    Sling {
        /// The bead.
        bead: BeadRef,
        /// A rig or worker; the bead's own rig when absent.
        to: Option<String>,
    },
    /// File a bead.
    Create(NewBead),
    /// Change fields of a bead.
    Update {
        /// The bead.
        bead: BeadRef,
        /// Field to value: title, description, priority, labels, status, assignee.
        fields: Map<String, Value>,
    },
    /// Close a bead.
    Close {
        /// The bead.
        bead: BeadRef,
        /// Why.
        why: String,
    },
    /// Comment on a bead.
    Comment {
        /// The bead.
        bead: BeadRef,
        /// The comment.
        text: String,
    },
    /// Ask a model or the overseer one named question; the answer becomes a fact.
    Ask {
        /// The bead or merge request.
        about: Subject,
        /// Asking twice under one name is one question.
        name: String,
        /// `model` or `overseer`.
        to: String,
        /// The question.
        text: String,
        /// The allowed answers.
        choices: Vec<String>,
        /// Token budget, for a model.
        tokens: Option<u64>,
    },
    /// Keep values with a subject; read back as `subject.memory`.
    Remember {
        /// On what.
        on: Subject,
        /// The values; `null` forgets one.
        values: Map<String, Value>,
        /// When they are forgotten.
        until_ms: Option<i64>,
    },
    /// Let a wisp go without a record.
    Burn {
        /// Its root.
        bead: BeadRef,
    },
    /// Pack the ledger: loose objects and small packs are joined. History stays whole.
    Repack,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let object = self.object();
        let gap = if object.is_empty() { "" } else { " " };
        write!(f, "{}{gap}{object}", self.verb())
    }
}

impl Action {
    /// The verb, as in policy files and in `gt why`.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Nudge { .. } => "nudge",
            Self::Restart { .. } => "restart",
            Self::Stop { .. } => "stop",
            Self::Requeue { .. } => "requeue",
            Self::Rework { .. } => "rework",
            Self::Quarantine { .. } => "quarantine",
            Self::Hold { .. } => "hold",
            Self::Escalate { .. } => "escalate",
            Self::Mail { .. } => "mail",
            Self::Sling { .. } => "sling",
            Self::Create(_) => "create",
            Self::Update { .. } => "update",
            Self::Close { .. } => "close",
            Self::Comment { .. } => "comment",
            Self::Ask { .. } => "ask",
            Self::Remember { .. } => "remember",
            Self::Burn { .. } => "burn",
            Self::Repack => "repack",
        }
    }

    /// What it is done to, in a word; empty when the verb says it all.
    pub fn object(&self) -> String {
        let bead = |b: &BeadRef| if let BeadRef::Id(id) = b { id.to_string() } else { "new bead".to_owned() };
        match self {
            Self::Nudge { to, .. } => to.short().to_owned(),
            Self::Restart { who, .. } | Self::Stop { who, .. } => who.short().to_owned(),
            Self::Requeue { what, .. } | Self::Quarantine { what } | Self::Hold { what, .. } => what.to_string(),
            Self::Rework { mr, .. } => mr.to_string(),
            Self::Escalate { about, .. } | Self::Ask { about, .. } => about.to_string(),
            Self::Mail { to, .. } => to.clone(),
            Self::Create(new) => new.title.clone(),
            Self::Sling { bead: b, .. }
            | Self::Update { bead: b, .. }
            | Self::Close { bead: b, .. }
            | Self::Comment { bead: b, .. }
            | Self::Burn { bead: b } => bead(b),
            Self::Remember { on, .. } => on.to_string(),
            Self::Repack => String::new(),
        }
    }

    /// Whether it interrupts or moves work: of these a subject gets one decision in a pass.
    pub const fn is_disruptive(&self) -> bool {
        matches!(
            self,
            Self::Restart { .. }
                | Self::Stop { .. }
                | Self::Requeue { .. }
                | Self::Rework { .. }
                | Self::Quarantine { .. }
                | Self::Hold { .. }
                | Self::Sling { .. }
                | Self::Close { .. }
        )
    }
}

/// A bead that exists, or the one that an earlier action of the same decision makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BeadRef {
    /// This bead.
    Id(BeadId),
    /// What the action at this index (a `Create`) makes.
    Made(usize),
}

/// What a rule is judged for and an action is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A bead.
    Bead(BeadId),
    /// A merge request.
    Mr(BeadId),
    /// An agent.
    Agent(Address),
    /// The town, or the rig of a rig's role.
    Town,
    /// A bead that an earlier action of the same decision makes.
    Made(usize),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bead(id) | Self::Mr(id) => f.pad(id.as_str()),
            Self::Agent(address) => f.pad(address.short()),
            Self::Town => f.pad("town"),
            Self::Made(_) => f.pad("new bead"),
        }
    }
}

/// A bead to be filed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NewBead {
    /// Title.
    pub title: String,
    /// Type; `task` when absent.
    pub kind: Option<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// Priority; 2 when absent.
    pub priority: Option<i64>,
    /// The epic to file it under.
    pub epic: Option<BeadId>,
    /// Description.
    pub description: Option<String>,
    /// The bead whose work brought it to light.
    pub found_in: Option<BeadId>,
}

/// How urgent an escalation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the next look at the town.
    Low,
    /// Today.
    Medium,
    /// Soon.
    High,
    /// Now.
    Critical,
}

impl Severity {
    /// All severities, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
