//! JSON that would not survive being read: numbers with more digits than a float has, and values that are nested too
//! deeply. Such a value stands as `{"~raw": "<its text>"}` wherever beads are kept, and as itself again in what is
//! written for others.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::line::ODD_VALUES;
use super::{members, salvage};
use crate::store::Bead;
use crate::store::row::ODD_DEPENDENCIES;

/// The one key of a value that is kept as text.
const RAW: &str = "~raw";
/// Values that lie deeper are kept as text; the reader of JSON gives up at 128.
const DEEP: usize = 100;

/// A text with every value kept as text that would not survive.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) text: String,
    /// Whether the text as it was cannot be read at all.
    pub(super) unreadable: bool,
}

/// `json` with what would not survive kept as text; none when all of it would.
pub(super) fn keep(json: &str) -> Option<Kept> {
    let mut kept = Kept { text: String::new(), unreadable: false };
    let (mut copied, mut at, mut depth) = (0, 0, 0_usize);
    let bytes = json.as_bytes();
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'"' => {
                at += string(&bytes[at..]);
                continue;
            }
            b'{' | b'[' if depth == DEEP => {
                kept.unreadable = true;
                at + nested(&bytes[at..])
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
                continue;
            }
            b'-' | b'0'..=b'9' => {
                let len = bytes[at..].iter().take_while(|b| b"+-.eE0123456789".contains(b)).count();
                match survives(&json[at..at + len]) {
                    Some(true) => {
                        at += len;
                        continue;
                    }
                    Some(false) => at + len,
                    None => {
                        kept.unreadable = true;
                        at + len
                    }
                }
            }
            _ => {
                at += 1;
                continue;
            }
        };
        kept.text.push_str(&json[copied..at]);
        kept.text.push_str(&wrapped(&json[at..end]).to_string());
        (copied, at) = (end, end);
    }
    if copied == 0 {
        return None;
    }
    kept.text.push_str(&json[copied..]);
    Some(kept)
}

fn wrapped(text: &str) -> Value {
    Value::Object([(RAW.to_owned(), text.into())].into_iter().collect())
}

/// How long the string at the start is, with its quotes.
fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// How long the object or array at the start is.
fn nested(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at += string(&bytes[at..]) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// Whether the number is still the same after it was read and written; none when it cannot be read. What is no number
/// at all is left to those who tell of it.
fn survives(number: &str) -> Option<bool> {
    if number.len() <= 15 && !number.contains(['e', 'E']) {
        return Some(true);
    }
    match serde_json::from_str::<Number>(number) {
        Ok(read) => Some(plain(&read.to_string()) == plain(number)),
        Err(_) if serde_json::from_str::<&serde_json::value::RawValue>(number).is_ok() => None,
        Err(_) => Some(true),
    }
}

/// A number as its sign, its digits without zeros around them, and the power of ten of the last one.
fn plain(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole.trim_start_matches('-'), fraction].concat();
    let trimmed = digits.trim_end_matches('0');
    let power = exponent.parse::<i64>().unwrap_or(i64::MAX / 2) - fraction.len() as i64;
    let power = power + (digits.len() - trimmed.len()) as i64;
    let digits = trimmed.trim_start_matches('0').to_owned();
    if digits.is_empty() { (false, digits, 0) } else { (number.starts_with('-'), digits, power) }
}

