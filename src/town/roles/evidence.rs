//! What is seen of an agent: its process, its terminal, its branch. Read when needed, never stored.
//!
//! Cheap facts (process table, the time of the terminal's log, the tip of the branch) are read in each pass;
//! the screen and whether a person is attached only once an agent has been quiet for a while, because they
//! may take a child process.

use std::collections::BTreeMap;

use crate::base::{Address, Time};
use crate::git::Repo;
use crate::session::{Runtimes, Screen};
use crate::store::Map;
use crate::town::{Acting, AgentRow, AgentState, hosts};

/// So long must an agent be quiet before it is called silent and its screen is read, in milliseconds.
pub const QUIET_MS: i64 = 30_000;

/// What is seen of one agent.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Its process lives; `None` when it never had one or it cannot be known.
    pub alive: Option<bool>,
    /// When something was last heard of it: output, a commit, a closed step.
    pub heard: Option<Time>,
    /// Its last commit.
    pub committed: Option<Time>,
    /// What its screen says; `None` when it was not looked at.
    pub screen: Option<Screen>,
    /// A person is attached to it.
    pub attached: bool,
}

/// How long a close look holds at most, in milliseconds, as long as nothing new is heard: a terminal that has printed
/// nothing looks as it did.
const CLOSE_LOOK_MS: i64 = 300_000;

/// Looks at agents, and remembers for a moment what took a child process to see.
#[derive(Debug)]
pub struct Looker {
    close: BTreeMap<Address, Close>,
    /// Since when it looks.
    started: Time,
    begun: Option<Time>,
}

/// A close look: when, and what had been heard of the agent by then.
#[derive(Debug)]
struct Close {
    at: i64,
    heard: Option<Time>,
    found: Closely,
}

/// What a close look found.
#[derive(Debug, Clone, Default)]
struct Closely {
    screen: Option<Screen>,
    attached: bool,
    changed: Option<Time>,
}

impl Looker {
    /// One that begins to look now.
    pub fn new(now: Time) -> Self {
        Self { close: BTreeMap::new(), started: now, begun: None }
    }

    /// Counts silences from `now`: the machine slept until then, or its clock was set.
    pub fn begin_anew(&mut self, now: Time) {
        self.close.clear();
        self.begun = Some(now);
    }

    /// When something was heard of an agent, as far as that counts. What a clock that was set back puts into the
    /// future was heard when it was set, or when this began to look if that came later.
    fn heard(&self, heard: Option<Time>, now: Time) -> Option<Time> {
        match (heard, self.begun) {
            (Some(heard), begun) if heard > now => Some(begun.unwrap_or(self.started)),
            (Some(heard), Some(begun)) => Some(heard.max(begun)),
            (heard, _) => heard,
        }
    }

    /// Looks at all of `rows`.
    pub fn look(&mut self, cx: &Acting<'_>, repo: Option<&Repo>, rows: &[AgentRow]) -> BTreeMap<Address, Seen> {
        let present = cx.now();
        let now = present.millis();
        let rig = rows.first().and_then(AgentRow::rig);
        self.close.retain(|address, close| {
            let holds = (0..CLOSE_LOOK_MS).contains(&(now - close.at));
            holds && (address.rig() != rig || rows.iter().any(|r| r.address == *address))
        });
        let mut runtimes = None;
        let mut all = BTreeMap::new();
        for row in rows {
            let mut seen = cheap(cx, repo, row);
            seen.heard = self.heard(seen.heard, present);
            let quiet = seen.heard.is_none_or(|t| now - t.millis() >= QUIET_MS);
            if quiet && row.state == AgentState::Working && seen.alive == Some(true) {
                let heard = seen.heard;
                let close = if let Some(known) = self.close.get(&row.address).filter(|known| known.heard == heard) {
                    known.found.clone()
                } else {
                    let runtimes = runtimes.get_or_insert_with(|| hosts::runtimes(cx).ok());
                    let found = closely(cx, runtimes.as_ref(), row);
                    self.close.insert(row.address.clone(), Close { at: now, heard, found: found.clone() });
                    found
                };
                seen.heard = self.heard(seen.heard.max(close.changed), present);
                seen.screen = close.screen;
                seen.attached = close.attached;
            }
            all.insert(row.address.clone(), seen);
        }
        all
    }
}

fn cheap(cx: &Acting<'_>, repo: Option<&Repo>, row: &AgentRow) -> Seen {
    let mut seen = Seen { alive: row.proc.as_ref().map(crate::base::process::ProcId::alive), ..Seen::default() };
    seen.committed = commit_time(repo, row);
    seen.heard = seen.committed.max(row.last_progress_at).max(row.started_at).max(output_time(cx, row));
    seen
}

fn closely(cx: &Acting<'_>, runtimes: Option<&Runtimes>, row: &AgentRow) -> Closely {
    let mut found = Closely::default();
    let Ok(host) = hosts::open(cx, row.host) else { return found };
    if let Ok(probe) = host.probe(&row.session) {
        found.attached = probe.attached;
        found.changed = probe.changed;
    }
    if let Some(runtime) = runtimes.and_then(|all| all.get(&row.runtime))
        && let Ok(screen) = host.screen(&row.session, 50)
    {
        found.screen = Some(runtime.signs.read(&screen));
    }
    found
}

/// When its branch last moved, if that was after it left its base.
fn commit_time(repo: Option<&Repo>, row: &AgentRow) -> Option<Time> {
    let (repo, branch) = (repo?, row.branch.as_ref()?);
    let tip = repo.oid_of(&format!("refs/heads/{branch}")).ok()??;
    if row.base_commit.as_deref() == Some(tip.to_string().as_str()) {
        return None;
    }
    repo.commit_time(tip).ok()
}

/// When its terminal last printed something: the time of the log that its host keeps.
fn output_time(cx: &Acting<'_>, row: &AgentRow) -> Option<Time> {
    let changed = std::fs::metadata(cx.town.session_log_path(&row.session)).ok()?.modified().ok()?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Time::from_millis(i64::try_from(since.as_millis()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_in_the_future_was_heard_when_the_clock_was_set_or_looking_began() {
        let at = Time::from_millis;
        let mut looker = Looker::new(at(100));
        assert_eq!(looker.heard(Some(at(50)), at(200)), Some(at(50)));
        assert_eq!(looker.heard(Some(at(900)), at(200)), Some(at(100)), "set back before it began");
        looker.begin_anew(at(150));
        assert_eq!(looker.heard(Some(at(900)), at(200)), Some(at(150)));
        assert_eq!(looker.heard(Some(at(160)), at(200)), Some(at(160)));
    }
}

/// The particulars of an exit, for its event.
pub fn exit_facts(row: &AgentRow) -> Map {
    let mut facts = Map::new();
    facts.insert("session".into(), row.session.clone().into());
    facts.insert("bead".into(), serde_json::json!(row.bead));
    facts
}
