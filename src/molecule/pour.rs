//! Pouring: a proto and values become beads, in one transaction.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::beads::{Taken, gate_beads, root, step_bead};
use super::bond::BondType;
use super::conditions::{self, Kept};
use super::{MoleculeError, held};
use crate::base::{BeadId, Prefix};
use crate::formula::{Compound, Limits, Proto, Step, Vars, filled_len, names_in};
use crate::store::{Bead, DepKind, NewBead, NewDep, Patch, Read, StoreError, Write};

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
    /// What the root depends on.
    pub deps: Vec<NewDep>,
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
    /// How many of these are steps, and neither gates nor roots of the parts of a compound.
    pub work: usize,
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
            let (own, left_out) = would_pour(r, part, &part.own_values(vars))?;
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
    /// The names that gates cannot have.
    taken: Taken<'p>,
}

impl<'p> Pouring<'p> {
    /// Prepares `proto` for these values; refused if its steps would hold more than `most` bytes of text.
    pub(super) fn new(proto: &'p Proto, vars: &Vars, opts: &'p PourOpts, most: u64) -> Result<Self, MoleculeError> {
        let vars = checked(proto, vars)?;
        let (steps, skipped) = conditions::filter(proto, &vars);
        if !opts.root_only && steps.iter().map(|step| text_of(step, &vars)).fold(0, u64::saturating_add) > most {
            return Err(MoleculeError::TooMuchText { formula: proto.formula.clone(), most });
        }
        Ok(Self { proto, vars, opts, steps: in_order(steps), skipped, taken: Taken::of(proto) })
    }

    /// The root, not yet filed.
    pub(super) fn root(&self, w: &Write<'_>) -> Result<NewBead, MoleculeError> {
        root(w, self.proto, &self.vars, self.opts)
    }

    /// The bead of a step, and those of its gates with their names; without parent and edges.
    pub(super) fn beads(&self, order: usize, step: &Step) -> (NewBead, Vec<(String, NewBead)>) {
        let gates = gate_beads(self.proto, step, &self.taken, &self.vars, self.opts);
        (step_bead(self.proto, step, &self.vars, self.opts, order), gates)
    }

    /// What the gates of a step are called.
    pub(super) fn gate_names(&self, step: &Step) -> impl Iterator<Item = String> {
        self.taken.names(&step.id)
    }

    /// The id of a step, gate or part of that name, where the molecule was given one.
    fn called(&self, name: &str) -> Result<Option<BeadId>, MoleculeError> {
        Ok(match &self.opts.id {
            Some(root) => Some(BeadId::new(format!("{root}.{name}"))?),
            None => None,
        })
    }

    /// What is said when it is poured, as `root`.
    pub(super) fn announcement(&self, root: BeadId) -> Announcement {
        let steps =
            if self.opts.root_only { 0 } else { self.proto.parts().map(Proto::size).sum::<usize>() + self.steps.len() };
        let payload = json!({ "formula": self.proto.formula, "proto": self.proto.id, "steps": steps });
        Announcement { root, for_bead: self.opts.for_bead.clone(), payload }
    }

    fn pour(self, w: &mut Write<'_>) -> Result<Poured, MoleculeError> {
        let new = self.root(w)?;
        let root = w.create(new)?.id;
        let (made, work) = match &self.proto.compound {
            _ if self.opts.root_only => (Vec::new(), 0),
            Some(compound) => self.file_parts(w, &root, compound)?,
            None => (self.file(w, &root)?, self.steps.len()),
        };
        self.announcement(root.clone()).make(w)?;
        Ok(Poured { root, steps: made, work, skipped: self.skipped })
    }

    /// Both parts of a compound below `root`, one bonded to the other.
    fn file_parts(
        &self,
        w: &mut Write<'_>,
        root: &BeadId,
        compound: &Compound,
    ) -> Result<(Vec<(String, BeadId)>, usize), MoleculeError> {
        let mut all = Parts::default();
        for (part, mut opts) in self.parts(compound, root)? {
            opts.deps.extend(all.edge(compound));
            let poured = pour(w, part, &part.own_values(&self.vars), &opts)?;
            all.add(part, poured);
        }
        Ok((all.made, all.work))
    }

