//! What must hold of the finished graph: unique ids, known edges, no circle; and of the values of variables.

use std::collections::{HashMap, HashSet};

use super::super::condition::Runtime;
use super::super::def::{Formula, StepDef, VarDef, children_of, walk};
use super::super::{At, Diagnostic, Text, fill, truthy, vars};
use super::Cx;

/// Checks the graph.
pub(in super::super) fn graph(cx: &mut Cx<'_>, steps: &[StepDef], formula: &Formula) {
    let mut flat: Vec<&StepDef> = Vec::new();
    walk(steps, &mut |s| flat.push(s));
    let index = ids(cx, &flat);
    for step in &flat {
        labels(cx, step, false);
        timeout(cx, step, false);
    }
    let edges = needs(cx, &flat, &index);
    let closing = circle(cx, &flat, &edges);
    deadlock(cx, &flat, &edges, &closing);
    for point in &formula.compose.bond_points {
        for id in point.after.iter().chain(&point.before) {
            let id = cx.last(id);
            known(cx, &index, &id, "bond point", point.id.as_str());
        }
    }
}

type Index<'a> = HashMap<&'a str, usize>;

fn ids<'a>(cx: &mut Cx<'_>, flat: &[&'a StepDef]) -> Index<'a> {
    let mut index = Index::with_capacity(flat.len());
    for (i, step) in flat.iter().enumerate() {
        if let Some(first) = index.insert(step.id.as_str(), i) {
            let other = flat[first];
            if cx.news("duplicate-id", &step.id.at) {
                cx.report.push(
                    Diagnostic::error("duplicate-id", format!("two steps are called `{}`", step.id))
                        .at(&step.id.at, format!("the second: {}@{}", step.formula, step.location))
                        .also(&other.id.at, format!("the first: {}@{}", other.formula, other.location))
                        .maybe_help(step.id.as_str().is_empty().then(|| "give each step an id".to_owned())),
                );
            }
            index.insert(step.id.as_str(), first);
        }
        let id = step.id.as_str();
        let unfit = id.chars().any(|c| c.is_control() || c.is_whitespace()) || id.len() > 200;
        if unfit && cx.news("step-id", &step.id.at) {
            let message = "an id has no spaces and at most 200 characters";
            // Elsewhere people live with such ids, and a step poured from one has an id of its own; only
            // `bd cook --persist`, which keeps them, refuses.
            let finding = Diagnostic::by_layer(&step.id.at, "step-id", message, "");
            cx.report.push(finding.at(&step.id.at, "this id").help("a text for people belongs into the title"));
        }
    }
    index
}

/// How many bytes a label may have in the store.
const LABEL: usize = 200;

/// Reports labels that no bead can have: of those with placeholders, as they are when these are `filled`, or of the others.
fn labels(cx: &mut Cx<'_>, step: &StepDef, filled: bool) {
    for label in step.labels.iter().filter(|label| label.as_str().contains("{{") == filled) {
        let text = fill(label.as_str(), cx.vars);
        let wrong = if text.len() > LABEL {
            format!("has {} bytes; {LABEL} are the most", text.len())
        } else if text.contains(char::is_control) {
            "has a control character".to_owned()
        } else {
            continue;
        };
        if cx.news("label", &label.at) {
            let message = format!("a label of step `{}` {wrong}", step.id);
            let shown = crate::base::text::headline(&text, 40);
            cx.report.push(Diagnostic::error("label", message).at(&label.at, format!("would be `{shown}`")));
        }
    }
}

/// Reports a gate that opens with time and has none.
fn timeless(cx: &mut Cx<'_>, step: &StepDef, kind: &Text) {
    if kind.as_str() == "timer" && cx.news("timeout", &kind.at) {
        cx.report.push(
            Diagnostic::warning("timeout", format!("the timer before `{}` has no timeout", step.id))
                .at(&kind.at, "it never opens by itself")
                .help("say how long, as in timeout = \"30m\""),
        );
    }
}

/// Reports a time that is no length of one: of those with placeholders, as they are when these are `filled`, or of the
/// others.
fn timeout(cx: &mut Cx<'_>, step: &StepDef, filled: bool) {
    let Some(gate) = &step.gate else { return };
    match &gate.timeout {
        Some(text) if text.as_str().contains("{{") == filled => {
            let time = fill(text.as_str(), cx.vars);
            if let Some(name) = vars::names_in(&time).next() {
                // Of a variable that is declared it was told that it has no value.
                if cx.report.findings.iter().all(|finding| finding.code != "missing-var") {
                    let message = format!("variable `{name}` has no value, and a gate waits for so long");
                    let error = Diagnostic::error("missing-var", message).at(&text.at, "used here");
                    cx.report.push(error.help(format!("give it: --var {name}=…")));
                }
            } else if time.is_empty() {
                timeless(cx, step, &gate.kind);
            } else if vars::duration(&time).is_none() && cx.news("timeout", &text.at) {
                cx.report.push(Diagnostic::no_time(&time, &text.at));
            }
        }
        None if !filled => timeless(cx, step, &gate.kind),
        _ => {}
    }
}

/// Checks the labels and times that have placeholders, filled with what is known. A label that comes to nothing is left out.
pub(in super::super) fn filled(cx: &mut Cx<'_>, steps: &[StepDef]) {
    walk(steps, &mut |step| {
        labels(cx, step, true);
        timeout(cx, step, true);
    });
}

fn known(cx: &mut Cx<'_>, index: &Index<'_>, id: &Text, what: &str, name: &str) -> Option<usize> {
    let found = index.get(id.as_str()).copied();
    if found.is_none() && !cx.is_lost(id.as_str()) && cx.news("unknown-need", &id.at) {
        cx.report.push(
            Diagnostic::error("unknown-need", format!("{what} `{name}` names `{id}`, which is no step"))
                .at(&id.at, "no step of that id")
                .suggest(id.as_str(), index.keys().copied()),
        );
    }
    found
}

/// The known edges as indices, with their texts.
fn needs<'a>(cx: &mut Cx<'_>, flat: &[&'a StepDef], index: &Index<'_>) -> Vec<Vec<(usize, &'a Text)>> {
    flat.iter()
        .map(|step| {
            let mut edges: Vec<(usize, &Text)> = Vec::with_capacity(step.needs.len() + step.depends_on.len());
            for id in step.needs.iter().chain(&step.depends_on) {
                let to = known(cx, index, id, "step", step.id.as_str());
                if let Some(to) = to.filter(|to| edges.iter().all(|(e, _)| e != to)) {
                    edges.push((to, id));
                }
            }
            // Who waits for the children of a step comes after it, too: pouring makes such an edge.
            if let (Some(of), Some(text)) = (step.children_of(), step.waits_for.as_deref()) {
                let to = known(cx, index, &of, "waits_for of step", step.id.as_str());
                if let Some(to) = to.filter(|to| edges.iter().all(|(e, _)| e != to)) {
                    edges.push((to, text));
                }
            }
            // Who is held until another step is closed waits for it as who needs it; that it is one was looked at.
            for text in step.held.iter().flat_map(|held| held.iter()) {
                let condition = Runtime::parse(text.as_str()).ok();
                if let Some(to) = condition.as_ref().and_then(Runtime::closed).and_then(|id| index.get(id)) {
                    edges.push((*to, text));
                }
            }
            edges
        })
        .collect()
}

/// Calls `found` with each circle of a graph once: the nodes from the first to the last, whose edge leads back. Depth
/// first, without recursion: a chain may be a million steps long.
fn circles<E: Copy>(edges: &[Vec<(usize, E)>], mut found: impl FnMut(&[usize], E)) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::Open;
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((at, next)) = path.last_mut() {
            let Some((to, edge)) = edges[*at].get(*next).copied() else {
                marks[*at] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[to] {
                Mark::Done => {}
                Mark::New => {
                    marks[to] = Mark::Open;
                    path.push((to, 0));
                }
                Mark::Open => {
                    let from = path.iter().position(|(i, _)| *i == to).unwrap_or(0);
                    let nodes: Vec<usize> = path[from..].iter().map(|(i, _)| *i).collect();
                    found(&nodes, edge);
                }
            }
        }
    }
}

