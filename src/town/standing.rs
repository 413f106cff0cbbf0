//! What a merge request waits for, in the words that every screen shows.

use serde::Serialize;

use super::around::Acting;
use super::error::TownError;
use super::lifecycle;
use super::roles::keep;
use crate::base::{Time, text};
use crate::config::{Landing, Overrides};
use crate::queue::{Request, State, admission, wait};
use crate::store::Read;

/// What a request that is not over waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// In one line, with the command that moves it where there is one.
    pub text: String,
    /// It goes on without anybody's doing.
    pub by_itself: bool,
}

/// What `request` waits for; none when it is over.
pub fn of(cx: &Acting<'_>, r: &Read<'_>, request: &Request) -> Result<Option<Standing>, TownError> {
    let state = request.state();
    if state.is_final() {
        return Ok(None);
    }
    if state == State::Held {
        let bead = &request.mr.bead;
        let text = format!(
            "passed its gates; waits for your word: gt review accept {bead}, or gt review back {bead} --comment TEXT"
        );
        return Ok(Some(Standing { text, by_itself: false }));
    }
    let rig = cx.town.rig(&request.mr.rig, &Overrides::default()).ok();
    let mut standing = open(cx, r, request, rig.as_ref().map(|rig| rig.config.landing))?;
    let still = if !lifecycle::is_up(r)? {
        Some("nothing is merged while the town is down: gt start".to_owned())
    } else if rig.is_some_and(|rig| !rig.config.refinery) {
        Some(format!("the refinery of {} is off: nothing is merged before rig.toml switches it on", request.mr.rig))
    } else {
        None
    };
    if let Some(still) = still {
        standing = Standing { text: format!("{}; {still}", standing.text), by_itself: false };
    }
    Ok(Some(standing))
}

/// What a request waits for that the queue can take, or has taken.
fn open(cx: &Acting<'_>, r: &Read<'_>, request: &Request, landing: Option<Landing>) -> Result<Standing, TownError> {
    let by_itself = |text| Ok(Standing { text, by_itself: true });
    let for_a_person = |text| Ok(Standing { text, by_itself: false });
    let reviewed = landing.is_none_or(|landing| landing == Landing::Direct) || request.mr.approved.is_some();
    let then = if reviewed { "once its gates pass it lands" } else { "once its gates pass it waits for your word" };
    if request.state().in_hand() {
        return by_itself(format!("the queue works on it; {then}"));
    }
    let now = cx.now();
    if let Some(pause) = wait::pause(r, &request.mr.rig)?.filter(|pause| pause.holds(now)) {
        return for_a_person(format!("{} ({})", pause.why, pause.again(now)));
    }
    if let Some(wait) = wait::wait(r, &request.id)? {
        let again = wait.again(now).map_or(String::new(), |again| format!(" ({again})"));
        return for_a_person(wait.why + &again);
    }
    if let Some(hold) = keep::hold(r, request.id.as_str(), now.millis())? {
        let until = hold.until_ms.map_or(String::new(), |at| format!(", until {}", Time::from_millis(at)));
        return for_a_person(format!("held: {}{until}", hold.why));
    }
    if let Some(refusal) = admission::refusal(r, &request.id)? {
        return for_a_person(refusal.text());
    }
    let why = request.mr.why.clone().map_or_else(|| wait::note(r, &request.id), |why| Ok(Some(why)))?;
    by_itself(why.unwrap_or_else(|| format!("waits for its turn; {then}")))
}

/// So many lines of what a gate printed are shown.
pub const LAST: usize = 5;

/// The end of what the gate printed that a request failed or waits for, line by line, and where all of it is.
pub fn printed(request: &Request) -> Vec<String> {
    let output = request.output();
    let mut lines = text::last_lines(output, LAST);
    if !lines.is_empty() {
        lines.push(format!("(all that was kept: gt review output {})", request.id));
    }
    lines
}
