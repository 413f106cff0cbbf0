//! What a merge request waits for, in the words that every screen shows.

use serde::Serialize;

use super::around::Acting;
use super::error::TownError;
use super::lifecycle;
use super::roles::keep;
use crate::base::{RigName, Time, text};
use crate::config::{Landing, Overrides};
use crate::queue::{Request, State, admission, push, wait};
use crate::store::{Read, StoreError};

/// What a request that is not over waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// In one line, with the command that moves it where there is one.
    pub text: String,
    /// It goes on without anybody's doing.
    pub by_itself: bool,
    /// The text names a command that a person may give meanwhile, such as to try it now.
    #[serde(skip)]
    pub offers: bool,
}

/// What all that stands in the queue of a rig has in common, looked up once.
#[derive(Debug)]
pub struct Outlook {
    now: Time,
    /// A change that passes waits for a person's word.
    reviewed: bool,
    /// Why nothing at all is merged, and what changes that.
    stopped: Option<String>,
    /// Why the queue takes nothing for now.
    paused: Option<Standing>,
}

impl Outlook {
    /// Looks at a rig.
    pub fn of(cx: &Acting<'_>, r: &Read<'_>, rig: &RigName) -> Result<Self, TownError> {
        let now = cx.now();
        // Of a rig whose configuration is broken it is not known what becomes of a change that passes.
        let found = cx.town.rig(rig, &Overrides::default()).ok();
        let stopped = match &found {
            _ if !lifecycle::is_up(r)? => Some("nothing is merged while the town is down: gt start".to_owned()),
            Some(found) if !found.config.refinery => {
                Some(format!("nothing is merged while the refinery of {rig} is off: {}", found.config_path().display()))
            }
            Some(found) if found.config.gates.is_empty() => {
                let path = found.config_path();
                Some(format!("nothing is merged before there is a gate: add [gates.NAME] to {}", path.display()))
            }
            _ => None,
        };
        let paused = match push::damage(r, rig)? {
            Some(text) => Some(Standing { text, by_itself: false, offers: true }),
            None => wait::pause(r, rig)?.filter(|pause| pause.holds(now)).map(|pause| Standing {
                text: format!("{} ({})", pause.why, pause.again(now)),
                by_itself: !pause.is_final(),
                offers: true,
            }),
        };
        let reviewed = found.is_some_and(|found| found.config.landing != Landing::Direct);
        Ok(Self { now, reviewed, stopped, paused })
    }

    /// What `request` waits for; none when it is over.
    pub fn standing(&self, r: &Read<'_>, request: &Request) -> Result<Option<Standing>, TownError> {
        let state = request.state();
        if state.is_final() {
            return Ok(None);
        }
        if state == State::Held {
            let bead = &request.mr.bead;
            let text = format!(
                "passed its gates; waits for your word: gt review accept {bead}, or gt review back {bead} --comment TEXT"
            );
            return Ok(Some(Standing { text, by_itself: false, offers: true }));
        }
        let mut standing = self.in_queue(r, request)?;
        if let Some(stopped) = &self.stopped {
            standing = Standing { text: format!("{}; {stopped}", standing.text), by_itself: false, offers: true };
        }
        Ok(Some(standing))
    }

    /// What a request waits for that the queue can take, or has taken.
    fn in_queue(&self, r: &Read<'_>, request: &Request) -> Result<Standing, TownError> {
        let by_itself = |text| Ok(Standing { text, by_itself: true, offers: false });
        let for_a_person = |text| Ok(Standing { text, by_itself: false, offers: false });
        let waits = self.reviewed && request.mr.approved.is_none();
        let then = if waits { "once its gates pass it waits for your word" } else { "once its gates pass it lands" };
        if request.state().in_hand() {
            return by_itself(format!("the queue works on it; {then}"));
        }
        // What a person has to end ends before anything else does.
        if let Some(shut) = self.paused.as_ref().filter(|paused| !paused.by_itself) {
            return Ok(shut.clone());
        }
        // What a request waits for by itself outlasts the pause of its queue, and says itself when it is tried again.
        if let Some(wait) = wait::wait(r, &request.id)? {
            return Ok(match wait.again(self.now) {
                // Another target comes by itself, another configuration does not.
                Some(again) => {
                    Standing { by_itself: wait.base.is_some(), text: format!("{} ({again})", wait.why), offers: true }
                }
                None => Standing { text: wait.why, by_itself: false, offers: false },
            });
        }
        if let Some(paused) = &self.paused {
            return Ok(paused.clone());
        }
        if let Some(hold) = keep::hold(r, request.id.as_str(), self.now.millis())? {
            return match hold.until_ms {
                Some(at) => by_itself(format!("held: {}, until {}", hold.why, Time::from_millis(at))),
                None => for_a_person(format!("held: {}", hold.why)),
            };
        }
        if let Some(refusal) = admission::refusal(r, &request.id)? {
            return for_a_person(refusal.text());
        }
        let why = request.mr.why.clone().map_or_else(|| wait::note(r, &request.id), |why| Ok(Some(why)))?;
        by_itself(why.unwrap_or_else(|| format!("waits for its turn; {then}")))
    }
}

/// Why the queue of a rig takes nothing for now, and when that is over, beside what its `open` requests wait for
/// themselves: those that do have their own time, and the pause is about the others.
pub fn paused(r: &Read<'_>, rig: &RigName, open: &[Request], now: Time) -> Result<Option<String>, StoreError> {
    if let Some(told) = push::damage(r, rig)? {
        return Ok(Some(told));
    }
    let Some(pause) = wait::pause(r, rig)?.filter(|pause| pause.holds(now)) else { return Ok(None) };
    let queued: Vec<&Request> = open.iter().filter(|request| request.state() == State::Queued).collect();
    let mut own = 0;
    for request in &queued {
        own += usize::from(wait::wait(r, &request.id)?.is_some_and(|wait| wait.again(now).is_some()));
    }
    Ok(Some(match own {
        all if all > 0 && all == queued.len() && !pause.is_final() => pause.why,
        some if some > 0 && !pause.is_final() => format!("{} (the others {})", pause.why, pause.again(now)),
        _ => format!("{} ({})", pause.why, pause.again(now)),
    }))
}

/// So many lines of what a gate printed are shown.
pub const LAST: usize = 5;

/// The end of what the gate printed that a request failed or waits for, line by line, and where all of it is.
pub fn printed(request: &Request) -> Vec<String> {
    // Of one that is being tested anew, it says nothing.
    let output = if request.state().in_hand() { "" } else { request.output() };
    let mut lines = text::last_lines(output, LAST);
    if !lines.is_empty() {
        lines.push(format!("(all that was kept: gt review output {})", request.id));
    }
    lines
}
