//! Lengths of time as people write them: `90s`, `5m`, `1h30m`, `7d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time in whole milliseconds. Serialised as the text that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time; use numbers with ms, s, m, h, d or w, as in 1h30m")]
pub struct SpanError(pub String);

const UNITS: [(&str, i64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    /// A span of `ms` milliseconds.
    pub const fn millis(ms: i64) -> Self {
        Self(ms)
    }

    /// A span of `s` seconds.
    pub const fn seconds(s: i64) -> Self {
        Self(s * 1000)
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// As a standard duration; a negative span is zero.
    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<Duration> for Span {
    fn from(d: Duration) -> Self {
        Self(i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Span {
    /// The two largest units, as people say it: `1h30m`, `18m`, `4s`, `250ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.pad("0s");
        }
        let mut out = String::from(if self.0 < 0 { "-" } else { "" });
        let (mut rest, mut parts) = (self.0.unsigned_abs(), 0);
        for (unit, size) in UNITS {
            let size = size.unsigned_abs();
            let n = rest / size;
            if n > 0 && unit != "w" && (unit != "ms" || parts == 0) {
                out.push_str(&format!("{n}{unit}"));
                rest %= size;
                parts += 1;
            }
            if parts == 2 {
                break;
            }
        }
        f.pad(&out)
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let bad = || SpanError(text.chars().take(60).collect());
        let (mut total, mut rest) = (0_i64, text.trim());
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let n: i64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let (_, size) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(bad)?;
            rest = &rest[letters..];
            total = n.checked_mul(*size).and_then(|ms| total.checked_add(ms)).ok_or_else(bad)?;
        }
        Ok(Self(total))
    }
}

super::text::serde_as_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ms) in [("5m", 300_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("250ms", 250), ("90s", 90_000)]
        {
            assert_eq!(text.parse::<Span>().expect("valid").as_millis(), ms);
        }
        assert_eq!(Span::seconds(90).to_string(), "1m30s");
        assert_eq!(Span::millis(5_400_000).to_string(), "1h30m");
        assert_eq!(Span::millis(604_800_000).to_string(), "7d");
        for bad in ["", "5", "m", "5x", "5 m", "99999999999999999999s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
