//! Workers whose bead was deleted after they handed it in, or closed while its change had come back: nothing of it will
//! land, so that they are taken down.

use super::agent::{AgentRow, AgentState};
use super::around::Acting;
use super::error::TownError;
use super::finish::Finish;
use super::hook;
use super::intent::Intent;
use super::retire;
use crate::base::BeadId;
use crate::queue::{self, Request};
use crate::store::{Bead, Read, Status, Store, Write};

/// The beads that were given up and that a worker of `rows` still waits with. One whose change is in hand is none yet: the batch ends
/// first.
pub fn waiting(r: &Read<'_>, rows: &[AgentRow]) -> Result<Vec<BeadId>, TownError> {
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| row.state == AgentState::Done) {
        let Some(id) = &row.bead else { continue };
        if given_up(r, id)?.is_some_and(|bead| in_hand(r, &bead).is_ok_and(|mr| mr.is_none()))
            && hook::held(r, &row.address)?.is_none()
            && !found.contains(id)
        {
            found.push(id.clone());
        }
    }
    Ok(found)
}

/// Decides that the workers of a bead that was given up go and withdraws what they handed in, whose commit a ref of ours holds.
/// Part of the caller's transaction. Nothing is decided for a bead that is there, or whose change is in hand.
pub fn plan(w: &mut Write<'_>, id: &BeadId) -> Result<Vec<Intent>, TownError> {
    let Some(bead) = given_up(w, id)? else { return Ok(Vec::new()) };
    if in_hand(w, &bead)?.is_some() {
        return Ok(Vec::new());
    }
    let why = if bead.status == Status::TOMBSTONE { "its bead was deleted" } else { "its bead was closed" };
    if let Some((mr, _)) = hook::open_request(w, &bead)? {
        queue::reject(w, &mr, why)?;
    }
    Ok(retire::plan_former(w, id, why)?)
}

/// Takes the workers of a bead that was given up down, for a person; false when there was none.
pub fn settle(cx: &Acting<'_>, store: &mut Store, id: &BeadId) -> Result<(bool, Finish), TownError> {
    let intents = store.write(&cx.stamp(), |w| {
        let bead = given_up(w, id)?;
        if let Some(mr) = bead.map(|bead| in_hand(w, &bead)).transpose()?.flatten() {
            return Err(TownError::refused(format!("{mr} is being merged right now"))
                .hint("its worker goes when that is over: gt queue"));
        }
        plan(w, id)
    })?;
    super::wake(cx.town);
    let mut finish = Finish::Done;
    for intent in &intents {
        finish = super::finish(cx, store, intent)?;
    }
    Ok((!intents.is_empty(), finish))
}

/// The bead, if it was deleted, or closed with no change of it on its way.
pub fn given_up(r: &Read<'_>, id: &BeadId) -> Result<Option<Bead>, TownError> {
    let Some(bead) = r.bead(id)?.filter(Bead::is_over) else { return Ok(None) };
    let lost = bead.status == Status::TOMBSTONE || hook::open_request(r, &bead)?.is_none();
    Ok(lost.then_some(bead))
}

fn in_hand(r: &Read<'_>, bead: &Bead) -> Result<Option<BeadId>, TownError> {
    let Some((mr, _)) = hook::open_request(r, bead)? else { return Ok(None) };
    Ok(Request::load(r, &mr)?.state().in_hand().then_some(mr))
}
