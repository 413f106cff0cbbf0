//! A tree of values to a [`Formula`]: every key of the language, each checked for its type.

mod compose;
mod convoy;
mod patrol;
mod step;

pub use patrol::EVENTS;
pub(crate) use step::KEPT;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::def::{Compose, Formula, Kind, VarDef};
use super::syntax::{self, Fields, Node, Reader, Value};
use super::{Diagnostic, Listed, Report, Source, Text, Var};
use crate::base::text::headline;

/// Parses one file. `None` when not even a name could be read.
pub(super) fn formula(source: &Arc<Source>, json: bool, report: &mut Report) -> Option<Formula> {
    let node = syntax::parse(source, json, report)?;
    let broken = report.failed();
    let reader = Reader::new(source.layer.strict());
    let formula = root(&reader, &node, source);
    let mut findings = reader.finish();
    if broken {
        // What follows from a syntax error is noise: only what is certain besides it is reported.
        findings.findings.retain(|f| f.code != "missing-key");
    }
    findings.findings.into_iter().for_each(|f| report.push(f));
    formula
}

/// The value of the `formula` key, if the file has one.
pub(super) fn name_of(source: &Arc<Source>, json: bool) -> Option<String> {
    match &syntax::parse(source, json, &mut Report::default())?.get("formula")?.value {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    }
}

/// A line of a list, also for a file that does not parse.
pub(super) fn summary(source: &Arc<Source>, json: bool) -> Listed {
    let mut report = Report::default();
    let node = syntax::parse(source, json, &mut report);
    let text = |key: &str| match node.as_ref().and_then(|n| n.get(key)).map(|n| &n.value) {
        Some(Value::Text(t)) if !t.is_empty() => Some(t.clone()),
        _ => None,
    };
    let size = |key: &str| match node.as_ref().and_then(|n| n.get(key)).map(|n| &n.value) {
        Some(Value::List(items)) => items.len(),
        Some(Value::Table(entries)) => entries.len(),
        _ => 0,
    };
    let file = source.path.rsplit(['/', ':']).next().unwrap_or_default();
    let stem = file.split(".formula.").next().unwrap_or(file).to_owned();
    let mut full = Report::default();
    let read = formula(source, json, &mut full);
    let wrong = full.findings.iter().find(|f| f.severity == super::Severity::Error);
    Listed {
        name: text("formula").unwrap_or(stem),
        kind: text("type").unwrap_or_else(|| "workflow".to_owned()),
        description: headline(text("description").unwrap_or_default().trim(), 60),
        source: source.path.clone(),
        steps: size("steps"),
        vars: size("vars"),
        extends: read.iter().flat_map(|f| f.extends.iter().map(|t| t.as_str().to_owned())).collect(),
        layer: source.layer,
        shadows: Vec::new(),
        error: wrong
            .map(|f| format!("{}{}", f.place().map(|p| format!("{p}: ")).unwrap_or_default(), f.message))
            .or_else(|| read.is_none().then(|| "it is not a formula".to_owned())),
    }
}

fn root(reader: &Reader, node: &Node, source: &Arc<Source>) -> Option<Formula> {
    let fields = reader.fields("a formula", "the file", node)?.under("");
    let name = fields.required("formula");
    let formula: Arc<str> = name.as_ref().map_or_else(|| "".into(), |n| Arc::clone(&n.value));
    let kind = kind(&fields);
    let parsed = Formula {
        description: fields.text("description"),
        version: version(&fields),
        kind,
        kind_given: fields.filled("type").is_some(),
        extends: fields.texts("extends"),
        vars: vars(&fields),
        steps: step::list(&fields, "steps", "", &formula, 0),
        template: step::list(&fields, "template", "", &formula, 0),
        compose: fields.node("compose").map_or_else(Compose::default, |n| compose::compose(reader, n)),
        advice: compose::advice(&fields, &formula),
        pointcuts: compose::pointcuts(&fields),
        phase: reader.lenient(|| phase(&fields)),
        pour: reader.lenient(|| fields.bool("pour")),
        squash: reader.lenient(|| convoy::squash(&fields)),
        patrol: own(reader, kind == Kind::Patrol, || patrol::patrol(&fields)),
        convoy: own(reader, kind == Kind::Convoy, || convoy::keys(&fields)),
        name: name.clone().unwrap_or_else(|| Text::new("", node.at.clone())),
        source: Arc::clone(source),
    };
    fields.finish();
    name.map(|_| parsed)
}

/// Reads keys that belong to one type of formula; in another one they are somebody's extension.
fn own<T>(reader: &Reader, belong: bool, read: impl FnOnce() -> T) -> T {
    if belong { read() } else { reader.lenient(read) }
}

