//! Distilling: what was done once becomes a formula for the next time.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{CONDITION, MoleculeError, is_molecule, step_name};
use crate::base::BeadId;
use crate::formula::KEPT;
use crate::store::{Bead, DepKind, IssueType, Read, Status};

/// A formula out of the beads below `epic`: one step each, groups with their children, edges among them.
///
/// `vars` are names and the texts that stand for them: each text becomes `{{name}}` wherever it occurs, and the default
/// of the variable. It is an error if one occurs nowhere.
pub fn distill(
    r: &Read<'_>,
    epic: &BeadId,
    name: &str,
    vars: &BTreeMap<String, String>,
) -> Result<Value, MoleculeError> {
    let root = r.need(epic)?;
    let mut beads = Vec::new();
    let top = below(r, epic, &mut beads, 0)?;
    if top.is_empty() {
        return Err(MoleculeError::NothingBelow(epic.clone()));
    }
    let mut this = Distilling { r, names: names(&beads), vars, used: HashSet::new(), rules: Vec::new() };
    let description = if root.description.is_empty() { root.title.clone() } else { root.description.clone() };
    let mut formula = Map::new();
    formula.insert("formula".into(), name.into());
    formula.insert("description".into(), this.text(&description).into());
    let steps = this.steps(&top)?;
    if let Some(missing) = vars.keys().find(|name| !this.used.contains(*name)) {
        return Err(MoleculeError::NotFoundIn { text: vars[missing].clone(), of: epic.clone() });
    }
    if !vars.is_empty() {
        formula.insert("vars".into(), json!(vars));
    }
    formula.insert("steps".into(), steps);
    if !this.rules.is_empty() {
        formula.insert("compose".into(), json!({ "gate": this.rules }));
    }
    Ok(Value::Object(formula))
}

/// A bead and what is below it.
struct Node {
    bead: Bead,
    children: Vec<Node>,
}

/// The beads below `id` that are work, oldest first; all of them go to `all` too.
fn below(r: &Read<'_>, id: &BeadId, all: &mut Vec<Bead>, depth: usize) -> Result<Vec<Node>, MoleculeError> {
    // A damaged ledger may hold a circle of parents.
    if depth > 16 {
        return Ok(Vec::new());
    }
    let mut children = r.children(id)?;
    children.retain(|b| b.status != Status::TOMBSTONE && b.issue_type != IssueType::GATE);
    children.sort_by_key(|b| (super::view::order(b), b.created_at, b.id.clone()));
    let mut nodes = Vec::new();
    for bead in children {
        all.push(bead.clone());
        nodes.push(Node { children: below(r, &bead.id, all, depth + 1)?, bead });
    }
    Ok(nodes)
}

/// An id for each step: its name in the formula that it came from, else made of its title.
fn names(beads: &[Bead]) -> HashMap<BeadId, String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut names = HashMap::new();
    for bead in beads {
        let wanted = step_name(bead).map_or_else(|| slug(&bead.title), str::to_owned);
        let mut name = wanted.clone();
        for n in 2.. {
            if taken.insert(name.clone()) {
                break;
            }
            name = format!("{wanted}-{n}");
        }
        names.insert(bead.id.clone(), name);
    }
    names
}

/// `Fix the login page!` as `fix-the-login-page`.
pub fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars().flat_map(char::to_lowercase).take(60) {
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "step".to_owned() } else { out.to_owned() }
}

struct Distilling<'a> {
    r: &'a Read<'a>,
    names: HashMap<BeadId, String>,
    vars: &'a BTreeMap<String, String>,
    used: HashSet<String>,
    /// Gate rules.
    rules: Vec<Value>,
}

