//! Texts that were read, and places in them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::Layer;

/// One file of formulas, as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What messages call it: the path, or `builtin:shiny.formula.toml`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The layer that it was found in.
    pub layer: Layer,
    lines: OnceLock<Box<[u32]>>,
}

impl Source {
    /// A text that was read from `path`.
    pub fn new(path: impl Into<String>, text: impl Into<String>, layer: Layer) -> Self {
        Self { path: path.into(), text: text.into(), layer, lines: OnceLock::new() }
    }

    /// Line and column, both from 1, of byte `offset`; the column counts characters.
    pub fn line_col(&self, offset: usize) -> (usize, usize) {
        let starts = self.lines.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(i, _)| i as u32 + 1)).collect()
        });
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = starts.partition_point(|start| *start as usize <= end);
        let start = starts[line - 1] as usize;
        (line, self.text[start..end].chars().count() + 1)
    }
}

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.text.as_str().read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.clone(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}

/// A range of bytes in a source.
#[derive(Clone, PartialEq, Eq)]
pub struct At {
    /// The file.
    pub source: Arc<Source>,
    start: u32,
    end: u32,
}

impl At {
    /// The bytes `range` of `source`. Sources are smaller than 4 GB (see `Limits::file_bytes`).
    pub fn new(source: &Arc<Source>, range: std::ops::Range<usize>) -> Self {
        Self { source: Arc::clone(source), start: range.start as u32, end: range.end.max(range.start) as u32 }
    }

    /// The first byte.
    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it covers no text.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Whether it is the same place of the same file.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.start, self.end) == (other.start, other.end) && self.source.path == other.source.path
    }

    /// Line and column from 1.
    pub fn line_col(&self) -> (usize, usize) {
        self.source.line_col(self.start())
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}..{}", self.source.path, self.start, self.end)
    }
}

/// A text and where it was written. Cheap to clone: an expansion makes a million of them.
#[derive(Debug, Clone)]
pub struct Text {
    /// The text.
    pub value: Arc<str>,
    /// Where it was written.
    pub at: At,
}

impl Text {
    /// `value`, written at `at`.
    pub fn new(value: impl Into<Arc<str>>, at: At) -> Self {
        Self { value: value.into(), at }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// Where `part` of the text is written, if that can be found: with escapes it may be written otherwise.
    pub(crate) fn part(&self, part: &str) -> Option<At> {
        let from = self.at.start();
        let written = self.at.source.text.get(from..from + self.at.len())?;
        let found = from + written.find(part).filter(|_| !part.is_empty())?;
        Some(At::new(&self.at.source, found..found + part.len()))
    }

    /// Another value for the same place.
    #[must_use]
    pub fn with(&self, value: impl Into<Arc<str>>) -> Self {
        Self { value: value.into(), at: self.at.clone() }
    }
}

impl PartialEq for Text {
    /// Two texts are equal when they say the same, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.value)
    }
}
