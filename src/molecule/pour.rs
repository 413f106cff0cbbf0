//! Pouring: a proto and values become beads, in one transaction.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{MoleculeError, conditions};
use crate::base::text::headline;
use crate::base::{BeadId, Prefix};
use crate::formula::{Gate, Proto, Step, Vars, fill, names_in};
use crate::store::{DepKind, IssueType, Map, NewBead, NewDep, Stamp, Store, Write};

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
    /// The bead that the root becomes a child of.
    pub parent: Option<BeadId>,
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
    let mut create = |w: &mut Write<'_>, new: NewBead| Ok(w.create(new)?.id);
    let mut pouring = Pouring::new(proto, vars, opts)?;
    pouring.root(w, &mut create)?;
    pouring.some(w, usize::MAX, &mut create)?;
    pouring.late_edges(w)?;
    pouring.done(w)
}

/// Beads per transaction while a large molecule is poured: well under the 100 ms that a writer may hold the lock.
const CHUNK: usize = 200;

/// Pours a molecule of any size: staged in short transactions that no reader sees, and published by one. A crash in
/// between leaves nothing that anybody can see.
pub fn pour_large(
    store: &mut Store,
    by: &Stamp,
    proto: &Proto,
    vars: &Vars,
    opts: &PourOpts,
) -> Result<Poured, MoleculeError> {
    let mut pouring = Pouring::new(proto, vars, opts)?;
    if pouring.steps.len() <= CHUNK || opts.root_only || pouring.has_late_edges() {
        return store.write(by, |w| pour(w, proto, vars, opts));
    }
    let batch = store.write::<_, MoleculeError>(by, |w| Ok(w.new_batch("pour")?))?;
    let mut stage = |w: &mut Write<'_>, new: NewBead| -> Result<BeadId, MoleculeError> {
        let made = w.stage(batch, vec![new])?;
        made.into_iter().next().ok_or_else(|| MoleculeError::UnknownProto(proto.id.clone()))
    };
    let result = (|| {
        store.write(by, |w| pouring.root(w, &mut stage))?;
        while store.write(by, |w| pouring.some(w, CHUNK, &mut stage))? {}
        store.write::<_, MoleculeError>(by, |w| Ok(w.publish(batch)?))
    })();
    if let Err(error) = result {
        // What was staged is invisible either way; the first error is the one to tell.
        let _ = store.write::<_, MoleculeError>(by, |w| Ok(w.discard(batch)?));
        return Err(error);
    }
    store.write(by, |w| pouring.done(w))
}

/// How a bead is filed: plainly, or into a batch.
type Create<'c> = &'c mut dyn FnMut(&mut Write<'_>, NewBead) -> Result<BeadId, MoleculeError>;

/// A molecule on its way into the store.
struct Pouring<'p> {
    proto: &'p Proto,
    vars: Vars,
    opts: &'p PourOpts,
    /// With their places in the formula, so ordered that what a step needs comes before it.
    steps: Vec<(usize, Step)>,
    next: usize,
    beads: HashMap<String, BeadId>,
    /// Edges to steps that come later after all.
    later: Vec<(BeadId, NewDep, String)>,
    root: Option<BeadId>,
    made: Vec<(String, BeadId)>,
    skipped: Vec<String>,
}

impl<'p> Pouring<'p> {
    fn new(proto: &'p Proto, vars: &Vars, opts: &'p PourOpts) -> Result<Self, MoleculeError> {
        let vars = values(proto, vars)?;
        if proto.steps.is_empty() && matches!(proto.kind.as_str(), "aspect" | "expansion") {
            return Err(MoleculeError::NoSteps { formula: proto.formula.clone(), kind: proto.kind.clone() });
        }
        let (steps, skipped) = conditions::filter(proto, &vars);
        Ok(Self {
            proto,
            vars,
            opts,
            beads: HashMap::with_capacity(steps.len()),
            made: Vec::with_capacity(steps.len()),
            steps: in_order(steps),
            next: 0,
            later: Vec::new(),
            root: None,
            skipped,
        })
    }

