//! `gt why`: what was decided about a bead, a request or an agent, by which rule, and what it looked at.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::{Context, place};
use crate::base::{BeadId, Time};
use crate::cli::CliError;
use crate::queue::{MR_KEY, Request};
use crate::store::{DecisionRow, IssueType, Read, StoreError};
use crate::town::{TownError, agent};

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
    decisions: Vec<DecisionRow>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (_, store) = cx.open()?;
    let why = store.read(|r| about(r, args))?;
    cx.out.print(&why, text_of);
    Ok(())
}

fn about(r: &Read<'_>, args: &Args) -> Result<Why, TownError> {
    let mut subjects = Vec::new();
    let mut waits = None;
    let now = match r.resolve(&args.subject) {
        Ok(id) => {
            let (text, held) = bead(r, &id, &mut subjects)?;
            waits = held;
            text
        }
        Err(error @ StoreError::Ambiguous { .. }) => return Err(error.into()),
        Err(error) if error.is_fault() => return Err(error.into()),
        Err(error) => {
            // No bead; an agent then. If it is neither, the tracker's own words with its suggestion are better.
            let Ok(address) = place::agent(r, &args.subject) else { return Err(error.into()) };
            let row = agent::need(r, &address)?;
            subjects.push(address.to_string());
            let bead = row.bead.map(|id| format!(", {id}")).unwrap_or_default();
            format!("{address}  {}{bead}", row.state)
        }
    };
    let mut decisions = Vec::new();
    for subject in &subjects {
        decisions.extend(r.decisions(subject)?);
    }
    if let Ok(id) = r.resolve(&args.subject) {
        decisions.extend(of_holders(r, &id)?);
    }
    decisions.sort_by_key(|d| d.seq);
    decisions.dedup_by_key(|d| d.seq);
    let skip = decisions.len().saturating_sub(args.limit);
    decisions.drain(..skip);
    Ok(Why { subject: args.subject.clone(), now, waits, decisions })
}

/// Where a bead stands, in one line; its requests and workers are subjects too.
fn bead(r: &Read<'_>, id: &BeadId, subjects: &mut Vec<String>) -> Result<(String, Option<String>), TownError> {
    let bead = r.need(id)?;
    subjects.push(id.to_string());
    let mut text = format!("{id} {:?}  {}", bead.title, bead.status);
    if let Some(hook) = r.hook_of(id)? {
        let _ = write!(text, " on {}", hook.agent);
    }
    let mut waits = None;
    let mr = if bead.issue_type == IssueType::MERGE_REQUEST {
        Some(id.clone())
    } else {
        for dep in r.dependents(id)? {
            if r.bead(&dep.issue_id)?.is_some_and(|b| b.issue_type == IssueType::MERGE_REQUEST) {
                subjects.push(dep.issue_id.to_string());
            }
        }
        bead.meta_str(MR_KEY).and_then(|mr| BeadId::new(mr).ok())
    };
    if let Some(mr) = mr
        && let Ok(request) = Request::load(r, &mr)
    {
        let _ = write!(text, "; {mr} is {}", request.state());
        let note = crate::queue::wait::note(r, &mr)?;
        let pause = crate::queue::wait::pause(r, &request.mr.rig)?.map(|p| p.why);
        if !request.state().is_final() {
            waits = pause.or(request.mr.why).or(note);
        }
    }
    let blockers = r.blockers(id)?;
    if !blockers.is_empty() {
        let list: Vec<&str> = blockers.iter().map(BeadId::as_str).collect();
        waits = Some(format!("waits for {}", list.join(", ")));
    }
    Ok((text, waits))
}

/// The decisions about whoever held the bead, while they did.
fn of_holders(r: &Read<'_>, id: &BeadId) -> Result<Vec<DecisionRow>, StoreError> {
    let mut all = Vec::new();
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
        let rows = r.decisions(&agent)?;
        all.extend(rows.into_iter().filter(|row| row.at >= from && until.is_none_or(|end| row.at <= end)));
    }
    Ok(all)
}

fn text_of(why: &Why) -> String {
    let mut lines = vec![why.now.clone()];
    if let Some(waits) = &why.waits {
        lines.push(format!("  now      {waits}"));
    }
    if why.decisions.is_empty() {
        lines.push("  no policy has decided anything about it".into());
    }
    for row in &why.decisions {
        lines.extend(decision(row));
    }
    lines.join("\n")
}

fn decision(row: &DecisionRow) -> Vec<String> {
    let at = row.at.to_string();
    let clock = at.get(11..19).unwrap_or(&at);
    let rung = row.rung.map(|n| format!(", rung {n}")).unwrap_or_default();
    let mut lines = vec![format!("{clock} {}  {}{rung}   ({} layer)", did(&row.actions), row.rule, row.layer)];
    if row.outcome != "done" {
        lines.push(format!("  {}", row.outcome));
    }
    if row.line > 0 {
        lines.push(format!("  rule     {}:{}, revision {}", row.file, row.line, row.revision));
    }
    let because = row.because.as_array().cloned().unwrap_or_default();
    for (index, fact) in because.iter().take(8).enumerate() {
        lines.push(format!("  {} {}", if index == 0 { "because " } else { "        " }, reason(fact)));
    }
    lines
}

/// The actions in words.
fn did(actions: &Value) -> String {
    let list = actions.as_array().cloned().unwrap_or_default();
    let words: Vec<String> = list
        .iter()
        .map(|action| {
            let verb = action["action"].as_str().unwrap_or("?").to_owned();
            let ids = |key: &str| {
                action[key].as_array().map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
            };
            let text = ["why", "text", "title", "subject"].iter().find_map(|key| action[*key].as_str());
            match (ids("members"), text) {
                (Some(members), _) => format!("{verb} [{members}]"),
                (None, Some(text)) => format!("{verb}: {}", crate::base::text::headline(text, 80)),
                (None, None) => verb,
            }
        })
        .collect();
    if words.is_empty() { "nothing".into() } else { words.join("; ") }
}

fn reason(fact: &Value) -> String {
    match fact["kind"].as_str() {
        Some("compared") => {
            let text = fact["text"].as_str().unwrap_or_default();
            if fact["answer"] == true { text.to_owned() } else { format!("{text} is false") }
        }
        _ => format!("{} {}", fact["what"].as_str().unwrap_or_default(), fact["value"].as_str().unwrap_or_default()),
    }
}