fn kind(fields: &Fields<'_>) -> Kind {
    let Some(text) = fields.filled("type") else { return Kind::Workflow };
    if let Some((_, kind)) = Kind::ALL.iter().find(|(word, _)| *word == text.as_str()) {
        return *kind;
    }
    let words: Vec<&str> = Kind::ALL.iter().map(|(word, _)| *word).collect();
    fields.reader.push(
        Diagnostic::error("formula-type", format!("`{text}` is not a type of formula"))
            .at(&text.at, "unknown type")
            .help(format!("the types are {}", words.join(", ")))
            .suggest(text.as_str(), words),
    );
    Kind::Workflow
}

fn version(fields: &Fields<'_>) -> i64 {
    match fields.int("version") {
        None | Some((0, _)) => 1,
        Some((version, _)) if version > 0 => version,
        Some((version, at)) => {
            fields.reader.push(
                Diagnostic::error("version", format!("version {version} is below 1")).at(&at, "must be 1 or more"),
            );
            1
        }
    }
}

fn phase(fields: &Fields<'_>) -> Option<Text> {
    let phase = fields.text("phase")?;
    if !["", "liquid", "vapor"].contains(&phase.as_str()) {
        fields.reader.push(
            Diagnostic::error("phase", format!("`{phase}` is not a phase"))
                .at(&phase.at, "unknown phase")
                .help("`liquid` is poured and kept, `vapor` is a wisp")
                .suggest(phase.as_str(), ["liquid", "vapor"]),
        );
    }
    (!phase.as_str().is_empty()).then_some(phase)
}

fn vars(fields: &Fields<'_>) -> BTreeMap<String, VarDef> {
    let Some(node) = fields.node("vars") else { return BTreeMap::new() };
    let Some(table) = fields.reader.fields("the table `vars`", "vars", node) else { return BTreeMap::new() };
    table.entries().iter().filter_map(|(name, node)| var(fields.reader, name, node)).collect()
}

fn var(reader: &Reader, name: &Text, node: &Node) -> Option<(String, VarDef)> {
    let shorthand = |value: String| {
        let var = Var { default: Some(value), ..Var::default() };
        Some((name.as_str().to_owned(), VarDef { var, at: name.at.clone(), default_at: node.at.clone() }))
    };
    match &node.value {
        Value::Text(text) => return shorthand(text.clone()),
        Value::Int(i) => return shorthand(i.to_string()),
        Value::Bool(b) => return shorthand(b.to_string()),
        Value::Float(f) => return shorthand(f.to_string()),
        Value::Time(time) => return shorthand(time.clone()),
        _ => {}
    }
    let fields = reader.fields(format!("variable `{name}`"), name.as_str(), node)?;
    let default = fields.node("default");
    let var = Var {
        description: fields.text("description").map(|t| t.as_str().to_owned()).unwrap_or_default(),
        default: default.and_then(|n| match &n.value {
            Value::Text(t) => Some(t.clone()),
            Value::Int(i) => Some(i.to_string()),
            Value::Float(f) => Some(f.to_string()),
            Value::Bool(b) => Some(b.to_string()),
            Value::Time(time) => Some(time.clone()),
            _ => reader.text("default", n).map(|t| t.as_str().to_owned()),
        }),
        fixed: false,
        required: fields.bool("required").unwrap_or(false),
        choices: fields.texts("enum").iter().map(|t| t.as_str().to_owned()).collect(),
        pattern: reader.lenient(|| pattern(&fields)),
        kind: var_type(&fields),
    };
    if var.required
        && let Some(default) = default
    {
        reader.push(
            Diagnostic::warning("required-default", format!("variable `{name}` is required and has a default"))
                .at(&default.at, "so it is never missing")
                .help("drop one of the two"),
        );
    }
    let default_at = default.map_or_else(|| name.at.clone(), |n| n.at.clone());
    fields.finish();
    Some((name.as_str().to_owned(), VarDef { var, at: name.at.clone(), default_at }))
}

fn pattern(fields: &Fields<'_>) -> Option<String> {
    let pattern = fields.text("pattern")?;
    if let Err(error) = super::vars::pattern(pattern.as_str()) {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        fields.reader.push(
            Diagnostic::error("pattern", format!("`{pattern}` is not a regular expression: {reason}"))
                .at(&pattern.at, "here"),
        );
        return None;
    }
    Some(pattern.as_str().to_owned())
}

fn var_type(fields: &Fields<'_>) -> Option<String> {
    const TYPES: [&str; 4] = ["string", "int", "bool", "number"];
    let kind = fields.filled("type")?;
    if !TYPES.contains(&kind.as_str()) {
        let message = format!("`{kind}` is not a type of variable; any text is accepted");
        fields.reader.push(
            Diagnostic::warning("var-type", message)
                .at(&kind.at, "unknown type")
                .help(format!("the types are {}", TYPES.join(", "))),
        );
        return None;
    }
    Some(kind.as_str().to_owned())
}
