//! What policies decided to say and has not been said yet, on disk so that no crash forgets it.
//!
//! A word is written down in the transaction that decides it, and taken away in the one that journals what became of it.
//! One that did not reach its agent uses no rung of its ladder: the rung acts again after its wait.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::roles::ladders;
use crate::base::{Address, Time};
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
    /// What.
    pub text: String,
    /// Since when.
    pub at: Time,
    /// The rung that says it, if one does.
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

/// It was said, or refused by the program that it was said to.
pub fn said(w: &mut Write<'_>, nudge: &Nudge, delivery: &Delivery) -> Result<(), StoreError> {
    w.emit("nudged", &nudge.to.to_string(), json!({ "text": nudge.text, "delivery": delivery }))?;
    over(w, nudge, matches!(delivery, Delivery::Refused(_)))
}

/// It could not be said, for this reason.
pub fn failed(w: &mut Write<'_>, nudge: &Nudge, why: &str) -> Result<(), StoreError> {
    w.emit("nudge_failed", &nudge.to.to_string(), json!({ "text": nudge.text, "why": why }))?;
    over(w, nudge, true)
}

fn over(w: &mut Write<'_>, nudge: &Nudge, in_vain: bool) -> Result<(), StoreError> {
    if let (true, Some(climb)) = (in_vain, &nudge.climb) {
        ladders::give_back(w, climb)?;
    }
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
    fn what_is_refused_uses_no_rung_and_what_is_taken_does() {
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
            text: "go on".into(),
            at: now,
            climb: Some(climb.clone()),
        };
        for (delivery, times) in [(Delivery::Taken, 1), (Delivery::Refused("a dialog".into()), 0)] {
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
