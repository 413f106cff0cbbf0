//! What the compiler has to say: findings with place, excerpt, reason and suggestion, all of them at once.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::At;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Cooking goes on.
    Warning,
    /// There will be no protomolecule.
    Error,
}

/// One finding.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name, as in `unknown-need`.
    pub code: &'static str,
    /// A lower-case sentence without a full stop: what is wrong.
    pub message: String,
    /// Where, and what to say under the caret.
    pub at: Option<(At, String)>,
    /// Other places that explain it, with their words.
    pub also: Vec<(At, String)>,
    /// What to do.
    pub help: Option<String>,
    /// It stands for others, which are not kept.
    pub(super) more: bool,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            at: None,
            also: Vec::new(),
            help: None,
            more: false,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// About what stands at `at`: an error in a formula of ours; a warning in one that was written for another program, with
    /// what becomes of it: it is not worse there for what that program does not do. It does not point at `at`.
    pub(super) fn by_layer(at: &At, code: &'static str, message: impl Into<String>, then: &str) -> Self {
        if at.source.layer.strict() { Self::error(code, message) } else { Self::warning(code, message.into() + then) }
    }

    /// Points at `at`, saying `label` under the caret.
    #[must_use]
    pub fn at(mut self, at: &At, label: impl Into<String>) -> Self {
        self.at = Some((at.clone(), label.into()));
        self
    }

    /// Points at another place too.
    #[must_use]
    pub fn also(mut self, at: &At, label: impl Into<String>) -> Self {
        self.also.push((at.clone(), label.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// `did you mean `x`?` if one of `candidates` is near `given`.
    #[must_use]
    pub fn suggest<'a>(self, given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let near = crate::base::text::similar(given, candidates).map(|name| format!("did you mean `{name}`?"));
        self.maybe_help(near)
    }

    /// `path:line:col`, if the finding has a place.
    pub fn place(&self) -> Option<String> {
        let (at, _) = self.at.as_ref()?;
        let (line, col) = at.line_col();
        Some(format!("{}:{line}:{col}", at.source.path))
    }

    /// What stands at `at` is no length of time.
    pub(super) fn no_time(time: &str, at: &At) -> Self {
        Self::error("timeout", format!("`{time}` is not a length of time"))
            .at(at, "here")
            .help("write it as 90s, 30m or 1h30m")
    }

    /// Whether both point at the same place, or at none.
    fn is_at(&self, other: &Self) -> bool {
        match (&self.at, &other.at) {
            (Some((a, _)), Some((b, _))) => a.is(b),
            (None, None) => true,
            _ => false,
        }
    }

    fn render(&self, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .with_width(100)
            .with_context_lines(1)
            .with_wrap_lines(true);
        let mut out = String::new();
        if handler.render_report(&mut out, self).is_err() {
            out = format!("{}: {}", self.place().unwrap_or_default(), self.message);
        }
        let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
        windowed(&lines).join("\n").trim_matches('\n').to_owned()
    }

    /// Another finding about another file goes below, since one excerpt shows one file.
    fn elsewhere(&self) -> impl Iterator<Item = &(At, String)> {
        let here = self.at.as_ref().map(|(at, _)| at.source.path.as_str());
        self.also.iter().filter(move |(at, _)| Some(at.source.path.as_str()) != here)
    }
}

/// The widest line of an excerpt; of a longer one, the part around the caret is shown.
const WIDEST: usize = 240;

/// Cuts lines that nobody can read, such as a file that is all one line, down to what is around the caret.
fn windowed(lines: &[&str]) -> Vec<String> {
    let gutter = |line: &str| line.chars().position(|c| c == '│' || c == '·').map_or(0, |at| at + 1);
    let caret = |line: &&&str| {
        let mark = line.trim_start();
        mark.starts_with('·').then(|| line.chars().enumerate().skip(gutter(line)).find(|(_, c)| *c != ' '))?
    };
    if lines.iter().all(|line| line.chars().count() <= WIDEST) {
        return lines.iter().map(|line| (*line).to_owned()).collect();
    }
    let from = lines.iter().find_map(|line| caret(&line)).map_or(0, |(at, _)| at.saturating_sub(WIDEST / 2));
    lines
        .iter()
        .map(|line| {
            let own = gutter(line);
            let moved = own > 0 && from > own;
            let (skip, mark) = match moved {
                true if line.trim_start().starts_with('·') => (from, " "),
                true => (from, "…"),
                false => (own, ""),
            };
            let head: String = line.chars().take(own).collect();
            let shown: String = line.chars().skip(skip).take(WIDEST - own).collect();
            let more = if line.chars().count() > skip + WIDEST - own { "…" } else { "" };
            format!("{head}{mark}{shown}{more}").trim_end().to_owned()
        })
        .collect()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("formula::{}", self.code)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Warning => miette::Severity::Warning,
            Severity::Error => miette::Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let mut lines: Vec<String> = self
            .elsewhere()
            .map(|(at, label)| {
                let (line, col) = at.line_col();
                format!("{label}: {}:{line}:{col}", at.source.path)
            })
            .collect();
        lines.extend(self.help.clone());
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.at.as_ref().map(|(at, _)| &*at.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (first, label) = self.at.as_ref()?;
        let span = |at: &At, label: &str, primary: bool| {
            // A caret under one line says more than a bar beside twenty.
            let text = at.source.text.get(at.start()..at.start() + at.len()).unwrap_or_default();
            let len = text.find('\n').unwrap_or(text.len());
            let label = (!label.is_empty()).then(|| label.to_owned());
            if primary {
                LabeledSpan::new_primary_with_span(label, (at.start(), len))
            } else {
                LabeledSpan::new_with_span(label, (at.start(), len))
            }
        };
        let here = first.source.path.clone();
        let others = self.also.iter().filter(move |(at, _)| at.source.path == here);
        Some(Box::new(
            std::iter::once(span(first, label, true)).chain(others.map(move |(at, label)| span(at, label, false))),
        ))
    }
}

impl serde::Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("severity", &self.severity)?;
        map.serialize_entry("code", self.code)?;
        map.serialize_entry("message", &self.message)?;
        if let Some((at, label)) = &self.at {
            let (line, column) = at.line_col();
            map.serialize_entry("file", &at.source.path)?;
            map.serialize_entry("line", &line)?;
            map.serialize_entry("column", &column)?;
            map.serialize_entry("label", label)?;
        }
        if let Some(help) = &self.help {
            map.serialize_entry("help", help)?;
        }
        map.end()
    }
}

