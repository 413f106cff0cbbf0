//! What a reviewer sees of a change whose bead was handed in before: how often that came back, why last, and whether
//! anything is different now.

use serde::Serialize;

use crate::base::text;
use crate::config::Overrides;
use crate::git::Repo;
use crate::queue::{Request, State};
use crate::store::{IssueType, Read};
use crate::town::around::Acting;
use crate::town::error::TownError;

/// How a bead fared that is handed in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentBack {
    /// How often it came back: from a person, a policy, or the queue.
    pub times: usize,
    /// What is handed in now is, file by file, what came back last.
    pub unchanged: bool,
    /// Why it came back last; of one that a person sent back the beginning of their comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl SentBack {
    /// For people, in one line.
    pub fn text(&self) -> String {
        let unchanged = if self.unchanged { "; unchanged since it was sent back" } else { "" };
        let why = self.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
        format!("sent back {}{unchanged}{why}", text::count(self.times, "time"))
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
    let times = earlier.len();
    let Some(last) = earlier.into_iter().max_by_key(|other| other.at) else { return Ok(None) };
    let (now, before) = (&request.mr.commit, &last.mr.commit);
    let same_files = || {
        let repo = cx.town.rig(&request.mr.rig, &Overrides::default()).ok()?.repo().ok()?;
        let tree = |repo: &Repo, commit: &str| repo.tree_of(repo.resolve(commit).ok()?).ok();
        Some(tree(&repo, now)? == tree(&repo, before)?)
    };
    let unchanged = now == before || same_files().unwrap_or(false);
    Ok(Some(SentBack { times, unchanged, why: last.mr.why }))
}
