//! A person's word on changes: they may land, or go back to their worker.

use super::{Review, find};
use crate::base::{BeadId, text};
use crate::config::Overrides;
use crate::queue::{MR_KEY, Request, State, admission, request, wait};
use crate::store::{Read, Store};
use crate::town::around::Acting;
use crate::town::error::TownError;
use crate::town::finish::Finish;
use crate::town::rework::{self, Evidence};
use crate::town::{agent, lifecycle};

/// Lets changes land: all of them, or none when one may not.
pub fn accept(cx: &Acting<'_>, store: &mut Store, ids: &[BeadId]) -> Result<Vec<Review>, TownError> {
    let accepted = store.write(&cx.stamp(), |w| {
        let mut accepted: Vec<Review> = Vec::with_capacity(ids.len());
        for id in ids {
            let review = find(cx, w, id)?;
            if accepted.iter().any(|other| other.mr == review.mr) {
                continue;
            }
            if review.state != State::Held {
                return Err(not_held(cx, w, &review)?);
            }
            request::accept(w, &review.mr)?;
            accepted.push(find(cx, w, id)?);
        }
        Ok(accepted)
    })?;
    crate::town::wake(cx.town);
    Ok(accepted)
}

/// Why a change that does not wait for a word cannot be accepted, and what to do instead.
fn not_held(cx: &Acting<'_>, r: &Read<'_>, review: &Review) -> Result<TownError, TownError> {
    let (mr, state) = (&review.mr, review.state);
    if state.is_final() {
        return came_back(r, review);
    }
    let rig = cx.town.rig(&review.rig, &Overrides::default())?;
    if rig.config.gates.is_empty() {
        let config = rig.config_path();
        return Ok(TownError::refused(format!("{mr} {}: its rig has no gate", state.is()))
            .hint(format!("nothing lands before there is one: add [gates.NAME] to {}", config.display())));
    }
    if Request::load(r, mr)?.mr.approved.is_some() {
        return Ok(TownError::refused(format!("{mr} is accepted already; it {}", state.is()))
            .hint("see how far it is: gt queue"));
    }
    let waits = review.waits.as_ref().filter(|_| state == State::Queued);
    let waits = waits.map_or(String::new(), |waits| format!(": {}", waits.text));
    let error = TownError::refused(format!("{mr} {}{waits}", state.is()));
    if admission::refusal(r, mr)?.is_some() {
        return Ok(error
            .hint(format!("a rule keeps it out; what it looked at: gt why {mr}"))
            .hint(format!("or send it back: gt review back {} --comment TEXT", review.bead)));
    }
    let hint = match wait::wait(r, mr)? {
        Some(_) => "see why it waits: gt queue",
        None => "its gates run first; then accept it: gt review",
    };
    Ok(error.hint(hint))
}

/// Why a change that is over cannot be accepted.
fn came_back(r: &Read<'_>, review: &Review) -> Result<TownError, TownError> {
    let (mr, bead) = (&review.mr, &review.bead);
    let why = review.why.as_ref().filter(|_| review.state != State::Merged);
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    let error = TownError::refused(format!("{mr} {}{why}", review.state.is()));
    let work = r.need(bead)?;
    if work.is_over() {
        return Ok(error.hint(format!("{bead} is {}; see: bd show {bead}", work.status)));
    }
    if let Some(hook) = r.hook_of(bead)? {
        return Ok(error.hint(format!("{bead} is worked on again; watch: gt peek {}", hook.agent)));
    }
    if work.meta_str(MR_KEY).is_some_and(|last| last != mr.as_str()) {
        return Ok(error.hint(format!("{bead} was handed in again; name it: gt review accept {bead}")));
    }
    Ok(error
        .hint(format!("send it back to its worker: gt review back {bead} --comment TEXT"))
        .hint(format!("or to another one: {}", review.sling)))
}

/// Sends a change back to its worker with a comment, on a person's word: also one that came back from the queue for
/// the last time. Its budgets are whole again. In a town that is down nobody is started: that is written down, and the
/// worker begins with the town.
pub fn back(cx: &Acting<'_>, store: &mut Store, id: &BeadId, comment: &str) -> Result<(Review, Finish), TownError> {
    let evidence = Evidence { why: text::headline(comment, 120), text: format!("{} says:\n\n{comment}", cx.by) };
    let (intent, review, waits) = store.write(&cx.stamp(), |w| {
        let mut review = find(cx, w, id)?;
        refuse_back(w, &review)?;
        let intent = rework::asked(w, cx, &review.mr, &evidence)?;
        if let Some(hook) = w.hook_of(&review.bead)? {
            review.worker = hook.agent;
        }
        review.state = Request::load(w, &review.mr)?.state();
        let mut waits = None;
        if let Some(intent) = &intent
            && !lifecycle::is_up(w)?
        {
            waits = Some("the town is down; it begins with the town: gt start".to_owned());
            let mut row = agent::need(w, &intent.agent)?;
            row.waits.clone_from(&waits);
            agent::put(w, &row)?;
        }
        Ok::<_, TownError>((intent, review, waits))
    })?;
    crate::town::wake(cx.town);
    let finish = match (intent, waits) {
        (_, Some(why)) => Finish::Waits(why),
        (Some(intent), None) => crate::town::finish(cx, store, &intent)?,
        (None, None) => Finish::Nothing,
    };
    Ok((review, finish))
}

fn refuse_back(r: &Read<'_>, review: &Review) -> Result<(), TownError> {
    let bead = r.need(&review.bead)?;
    if review.state == State::Merged {
        return Err(TownError::refused(format!("{} has landed", review.mr)).hint("file a new bead: bd create TITLE"));
    }
    if bead.is_over() {
        return Err(TownError::over(&bead));
    }
    if let Some(hook) = r.hook_of(&bead.id)? {
        return Err(TownError::refused(format!("{} is on the hook of {} again", bead.id, hook.agent))
            .hint(format!("say it there: bd comments add {} TEXT", bead.id)));
    }
    if review.state.in_hand() {
        return Err(TownError::refused(format!("{} {} right now", review.mr, review.state.is()))
            .hint("wait until its gates have run: gt queue"));
    }
    Ok(())
}
