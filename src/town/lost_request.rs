//! A merge request whose particulars cannot be read: it is closed, and its bead goes on from the commit that was
//! handed in, which git holds. One whose hold cannot be read is let go.

use serde::Serialize;
use serde_json::json;

use super::around::Acting;
use super::convoy;
use super::error::TownError;
use super::retire::LEFT_OFF;
use super::roles::keep;
use crate::base::BeadId;
use crate::config::Overrides;
use crate::queue::{self, MR_KEY, MrMeta};
use crate::store::{Bead, DepKind, IssueType, Patch, Read, Status, Store, StoreError};

/// What became of such a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// The request; it is closed.
    pub mr: BeadId,
    /// The bead that it was for, which can be slung again; none when it was for none or that is over.
    pub bead: Option<BeadId>,
    /// The commit that the next worker goes on from.
    pub commit: Option<String>,
}

/// Closes an unreadable request and makes its bead ready. Refused for one that can be read.
pub fn close(cx: &Acting<'_>, store: &mut Store, id: &BeadId) -> Result<Closed, TownError> {
    let bead = store.read(|r| work(r, id))?;
    let commit = match &bead {
        Some(bead) => held(cx, id, bead)?,
        None => None,
    };
    let closed = store.write(&cx.stamp(), |w| {
        // Once more: somebody may have been faster.
        let bead = work(w, id)?.map(|bead| bead.id);
        queue::request::withdraw(w, id, "its particulars could not be read")?;
        if let Some(bead) = &bead {
            let mut patch = Patch::status(Status::OPEN).with_assignee("");
            patch.meta.push((MR_KEY.into(), None));
            if let Some(commit) = &commit {
                patch = patch.with_meta(LEFT_OFF, commit.clone());
            }
            w.update(bead, patch)?;
        }
        let closed = Closed { mr: id.clone(), bead, commit: commit.clone() };
        w.emit("row_mended", id.as_str(), json!(closed))?;
        Ok::<_, TownError>(closed)
    })?;
    super::wake(cx.town);
    Ok(closed)
}

/// Lets go of a request whose hold cannot be read. False for one that is not held, or whose hold can be read, and for
/// one that cannot be read itself.
pub fn let_go(cx: &Acting<'_>, store: &mut Store, id: &BeadId) -> Result<bool, TownError> {
    let freed = store.write(&cx.stamp(), |w| {
        let mr = w.need(id)?;
        if mr.issue_type != IssueType::MERGE_REQUEST {
            return Ok(false);
        }
        let Some((_, why)) = keep::damaged_holds(w)?.into_iter().find(|(held, _)| held == id.as_str()) else {
            return Ok(false);
        };
        keep::release(w, id.as_str())?;
        w.emit("row_mended", id.as_str(), json!({ "what": "hold", "why": why }))?;
        Ok::<_, TownError>(MrMeta::of(&mr).is_ok())
    })?;
    super::wake(cx.town);
    Ok(freed)
}

/// The bead that an unreadable request was made for, if nobody works on it again.
fn work(r: &Read<'_>, id: &BeadId) -> Result<Option<Bead>, TownError> {
    let mr = r.need(id)?;
    if mr.issue_type != IssueType::MERGE_REQUEST {
        return Err(TownError::refused(format!("{id} is no merge request")).hint("see the queue: gt queue"));
    }
    if MrMeta::of(&mr).is_ok() || mr.is_over() {
        return Err(TownError::refused(format!("{id} can be read, or is closed")).hint("see the queue: gt queue"));
    }
    for dep in r.deps(id)?.into_iter().filter(|dep| dep.kind == DepKind::RELATED) {
        let Some(bead) = r.bead(&dep.depends_on_id)? else { continue };
        let ours = bead.meta_str(MR_KEY) == Some(id.as_str());
        if ours && !bead.is_over() && r.hook_of(&bead.id)?.is_none() {
            return Ok(Some(bead));
        }
    }
    Ok(None)
}

/// The commit that was handed in, from the ref that holds it.
fn held(cx: &Acting<'_>, id: &BeadId, bead: &Bead) -> Result<Option<String>, TownError> {
    let rig = match convoy::slung_to(bead) {
        Some(name) => cx.town.rig(&name, &Overrides::default())?,
        None => match cx.town.rig_of(&bead.id)? {
            Some(rig) => rig,
            None => return Ok(None),
        },
    };
    Ok(rig.repo()?.oid_of(&format!("refs/gt/mr/{id}"))?.map(|oid| oid.to_string()))
}

/// Why an open request cannot be read, for each that cannot.
pub(super) fn all(r: &Read<'_>) -> Result<Vec<(BeadId, String)>, StoreError> {
    let (_, bad) = queue::request::all_open(r)?;
    Ok(bad.into_iter().map(|bad| (bad.mr, bad.why)).collect())
}
