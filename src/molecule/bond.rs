//! Bonding: one molecule after, beside or in case of another.

use serde_json::{Value, json};

use super::advance::close_awaited;
use super::now::latest;
use super::pour_large::{is_large, pour_large, pour_large_with};
use super::proto::freeze_into;
use super::{MoleculeError, PourOpts, Poured, freeze, is_molecule, pour, view};
use crate::base::BeadId;
use crate::formula::{Proto, Vars};
use crate::store::{Dep, DepKind, IssueType, NewDep, Patch, Stamp, Store, StoreError, Write};

/// How two molecules hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BondType {
    /// The second waits for the first.
    Sequential,
    /// The second is a part of the first.
    Parallel,
    /// The second runs only if the first fails.
    Conditional,
}

impl BondType {
    /// The one of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Sequential, Self::Parallel, Self::Conditional].into_iter().find(|how| how.word() == word)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
            Self::Conditional => "conditional",
        }
    }

    /// How the second then depends on the first.
    pub(super) fn edge(self) -> DepKind {
        match self {
            Self::Sequential => DepKind::BLOCKS,
            Self::Parallel => DepKind::PARENT_CHILD,
            Self::Conditional => DepKind::CONDITIONAL_BLOCKS,
        }
    }
}

/// One side of a bond.
#[derive(Debug, Clone)]
pub enum Partner<'a> {
    /// Is poured for it.
    Proto(&'a Proto),
    /// Lives already.
    Molecule(BeadId),
}

/// How two of them are bonded.
#[derive(Debug, Clone, Copy)]
pub struct Bond<'a> {
    /// How they hang together.
    pub how: BondType,
    /// A bond point of the first, if it lives: the second then waits for the step before that point and, where the bond is
    /// sequential, the step after it waits for the second. A conditional one runs if the step before the point fails.
    pub point: Option<&'a str>,
    /// Whether what is poured is a wisp; none makes it as lasting as what it is bonded to, and pours nothing where neither
    /// lives.
    pub ephemeral: Option<bool>,
    /// What a compound is called.
    pub title: Option<&'a str>,
}

/// What came of it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Bonded {
    /// The compound, or the molecule that was bonded to.
    pub result_id: String,
    /// `compound_proto` or `compound_molecule`.
    pub result_type: &'static str,
    /// `sequential`, `parallel` or `conditional`.
    pub bond_type: &'static str,
    /// How many beads were poured for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned: Option<usize>,
    /// Step ids and their beads.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub id_mapping: Value,
}

/// Bonds `second` to `first`. Two protomolecules become one, which is kept and poured only where [`Bond::ephemeral`] says as
/// what.
pub fn bond(
    w: &mut Write<'_>,
    first: &Partner<'_>,
    second: &Partner<'_>,
    vars: &Vars,
    opts: &PourOpts,
    bond: Bond<'_>,
) -> Result<Bonded, MoleculeError> {
    if let (Partner::Proto(first), Partner::Proto(second), None) = (first, second, bond.point) {
        return compound(w, first, second, vars, opts, bond);
    }
    let Bond { how, point, ephemeral, .. } = bond;
    let mut mapping = serde_json::Map::new();
    let mut beads = 0;
    let mut live = |w: &mut Write<'_>, partner: &Partner<'_>, ephemeral: bool| -> Result<BeadId, MoleculeError> {
        match partner {
            Partner::Molecule(id) => {
                let bead = w.need(id)?;
                if is_molecule(&bead) || bead.issue_type == IssueType::EPIC {
                    Ok(bead.id)
                } else {
                    Err(MoleculeError::NotAMolecule(id.clone()))
                }
            }
            Partner::Proto(proto) => {
                let poured = pour(w, proto, vars, &PourOpts { ephemeral, ..opts.clone() })?;
                let root = poured.root.clone();
                beads += spawned(&mut mapping, proto, poured);
                Ok(root)
            }
        }
    };
    let ephemeral = ephemeral.unwrap_or_else(|| {
        [first, second].into_iter().any(|p| match p {
            Partner::Molecule(id) => w.bead(id).ok().flatten().is_some_and(|b| b.ephemeral),
            Partner::Proto(_) => false,
        })
    });
    let a = live(w, first, ephemeral)?;
    let b = live(w, second, ephemeral)?;
    match point {
        Some(point) => at_point(w, &a, &b, point, how)?,
        None => {
            w.add_dep(&b, NewDep::new(how.edge(), a.clone()))?;
        }
    }
    let deps = w.deps(&b)?;
    let hangs = |how: BondType| deps.iter().any(|d| d.kind == how.edge() && d.depends_on_id == a);
    if hangs(BondType::Parallel) && (hangs(BondType::Sequential) || hangs(BondType::Conditional)) {
        return Err(MoleculeError::BothWays { whole: a, part: b });
    }
    // What is bonded to one that is done need not wait for a step that never comes.
    close_awaited(w, &a)?;
    w.emit("bonded", a.as_str(), json!({ "first": a, "second": b, "type": how.word() }))?;
    Ok(Bonded {
        result_id: a.to_string(),
        result_type: "compound_molecule",
        bond_type: how.word(),
        spawned: (beads > 0).then_some(beads),
        id_mapping: if mapping.is_empty() { Value::Null } else { Value::Object(mapping) },
    })
}

