//! Variables: `{{name}}` in texts.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values of variables by name.
pub type Vars = BTreeMap<String, String>;

/// A piece of a text.
enum Piece<'a> {
    Plain(&'a str),
    Name(&'a str),
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(open) = rest[from..].find("{{").map(|i| i + from) {
            // `{{{x}}}`: the inner pair is the placeholder.
            let open = open + rest[open..].bytes().take_while(|b| *b == b'{').count() - 2;
            let inside = &rest[open + 2..];
            if let Some(close) = inside.find("}}")
                && is_name(&inside[..close])
            {
                if open > 0 {
                    let plain = &rest[..open];
                    rest = &rest[open..];
                    return Some(Piece::Plain(plain));
                }
                rest = &inside[close + 2..];
                return Some(Piece::Name(&inside[..close]));
            }
            from = open + 2;
        }
        let plain = rest;
        rest = "";
        Some(Piece::Plain(plain))
    })
}

/// `text` with each `{{name}}` that has a value filled in; the others stay as they are. Values are not filled again.
pub fn fill(text: &str, vars: &Vars) -> String {
    if !text.contains("{{") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => out.push_str(plain),
            Piece::Name(name) => {
                if let Some(value) = vars.get(name) {
                    out.push_str(value);
                } else {
                    out.push_str("{{");
                    out.push_str(name);
                    out.push_str("}}");
                }
            }
        }
    }
    out
}

/// How many bytes [`fill`] would give.
pub(crate) fn filled_len(text: &str, vars: &Vars) -> u64 {
    let value = |name: &str| vars.get(name).map_or(name.len() + 4, String::len);
    let piece = |piece| match piece {
        Piece::Plain(plain) => str::len(plain),
        Piece::Name(name) => value(name),
    };
    pieces(text).map(piece).fold(0, |sum: u64, len| sum.saturating_add(len as u64))
}

/// The names in `text`, in order, with repetitions.
pub fn names_in(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|p| match p {
        Piece::Name(name) => Some(name),
        Piece::Plain(_) => None,
    })
}

/// A pattern of a variable: the whole value must match.
pub(crate) fn pattern(text: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(text).size_limit(1 << 20).build()
}

/// A length of time as gates write it: `1h30m`, also `1.5h`.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    if let Ok(span) = text.parse::<crate::base::span::Span>() {
        return Some(span.duration());
    }
    let text = text.trim();
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let unit: crate::base::span::Span = format!("1{}", &text[digits..]).parse().ok()?;
    let number: f64 = text[..digits].parse().ok().filter(|n: &f64| (0.0..1e9).contains(n))?;
    Some(unit.duration().mul_f64(number))
}

/// Whether a value counts as true: anything but nothing, `false`, `0`, `no` and `off`.
pub fn truthy(value: &str) -> bool {
    !["", "false", "0", "no", "off"].contains(&value.trim().to_ascii_lowercase().as_str())
}

/// `text` with each `{key}` replaced by what `value` says of it; what it does not know stays.
///
/// Single braces are filled once, at compile time, and values are not filled again. A double brace is left for
/// [`fill`].
pub(crate) fn fill_single(text: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    if !text.contains('{') {
        return None;
    }
    let (mut out, mut rest, mut changed) = (String::with_capacity(text.len()), text, false);
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        if rest.starts_with("{{") {
            let end = rest.find("}}").map_or(2, |i| i + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let found = rest.find('}').and_then(|close| value(&rest[1..close]).map(|v| (close, v)));
        if let Some((close, v)) = found {
            out.push_str(&v);
            rest = &rest[close + 1..];
            changed = true;
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// As [`fill_single`], in all texts of a JSON value; none when nothing changes.
pub(crate) fn fill_json(json: &Value, value: &dyn Fn(&str) -> Option<String>) -> Option<Value> {
    with_texts(json, &|text| fill_single(text, value))
}

/// A JSON value with what `new` makes of its texts; none when it leaves all as they are.
pub(crate) fn with_texts(json: &Value, new: &dyn Fn(&str) -> Option<String>) -> Option<Value> {
    match json {
        Value::String(text) => new(text).map(Value::String),
        Value::Array(items) => {
            let new: Vec<Option<Value>> = items.iter().map(|item| with_texts(item, new)).collect();
            new.iter()
                .any(Option::is_some)
                .then(|| new.into_iter().zip(items).map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect())
        }
        Value::Object(keys) => {
            let new: Vec<_> = keys.iter().filter_map(|(key, old)| Some((key.clone(), with_texts(old, new)?))).collect();
            (!new.is_empty()).then(|| {
                let mut keys = keys.clone();
                keys.extend(new);
                Value::Object(keys)
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Vars {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn known_names_are_filled_and_others_stay() {
        let v = vars(&[("a", "1"), ("b_2", "{{a}}")]);
        assert_eq!(fill("{{a}} {{b_2}} {{c}} {{ a }} {a} {{{a}}} {{", &v), "1 {{a}} {{c}} {{ a }} {a} {1} {{");
        let text = "{{a}} {{b_2}} {{c}} {{{a}}} {{";
        assert_eq!(filled_len(text, &v), fill(text, &v).len() as u64);
        assert_eq!(names_in("x {{a}} {{.go}} {{b}}").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn single_braces_leave_double_ones_alone() {
        let value = |k: &str| (k == "n").then(|| String::from("7"));
        assert_eq!(fill_single("move {n} of {{n}} {m} {", value).as_deref(), Some("move 7 of {{n}} {m} {"));
        assert_eq!(fill_single("nothing", value), None);
    }

    #[test]
    fn texts_in_json_are_filled_wherever_they_stand() {
        let value = |k: &str| (k == "n").then(|| String::from("7"));
        let json = serde_json::json!({ "a": ["{n}", 1, { "b": "{n}{m}" }], "{n}": "x" });
        let filled = serde_json::json!({ "a": ["7", 1, { "b": "7{m}" }], "{n}": "x" });
        assert_eq!(fill_json(&json, &value), Some(filled));
        assert_eq!(fill_json(&serde_json::json!(["x", null]), &value), None);
    }
}
