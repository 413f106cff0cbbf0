//! Time: an instant with the offset it was written in, and where "now" comes from.
//!
//! The engine takes a [`Clock`]; only the command line decides that it is the system's.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::Offset;

/// An instant, with the UTC offset it was recorded with, so that it prints as it was read.
///
/// Text form: RFC 3339 with up to nine digits of fraction, trailing zeros trimmed, `Z` for offset zero.
/// Order and equality look at the instant alone.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    instant: Timestamp,
    offset: Offset,
}

impl Time {
    /// An instant in UTC.
    pub fn utc(instant: Timestamp) -> Self {
        Self { instant, offset: Offset::UTC }
    }

    /// From milliseconds since the epoch, in UTC; clamped to the years that can be written.
    pub fn from_millis(ms: i64) -> Self {
        Self::utc(Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX }))
    }

    /// An instant out of a text that is nearly a time: a blank for the `T`, a bare date, no offset (then UTC).
    pub fn loosely(text: &str) -> Option<Self> {
        if let Ok(time) = text.parse() {
            return Some(time);
        }
        let text = text.trim();
        let text = text.strip_suffix("UTC").or_else(|| text.strip_suffix("GMT")).unwrap_or(text).trim_end();
        let text = text.replace(" +", "+").replace(" -", "-");
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Self::utc(instant));
        }
        let civil = text.parse::<jiff::civil::DateTime>().ok();
        let civil = civil.or_else(|| text.parse::<jiff::civil::Date>().ok().map(|date| date.at(0, 0, 0, 0)))?;
        Offset::UTC.to_timestamp(civil).ok().map(Self::utc)
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.instant.as_millisecond()
    }

    /// Nanoseconds since the epoch.
    pub fn nanos(self) -> i128 {
        self.instant.as_nanosecond()
    }

    /// The instant without its offset.
    pub fn instant(self) -> Timestamp {
        self.instant
    }

    /// This instant moved by `ms` milliseconds, clamped.
    #[must_use]
    pub fn plus_millis(self, ms: i64) -> Self {
        Self { offset: self.offset, ..Self::from_millis(self.millis().saturating_add(ms)) }
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.instant == other.instant
    }
}
impl Eq for Time {}
impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Time {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.instant.cmp(&other.instant)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.offset.to_datetime(self.instant);
        let (date, time) = (local.date(), local.time());
        write!(f, "{:04}-{:02}-{:02}T", date.year(), date.month(), date.day())?;
        write!(f, "{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())?;
        let nanos = time.subsec_nanosecond();
        if nanos != 0 {
            let digits = format!("{nanos:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        let seconds = self.offset.seconds();
        if seconds == 0 {
            return f.write_str("Z");
        }
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.unsigned_abs() / 60;
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time; use RFC 3339, as in 2026-01-31T09:30:00Z")]
pub struct TimeError(pub String);

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let bad = || TimeError(text.chars().take(60).collect());
        let instant: Timestamp = text.parse().map_err(|_| bad())?;
        let offset = offset_of(text).ok_or_else(bad)?;
        Ok(Self { instant, offset })
    }
}

fn offset_of(text: &str) -> Option<Offset> {
    if text.ends_with(['Z', 'z']) {
        return Some(Offset::UTC);
    }
    let tail = text.get(text.len().checked_sub(6)?..)?;
    let sign = match tail.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours: i32 = tail.get(1..3)?.parse().ok()?;
    let minutes: i32 = tail.get(4..6)?.parse().ok()?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where "now" comes from.
pub trait Clock: Send + Sync {
    /// The current instant, in UTC, to the microsecond.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let micros = Timestamp::now().as_microsecond();
        Time::utc(Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

/// A clock that stands still, for tests and replays.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Time);

impl Clock for FixedClock {
    fn now(&self) -> Time {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_prints_as_it_was_read() {
        for text in [
            "2026-01-11T10:33:47.827185-08:00",
            "2026-01-11T10:33:47Z",
            "2025-12-31T23:59:59.5+05:30",
            "2025-12-31T23:59:59.123456789Z",
        ] {
            assert_eq!(text.parse::<Time>().expect("valid").to_string(), text);
        }
        assert!("2026-01-11".parse::<Time>().is_err());
        for (text, time) in [
            ("2026-01-11", "2026-01-11T00:00:00Z"),
            ("2026-01-11 10:33:47.5", "2026-01-11T10:33:47.5Z"),
            ("2026-01-11 10:33:47 +0100", "2026-01-11T09:33:47Z"),
            ("2026-01-11T10:33:47 UTC", "2026-01-11T10:33:47Z"),
        ] {
            assert_eq!(Time::loosely(text).map(|t| t.to_string()).as_deref(), Some(time), "{text}");
        }
        assert_eq!(Time::loosely("soon"), None);
    }

    #[test]
    fn order_is_by_instant_not_by_text() {
        let a: Time = "2026-01-01T00:00:00Z".parse().expect("valid");
        let b: Time = "2026-01-01T01:00:00+01:00".parse().expect("valid");
        assert_eq!(a, b);
    }
}
