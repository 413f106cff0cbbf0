//! `gt why`: what was decided about a bead, a request or an agent, by which rule, what it looked at, and what the merge
//! queue did with it.

mod text;

use std::fmt::Write as _;

use serde::Serialize;

use super::{Context, place};
use crate::base::{BeadId, Time};
use crate::cli::CliError;
use crate::queue::{MR_KEY, Request, State};
use crate::store::{DecisionRow, Event, IssueType, Read, StoreError};
use crate::town::roles::keep;
use crate::town::standing::{self, Outlook};
use crate::town::{Acting, TownError, agent, budget, last_words, review};

/// Say why something happened: the decisions about a bead, a merge request or an agent.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A bead, a merge request, or an agent (its address or short name).
    subject: String,
    /// How many decisions to show, the latest.
    #[arg(short = 'n', long, default_value_t = 12, value_name = "COUNT")]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Why {
    subject: String,
    now: String,
    waits: Option<String>,
    /// The end of what the gate printed that it failed or waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    printed: Vec<String>,
    decisions: Vec<DecisionRow>,
    happened: Vec<Happened>,
}

/// What the merge queue or a budget did with it, and why.
#[derive(Debug, Serialize)]
struct Happened {
    at: Time,
    subject: String,
    what: &'static str,
    why: String,
}

/// Where the subject stands now.
#[derive(Debug, Default)]
struct Now {
    text: String,
    waits: Option<String>,
    printed: Vec<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let acting = here.acting();
    let why = store.read(|r| about(&acting, r, args))?;
    cx.out.print(&why, text::of);
    Ok(())
}

fn about(cx: &Acting<'_>, r: &Read<'_>, args: &Args) -> Result<Why, TownError> {
    let mut subjects = Vec::new();
    let Now { text: now, waits, printed } = match r.resolve(&args.subject) {
        Ok(id) => bead(cx, r, &id, &mut subjects)?,
        Err(error @ StoreError::Ambiguous { .. }) => return Err(error.into()),
        Err(error) if error.is_fault() => return Err(error.into()),
        Err(error) => {
            // No bead; an agent then. If it is neither, the tracker's own words with its suggestion are better.
            let known = place::agent(r, &args.subject).ok().or_else(|| args.subject.parse().ok());
            let Some(address) = known else { return Err(error.into()) };
            subjects.push(address.to_string());
            let gone = || ("not here now".to_owned(), None);
            let (state, waits) = agent::get(r, &address)?.map_or_else(gone, |row| {
                let ended = row.ended();
                let bead = row.bead.map(|id| format!(", {id}")).unwrap_or_default();
                (format!("{}{bead}", row.state), row.waits.or(ended))
            });
            if state == gone().0
                && r.decisions(&address.to_string())?.is_empty()
                && r.events_of(&address.to_string())?.is_empty()
            {
                return Err(TownError::not_found(format!("nothing is known of {address}"))
                    .hint("see who is there: gt agents --all"));
            }
            Now { text: format!("{address}  {state}"), waits, printed: Vec::new() }
        }
    };
    let (mut decisions, mut happened) = (Vec::new(), Vec::new());
    for subject in &subjects {
        decisions.extend(r.decisions(subject)?);
        happened.extend(r.events_of(subject)?.into_iter().filter_map(happening));
    }
    if let Ok(id) = r.resolve(&args.subject) {
        let (decided, ended) = of_holders(r, &id)?;
        decisions.extend(decided);
        happened.extend(ended.into_iter().filter_map(happening));
    }
    decisions.sort_by_key(|d| d.seq);
    decisions.dedup_by_key(|d| d.seq);
    let skip = decisions.len().saturating_sub(args.limit);
    decisions.drain(..skip);
    happened.sort_by_key(|h| h.at);
    let skip = happened.len().saturating_sub(args.limit);
    happened.drain(..skip);
    Ok(Why { subject: args.subject.clone(), now, waits, printed, decisions, happened })
}

/// The event in words, if it is one that says why something stands where it does.
fn happening(event: Event) -> Option<Happened> {
    let what = match event.kind.as_str() {
        "mr_put_back" => "waits again",
        "mr_held" => "held",
        "mr_failed" => "came back",
        "mr_rejected" => "sent back",
        "mr_merged" => "merged",
        "held" => "held back",
        "released" => "let go on",
        "quarantined" => "in quarantine",
        "quarantine_lifted" => "out of quarantine",
        "agent_exited" => "ended by itself",
        "agent_attended" => "left alone",
        "agent_started" => "was started",
        "agent_restarted" => "was brought back",
        "agent_stopped" => "was stopped",
        "agent_retired" => "was taken down",
        "agent_not_told" => "not told to begin",
        "fetch_failed" => "begun on the target as last seen",
        _ => return None,
    };
    let why = event.payload["reason"].as_str().or_else(|| event.payload["why"].as_str());
    let why = why.or_else(|| event.payload["bead"].as_str()).unwrap_or_default();
    Some(Happened { at: event.at, why: why.to_owned(), what, subject: event.subject })
}

