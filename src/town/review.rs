//! Reviews: changes that wait for a person's word.

mod judge;
mod sent_back;

use serde::Serialize;

use super::around::Acting;
use super::error::TownError;
use super::standing::{self, Outlook, Standing};
use super::{budget, hook};
use crate::base::{Address, BeadId, RigName, Time};
use crate::config::Overrides;
use crate::queue::request::{self, Request};
use crate::queue::{MR_KEY, MrMeta, State};
use crate::store::{Bead, Filter, IssueType, Read, Status, StoreError};

pub use judge::{accept, back};
pub use sent_back::{SentBack, sent_back};

/// A change in the queue, as a reviewer sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Review {
    /// The merge request.
    pub mr: BeadId,
    /// The bead.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// The rig.
    pub rig: RigName,
    /// Who made it.
    pub worker: Address,
    /// Where it stands.
    pub state: State,
    /// It waits for a word, and nobody has given one.
    pub waits_for_you: bool,
    /// Which time it was handed in.
    pub attempt: u32,
    /// When it was handed in.
    pub queued_at: Time,
    /// Lines added or removed.
    pub lines: u64,
    /// Paths it touches.
    pub paths: Vec<String>,
    /// Why it waits, came back or is held.
    pub why: Option<String>,
    /// What it waits for now, and whether it goes on without anybody's doing; none when it is over.
    pub waits: Option<Standing>,
    /// The end of what the gate printed that it failed or waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub printed: Vec<String>,
    /// The command by which its bead goes to a worker again.
    #[serde(skip)]
    pub sling: String,
    /// What became of it before, when its bead was handed in earlier; in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_back: Option<SentBack>,
    /// What the queue found: gate results and the like.
    pub evidence: crate::store::Map,
}

impl Review {
    /// Without what became of it before, which only git knows.
    fn of(outlook: &Outlook, r: &Read<'_>, request: Request) -> Result<Self, TownError> {
        let state = request.state();
        let waits = outlook.standing(r, &request)?;
        let printed = standing::printed(&request);
        let mr = request.mr;
        let bead = r.bead(&mr.bead)?;
        Ok(Self {
            sling: bead.as_ref().map(|bead| budget::sling_into(bead, &mr.rig)).unwrap_or_default(),
            title: bead.map(|b| b.title).unwrap_or(request.title),
            waits_for_you: state == State::Held && mr.approved.is_none(),
            mr: request.id,
            bead: mr.bead,
            rig: mr.rig,
            worker: mr.worker,
            state,
            attempt: mr.attempt,
            queued_at: mr.queued_at,
            lines: mr.lines,
            paths: mr.paths,
            why: mr.why.filter(|_| !state.in_hand()),
            waits,
            printed,
            sent_back: None,
            evidence: mr.evidence,
        })
    }
}

/// All open merge requests of the town, and those that came back while nobody works on them; those that wait for a
/// person come first.
pub fn list(cx: &Acting<'_>, r: &Read<'_>) -> Result<Vec<Review>, TownError> {
    let back = came_back(r)?;
    let mut all = Vec::new();
    for rig in cx.town.rig_names()? {
        let outlook = Outlook::of(cx, r, &rig)?;
        let back = back.iter().filter(|request| request.mr.rig == rig).cloned();
        for request in request::open(r, &rig)?.into_iter().chain(back) {
            let sent_back = sent_back(cx, r, &request)?;
            all.push(Review { sent_back, ..Review::of(&outlook, r, request)? });
        }
    }
    all.sort_by_key(|review| (!review.waits_for_you, !review.state.is_final(), review.queued_at));
    Ok(all)
}

/// The requests that did not land and whose beads nobody works on: they came back for the last time, and a person has to
/// say how they go on. One that is about to go back to its worker is among them until it has.
pub fn came_back(r: &Read<'_>) -> Result<Vec<Request>, TownError> {
    let handed_in = Filter { statuses: vec![Status::IN_PROGRESS], ..Filter::default() };
    let in_quarantine =
        Filter { labels: vec![budget::QUARANTINE.into()], statuses: vec![Status::OPEN], ..Filter::default() };
    let mut back = Vec::new();
    for bead in r.find(&handed_in)?.into_iter().chain(r.find(&in_quarantine)?) {
        if let Some((id, _)) = is_back(r, &bead)? {
            back.push(Request::load(r, &id)?);
        }
    }
    Ok(back)
}

/// The request of a bead that is one of [`came_back`]; none when it is not. A request that cannot be read is told
/// elsewhere, and stops nobody else.
pub(super) fn is_back(r: &Read<'_>, bead: &Bead) -> Result<Option<(BeadId, MrMeta)>, StoreError> {
    let waits =
        bead.status == Status::IN_PROGRESS || (bead.status == Status::OPEN && budget::why_quarantined(bead).is_some());
    let Ok(Some((id, meta))) = hook::last_request(r, bead) else { return Ok(None) };
    let over = meta.state.is_final() && meta.state != State::Merged;
    Ok((waits && over && r.hook_of(&bead.id)?.is_none()).then_some((id, meta)))
}

/// The merge request that an id means: its own, or that of the bead it is for. What became of its bead before is not told.
pub fn find(cx: &Acting<'_>, r: &Read<'_>, id: &BeadId) -> Result<Review, TownError> {
    let bead = r.need(id)?;
    let mr = if bead.issue_type == IssueType::MERGE_REQUEST {
        bead.id
    } else {
        let found = bead.meta_str(MR_KEY).and_then(|mr| BeadId::new(mr).ok());
        found.ok_or_else(|| {
            TownError::not_found(format!("{id} has not been handed in")).hint("see what waits: gt review")
        })?
    };
    let request = Request::load(r, &mr)?;
    Review::of(&Outlook::of(cx, r, &request.mr.rig)?, r, request)
}

/// The change as a patch, against the target as it is now, and how its bead fared before.
pub fn diff(cx: &Acting<'_>, r: &Read<'_>, id: &BeadId) -> Result<(String, Option<SentBack>), TownError> {
    let review = find(cx, r, id)?;
    let request = Request::load(r, &review.mr)?;
    let rig = cx.town.rig(&review.rig, &Overrides::default())?;
    let repo = rig.repo()?;
    let diff = repo.diff_text(rig.target_tip(&repo)?, repo.resolve(&request.mr.commit)?)?;
    Ok((diff, sent_back(cx, r, &request)?))
}

/// What the gate printed that a change failed, or that it waits for: as much as was kept.
pub fn output(cx: &Acting<'_>, r: &Read<'_>, id: &BeadId) -> Result<String, TownError> {
    let request = Request::load(r, &find(cx, r, id)?.mr)?;
    let output = request.output();
    if output.is_empty() {
        return Err(TownError::not_found(format!("no gate that failed has printed anything about {}", request.id))
            .hint(format!("see what is known of it: gt why {}", request.id)));
    }
    Ok(output.to_owned())
}