/// Reports each circle of what waits for what; the edges that close one, from and to.
fn circle(cx: &mut Cx<'_>, flat: &[&StepDef], edges: &[Vec<(usize, &Text)>]) -> HashSet<(usize, usize)> {
    let mut closing = HashSet::new();
    circles(edges, |nodes, need| {
        let (Some(first), Some(last)) = (nodes.first().copied(), nodes.last().copied()) else { return };
        closing.insert((last, first));
        let names: Vec<&str> = nodes.iter().copied().chain([first]).map(|i| flat[i].id.as_str()).collect();
        report_circle(cx, &names, need);
    });
    closing
}

/// Reports circles that groups close, of those that share a step one: a step of a group begins no sooner than the group
/// may, and a group is done when all its steps are. The edges `without` were told of as they are.
fn deadlock(cx: &mut Cx<'_>, flat: &[&StepDef], needs: &[Vec<(usize, &Text)>], without: &HashSet<(usize, usize)>) {
    if flat.iter().all(|s| s.children.is_empty()) {
        return;
    }
    // Of each step its beginning, 2i, and its end, 2i + 1.
    let index: HashMap<*const StepDef, usize> =
        flat.iter().enumerate().map(|(i, s)| (std::ptr::from_ref(*s), i)).collect();
    let mut edges: Vec<Vec<(usize, Option<&Text>)>> = vec![Vec::new(); flat.len() * 2];
    for (i, step) in flat.iter().enumerate() {
        let others = needs[i].iter().filter(|(to, _)| !without.contains(&(i, *to)));
        edges[2 * i].extend(others.map(|(to, need)| (2 * to + 1, Some(*need))));
        edges[2 * i + 1].push((2 * i, None));
        for child in step.children.iter().filter_map(|child| index.get(&std::ptr::from_ref(child)).copied()) {
            edges[2 * child].push((2 * i, None));
            edges[2 * i + 1].push((2 * child + 1, None));
        }
    }
    let mut told: HashSet<usize> = HashSet::new();
    circles(&edges, |nodes, _| {
        let known = nodes.iter().any(|node| told.contains(&(node / 2)));
        told.extend(nodes.iter().map(|node| node / 2));
        if known {
            return;
        }
        let mut names: Vec<&str> = nodes.iter().map(|node| flat[node / 2].id.as_str()).collect();
        names.dedup();
        let on_the_way = || nodes.iter().zip(nodes.iter().cycle().skip(1));
        let need = on_the_way().find_map(|(from, to)| edges[*from].iter().find(|(node, _)| node == to)?.1);
        let at = need.map_or_else(|| &flat[nodes[0] / 2].id.at, |need| &need.at);
        if !cx.news("cycle", at) {
            return;
        }
        cx.report.push(
            Diagnostic::error("cycle", format!("steps wait for each other through a group: {}", names.join(" -> ")))
                .at(at, "this edge is part of the circle")
                .help(
                    "a step of a group begins no sooner than the group may, and a group is done when all its steps are",
                ),
        );
    });
}

