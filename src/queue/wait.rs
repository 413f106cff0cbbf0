//! Why a queue waits: a whole rig (the remote is away, a gate cannot run on the target itself) or one request (the
//! target itself is red, no gate is about what it changes, the policy leaves it out). Kept on disk, so that a restart does not hurry, and shown by `gt status`.

use serde::{Deserialize, Serialize};

use super::admission;
use crate::base::span::Span;
use crate::base::{BeadId, RigName, Time};
use crate::store::{Read, StoreError, Write};

const RIGS: &str = "queue";
const CONFIGS: &str = "queue_config";
const REQUESTS: &str = "mr_wait";
const NOTES: &str = "mr_note";

/// The shortest and the longest time before a rig's queue tries again.
const FIRST_MS: i64 = 15_000;
const LONGEST_MS: i64 = 1_800_000;
/// The last day of the year 9999: the end of what a person has to end.
const FOR_EVER_MS: i64 = 253_402_214_400_000;
/// How the reason of a request begins whose push the remote has refused; what the remote said follows.
pub const REFUSED: &str = "the remote refused the push: ";
/// So often in a row a queue may break down before it waits for a person.
const BREAKDOWNS: u32 = 5;
/// While a request waits for another target, the remote is looked at this often.
const LOOK_MS: i64 = FIRST_MS;
/// What has the queue try everything at once.
const RETRY: &str = "gt queue retry";

/// A rig's queue takes nothing before a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Why, in one line.
    pub why: String,
    /// When it tries again; a change of the rig's configuration ends the pause at once.
    pub until: Time,
    /// How often in a row it paused for that.
    pub tries: u32,
    /// How often it broke down since something last landed or a person had it try again.
    #[serde(default)]
    pub breakdowns: u32,
    /// It is over, too, when the target is another than this commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

impl Pause {
    /// It has broken down so often that only a person, or another configuration, lets it try again.
    pub fn is_final(&self) -> bool {
        self.breakdowns >= BREAKDOWNS
    }

    /// Whether it still holds at `now`.
    pub fn holds(&self, now: Time) -> bool {
        self.is_final() || self.until > now
    }

    /// Whether it still holds at `now`, with the target at `tip`.
    pub fn holds_at(&self, now: Time, tip: Option<&str>) -> bool {
        let moved = self.base.as_deref().is_some_and(|base| tip != Some(base));
        self.is_final() || (self.holds(now) && !moved)
    }

    /// When the remote is to be looked at; see [`Wait::look_at`].
    pub fn look_at(&self, looked: Option<Time>) -> Option<Time> {
        self.base.as_ref()?;
        Some(next_look(self.until.plus_millis(-wait_ms(self.tries)), looked))
    }

    /// When it tries again, and what makes it try now, for people.
    pub fn again(&self, now: Time) -> String {
        if self.is_final() {
            return format!("it has broken down too often; when it is mended: {RETRY}");
        }
        let left = left(self.until, now);
        match self.base {
            Some(_) => format!("{}, or in {left}, or now: {RETRY}", when_moved()),
            None => format!("again in {left}, or now: {RETRY}"),
        }
    }
}

fn when_moved() -> String {
    format!("again when the target has moved, looked for every {}", Span::millis(LOOK_MS))
}

/// The next look at the remote for what began to wait then: it had just been seen.
fn next_look(begun: Time, looked: Option<Time>) -> Time {
    looked.map_or(begun, |looked| looked.max(begun)).plus_millis(LOOK_MS)
}

/// How long it is until then: whole seconds, never less than one.
fn left(until: Time, now: Time) -> Span {
    Span::seconds((until.millis() - now.millis()).max(0) / 1000).max(Span::seconds(1))
}

/// The pause of a rig, if it has one; it may be over. One that cannot be read lasts until a person ends it.
pub fn pause(r: &Read<'_>, rig: &RigName) -> Result<Option<Pause>, StoreError> {
    let unreadable = |error| Pause {
        why: format!("what was written of its pause cannot be read ({error})"),
        until: Time::from_millis(FOR_EVER_MS),
        tries: 1,
        breakdowns: BREAKDOWNS,
        base: None,
    };
    Ok(r.local_row(RIGS, rig.as_str())?.map(|pause| pause.unwrap_or_else(unreadable)))
}

