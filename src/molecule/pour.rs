//! Pouring: a proto and values become beads, in one transaction.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::conditions::{self, Kept};
use super::{MoleculeError, held};
use crate::base::text::headline;
use crate::base::{BeadId, Prefix};
use crate::formula::{
    Compound, GATE_ID, Gate, Limits, OnComplete, Proto, RoundTexts, Step, Until, Vars, fill, filled_len, names_in,
};
use crate::store::{Bead, DepKind, IssueType, Map, NewBead, NewDep, Patch, Read, StoreError, Write};

/// Where a bead keeps the molecule that it is gone through with.
pub const MOLECULE: &str = "molecule";

/// How a molecule is poured.
#[derive(Debug, Clone, Default)]
pub struct PourOpts {
    /// The bead that is worked on with it.
    pub for_bead: Option<BeadId>,
    /// Who works it.
    pub assignee: Option<String>,
    /// The prefix of the root's id; the steps are its children. None takes the store's.
    pub prefix: Option<Prefix>,
    /// A wisp: never reaches the ledger.
    pub ephemeral: bool,
    /// The root alone, without beads for the steps.
    pub root_only: bool,
    /// The root's title; none makes one of the formula and the bead.
    pub title: Option<String>,
    /// Where its first step stands among the steps of the molecule that it hangs in.
    pub first: usize,
    /// The bead that the root becomes a child of.
    pub parent: Option<BeadId>,
    /// The root's id; the steps are called by their names below it. None lets the store choose.
    pub id: Option<BeadId>,
}

/// What was poured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poured {
    /// The root.
    pub root: BeadId,
    /// Step ids of the formula and their beads, in order; gates as `gate-STEP`.
    pub steps: Vec<(String, BeadId)>,
    /// Steps whose condition does not hold for these values.
    pub skipped: Vec<String>,
}

/// Pours `proto` in the caller's transaction.
///
/// A variable without a given value has its default. It is an error if one is missing that is required, or that is
/// declared, used and has no default, and if a value is not one that the formula allows.
pub fn pour(w: &mut Write<'_>, proto: &Proto, vars: &Vars, opts: &PourOpts) -> Result<Poured, MoleculeError> {
    let most = limit(w)?;
    Pouring::new(proto, vars, opts, most)?.pour(w)
}

/// How many bytes of text the steps of a molecule may hold.
pub(super) fn limit(r: &Read<'_>) -> Result<u64, StoreError> {
    let settings = r.settings()?;
    Ok(Limits::of(settings.iter().map(|(key, value)| (key.as_str(), value.as_str()))).bytes)
}

/// Whether `proto` can be poured with these values.
pub fn check(proto: &Proto, vars: &Vars) -> Result<(), MoleculeError> {
    checked(proto, vars).map(drop)
}

/// What [`pour`] would make of these values: the steps, and the ids of those that are left out.
pub fn would_pour(r: &Read<'_>, proto: &Proto, vars: &Vars) -> Result<(Vec<Step>, Vec<String>), MoleculeError> {
    let opts = PourOpts::default();
    let Pouring { steps, skipped, .. } = Pouring::new(proto, vars, &opts, limit(r)?)?;
    if proto.compound.is_some() {
        let (mut steps, mut skipped) = (Vec::new(), Vec::new());
        for part in proto.parts() {
            let (own, left_out) = would_pour(r, part, vars)?;
            let named = |id: &str| format!("{}.{id}", part.formula);
            steps.extend(own.into_iter().map(|step| Step { id: named(&step.id), ..step }));
            skipped.extend(left_out.iter().map(|id| named(id)));
        }
        return Ok((steps, skipped));
    }
    Ok((steps.into_iter().map(|(_, step)| Step::clone(&step)).collect(), skipped))
}

/// A molecule on its way into the store.
pub(super) struct Pouring<'p> {
    pub(super) proto: &'p Proto,
    pub(super) vars: Vars,
    pub(super) opts: &'p PourOpts,
    /// With their places in the formula, so ordered that what a step needs comes before it where that is possible.
    pub(super) steps: Vec<(usize, Kept<'p>)>,
    pub(super) skipped: Vec<String>,
}

