//! Distilling: what was done once becomes a formula for the next time.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{MoleculeError, step_name};
use crate::base::BeadId;
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
    let mut this = Distilling { r, names: names(&beads), vars, used: HashSet::new() };
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
    let order = |b: &Bead| b.metadata.get("order").and_then(Value::as_u64);
    children.sort_by_key(|b| (order(b).is_none(), order(b), b.created_at, b.id.clone()));
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
        if !bead.labels.is_empty() {
            step.insert("labels".into(), json!(bead.labels));
        }
        let needs: Vec<&str> = self
            .r
            .deps(&bead.id)?
            .into_iter()
            .filter(|d| d.kind == DepKind::BLOCKS)
            .filter_map(|d| self.names.get(&d.depends_on_id).map(String::as_str))
            .collect();
        if !needs.is_empty() {
            step.insert("needs".into(), json!(needs));
        }
        if !node.children.is_empty() {
            step.insert("children".into(), self.steps(&node.children)?);
        }
        Ok(Value::Object(step))
    }
}