/// Pauses a rig, longer each time for the same reason. The event `queue_paused` is told once per reason.
pub fn set_pause(w: &mut Write<'_>, rig: &RigName, why: &str) -> Result<Pause, StoreError> {
    let breakdowns = pause(w, rig)?.map_or(0, |p| p.breakdowns);
    set(w, rig, why, breakdowns, None)
}

/// As [`set_pause`], for something about the target `base`: another one is tried at once.
pub fn pause_at(w: &mut Write<'_>, rig: &RigName, why: &str, base: &str) -> Result<Pause, StoreError> {
    let breakdowns = pause(w, rig)?.map_or(0, |p| p.breakdowns);
    set(w, rig, why, breakdowns, Some(base.to_owned()))
}

/// Pauses a rig whose queue ended with an error: a defect of ours or of its repository. After the fifth time in a row
/// it waits for a person.
pub fn broke_down(w: &mut Write<'_>, rig: &RigName, why: &str) -> Result<Pause, StoreError> {
    let breakdowns = pause(w, rig)?.map_or(0, |p| p.breakdowns) + 1;
    set(w, rig, why, breakdowns, None)
}

fn set(
    w: &mut Write<'_>,
    rig: &RigName,
    why: &str,
    breakdowns: u32,
    base: Option<String>,
) -> Result<Pause, StoreError> {
    let before = pause(w, rig)?.filter(|p| p.why == why);
    let tries = before.as_ref().map_or(0, |p| p.tries) + 1;
    let until = w.by().now.plus_millis(wait_ms(tries));
    let pause = Pause { why: why.to_owned(), until, tries, breakdowns, base };
    w.put_local(RIGS, rig.as_str(), &serde_json::to_value(&pause).expect("plain data serialises"))?;
    if before.is_none() {
        w.emit("queue_paused", rig.as_str(), serde_json::json!({ "why": why, "until": pause.until }))?;
    }
    Ok(pause)
}

/// How long the pause after so many tries is.
fn wait_ms(tries: u32) -> i64 {
    FIRST_MS.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_MS)
}

/// Pauses and waits end no later than if they had begun now, also when the clock was set back since they did. Says how
/// many were moved.
pub fn set_back(w: &mut Write<'_>) -> Result<usize, StoreError> {
    let now = w.by().now;
    let mut moved = 0;
    for (rig, text) in w.local_texts(RIGS)? {
        let Ok(pause) = serde_json::from_str::<Pause>(&text) else { continue };
        let until = now.plus_millis(wait_ms(pause.tries));
        if pause.until > until {
            let pause = Pause { until, ..pause };
            w.put_local(RIGS, &rig, &serde_json::to_value(&pause).expect("plain data serialises"))?;
            moved += 1;
        }
    }
    for (mr, text) in w.local_texts(REQUESTS)? {
        let Ok(wait) = serde_json::from_str::<Wait>(&text) else { continue };
        let until = now.plus_millis(LONGEST_MS);
        if wait.until > until {
            let wait = Wait { until, ..wait };
            w.put_local(REQUESTS, &mr, &serde_json::to_value(&wait).expect("plain data serialises"))?;
            moved += 1;
        }
    }
    Ok(moved)
}

/// Lets a rig's queue try everything again now: what made it wait may just have been mended.
pub fn retry(w: &mut Write<'_>, rig: &RigName) -> Result<(), StoreError> {
    end_pause(w, rig)?;
    for request in super::open(w, rig)? {
        end_wait(w, &request.id)?;
    }
    Ok(())
}

/// Has a rig's queue try everything again if its configuration, of which `fingerprint` is a digest, is another one
/// than when this was last called: kept on disk, so that a daemon that starts again hurries nothing. True if it is.
pub fn configured(w: &mut Write<'_>, rig: &RigName, fingerprint: &str) -> Result<bool, StoreError> {
    let now = serde_json::Value::from(fingerprint);
    if w.local_or_none(CONFIGS, rig.as_str())?.as_ref() == Some(&now) {
        return Ok(false);
    }
    w.put_local(CONFIGS, rig.as_str(), &now)?;
    retry(w, rig)?;
    Ok(true)
}

