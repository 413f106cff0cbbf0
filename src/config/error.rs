//! What is wrong in a file of configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::text;

/// A file of configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1; 0 when the file could not be read at all.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, a lower-case fragment.
    pub message: String,
    /// The line itself and carets under the place; empty when there is no line.
    pub excerpt: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl ConfigError {
    /// The file cannot be read.
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            column: 0,
            message: format!("cannot be read: {error}"),
            excerpt: String::new(),
            hint: None,
        }
    }

    /// From what the parser says about `source`.
    pub(crate) fn parse(path: &Path, source: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        let (message, hint) = reword(error.message());
        Self::at(path, source, span, message, hint)
    }

    /// At a range of bytes of `source`.
    pub(super) fn at(
        path: &Path,
        source: &str,
        span: std::ops::Range<usize>,
        message: String,
        hint: Option<String>,
    ) -> Self {
        let (line, column) = line_column(source, span.start);
        Self { path: path.to_owned(), line, column, message, excerpt: excerpt(source, &span, line, column), hint }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.line == 0 {
            write!(f, "{path}: {}", self.message)?;
        } else {
            write!(f, "{path}:{}:{}: {}", self.line, self.column, self.message)?;
        }
        if !self.excerpt.is_empty() {
            write!(f, "\n{}", self.excerpt)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Line and column, both from 1, of the byte at `offset`.
pub(super) fn line_column(source: &str, offset: usize) -> (usize, usize) {
    let before = &source.as_bytes()[..offset.min(source.len())];
    let line = before.split(|b| *b == b'\n').count();
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

fn excerpt(source: &str, span: &std::ops::Range<usize>, line: usize, column: usize) -> String {
    let Some(text) = source.lines().nth(line - 1) else { return String::new() };
    let (number, text) = (line.to_string(), text::printable(text).replace('\t', " "));
    let rest = text.chars().count().saturating_sub(column - 1).max(1);
    let carets = "^".repeat(span.len().clamp(1, rest));
    let (blank, indent) = (" ".repeat(number.len()), " ".repeat(column - 1));
    format!("  {number} | {text}\n  {blank} | {indent}{carets}")
}

/// Keys that people put at the top of a file, and where they belong.
const MOVED: &[(&str, &str)] = &[("restarts", "`restarts` under [roles.witness]")];

/// The parser's words as ours, with a suggestion when a word is nearly one of those expected.
fn reword(message: &str) -> (String, Option<String>) {
    let Some((found, expected)) = message.split_once(", expected ") else { return (message.to_owned(), None) };
    let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let given = found.split('`').nth(1).unwrap_or_default();
    let what = if found.starts_with("unknown field") {
        "key"
    } else if found.starts_with("unknown variant") {
        "value"
    } else {
        return (message.to_owned(), None);
    };
    // Only at the top of a file, where `roles` is a key.
    let moved = MOVED.iter().find(|(key, _)| *key == given && words.contains(&"roles"));
    let hint = match (moved, text::similar(given, words.iter().copied())) {
        (Some((_, now)), _) => format!("it is set as {now}"),
        (None, Some(word)) => format!("did you mean `{word}`?"),
        (None, None) => format!("expected one of {}", words.join(", ")),
    };
    (format!("unknown {what} `{given}`"), Some(hint))
}
