//! What must hold of a convoy: legs that are there, texts that can be filled, names that something has.

use std::collections::BTreeSet;

use super::super::convoy::SYNTHESIS;
use super::super::convoy::template::{self, Wrong};
use super::super::def::{Formula, Kind};
use super::super::syntax::{Node, Value};
use super::super::{At, Diagnostic, Text};
use super::Cx;

/// Names that the texts of convoys know without an input: the convoy's id as formulas of others call it, and what it is
/// about.
pub(crate) const NAMES: [&str; 6] =
    ["formula_name", "convoy", "convoy_id", "review_id", "design_id", "target_description"];
/// What the synthesis knows of each of the `legs`.
const LEG: [&str; 5] = ["id", "title", "focus", "description", "output_path"];
/// What is said about a text when it is wrong.
const FORMS: &str = "{{name}}, {{leg.focus}}, {{if x}} … {{else}} … {{end}}, {{range x}} … {{else}} … {{end}}";

/// Checks a convoy with all that it extends.
pub(in super::super) fn check(cx: &mut Cx<'_>, formula: &Formula) {
    if formula.kind != Kind::Convoy {
        return;
    }
    let legs: Vec<String> = legs(formula).map(|(id, _)| id.to_string()).collect();
    if legs.is_empty() {
        cx.report.push(
            Diagnostic::error("convoy", "a convoy formula without legs has nothing to do")
                .at(&formula.name.at, "no legs")
                .help("add [[legs]] with id, title and focus"),
        );
        return;
    }
    for (name, preset) in entries(formula, "presets") {
        for leg in texts(preset.get("legs")) {
            known(cx, &legs, &leg, &format!("preset `{name}` names"));
        }
    }
    for leg in texts(formula.convoy("synthesis").and_then(|s| s.get("depends_on"))) {
        known(cx, &legs, &leg, "the synthesis waits for");
    }
    let inputs: Vec<&str> = entries(formula, "inputs").iter().map(|(name, _)| name.as_str()).collect();
    for (name, input) in entries(formula, "inputs") {
        for other in texts(input.get("required_unless")) {
            if !inputs.contains(&other.as_str()) {
                cx.report.push(
                    Diagnostic::error("unknown-input", format!("input `{name}` names `{other}`, which is no input"))
                        .at(&other.at, "no such input")
                        .suggest(other.as_str(), inputs.iter().copied()),
                );
            }
        }
    }
    all_texts(cx, formula);
}

/// The legs by their ids, with where they stand in the formula, in order.
fn legs(formula: &Formula) -> impl Iterator<Item = (Text, String)> {
    let legs = match formula.convoy("legs").map(|legs| &legs.value) {
        Some(Value::List(legs)) => legs.as_slice(),
        _ => &[],
    };
    legs.iter().enumerate().filter_map(|(i, leg)| Some((text(leg.get("id")?)?, format!("legs[{i}]"))))
}

/// The legs and then the synthesis, with where they stand in the formula.
pub(in super::super) fn parts(formula: &Formula) -> impl Iterator<Item = (Text, String)> {
    let synthesis = formula.convoy("synthesis").map(|node| Text::new(SYNTHESIS, node.at.clone()));
    legs(formula).chain(synthesis.map(|id| (id, "synthesis".to_owned())))
}

fn entries<'f>(formula: &'f Formula, key: &str) -> &'f [(Text, Node)] {
    match formula.convoy(key).map(|node| &node.value) {
        Some(Value::Table(entries)) => entries,
        _ => &[],
    }
}

fn text(node: &Node) -> Option<Text> {
    match &node.value {
        Value::Text(text) => Some(Text::new(text.as_str(), node.at.clone())),
        _ => None,
    }
}

