//! Texts with fields: `"{bead.id} silent for {silent_for}"`, filled from the rule's subject.

use mlua::{Lua, MetaMethod, UserData, UserDataFields, UserDataMethods, Value};

use super::error::PolicyError;
use super::record::fact_of;
use super::state::State;
use crate::base::span::Span;
use crate::policy::schema::{Fact, Got};

/// A finished text: its braces are not read again.
#[derive(Debug, Clone)]
pub(super) struct Filled(pub String);

impl UserData for Filled {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "text");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_function(MetaMethod::Concat, |lua, (a, b): (Value, Value)| {
            Ok(Filled(text(lua, &a, "..")? + &text(lua, &b, "..")?))
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(this.0.clone()));
    }
}

/// A text argument, filled from the subject of the call.
pub(super) fn text(lua: &Lua, value: &Value, what: &str) -> mlua::Result<String> {
    match value {
        Value::String(s) => {
            let template = s.to_str()?.to_owned();
            let (subject, now) = {
                let state = State::of(lua)?;
                (state.subject.clone(), state.now_ms)
            };
            match subject {
                Some(fact) => fill(&template, &fact, now).map_err(|what| {
                    // An unread field in a text leaves the rule undecided like any other read.
                    match State::of(lua) {
                        Ok(mut state) => {
                            state.trace.unreadable = Some(what.clone());
                            PolicyError::new(format!("unreadable: {what}")).into()
                        }
                        Err(e) => e,
                    }
                }),
                None => Ok(template),
            }
        }
        Value::UserData(ud) => match ud.borrow::<Filled>() {
            Ok(filled) => Ok(filled.0.clone()),
            Err(_) => Err(PolicyError::new(format!("{what} is a text, not a {}", kind(value))).into()),
        },
        other => Err(PolicyError::new(format!("{what} is a text, not a {}", kind(other))).into()),
    }
}

/// What a value is, in the words of this API.
pub(super) fn kind(value: &Value) -> &'static str {
    if let Some(fact) = fact_of(value) {
        return fact.class().name;
    }
    match value {
        Value::UserData(ud) if super::span::is_span(ud) => "span",
        Value::UserData(ud) if ud.is::<Filled>() => "text",
        Value::UserData(ud) if ud.is::<super::build::Handle>() => "action",
        Value::Integer(_) => "number",
        other => other.type_name(),
    }
}

/// The same with its article: what an answer was instead of what it must be.
pub(in crate::policy) fn a(value: &Value) -> String {
    match kind(value) {
        "nil" => "nil".into(),
        kind if kind == "mr" || kind.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {kind}"),
        kind => format!("a {kind}"),
    }
}

/// The `{path}`s of a template: byte range of each, braces included, and the path. `{{…}}` is left to formulas.
pub(in crate::policy) fn fields(template: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(open) = template[at..].find('{').map(|i| at + i) {
        if template[open..].starts_with("{{") {
            at = template[open..].find("}}").map_or(template.len(), |i| open + i + 2);
            continue;
        }
        let Some(close) = template[open..].find('}').map(|i| open + i) else { break };
        let path = &template[open + 1..close];
        let is_path = !path.is_empty()
            && path.split('.').all(|w| {
                w.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
        if is_path {
            all.push((open..close + 1, path));
            at = close + 1;
        } else {
            at = open + 1;
        }
    }
    all
}

/// Fills a template from a record. A path that leads nowhere stays as it is, since it may be data; `Err` names what
/// could not be read.
pub(in crate::policy) fn fill(template: &str, fact: &Fact, now_ms: i64) -> Result<String, String> {
    let mut out = String::new();
    let mut last = 0;
    for (range, path) in fields(template) {
        out.push_str(&template[last..range.start]);
        match walk(fact, path, now_ms)? {
            Some(value) => out.push_str(&value),
            None => out.push_str(&template[range.clone()]),
        }
        last = range.end;
    }
    out.push_str(&template[last..]);
    Ok(out)
}

fn walk(fact: &Fact, path: &str, now_ms: i64) -> Result<Option<String>, String> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(h, r)| (h, Some(r)));
    // Facts around the subject that are not its fields: an event's `{mr.paths}` is one, `{bead.id}` of an mr too.
    let Some(field) = fact.class().field(head) else { return Ok(None) };
    Ok(match ((field.get)(fact), rest) {
        (Got::Record(below), Some(rest)) => walk(&below, rest, now_ms)?,
        (Got::Record(below), None) => Some(below.key().1),
        (Got::Json(value), rest) => Some(json_at(&value, rest)),
        (Got::Unreadable(what), _) => return Err(what.into()),
        // A worker without a step, a bead without an epic.
        (Got::Nil, _) => Some("none".into()),
        (_, Some(_)) | (Got::Named(_) | Got::Method(_) | Got::Reads(_), None) => None,
        (Got::Text(text), None) => Some(text),
        (Got::Int(n), None) => Some(n.to_string()),
        (Got::Bool(b), None) => Some(b.to_string()),
        (Got::Age(since), None) => Some(Span::millis(now_ms - since).to_string()),
        (Got::Strings(all), None) => Some(all.join(", ")),
        (Got::Records(all), None) => Some(all.iter().map(|f| f.key().1).collect::<Vec<_>>().join(", ")),
    })
}

fn json_at(value: &serde_json::Value, path: Option<&str>) -> String {
    let found = path.map_or(Some(value), |path| path.split('.').try_fold(value, |v, key| v.get(key)));
    match found {
        None | Some(serde_json::Value::Null) => "none".into(),
        Some(serde_json::Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    }
}

/// A template filled from a plain table, for `gt.list` over results of a patrol's earlier steps.
pub(super) fn fill_table(template: &str, table: &mlua::Table) -> mlua::Result<String> {
    let mut out = String::new();
    let mut last = 0;
    for (range, path) in fields(template) {
        out.push_str(&template[last..range.start]);
        match table.raw_get::<Value>(path)? {
            Value::Nil => out.push_str(&template[range.clone()]),
            value => out.push_str(&value.to_string()?),
        }
        last = range.end;
    }
    out.push_str(&template[last..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn only_plain_paths_are_fields() {
        let paths = |t: &'static str| fields(t).into_iter().map(|(_, p)| p).collect::<Vec<_>>();
        assert_eq!(paths("{bead.id} for {silent_for}"), ["bead.id", "silent_for"]);
        assert_eq!(paths("{{title}} {a b} {1} {} {x"), [""; 0]);
        assert_eq!(paths("{ {id}"), ["id"]);
    }
}
