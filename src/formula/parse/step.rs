//! Steps, their gates and loops; the same keys in `steps`, `template`, `children` and loop bodies.

use std::sync::Arc;

use serde_json::Value as Json;

use super::super::def::{GateDef, LoopDef, OnCompleteDef, StepDef, Times, UntilDef, children_of};
use super::super::syntax::{Fields, Node, Reader, Value};
use super::super::{Diagnostic, Text, condition};

/// The steps under `key`; `path` is where we are, as in `steps[1].loop.`.
pub(super) fn list(
    fields: &Fields<'_>,
    key: &'static str,
    path: &str,
    formula: &Arc<str>,
    depth: usize,
) -> Vec<StepDef> {
    fields
        .list(key)
        .iter()
        .enumerate()
        .filter_map(|(i, node)| step(fields.reader, node, &format!("{path}{key}[{i}]"), formula, depth))
        .collect()
}

fn step(reader: &Reader, node: &Node, path: &str, formula: &Arc<str>, depth: usize) -> Option<StepDef> {
    let name = match node.get("id").map(Node::json) {
        Some(Json::String(id)) if !id.trim().is_empty() => format!("step `{id}`"),
        _ => path.to_owned(),
    };
    let fields = reader.fields(name, path, node)?;
    let id = fields.required("id");
    let mut step =
        StepDef::new(id.clone().unwrap_or_else(|| Text::new("", node.at.clone())), Arc::clone(formula), path.into());
    step.title = fields.text("title").filter(|t| !t.as_str().is_empty());
    step.description = fields.text("description");
    step.notes = fields.text("notes").map(Box::new);
    step.kind = fields.filled("type");
    step.priority = priority(&fields);
    step.labels = labels(&fields);
    step.assignee = fields.filled("assignee").map(Box::new);
    step.depends_on = fields.texts("depends_on");
    step.needs = fields.texts("needs");
    step.waits_for = waits_for(&fields).map(Box::new);
    step.condition = step_condition(&fields);
    step.gate = fields.node("gate").and_then(|n| gate(reader, n)).map(Arc::new);
    step.expand = fields.text("expand").filter(|t| !t.as_str().is_empty()).map(Box::new);
    step.expand_vars = Some(fields.map("expand_vars")).filter(|m| !m.is_empty()).map(Arc::new);
    step.repeat =
        fields.node("loop").and_then(|n| repeat(reader, n, &format!("{path}.loop."), formula, depth)).map(Arc::new);
    step.on_complete = fields.node("on_complete").and_then(|n| on_complete(reader, n)).map(Arc::new);
    reader.lenient(|| {
        step.run = fields.text("run").filter(|t| !t.as_str().is_empty()).map(Box::new);
        step.acceptance = fields.text("acceptance").map(Box::new);
        step.metadata = metadata(&fields);
        step.touches = touches(&fields);
    });
    step.children = list(&fields, "children", &format!("{path}."), formula, depth + 1);
    fields.finish();
    // Without an id the step cannot be spoken of; the error is noted already.
    id.map(|_| step)
}

pub(super) fn priority(fields: &Fields<'_>) -> Option<u8> {
    let (priority, at) = fields.int("priority")?;
    match u8::try_from(priority) {
        Ok(p) if p <= 4 => Some(p),
        _ => {
            fields.reader.push(
                Diagnostic::error("priority", format!("priority {priority} is not one of 0 to 4"))
                    .at(&at, "0 is the most urgent, 4 the least"),
            );
            None
        }
    }
}

/// The labels; one that says nothing is a mistake, and left out.
pub(super) fn labels(fields: &Fields<'_>) -> Vec<Text> {
    let mut labels = fields.texts("labels");
    labels.retain(|label| {
        let empty = label.as_str().trim().is_empty();
        if empty {
            let error =
                Diagnostic::error("label", format!("a label of {} is empty", fields.what)).at(&label.at, "empty");
            fields.reader.lenient(|| fields.reader.push(error));
        }
        !empty
    });
    labels
}

