//! One line of `issues.jsonl`, both ways.

use serde_json::Value;

use crate::base::{BeadId, Time};
use crate::store::row::ODD_DEPENDENCIES;
use crate::store::{Bead, Map, Status};

/// A line that could be read, and what had to be mended to do so.
#[derive(Debug, Clone)]
pub struct ParsedLine {
    /// The bead with its labels, dependencies and comments.
    pub bead: Bead,
    /// What was mended, in words.
    pub repairs: Vec<String>,
}

/// Reads a line. Whatever can be kept is; the error says why nothing could.
pub fn parse_line(line: &str) -> Result<ParsedLine, String> {
    let (bead, mut repairs) = match serde_json::from_str::<Bead>(line) {
        Ok(bead) => (bead, Vec::new()),
        Err(_) => piecewise(line)?,
    };
    let bead = mend(bead, &mut repairs);
    Ok(ParsedLine { bead, repairs })
}

/// Reads key by key, leaving out what does not fit.
fn piecewise(line: &str) -> Result<(Bead, Vec<String>), String> {
    let mut all: Map = serde_json::from_str(line).map_err(|e| format!("no JSON object: {e}"))?;
    let id = all.get("id").and_then(Value::as_str).ok_or("it has no id")?;
    let id = BeadId::new(id).map_err(|e| e.to_string())?;
    let mut repairs = Vec::new();
    let time = |key: &str| all.get(key).and_then(Value::as_str).and_then(|t| t.parse::<Time>().ok());
    let (created, updated) = (time("created_at"), time("updated_at"));
    let fallback = created.or(updated).unwrap_or(Time::from_millis(0));
    for (key, value) in [("created_at", created), ("updated_at", updated)] {
        if value.is_none() {
            repairs.push(format!("{key} was missing or no time; set to {fallback}"));
            all.insert(key.to_owned(), fallback.to_string().into());
        }
    }
    if let Some(Value::Array(deps)) = all.get_mut("dependencies") {
        let (good, odd): (Vec<Value>, Vec<Value>) = std::mem::take(deps)
            .into_iter()
            .partition(|dep| serde_json::from_value::<crate::store::Dep>(dep.clone()).is_ok());
        *deps = good;
        if !odd.is_empty() {
            repairs
                .push(format!("{} kept without effect: no bead id", crate::base::text::count(odd.len(), "dependency")));
            all.insert(ODD_DEPENDENCIES.to_owned(), odd.into());
        }
    }
    let mut kept = Map::new();
    for key in ["id", "created_at", "updated_at"] {
        kept.extend(all.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    for (key, value) in all {
        let before = kept.insert(key.clone(), value.clone());
        if serde_json::from_value::<Bead>(Value::Object(kept.clone())).is_err() {
            kept.shift_remove(&key);
            kept.extend(before.map(|before| (key.clone(), before)));
            if !value.is_null() {
                repairs.push(format!("`{key}` has a value of the wrong kind and was left out"));
            }
        }
    }
    let bead = serde_json::from_value(Value::Object(kept)).map_err(|e| format!("{id}: {e}"))?;
    Ok((bead, repairs))
}

/// Mends values that break the rules of the format.
fn mend(mut bead: Bead, repairs: &mut Vec<String>) -> Bead {
    if bead.status.as_str().is_empty() {
        bead.status = Status::OPEN;
    }
    if bead.issue_type.as_str().is_empty() {
        bead.issue_type = crate::store::IssueType::TASK;
    }
    if bead.priority > 4 {
        repairs.push(format!("priority {} became 4", bead.priority));
        bead.priority = 4;
    }
    let later = bead.created_at.max(bead.updated_at).plus_millis(1_000);
    if bead.status == "closed" && bead.closed_at.is_none() {
        repairs.push("closed without a time; set".to_owned());
        bead.closed_at = Some(later);
    }
    if !bead.is_over() && bead.closed_at.is_some() {
        repairs.push(format!("{} with a closing time; removed", bead.status));
        bead.closed_at = None;
    }
    if bead.status == "tombstone" && bead.deleted_at.is_none() {
        repairs.push("deleted without a time; set".to_owned());
        bead.deleted_at = Some(later);
    }
    if bead.id.as_str().contains("-wisp-") {
        bead.ephemeral = true;
    }
    if bead.title.is_empty() {
        repairs.push("it has no title".to_owned());
    }
    let labels = bead.labels.len();
    bead.labels.retain(|label| !label.is_empty() && !label.contains(char::is_control));
    if bead.labels.len() < labels {
        repairs.push("labels with control characters were left out".to_owned());
    }
    bead.labels.sort();
    bead.labels.dedup();
    bead
}

/// Writes a bead as a line, without the line feed: keys in the order of the format, `<`, `>`, `&` and the two
/// line separators of Unicode as escapes, as the format's other writers do.
pub fn format_line(bead: &Bead) -> String {
    let mut bead = bead.clone();
    let odd = bead.extra.shift_remove(ODD_DEPENDENCIES);
    let text = match odd {
        None => serde_json::to_string(&bead).unwrap_or_default(),
        Some(odd) => {
            let mut all = match serde_json::to_value(&bead) {
                Ok(Value::Object(all)) => all,
                _ => Map::new(),
            };
            let more = odd.as_array().cloned().unwrap_or_default();
            match all.get_mut("dependencies").and_then(Value::as_array_mut) {
                Some(deps) => deps.extend(more),
                None => _ = all.insert("dependencies".to_owned(), more.into()),
            }
            Value::Object(all).to_string()
        }
    };
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_and_writes_the_same_bytes() {
        let line = r#"{"id":"bd-1","title":"a \u003c b \u0026 c","status":"open","priority":0,"issue_type":"bug","created_at":"2026-01-11T10:33:47.827185-08:00","updated_at":"2026-01-11T10:33:47.827185-08:00","labels":["x"],"dependencies":[{"issue_id":"bd-1","depends_on_id":"bd-2","type":"blocks","created_at":"2026-01-11T10:33:47.827185-08:00"}],"from_later":{"a":1.5}}"#;
        let parsed = parse_line(line).expect("parse");
        assert!(parsed.repairs.is_empty());
        assert_eq!(format_line(&parsed.bead), line);
    }

    #[test]
    fn what_does_not_fit_is_left_out_alone() {
        let line = r#"{"id":"bd-1","title":"t","priority":"high","created_at":"2026-01-01T00:00:00Z","dependencies":[{"issue_id":"bd-1","depends_on_id":"external:p:c","type":"blocks","created_at":"2026-01-01T00:00:00Z"}],"crystallizes":0.5,"new":[1]}"#;
        let parsed = parse_line(line).expect("parse");
        assert_eq!(parsed.repairs.len(), 3, "{:?}", parsed.repairs);
        assert_eq!((parsed.bead.title.as_str(), parsed.bead.priority), ("t", 0));
        let back = format_line(&parsed.bead);
        assert!(
            back.contains("external:p:c") && back.contains("\"new\":[1]") && back.contains("\"crystallizes\":0.5"),
            "{back}"
        );
        for bad in ["", "[]", "{}", "{\"id\":\"../x\"}", "{\"id\":1}", "nonsense"] {
            assert!(parse_line(bad).is_err(), "{bad}");
        }
    }
}
