//! The resolved formula as JSON: what `bd cook` prints, keys in the order of the format.

use serde_json::{Map, Value, json};

use super::def::{Compose, ExpandRule, Formula, Pointcut, Rule, StepDef, TextVars};
use super::syntax::{Node, Value as Written};
use super::{Cooked, Diagnostic, Found, Report, Text, Var};

/// The resolved formula: nested steps, variables, compose, advice.
pub fn resolved_json(cooked: &Cooked) -> Value {
    let f = &cooked.formula;
    let mut out = Object::default();
    out.text("formula", Some(&f.name));
    out.text("description", f.description.as_ref());
    out.put("version", json!(f.version));
    out.put("type", json!(f.kind.word()));
    let vars: Map<String, Value> = f.vars.iter().map(|(k, def)| (k.clone(), var(&def.var))).collect();
    out.list("vars", vars.is_empty(), || Value::Object(vars));
    out.list("steps", f.steps.is_empty(), || f.steps.iter().map(step).collect());
    out.list("template", f.template.is_empty(), || f.template.iter().map(step).collect());
    let composed = compose(&f.compose);
    out.list("compose", composed.is_empty(), || Value::Object(composed));
    out.list("advice", f.advice.is_empty(), || f.advice.iter().map(rule).collect());
    out.list("pointcuts", f.pointcuts.is_empty(), || f.pointcuts.iter().map(pointcut).collect());
    out.text("phase", f.phase.as_ref());
    out.list("pour", f.pour != Some(true), || Value::Bool(true));
    if let Some(squash) = &f.squash {
        out.put("squash", squash.clone());
    }
    if let Some(patrol) = &f.patrol {
        let mut p = Object::default();
        p.text("role", patrol.role.as_ref());
        p.text("every", patrol.every.as_ref());
        p.text("on", patrol.on.as_ref());
        p.text("digest", patrol.digest.as_ref());
        out.put("patrol", Value::Object(p.0));
    }
    for (key, value) in &f.convoy {
        out.put(key.as_str(), value.json());
    }
    out.put("source", Value::String(source_of(f)));
    Value::Object(out.0)
}

/// A file as plain JSON, nothing resolved.
pub fn as_written(found: &Found) -> Result<Value, Report> {
    let mut report = Report::default();
    match super::syntax::parse(&found.source, found.json, &mut report) {
        Some(node) if !report.failed() => Ok(node.json()),
        _ => Err(report),
    }
}

/// As [`as_written`], for [`as_toml`]: `null`, for which TOML has no word, is as good as no value, but not in a list.
pub fn without_nulls(found: &Found) -> Result<Value, Report> {
    let mut report = Report::default();
    let mut node = super::syntax::parse(&found.source, found.json, &mut report);
    if let Some(node) = &mut node {
        drop_nulls(node, &mut report);
    }
    node.filter(|_| !report.failed()).map(|node| node.json()).ok_or(report)
}

fn drop_nulls(node: &mut Node, report: &mut Report) {
    match &mut node.value {
        Written::Table(entries) => {
            entries.retain(|(_, entry)| !matches!(entry.value, Written::Null));
            for (_, entry) in entries {
                drop_nulls(entry, report);
            }
        }
        Written::List(items) => {
            for item in items {
                drop_nulls(item, report);
            }
        }
        Written::Null => report.push(
            Diagnostic::error("null", "TOML cannot say that an item of a list is null")
                .at(&node.at, "here")
                .help("take it out of the list"),
        ),
        _ => {}
    }
}

/// A formula as TOML text. The error is a fragment: JSON may hold what TOML cannot say.
pub fn as_toml(value: &Value) -> Result<String, String> {
    toml::to_string_pretty(value).map_err(|e| e.to_string())
}

fn source_of(f: &Formula) -> String {
    f.source.path.clone()
}

/// Keys in order, empty ones left out.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    fn text(&mut self, key: &str, text: Option<&Text>) {
        if let Some(text) = text.filter(|t| !t.as_str().is_empty()) {
            self.put(key, text.as_str().into());
        }
    }

    fn texts(&mut self, key: &str, texts: &[Text]) {
        if !texts.is_empty() {
            self.put(key, texts.iter().map(Text::as_str).collect());
        }
    }

    fn list(&mut self, key: &str, empty: bool, value: impl FnOnce() -> Value) {
        if !empty {
            self.put(key, value());
        }
    }
}

fn var(var: &Var) -> Value {
    serde_json::to_value(var).unwrap_or_default()
}

fn text_vars(vars: &TextVars) -> Value {
    Value::Object(vars.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect())
}

