//! The keys of convoy formulas and of `[squash]`: checked for shape, kept as they are.

use serde_json::{Map, Value as Json};

use super::super::Diagnostic;
use super::super::def::Kind;
use super::super::syntax::{Fields, Node};

/// When a digest is made.
const TRIGGERS: [&str; 2] = ["manual", "on_complete"];
/// How a digest is written for which the formula has no text.
const TEMPLATE_TYPES: [&str; 2] = ["work", "summary"];

pub(super) fn squash(fields: &Fields<'_>) -> Option<Json> {
    let node = fields.node("squash")?;
    let table = fields.reader.fields("the table `squash`", "squash", node)?;
    for (key, known) in [("trigger", TRIGGERS), ("template_type", TEMPLATE_TYPES)] {
        if let Some(word) = table.text(key).filter(|word| !known.contains(&word.as_str())) {
            fields.reader.push(
                Diagnostic::error("squash", format!("`{key}` cannot be `{word}`"))
                    .at(&word.at, "unknown")
                    .help(format!("it is {} or {}", known[0], known[1]))
                    .suggest(word.as_str(), known),
            );
        }
    }
    let _ = (table.text("template"), table.bool("include_metrics"));
    table.finish();
    Some(node.json())
}

/// `inputs`, `prompts`, `legs`, `synthesis`, `output`, `presets`, `review_only`.
pub(super) fn keys(fields: &Fields<'_>, kind: Kind) -> Map<String, Json> {
    let mut kept = Map::new();
    let mut keep = |key: &str, node: Option<&Node>| {
        if let Some(node) = node {
            kept.insert(key.to_owned(), node.json());
        }
    };
    keep(
        "inputs",
        tables(fields, "inputs", "input", &["description", "type", "required", "required_unless", "default"]),
    );
    keep("prompts", fields.node("prompts"));
    keep("legs", legs(fields));
    keep("synthesis", one(fields, "synthesis", &["title", "description", "depends_on"]));
    keep("output", one(fields, "output", &["directory", "leg_pattern", "synthesis"]));
    keep("presets", tables(fields, "presets", "preset", &["description", "legs"]));
    keep("review_only", fields.node("review_only"));
    if kind == Kind::Convoy && !kept.contains_key("legs") {
        fields.reader.push(
            Diagnostic::error("convoy", "a convoy formula without legs has nothing to do")
                .at(fields.at, "no legs")
                .help("add [[legs]] with id, title and focus"),
        );
    }
    kept
}

fn ask(table: &Fields<'_>, keys: &[&'static str]) {
    for key in keys {
        let _ = table.node(key);
    }
}

fn one<'r>(fields: &Fields<'r>, key: &'static str, keys: &[&'static str]) -> Option<&'r Node> {
    let node = fields.node(key)?;
    let table = fields.reader.fields(format!("the table `{key}`"), key, node)?;
    ask(&table, keys);
    table.finish();
    Some(node)
}

fn tables<'r>(fields: &Fields<'r>, key: &'static str, what: &str, keys: &[&'static str]) -> Option<&'r Node> {
    let node = fields.node(key)?;
    let table = fields.reader.fields(format!("the table `{key}`"), key, node)?;
    for (name, inner) in table.entries() {
        if let Some(inner) = fields.reader.fields(format!("{what} `{name}`"), name.as_str(), inner) {
            ask(&inner, keys);
            inner.finish();
        }
    }
    Some(node)
}

fn legs<'r>(fields: &Fields<'r>) -> Option<&'r Node> {
    let node = fields.node("legs")?;
    let mut seen: Vec<super::super::Text> = Vec::new();
    for leg in fields.list("legs") {
        let Some(table) = fields.reader.fields("a leg", "legs", leg) else { continue };
        let id = table.required("id");
        ask(&table, &["title", "focus", "description"]);
        table.finish();
        let Some(id) = id else { continue };
        if let Some(first) = seen.iter().find(|s| **s == id) {
            fields.reader.push(
                Diagnostic::error("duplicate-id", format!("two legs are called `{id}`"))
                    .at(&id.at, "the second")
                    .also(&first.at, "the first"),
            );
        }
        seen.push(id);
    }
    Some(node)
}