impl<'p> Pouring<'p> {
    /// Prepares `proto` for these values; refused if its steps would hold more than `most` bytes of text.
    pub(super) fn new(proto: &'p Proto, vars: &Vars, opts: &'p PourOpts, most: u64) -> Result<Self, MoleculeError> {
        let vars = checked(proto, vars)?;
        let (steps, skipped) = conditions::filter(proto, &vars);
        if !opts.root_only && steps.iter().map(|step| text_of(step, &vars)).fold(0, u64::saturating_add) > most {
            return Err(MoleculeError::TooMuchText { formula: proto.formula.clone(), most });
        }
        Ok(Self { proto, vars, opts, steps: in_order(steps), skipped })
    }

    /// The root, not yet filed.
    pub(super) fn root(&self, w: &Write<'_>) -> Result<NewBead, MoleculeError> {
        root(w, self.proto, &self.vars, self.opts)
    }

    /// The bead of a step, and those of its gates with their names; without parent and edges.
    pub(super) fn beads(&self, order: usize, step: &Step) -> (NewBead, Vec<(String, NewBead)>) {
        let gates = gate_beads(self.proto, step, &self.vars, self.opts);
        (step_bead(self.proto, step, &self.vars, self.opts, order), gates)
    }

    /// The id of a step or gate of that name, where the molecule was given one.
    fn called(&self, name: &str) -> Result<Option<BeadId>, MoleculeError> {
        Ok(match &self.opts.id {
            Some(root) => Some(BeadId::new(format!("{root}.{name}"))?),
            None => None,
        })
    }

    /// Says that it is poured: to everybody, and to the bead that it is for.
    pub(super) fn announce(&self, w: &mut Write<'_>, root: &BeadId) -> Result<(), MoleculeError> {
        if let Some(bead) = &self.opts.for_bead {
            // A large one took a while: somebody else may have poured one for it since.
            free(w, bead)?;
            w.update(bead, Patch::default().with_meta(MOLECULE, root.as_str()))?;
        }
        let steps =
            if self.opts.root_only { 0 } else { self.proto.parts().map(Proto::size).sum::<usize>() + self.steps.len() };
        let payload = json!({ "formula": self.proto.formula, "proto": self.proto.id, "steps": steps });
        w.emit("poured", root.as_str(), payload)?;
        held::release(w, root, None)
    }

    fn pour(self, w: &mut Write<'_>) -> Result<Poured, MoleculeError> {
        let new = self.root(w)?;
        let root = w.create(new)?.id;
        let made = match &self.proto.compound {
            _ if self.opts.root_only => Vec::new(),
            Some(compound) => self.file_parts(w, &root, compound)?,
            None => self.file(w, &root)?,
        };
        self.announce(w, &root)?;
        Ok(Poured { root, steps: made, skipped: self.skipped })
    }

    /// Both parts of a compound below `root`, one bonded to the other.
    fn file_parts(
        &self,
        w: &mut Write<'_>,
        root: &BeadId,
        compound: &Compound,
    ) -> Result<Vec<(String, BeadId)>, MoleculeError> {
        let mut made: Vec<(String, BeadId)> = Vec::new();
        let mut roots: Vec<BeadId> = Vec::new();
        for part in [&compound.first, &compound.second] {
            let id = match &self.opts.id {
                Some(root) => Some(BeadId::new(format!("{root}.{}", roots.len() + 1))?),
                None => None,
            };
            let (assignee, ephemeral) = (self.opts.assignee.clone(), self.opts.ephemeral);
            let opts = PourOpts { assignee, ephemeral, parent: Some(root.clone()), id, ..PourOpts::default() };
            let poured = pour(w, part, &self.vars, &opts)?;
            let taken = made.iter().any(|(name, _)| *name == part.formula);
            let name = if taken { format!("{}-2", part.formula) } else { part.formula.clone() };
            made.extend(poured.steps.into_iter().map(|(step, bead)| (format!("{name}.{step}"), bead)));
            made.push((name, poured.root.clone()));
            roots.push(poured.root);
        }
        if let [first, second] = roots.as_slice() {
            bond_roots(w, first, second, &compound.how)?;
        }
        Ok(made)
    }