fn waits_for(fields: &Fields<'_>) -> Option<Text> {
    let text = fields.text("waits_for").filter(|t| !t.as_str().is_empty())?;
    let of = children_of(text.as_str());
    if ["all-children", "any-children"].contains(&text.as_str()) || of.is_some_and(|id| !id.is_empty()) {
        return Some(text);
    }
    fields.reader.push(
        Diagnostic::error("waits-for", format!("`{text}` says nothing that one can wait for"))
            .at(&text.at, "here")
            .help("write all-children, any-children or children-of(STEP)")
            .suggest(text.as_str(), ["all-children", "any-children"]),
    );
    None
}

fn step_condition(fields: &Fields<'_>) -> Vec<Text> {
    let Some(text) = fields.text("condition").filter(|t| !t.as_str().trim().is_empty()) else { return Vec::new() };
    if let Err(reason) = condition::Static::parse(text.as_str()) {
        fields.reader.push(
            Diagnostic::error("condition", format!("the condition of {} is not understood: {reason}", fields.what))
                .at(&text.at, "here")
                .help("write {{var}}, !{{var}}, {{var}} == value or {{var}} != value"),
        );
        return Vec::new();
    }
    vec![text]
}

fn gate(reader: &Reader, node: &Node) -> Option<GateDef> {
    let fields = reader.fields("a gate", "gate", node)?;
    let kind = if fields.node("type").is_none_or(Node::is_nothing) && !reader.strict() {
        reader.push(
            Diagnostic::warning("missing-key", "a gate has no `type`; it is opened by hand")
                .at(&node.at, "`type` is missing here")
                .help("say so with type = \"human\""),
        );
        Some(Text::new("human", node.at.clone()))
    } else {
        fields.required("type")
    };
    let (old, new) = (fields.text("id"), fields.text("await_id"));
    let timeout = fields.text("timeout").filter(|t| !t.as_str().is_empty());
    if let Some(text) = &timeout
        && !text.as_str().contains('{')
        && super::super::vars::duration(text.as_str()).is_none()
    {
        reader.push(Diagnostic::no_time(text.as_str(), &text.at));
    }
    fields.finish();
    Some(GateDef { kind: kind?, id: new.or(old).filter(|t| !t.as_str().is_empty()), timeout, once: false })
}

fn repeat(reader: &Reader, node: &Node, path: &str, formula: &Arc<str>, depth: usize) -> Option<LoopDef> {
    let fields = reader.fields("a loop", "loop", node)?.under(path);
    let (count, range, until, max) =
        (fields.int("count"), fields.text("range"), fields.text("until"), fields.int("max"));
    let (count, range, until) = (count.filter(|(n, _)| *n != 0), not_empty(range), not_empty(until));
    let var = fields.text("var").filter(|t| !t.as_str().is_empty());
    let body = list(&fields, "body", path, formula, depth + 1);
    let wrong = |message: &str, help: &str| {
        reader.push(Diagnostic::error("loop", message).at(&node.at, "this loop").help(help));
    };
    // A body that is no list was told of as that.
    let none = |node: &Node| matches!(&node.value, Value::List(items) if items.is_empty());
    if fields.node("body").is_none_or(none) {
        wrong("a loop without a body does nothing", "give it steps: [[steps.loop.body]]");
    }
    let given = usize::from(count.is_some()) + usize::from(range.is_some()) + usize::from(until.is_some());
    fields.finish();
    if given != 1 {
        wrong(
            &format!(
                "a loop has exactly one of count, range and until; this one has {}",
                ["none", "one", "two", "all"][given]
            ),
            "count = 3, range = \"1..2^{disks}\" or until = \"…\" with max",
        );
        return None;
    }
    let times = match (count, range, until) {
        (Some((n, at)), _, _) => {
            let Ok(n) = u64::try_from(n) else {
                reader.push(Diagnostic::error("loop", format!("a loop cannot run {n} times")).at(&at, "here"));
                return None;
            };
            Times::Count(n)
        }
        (_, Some(range), _) => Times::Range(range),
        (_, _, Some(condition)) => Times::Until(self::until(reader, condition, max)?),
        _ => return None,
    };
    Some(LoopDef { times, var, body, at: node.at.clone() })
}

fn not_empty(text: Option<Text>) -> Option<Text> {
    text.filter(|t| !t.as_str().trim().is_empty())
}