/// Everything found in one go. As an error it prints each finding with its excerpt.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Report {
    /// The findings, in the order in which the stages made them.
    pub findings: Vec<Diagnostic>,
}

/// So many findings are kept: more are not worth anybody's time.
const MOST: usize = 100;

impl Report {
    /// Adds a finding, unless it is there. After the first 100 it only says that there are more.
    pub fn push(&mut self, finding: Diagnostic) {
        let same = |f: &Diagnostic| f.code == finding.code && f.message == finding.message && f.is_at(&finding);
        if self.findings.iter().any(same) {
            return;
        }
        if finding.more {
            self.leave_out(&finding);
        } else if self.findings.len() < MOST {
            self.findings.push(finding);
        } else {
            let warning = |f: &&mut Diagnostic| f.severity == Severity::Warning && !f.more;
            let place = self.findings.iter_mut().rev().find(warning).filter(|_| finding.severity == Severity::Error);
            let left = place.map_or_else(|| finding.clone(), |warning| std::mem::replace(warning, finding.clone()));
            self.leave_out(&left);
        }
    }

    /// Says that there is no place for it.
    fn leave_out(&mut self, finding: &Diagnostic) {
        let found = self.findings.iter().position(|f| f.more);
        let index = found.unwrap_or_else(|| {
            let more = Diagnostic::error("more", "further findings are not shown");
            self.findings.push(Diagnostic { severity: finding.severity, more: true, ..more });
            self.findings.len() - 1
        });
        let last = &mut self.findings[index];
        last.severity = last.severity.max(finding.severity);
    }

    /// Puts the findings in the order of the text, file by file.
    pub(super) fn sort(&mut self) {
        let mut files: Vec<String> = Vec::new();
        let place = |f: &Diagnostic, files: &mut Vec<String>| {
            f.at.as_ref().map(|(at, _)| {
                let known = files.iter().position(|p| *p == at.source.path);
                let file = known.unwrap_or_else(|| {
                    files.push(at.source.path.clone());
                    files.len() - 1
                });
                (file, at.start())
            })
        };
        self.findings.sort_by_cached_key(|f| (f.more, place(f, &mut files)));
    }

    /// Whether there is an error among them.
    pub fn failed(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// How many errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|f| f.severity == Severity::Error).count()
    }

    /// The findings as people read them, with excerpts and carets.
    pub fn render(&self, color: bool) -> String {
        self.findings.iter().map(|f| f.render(color)).collect::<Vec<_>>().join("\n\n")
    }
}

impl From<Diagnostic> for Report {
    fn from(finding: Diagnostic) -> Self {
        Self { findings: vec![finding] }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}
