//! Bonding: one molecule after, beside or in case of another.

use serde_json::{Value, json};

use super::advance::close_awaited;
use super::now::latest;
use super::{MoleculeError, PourOpts, freeze, is_molecule, pour, view};
use crate::base::BeadId;
use crate::formula::{Proto, Vars};
use crate::store::{DepKind, IssueType, NewDep, Patch, Write};

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
    let mut spawned = 0;
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
                spawned += poured.steps.len() + 1;
                mapping.insert(proto.formula.clone(), json!(poured.root));
                for (step, bead) in poured.steps {
                    mapping.insert(format!("{}.{step}", proto.formula), json!(bead));
                }
                Ok(poured.root)
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
    // What is bonded to one that is done need not wait for a step that never comes.
    close_awaited(w, &a)?;
    w.emit("bonded", a.as_str(), json!({ "first": a, "second": b, "type": how.word() }))?;
    Ok(Bonded {
        result_id: a.to_string(),
        result_type: "compound_molecule",
        bond_type: how.word(),
        spawned: (spawned > 0).then_some(spawned),
        id_mapping: if mapping.is_empty() { Value::Null } else { Value::Object(mapping) },
    })
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
    let title = bond.title.map_or_else(|| format!("Compound: {} + {}", first.formula, second.formula), str::to_owned);
    let title = crate::base::text::headline(&title, 450);
    let proto = Proto::compound(title, bond.how.word(), first.clone(), second.clone());
    freeze(w, &proto)?;
    let mut bonded = Bonded {
        result_id: proto.id.clone(),
        result_type: "compound_proto",
        bond_type: bond.how.word(),
        spawned: None,
        id_mapping: Value::Null,
    };
    if let Some(ephemeral) = bond.ephemeral {
        let poured = pour(w, &proto, vars, &PourOpts { ephemeral, ..opts.clone() })?;
        bonded.result_id = poured.root.to_string();
        bonded.result_type = "compound_molecule";
        bonded.spawned = Some(poured.steps.len() + 1);
        bonded.id_mapping = poured.steps.into_iter().map(|(name, bead)| (name, json!(bead))).collect();
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