    fn file(&self, w: &mut Write<'_>, root: &BeadId) -> Result<Vec<(String, BeadId)>, MoleculeError> {
        let mut beads: HashMap<&str, BeadId> = HashMap::with_capacity(self.steps.len());
        let mut made = Vec::with_capacity(self.steps.len());
        // Edges to steps that come later after all: a parent that waits for its own child.
        let mut later: Vec<(BeadId, DepKind, String, &str)> = Vec::new();
        for (order, step) in &self.steps {
            let parent = step.parent.as_deref().and_then(|p| beads.get(p)).unwrap_or(root).clone();
            let (mut new, gates) = self.beads(*order, step);
            for (name, mut gate) in gates {
                gate.id = self.called(&name)?;
                gate.prefix = if gate.id.is_some() { None } else { own_id(w, &parent)? };
                gate.parent = Some(parent.clone());
                let gate = w.create(gate)?.id;
                new.deps.push(NewDep::new(DepKind::BLOCKS, gate.clone()));
                made.push((name, gate));
            }
            let mut open = Vec::new();
            for (kind, metadata, target) in edges(step) {
                match beads.get(target) {
                    Some(bead) => new.deps.push(NewDep { depends_on_id: bead.clone(), kind, metadata }),
                    None => open.push((kind, metadata, target)),
                }
            }
            new.id = self.called(&step.id)?;
            new.prefix = if new.id.is_some() { None } else { own_id(w, &parent)? };
            new.parent = Some(parent);
            let bead = w.create(new)?.id;
            later.extend(open.into_iter().map(|(kind, metadata, target)| (bead.clone(), kind, metadata, target)));
            made.push((step.id.clone(), bead.clone()));
            beads.insert(&step.id, bead);
        }
        for (bead, kind, metadata, target) in later {
            if let Some(target) = beads.get(target) {
                w.add_dep(&bead, NewDep { depends_on_id: target.clone(), kind, metadata })?;
            }
        }
        Ok(made)
    }
}

/// The edge of a bond between two parts of one molecule; side by side they need none.
fn bond_roots(w: &mut Write<'_>, first: &BeadId, second: &BeadId, how: &str) -> Result<(), MoleculeError> {
    let kind = match how {
        "sequential" => DepKind::BLOCKS,
        "conditional" => DepKind::CONDITIONAL_BLOCKS,
        _ => return Ok(()),
    };
    w.add_dep(second, NewDep::new(kind, first.clone()))?;
    Ok(())
}

/// The prefix of an id that does not begin with its parent's, where there are as many levels as ids may have.
fn own_id(w: &Write<'_>, parent: &BeadId) -> Result<Option<Prefix>, MoleculeError> {
    if w.id_levels(parent) < w.max_id_levels()? {
        return Ok(None);
    }
    Ok(Some(Prefix::new(parent.prefix())?))
}

/// The steps with their places, parents and needs first where that is possible, else as they stand.
fn in_order(steps: Vec<Kept<'_>>) -> Vec<(usize, Kept<'_>)> {
    let place: HashMap<&str, usize> = steps.iter().enumerate().map(|(i, s)| (s.id.as_str(), i)).collect();
    let before = |step: &Step| -> Vec<usize> {
        let needs = step.needs.iter().chain(&step.parent).chain(step.waits_for.iter().filter_map(|w| w.of.as_ref()));
        needs.filter_map(|id| place.get(id.as_str()).copied()).collect()
    };
    if steps.iter().enumerate().all(|(i, step)| before(step).iter().all(|at| *at < i)) {
        return steps.into_iter().enumerate().collect();
    }
    let mut waiting: Vec<usize> = Vec::with_capacity(steps.len());
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (i, step) in steps.iter().enumerate() {
        let needs = before(step);
        waiting.push(needs.len());
        for at in needs {
            dependents[at].push(i);
        }
    }
    let mut free: BTreeSet<usize> = (0..steps.len()).filter(|i| waiting[*i] == 0).collect();
    let mut order = Vec::with_capacity(steps.len());
    while let Some(i) = free.pop_first() {
        order.push(i);
        for next in &dependents[i] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                free.insert(*next);
            }
        }
    }
    // A parent that waits for its own child: no order does, and the edges are drawn afterwards.
    if order.len() < steps.len() {
        return steps.into_iter().enumerate().collect();
    }
    drop(place);
    let mut steps: Vec<Option<Kept<'_>>> = steps.into_iter().map(Some).collect();
    order.into_iter().filter_map(|i| steps[i].take().map(|s| (i, s))).collect()
}