    /// Whether some step needs one that cannot come before it: its own child, say.
    fn has_late_edges(&self) -> bool {
        let place: HashMap<&str, usize> = self.steps.iter().enumerate().map(|(i, (_, s))| (s.id.as_str(), i)).collect();
        self.steps
            .iter()
            .enumerate()
            .any(|(i, (_, step))| edges(step).iter().any(|(_, _, target)| place.get(target).is_some_and(|at| *at > i)))
    }

    fn root(&mut self, w: &mut Write<'_>, create: Create<'_>) -> Result<(), MoleculeError> {
        let new = root(w, self.proto, &self.vars, self.opts)?;
        self.root = Some(create(w, new)?);
        Ok(())
    }

    /// Files the next `most` steps; true when more are left.
    fn some(&mut self, w: &mut Write<'_>, most: usize, create: Create<'_>) -> Result<bool, MoleculeError> {
        let Some(root) = self.root.clone().filter(|_| !self.opts.root_only) else { return Ok(false) };
        let end = self.next.saturating_add(most).min(self.steps.len());
        for (order, step) in &self.steps[self.next..end] {
            let parent = step.parent.as_deref().and_then(|p| self.beads.get(p)).unwrap_or(&root).clone();
            let mut new = step_bead(self.proto, step, &self.vars, self.opts, *order);
            if let Some(gate) = &step.gate {
                let gate = create(w, gate_bead(self.proto, step, gate, &self.vars, &parent, self.opts))?;
                self.made.push((format!("gate-{}", step.id), gate.clone()));
                new.deps.push(NewDep::new(DepKind::BLOCKS, gate));
            }
            let mut open = Vec::new();
            for (kind, metadata, target) in edges(step) {
                match self.beads.get(target) {
                    Some(bead) => new.deps.push(NewDep { depends_on_id: bead.clone(), kind, metadata }),
                    None => open.push((NewDep { depends_on_id: root.clone(), kind, metadata }, target.to_owned())),
                }
            }
            new.parent = Some(parent);
            let bead = create(w, new)?;
            self.later.extend(open.into_iter().map(|(edge, target)| (bead.clone(), edge, target)));
            self.made.push((step.id.clone(), bead.clone()));
            self.beads.insert(step.id.clone(), bead);
        }
        self.next = end;
        Ok(end < self.steps.len())
    }

    fn late_edges(&mut self, w: &mut Write<'_>) -> Result<(), MoleculeError> {
        for (bead, mut edge, target) in std::mem::take(&mut self.later) {
            if let Some(target) = self.beads.get(&target) {
                edge.depends_on_id = target.clone();
                w.add_dep(&bead, edge)?;
            }
        }
        Ok(())
    }

    fn done(&mut self, w: &mut Write<'_>) -> Result<Poured, MoleculeError> {
        let Some(root) = self.root.take() else { return Err(MoleculeError::UnknownProto(self.proto.id.clone())) };
        let payload = json!({ "formula": self.proto.formula, "proto": self.proto.id, "steps": self.beads.len() });
        w.emit("poured", root.as_str(), payload)?;
        Ok(Poured { root, steps: std::mem::take(&mut self.made), skipped: std::mem::take(&mut self.skipped) })
    }
}

/// The steps with their places, parents and needs first where that is possible, else as they stand.
fn in_order(steps: Vec<Step>) -> Vec<(usize, Step)> {
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
    let mut steps: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    order.into_iter().filter_map(|i| steps[i].take().map(|s| (i, s))).collect()
}

/// The edges of a step to other steps: kind, metadata, step.
fn edges(step: &Step) -> Vec<(DepKind, String, &str)> {
    let blocks = step.needs.iter().map(|n| (DepKind::BLOCKS, String::new(), n.as_str()));
    let waits = step.waits_for.iter().filter_map(|w| {
        let metadata = json!({ "gate": w.mode }).to_string();
        w.of.as_deref().map(|of| (DepKind::WAITS_FOR, metadata, of))
    });
    blocks.chain(waits).collect()
}

