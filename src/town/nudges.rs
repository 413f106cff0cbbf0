//! What policies decided to say and has not been said yet, on disk so that no crash forgets it.
//!
//! A word is written down in the transaction that decides it, and taken away in the one that journals what became of it.
//! One that is not said because a person is attached uses no rung of its ladder: the rung acts again after its wait.
//! Whatever else keeps it from its agent (an input line that is not there, a program that hangs) is a failure of the
//! rung, so that a ladder always comes to its end.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::roles::ladders;
use crate::base::{Address, BeadId, Time};
use crate::policy::Climb;
use crate::session::Delivery;
use crate::store::{Read, StoreError, Write};

/// The local namespace of what is still to be said, by the rule that says it and whom it is about.
const NUDGES: &str = "nudge";
/// What could not be said for so long, in milliseconds, is not worth saying any more.
const STALE_MS: i64 = 600_000;

/// Something to be said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nudge {
    /// Where it stands.
    pub key: String,
    /// Whom.
    pub to: Address,
    /// The bead that the agent was at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bead: Option<BeadId>,
    /// What.
    pub text: String,
    /// Since when.
    pub at: Time,
    /// The rung that says it, if one does that does nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub climb: Option<Climb>,
}

impl Nudge {
    /// Whether it is too old to be said at `now`.
    pub fn is_stale(&self, now: Time) -> bool {
        now.millis() - self.at.millis() > STALE_MS
    }
}

/// Writes down what is to be said; a word of the same key that was not said yet gives way.
pub fn put(w: &mut Write<'_>, nudge: &Nudge) -> Result<(), StoreError> {
    w.put_local(NUDGES, &nudge.key, &json!(nudge))
}

/// All that is still to be said, as far as it can be read.
pub fn all(r: &Read<'_>) -> Result<Vec<Nudge>, StoreError> {
    Ok(r.local_texts(NUDGES)?.into_iter().filter_map(|(_, text)| serde_json::from_str(&text).ok()).collect())
}

/// It was sent, and this became of it.
pub fn said(w: &mut Write<'_>, nudge: &Nudge, delivery: &Delivery) -> Result<(), StoreError> {
    match delivery.why_not() {
        None => {
            w.emit("nudged", &nudge.to.to_string(), json!({ "text": nudge.text, "delivery": delivery }))?;
            over(w, nudge)
        }
        Some(why) => {
            if let (Delivery::Attended, Some(climb)) = (delivery, &nudge.climb) {
                ladders::give_back(w, climb)?;
            }
            failed(w, nudge, why)
        }
    }
}

/// It could not be said, for this reason.
pub fn failed(w: &mut Write<'_>, nudge: &Nudge, why: &str) -> Result<(), StoreError> {
    w.emit("nudge_failed", &nudge.to.to_string(), json!({ "text": nudge.text, "why": why }))?;
    over(w, nudge)
}

fn over(w: &mut Write<'_>, nudge: &Nudge) -> Result<(), StoreError> {
    if w.local_row(NUDGES, &nudge.key)? == Some(Ok(nudge.clone())) {
        w.delete_local(NUDGES, &nudge.key)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Prefix;
    use crate::policy::{LadderKey, Ladders as _, Place};
    use crate::store::{Stamp, Store};
    use crate::town::roles::StoredLadders;

    #[test]
    fn only_a_word_that_gave_way_to_a_person_uses_no_rung() {
        let dir = tempfile::tempdir().expect("folder");
        let now = Time::from_millis(1_000_000);
        let mut store =
            Store::create(&dir.path().join(".beads"), &Prefix::new("hq").expect("prefix"), now).expect("store");
        let by = Stamp::new("app/witness", now);
        let place = Place { rung: 1, times: 1, at_ms: now.millis() };
        let climb = Climb { key: LadderKey("witness/nudge-silent/gt-1".into()), place };
        let nudge = Nudge {
            key: "app/witness:nudge-silent:gt-1:0".into(),
            to: "app/polecats/toast".parse().expect("address"),
            bead: None,
            text: "go on".into(),
            at: now,
            climb: Some(climb.clone()),
        };
        for (delivery, times) in [
            (Delivery::Taken, 1),
            (Delivery::Attended, 0),
            (Delivery::Refused("no input line".into()), 1),
            (Delivery::Lost("no Enter".into()), 1),
        ] {
            let written = store.write(&by, |w| {
                ladders::climb(w, &climb)?;
                put(w, &nudge)
            });
            written.expect("decided");
            assert_eq!(store.read(all).expect("read"), [nudge.clone()]);
            store.write(&by, |w| said(w, &nudge, &delivery)).expect("said");
            assert_eq!(store.read(all).expect("read"), []);
            let stored = store.read(StoredLadders::read).expect("read").place(&climb.key).expect("readable");
            assert_eq!(stored, Some(Place { times, ..place }), "{delivery:?}");
        }
    }
}