impl Distilling<'_> {
    /// The text with variables in place of what stands for them, the longest first.
    fn text(&mut self, text: &str) -> String {
        let mut by_length: Vec<(&String, &String)> = self.vars.iter().filter(|(_, v)| !v.is_empty()).collect();
        by_length.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let mut out = text.to_owned();
        for (name, value) in by_length {
            if out.contains(value.as_str()) {
                out = out.replace(value.as_str(), &format!("{{{{{name}}}}}"));
                self.used.insert(name.clone());
            }
        }
        out
    }

    fn steps(&mut self, nodes: &[Node]) -> Result<Value, MoleculeError> {
        nodes.iter().map(|node| self.step(node)).collect()
    }

    fn step(&mut self, node: &Node) -> Result<Value, MoleculeError> {
        let bead = &node.bead;
        let mut step = Map::new();
        step.insert("id".into(), self.names[&bead.id].as_str().into());
        step.insert("title".into(), self.text(&bead.title).into());
        for (key, text) in
            [("description", &bead.description), ("acceptance", &bead.acceptance_criteria), ("notes", &bead.notes)]
        {
            if !text.is_empty() {
                step.insert(key.into(), self.text(text).into());
            }
        }
        if node.children.is_empty() && bead.issue_type != IssueType::TASK {
            step.insert("type".into(), bead.issue_type.as_str().into());
        }
        if bead.priority != 2 {
            step.insert("priority".into(), bead.priority.into());
        }
        // Those that pouring makes of other keys come again with them.
        let made = |label: &&String| {
            ["loop:{", "gate:{"].iter().any(|begin| label.starts_with(begin))
                || label.ends_with("-children") && label.starts_with("gate:")
        };
        let labels: Vec<&String> = bead.labels.iter().filter(|label| !made(label)).collect();
        if !labels.is_empty() {
            step.insert("labels".into(), json!(labels));
        }
        let (needs, more) = self.edges(bead)?;
        if !needs.is_empty() {
            step.insert("needs".into(), json!(needs));
        }
        step.extend(more);
        let who = given_to(self.r, bead)?;
        if !who.is_empty() {
            step.insert("assignee".into(), self.text(&who).into());
        }
        step.extend(metadata(node));
        if !node.children.is_empty() {
            step.insert("children".into(), self.steps(&node.children)?);
        }
        Ok(Value::Object(step))
    }

    /// What a step needs, and the keys `waits_for` and `gate`.
    fn edges(&mut self, bead: &Bead) -> Result<(Vec<String>, Map<String, Value>), MoleculeError> {
        let (mut needs, mut more) = (Vec::new(), Map::new());
        for dep in self.r.deps(&bead.id)? {
            let name = self.names.get(&dep.depends_on_id).cloned();
            match name {
                Some(name) if dep.kind == DepKind::BLOCKS && !needs.contains(&name) => needs.push(name),
                Some(name) if dep.kind == DepKind::WAITS_FOR => {
                    let any = dep.metadata.contains("any-children");
                    let waits = if any { "any-children".to_owned() } else { format!("children-of({name})") };
                    more.insert("waits_for".into(), waits.into());
                    if any {
                        // Of the step that it needs first.
                        needs.retain(|need| *need != name);
                        needs.insert(0, name);
                    }
                }
                None if dep.kind == DepKind::BLOCKS => {
                    match self.r.bead(&dep.depends_on_id)?.filter(|bead| bead.issue_type == IssueType::GATE) {
                        Some(gate) if gate.await_type == CONDITION => {
                            let condition = self.text(&gate.await_id);
                            self.rules.push(json!({ "before": self.names[&bead.id], "condition": condition }));
                        }
                        Some(gate) if !more.contains_key("gate") => {
                            more.insert("gate".to_owned(), self.gate(&gate));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Ok((needs, more))
    }

    fn gate(&mut self, gate: &Bead) -> Value {
        let mut table = Map::new();
        table.insert("type".into(), gate.await_type.as_str().into());
        if !gate.await_id.is_empty() {
            table.insert("id".into(), self.text(&gate.await_id).into());
        }
        if let Some(timeout) = written(gate.timeout) {
            table.insert("timeout".into(), timeout.into());
        }
        table.into()
    }
}

/// The keys that pouring keeps in the metadata, and what else is there but the traces of the work.
fn metadata(Node { bead, children }: &Node) -> Map<String, Value> {
    let (mut keys, mut free) = (Map::new(), Map::new());
    for (key, value) in &bead.metadata {
        // The root of a molecule that came up below a step says only what it was poured from.
        // What a fan-out made is among the steps.
        let done = key == "on_complete" && children.iter().any(|child| is_molecule(&child.bead));
        if is_molecule(bead) || done || KEPT.contains(&key.as_str()) || TRACES.contains(&key.as_str()) {
            continue;
        }
        let Some(mut value) = said(value) else { continue };
        if let ("on_complete", Some(table)) = (key.as_str(), value.as_object_mut()) {
            table.remove("proto");
        }
        let to = if ["run", "only_if", "on_complete"].contains(&key.as_str()) { &mut keys } else { &mut free };
        to.insert(key.clone(), value);
    }
    if !free.is_empty() {
        keys.insert("metadata".into(), free.into());
    }
    keys
}

/// A value without what is nothing, which TOML cannot say. Pouring copies it as it is, so no variable goes into it.
fn said(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null => return None,
        Value::Array(items) => items.iter().filter_map(said).collect(),
        Value::Object(table) => table.iter().filter_map(|(key, value)| Some((key.clone(), said(value)?))).collect(),
        other => other.clone(),
    })
}

/// What working on a step, and bonding it, write into its metadata beside what pouring does ([`KEPT`]).
const TRACES: [&str; 5] = ["loop_ended", "output", "outcome", "on_complete_failures", "bonded_at"];

/// Whom a bead was given to, which is not whoever took it up.
fn given_to(r: &Read<'_>, bead: &Bead) -> Result<String, MoleculeError> {
    let history = r.history(&bead.id)?;
    if !history.iter().any(|event| event.kind == "created") {
        // It was made elsewhere; once begun, it is whoever took it up.
        return Ok(if bead.started_at.is_none() { bead.assignee.clone() } else { String::new() });
    }
    let mut who = String::new();
    for event in &history {
        let fields = &event.payload["fields"];
        match event.kind.as_str() {
            "created" => event.payload["assignee"].as_str().unwrap_or_default().clone_into(&mut who),
            "updated" if fields.get("assignee").is_some() && fields.get("started_at").is_none() => {
                fields["assignee"][1].as_str().unwrap_or_default().clone_into(&mut who);
            }
            _ => {}
        }
    }
    Ok(who)
}

/// A time in nanoseconds as formulas write it, in one unit.
fn written(nanos: i64) -> Option<String> {
    let seconds = nanos / 1_000_000_000;
    let unit = [(3_600, "h"), (60, "m"), (1, "s")].into_iter().find(|(size, _)| seconds % size == 0);
    unit.filter(|_| seconds > 0).map(|(size, unit)| format!("{}{unit}", seconds / size))
}
