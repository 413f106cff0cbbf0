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
        // Written by hand: a large molecule has some million times in it.
        let local = self.offset.to_datetime(self.instant);
        let (date, time) = (local.date(), local.time());
        if !(0..=9999).contains(&date.year()) {
            write!(f, "{:04}", date.year())?;
        }
        let mut text = [0_u8; 35];
        let mut len = 0;
        let mut put = |value: u32, digits: u32, after: &[u8]| {
            for place in (0..digits).rev() {
                text[len] = b'0' + (value / 10_u32.pow(place) % 10) as u8;
                len += 1;
            }
            for byte in after {
                text[len] = *byte;
                len += 1;
            }
        };
        let small = |n: i8| u32::from(n.unsigned_abs());
        if (0..=9999).contains(&date.year()) {
            put(u32::from(date.year().unsigned_abs()), 4, b"");
        }
        put(0, 0, b"-");
        put(small(date.month()), 2, b"-");
        put(small(date.day()), 2, b"T");
        put(small(time.hour()), 2, b":");
        put(small(time.minute()), 2, b":");
        put(small(time.second()), 2, b"");
        let mut fraction = time.subsec_nanosecond().unsigned_abs();
        if fraction != 0 {
            let mut digits = 9;
            while fraction % 10 == 0 {
                fraction /= 10;
                digits -= 1;
            }
            put(0, 0, b".");
            put(fraction, digits, b"");
        }
        let seconds = self.offset.seconds();
        if seconds == 0 {
            put(0, 0, b"Z");
        } else {
            let minutes = seconds.unsigned_abs() / 60;
            put(0, 0, if seconds < 0 { b"-" } else { b"+" });
            put(minutes / 60, 2, b":");
            put(minutes % 60, 2, b"");
        }
        f.write_str(std::str::from_utf8(&text[..len]).map_err(|_| fmt::Error)?)
    }
}

/// A text that is no RFC 3339 time, or a time that no clock of ours can show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is {why}", text = .0, why = wrong_with(.0))]
pub struct TimeError(pub String);

fn wrong_with(text: &str) -> String {
    if jiff::fmt::temporal::Pieces::parse(text).is_ok_and(|pieces| pieces.time().is_some() && pieces.offset().is_some())
    {
        format!("beyond the times that can be kept, {} to {}", Timestamp::MIN, Timestamp::MAX)
    } else {
        "not a time; use RFC 3339, as in 2026-01-31T09:30:00Z".to_owned()
    }
}

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

super::text::serde_as_text!(Time);

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

/// The earlier of two moments, of which there may be none.
pub fn earliest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
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
