//! Names of sessions: safe as a tmux target, a file name and an argument.

use std::fmt;

use super::SessionError;

/// The name of one session within a town: 1-100 ASCII letters, digits, `_` or `-`, starting with a letter or
/// digit.
///
/// tmux gives `.` and `:` a meaning in targets and quietly replaces them in names, so they are refused here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(String);

impl SessionName {
    /// Checks and wraps `text`.
    pub fn new(text: &str) -> Result<Self, SessionError> {
        let good = (1..=100).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(SessionError::BadName(text.chars().take(80).flat_map(char::escape_debug).collect()))
    }

    /// The name of the session of the agent at `address` (`rig/polecats/max` gives `rig-polecats-max`).
    ///
    /// Characters that a name cannot hold become `-`.
    pub fn of_address(address: &str) -> Result<Self, SessionError> {
        let text: String =
            address.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        Self::new(text.trim_matches('-'))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tmux_or_the_file_system_would_change_are_refused() {
        for bad in ["", "a.b", "a:b", "a/b", "=a", "-a", "a b", "a\nb", "$1", "@1", "%1", "é", &"a".repeat(101)] {
            assert!(SessionName::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(SessionName::new("rig-polecats-max_2").expect("good").as_str(), "rig-polecats-max_2");
    }

    #[test]
    fn an_address_makes_a_name() {
        assert_eq!(SessionName::of_address("my_rig/polecats/max").expect("good").as_str(), "my_rig-polecats-max");
        assert!(SessionName::of_address("///").is_err());
    }
}