    /// What the parts of a compound are poured with, below `root`: one after the other, also for a worker who could begin
    /// both.
    pub(super) fn parts<'c>(
        &self,
        compound: &'c Compound,
        root: &BeadId,
    ) -> Result<[(&'c Proto, PourOpts); 2], MoleculeError> {
        let opts = |number: usize, first: usize| -> Result<PourOpts, MoleculeError> {
            Ok(PourOpts {
                assignee: self.opts.assignee.clone(),
                ephemeral: self.opts.ephemeral,
                parent: Some(root.clone()),
                id: self.called(&number.to_string())?,
                first,
                ..PourOpts::default()
            })
        };
        let (first, after) = (self.opts.first, self.opts.first + compound.first.size());
        Ok([(&compound.first, opts(1, first)?), (&compound.second, opts(2, after)?)])
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

/// See [`Pouring::announcement`].
pub(super) struct Announcement {
    pub(super) root: BeadId,
    for_bead: Option<BeadId>,
    payload: Value,
}

impl Announcement {
    /// Says it: to everybody, and to the bead that it is for.
    pub(super) fn make(self, w: &mut Write<'_>) -> Result<(), MoleculeError> {
        if let Some(bead) = &self.for_bead {
            // A large one took a while: somebody else may have poured one for it since.
            free(w, bead)?;
            w.update(bead, Patch::default().with_meta(MOLECULE, self.root.as_str()))?;
        }
        w.emit("poured", self.root.as_str(), self.payload)?;
        held::release(w, &self.root, None)
    }
}

/// What was poured of the parts of a compound.
#[derive(Default)]
pub(super) struct Parts {
    /// As [`Poured::steps`], and after those of each part its root.
    pub(super) made: Vec<(String, BeadId)>,
    pub(super) work: usize,
}

impl Parts {
    /// How the next part depends on the one before. Side by side they need no edge.
    pub(super) fn edge(&self, compound: &Compound) -> Option<NewDep> {
        let (_, before) = self.made.last()?;
        let how = BondType::of(&compound.how).filter(|how| *how != BondType::Parallel)?;
        Some(NewDep::new(how.edge(), before.clone()))
    }

    pub(super) fn add(&mut self, part: &Proto, poured: Poured) {
        self.work += poured.work;
        let taken = self.made.iter().any(|(name, _)| *name == part.formula);
        let name = if taken { format!("{}-2", part.formula) } else { part.formula.clone() };
        self.made.extend(poured.steps.into_iter().map(|(step, bead)| (format!("{name}.{step}"), bead)));
        self.made.push((name, poured.root));
    }
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
    if !proto.can_be_poured() {
        return Err(MoleculeError::NoSteps { formula: proto.formula.clone(), kind: proto.kind.clone() });
    }
    let mut all: Vars =
        proto.vars.iter().filter_map(|(name, var)| Some((name.clone(), var.default.clone()?))).collect();
    all.extend(given.iter().map(|(k, v)| (k.clone(), v.clone())));
    let missing = missing(proto, &all);
    if !missing.is_empty() {
        return Err(MoleculeError::MissingVars(missing));
    }
    for (name, value) in given {
        if let Some(with) = proto.fixed(name).filter(|with| with != value) {
            return Err(MoleculeError::Fixed { name: name.clone(), value: value.clone(), with: with.to_owned() });
        }
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
        used.extend(step.texts().flat_map(names_in));
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
    step.texts().map(|text| filled_len(text, vars)).fold(0, u64::saturating_add)
}

/// The molecule that a bead is gone through with, if that is not over.
fn open_molecule(r: &Read<'_>, bead: &Bead) -> Result<Option<BeadId>, StoreError> {
    let Some(id) = bead.meta_str(MOLECULE).and_then(|id| BeadId::new(id).ok()) else { return Ok(None) };
    Ok(r.bead(&id)?.filter(|root| !root.is_over()).map(|root| root.id))
}

/// The bead, for which there is no molecule yet that is not over.
pub(super) fn free(r: &Read<'_>, bead: &BeadId) -> Result<Bead, MoleculeError> {
    let bead = r.need(bead)?;
    match open_molecule(r, &bead)? {
        Some(molecule) => Err(MoleculeError::HasMolecule { bead: bead.id, molecule }),
        None => Ok(bead),
    }
}