/// Where a bead stands, in one line; its requests and workers are subjects too.
fn bead(cx: &Acting<'_>, r: &Read<'_>, id: &BeadId, subjects: &mut Vec<String>) -> Result<Now, TownError> {
    let bead = r.need(id)?;
    subjects.push(id.to_string());
    let mut text = format!("{id} {:?}  {}", bead.title, bead.status);
    if let Some(hook) = r.hook_of(id)? {
        let _ = write!(text, " on {}", hook.agent);
    }
    let (mut waits, mut printed) = (None, Vec::new());
    let mr = if bead.issue_type == IssueType::MERGE_REQUEST {
        Some(id.clone())
    } else {
        let mut last: Option<Request> = None;
        for dep in r.dependents(id)? {
            if r.bead(&dep.issue_id)?.is_some_and(|b| b.issue_type == IssueType::MERGE_REQUEST) {
                subjects.push(dep.issue_id.to_string());
                let request = Request::load(r, &dep.issue_id).ok();
                last = last.into_iter().chain(request).max_by_key(|request| request.at);
            }
        }
        // Who works on it again has no request; why the last one came back is what it works at.
        printed = last.as_ref().filter(|_| !bead.is_over()).map(standing::printed).unwrap_or_default();
        bead.meta_str(MR_KEY).and_then(|mr| BeadId::new(mr).ok())
    };
    if let Some(mr) = mr
        && let Ok(request) = Request::load(r, &mr)
    {
        let _ = write!(text, "; {mr} is {}", request.state());
        if let Some(back) = review::sent_back(cx, r, &request)? {
            let _ = write!(text, "; {}", back.text());
        }
        printed = standing::printed(&request);
        if let Some(standing) = Outlook::of(cx, r, &request.mr.rig)?.standing(r, &request)? {
            waits = Some(standing.text);
        } else if request.state() != State::Merged && !bead.is_over() && r.hook_of(&request.mr.bead)?.is_none() {
            let (on, rig) = (&request.mr.bead, &request.mr.rig);
            let sling = budget::sling_into(&r.need(on)?, rig);
            waits = Some(format!("for a person: gt review back {on} --comment TEXT, or {sling}"));
        }
    }
    for row in agent::all(r)?.into_iter().filter(|row| row.bead.as_ref() == Some(id)) {
        let why = row.waits.clone().or_else(|| row.ended());
        waits = why.map(|why| format!("{}: {why}", row.address)).or(waits);
    }
    let blockers = r.blockers(id)?;
    if !blockers.is_empty() {
        let list: Vec<&str> = blockers.iter().map(BeadId::as_str).collect();
        waits = Some(format!("waits for {}", list.join(", ")));
    }
    if !bead.is_over()
        && bead.issue_type != IssueType::MERGE_REQUEST
        && let Some(hold) = keep::hold(r, id.as_str(), cx.now().millis())?
    {
        waits = Some(format!("held: {}", hold.text(&bead)));
    } else if waits.is_none()
        && let Some(why) = budget::why_quarantined(&bead)
    {
        let line = last_words::read(cx.town, id).and_then(|screen| last_words::last_line(&screen));
        let line = line.map_or(String::new(), |line| format!("; last on its worker's screen: {line} (gt peek {id})"));
        waits = Some(format!("in quarantine: {why}{line}; go on: {}", budget::sling_command(&bead)));
    }
    Ok(Now { text, waits, printed })
}

/// The decisions about whoever held the bead, and how their sessions ended by themselves, while they did.
fn of_holders(r: &Read<'_>, id: &BeadId) -> Result<(Vec<DecisionRow>, Vec<Event>), StoreError> {
    let (mut all, mut ended) = (Vec::new(), Vec::new());
    let mut holds: Vec<(String, Time, Option<Time>)> = Vec::new();
    for event in r.history(id)? {
        let agent = event.payload["agent"].as_str().unwrap_or_default().to_owned();
        match event.kind.as_str() {
            "hooked" => holds.push((agent, event.at, None)),
            "unhooked" => {
                if let Some(open) = holds.iter_mut().rev().find(|(who, _, end)| *who == agent && end.is_none()) {
                    open.2 = Some(event.at);
                }
            }
            _ => {}
        }
    }
    for (agent, from, until) in holds {
        let within = |at: Time| at >= from && until.is_none_or(|end| at <= end);
        all.extend(r.decisions(&agent)?.into_iter().filter(|row| within(row.at)));
        let exits = r.events_of(&agent)?.into_iter().filter(|event| event.kind == "agent_exited");
        ended.extend(exits.filter(|event| within(event.at)));
    }
    Ok((all, ended))
}
