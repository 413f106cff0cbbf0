//! The texts of convoy formulas: `{{name}}`, `{{leg.focus}}`, `{{if x}} … {{else if y}} … {{else}} … {{end}}` and
//! `{{range files}} … {{end}}`. A dot in front of a name is allowed, as files written for other programs have it.

use serde_json::Value;

/// A text is nested at most this deep.
const DEEPEST: usize = 32;

enum Piece<'t> {
    Plain(&'t str),
    Tag(&'t str),
}

/// Fills a text. A name that nothing has gives nothing. The error says what is not understood.
pub(super) fn fill(text: &str, facts: &Value) -> Result<String, String> {
    let pieces = pieces(text)?;
    let mut at = 0;
    let mut out = String::with_capacity(text.len());
    if let Some(tag) = block(&pieces, &mut at, facts, facts, true, &mut out, 0)? {
        return Err(format!("`{{{{{tag}}}}}` stands outside of an if or range"));
    }
    Ok(out)
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let (mut plain, tag) = (&rest[..open], &rest[open + 2..]);
        let Some(close) = tag.find("}}") else { return Err("a `{{` has no `}}`".to_owned()) };
        let (mut inside, mut after) = (&tag[..close], &tag[close + 2..]);
        // `{{-` and `-}}` eat the white space beside them.
        if let Some(trimmed) = inside.strip_prefix("- ") {
            (plain, inside) = (plain.trim_end(), trimmed);
        }
        if let Some(trimmed) = inside.strip_suffix(" -") {
            (inside, after) = (trimmed, after.trim_start());
        }
        out.push(Piece::Plain(plain));
        out.push(Piece::Tag(inside.trim()));
        rest = after;
    }
    out.push(Piece::Plain(rest));
    Ok(out)
}

/// Prints until an `else` or `end` of the block around, which it gives back. `on`: it is to be printed at all.
fn block<'t>(
    pieces: &[Piece<'t>],
    at: &mut usize,
    facts: &Value,
    here: &Value,
    on: bool,
    out: &mut String,
    depth: usize,
) -> Result<Option<&'t str>, String> {
    if depth > DEEPEST {
        return Err(format!("it is nested deeper than {DEEPEST} levels"));
    }
    while let Some(piece) = pieces.get(*at) {
        *at += 1;
        let tag = match piece {
            Piece::Plain(text) => {
                if on {
                    out.push_str(text);
                }
                continue;
            }
            Piece::Tag(tag) => *tag,
        };
        let (word, rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        match word {
            "end" | "else" => return Ok(Some(tag)),
            "if" => conditional(pieces, at, (facts, here), (rest, on), out, depth)?,
            "range" => repeated(pieces, at, (facts, here), (rest, on), out, depth)?,
            _ => {
                let value = look(tag, facts, here)?;
                if on {
                    out.push_str(&shown(value));
                }
            }
        }
    }
    if depth > 0 { Err("an if or range has no `{{end}}`".to_owned()) } else { Ok(None) }
}

fn conditional(
    pieces: &[Piece<'_>],
    at: &mut usize,
    (facts, here): (&Value, &Value),
    (condition, on): (&str, bool),
    out: &mut String,
    depth: usize,
) -> Result<(), String> {
    let mut condition = Some(condition.to_owned());
    let mut open = on;
    loop {
        let holds = match &condition {
            Some(name) => truthy(look(name, facts, here)?),
            None => true,
        };
        let stopped = block(pieces, at, facts, here, open && holds, out, depth + 1)?;
        open &= !holds;
        match stopped {
            Some("end") => return Ok(()),
            Some(tag) => {
                let rest = tag.strip_prefix("else").unwrap_or(tag).trim();
                if condition.is_none() {
                    return Err("an if has two `{{else}}`".to_owned());
                }
                condition = rest.strip_prefix("if ").map(|name| name.trim().to_owned());
                if condition.is_none() && !rest.is_empty() {
                    return Err(format!("`{{{{{tag}}}}}` is not understood"));
                }
            }
            None => return Err("an if has no `{{end}}`".to_owned()),
        }
    }
}

fn repeated(
    pieces: &[Piece<'_>],
    at: &mut usize,
    (facts, here): (&Value, &Value),
    (name, on): (&str, bool),
    out: &mut String,
    depth: usize,
) -> Result<(), String> {
    let items: Vec<Value> = match look(name, facts, here)? {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::String(text)) if !text.is_empty() => vec![Value::String(text.clone())],
        _ => Vec::new(),
    };
    let start = *at;
    // Without items the body is walked through once, silently, to find its end.
    let nothing = Value::Null;
    let rounds: Vec<(&Value, bool)> =
        if items.is_empty() { vec![(&nothing, false)] } else { items.iter().map(|item| (item, on)).collect() };
    for (item, on) in rounds {
        *at = start;
        if block(pieces, at, facts, item, on, out, depth + 1)? != Some("end") {
            return Err("a range ends with `{{end}}`".to_owned());
        }
    }
    Ok(())
}

/// The value of a path; `.` is the item of the range around.
fn look<'v>(path: &str, facts: &'v Value, here: &'v Value) -> Result<Option<&'v Value>, String> {
    let path = path.trim();
    if path == "." {
        return Ok(Some(here));
    }
    let names = path.strip_prefix('.').unwrap_or(path);
    let is_name = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !names.split('.').all(is_name) {
        return Err(format!("`{{{{{path}}}}}` is not understood"));
    }
    let walk = |from: &'v Value| names.split('.').try_fold(from, |value, name| value.get(name));
    Ok(walk(here).or_else(|| walk(facts)))
}

fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => super::super::truthy(text),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Bool(b)) => *b,
        Some(_) => true,
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().map(|i| shown(Some(i))).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::fill;

    #[test]
    fn texts_are_filled_with_and_without_dots() {
        let facts = json!({ "pr": "7", "leg": { "focus": "speed" }, "files": ["a", "b"], "empty": "" });
        let all = "{{pr}} {{.leg.focus}} {{leg.nothing}}|{{if .empty -}} no {{- else if pr}}yes{{else}}no{{end}}|\
                   {{range .files -}} {{.}}; {{end -}} |{{range empty}}{{.}}{{end}}{{files}}";
        assert_eq!(fill(all, &facts).expect("fills"), "7 speed |yes|a; b; |a, b");
        assert_eq!(fill("{{.path}}", &json!({})).expect("fills"), "", "what nothing has is empty");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [
            "{{",
            "{{if x}}",
            "{{end}}",
            "{{x | upper}}",
            "{{range a}}{{else}}{{end}}",
            "{{if a}}{{else}}{{else}}{{end}}",
        ] {
            assert!(fill(text, &json!({})).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_not_read_again() {
        assert_eq!(fill("{{x}}", &json!({ "x": "{{y}}", "y": "1" })).expect("fills"), "{{y}}");
        assert!(fill(&"{{if x}}".repeat(40), &json!({})).is_err());
    }
}
