//! How `gt why` reads on a screen.

use serde_json::Value;

use super::Why;
use crate::base::Time;
use crate::base::text::headline;
use crate::store::DecisionRow;

/// The whole answer.
pub(super) fn of(why: &Why) -> String {
    let mut lines = vec![why.now.clone()];
    if let Some(waits) = &why.waits {
        lines.push(format!("  now      {waits}"));
    }
    lines.extend(why.printed.iter().map(|line| format!("           {line}")));
    if why.decisions.is_empty() {
        lines.push("  no policy has decided anything about it".into());
    }
    let mut rows: Vec<(Time, Vec<String>)> = why.decisions.iter().map(|row| (row.at, decision(row))).collect();
    rows.extend(why.happened.iter().map(|h| {
        let sign = if h.why.is_empty() { "" } else { ": " };
        (h.at, vec![format!("{} {} {}{sign}{}", clock(h.at), h.subject, h.what, h.why)])
    }));
    rows.sort_by_key(|(at, _)| *at);
    lines.extend(rows.into_iter().flat_map(|(_, text)| text));
    lines.join("\n")
}

/// The time of day.
fn clock(at: Time) -> String {
    let text = at.to_string();
    text.get(11..19).map_or(text.clone(), str::to_owned)
}

fn decision(row: &DecisionRow) -> Vec<String> {
    let clock = clock(row.at);
    let rung = row.rung.map(|n| format!(", rung {n}")).unwrap_or_default();
    // Of a batch, each question may be another layer's.
    let by = if row.actions[0]["asked"].is_array() {
        format!("{}   (revision {})", row.rule, row.revision)
    } else {
        format!("{}{rung}   ({} layer)", row.rule, row.layer)
    };
    let mut lines = vec![format!("{clock} {}  {by}", did(&row.actions))];
    if row.outcome != "done" {
        lines.push(format!("  {}", row.outcome));
    }
    match row.actions[0]["asked"].as_array() {
        Some(asked) => lines.extend(asked.iter().map(|one| format!("  {:<8} {}", text(one, "question"), place(one)))),
        None if row.line > 0 => {
            lines.push(format!("  rule     {}:{}, revision {}", row.file, row.line, row.revision));
        }
        None => {}
    }
    let all = row.because.as_array().cloned().unwrap_or_default();
    let (failed, because): (Vec<Value>, Vec<Value>) = all.into_iter().partition(|fact| fact["kind"] == "failed");
    lines.extend(failed.iter().map(|fact| format!("  failed   {}: {}", place(fact), text(fact, "message"))));
    for (index, fact) in because.iter().take(8).enumerate() {
        lines.push(format!("  {} {}", if index == 0 { "because " } else { "        " }, reason(fact)));
    }
    lines
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// File, line and layer of a rule that answered or failed.
fn place(value: &Value) -> String {
    let layer = match text(value, "layer") {
        "" => return "the core itself: no layer has a good answer".into(),
        other => other,
    };
    match text(value, "file") {
        "" => format!("{layer} layer"),
        // The name of a built-in file says so itself.
        file if layer == "built-in" => format!("{file}:{}", value["line"]),
        file => format!("{file}:{} ({layer} layer)", value["line"]),
    }
}

/// The actions in words.
fn did(actions: &Value) -> String {
    let list = actions.as_array().cloned().unwrap_or_default();
    let words: Vec<String> = list
        .iter()
        .map(|action| {
            let verb = action["action"].as_str().unwrap_or("?").to_owned();
            let ids = |key: &str| {
                action[key].as_array().map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
            };
            let text = ["why", "text", "title", "subject"].iter().find_map(|key| action[*key].as_str());
            if verb == "admit" {
                let why = action["why"].as_str().unwrap_or_default();
                return if action["admitted"] == true { "admitted".into() } else { format!("not admitted: {why}") };
            }
            match (ids("members"), text) {
                (Some(members), _) => format!("{verb} [{members}]"),
                (None, Some(text)) => format!("{verb}: {}", headline(text, 80)),
                (None, None) => verb,
            }
        })
        .collect();
    if words.is_empty() { "nothing".into() } else { words.join("; ") }
}

fn reason(fact: &Value) -> String {
    match fact["kind"].as_str() {
        Some("compared") => {
            let text = text(fact, "text");
            if fact["answer"] == true { text.to_owned() } else { format!("{text} is false") }
        }
        _ => format!("{} {}", text(fact, "what"), text(fact, "value")),
    }
}