/// The edges of a step to other steps: kind, metadata, step.
pub(super) fn edges(step: &Step) -> Vec<(DepKind, String, &str)> {
    let blocks = step.needs.iter().map(|n| (DepKind::BLOCKS, String::new(), n.as_str()));
    let waits = step.waits_for.iter().filter_map(|w| {
        let metadata = json!({ "gate": w.mode }).to_string();
        w.of.as_deref().map(|of| (DepKind::WAITS_FOR, metadata, of))
    });
    blocks.chain(waits).collect()
}

/// Values and defaults together, of a formula that makes steps, checked.
fn checked(proto: &Proto, given: &Vars) -> Result<Vars, MoleculeError> {
    if proto.steps.is_empty() && matches!(proto.kind.as_str(), "aspect" | "expansion" | "convoy") {
        return Err(MoleculeError::NoSteps { formula: proto.formula.clone(), kind: proto.kind.clone() });
    }
    let mut all: Vars =
        proto.vars.iter().filter_map(|(name, var)| Some((name.clone(), var.default.clone()?))).collect();
    all.extend(given.iter().map(|(k, v)| (k.clone(), v.clone())));
    let missing = missing(proto, &all);
    if !missing.is_empty() {
        return Err(MoleculeError::MissingVars(missing));
    }
    for (name, var) in &proto.vars {
        if let Some(value) = given.get(name)
            && let Some(reason) = var.refuses(value)
        {
            return Err(MoleculeError::Value { name: name.clone(), value: value.clone(), reason });
        }
    }
    Ok(all)
}

/// The declared variables that `values` leaves without one: required ones, and those that a text uses.
fn missing(proto: &Proto, values: &Vars) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for step in &proto.steps {
        let gate = step.gate.as_ref().and_then(|g| g.id.as_deref()).unwrap_or_default();
        let until = step.until.as_ref().map_or("", |until| until.until.as_str());
        let assignee = step.assignee.as_deref().unwrap_or_default();
        for text in [&step.title, &step.description, &step.notes, assignee, gate, until] {
            used.extend(names_in(text));
        }
        used.extend(step.held.iter().flat_map(|condition| names_in(condition)));
    }
    used.extend(names_in(&proto.description));
    for (name, var) in &proto.vars {
        if var.default.is_none() && !values.contains_key(name) && (var.required || used.contains(name.as_str())) {
            missing.push(name.clone());
        }
    }
    missing
}

/// How many bytes of text a step holds when it is filled.
fn text_of(step: &Step, vars: &Vars) -> u64 {
    let gate = step.gate.as_ref().and_then(|g| g.id.as_deref()).unwrap_or_default();
    let acceptance = step.acceptance.as_deref().unwrap_or_default();
    let texts = [&step.title, &step.description, &step.notes, acceptance, gate];
    let all = texts.into_iter().chain(step.labels.iter().map(String::as_str));
    all.map(|text| filled_len(text, vars)).fold(0, u64::saturating_add)
}

/// The molecule that a bead is gone through with, if that is not over.
fn open_molecule(r: &Read<'_>, bead: &Bead) -> Result<Option<BeadId>, StoreError> {
    let Some(id) = bead.meta_str(MOLECULE).and_then(|id| BeadId::new(id).ok()) else { return Ok(None) };
    Ok(r.bead(&id)?.filter(|root| !root.is_over()).map(|root| root.id))
}

/// The bead, for which there is no molecule yet that is not over.
fn free(r: &Read<'_>, bead: &BeadId) -> Result<Bead, MoleculeError> {
    let bead = r.need(bead)?;
    match open_molecule(r, &bead)? {
        Some(molecule) => Err(MoleculeError::HasMolecule { bead: bead.id, molecule }),
        None => Ok(bead),
    }
}

fn root(w: &Write<'_>, proto: &Proto, vars: &Vars, opts: &PourOpts) -> Result<NewBead, MoleculeError> {
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
        ephemeral: opts.ephemeral,
        metadata,
        other,
        ..NewBead::default()
    })
}

