//! Landing: what follows, in the transaction of the landing, when a change is on the target branch.

use serde_json::json;

use super::convoy::{self, Landed};
use super::{budget, retire};
use crate::base::BeadId;
use crate::molecule;
use crate::queue::MrMeta;
use crate::store::{Close, StoreError, Write};

/// Closes the bead of a merge request that landed as `commit`, then the convoys that this completes, and sends
/// its workers into retirement. The daemon finishes the retirement.
pub fn landed(w: &mut Write<'_>, mr: &BeadId, meta: &MrMeta, commit: &str) -> Result<Vec<Landed>, StoreError> {
    let id = &meta.bead;
    if let Some(bead) = w.bead(id)?.filter(|bead| !bead.is_over()) {
        retire::forget_left_off(w, &bead)?;
        let reason = format!("Merged in {mr} as {}", commit.get(..12).unwrap_or(commit));
        // Nobody's work tree is here: no condition on files or variables holds.
        let (closed, _) = molecule::close(w, id, Close { force: true, ..Close::because(reason) }, None)?;
        let payload = json!({ "mr": mr, "commit": commit, "agent": meta.worker, "unblocked": closed.unblocked });
        w.emit("bead_landed", id.as_str(), payload)?;
    }
    budget::refill(w, id)?;
    let convoys = convoy::check(w, id)?;
    retire::plan_former(w, id, &format!("{id} landed"))?;
    Ok(convoys)
}
