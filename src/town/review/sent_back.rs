//! What a reviewer sees of a change whose bead was handed in before: how often that came back, why last, and whether
//! anything is different now.

use serde::Serialize;

use crate::base::text;
use crate::config::Overrides;
use crate::queue::{Request, State};
use crate::store::{IssueType, Read};
use crate::town::around::Acting;
use crate::town::error::TownError;

/// How a bead fared that is handed in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentBack {
    /// How often a person sent it back, or a policy did.
    pub times: usize,
    /// How often it came back from the queue: its gates failed, or it did not merge.
    pub by_queue: usize,
    /// It changes the same, line by line, as what came back last.
    pub unchanged: bool,
    /// What was said when it was sent back last: the beginning of a person's comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Why it came back from the queue last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_queue_why: Option<String>,
}

impl SentBack {
    /// For people, in one line.
    pub fn text(&self) -> String {
        let part = |words: &str, times: usize, from: &str, why: &Option<String>| {
            let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            (times > 0).then(|| format!("{words} {}{from}{why}", text::count(times, "time")))
        };
        let back = part("sent back", self.times, "", &self.why);
        let queue = part("came back", self.by_queue, " from the queue", &self.by_queue_why);
        let unchanged = self.unchanged.then(|| "unchanged since it came back".to_owned());
        unchanged.into_iter().chain(back).chain(queue).collect::<Vec<_>>().join("; ")
    }
}

/// What became of the requests of the same bead that came before this one; none when there are none.
pub fn sent_back(cx: &Acting<'_>, r: &Read<'_>, request: &Request) -> Result<Option<SentBack>, TownError> {
    let mut earlier = Vec::new();
    for dep in r.dependents(&request.mr.bead)? {
        let Some(bead) = r.bead(&dep.issue_id)?.filter(|bead| bead.issue_type == IssueType::MERGE_REQUEST) else {
            continue;
        };
        // One that cannot be read is told elsewhere.
        let Ok(other) = Request::from_bead(r, &bead) else { continue };
        let came_back = other.mr.state.is_final() && other.mr.state != State::Merged;
        if came_back && other.id != request.id && other.at <= request.at {
            earlier.push(other);
        }
    }
    earlier.sort_by_key(|other| other.at);
    let Some(last) = earlier.last() else { return Ok(None) };
    let unchanged = request.mr.commit == last.mr.commit || same_change(cx, request, last).unwrap_or(false);
    let (people, queue): (Vec<_>, Vec<_>) = earlier.iter().partition(|other| other.mr.state == State::Rejected);
    let why = |of: &[&Request]| of.last().and_then(|other| other.mr.why.clone());
    let (by_queue, by_queue_why) = (queue.len(), why(&queue));
    Ok(Some(SentBack { times: people.len(), by_queue, unchanged, why: why(&people), by_queue_why }))
}

/// Whether two requests change the same since each of them left the target: also where one stands on a newer target. None
/// when that cannot be told.
fn same_change(cx: &Acting<'_>, now: &Request, before: &Request) -> Option<bool> {
    let repo = cx.town.rig(&now.mr.rig, &Overrides::default()).ok()?.repo().ok()?;
    let target = |of: &Request| repo.resolve(&format!("refs/remotes/origin/{}", of.mr.target)).ok();
    let change = |of: &Request| repo.change_id(target(of)?, repo.resolve(&of.mr.commit).ok()?).ok();
    Some(change(now)? == change(before)?)
}
