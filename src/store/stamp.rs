//! Who writes and when, and the clock that orders writes of several replicas.

use crate::base::Time;

/// Who writes, and when it is.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// An address of the town, or a person's name.
    pub actor: String,
    /// The present, from the caller's clock.
    pub now: Time,
}

impl Stamp {
    /// A stamp of `actor` at `now`.
    pub fn new(actor: impl Into<String>, now: Time) -> Self {
        Self { actor: actor.into(), now }
    }
}

/// A hybrid logical clock value: milliseconds and a counter for values within one millisecond.
///
/// It never runs back, even when the machine's clock does. Written as sixteen hexadecimal digits followed by
/// `-` and the replica, so that comparing texts compares instants, then replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Tick {
    pub(super) ms: u64,
    pub(super) counter: u16,
}

/// The end of the year 9999, in milliseconds.
const END_MS: u64 = 253_402_300_800_000;
/// Whether a stamp, as text, is later than all that a clock can say: following it would leave no room for later ones.
pub fn is_beyond(stamp: &str) -> bool {
    stamp >= format!("{END_MS:012x}").as_str()
}

/// The least stamp of the same replica that is later; what is no stamp stays as it is.
pub fn stamp_after(stamp: &str) -> String {
    match (Tick::parse(stamp), stamp.split_once('-')) {
        (Some(tick), Some((_, replica))) => tick.after().text(replica),
        _ => stamp.to_owned(),
    }
}

/// The replica in the stamps of what a line of `issues.jsonl` says: the same in every clone that reads the line, and
/// before the name of any clone, so that at one instant what a clone wrote is the later.
pub(super) const LINE: &str = ".line";

impl Tick {
    /// The first value of an instant; one beyond those that [`Self::parse`] reads is the last of them.
    pub(super) fn at(time: Time) -> Self {
        Self { ms: (time.millis().max(0) as u64).min(END_MS - 1), counter: 0 }
    }

    /// The value that follows `self` when the machine says `now`.
    pub(super) fn next(self, now: Time) -> Self {
        let ms = now.millis().max(0) as u64;
        if ms > self.ms { Self { ms, counter: 0 } } else { self.after() }
    }

    /// The least value that is later.
    pub(super) fn after(self) -> Self {
        if self.counter == u16::MAX {
            Self { ms: self.ms + 1, counter: 0 }
        } else {
            Self { ms: self.ms, counter: self.counter + 1 }
        }
    }

    /// The text form, for `replica`.
    pub(super) fn text(self, replica: &str) -> String {
        format!("{:012x}{:04x}-{replica}", self.ms & 0xffff_ffff_ffff, self.counter)
    }

    /// The clock value of a stamp's text form, if it is one.
    ///
    /// One beyond the year 9999 is no clock's value: following it would leave no room for later ones.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.split_once('-')?.0;
        if digits.len() != 16 {
            return None;
        }
        let n = u64::from_str_radix(digits, 16).ok()?;
        let tick = Self { ms: n >> 16, counter: (n & 0xffff) as u16 };
        (tick.ms < END_MS).then_some(tick)
    }

    /// As one integer, for storing.
    pub(super) fn to_int(self) -> i64 {
        ((self.ms << 16) | u64::from(self.counter)) as i64
    }

    /// From the stored integer.
    pub(super) fn from_int(n: i64) -> Self {
        let n = n as u64;
        Self { ms: n >> 16, counter: (n & 0xffff) as u16 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_back() {
        let a = Tick::default().next(Time::from_millis(1_000));
        let b = a.next(Time::from_millis(500));
        let c = b.next(Time::from_millis(2_000));
        assert!(a < b && b < c);
        assert!(a.text("zz") < b.text("aa") && b.text("zz") < c.text("aa"));
        assert_eq!(Tick::from_int(b.to_int()), b);
        assert_eq!(Tick::parse(&b.text("aa-b")), Some(b));
        assert_eq!(Tick::parse("ffffffffffffffff-aa"), None);
    }

    #[test]
    fn what_a_line_says_comes_before_what_any_clone_wrote_at_that_instant() {
        let at = Tick::at(Time::from_millis(1_000));
        let clone = super::super::file::replica_name(std::path::Path::new("/x"), Time::from_millis(0));
        assert!(at.text(LINE) < at.text(&clone) && at.text(&clone) < at.after().text(LINE));
        assert_eq!(Tick::parse(&at.text(LINE)), Some(at));
        let last = Tick::at(Time::from_millis(i64::MAX));
        assert_eq!(Tick::parse(&last.text(LINE)), Some(last));
        assert!(!is_beyond(&last.text(LINE)) && is_beyond("ffffffffffffffff-aa") && is_beyond("x") && !is_beyond(""));
    }
}
