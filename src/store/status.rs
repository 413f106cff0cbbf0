//! The status and the type of a bead: open sets of words with the known ones named.

use std::borrow::Cow;
use std::fmt;

macro_rules! word_type {
    ($(#[$doc:meta])* $name:ident, $default:ident, { $($(#[$cdoc:meta])* $const:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            $($(#[$cdoc])* pub const $const: Self = Self(Cow::Borrowed($text));)*

            /// The words this program knows, in their usual order.
            pub const KNOWN: &'static [&'static str] = &[$($text),*];

            /// Wraps any word; the known ones are not copied.
            pub fn new(text: &str) -> Self {
                match text {
                    $($text => Self::$const,)*
                    _ => Self(Cow::Owned(text.to_owned())),
                }
            }

            /// The word.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether it is one of the words this program knows.
            pub fn is_known(&self) -> bool {
                Self::KNOWN.contains(&self.as_str())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}
pub(super) use word_type;

word_type!(
    /// Where a bead stands. Any word is kept; those below have a meaning here.
    Status, OPEN, {
        /// Nobody has begun.
        OPEN = "open",
        /// Somebody is on it.
        IN_PROGRESS = "in_progress",
        /// Somebody said that it cannot go on.
        BLOCKED = "blocked",
        /// Put off.
        DEFERRED = "deferred",
        /// On an agent's hook.
        HOOKED = "hooked",
        /// Kept in view and never worked off.
        PINNED = "pinned",
        /// Done, or given up; the close reason says which.
        CLOSED = "closed",
        /// Deleted; kept so that the deletion spreads.
        TOMBSTONE = "tombstone",
    }
);

impl Status {
    /// Whether a bead in this status holds back those that depend on it.
    pub fn is_openish(&self) -> bool {
        matches!(self.as_str(), "open" | "in_progress" | "blocked" | "deferred" | "hooked")
    }

    /// Closed or deleted: it no longer counts as an open child.
    pub fn is_over(&self) -> bool {
        matches!(self.as_str(), "closed" | "tombstone")
    }

    /// Whether a bead in this status may be taken up.
    pub fn is_workable(&self) -> bool {
        matches!(self.as_str(), "open" | "in_progress")
    }
}

word_type!(
    /// What kind of thing a bead is. Any word is kept.
    IssueType, TASK, {
        /// A piece of work.
        TASK = "task",
        /// A defect.
        BUG = "bug",
        /// Something new for users.
        FEATURE = "feature",
        /// A bead whose children are the work.
        EPIC = "epic",
        /// Work that users do not see.
        CHORE = "chore",
        /// A decision and its reasons.
        DECISION = "decision",
        /// Mail.
        MESSAGE = "message",
        /// A change on its way to the target branch.
        MERGE_REQUEST = "merge-request",
        /// The root of a poured formula.
        MOLECULE = "molecule",
        /// Something to wait for.
        GATE = "gate",
        /// An agent of the town.
        AGENT = "agent",
        /// A role of the town.
        ROLE = "role",
        /// A rig.
        RIG = "rig",
        /// Beads that are to land together.
        CONVOY = "convoy",
        /// Something that happened.
        EVENT = "event",
        /// A place that one holder at a time can take.
        SLOT = "slot",
    }
);

impl IssueType {
    /// Types that are never somebody's next piece of work unless asked for by name.
    pub fn is_machinery(&self) -> bool {
        matches!(
            self.as_str(),
            "merge-request" | "gate" | "molecule" | "message" | "agent" | "role" | "rig" | "convoy" | "event" | "slot"
        )
    }

    /// Reads the short forms people type: `mr`, `feat`, `mol`.
    pub fn from_alias(text: &str) -> Self {
        match text {
            "mr" => Self::MERGE_REQUEST,
            "feat" => Self::FEATURE,
            "mol" => Self::MOLECULE,
            other => Self::new(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_are_kept() {
        let status: Status = serde_json::from_str("\"waiting\"").expect("any word");
        assert_eq!(status, "waiting");
        assert!(!status.is_known() && !status.is_openish());
        assert_eq!(IssueType::from_alias("mr"), IssueType::MERGE_REQUEST);
    }
}