/// Values and defaults together, checked.
fn values(proto: &Proto, given: &Vars) -> Result<Vars, MoleculeError> {
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
pub fn missing(proto: &Proto, values: &Vars) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for step in &proto.steps {
        let gate = step.gate.as_ref().and_then(|g| g.id.as_deref()).unwrap_or_default();
        for text in [&step.title, &step.description, &step.notes, step.assignee.as_deref().unwrap_or_default(), gate] {
            used.extend(names_in(text));
        }
    }
    used.extend(names_in(&proto.description));
    for (name, var) in &proto.vars {
        if var.default.is_none() && !values.contains_key(name) && (var.required || used.contains(name.as_str())) {
            missing.push(name.clone());
        }
    }
    missing
}

fn root(w: &Write<'_>, proto: &Proto, vars: &Vars, opts: &PourOpts) -> Result<NewBead, MoleculeError> {
    let of = match &opts.for_bead {
        Some(bead) => Some(w.need(bead)?),
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
    if !proto.bond_points.is_empty() {
        metadata.insert("bond_points".into(), json!(proto.bond_points));
    }
    let mut other = Map::new();
    if proto.kind == "patrol" {
        other.insert("mol_type".into(), "patrol".into());
    }
    other.insert("source_formula".into(), proto.formula.as_str().into());
    Ok(NewBead {
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
    metadata.insert("order".into(), order.into());
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            metadata.insert(key.into(), value);
        }
    };
    put("run", step.run.as_deref().map(Value::from));
    put("only_if", step.only_if.as_ref().map(|o| json!(o)));
    put("loop", step.until.as_ref().map(|u| json!(u)));
    put("on_complete", step.on_complete.as_ref().map(|o| json!(o)));
    let mut labels = step.labels.iter().map(|l| fill(l, vars)).collect::<Vec<_>>();
    if let Some(waits) = &step.waits_for {
        labels.push(format!("gate:{}", waits.mode));
    }
    let mut other = Map::new();
    other.insert("source_formula".into(), step.origin.formula.as_ref().into());
    other.insert("source_location".into(), step.origin.location.as_str().into());
    NewBead {
        title: fits(&fill(&step.title, vars)),
        description: fill(&step.description, vars),
        notes: fill(&step.notes, vars),
        acceptance_criteria: step.acceptance.as_deref().map(|a| fill(a, vars)).unwrap_or_default(),
        priority: step.priority,
        issue_type: Some(IssueType::new(&step.kind)),
        assignee: step
            .assignee
            .as_deref()
            .map(|a| fill(a, vars))
            .filter(|a| !a.is_empty() && !a.contains("{{"))
            .or_else(|| opts.assignee.clone())
            .unwrap_or_default(),
        labels,
        ephemeral: opts.ephemeral,
        metadata,
        other,
        ..NewBead::default()
    }
}

fn gate_bead(proto: &Proto, step: &Step, gate: &Gate, vars: &Vars, parent: &BeadId, opts: &PourOpts) -> NewBead {
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
    metadata.insert("formula".into(), proto.formula.as_str().into());
    NewBead {
        title: fits(format!("Gate: {} {id}", gate.kind).trim_end()),
        description: format!("Async gate for step {}", step.id),
        issue_type: Some(IssueType::GATE),
        parent: Some(parent.clone()),
        ephemeral: opts.ephemeral,
        metadata,
        other,
        ..NewBead::default()
    }
}

/// A title of one line and at most 500 bytes.
fn fits(title: &str) -> String {
    let line = headline(title.trim(), 480);
    let mut end = line.len().min(500);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    if line.is_empty() { "untitled".to_owned() } else { line[..end].to_owned() }
}
