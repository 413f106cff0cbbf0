//! What policies decided to say and has not been said yet, on disk so that no crash forgets it.
//!
//! A word is written down in the transaction that decides it, and taken away in the one that journals what became of it.
//! In between, directly before the first key is pressed, the row says that it has begun. What had begun when its daemon
//! died may have been heard or not, and nobody can ask the agent: it is not said a second time, and journaled as not
//! known. A word too few costs the wait until the next rung; one too many costs a turn of a model and may undo work.
//!
//! A word that is not said because a person is attached uses no rung of its ladder: the rung acts again after its wait.
//! Whatever else keeps it from its agent (an input line that is not there, a program that hangs) is a failure of the
//! rung, so that a ladder always comes to its end.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::around::Acting;
use super::error::TownError;
use super::roles::ladders;
use super::unreadable::sift;
use super::{agent, hosts};
use crate::base::fault::{Point, pass};
use crate::base::{Address, BeadId, Time};
use crate::policy::Climb;
use crate::session::Delivery;
use crate::store::{Read, Store, StoreError, Write};

/// The local namespace of what is still to be said, by the rule that says it and whom it is about.
pub(super) const NUDGES: &str = "nudge";
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
    /// Since when it is being said: whether the agent has it is not known until the row is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Time>,
}

impl Nudge {
    fn is_stale(&self, now: Time) -> bool {
        now.millis() - self.at.millis() > STALE_MS
    }

    /// Whether a row holds this word, begun or not.
    fn is(&self, row: &Self) -> bool {
        Self { begun: None, ..self.clone() } == Self { begun: None, ..row.clone() }
    }
}

/// Writes down what is to be said; a word of the same key that was not said yet gives way.
pub fn put(w: &mut Write<'_>, nudge: &Nudge) -> Result<(), StoreError> {
    w.put_local(NUDGES, &nudge.key, &json!(nudge))
}

/// All that is still to be said, as far as it can be read.
pub fn all(r: &Read<'_>) -> Result<Vec<Nudge>, StoreError> {
    Ok(sift(r, NUDGES)?.0)
}

/// Says it, unless it is too late for that, or it may have been said before.
pub fn say(cx: &Acting<'_>, store: &mut Store, nudge: &Nudge) -> Result<(), TownError> {
    if nudge.begun.is_some() {
        return Err(TownError::refused(
            "the daemon ended while it was being said: whether it arrived is not known, and it is not said twice",
        ));
    }
    if nudge.is_stale(cx.now()) {
        return Err(TownError::refused("it could not be said in time"));
    }
    let row = store.read(|r| agent::need(r, &nudge.to))?;
    if row.bead != nudge.bead {
        return Err(TownError::refused("who has this name now is at another bead"));
    }
    let signs = hosts::runtimes(cx)?.get(&row.runtime).map(|r| r.signs.clone()).unwrap_or_default();
    let host = hosts::open(cx, row.host)?;
    if !store.write(&cx.stamp(), |w| begin(w, nudge))? {
        return Err(TownError::refused("another word has taken its place"));
    }
    pass(Point::NudgeIntended);
    let delivery = host.send(&row.session, &nudge.text, &signs)?;
    pass(Point::NudgeSent);
    Ok(store.write(&cx.stamp(), |w| said(w, nudge, &delivery))?)
}

/// It is about to be said; false when it is not to be any more.
fn begin(w: &mut Write<'_>, nudge: &Nudge) -> Result<bool, StoreError> {
    if !stands(w, nudge)? {
        return Ok(false);
    }
    put(w, &Nudge { begun: Some(w.by().now), ..nudge.clone() })?;
    Ok(true)
}

/// It was sent, and this became of it.
fn said(w: &mut Write<'_>, nudge: &Nudge, delivery: &Delivery) -> Result<(), StoreError> {
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
    if stands(w, nudge)? {
        w.delete_local(NUDGES, &nudge.key)?;
    }
    Ok(())
}

fn stands(r: &Read<'_>, nudge: &Nudge) -> Result<bool, StoreError> {
    Ok(r.local_row::<Nudge>(NUDGES, &nudge.key)?.is_some_and(|row| row.is_ok_and(|row| nudge.is(&row))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{LadderKey, Ladders as _, Place};
    use crate::store::{Stamp, temporary};
    use crate::town::roles::StoredLadders;

    #[test]
    fn only_a_word_that_gave_way_to_a_person_uses_no_rung() {
        let now = Time::from_millis(1_000_000);
        let (_dir, mut store) = temporary("hq", now);
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
            begun: None,
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
            assert!(store.write(&by, |w| begin(w, &nudge)).expect("begun"));
            assert!(
                store.read(all).expect("read")[0].begun.is_some(),
                "it is on disk that it may be heard from now on"
            );
            store.write(&by, |w| said(w, &nudge, &delivery)).expect("said");
            assert_eq!(store.read(all).expect("read"), []);
            let stored = store.read(StoredLadders::read).expect("read").place(&climb.key).expect("readable");
            assert_eq!(stored, Some(Place { times, ..place }), "{delivery:?}");
        }
    }
}
