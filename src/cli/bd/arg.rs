//! Values of flags as people type them.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::span::Span;
use crate::base::{Time, text};
use crate::cli::CliError;
use crate::store::{DepKind, IssueType, Status, interchange};

/// `0`-`4` or `P0`-`P4`.
pub(super) fn priority(text: &str) -> Result<u8, String> {
    let digit = text.strip_prefix(['p', 'P']).unwrap_or(text);
    match digit.parse() {
        Ok(n @ 0..=4) => Ok(n),
        _ => Err("use 0 (critical) to 4 (backlog), or P0 to P4".to_owned()),
    }
}

/// A type by its name or short form.
pub(super) fn issue_type(text: &str) -> Result<IssueType, String> {
    word(text).map(|word| IssueType::from_alias(&word))
}

/// A status by its name; `-` and `_` are the same.
pub(super) fn status(text: &str) -> Result<Status, String> {
    word(text).map(|word| Status::new(&word.replace('-', "_")))
}

/// The kind of an edge by its name.
pub(super) fn dep_kind(text: &str) -> Result<DepKind, String> {
    word(text).map(|word| DepKind::new(&word))
}

/// Refuses an edge to a capability of another project, as in `external:PROJECT:CAPABILITY`, also behind the edge's kind.
pub(super) fn no_other_project(text: &str) -> Result<(), CliError> {
    let end = text.split_once(':').map_or("", |(_, end)| end);
    if !text.starts_with("external:") && !end.starts_with("external:") {
        return Ok(());
    }
    Err(CliError::refused(format!("`{text}`: nothing here looks into other projects, so nothing would ever end that wait"))
        .hint("`bd gate create --type gh:pr --await NUMBER --blocks ID` waits for a change elsewhere, `--type human` for a person's word"))
}

fn word(text: &str) -> Result<String, String> {
    let good =
        !text.is_empty() && text.len() <= 50 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b));
    if good { Ok(text.to_ascii_lowercase()) } else { Err("use 1-50 letters, digits, `-` or `_`".to_owned()) }
}

/// An instant: RFC 3339, a date, or a length of time from now (`2d`, `+1h30m`, `tomorrow`).
pub(super) fn when(text: &str, now: Time) -> Result<Time, CliError> {
    if let Ok(time) = text.parse::<Time>() {
        return Ok(time);
    }
    if let Ok(time) = format!("{text}T00:00:00Z").parse::<Time>() {
        return Ok(time);
    }
    if text == "tomorrow" {
        return Ok(now.plus_millis(86_400_000));
    }
    match text.strip_prefix('+').unwrap_or(text).parse::<Span>() {
        Ok(span) => Ok(now.plus_millis(span.as_millis())),
        Err(_) => Err(CliError::user(format!("`{text}` is not a time"))
            .hint("use 2026-01-31, 2026-01-31T09:30:00Z, or a length of time from now as in 2d")),
    }
}

/// An instant in the past: as [`when`], but a length of time counts back.
pub(super) fn since(text: &str, now: Time) -> Result<Time, CliError> {
    match text.strip_prefix('-').unwrap_or(text).parse::<Span>() {
        Ok(span) => Ok(now.plus_millis(-span.as_millis())),
        Err(_) => when(text, now),
    }
}

/// `KEY=VALUE`, where VALUE is JSON or else text; none for an empty one.
pub(super) fn meta(pair: &str) -> Result<(String, Option<serde_json::Value>), CliError> {
    let (key, value) = pair.split_once('=').ok_or_else(|| CliError::user(format!("`{pair}` is not KEY=VALUE")))?;
    let value = match value {
        "" => None,
        text => Some(interchange::value(text).unwrap_or_else(|| text.to_owned().into())),
    };
    Ok((key.to_owned(), value))
}

/// A text, or with `-` what stands on stdin.
pub(super) fn text_or_stdin(text: String) -> Result<String, CliError> {
    if text == "-" { stdin() } else { Ok(text) }
}

/// Whether stdin holds the commands of a batch: then it has nothing for any of them.
static BATCH: AtomicBool = AtomicBool::new(false);

/// All of stdin, as the commands of a batch; none of them can read it after that.
pub(super) fn batch() -> Result<String, CliError> {
    let text = stdin()?;
    BATCH.store(true, Ordering::Relaxed);
    Ok(text)
}

/// All of stdin.
pub(super) fn stdin() -> Result<String, CliError> {
    if BATCH.load(Ordering::Relaxed) {
        return Err(CliError::user("a line of a batch cannot read stdin: the batch itself stands there")
            .hint("write the text into the line (in \"…\", with \\n for a new line), or name a file instead of `-`"));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| CliError::user(format!("stdin cannot be read: {e}")))?;
    Ok(text::unmarked(text))
}

/// A file's text, or with `-` what stands on stdin.
pub(super) fn file_or_stdin(path: &std::path::Path) -> Result<String, CliError> {
    if path.as_os_str() == "-" {
        return stdin();
    }
    std::fs::read_to_string(path)
        .map(text::unmarked)
        .map_err(|e| CliError::path(path, &e, "name a file that is there, or - for the standard input"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_type_priorities_and_times_in_several_ways() {
        assert_eq!((priority("P1"), priority("4")), (Ok(1), Ok(4)));
        assert!(priority("5").is_err() && priority("high").is_err());
        let now = Time::from_millis(0);
        assert_eq!(when("2d", now).expect("span").millis(), 172_800_000);
        assert_eq!(when("1970-01-02", now).expect("date").millis(), 86_400_000);
        assert_eq!(since("1s", now).expect("span").millis(), -1000);
        assert!(when("soonish", now).is_err());
    }
}