fn step(s: &StepDef) -> Value {
    let mut out = Object::default();
    out.text("id", Some(&s.id));
    out.put("title", s.title().into());
    out.text("description", s.description.as_ref());
    out.text("notes", s.notes.as_deref());
    out.text("type", s.kind.as_ref());
    out.list("priority", s.priority.is_none(), || json!(s.priority));
    out.texts("labels", &s.labels);
    out.texts("depends_on", &s.depends_on);
    out.texts("needs", &s.needs);
    out.text("waits_for", s.waits_for.as_deref());
    out.text("assignee", s.assignee.as_deref());
    match s.condition.as_slice() {
        [] => {}
        [one] => out.put("condition", one.as_str().into()),
        many => out.put("condition", many.iter().map(Text::as_str).collect()),
    }
    out.list("children", s.children.is_empty(), || s.children.iter().map(step).collect());
    if let Some(gate) = &s.gate {
        let mut g = Object::default();
        g.text("type", Some(&gate.kind));
        g.text("id", gate.id.as_ref());
        g.text("timeout", gate.timeout.as_ref());
        out.put("gate", Value::Object(g.0));
    }
    if let Some(on) = &s.on_complete {
        let mut o = Object::default();
        o.text("for_each", Some(&on.for_each));
        o.text("bond", Some(&on.bond));
        o.list("vars", on.vars.is_empty(), || text_vars(&on.vars));
        o.put(if on.sequential { "sequential" } else { "parallel" }, Value::Bool(true));
        out.put("on_complete", Value::Object(o.0));
    }
    out.text("run", s.run.as_deref());
    out.text("acceptance", s.acceptance.as_deref());
    if let Some(touches) = &s.touches {
        out.put("only_if", json!({ "touches": touches.iter().map(Text::as_str).collect::<Vec<_>>() }));
    }
    if let Some(metadata) = &s.metadata {
        out.put("metadata", Value::Object((**metadata).clone()));
    }
    Value::Object(out.0)
}

/// One bond point.
pub(super) fn bond_point(point: &super::def::BondPoint) -> Value {
    let mut out = Object::default();
    out.text("id", Some(&point.id));
    out.text("description", point.description.as_ref());
    out.text("after_step", point.after.as_ref());
    out.text("before_step", point.before.as_ref());
    out.list("also_before", point.also_before.is_empty(), || {
        point.also_before.iter().map(|id| Value::from(id.as_str())).collect()
    });
    out.list("parallel", !point.parallel, || Value::Bool(true));
    Value::Object(out.0)
}

fn expand_rule(rule: &ExpandRule, key: &str) -> Value {
    let mut out = Object::default();
    out.text(key, Some(&rule.target));
    out.text("with", Some(&rule.with));
    out.list("vars", rule.vars.is_empty(), || text_vars(&rule.vars));
    Value::Object(out.0)
}

fn compose(c: &Compose) -> Map<String, Value> {
    let mut out = Object::default();
    out.list("bond_points", c.bond_points.is_empty(), || c.bond_points.iter().map(bond_point).collect());
    out.list("hooks", c.hooks.is_empty(), || Value::Array(c.hooks.clone()));
    out.list("expand", c.expand.is_empty(), || c.expand.iter().map(|r| expand_rule(r, "target")).collect());
    out.list("map", c.map.is_empty(), || c.map.iter().map(|r| expand_rule(r, "select")).collect());
    out.list("branch", c.branch.is_empty(), || {
        let one = |b: &super::def::Branch| {
            let mut o = Object::default();
            o.text("from", Some(&b.from));
            o.texts("steps", &b.steps);
            o.text("join", b.join.as_ref());
            Value::Object(o.0)
        };
        c.branch.iter().map(one).collect()
    });
    out.list("gate", c.gate.is_empty(), || {
        let one = |g: &super::def::GateRule| json!({ "before": g.before.as_str(), "condition": g.condition.as_str() });
        c.gate.iter().map(one).collect()
    });
    out.texts("aspects", &c.aspects);
    out.0
}

fn pointcut(p: &Pointcut) -> Value {
    let mut out = Object::default();
    out.text("glob", p.glob.as_ref());
    out.text("type", p.kind.as_ref());
    out.text("label", p.label.as_ref());
    Value::Object(out.0)
}

fn rule(r: &Rule) -> Value {
    let one = |s: &StepDef| {
        let mut o = Object::default();
        o.text("id", Some(&s.id));
        o.text("title", s.title.as_ref());
        o.text("description", s.description.as_ref());
        o.text("type", s.kind.as_ref());
        o.texts("labels", &s.labels);
        Value::Object(o.0)
    };
    // The format has one step under `before` and `after`; more of them are written as a list.
    let side = |list: &[StepDef]| match list {
        [single] => one(single),
        many => many.iter().map(one).collect(),
    };
    let mut out = Object::default();
    out.text("target", r.target.as_ref());
    out.text("type", r.kind.as_ref());
    out.text("label", r.label.as_ref());
    out.list("before", r.before.is_empty(), || side(&r.before));
    out.list("after", r.after.is_empty(), || side(&r.after));
    if !r.around_before.is_empty() || !r.around_after.is_empty() {
        let mut around = Object::default();
        around.list("before", r.around_before.is_empty(), || r.around_before.iter().map(one).collect());
        around.list("after", r.around_after.is_empty(), || r.around_after.iter().map(one).collect());
        out.put("around", Value::Object(around.0));
    }
    out.list("gates", r.gates, || Value::Bool(false));
    Value::Object(out.0)
}
