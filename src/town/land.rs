//! Landing: what follows, in the transaction of the landing, when a change is on the target branch.

use serde_json::json;

use super::agent::{self, AgentState};
use super::budget;
use super::convoy::{self, Landed};
use super::intent::{self, Act, Intent};
use crate::base::BeadId;
use crate::queue::MrMeta;
use crate::store::{Close, StoreError, Write};

/// Closes the bead of a merge request that landed as `commit`, then the convoys that this completes, and sends
/// its worker into retirement. The daemon finishes the retirement.
pub fn landed(w: &mut Write<'_>, mr: &BeadId, meta: &MrMeta, commit: &str) -> Result<Vec<Landed>, StoreError> {
    let id = &meta.bead;
    if w.bead(id)?.is_some_and(|bead| !bead.is_over()) {
        let reason = format!("Merged in {mr} as {}", commit.get(..12).unwrap_or(commit));
        let closed = w.close(id, Close { force: true, ..Close::because(reason) })?;
        let payload = json!({ "mr": mr, "commit": commit, "agent": meta.worker, "unblocked": closed.unblocked });
        w.emit("bead_landed", id.as_str(), payload)?;
    }
    for what in [super::hook::REWORK, "restart"] {
        budget::refill(w, what, id)?;
    }
    let convoys = convoy::check(w, id)?;
    if let Some(mut row) = agent::get(w, &meta.worker)?
        && super::hook::held(w, &meta.worker)?.is_none()
        && row.bead.as_ref() == Some(id)
    {
        row.state = AgentState::Retiring;
        agent::put(w, &row)?;
        let act = Act::Retire { why: format!("{id} landed"), give_back: None };
        intent::put(w, &Intent::new(meta.worker.clone(), w.by().actor.clone(), w.by().now, act))?;
    }
    Ok(convoys)
}
