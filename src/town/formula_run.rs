//! Convoy formulas become a convoy: a bead for each leg, and one for the synthesis that waits for all of them.

use serde::Serialize;
use serde_json::json;

use super::convoy::{self, ConvoyOpts};
use super::error::TownError;
use crate::base::{BeadId, Prefix};
use crate::formula::convoy::{Filled, Part, Plan};
use crate::molecule;
use crate::store::{DepKind, Map, NewBead, NewDep, Write};

/// How a convoy formula is started.
#[derive(Debug, Clone)]
pub struct RunOpts {
    /// The rig's prefix, for the legs.
    pub prefix: Prefix,
    /// The convoy's title; the formula and its inputs when none.
    pub title: Option<String>,
    /// Who gets mail when it lands, and whether its legs are slung as they become ready.
    pub convoy: ConvoyOpts,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Started {
    /// The convoy.
    pub convoy: BeadId,
    /// Its title.
    pub title: String,
    /// The formula.
    pub formula: String,
    /// The protomolecule that it was cooked to.
    pub proto: String,
    /// The beads of the legs, in the order of the formula.
    pub legs: Vec<Made>,
    /// The bead that waits for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthesis: Option<Made>,
}

/// A bead of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Made {
    /// The id of the leg in the formula.
    pub leg: String,
    /// The bead.
    pub bead: BeadId,
    /// Its title.
    pub title: String,
}

/// Makes the convoy of `plan` in the caller's transaction.
pub fn start(w: &mut Write<'_>, plan: &Plan, opts: &RunOpts) -> Result<Started, TownError> {
    molecule::freeze(w, &plan.proto)?;
    let made = convoy::create(w, &plan.proto.formula, &[], &opts.convoy)?;
    let filled: Filled = plan.fill(made.id.as_str());
    let title = opts.title.clone().unwrap_or_else(|| filled.title.clone());
    w.update(&made.id, crate::store::Patch { title: Some(title.clone()), ..crate::store::Patch::default() })?;
    let mut legs: Vec<Made> = Vec::with_capacity(filled.legs.len());
    for part in &filled.legs {
        legs.push(file(w, plan, opts, &made.id, part, Vec::new())?);
    }
    let synthesis = match &filled.synthesis {
        Some(part) => {
            let waits = legs.iter().filter(|leg| part.needs.contains(&leg.leg));
            let deps = waits.map(|leg| NewDep::new(DepKind::BLOCKS, leg.bead.clone())).collect();
            Some(file(w, plan, opts, &made.id, part, deps)?)
        }
        None => None,
    };
    let beads: Vec<BeadId> = legs.iter().chain(&synthesis).map(|made| made.bead.clone()).collect();
    convoy::add(w, &made.id, &beads)?;
    let formula = plan.proto.formula.clone();
    Ok(Started { convoy: made.id, title, formula, proto: plan.proto.id.clone(), legs, synthesis })
}

fn file(
    w: &mut Write<'_>,
    plan: &Plan,
    opts: &RunOpts,
    convoy: &BeadId,
    part: &Part,
    deps: Vec<NewDep>,
) -> Result<Made, TownError> {
    let metadata: Map = [
        ("formula".to_owned(), json!(plan.proto.formula)),
        ("leg".to_owned(), json!(part.id)),
        ("convoy".to_owned(), json!(convoy)),
    ]
    .into_iter()
    .collect();
    let bead = w.create(NewBead {
        prefix: Some(opts.prefix.clone()),
        description: part.description.clone(),
        labels: vec![plan.proto.formula.clone()],
        metadata,
        deps,
        ..NewBead::titled(part.title.clone())
    })?;
    Ok(Made { leg: part.id.clone(), bead: bead.id, title: part.title.clone() })
}