fn texts(node: Option<&Node>) -> Vec<Text> {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

fn known(cx: &mut Cx<'_>, legs: &[String], leg: &Text, who: &str) {
    if !legs.iter().any(|id| id == leg.as_str()) {
        cx.report.push(
            Diagnostic::error("unknown-leg", format!("{who} `{leg}`, which is no leg"))
                .at(&leg.at, "no leg of that id")
                .help(format!("its legs are {}", legs.join(", ")))
                .suggest(leg.as_str(), legs.iter().map(String::as_str)),
        );
    }
}

/// Each text with the names that it may ask for.
fn all_texts(cx: &mut Cx<'_>, formula: &Formula) {
    let inputs = entries(formula, "inputs").iter().map(|(name, _)| name.as_str());
    let common: BTreeSet<&str> = inputs.chain(formula.vars.keys().map(String::as_str)).chain(NAMES).collect();
    let with = |more: &[&'static str]| common.iter().copied().chain(more.iter().copied()).collect::<BTreeSet<&str>>();
    let output = ["output.directory", "output.synthesis", "output"];
    let names = ["leg.id", "leg.title", "leg.focus", "leg"];
    let of_focus = with(&[&output[..], &["leg.id"]].concat());
    let of_leg = with(&[&output[..], &names].concat());
    let of_text = with(&[&output[..], &names, &["output_path"]].concat());
    let of_prompt = with(&[&output[..], &names, &["output_path", "leg.description"]].concat());
    let last = with(&[&output[..], &["legs"]].concat());
    let part = |key: &str, name: &str| formula.convoy(key).and_then(|table| table.get(name)).and_then(text);
    let mut all: Vec<(Option<Text>, &BTreeSet<&str>)> = vec![
        (part("output", "directory"), &common),
        (part("output", "synthesis"), &common),
        (part("output", "leg_pattern"), &of_leg),
        (part("prompts", "base"), &of_prompt),
        (part("synthesis", "title"), &last),
        (part("synthesis", "description"), &last),
    ];
    if let Some(Value::List(legs)) = formula.convoy("legs").map(|legs| &legs.value) {
        for leg in legs {
            all.push((leg.get("title").and_then(text), &of_text));
            all.push((leg.get("focus").and_then(text), &of_focus));
            all.push((leg.get("description").and_then(text), &of_text));
        }
    }
    for (text, names) in all {
        let Some(text) = text else { continue };
        look_over(cx, &text, names);
    }
}

fn look_over(cx: &mut Cx<'_>, text: &Text, known: &BTreeSet<&str>) {
    let (asked, wrong) = template::look_over(text.as_str());
    let strict = text.at.source.layer.strict();
    for Wrong { why, tag, broken } in wrong {
        let message = format!("this text cannot be filled: {why}");
        // What is not understood may be a word of the program that the file was written for.
        let finding = if strict || broken {
            Diagnostic::error("template", message)
        } else {
            Diagnostic::warning("template", message)
        };
        cx.report.push(finding.at(&place(text, &tag), "here").help(FORMS));
    }
    let mut told: Vec<&str> = Vec::new();
    for name in asked {
        // What is known of the items of other lists, the program may know that the file was written for.
        let field = match name.of_item {
            Some("legs") => LEG.contains(&name.path),
            Some(_) => true,
            None => false,
        };
        if field || known.contains(name.path) || told.contains(&name.path) {
            continue;
        }
        told.push(name.path);
        let message = format!("`{{{{{}}}}}` is no input, and nothing else that this text knows", name.path);
        let finding = Diagnostic::by_layer(&text.at, "unknown-name", message, "; it is filled with nothing");
        let names: Vec<&str> = known.iter().copied().collect();
        cx.report.push(
            finding
                .at(&place(text, name.tag), "nothing has this name")
                .help(format!("it knows {}", names.join(", ")))
                .suggest(name.path, names.iter().copied()),
        );
    }
}

/// Where a tag stands in a text.
fn place(text: &Text, tag: &str) -> At {
    text.part(tag).unwrap_or_else(|| text.at.clone())
}
