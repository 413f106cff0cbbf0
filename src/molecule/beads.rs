//! What pouring makes of a formula: the root of a molecule, the beads of its steps and their gates, not yet filed.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::pour::{PourOpts, free};
use super::proto::carried;
use super::{MoleculeError, held};
use crate::base::text::headline;
use crate::formula::{GATE_ID, GATE_TIMEOUT, Gate, OnComplete, OnlyIf, Proto, RoundTexts, Step, Until, Vars, fill};
use crate::store::{IssueType, Map, NewBead, Write};

/// Where the root keeps the protomolecules that its steps bond.
pub(super) const BONDS: &str = "bonds";

/// The root of a molecule, not yet filed.
pub(super) fn root(w: &Write<'_>, proto: &Proto, vars: &Vars, opts: &PourOpts) -> Result<NewBead, MoleculeError> {
    let of = match &opts.for_bead {
        Some(bead) => Some(free(w, bead)?),
        None => None,
    };
    let named = |key: &str| proto.vars.contains_key(key).then(|| vars.get(key).cloned()).flatten();
    let title = match (&opts.title, &of) {
        (Some(title), _) => title.clone(),
        (None, Some(bead)) => format!("{}: {}", proto.formula, bead.title),
        (None, None) => named("title").unwrap_or_else(|| proto.formula.clone()),
    };
    let description = named("desc").unwrap_or_else(|| fill(&proto.description, vars));
    let mut metadata = Map::new();
    metadata.insert("formula".into(), proto.formula.as_str().into());
    metadata.insert("proto".into(), proto.id.as_str().into());
    if let Some(bead) = &opts.for_bead {
        metadata.insert("for".into(), bead.as_str().into());
    }
    if !vars.is_empty() {
        metadata.insert("vars".into(), json!(vars));
    }
    if let Some(squash) = &proto.squash {
        metadata.insert("squash".into(), squash.clone());
    }
    if proto.steps.iter().any(|step| !step.held.is_empty()) {
        metadata.insert(held::HELD.into(), true.into());
    }
    // What hangs in a molecule was bonded by it, or is a part of it: that has them.
    let hangs = opts.parent.as_ref().map(|parent| super::root_of(w, parent)).transpose()?.flatten().is_some();
    let bonds = if hangs { Map::new() } else { carried(w, proto)? };
    if !bonds.is_empty() {
        metadata.insert(BONDS.into(), bonds.into());
    }
    if !proto.bond_points.is_empty() {
        metadata.insert("bond_points".into(), json!(proto.bond_points));
    }
    let mut other = Map::new();
    if proto.kind == "patrol" {
        other.insert("mol_type".into(), "patrol".into());
    }
    other.insert("source_formula".into(), proto.formula.as_str().into());
    if let Some(compound) = &proto.compound {
        let from = |part: &Proto| json!({ "source_id": part.id, "bond_type": compound.how });
        other.insert("bonded_from".into(), json!([from(&compound.first), from(&compound.second)]));
    }
    Ok(NewBead {
        id: opts.id.clone(),
        title: fits(&title),
        description,
        issue_type: Some(IssueType::MOLECULE),
        priority: of.map(|b| b.priority),
        assignee: opts.assignee.clone().unwrap_or_default(),
        prefix: opts.prefix.clone(),
        parent: opts.parent.clone(),
        deps: opts.deps.clone(),
        ephemeral: opts.ephemeral,
        metadata,
        other,
        ..NewBead::default()
    })
}