/// Ends the pause of a rig.
pub fn end_pause(w: &mut Write<'_>, rig: &RigName) -> Result<(), StoreError> {
    w.delete_local(RIGS, rig.as_str()).map(|_| ())
}

/// A request waits by itself, while others go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Why, in one line.
    pub why: String,
    /// It waits for another target than this commit, which fails its gate by itself. None: it waits for another
    /// configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// When it is tried again all the same.
    pub until: Time,
}

impl Wait {
    /// Whether it still holds at `now`, with the target at `tip`.
    pub fn holds(&self, now: Time, tip: Option<&str>) -> bool {
        self.until > now && self.base.as_deref().is_none_or(|base| tip == Some(base))
    }

    /// When the remote is to be looked at, since its target may have moved; `looked` is when that was last done for this
    /// rig. Whoever began to wait had just seen it. None: another target would change nothing.
    pub fn look_at(&self, looked: Option<Time>) -> Option<Time> {
        self.base.as_ref()?;
        Some(next_look(self.until.plus_millis(-LONGEST_MS), looked))
    }

    /// When it is tried again, and what has it tried now, for people. None: what it waits for says so.
    pub fn again(&self, now: Time) -> Option<String> {
        if self.until.millis() >= FOR_EVER_MS {
            return None;
        }
        let first = match self.base {
            Some(_) => when_moved(),
            None => "again when rig.toml changes".to_owned(),
        };
        Some(format!("{first}, or in {}, or now: {RETRY}", left(self.until, now)))
    }
}

/// Why a request waits, if it does. What cannot be read is a wait that lasts until a person ends it.
pub fn wait(r: &Read<'_>, mr: &BeadId) -> Result<Option<Wait>, StoreError> {
    let unreadable = |error| Wait {
        why: format!("what was written of its wait cannot be read ({error}); end it: gt queue retry"),
        base: None,
        until: Time::from_millis(FOR_EVER_MS),
    };
    Ok(r.local_row(REQUESTS, mr.as_str())?.map(|wait| wait.unwrap_or_else(unreadable)))
}

/// Lets a request wait: for another target than `base`, or for another configuration.
pub fn set_wait(w: &mut Write<'_>, mr: &BeadId, why: &str, base: Option<String>) -> Result<(), StoreError> {
    let wait = Wait { why: why.to_owned(), base, until: w.by().now.plus_millis(LONGEST_MS) };
    w.put_local(REQUESTS, mr.as_str(), &serde_json::to_value(&wait).expect("plain data serialises"))
}

/// Why the policy left a request out when it last looked, if it did.
pub fn note(r: &Read<'_>, mr: &BeadId) -> Result<Option<String>, StoreError> {
    r.local_or_none(NOTES, mr.as_str())
}

/// Notes why the policy leaves a request out.
pub fn set_note(w: &mut Write<'_>, mr: &BeadId, why: &str) -> Result<(), StoreError> {
    w.put_local(NOTES, mr.as_str(), &why.into())
}

/// Forgets all that was kept about the waiting of a request.
pub fn forget(w: &mut Write<'_>, mr: &BeadId) -> Result<(), StoreError> {
    w.delete_local(NOTES, mr.as_str())?;
    admission::forget(w, mr)?;
    end_wait(w, mr)
}