fn until(reader: &Reader, text: Text, max: Option<(i64, super::super::At)>) -> Option<UntilDef> {
    if let Err(reason) = condition::Runtime::parse(text.as_str()) {
        reader.push(
            Diagnostic::error("condition", format!("the loop's condition is not understood: {reason}"))
                .at(&text.at, "here")
                .help(condition::RUNTIME_FORMS),
        );
        return None;
    }
    match max.map(|(n, at)| (u32::try_from(n).unwrap_or(0), at)) {
        Some((max, _)) if max > 0 => Some(UntilDef { condition: text, max, var: None, end: None }),
        Some((_, at)) => {
            reader.push(Diagnostic::error("loop", "max must be 1 or more").at(&at, "here"));
            None
        }
        None => {
            reader.push(
                Diagnostic::error("loop", "a loop with until has no bound")
                    .at(&text.at, "may never hold")
                    .help("add max = 10"),
            );
            None
        }
    }
}

fn on_complete(reader: &Reader, node: &Node) -> Option<OnCompleteDef> {
    let fields = reader.fields("on_complete", "on_complete", node)?;
    // Two empty texts are what a program writes that has nothing to say here.
    if ["for_each", "bond"].into_iter().all(|key| fields.node(key).is_some_and(Node::is_nothing)) {
        let _ = (fields.map("vars"), fields.bool("parallel"), fields.bool("sequential"));
        fields.finish();
        return None;
    }
    let for_each = fields.required("for_each");
    let bond = fields.required("bond");
    let vars = fields.map("vars");
    let (parallel, sequential) = (fields.bool("parallel"), fields.bool("sequential"));
    fields.finish();
    if parallel == Some(true) && sequential == Some(true) {
        reader.push(
            Diagnostic::error("on-complete", "on_complete cannot be parallel and sequential")
                .at(&node.at, "choose one"),
        );
    }
    if let Some(path) = &for_each
        && path
            .as_str()
            .strip_prefix("output.")
            .is_none_or(|rest| rest.is_empty() || rest.split('.').any(str::is_empty))
    {
        reader.push(
            Diagnostic::error("on-complete", format!("for_each must name a list in the step's output, not `{path}`"))
                .at(&path.at, "must start with `output.`")
                .help("as in for_each = \"output.items\""),
        );
    }
    Some(OnCompleteDef { for_each: for_each?, bond: bond?, vars, sequential: sequential == Some(true) })
}

/// What pouring writes into the metadata of a step's bead, whatever stands there.
pub(crate) const KEPT: [&str; 6] = ["step", "formula", "order", "loop", "round", "round_of"];

fn metadata(fields: &Fields<'_>) -> Option<Arc<serde_json::Map<String, Json>>> {
    let node = fields.node("metadata")?;
    fields.reader.fields("metadata", "metadata", node)?;
    let Json::Object(map) = node.json() else { return None };
    if let Value::Table(entries) = &node.value {
        for (key, _) in entries.iter().filter(|(key, _)| KEPT.contains(&key.as_str())) {
            let message = format!("the metadata `{key}` of a step is the molecule's own");
            fields.reader.push(
                Diagnostic::by_layer(&key.at, "metadata", message, "; what it writes there takes its place")
                    .at(&key.at, "this key")
                    .help(format!("call it something else; the molecule writes {}", KEPT.join(", "))),
            );
        }
    }
    (!map.is_empty()).then(|| Arc::new(map))
}

pub(super) fn touches(fields: &Fields<'_>) -> Option<Arc<[Text]>> {
    let node = fields.node("only_if")?;
    let table = fields.reader.fields("only_if", "only_if", node)?;
    let mut touches = table.texts("touches");
    table.finish();
    touches.retain(|glob| {
        let wrong = super::super::Glob::new(glob.as_str()).err();
        if let Some(reason) = &wrong {
            let error = Diagnostic::error("glob", format!("`{glob}` is not a pattern: {reason}"));
            fields.reader.push(error.at(&glob.at, "here"));
        }
        wrong.is_none()
    });
    if touches.is_empty() {
        fields.reader.push(
            Diagnostic::error("only-if", "only_if asks for nothing")
                .at(&node.at, "empty")
                .help("as in only_if = { touches = [\"**/auth/**\"] }"),
        );
        return None;
    }
    Some(touches.into())
}
