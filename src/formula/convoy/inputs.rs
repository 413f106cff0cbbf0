//! The inputs of a convoy formula: which were given, which are missing, and where each is declared.

use serde_json::Value;

use super::super::syntax::{self, Node};
use super::super::{Text, Var};
use super::{Diagnostic, Proto, Report, Vars, strings, text};

/// The keys of a convoy as they are written, to point into.
pub(super) struct Places(pub(super) Vec<(Text, Node)>);

impl Places {
    /// Points an error at where an input is declared.
    fn point(&self, error: Diagnostic, input: &str, label: &str) -> Diagnostic {
        let inputs = self.0.iter().find(|(key, _)| key.as_str() == "inputs").map(|(_, inputs)| &inputs.value);
        let Some(syntax::Value::Table(inputs)) = inputs else { return error };
        match inputs.iter().find(|(name, _)| name.as_str() == input) {
            Some((name, _)) => error.at(&name.at, label),
            None => error,
        }
    }
}

/// The values of all inputs: given, else the default, else empty. Says what is unknown, missing or of a wrong kind.
pub(super) fn values(proto: &Proto, given: &Vars, places: &Places, report: &mut Report) -> Vars {
    let none = serde_json::Map::new();
    let inputs = proto.convoy.get("inputs").and_then(Value::as_object).unwrap_or(&none);
    let mut values = Vars::new();
    for (name, value) in given {
        if !inputs.contains_key(name) && !proto.vars.contains_key(name) {
            let error = Diagnostic::error("input", format!("`{}` has no input `{name}`", proto.formula));
            let names: Vec<&str> = inputs.keys().map(String::as_str).collect();
            let help = if names.is_empty() {
                "it has no inputs".to_owned()
            } else {
                format!("its inputs are {}", names.join(", "))
            };
            report.push(error.help(help).suggest(name, names));
        }
        values.insert(name.clone(), value.clone());
    }
    for (name, declared) in inputs {
        let value = given.get(name).filter(|v| !v.is_empty()).cloned().or_else(|| default(declared));
        if let Some(value) = &value {
            let var = Var { kind: kind(declared), ..Var::default() };
            if let Some(why) = var.refuses(value) {
                let error = Diagnostic::error("input", format!("`{value}` is no value of input `{name}`: {why}"));
                report.push(places.point(error, name, "declared here").help(format!("--var {name}=…")));
            }
        } else if let Some(unless) = missing(declared, given) {
            let about = text(declared, "description").map(|d| format!(" ({d})")).unwrap_or_default();
            let error = Diagnostic::error("missing-input", format!("input `{name}` is missing{about}"));
            let others: Vec<String> = unless.iter().map(|n| format!("--var {n}=…")).collect();
            let or = if others.is_empty() { String::new() } else { format!(", or {}", others.join(" or ")) };
            report.push(places.point(error, name, "required here").help(format!("give it: --var {name}=…{or}")));
        }
        values.insert(name.clone(), value.unwrap_or_default());
    }
    for (name, var) in &proto.vars {
        if let (None, Some(default)) = (values.get(name), &var.default) {
            values.insert(name.clone(), default.clone());
        }
    }
    values
}

/// The inputs that would do instead, if this one must be given and none of them is.
fn missing(declared: &Value, given: &Vars) -> Option<Vec<String>> {
    let unless = strings(declared, "required_unless");
    let required = declared.get("required").and_then(Value::as_bool).unwrap_or(false);
    let there = |name: &String| given.get(name).is_some_and(|v| !v.is_empty());
    ((required || !unless.is_empty()) && !unless.iter().any(there)).then_some(unless)
}

fn default(declared: &Value) -> Option<String> {
    match declared.get("default")? {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// `integer` and `boolean` are what others write for `int` and `bool`.
fn kind(declared: &Value) -> Option<String> {
    text(declared, "type").map(|word| match word {
        "integer" => "int".to_owned(),
        "boolean" => "bool".to_owned(),
        other => other.to_owned(),
    })
}

/// A value as templates see it: a list for inputs of a list type, split at commas.
pub(super) fn value(proto: &Proto, name: &str, value: &str) -> Value {
    let declared = proto.convoy.get("inputs").and_then(|i| i.get(name)).and_then(|d| text(d, "type"));
    if declared.is_some_and(|t| t.contains("[]") || matches!(t, "array" | "list" | "files")) {
        return value.split(',').map(str::trim).filter(|v| !v.is_empty()).collect();
    }
    value.into()
}