/// The bead of a step, without parent and edges.
pub(super) fn step_bead(proto: &Proto, step: &Step, vars: &Vars, opts: &PourOpts, order: usize) -> NewBead {
    let mut metadata = step.metadata.clone();
    metadata.insert("step".into(), step.id.as_str().into());
    metadata.insert("formula".into(), proto.formula.as_str().into());
    metadata.insert("order".into(), (opts.first + order).into());
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            metadata.insert(key.into(), value);
        }
    };
    put("run", step.run.as_deref().map(Value::from));
    put("only_if", step.only_if.as_deref().map(|only_if| filled_globs(only_if, vars)));
    put("loop", step.until.as_ref().map(|u| json!(Until { until: fill(&u.until, vars), ..Until::clone(u) })));
    put("on_complete", step.on_complete.as_ref().map(|o| on_complete(proto, o, vars)));
    let round = round_of(proto, &step.id);
    put("round", round.and_then(|_| round_texts(proto, step, vars, opts)));
    put("round_of", round.map(Value::from));
    let mut labels: Vec<String> = step.labels.iter().map(|l| fill(l, vars)).collect();
    // One that came to nothing says nothing.
    labels.retain(|label| !label.trim().is_empty());
    if let Some(waits) = &step.waits_for {
        labels.push(format!("gate:{}", waits.mode));
    }
    let mut other = Map::new();
    other.insert("source_formula".into(), step.origin.formula.as_ref().into());
    other.insert("source_location".into(), step.origin.location.as_ref().into());
    NewBead {
        title: fits(&fill(&step.title, vars)),
        description: fill(&step.description, vars),
        notes: fill(&step.notes, vars),
        acceptance_criteria: step.acceptance.as_deref().map(|a| fill(a, vars)).unwrap_or_default(),
        priority: step.priority,
        issue_type: Some(IssueType::new(&step.kind)),
        assignee: assignee(step, vars, opts),
        labels,
        ephemeral: opts.ephemeral,
        metadata,
        other,
        ..NewBead::default()
    }
}

/// Whom a step is given to.
fn assignee(step: &Step, vars: &Vars, opts: &PourOpts) -> String {
    let own = step.assignee.as_deref().map(|a| fill(a, vars)).filter(|own| fits_for_assignee(own));
    own.or_else(|| opts.assignee.clone()).unwrap_or_default()
}

/// Whether somebody can be called so: a variable without a value is nobody.
fn fits_for_assignee(name: &str) -> bool {
    !name.is_empty() && !name.contains("{{")
}

/// What the next round of the step begins with, whatever becomes of this one: its notes, who it is meant for, and what
/// names the round. All as the formula has it: a value that looks like the number's name is none.
fn round_texts(proto: &Proto, step: &Step, vars: &Vars, opts: &PourOpts) -> Option<Value> {
    let mut round = step.round.as_deref().cloned().unwrap_or_default();
    // The gate is a bead of its own.
    round.texts.remove(GATE_ID);
    round.texts.remove(GATE_TIMEOUT);
    if let Some(on) = round.metadata.get_mut("on_complete") {
        let bonded = on["bond"].as_str().and_then(|bond| bonded(proto, bond)).map(str::to_owned);
        on["proto"] = json!(bonded);
    }
    let own = step.assignee.as_deref().filter(|own| fits_for_assignee(&fill(own, vars)));
    let assignee = own.or(opts.assignee.as_deref());
    for (key, text) in [("notes", Some(step.notes.as_str())), ("assignee", assignee)] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            round.texts.entry(key.to_owned()).or_insert_with(|| text.to_owned());
        }
    }
    (round != RoundTexts::default()).then(|| json!(with_vars(round, vars)))
}

/// With the values of the variables that are in its texts.
fn with_vars(round: RoundTexts, vars: &Vars) -> RoundTexts {
    let text = json!(round).to_string();
    let named = |name: &String| text.contains(&format!("{{{{{name}}}}}"));
    let vars = vars.iter().filter(|(name, _)| named(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    RoundTexts { vars, ..round }
}

/// What the step's bead says of the work that it is for.
fn filled_globs(only_if: &OnlyIf, vars: &Vars) -> Value {
    json!(OnlyIf { touches: only_if.touches.iter().map(|glob| fill(glob, vars)).collect() })
}

/// What the step's bead says of its fan-out, with the protomolecule that was frozen for it.
fn on_complete(proto: &Proto, on: &OnComplete, vars: &Vars) -> Value {
    let filled = on.vars.iter().map(|(name, text)| (name.clone(), fill(text, vars))).collect();
    let mut value = json!(OnComplete { vars: filled, ..on.clone() });
    if let Some(bonded) = bonded(proto, &on.bond) {
        value["proto"] = bonded.into();
    }
    value
}

/// The protomolecule that the formula `bond` was frozen as.
fn bonded<'p>(proto: &'p Proto, bond: &str) -> Option<&'p str> {
    proto.bonds.iter().find(|bonded| bonded.formula == bond).map(|bonded| bonded.id.as_str())
}

/// The round of a loop that goes on until a condition holds; the innermost, where loops are nested.
fn round_of<'p>(proto: &'p Proto, step: &str) -> Option<&'p str> {
    let inside = |scope: &&String| step.strip_prefix(scope.as_str()).is_some_and(|rest| rest.starts_with('.'));
    proto.rounds.iter().filter(inside).max_by_key(|scope| scope.len()).map(String::as_str)
}

