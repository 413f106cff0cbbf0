//! Gates of type `condition`, which gate rules of a formula make: open when the condition on the molecule holds.
//!
//! They are judged in the transaction that pours the molecule and in each that closes a step of it, so that nobody sees
//! a moment in which a gate is closed that should be open; and when `bd gate check` looks, for files and variables change
//! without a step.

use serde_json::Value;

use super::now::Now;
use super::{MoleculeError, Outside, find, view};
use crate::base::BeadId;
use crate::formula::condition::Runtime;
use crate::store::{Bead, Close, DepKind, Filter, IssueType, Read, Status, Write};

/// The type of such a gate.
pub const CONDITION: &str = "condition";
/// Where the root of a molecule says that it has such gates: others need not be looked through at each closing.
pub(super) const HELD: &str = "held";

/// Opens the gates whose condition holds now, of the molecule that `id` is in and of those that this hangs in.
pub(super) fn release(w: &mut Write<'_>, id: &BeadId, outside: Option<Outside<'_>>) -> Result<(), MoleculeError> {
    let mut at = id.clone();
    // Bounded: a damaged ledger may hold a circle of parents.
    for _ in 0..64 {
        let Some(root) = find::root_of(w, &at)? else { return Ok(()) };
        if root.metadata.get(HELD).and_then(Value::as_bool) == Some(true) {
            release_in(w, &root.id, outside)?;
        }
        match w.deps(&root.id)?.into_iter().find(|d| d.kind == DepKind::PARENT_CHILD) {
            Some(edge) => at = edge.depends_on_id,
            None => return Ok(()),
        }
    }
    Ok(())
}

fn release_in(w: &mut Write<'_>, root: &BeadId, outside: Option<Outside<'_>>) -> Result<(), MoleculeError> {
    let filter = Filter {
        under: Some(root.clone()),
        types: vec![IssueType::GATE],
        not_statuses: vec![Status::CLOSED],
        ..Filter::default()
    };
    let mut gates = w.find(&filter)?;
    gates.retain(|gate| gate.await_type == CONDITION && !gate.is_over());
    if gates.is_empty() {
        return Ok(());
    }
    let steps = view::own_steps(w, root)?;
    let now = Now { r: w, steps: &steps, step: None, scope: None, outside };
    gates.retain(|gate| Runtime::parse(&gate.await_id).is_ok_and(|condition| now.holds(&condition)));
    for gate in gates {
        w.close(&gate.id, Close { force: true, ..Close::because(format!("{} holds", gate.await_id)) })?;
    }
    Ok(())
}

/// Whether the condition of a gate holds now; none for another gate, and for one that is in no molecule.
pub fn holds(r: &Read<'_>, gate: &Bead, outside: Outside<'_>) -> Result<Option<bool>, MoleculeError> {
    let condition = Runtime::parse(&gate.await_id).ok().filter(|_| gate.await_type == CONDITION);
    let (Some(condition), Some(root)) = (condition, find::root_of(r, &gate.id)?) else { return Ok(None) };
    let steps = view::own_steps(r, &root.id)?;
    let now = Now { r, steps: &steps, step: None, scope: None, outside: Some(outside) };
    Ok(Some(now.holds(&condition)))
}
