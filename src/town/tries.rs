//! How often the acting half of an intent has failed. Kept on disk, so that no crash refills the budget.
//!
//! Each failure waits longer than the one before; after [`MOST`] the intent is left alone until a person says
//! `gt start`. What counts is the intent: another one about the same agent begins anew.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::intent::{self, Act, Intent};
use crate::base::{Time, text};
use crate::store::{Read, StoreError, Write};

/// The local namespace of tries, keyed by agent.
const TRIES: &str = "tries";
/// So often an intent is tried by itself.
pub const MOST: u32 = 20;
/// After so many failures in a row somebody is told.
pub const TELL_AFTER: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// What has been tried in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// When the intent was written down, which tells it from a later one.
    pub of: Time,
    /// How often.
    pub times: u32,
    /// When last.
    pub last: Time,
    /// Why it failed then.
    pub why: String,
}

impl Tries {
    /// Whether it is left alone.
    pub fn spent(&self) -> bool {
        self.times >= MOST
    }

    /// How long to wait after the last failure.
    pub fn wait(&self) -> Duration {
        (FIRST_WAIT * 2_u32.pow(self.times.saturating_sub(1).min(16))).min(LONGEST_WAIT)
    }

    /// When it is tried again; never when it is left alone. A clock that was set back does not make it longer.
    pub fn again(&self, now: Time) -> Option<Time> {
        let wait = self.wait().as_millis() as i64;
        (!self.spent()).then(|| self.last.min(now).plus_millis(wait))
    }
}

/// What has been tried in vain of this intent. What cannot be read is a budget that is spent.
pub fn get(r: &Read<'_>, intent: &Intent) -> Result<Option<Tries>, StoreError> {
    let spent = |error| Tries {
        of: intent.at,
        times: MOST,
        last: intent.at,
        why: format!("what was written of its tries cannot be read ({error})"),
    };
    let tries = r.local_row(TRIES, &intent.agent.to_string())?.map(|tries| tries.unwrap_or_else(spent));
    Ok(tries.filter(|tries: &Tries| tries.of == intent.at))
}

/// One more failure, for this reason. Gives what has been tried now, and whether the reason is a new one.
pub fn failed(w: &mut Write<'_>, intent: &Intent, why: &str) -> Result<(Tries, bool), StoreError> {
    let before = get(w, intent)?;
    let news = before.as_ref().is_none_or(|tries| tries.why != why);
    let times = before.map_or(0, |tries| tries.times) + 1;
    let tries = Tries { of: intent.at, times, last: w.by().now, why: why.to_owned() };
    let value = serde_json::to_value(&tries).expect("plain data serialises");
    w.put_local(TRIES, &intent.agent.to_string(), &value)?;
    Ok((tries, news))
}

/// It has succeeded at last.
pub fn succeeded(w: &mut Write<'_>, intent: &Intent) -> Result<(), StoreError> {
    w.delete_local(TRIES, &intent.agent.to_string()).map(|_| ())
}

/// What failed last in the future, because the clock was set back, failed now. Says how many there were.
pub fn set_back(w: &mut Write<'_>) -> Result<usize, StoreError> {
    let now = w.by().now;
    let mut moved = 0;
    for (agent, text) in w.local_texts(TRIES)? {
        let Ok(mut tries) = serde_json::from_str::<Tries>(&text) else { continue };
        if tries.last > now {
            tries.last = now;
            w.put_local(TRIES, &agent, &serde_json::to_value(&tries).expect("plain data serialises"))?;
            moved += 1;
        }
    }
    Ok(moved)
}

/// A person says: try everything again.
pub fn refill(w: &mut Write<'_>) -> Result<(), StoreError> {
    for agent in w.local_keys(TRIES)? {
        w.delete_local(TRIES, &agent)?;
    }
    Ok(())
}

/// What a person is to know: intents that have failed more than now and then, each with what happens next.
pub fn warnings(r: &Read<'_>) -> Result<Vec<String>, StoreError> {
    let mut all = Vec::new();
    for intent in intent::all(r)? {
        let Some(tries) = get(r, &intent)?.filter(|tries| tries.times >= TELL_AFTER) else { continue };
        let next = if tries.spent() {
            "it is left alone now; mend the cause, then: gt start"
        } else {
            "it is tried again by itself, later each time"
        };
        let times = text::count(tries.times as usize, "time");
        all.push(format!("{} cannot be {}: {} (tried {times}; {next})", intent.agent, verb(&intent.act), tries.why));
    }
    Ok(all)
}

/// What was to happen to the agent, in the passive voice.
pub fn verb(act: &Act) -> &'static str {
    match act {
        Act::Spawn(_) => "started",
        Act::Done(_) => "handed in",
        Act::Retire { .. } => "taken down",
        Act::Stop { .. } => "stopped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Stamp, temporary};

    #[test]
    fn tries_that_cannot_be_read_are_a_spent_budget_until_a_person_refills_it() {
        let now = Time::from_millis(1_000_000);
        let (_dir, mut store) = temporary("hq", now);
        let agent = "app/polecats/toast".parse().expect("address");
        let intent = Intent::new(agent, "deacon", now, Act::Stop { why: "test".into() });
        let by = Stamp::new("deacon", now);
        let damage = store.write(&by, |w| {
            intent::put(w, &intent)?;
            w.put_local(TRIES, &intent.agent.to_string(), &"damaged".into())
        });
        damage.expect("written");
        let tries = store.read(|r| get(r, &intent)).expect("read").expect("some");
        assert!(tries.spent() && tries.again(now.plus_millis(1_000_000_000)).is_none());
        let told = store.read(warnings).expect("read");
        assert!(told[0].contains("cannot be read") && told[0].contains("gt start"), "{told:?}");
        store.write(&by, refill).expect("refilled");
        assert_eq!(store.read(|r| get(r, &intent)).expect("read"), None);
    }

    #[test]
    fn each_failure_waits_longer_and_the_last_one_for_a_person() {
        let at = |s: i64| Time::from_millis(s * 1000);
        let tries = |times| Tries { of: at(0), times, last: at(100), why: String::new() };
        let waits: Vec<Duration> = (1..MOST).map(|times| tries(times).wait()).collect();
        assert_eq!(waits[0], FIRST_WAIT);
        assert!(waits.is_sorted());
        assert_eq!(waits.last(), Some(&LONGEST_WAIT));
        assert_eq!(tries(1).again(at(100)), Some(Time::from_millis(100_500)));
        assert_eq!(tries(1).again(at(50)), Some(Time::from_millis(50_500)), "the clock was set back");
        assert_eq!(tries(MOST).again(at(1_000_000)), None);
    }
}
