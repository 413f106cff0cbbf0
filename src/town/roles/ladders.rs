//! The places on ladders, kept in the store.
//!
//! A pass reads them from its own snapshot. What it forgets is deleted after it; a new place is stored by the
//! executor in the transaction of the decision.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::policy::{Climb, LadderKey, Ladders, Place, Unreadable};
use crate::store::{Read, StoreError, Write};

/// The local namespace of the places.
pub(in crate::town) const LADDERS: &str = "ladder";

/// All places, read once, and what a pass forgot.
#[derive(Debug, Clone, Default)]
pub struct StoredLadders {
    places: BTreeMap<String, Option<Place>>,
    forgotten: BTreeSet<String>,
}

impl StoredLadders {
    /// Reads all places.
    pub fn read(r: &Read<'_>) -> Result<Self, StoreError> {
        let places =
            r.local_texts(LADDERS)?.into_iter().map(|(key, text)| (key, serde_json::from_str(&text).ok())).collect();
        Ok(Self { places, forgotten: BTreeSet::new() })
    }

    /// Whether the pass forgot a place that is stored.
    pub fn has_forgotten(&self) -> bool {
        !self.forgotten.is_empty()
    }

    /// Deletes what the pass forgot.
    pub fn save(&self, w: &mut Write<'_>) -> Result<(), StoreError> {
        for key in &self.forgotten {
            w.delete_local(LADDERS, key)?;
        }
        Ok(())
    }
}

impl Ladders for StoredLadders {
    fn place(&self, key: &LadderKey) -> Result<Option<Place>, Unreadable> {
        match self.places.get(&key.0) {
            None => Ok(None),
            Some(Some(place)) => Ok(Some(*place)),
            Some(None) => Err(Unreadable(format!("the place on the ladder {} cannot be read", key.0))),
        }
    }

    fn forget(&mut self, key: &LadderKey) {
        if self.places.remove(&key.0).is_some() {
            self.forgotten.insert(key.0.clone());
        }
    }
}

/// Puts every ladder of a subject back to its foot: a person has said that it goes on.
pub fn forget_all(w: &mut Write<'_>, subject: &str) -> Result<(), StoreError> {
    for key in w.local_keys(LADDERS)? {
        if key.rsplit('/').next() == Some(subject) {
            w.delete_local(LADDERS, &key)?;
        }
    }
    Ok(())
}

/// Places that lie in the future, because the clock was set back, are of now. Says how many there were.
pub fn set_back(w: &mut Write<'_>) -> Result<usize, StoreError> {
    let now_ms = w.by().now.millis();
    let mut moved = 0;
    for (key, text) in w.local_texts(LADDERS)? {
        let Ok(place) = serde_json::from_str::<Place>(&text) else { continue };
        if place.at_ms > now_ms {
            w.put_local(LADDERS, &key, &json!(Place { at_ms: now_ms, ..place }))?;
            moved += 1;
        }
    }
    Ok(moved)
}

/// Stores where a decision that was carried out leaves its ladder.
pub fn climb(w: &mut Write<'_>, climb: &Climb) -> Result<(), StoreError> {
    w.put_local(LADDERS, &climb.key.0, &json!(climb.place))
}

/// What a rung did was in vain: unless the ladder has gone on since, the rung is not used up and acts again after its wait.
pub fn give_back(w: &mut Write<'_>, climb: &Climb) -> Result<(), StoreError> {
    if w.local_row(LADDERS, &climb.key.0)? != Some(Ok(climb.place)) {
        return Ok(());
    }
    let place = Place { times: climb.place.times.saturating_sub(1), ..climb.place };
    w.put_local(LADDERS, &climb.key.0, &json!(place))
}