/// Puts what is kept as text in its place: below keys that this program gives no meaning.
pub(super) fn restore(bead: &mut Bead, kept: &Kept) {
    let Ok(salvaged) = salvage::object(&kept.text) else { return };
    let all = salvaged.object;
    // Usual keys may stand there in other letters.
    let found = |key: &str| {
        let alike = || all.iter().find(|(other, _)| other.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        all.get(key).or_else(alike)
    };
    for (key, value) in &mut bead.extra {
        match key.as_str() {
            ODD_DEPENDENCIES => {}
            ODD_VALUES => match value.as_object_mut() {
                Some(values) => values.iter_mut().for_each(|(key, value)| take(value, found(key))),
                None => take(value, found(key)),
            },
            _ => take(value, found(key)),
        }
    }
    for (key, value) in &mut bead.metadata {
        take(value, all.get("metadata").and_then(|metadata| metadata.get(key)));
    }
    let list = |key: &str| found(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for dep in bead.dependencies.iter_mut().filter(|dep| !dep.extra.is_empty()) {
        let same = |edge: &&Value| {
            members::target(edge) == Some(dep.depends_on_id.as_str())
                && members::kind(edge).is_none_or(|kind| dep.kind == kind)
        };
        if let Some(edge) = list("dependencies").iter().find(same) {
            dep.extra.iter_mut().for_each(|(key, value)| take(value, edge.get(key)));
        }
    }
    for (comment, said) in
        bead.comments.iter_mut().zip(list("comments").iter().filter(|said| members::is_comment(said)))
    {
        comment.extra.iter_mut().for_each(|(key, value)| take(value, said.get(key)));
    }
}

fn take(value: &mut Value, kept: Option<&Value>) {
    if let Some(kept) = kept {
        value.clone_from(kept);
    }
}

/// JSON as it is shown to others: what is kept as text stands as itself again.
pub fn unwrapped(json: &str) -> Cow<'_, str> {
    let key = format!("\"{RAW}\"");
    let mut out = String::new();
    let mut copied = 0;
    // Inside of a string the quotes would be escaped, so that the key is a key or a text of its own.
    for (at, _) in json.match_indices(&key) {
        let before = json[copied..at].trim_end();
        let value = json[at + key.len()..].trim_start().strip_prefix(':').map(str::trim_start);
        let Some((text, rest)) = before.strip_suffix('{').zip(value).and_then(|(_, value)| raw(value)) else {
            continue;
        };
        out.push_str(&before[..before.len() - 1]);
        out.push_str(&text);
        copied = json.len() - rest.len();
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[copied..]);
    Cow::Owned(out)
}

/// The JSON in the string at the start of `value`, and what follows the end of the object that it is all of.
fn raw(value: &str) -> Option<(String, &str)> {
    let len = value.starts_with('"').then(|| string(value.as_bytes()))?;
    let text: String = serde_json::from_str(value.get(..len)?).ok()?;
    let rest = value[len..].trim_start().strip_prefix('}')?;
    serde_json::from_str::<&serde_json::value::RawValue>(&text).ok()?;
    Some((text, rest))
}

/// The JSON value that a text is, nothing of it lost; none when it is no JSON.
pub fn value(text: &str) -> Option<Value> {
    let kept = keep(text).map(|kept| kept.text);
    serde_json::from_str(kept.as_deref().unwrap_or(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_not_survive_is_kept_as_text() {
        for good in [
            "1",
            "-0",
            "1.50",
            "1e3",
            "18446744073709551615",
            "0.1234567890123456",
            "0.10000000000000000000",
            "1.00e-7",
            "[\"12345678901234567890123\",{\"\\\"1e400\":2}]",
        ] {
            assert!(keep(good).is_none(), "{good}");
        }
        for lost in ["12345678901234567890123", "0.12345678901234567890123", "-1.0000000000000000000001e5", "1e400"] {
            let object = format!("{{\"a\":[{lost},1]}}");
            let kept = keep(&object).expect("kept");
            assert_eq!(kept.text, format!("{{\"a\":[{{\"~raw\":\"{lost}\"}},1]}}"));
            assert_eq!(kept.unreadable, lost == "1e400");
            assert_eq!(unwrapped(&kept.text), object);
            let pretty = serde_json::to_string_pretty(&value(&object)).expect("json");
            assert!(unwrapped(&pretty).contains(&format!("\n    {lost},\n")), "{pretty}");
        }
    }

    #[test]
    fn values_that_are_nested_too_deeply_are_kept_as_text() {
        let deep = format!("{{\"a\":{}\"}}<\\\"\"{}}}", "[".repeat(500), "]".repeat(500));
        let read = value(&deep).expect("reads");
        assert_eq!(unwrapped(&read.to_string()), deep);
        assert!(keep(&"[".repeat(500)).is_some_and(|kept| kept.unreadable));
    }

    #[test]
    fn an_object_of_a_person_that_looks_alike_is_left_alone() {
        for other in [
            r#"{"~raw":"1","b":2}"#,
            r#"{"~raw":3}"#,
            r#"{"~raw":"no json"}"#,
            r#"["~raw",{"a":"{\"~raw\":\"1\"}"}]"#,
            r#"{"b":"~raw"}"#,
        ] {
            assert_eq!(unwrapped(other), other);
        }
    }
}
