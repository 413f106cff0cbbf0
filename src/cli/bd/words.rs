//! Statuses and types are open sets of words; a word that nobody uses is a slip of the finger.

use super::Context;
use crate::base::text;
use crate::cli::CliError;
use crate::store::{DepKind, Filter, IssueType, Read, Status};

/// Types of other trackers that need no setting.
const MORE_TYPES: [&str; 3] = ["spike", "story", "milestone"];

/// Refuses a status or a type that a bead is to get and that neither this program nor the tracker's settings know.
pub(super) fn check(r: &Read<'_>, status: Option<&Status>, kind: Option<&IssueType>) -> Result<(), CliError> {
    if let Some(status) = status.filter(|status| !status.is_known()) {
        word(r, "status", status.as_str(), Status::KNOWN, "status.custom")?;
    }
    if let Some(kind) = kind.filter(|kind| !kind.is_known() && !MORE_TYPES.contains(&kind.as_str())) {
        word(r, "type", kind.as_str(), IssueType::KNOWN, "types.custom")?;
    }
    Ok(())
}

/// Refuses to look for words that are neither known nor anywhere in use.
pub(super) fn check_filter(r: &Read<'_>, filter: &Filter) -> Result<(), CliError> {
    for status in filter.statuses.iter().filter(|status| !status.is_known()) {
        if r.count(&Filter { statuses: vec![status.clone()], ..Filter::default() })? == 0 {
            check(r, Some(status), None)?;
        }
    }
    for kind in filter.types.iter().filter(|kind| !kind.is_known()) {
        if r.count(&Filter { types: vec![kind.clone()], ..Filter::default() })? == 0 {
            check(r, None, Some(kind))?;
        }
    }
    Ok(())
}

/// Says of a kind of edge that this program does not know what that means: any word may be one.
pub(super) fn note_kind(cx: &Context, kind: &DepKind) {
    if kind.is_known() {
        return;
    }
    let like = text::similar(kind.as_str(), DepKind::KNOWN.iter().copied());
    let like = like.map(|like| format!("; did you mean `{like}`?")).unwrap_or_default();
    cx.out.note(&format!("note: `{kind}` is a dependency type of your own, which holds nothing back{like}"));
}

fn word(r: &Read<'_>, what: &str, given: &str, known: &[&'static str], setting: &str) -> Result<(), CliError> {
    let custom = r.setting(setting)?.unwrap_or_default();
    // Some versions of the format write `word:category`.
    let custom: Vec<&str> = custom.split(',').filter_map(|word| word.split(':').next()).map(str::trim).collect();
    if custom.contains(&given) {
        return Ok(());
    }
    let mut error = CliError::user(format!("there is no {what} `{given}`"));
    error = match text::similar(given, known.iter().copied().chain(custom.iter().copied())) {
        Some(like) => error.hint(format!("did you mean `{like}`?")),
        None => error.hint(format!("known are {}", known.join(", "))),
    };
    let all: Vec<&str> = custom.into_iter().filter(|word| !word.is_empty()).chain([given]).collect();
    Err(error.hint(format!("a word of your own: bd config set {setting} {}", all.join(","))))
}
