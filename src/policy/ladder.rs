//! Where each ladder stands: kept on disk by the caller, so that neither a restart nor a reload climbs one twice.
//!
//! A place is only *read* by a pass. The new place comes with the decision ([`super::Decision::climb`]); the caller
//! stores it in the transaction of the decision's effect. A decision that is refused stores nothing, so its rung is
//! not used up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reads::Unreadable;

/// Which ladder: `role/rule/subject`, as text, so that it can be a key of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LadderKey(pub String);

/// The last act of a ladder, or of a rule without one (then rung 0, once).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Index of the rung that acted last, from 0.
    pub rung: u32,
    /// How many times that rung has acted.
    pub times: u32,
    /// When it last acted.
    pub at_ms: i64,
}

/// A place to store when its decision was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Climb {
    /// Which ladder.
    pub key: LadderKey,
    /// Where it then stands.
    pub place: Place,
}

/// The caller's table of places.
pub trait Ladders {
    /// Where this ladder stands; `None` at its foot.
    fn place(&self, key: &LadderKey) -> Result<Option<Place>, Unreadable>;
    /// Back to the foot: the subject made progress, or the rule stopped being true.
    fn forget(&mut self, key: &LadderKey);
}

/// Places in memory, for tests and for `gt policy test`.
#[derive(Debug, Clone, Default)]
pub struct MemoryLadders(pub BTreeMap<LadderKey, Place>);

impl MemoryLadders {
    /// Stores what a carried out decision brings.
    pub fn climb(&mut self, climb: &Climb) {
        self.0.insert(climb.key.clone(), climb.place);
    }
}

impl Ladders for MemoryLadders {
    fn place(&self, key: &LadderKey) -> Result<Option<Place>, Unreadable> {
        Ok(self.0.get(key).copied())
    }
    fn forget(&mut self, key: &LadderKey) {
        self.0.remove(key);
    }
}