fn step_bead(proto: &Proto, step: &Step, vars: &Vars, opts: &PourOpts, order: usize) -> NewBead {
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
    put("only_if", step.only_if.as_ref().map(|o| json!(o)));
    put("loop", step.until.as_ref().map(|u| json!(Until { until: fill(&u.until, vars), max: u.max })));
    put("on_complete", step.on_complete.as_ref().map(|o| on_complete(proto, o)));
    let round = round_of(proto, &step.id);
    put("round", round.and_then(|_| round_texts(step, vars, opts)));
    put("round_of", round.map(Value::from));
    let mut labels = step.labels.iter().map(|l| fill(l, vars)).collect::<Vec<_>>();
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

fn assignee(step: &Step, vars: &Vars, opts: &PourOpts) -> String {
    let own = step.assignee.as_deref().map(|a| fill(a, vars)).filter(|a| !a.is_empty() && !a.contains("{{"));
    own.or_else(|| opts.assignee.clone()).unwrap_or_default()
}

/// What the next round of the step begins with, whatever becomes of this one: its notes, who it is meant for, and the texts
/// that name the round.
fn round_texts(step: &Step, vars: &Vars, opts: &PourOpts) -> Option<Value> {
    let mut round = step.round.as_deref().cloned().unwrap_or_default();
    // The gate is a bead of its own.
    round.texts.remove(GATE_ID);
    for text in round.texts.values_mut().chain(&mut round.labels) {
        *text = fill(text, vars);
    }
    for (key, text) in [("notes", fill(&step.notes, vars)), ("assignee", assignee(step, vars, opts))] {
        if !text.is_empty() {
            round.texts.entry(key.to_owned()).or_insert(text);
        }
    }
    (round != RoundTexts::default()).then(|| json!(round))
}

/// What the step's bead says of its fan-out, with the protomolecule that was frozen for it.
fn on_complete(proto: &Proto, on: &OnComplete) -> Value {
    let mut value = json!(on);
    if let Some(bonded) = proto.bonds.iter().find(|p| p.formula == on.bond) {
        value["proto"] = bonded.id.as_str().into();
    }
    value
}

/// The round of a loop that goes on until a condition holds; the innermost, where loops are nested.
fn round_of<'p>(proto: &'p Proto, step: &str) -> Option<&'p str> {
    let inside = |scope: &&String| step.strip_prefix(scope.as_str()).is_some_and(|rest| rest.starts_with('.'));
    proto.rounds.iter().filter(inside).max_by_key(|scope| scope.len()).map(String::as_str)
}

/// The gates of a step, its own and those of gate rules, with their names.
pub(super) fn gate_beads(proto: &Proto, step: &Step, vars: &Vars, opts: &PourOpts) -> Vec<(String, NewBead)> {
    let own = step.gate.as_deref().map(|gate| gate_bead(proto, step, gate, vars, opts));
    let rules = step.held.iter().map(|condition| {
        let gate = Gate { kind: held::CONDITION.to_owned(), id: Some(condition.clone()), timeout: None };
        gate_bead(proto, step, &gate, vars, opts)
    });
    let name = |i: usize| if i == 0 { format!("gate-{}", step.id) } else { format!("gate-{}-{}", step.id, i + 1) };
    own.into_iter().chain(rules).enumerate().map(|(i, gate)| (name(i), gate)).collect()
}

fn gate_bead(proto: &Proto, step: &Step, gate: &Gate, vars: &Vars, opts: &PourOpts) -> NewBead {
    let id = gate.id.as_deref().map(|id| fill(id, vars)).unwrap_or_default();
    let timeout = gate.timeout.as_deref().map(|t| fill(t, vars)).unwrap_or_default();
    let mut other = Map::new();
    other.insert("await_type".into(), gate.kind.as_str().into());
    if !id.is_empty() {
        other.insert("await_id".into(), id.as_str().into());
    }
    if let Some(wait) = crate::formula::duration(&timeout) {
        other.insert("timeout".into(), Value::from(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX / 2)));
    }
    let mut metadata = Map::new();
    metadata.insert("gate_of".into(), step.id.as_str().into());
    // A gate rule holds the first round alone: its step is named once.
    if let Some(round) = round_of(proto, &step.id).filter(|_| gate.kind != held::CONDITION) {
        metadata.insert("round_of".into(), round.into());
        let texts = step.round.as_deref();
        if let Some((var, text)) = texts.and_then(|round| Some((&round.var, round.texts.get(GATE_ID)?))) {
            let texts = [(GATE_ID.to_owned(), fill(text, vars))].into();
            metadata.insert("round".into(), json!(RoundTexts { var: var.clone(), texts, labels: Vec::new() }));
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
