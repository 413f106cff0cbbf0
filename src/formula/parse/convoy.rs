//! The keys of convoy formulas and of `[squash]`: checked for shape, kept as they are.

use serde_json::Value as Json;

use super::super::syntax::{Fields, Node, Value};
use super::super::{Diagnostic, Text};

/// When a digest is made.
const TRIGGERS: [&str; 2] = ["manual", "on_complete"];
/// How a digest is written for which the formula has no text.
const TEMPLATE_TYPES: [&str; 2] = ["work", "summary"];

pub(super) fn squash(fields: &Fields<'_>) -> Option<Json> {
    let node = fields.node("squash")?;
    let table = fields.reader.fields("the table `squash`", "squash", node)?;
    for (key, known) in [("trigger", TRIGGERS), ("template_type", TEMPLATE_TYPES)] {
        if let Some(word) = table.filled(key).filter(|word| !known.contains(&word.as_str())) {
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

/// The keys of a convoy.
const KEYS: [&str; 7] = ["inputs", "prompts", "legs", "synthesis", "output", "presets", "review_only"];

/// `inputs`, `prompts`, `legs`, `synthesis`, `output`, `presets`, `review_only`: those that are there, as they are.
pub(super) fn keys(fields: &Fields<'_>) -> Vec<(Text, Node)> {
    each(fields, "inputs", "input", input);
    one(fields, "prompts", &["base"], &[]);
    legs(fields);
    one(fields, "synthesis", &["title", "description"], &["depends_on"]);
    one(fields, "output", &["directory", "leg_pattern", "synthesis"], &[]);
    each(fields, "presets", "preset", preset);
    let _ = fields.bool("review_only");
    let there = |(key, node): &&(Text, Node)| KEYS.contains(&key.as_str()) && !matches!(node.value, Value::Null);
    fields.entries().iter().filter(there).cloned().collect()
}

/// A table of texts and lists of texts.
fn one(fields: &Fields<'_>, key: &'static str, words: &[&'static str], lists: &[&'static str]) {
    let Some(node) = fields.node(key) else { return };
    let Some(table) = fields.reader.fields(format!("the table `{key}`"), key, node) else { return };
    for word in words {
        let _ = table.text(word);
    }
    for list in lists {
        let _ = table.texts(list);
    }
    table.finish();
}

/// A table of tables.
fn each(fields: &Fields<'_>, key: &'static str, what: &str, read: impl Fn(&Fields<'_>, &Text)) {
    let Some(node) = fields.node(key) else { return };
    let Some(table) = fields.reader.fields(format!("the table `{key}`"), key, node) else { return };
    for (name, inner) in table.entries() {
        if let Some(inner) = fields.reader.fields(format!("{what} `{name}`"), name.as_str(), inner) {
            read(&inner, name);
            inner.finish();
        }
    }
}

/// The types of inputs; what others write for them is understood, too.
const TYPES: [&str; 5] = ["string", "int", "number", "bool", "list"];

fn input(table: &Fields<'_>, name: &Text) {
    let _ = (table.text("description"), table.bool("required"), table.texts("required_unless"), table.node("default"));
    let Some(kind) = table.filled("type") else { return };
    let known = TYPES.contains(&kind.as_str()) || kind.as_str().contains("[]");
    if !known && !["integer", "boolean", "array", "files"].contains(&kind.as_str()) {
        let message = format!("`{kind}` is no type of input `{name}`; any text is accepted");
        let warning = Diagnostic::warning("input-type", message).at(&kind.at, "unknown type");
        table.reader.push(warning.help(format!("the types are {}", TYPES.join(", "))).suggest(kind.as_str(), TYPES));
    }
}

fn preset(table: &Fields<'_>, name: &Text) {
    let _ = table.text("description");
    if table.texts("legs").is_empty() {
        table.reader.push(
            Diagnostic::error("preset", format!("preset `{name}` chooses no leg"))
                .at(table.at, "no legs")
                .help("as in legs = [\"security\"]"),
        );
    }
}

fn legs(fields: &Fields<'_>) {
    let mut seen: Vec<Text> = Vec::new();
    for leg in fields.list("legs") {
        let Some(table) = fields.reader.fields("a leg", "legs", leg) else { continue };
        let id = table.required("id");
        for word in ["title", "focus", "description"] {
            let _ = table.text(word);
        }
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
}
