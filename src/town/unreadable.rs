//! Rows of agents and intents, ladders, budgets and nudges that cannot be read: told, left alone, and mended when a
//! person says so. Merge requests that cannot be read are told with them.
//!
//! Whatever lists rows leaves them out, so that a damaged one stops nobody else.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::agent::{self, AGENTS, AgentRow, AgentState, HostKind};
use super::around::Acting;
use super::error::TownError;
use super::intent::{INTENTS, Intent};
use super::nudges::{NUDGES, Nudge};
use super::roles::ladders;
use super::{budget, finish, hosts, lost_request, sling};
use crate::base::{Address, WorkerName};
use crate::config::Overrides;
use crate::policy::Place;
use crate::store::{Read, Store, StoreError, Write};

const REQUEST: &str = "merge request";
/// Counters: what a policy or a budget goes by stands still until a person says that they begin anew.
const COUNTERS: [&str; 2] = [ladders::LADDERS, budget::BUDGETS];

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// `agent` or `intent`, `ladder` or `budget`, `nudge`, or `merge request`.
    pub what: &'static str,
    /// Whose it is.
    pub key: String,
    /// Why it cannot be read.
    pub why: String,
}

impl Unreadable {
    /// Whether it is a merge request.
    pub fn is_request(&self) -> bool {
        self.what == REQUEST
    }

    /// For people, with the next step.
    pub fn text(&self) -> String {
        let Self { what, key, why } = self;
        if *what == REQUEST {
            return format!("the merge request {key} cannot be read ({why}); it is left alone: gt queue mend {key}");
        }
        if COUNTERS.contains(what) {
            return format!(
                "the {what} row of {key} cannot be read ({why}); what goes by it is not done until it begins anew: gt start"
            );
        }
        if *what == NUDGES {
            return format!(
                "the {what} row of {key} cannot be read ({why}); what it was to say stays unsaid; to forget it: gt start"
            );
        }
        format!(
            "the {what} row of {key} cannot be read ({why}); it is left alone, and so is {key}: gt polecat mend {key}"
        )
    }
}

/// What can be read of a local table, and what cannot.
pub(super) fn sift<T: DeserializeOwned>(
    r: &Read<'_>,
    table: &'static str,
) -> Result<(Vec<T>, Vec<Unreadable>), StoreError> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (key, text) in r.local_texts(table)? {
        match serde_json::from_str(&text) {
            Ok(row) => good.push(row),
            Err(error) => bad.push(Unreadable { what: table, key, why: error.to_string() }),
        }
    }
    Ok((good, bad))
}

/// All rows and merge requests that cannot be read.
pub fn all(r: &Read<'_>) -> Result<Vec<Unreadable>, StoreError> {
    let requests = lost_request::all(r)?.into_iter();
    let requests = requests.map(|(mr, why)| Unreadable { what: REQUEST, key: mr.to_string(), why });
    Ok(rows(r)?.into_iter().chain(passing(r)?).chain(requests).collect())
}

/// What nobody misses when it is gone: counters begin anew, and a rule that still holds speaks again.
fn passing(r: &Read<'_>) -> Result<Vec<Unreadable>, StoreError> {
    let (_, mut bad) = sift::<Place>(r, ladders::LADDERS)?;
    bad.extend(sift::<budget::Spent>(r, budget::BUDGETS)?.1);
    bad.extend(sift::<Nudge>(r, NUDGES)?.1);
    Ok(bad)
}

/// A person says that ladders and budgets which cannot be read begin anew, and that such words are forgotten.
pub(super) fn begin_anew(w: &mut Write<'_>) -> Result<(), StoreError> {
    for bad in passing(w)? {
        w.delete_local(bad.what, &bad.key)?;
        w.emit("row_mended", &bad.key, json!({ "what": bad.what, "why": bad.why }))?;
    }
    Ok(())
}

fn rows(r: &Read<'_>) -> Result<Vec<Unreadable>, StoreError> {
    let (_, mut bad) = sift::<AgentRow>(r, AGENTS)?;
    bad.extend(sift::<Intent>(r, INTENTS)?.1);
    Ok(bad)
}

/// What became of the rows of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mended {
    /// Whose they are.
    pub key: String,
    /// What was to be done about it is forgotten.
    pub intent_dropped: bool,
    /// The agent's row was made anew, in this state.
    pub state: Option<AgentState>,
    /// The agent's row was taken away: it had neither work nor a worktree.
    pub removed: bool,
}

/// Makes the unreadable rows of `key` anew, from what can be seen: hook, worktree, branch. Ends its session first,
/// whichever host runs it; a worker with work on its hook is started again by the town.
pub fn mend(cx: &Acting<'_>, store: &mut Store, key: &str) -> Result<Mended, TownError> {
    let bad: Vec<Unreadable> = store.read(rows)?.into_iter().filter(|bad| bad.key == key).collect();
    let is_bad = |what: &str| bad.iter().any(|bad| bad.what == what);
    let mut done =
        Mended { key: key.to_owned(), intent_dropped: is_bad(INTENTS), state: None, removed: is_bad(AGENTS) };
    if bad.is_empty() {
        return Err(TownError::refused(format!("every row of {key} can be read")).hint("see who is there: gt agents"));
    }
    let address = key.parse::<Address>().ok();
    let _lock = address.as_ref().map(|agent| finish::lock(cx, agent)).transpose()?;
    let mut row = None;
    if let (true, Some(agent)) = (is_bad(AGENTS), &address) {
        for kind in [HostKind::Tmux, HostKind::Headless] {
            if let Some(host) = hosts::existing(cx, kind) {
                host.stop(&hosts::session_name(agent), Duration::from_secs(3))?;
            }
        }
        row = anew(cx, store, agent)?;
    }
    store.write(&cx.stamp(), |w| {
        if done.intent_dropped {
            w.delete_local(INTENTS, key)?;
        }
        if done.removed {
            w.delete_local(AGENTS, key)?;
        }
        if let Some(row) = &row {
            agent::put(w, row)?;
            (done.state, done.removed) = (Some(row.state), false);
        }
        told(w, &done)
    })?;
    super::wake(cx.town);
    Ok(done)
}

fn told(w: &mut Write<'_>, done: &Mended) -> Result<(), StoreError> {
    w.emit("row_mended", &done.key, json!(done)).map(|_| ())
}

/// The row of a worker as its hook and its worktree tell it; none for an agent that has neither.
fn anew(cx: &Acting<'_>, store: &Store, agent: &Address) -> Result<Option<AgentRow>, TownError> {
    let (Address::Polecat(rig, _), Ok(name)) = (agent, WorkerName::new(agent.short())) else { return Ok(None) };
    let rig = cx.town.rig(rig, &Overrides::default())?;
    let hook = store.read(|r| r.hook(agent))?;
    let worktree = rig.worktree(&name);
    if hook.is_none() && !worktree.is_dir() {
        return Ok(None);
    }
    let bead = hook.map(|hook| hook.bead);
    let checked_out = rig.repo()?.worktree_at(&worktree)?.and_then(|tree| tree.branch);
    let now = cx.now();
    Ok(Some(AgentRow {
        // What has no hook has been handed in, and goes when that lands.
        state: if bead.is_some() { AgentState::Dead } else { AgentState::Done },
        worktree: Some(worktree),
        branch: checked_out.or_else(|| bead.as_ref().map(|bead| sling::branch(&name, bead))),
        bead,
        last_progress_at: Some(now),
        ..AgentRow::new(agent.clone(), &rig.config.runtime, hosts::choose(cx, rig.config.host)?, now)
    }))
}