/// Names that are not free for gates.
pub(super) struct Taken<'p> {
    /// The steps that are called as gates are.
    steps: HashSet<&'p str>,
    /// The steps that have gates: the first one of each is called after it.
    gated: HashSet<&'p str>,
}

impl<'p> Taken<'p> {
    pub(super) fn of(proto: &'p Proto) -> Self {
        let ids = || proto.steps.iter().map(|step| step.id.as_str());
        let gated = proto.steps.iter().filter(|step| step.gate.is_some() || !step.held.is_empty());
        Self {
            steps: ids().filter(|id| id.starts_with(GATE)).collect(),
            gated: gated.map(|step| step.id.as_str()).collect(),
        }
    }

    /// What the gates of a step are called, one after the other.
    pub(super) fn names(&self, step: &str) -> impl Iterator<Item = String> {
        let first = std::iter::once(format!("{GATE}{step}"));
        let more = (2..).map(move |n| format!("{step}-{n}")).filter(|of| !self.gated.contains(of.as_str()));
        first.chain(more.map(|of| format!("{GATE}{of}"))).filter(|name| !self.steps.contains(name.as_str()))
    }
}

/// What the name of a gate begins with.
const GATE: &str = "gate-";

/// The gates of a step, its own and those of gate rules, with their names.
pub(super) fn gate_beads(
    proto: &Proto,
    step: &Step,
    taken: &Taken<'_>,
    vars: &Vars,
    opts: &PourOpts,
) -> Vec<(String, NewBead)> {
    let own = step.gate.as_deref().map(|gate| gate_bead(proto, step, gate, vars, opts));
    // A gate rule holds the first round alone: its step is named once.
    let rules = step.held.iter().map(|condition| {
        let gate = Gate { kind: held::CONDITION.to_owned(), id: Some(condition.clone()), timeout: None, once: true };
        gate_bead(proto, step, &gate, vars, opts)
    });
    taken.names(&step.id).zip(own.into_iter().chain(rules)).collect()
}

fn gate_bead(proto: &Proto, step: &Step, gate: &Gate, vars: &Vars, opts: &PourOpts) -> NewBead {
    let id = gate.id.as_deref().map(|id| fill(id, vars)).unwrap_or_default();
    let timeout = gate.timeout.as_deref().map(|t| fill(t, vars)).unwrap_or_default();
    let mut other = Map::new();
    other.insert("await_type".into(), gate.kind.as_str().into());
    if !id.is_empty() {
        other.insert("await_id".into(), id.as_str().into());
    }
    if let Some(wait) = nanos(&timeout) {
        other.insert("timeout".into(), wait.into());
    }
    let mut metadata = Map::new();
    metadata.insert("gate_of".into(), step.id.as_str().into());
    if let Some(round) = round_of(proto, &step.id).filter(|_| !gate.once) {
        metadata.insert("round_of".into(), round.into());
        if let Some(round) = &step.round {
            let own = |key: &str| Some((key.to_owned(), round.texts.get(key)?.clone()));
            let texts: BTreeMap<_, _> = [GATE_ID, GATE_TIMEOUT].into_iter().filter_map(own).collect();
            if !texts.is_empty() {
                let round = RoundTexts { var: round.var.clone(), texts, ..RoundTexts::default() };
                metadata.insert("round".into(), json!(with_vars(round, vars)));
            }
        }
    }
    metadata.insert("formula".into(), proto.formula.as_str().into());
    NewBead {
        title: gate_title(&gate.kind, &id),
        description: format!("Async gate for step {}", step.id),
        issue_type: Some(IssueType::GATE),
        ephemeral: opts.ephemeral,
        metadata,
        other,
        ..NewBead::default()
    }
}

/// A length of time as formulas write it, in nanoseconds.
pub(super) fn nanos(timeout: &str) -> Option<u64> {
    let wait = crate::formula::duration(timeout)?;
    Some(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX / 2))
}

/// What a gate is called.
pub(super) fn gate_title(kind: &str, id: &str) -> String {
    fits(format!("Gate: {kind} {id}").trim_end())
}

/// A title of one line and at most 500 bytes.
pub(super) fn fits(title: &str) -> String {
    let line = headline(title.trim(), 480);
    let mut end = line.len().min(500);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    if line.is_empty() { "untitled".to_owned() } else { line[..end].to_owned() }
}