/// As [`bond`], of any size: what is large is poured so that nobody waits for it, and seen with the bond.
pub fn bond_large(
    store: &mut Store,
    by: &Stamp,
    (first, second): (&Partner<'_>, &Partner<'_>),
    vars: &Vars,
    opts: &PourOpts,
    how: Bond<'_>,
) -> Result<Bonded, MoleculeError> {
    match (first, second) {
        (Partner::Proto(one), Partner::Proto(two)) if how.point.is_none() => {
            let proto = together(one, two, how);
            freeze_into(store, by, &proto)?;
            let mut bonded = Bonded::proto(&proto, how);
            if let Some(ephemeral) = how.ephemeral {
                let opts = PourOpts { ephemeral, ..opts.clone() };
                bonded.poured(pour_large(store, by, &proto, vars, &opts)?);
            }
            Ok(bonded)
        }
        (Partner::Proto(proto), Partner::Molecule(live)) | (Partner::Molecule(live), Partner::Proto(proto))
            if is_large(proto) =>
        {
            // What does not fit is told before much is poured; and steps are held with the root from the beginning.
            let deps = match store.write::<Vec<NewDep>, Tried>(by, |w| {
                let root_only = PourOpts { root_only: true, ..opts.clone() };
                let bonded = bond(w, first, second, vars, &root_only, how)?;
                let root = bonded.id_mapping.get(&proto.formula).and_then(Value::as_str).unwrap_or_default();
                let deps = w.deps(&BeadId::new(root)?)?;
                let new = |d: Dep| NewDep { depends_on_id: d.depends_on_id, kind: d.kind, metadata: d.metadata };
                Err(Tried::Well(deps.into_iter().map(new).collect()))
            }) {
                Err(Tried::Not(error)) => return Err(error),
                Ok(deps) | Err(Tried::Well(deps)) => deps,
            };
            let lasts = || store.read(|r| r.bead(live)).map(|bead| bead.is_some_and(|bead| bead.ephemeral));
            let ephemeral = how.ephemeral.map_or_else(lasts, Ok)?;
            let opts = PourOpts { ephemeral, deps, ..opts.clone() };
            pour_large_with(store, by, proto, vars, &opts, |w, poured| {
                let now = |side: &Partner<'_>| match side {
                    Partner::Molecule(id) => Partner::Molecule(id.clone()),
                    Partner::Proto(_) => Partner::Molecule(poured.root.clone()),
                };
                let mut bonded = bond(w, &now(first), &now(second), vars, &opts, how)?;
                let mut mapping = serde_json::Map::new();
                bonded.spawned = Some(spawned(&mut mapping, proto, poured));
                bonded.id_mapping = Value::Object(mapping);
                Ok(bonded)
            })
        }
        _ => store.write(by, |w| {
            for side in [first, second] {
                if let Partner::Proto(proto) = side {
                    freeze(w, proto)?;
                }
            }
            bond(w, first, second, vars, opts, how)
        }),
    }
}

/// How a bond went that is taken back.
enum Tried {
    /// What was poured depends on these then.
    Well(Vec<NewDep>),
    Not(MoleculeError),
}

impl From<crate::base::NameError> for Tried {
    fn from(error: crate::base::NameError) -> Self {
        Self::Not(error.into())
    }
}

impl From<StoreError> for Tried {
    fn from(error: StoreError) -> Self {
        Self::Not(error.into())
    }
}

impl From<MoleculeError> for Tried {
    fn from(error: MoleculeError) -> Self {
        Self::Not(error)
    }
}

/// Notes what was poured of `proto`; gives the number of its beads.
fn spawned(mapping: &mut serde_json::Map<String, Value>, proto: &Proto, poured: Poured) -> usize {
    let beads = poured.steps.len() + 1;
    mapping.insert(proto.formula.clone(), json!(poured.root));
    mapping.extend(poured.steps.into_iter().map(|(step, bead)| (format!("{}.{step}", proto.formula), json!(bead))));
    beads
}