fn report_circle(cx: &mut Cx<'_>, names: &[&str], need: &Text) {
    if !cx.news("cycle", &need.at) {
        return;
    }
    let shown = if names.len() > 12 {
        format!("{} -> … -> {}", names[..6].join(" -> "), names[names.len() - 5..].join(" -> "))
    } else {
        names.join(" -> ")
    };
    let message = if names.len() == 2 && children_of(need.as_str()).is_some() {
        format!("step `{}` waits for its own children", names[0])
    } else if names.len() == 2 {
        format!("step `{}` needs itself", names[0])
    } else {
        format!("steps wait for each other: {shown}")
    };
    cx.report.push(
        Diagnostic::error("cycle", message)
            .at(&need.at, "this edge closes the circle")
            .help("an arrow reads `waits for`; drop one of them, or no step of the circle can ever start"),
    );
}

/// Checks the values that were given against the declarations, and that none is missing.
pub(in super::super) fn values(cx: &mut Cx<'_>, formula: &Formula) {
    for (name, def) in &formula.vars {
        // Values and defaults stand in one table here; a default is to be mended where it is written.
        let Some(given) = cx.vars.get(name).cloned() else { continue };
        let is_default = def.var.default.as_deref() == Some(given.as_str());
        if !(is_default && given.is_empty()) {
            value(cx, name, def, &given, is_default.then_some(&def.default_at));
        }
    }
}

/// Whether `value` is one that the variable may have; says so if not. `at` is where it is written, if in a file.
pub(super) fn value(cx: &mut Cx<'_>, name: &str, def: &VarDef, value: &str, at: Option<&At>) -> bool {
    // A value that holds a placeholder is known only later.
    if value.contains("{{") {
        return true;
    }
    let Some(reason) = wrong(&def.var, value) else { return true };
    let finding = Diagnostic::error("var-value", format!("`{value}` is no value of variable `{name}`: {reason}"));
    cx.report.push(match at {
        Some(at) => finding.at(at, "here"),
        None => finding.at(&def.at, "declared here").help(format!("give another: --var {name}=…")),
    });
    false
}

/// Why a variable cannot have that value.
pub(in super::super) fn wrong(var: &super::super::Var, value: &str) -> Option<String> {
    if !var.choices.is_empty() && !var.choices.iter().any(|c| c == value) {
        return Some(format!("it must be one of {}", var.choices.join(", ")));
    }
    match var.kind.as_deref() {
        Some("int") if value.trim().parse::<i64>().is_err() => return Some("it must be an integer".to_owned()),
        Some("number") if value.trim().parse::<f64>().is_err() => return Some("it must be a number".to_owned()),
        Some("bool")
            if !["true", "false", "1", "0", "yes", "no", "on", "off"]
                .contains(&value.trim().to_ascii_lowercase().as_str()) =>
        {
            let near = if truthy(value) { "true" } else { "false" };
            return Some(format!("it must be true or false, as in {near}"));
        }
        _ => {}
    }
    let pattern = var.pattern.as_deref()?;
    let matches = vars::pattern(pattern).is_ok_and(|p| p.is_match(value));
    (!matches).then(|| format!("it must match /{pattern}/"))
}
