//! Values of the wrong kind, read as what they were meant to be.

use serde_json::{Value, json};

use crate::base::Time;

/// What `value` may have been meant as, best first.
pub(super) fn candidates(key: &str, value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => from_text(key, text.trim()),
        Value::Number(number) => {
            let mut all = Vec::new();
            if let Some(f) = number.as_f64() {
                if key == "priority" {
                    all.push(json!(f.clamp(0.0, 4.0) as u8));
                }
                if f.fract() == 0.0 && f.abs() < 9e15 {
                    all.push(json!(f as i64));
                }
                all.extend(moment(f).map(|at| json!(at.to_string())));
                all.push(json!(f != 0.0));
            }
            all.push(json!(number.to_string()));
            all
        }
        Value::Bool(flag) => vec![json!(i64::from(*flag)), json!(flag.to_string())],
        Value::Array(parts) if parts.iter().all(Value::is_string) => {
            let lines: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
            vec![json!(lines.join("\n"))]
        }
        // A list of texts in which some are none.
        Value::Array(parts) if parts.iter().all(|part| !part.is_array() && !part.is_object()) => {
            let one = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
            vec![
                parts.iter().filter(|part| !part.is_null()).map(one).collect::<Vec<_>>().into(),
                json!(value.to_string()),
            ]
        }
        Value::Array(_) | Value::Object(_) => vec![json!(value.to_string())],
        Value::Null => Vec::new(),
    }
}

fn from_text(key: &str, text: &str) -> Vec<Value> {
    let mut all = Vec::new();
    if key == "priority" {
        let words = ["critical", "high", "medium", "low", "backlog"];
        let bare = text.trim_start_matches(['p', 'P']);
        let word = words.iter().position(|word| text.eq_ignore_ascii_case(word));
        all.extend(word.map(|n| json!(n)).or_else(|| bare.parse::<f64>().ok().map(|n| json!(n.clamp(0.0, 4.0) as u8))));
    }
    all.extend(text.parse::<i64>().map(|n| json!(n)));
    all.extend(text.parse::<f64>().ok().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| json!(f as i64)));
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => all.push(json!(true)),
        "false" | "no" | "0" | "" => all.push(json!(false)),
        _ => {}
    }
    all.extend(Time::loosely(text).map(|at| json!(at.to_string())));
    if text.starts_with(['[', '{']) {
        all.extend(serde_json::from_str::<Value>(text));
    }
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    all.push(json!(parts));
    all
}

/// A number as an instant: seconds, milliseconds, microseconds or nanoseconds since 1970, by its size.
fn moment(n: f64) -> Option<Time> {
    let millis = match n {
        1e8..1e11 => n * 1e3,
        1e11..1e14 => n,
        1e14..1e17 => n / 1e3,
        1e17..1e20 => n / 1e6,
        _ => return None,
    };
    Some(Time::from_millis(millis as i64))
}