/// The compound of two protomolecules.
fn together(first: &Proto, second: &Proto, bond: Bond<'_>) -> Proto {
    let title = bond.title.map_or_else(|| format!("Compound: {} + {}", first.formula, second.formula), str::to_owned);
    Proto::compound(crate::base::text::headline(&title, 450), bond.how.word(), first.clone(), second.clone())
}

impl Bonded {
    /// A compound of which nothing is poured.
    fn proto(proto: &Proto, bond: Bond<'_>) -> Self {
        Self {
            result_id: proto.id.clone(),
            result_type: "compound_proto",
            bond_type: bond.how.word(),
            spawned: None,
            id_mapping: Value::Null,
        }
    }

    /// It was poured.
    fn poured(&mut self, poured: Poured) {
        self.result_id = poured.root.to_string();
        self.result_type = "compound_molecule";
        self.spawned = Some(poured.steps.len() + 1);
        self.id_mapping = poured.steps.into_iter().map(|(name, bead)| (name, json!(bead))).collect();
    }
}

/// Two protomolecules as one, and a molecule of it where one is wanted.
fn compound(
    w: &mut Write<'_>,
    first: &Proto,
    second: &Proto,
    vars: &Vars,
    opts: &PourOpts,
    bond: Bond<'_>,
) -> Result<Bonded, MoleculeError> {
    let proto = together(first, second, bond);
    freeze(w, &proto)?;
    let mut bonded = Bonded::proto(&proto, bond);
    if let Some(ephemeral) = bond.ephemeral {
        bonded.poured(pour(w, &proto, vars, &PourOpts { ephemeral, ..opts.clone() })?);
    }
    Ok(bonded)
}

/// Puts `b` at a bond point of `a`, beside what was put there before it.
fn at_point(w: &mut Write<'_>, a: &BeadId, b: &BeadId, point: &str, how: BondType) -> Result<(), MoleculeError> {
    let root = view::need(w, a)?;
    let unknown = || MoleculeError::UnknownBondPoint { root: a.clone(), point: point.to_owned() };
    let points = root.metadata.get("bond_points").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = points.iter().find(|p| p.get("id").and_then(Value::as_str) == Some(point)).ok_or_else(unknown)?;
    let named = |key: &str| found.get(key).and_then(Value::as_str);
    let beads = view::all(w, a)?;
    let steps = view::own_steps(w, a)?;
    // Another molecule at the same point is none of them.
    let own = |id: &BeadId| beads.iter().any(|bead| bead.id == *id && !is_molecule(bead));
    let between = how == BondType::Sequential && found.get("parallel").and_then(Value::as_bool) != Some(true);
    let part = if how == BondType::Parallel { DepKind::PARENT_CHILD } else { DepKind::RELATED };
    w.add_dep(b, NewDep::new(part, a.clone()))?;
    let waits = if how == BondType::Conditional { DepKind::CONDITIONAL_BLOCKS } else { DepKind::BLOCKS };
    if let Some(after) = named("after_step") {
        // After a loop that goes on is after the round that it is in: whoever waits for that waits for the next ones, too.
        let after = latest(&steps, after).ok_or_else(unknown)?.id.clone();
        for dependent in w.dependents(&after)?.into_iter().filter(|d| between && d.kind == DepKind::BLOCKS) {
            if own(&dependent.issue_id) {
                w.add_dep(&dependent.issue_id, NewDep::new(DepKind::BLOCKS, b.clone()))?;
            }
        }
        w.add_dep(b, NewDep::new(waits, after))?;
    } else if let Some(before) = named("before_step") {
        let called = |name: &str| steps.iter().find(|s| super::step_name(s) == Some(name)).map(|s| s.id.clone());
        let before = called(before).ok_or_else(unknown)?;
        // All that begins a loop, or what came in the place of a step.
        let also = found.get("also_before").and_then(Value::as_array).into_iter().flatten();
        let also: Vec<BeadId> = also.filter_map(|name| called(name.as_str()?)).collect();
        let needs = w.deps(&before)?.into_iter().filter(|d| d.kind == DepKind::BLOCKS);
        let needs: Vec<BeadId> = needs.map(|d| d.depends_on_id).filter(own).collect();
        if how == BondType::Conditional && needs.len() != 1 {
            return Err(MoleculeError::NoCase { point: point.to_owned(), before, needs: needs.len() });
        }
        for need in needs {
            w.add_dep(b, NewDep::new(waits.clone(), need))?;
        }
        for before in std::iter::once(&before).chain(&also).filter(|_| between) {
            w.add_dep(before, NewDep::new(DepKind::BLOCKS, b.clone()))?;
        }
    }
    w.update(b, Patch::default().with_meta("bonded_at", point))?;
    Ok(())
}
