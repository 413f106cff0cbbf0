//! `[compose]`, `[[advice]]` and `[[pointcuts]]`.

use std::sync::Arc;

use super::super::def::{BondPoint, Branch, Compose, ExpandRule, GateRule, Pointcut, Rule, StepDef};
use super::super::syntax::{Fields, Node, Reader, Value};
use super::super::{Diagnostic, Glob, Text, condition};
use super::step;

pub(super) fn compose(reader: &Reader, node: &Node) -> Compose {
    let Some(fields) = reader.fields("the table `compose`", "compose", node) else { return Compose::default() };
    let compose = Compose {
        bond_points: each(&fields, "bond_points", "a bond point", bond_point),
        hooks: each(&fields, "hooks", "a hook", hook),
        expand: each(&fields, "expand", "an expand rule", |f| expand_rule(f, "target")),
        map: each(&fields, "map", "a map rule", |f| {
            let rule = expand_rule(f, "select");
            if let Some(rule) = &rule {
                glob(f.reader, &rule.target);
            }
            rule
        }),
        branch: each(&fields, "branch", "a branch", branch),
        gate: each(&fields, "gate", "a gate rule", gate_rule),
        aspects: fields.texts("aspects"),
    };
    fields.finish();
    compose
}

fn each<T>(fields: &Fields<'_>, key: &'static str, what: &str, read: impl Fn(&Fields<'_>) -> Option<T>) -> Vec<T> {
    fields
        .list(key)
        .iter()
        .filter_map(|node| {
            let inner = fields.reader.fields(what, key, node)?;
            let value = read(&inner);
            inner.finish();
            value
        })
        .collect()
}

fn bond_point(fields: &Fields<'_>) -> Option<BondPoint> {
    let id = fields.required("id");
    let description = fields.text("description");
    let (after, before) = (fields.filled("after_step"), fields.filled("before_step"));
    let parallel = fields.bool("parallel").unwrap_or(false);
    if after.is_some() == before.is_some() {
        fields.reader.push(
            Diagnostic::error("bond-point", "a bond point has exactly one of after_step and before_step")
                .at(fields.at, "this one"),
        );
    }
    Some(BondPoint { id: id?, description, after, before, also_before: Vec::new(), parallel })
}

fn hook(fields: &Fields<'_>) -> Option<serde_json::Value> {
    let (trigger, attach) = (fields.required("trigger"), fields.required("attach"));
    let (at, vars) = (fields.filled("at"), fields.map("vars"));
    let vars: serde_json::Map<_, _> = vars.into_iter().map(|(k, v)| (k, v.as_str().into())).collect();
    let mut map = serde_json::Map::new();
    map.insert("trigger".into(), trigger?.as_str().into());
    map.insert("attach".into(), attach?.as_str().into());
    at.map(|at| map.insert("at".into(), at.as_str().into()));
    if !vars.is_empty() {
        map.insert("vars".into(), vars.into());
    }
    Some(map.into())
}

fn expand_rule(fields: &Fields<'_>, key: &'static str) -> Option<ExpandRule> {
    let (target, with, vars) = (fields.required(key), fields.required("with"), fields.map("vars"));
    Some(ExpandRule { target: target?, with: with?, vars })
}

fn branch(fields: &Fields<'_>) -> Option<Branch> {
    let (from, steps, join) = (fields.required("from"), fields.texts("steps"), fields.filled("join"));
    if steps.is_empty() {
        fields
            .reader
            .push(Diagnostic::error("branch", "a branch without steps goes nowhere").at(fields.at, "this one"));
    }
    Some(Branch { from: from?, steps, join })
}

fn gate_rule(fields: &Fields<'_>) -> Option<GateRule> {
    let (before, text) = (fields.required("before"), fields.required("condition"));
    if let Some(text) = &text
        && let Err(reason) = condition::Runtime::parse(text.as_str())
    {
        fields.reader.push(
            Diagnostic::error("condition", format!("the gate's condition is not understood: {reason}"))
                .at(&text.at, "here")
                .help(condition::RUNTIME_FORMS),
        );
    }
    Some(GateRule { before: before?, condition: text? })
}

fn glob(reader: &Reader, text: &Text) {
    if let Err(reason) = Glob::new(text.as_str()) {
        reader.push(Diagnostic::error("glob", format!("`{text}` is not a pattern: {reason}")).at(&text.at, "here"));
    }
}

pub(super) fn pointcuts(fields: &Fields<'_>) -> Vec<Pointcut> {
    each(fields, "pointcuts", "a pointcut", |f| {
        let pointcut = Pointcut { glob: f.filled("glob"), kind: f.filled("type"), label: f.filled("label") };
        if let Some(pattern) = &pointcut.glob {
            glob(f.reader, pattern);
        }
        if pointcut.glob.is_none() && pointcut.kind.is_none() && pointcut.label.is_none() {
            let error = Diagnostic::error("pointcut", "a pointcut needs a glob, a type or a label");
            f.reader.lenient(|| f.reader.push(error.at(f.at, "selects nothing")));
            return None;
        }
        Some(pointcut)
    })
}

pub(super) fn advice(fields: &Fields<'_>, formula: &Arc<str>) -> Vec<Rule> {
    let selects =
        |node: &Node| ["glob", "type", "label"].iter().any(|key| node.get(key).is_some_and(|n| !n.is_nothing()));
    let has_pointcuts = fields.list("pointcuts").iter().any(selects);
    fields
        .list("advice")
        .iter()
        .enumerate()
        .filter_map(|(i, node)| rule(fields.reader, node, i, formula, has_pointcuts))
        .collect()
}

fn rule(reader: &Reader, node: &Node, index: usize, formula: &Arc<str>, has_pointcuts: bool) -> Option<Rule> {
    let fields = reader.fields("an advice", "advice", node)?;
    let target = fields.filled("target");
    if let Some(target) = &target {
        glob(reader, target);
    }
    let part = |fields: &Fields<'_>, key: &'static str, path: &str| -> Vec<StepDef> {
        let Some(node) = fields.node(key) else { return Vec::new() };
        let at = format!("advice[{index}].{path}{key}");
        match &node.value {
            Value::List(items) => {
                let one = |(i, n)| advice_step(reader, n, &format!("{at}[{i}]"), formula);
                items.iter().enumerate().filter_map(one).collect()
            }
            _ => advice_step(reader, node, &at, formula).into_iter().collect(),
        }
    };
    let mut rule = Rule {
        kind: fields.filled("type"),
        label: fields.filled("label"),
        gates: fields.bool("gates").unwrap_or(true),
        before: part(&fields, "before", ""),
        after: part(&fields, "after", ""),
        around_before: Vec::new(),
        around_after: Vec::new(),
        target,
    };
    if let Some(around) = fields.node("around").and_then(|n| reader.fields("around", "around", n)) {
        rule.around_before = part(&around, "before", "around.");
        rule.around_after = part(&around, "after", "around.");
        around.finish();
    }
    fields.finish();
    if rule.target.is_none() && rule.kind.is_none() && rule.label.is_none() && !has_pointcuts {
        let error = Diagnostic::error("advice", "this advice says for which steps it is in no way")
            .at(&node.at, "no target")
            .help("add target = \"implement\" or a pattern such as \"*.implement\"");
        reader.lenient(|| reader.push(error));
        return None;
    }
    Some(rule)
}

fn advice_step(reader: &Reader, node: &Node, path: &str, formula: &Arc<str>) -> Option<StepDef> {
    let fields = reader.fields("a step of an advice", path, node)?;
    let id = fields.required("id");
    let mut made =
        StepDef::new(id.clone().unwrap_or_else(|| Text::new("", node.at.clone())), Arc::clone(formula), path.into());
    made.title = fields.text("title").filter(|t| !t.as_str().is_empty());
    made.description = fields.text("description");
    made.kind = fields.filled("type");
    made.priority = step::priority(&fields);
    made.labels = step::labels(&fields);
    made.run = fields.filled("run").map(Box::new);
    made.acceptance = fields.text("acceptance").map(Box::new);
    made.touches = step::touches(&fields);
    // Kept for files that have them; they never did anything.
    let _ = (fields.node("args"), fields.node("output"));
    fields.finish();
    id.map(|_| made)
}
