//! What a sling of several beads would do, without doing it: each is judged as if those before it were slung.

use std::collections::BTreeMap;

use super::{Plan, Ready, row, shared_title};
use crate::base::{Address, BeadId};
use crate::store::Read;
use crate::town::agent::AgentRow;
use crate::town::around::Acting;
use crate::town::error::TownError;
use crate::town::poured;

/// What slinging beads would do.
#[derive(Debug)]
pub struct Foreseen {
    /// Bead by bead, in the order in which they were named.
    pub plans: Vec<Plan>,
    /// The title of the convoy that would be made for those that are in none.
    pub convoy: Option<String>,
}

/// Looks ahead.
pub fn foresee(cx: &Acting<'_>, r: &Read<'_>, ready: &Ready, beads: &[BeadId]) -> Result<Foreseen, TownError> {
    let mut ahead: Vec<AgentRow> = Vec::new();
    let mut given: BTreeMap<BeadId, Address> = BTreeMap::new();
    let mut plans = Vec::with_capacity(beads.len());
    for id in beads {
        let mut plan = poured::foresee(r, ready, id, &ahead)?;
        if let Some(worker) = given.get(&plan.bead) {
            // Named twice: the second time it is on a hook already.
            plan = Plan { held: Some(worker.clone()), worker: None, waits: None, branch: None, formula: None, ..plan };
        }
        if let (Some(worker), Some(branch)) = (&plan.worker, &plan.branch) {
            ahead.push(row(cx, ready, &plan, worker, branch, cx.now()));
            given.insert(plan.bead.clone(), worker.clone());
        }
        plans.push(plan);
    }
    let mut alone: Vec<&Plan> = plans.iter().filter(|plan| plan.new_convoy).collect();
    alone.dedup_by(|a, b| a.bead == b.bead);
    let convoy = alone.first().map(|first| shared_title(&first.title, alone.len()));
    Ok(Foreseen { plans, convoy })
}
