//! Edges between beads.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Map, status::word_type};
use crate::base::{BeadId, Time};

word_type!(
    /// What an edge means. Any word is kept; only four kinds affect what is ready.
    DepKind, BLOCKS, {
        /// The dependent waits until the target is closed.
        BLOCKS = "blocks",
        /// The dependent is a child of the target.
        PARENT_CHILD = "parent-child",
        /// The dependent runs only if the target is closed as failed.
        CONDITIONAL_BLOCKS = "conditional-blocks",
        /// The dependent waits for the children of the target.
        WAITS_FOR = "waits-for",
        /// Found while working on the target.
        DISCOVERED_FROM = "discovered-from",
        /// Related.
        RELATED = "related",
        /// Related, recorded on both.
        RELATES_TO = "relates-to",
        /// An answer to the target.
        REPLIES_TO = "replies-to",
        /// The same thing as the target.
        DUPLICATES = "duplicates",
        /// Replaces the target.
        SUPERSEDES = "supersedes",
        /// Written by the target.
        AUTHORED_BY = "authored-by",
        /// Given to the target.
        ASSIGNED_TO = "assigned-to",
        /// Approved by the target.
        APPROVED_BY = "approved-by",
        /// Says that the target is so.
        ATTESTS = "attests",
        /// A convoy follows the target.
        TRACKS = "tracks",
        /// Holds until the target is over.
        UNTIL = "until",
        /// Brought about by the target.
        CAUSED_BY = "caused-by",
        /// Checks the target.
        VALIDATES = "validates",
        /// Handed over from the target.
        DELEGATED_FROM = "delegated-from",
    }
);

impl DepKind {
    /// Whether edges of this kind can hold a bead back.
    pub fn affects_ready(&self) -> bool {
        matches!(self.as_str(), "blocks" | "parent-child" | "conditional-blocks" | "waits-for")
    }
}

/// An edge: `issue_id` depends on `depends_on_id`. For parent-child, `issue_id` is the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dep {
    /// The bead that depends.
    pub issue_id: BeadId,
    /// What it depends on; may name a bead that is not here.
    pub depends_on_id: BeadId,
    /// What the edge means.
    #[serde(rename = "type")]
    pub kind: DepKind,
    /// When it was drawn.
    pub created_at: Time,
    /// Who drew it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// JSON text whose meaning depends on the kind; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// For `replies-to`: the first bead of the conversation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub thread_id: String,
    /// Keys that this program does not know; kept through every round trip.
    #[serde(flatten)]
    pub extra: Map,
}

/// An edge to draw; who and when come from the stamp of the write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDep {
    /// What it depends on.
    pub depends_on_id: BeadId,
    /// What the edge means.
    pub kind: DepKind,
    /// JSON text whose meaning depends on the kind; empty for none.
    pub metadata: String,
}

impl NewDep {
    /// An edge without metadata.
    pub fn new(kind: DepKind, depends_on_id: BeadId) -> Self {
        Self { depends_on_id, kind, metadata: String::new() }
    }
}
