//! Validated names: bead ids, id prefixes, rigs, roles and workers.
//!
//! Every name that later becomes a path, a ref, a pane or an argument passes one of these types first.

use std::fmt;
use std::sync::Arc;

/// Why a name was refused. The message says what a good one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{given}` is not valid: {rule}")]
pub struct NameError {
    /// What kind of name it was to be, as in "bead id".
    pub what: &'static str,
    /// The text that was given, shortened to 80 characters.
    pub given: String,
    /// The rule it broke.
    pub rule: &'static str,
}

impl NameError {
    pub(crate) fn new(what: &'static str, given: &str, rule: &'static str) -> Self {
        let given = given.chars().take(80).flat_map(char::escape_debug).collect();
        Self { what, given, rule }
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps `text`.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                let text = text.as_ref();
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(NameError::new($what, text, $rule)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
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

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Self::new(&*text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn word(text: &str, max: usize, extra: &[u8]) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= max
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || extra.contains(b))
        && !text.contains("..")
        && !text.ends_with(['.', '-', '_'])
}

name_type!(
    /// The id of a bead: `<prefix>-<hash>`, or `<parent>.<n>` for a child.
    ///
    /// Liberal on purpose: ids of imported files are kept as they are, as long as they are safe as a file
    /// name, a ref component and an argument. 1-128 bytes of ASCII letters, digits, `.`, `_` and `-`.
    BeadId,
    "bead id",
    "1-128 letters, digits, `.`, `_` or `-`, starting with a letter or digit, as in gt-a3f",
    |t| word(t, 128, b"._-")
);

name_type!(
    /// What stands before the last `-` of the ids of one rig or repository.
    Prefix,
    "id prefix",
    "1-32 lower-case letters, digits, `.`, `_` or `-`, starting with a letter or digit, as in gt",
    |t| word(t, 32, b"._-") && !t.bytes().any(|b| b.is_ascii_uppercase())
);

name_type!(
    /// The name of a rig; also the name of its folder in the town.
    RigName,
    "rig name",
    "1-48 letters, digits, `_` or `-`, starting with a letter or digit, and none of the town's own folders",
    |t| word(t, 48, b"_-") && !RESERVED.contains(&t.to_ascii_lowercase().as_str())
);

name_type!(
    /// The name of a worker within its rig.
    WorkerName,
    "worker name",
    "1-48 lower-case letters, digits, `_` or `-`, starting with a letter or digit",
    |t| word(t, 48, b"_-") && !t.bytes().any(|b| b.is_ascii_uppercase())
);

name_type!(
    /// The name of a role: `witness`, `refinery`, or one of the user's own.
    RoleName,
    "role name",
    "1-48 lower-case letters, digits, `_` or `-`, starting with a letter or digit",
    |t| word(t, 48, b"_-") && !t.bytes().any(|b| b.is_ascii_uppercase())
);

/// Folders of the town itself, and words that are addresses: no rig may be called so.
const RESERVED: &[&str] = &["mayor", "deacon", "overseer", "lua", "logs", "formulas", "plugins", "settings", "daemon"];

impl BeadId {
    /// The id of the parent when this is a child id (`gt-a3f.2` has the parent `gt-a3f`).
    ///
    /// Only a last component of digits makes a child, because prefixes may contain dots.
    pub fn parent(&self) -> Option<BeadId> {
        let (parent, last) = self.0.rsplit_once('.')?;
        let numeric = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
        if numeric { BeadId::new(parent).ok() } else { None }
    }

    /// The prefix: what stands before the last `-` (`hq-cv-ab1` has `hq-cv`), or the whole id without one.
    pub fn prefix(&self) -> &str {
        let root = self.0.split('.').next().unwrap_or(&self.0);
        root.rsplit_once('-').map_or(root, |(prefix, _)| prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_leave_their_folder_are_refused() {
        for bad in ["", "../x", "a/b", "-x", ".x", "a b", "a\u{7}", "x..y", "x.", &"a".repeat(129)] {
            assert!(BeadId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["gt-a3f", "bd-1", "hq-cv-a1b", "gt-a3f.2.1", "my.repo-x9"] {
            assert_eq!(BeadId::new(good).expect("valid").as_str(), good);
        }
    }

    #[test]
    fn only_a_numeric_last_part_makes_a_child() {
        let id = |t: &str| BeadId::new(t).expect("valid");
        assert_eq!(id("gt-a.2").parent(), Some(id("gt-a")));
        assert_eq!(id("my.repo-x").parent(), None);
        assert_eq!(id("hq-cv-ab1").prefix(), "hq-cv");
        assert_eq!(id("gt-a3f.2").prefix(), "gt");
    }

    #[test]
    fn a_rig_cannot_take_the_name_of_a_town_folder() {
        assert!(RigName::new("mayor").is_err());
        assert!(RigName::new("My_Project-2").is_ok());
    }
}
