//! For whom a role acts.

use crate::town::Rig;

/// One rig, or the whole town.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// A role with `scope = "town"`.
    Town,
    /// A role with `scope = "rig"`, once for each.
    Rig(&'a Rig),
}

impl<'a> Scope<'a> {
    /// The rig, if it is one.
    pub const fn rig(self) -> Option<&'a Rig> {
        match self {
            Self::Town => None,
            Self::Rig(rig) => Some(rig),
        }
    }

    /// The rig's name; empty for the town.
    pub fn name(self) -> &'a str {
        self.rig().map_or("", |rig| rig.name.as_str())
    }

    /// Who acts, as in the ledger: `myproject/witness`, `deacon`.
    pub fn actor(self, role: &str) -> String {
        match self {
            Self::Town => role.to_owned(),
            Self::Rig(rig) => format!("{}/{role}", rig.name),
        }
    }
}
