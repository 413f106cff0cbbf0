//! Addresses of people and agents: who holds a hook, who gets mail, who acted.

use std::fmt;
use std::str::FromStr;

use super::id::{NameError, RigName, RoleName, WorkerName};

/// Somebody who can act: a person, an agent of the town, or an agent of a rig.
///
/// Written as `overseer`, `mayor`, `deacon`, `<rig>/witness`, `<rig>/refinery`, `<rig>/<role>`,
/// `<rig>/polecats/<name>` and `<rig>/crew/<name>`. Read liberally: a trailing `/` is dropped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// The person who owns the town.
    Overseer,
    /// The town's coordinator, a model session that a person talks to.
    Mayor,
    /// The daemon itself, as an actor.
    Deacon,
    /// A policy role of a rig: witness, refinery, or a user's own.
    Role(RigName, RoleName),
    /// A worker of a rig, made for a piece of work.
    Polecat(RigName, WorkerName),
    /// A person's own workspace in a rig.
    Crew(RigName, WorkerName),
}

const RULE: &str = "use overseer, mayor, deacon, RIG/ROLE, RIG/polecats/NAME or RIG/crew/NAME";

impl Address {
    /// The rig that this agent belongs to; none for the agents of the town.
    pub fn rig(&self) -> Option<&RigName> {
        match self {
            Self::Overseer | Self::Mayor | Self::Deacon => None,
            Self::Role(rig, _) | Self::Polecat(rig, _) | Self::Crew(rig, _) => Some(rig),
        }
    }

    /// The last component, for people: `toast`, `witness`, `mayor`.
    pub fn short(&self) -> &str {
        match self {
            Self::Overseer => "overseer",
            Self::Mayor => "mayor",
            Self::Deacon => "deacon",
            Self::Role(_, role) => role.as_str(),
            Self::Polecat(_, name) | Self::Crew(_, name) => name.as_str(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overseer => f.pad("overseer"),
            Self::Mayor => f.pad("mayor"),
            Self::Deacon => f.pad("deacon"),
            Self::Role(rig, role) => f.pad(&format!("{rig}/{role}")),
            Self::Polecat(rig, name) => f.pad(&format!("{rig}/polecats/{name}")),
            Self::Crew(rig, name) => f.pad(&format!("{rig}/crew/{name}")),
        }
    }
}

impl FromStr for Address {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new("address", text, RULE);
        let parts: Vec<&str> = text.strip_suffix('/').unwrap_or(text).split('/').collect();
        match *parts.as_slice() {
            ["overseer" | "human"] => Ok(Self::Overseer),
            ["mayor"] => Ok(Self::Mayor),
            ["deacon"] => Ok(Self::Deacon),
            [_, "polecats" | "crew"] => Err(bad()),
            [rig, role] => Ok(Self::Role(RigName::new(rig)?, RoleName::new(role)?)),
            [rig, "polecats", name] => Ok(Self::Polecat(RigName::new(rig)?, WorkerName::new(name)?)),
            [rig, "crew", name] => Ok(Self::Crew(RigName::new(rig)?, WorkerName::new(name)?)),
            _ => Err(bad()),
        }
    }
}

super::text::serde_as_text!(Address);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_as_written() {
        for text in ["overseer", "mayor", "deacon", "app/witness", "app/polecats/toast", "app/crew/joe"] {
            assert_eq!(text.parse::<Address>().expect("valid").to_string(), text);
        }
        assert_eq!("mayor/".parse::<Address>().expect("valid"), Address::Mayor);
    }

    #[test]
    fn a_path_is_not_an_address() {
        for bad in ["", "a/b/c", "../x", "app/polecats/../x", "app/polecats/"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