/// Ends the wait of a request.
pub fn end_wait(w: &mut Write<'_>, mr: &BeadId) -> Result<(), StoreError> {
    w.delete_local(REQUESTS, mr.as_str()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Stamp, temporary};

    #[test]
    fn what_cannot_be_read_of_a_pause_or_a_wait_holds_until_a_person_ends_it() {
        let now = Time::from_millis(1_000_000);
        let (_dir, mut store) = temporary("hq", now);
        let (rig, mr) = (RigName::new("app").expect("name"), BeadId::new("gt-mr-1").expect("id"));
        let by = Stamp::new("deacon", now);
        let damage = store.write(&by, |w| {
            w.put_local(RIGS, rig.as_str(), &"damaged".into())?;
            w.put_local(REQUESTS, mr.as_str(), &"damaged".into())?;
            set_back(w)
        });
        assert_eq!(damage.expect("written"), 0);
        let later = now.plus_millis(1000 * LONGEST_MS);
        assert!(store.read(|r| pause(r, &rig)).expect("read").is_some_and(|pause| pause.holds(later)));
        assert!(store.read(|r| wait(r, &mr)).expect("read").is_some_and(|wait| wait.holds(later, Some("any"))));
        let ended = store.write(&by, |w| {
            end_wait(w, &mr)?;
            retry(w, &rig)
        });
        ended.expect("ended");
        assert_eq!(store.read(|r| pause(r, &rig)).expect("read"), None);
        assert_eq!(store.read(|r| wait(r, &mr)).expect("read"), None);
    }

    #[test]
    fn who_waits_for_another_target_has_the_remote_looked_at_every_few_seconds_and_says_what_comes_next() {
        let now = Time::from_millis(1_000_000);
        let wait = |base: Option<&str>| Wait {
            why: "red".into(),
            base: base.map(str::to_owned),
            until: now.plus_millis(LONGEST_MS),
        };
        let (red, uncovered) = (wait(Some("c0ffee")), wait(None));
        let after = |ms| Some(now.plus_millis(ms));
        assert_eq!(red.look_at(None), after(LOOK_MS), "it had just been looked at when the wait began");
        assert_eq!(red.look_at(after(-60_000)), after(LOOK_MS), "what was seen before that is older");
        assert_eq!(red.look_at(after(20_000)), after(20_000 + LOOK_MS));
        assert_eq!(uncovered.look_at(None), None);
        let said = red.again(now.plus_millis(60_500)).expect("said");
        assert_eq!(said, "again when the target has moved, looked for every 15s, or in 28m59s, or now: gt queue retry");
        let said = uncovered.again(now).expect("said");
        assert_eq!(said, "again when rig.toml changes, or in 30m, or now: gt queue retry");
        let pause = Pause { why: "away".into(), until: now.plus_millis(15_000), tries: 1, breakdowns: 0, base: None };
        assert_eq!(pause.again(now.plus_millis(15_900)), "again in 1s, or now: gt queue retry");
        assert_eq!((pause.look_at(None), pause.holds_at(now, Some("any"))), (None, true));
        let pause = Pause { base: Some("c0ffee".into()), tries: 3, until: now.plus_millis(60_000), ..pause };
        assert_eq!(pause.look_at(after(-60_000)), after(LOOK_MS));
        assert!(pause.holds_at(now, Some("c0ffee")) && !pause.holds_at(now, Some("decade")));
        assert!(Pause { breakdowns: BREAKDOWNS, ..pause }.holds_at(now, Some("decade")), "a person ends it");
    }

    #[test]
    fn a_queue_that_breaks_down_again_and_again_waits_for_a_person() {
        let begin = Time::from_millis(1_000_000);
        let (_dir, mut store) = temporary("hq", begin);
        let rig = RigName::new("app").expect("name");
        let at = |minutes: i64| Stamp::new("deacon", begin.plus_millis(minutes * 60_000));
        for n in 1..=BREAKDOWNS {
            let minute = i64::from(n) * 60;
            // Between breakdowns it may also pause for another reason: that gives nothing back.
            store.write(&at(minute), |w| set_pause(w, &rig, "the remote cannot be reached")).expect("paused");
            let pause = store.write(&at(minute), |w| broke_down(w, &rig, &format!("defect {n}"))).expect("paused");
            assert_eq!(pause.holds(at(minute + 50).now), n == BREAKDOWNS, "after breakdown {n}");
        }
        store.write(&at(0), |w| configured(w, &rig, "one")).expect("first");
        store.write(&at(0), |w| broke_down(w, &rig, "again")).expect("paused");
        store.write(&at(0), |w| configured(w, &rig, "one")).expect("the same");
        assert!(store.read(|r| pause(r, &rig)).expect("read").is_some(), "a restart of the daemon hurries nothing");
        store.write(&at(0), |w| configured(w, &rig, "two")).expect("another");
        assert_eq!(store.read(|r| pause(r, &rig)).expect("read"), None);
    }
}
