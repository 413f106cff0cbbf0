//! Formulas on the command line: how they are named, `--var`, and how it is told what is wrong with one.

use std::path::Path;

use super::{CliError, Kind, Output, output};
use crate::base::path::plain;
use crate::formula::{Diagnostic, Report, Severity, is_path};

/// `name=value`, for `--var`.
pub(super) fn var(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("use NAME=VALUE".to_owned()),
    }
}

/// A formula as it was named: a path counts from where the command works.
pub(super) fn path(cwd: &Path, name: &str) -> String {
    if is_path(name) { plain(&cwd.join(name)).display().to_string() } else { name.to_owned() }
}

fn kind(report: &Report) -> Kind {
    let missing = |f: &Diagnostic| matches!(f.code, "unknown-formula" | "no-file") && f.at.is_none();
    if report.findings.iter().any(missing) {
        return Kind::NotFound;
    }
    // Nothing is wrong with the formula, only with what it was given.
    let mut errors = report.findings.iter().filter(|f| f.severity == Severity::Error);
    if errors.all(|f| ["missing-var", "var-value"].contains(&f.code)) { Kind::User } else { Kind::Config }
}

/// The error for a report whose only finding has no place in a file: most often that there is no such formula.
pub(super) fn placeless(report: &Report) -> Option<CliError> {
    let [only] = report.findings.as_slice() else { return None };
    if only.at.is_some() {
        return None;
    }
    let error = CliError::new(kind(report), only.message.clone());
    Some(match &only.help {
        Some(help) => error.hint(help.clone()),
        None => error,
    })
}

/// The error for a formula that `what` (cannot be cooked): the findings with their excerpts, then one line.
pub(super) fn wrong(out: Output, name: &str, what: &str, report: &Report) -> CliError {
    if let Some(error) = placeless(report) {
        return error;
    }
    let kind = kind(report);
    let errors = crate::base::text::count(report.errors(), "error");
    let mut error = CliError::new(kind, format!("`{name}` {what}: {errors}"));
    if out.json {
        let line =
            |f: &Diagnostic| f.place().map_or_else(|| f.message.clone(), |place| format!("{place}: {}", f.message));
        error.causes = report.findings.iter().map(line).collect();
    } else {
        output::message(&report.render(false));
    }
    error
}
