//! What comes out of a pass: decisions with their reasons, and everything that was not decided and why.

use serde::Serialize;

use super::action::{Action, Subject};
use super::diagnostic::Diagnostic;
use super::ladder::Climb;
use super::layer::Layer;

/// Which rule or question spoke, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The role.
    pub role: String,
    /// The rule, or the question (`order`, `batch`, …).
    pub rule: String,
    /// The layer whose function acted.
    pub layer: Layer,
    /// Hash of all sources of the role, 12 hex digits.
    pub revision: String,
    /// The file, as the layer named it.
    pub file: String,
    /// The line of the rule's declaration in that file.
    pub line: u32,
}

/// A rule's answer with actions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Who decided.
    pub origin: Origin,
    /// For what.
    pub subject: Subject,
    /// What to do, in order; never empty.
    pub actions: Vec<Action>,
    /// What was read and compared on the way to it.
    pub because: Vec<Because>,
    /// The rung, when the rule has a ladder.
    pub rung: Option<Rung>,
    /// The ladder's place to store with the effect; nothing is stored when the decision is refused.
    pub climb: Option<Climb>,
    /// The event, when one brought it about; store it as the cursor with the effect.
    pub event: Option<i64>,
    /// The moment of the pass.
    pub at_ms: i64,
}

/// A rung of a ladder, counted from 1, as in "rung 2 of 4".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// Which.
    pub rung: u32,
    /// Of how many.
    pub of: u32,
    /// The how-manyth time on this rung, from 1.
    pub time: u32,
    /// How many times this rung acts.
    pub times: u32,
}

/// One thing that a rule looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Because {
    /// A field was read: `worker.state` is `silent`.
    Read {
        /// `state`, `bead.priority`, `bead:has(slow)`.
        what: String,
        /// Its value as text.
        value: String,
    },
    /// Two lengths of time were compared: `silent_for 18m > patience 8m`.
    Compared {
        /// The comparison as text.
        text: String,
        /// Its answer.
        answer: bool,
        /// When the answer will differ, if it ever will.
        flips_ms: Option<i64>,
    },
    /// A layer that was asked first failed, so that another one answered, or the core.
    Failed {
        /// The layer.
        layer: Layer,
        /// The file that the failure is in; empty when no file is to blame.
        file: String,
        /// The line in it.
        line: u32,
        /// What was wrong.
        message: String,
    },
}

impl Because {
    /// When this alone makes the answer differ although no fact changes.
    pub fn flips_ms(&self) -> Option<i64> {
        if let Self::Compared { flips_ms, .. } = self { *flips_ms } else { None }
    }
}

impl std::fmt::Display for Because {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read { what, value } => write!(f, "{what} {value}"),
            Self::Compared { text, answer: true, .. } => f.write_str(text),
            Self::Compared { text, answer: false, .. } => write!(f, "{text} is false"),
            Self::Failed { layer, file, message, .. } if file.is_empty() => {
                write!(f, "the {layer} layer failed: {message}")
            }
            Self::Failed { layer, file, line, message } => write!(f, "{file}:{line} ({layer} layer) failed: {message}"),
        }
    }
}

/// What became of one rule on one subject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Which rule.
    pub origin: Origin,
    /// For what.
    pub subject: Subject,
    /// What became of it.
    pub outcome: Outcome,
    /// What it looked at.
    pub because: Vec<Because>,
}

/// See [`Judgement`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// `when` was false.
    Held,
    /// It acted: the decision is in [`Pass::decisions`].
    Acted,
    /// `when` is true, and it has acted or its next rung waits.
    Waiting {
        /// When it looks again, if it does.
        until_ms: Option<i64>,
    },
    /// Another rule's decision on this subject went first; the rung is not used up.
    Lost {
        /// That rule.
        to: String,
    },
    /// A fact could not be read; judged again at the next pass.
    Undecided {
        /// What could not be read.
        why: String,
    },
    /// All its layers failed; see the warnings.
    Failed,
}

/// What one pass, or one event, brought.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    /// What to do, in order.
    pub decisions: Vec<Decision>,
    /// Every rule on every subject and what became of it: for `gt why`.
    pub judged: Vec<Judgement>,
    /// Errors of policies, each said once per revision.
    pub warnings: Vec<Diagnostic>,
    /// The next moment at which a pass can differ although no fact has changed.
    pub next_ms: Option<i64>,
}

/// The answer to one of the Refinery's questions.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The answer; the safe one when no layer could give it.
    pub value: T,
    /// Who gave it; `None` for the safe answer.
    pub origin: Option<Origin>,
    /// What was read and compared, and which layers failed before.
    pub because: Vec<Because>,
    /// Why merge requests were left out, by `gt.take`, or refused, by `admit`.
    pub reasons: Vec<(Subject, String)>,
    /// Errors on the way.
    pub warnings: Vec<Diagnostic>,
    /// A fact could not be read: ask again when it can.
    pub undecided: Option<String>,
}
