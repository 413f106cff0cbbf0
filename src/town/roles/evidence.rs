//! What is seen of an agent: its process, its terminal, its branch. Read when needed, never stored.
//!
//! Cheap facts (process table, the time of the log that a headless host keeps, the tip of the branch) are read in each
//! pass. Only once they have been quiet for a while is the host asked when the terminal was last written to and whether a
//! person is attached, because that may take a child process; and only if that is long ago, too, is the screen read.

use std::collections::BTreeMap;

use crate::base::{Address, Time};
use crate::git::Repo;
use crate::session::{self, Probe, Runtimes, Screen};
use crate::store::Map;
use crate::town::{Acting, AgentRow, AgentState, HostKind, hosts};

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

impl Seen {
    /// The dialog that its agent waits at, if it waits at one: the one that stands in `row`, unless its screen was read.
    pub fn dialog<'a>(&'a self, row: &'a AgentRow) -> Option<&'a str> {
        match &self.screen {
            Some(Screen::Dialog(name)) => Some(name),
            Some(_) => None,
            None => row.dialog.as_deref().filter(|_| row.state == AgentState::Waiting),
        }
    }
}

/// So long a close look holds, in milliseconds: for the passes that follow one another, and for all agents of a
/// server, which answers for all of them at once.
const CLOSE_LOOK_MS: i64 = 2_000;

/// Looks at agents, and remembers for a moment what took a child process to see.
#[derive(Debug)]
pub struct Looker {
    /// What the tmux server said of its sessions, and when.
    server: Option<(i64, BTreeMap<String, Probe>)>,
    screens: BTreeMap<Address, Shown>,
    /// Since when it looks.
    started: Time,
    begun: Option<Time>,
}

/// A screen that was read.
#[derive(Debug)]
struct Shown {
    /// When.
    at: i64,
    /// When the terminal had last been written to by then.
    changed: Option<Time>,
    screen: Option<Screen>,
}

impl Shown {
    /// Whether the terminal looks as it did. Hosts tell the time to the second: what was written in the second in which
    /// the screen was read may have come after it.
    fn holds(&self, changed: Option<Time>, now: i64) -> bool {
        let settled = changed.is_some_and(|t| self.at - t.millis() > 1_000);
        // What could not be read may be readable in a moment.
        let settled = settled && self.screen.is_some();
        self.changed == changed && (settled || (0..CLOSE_LOOK_MS).contains(&(now - self.at)))
    }
}

impl Looker {
    /// One that begins to look now.
    pub fn new(now: Time) -> Self {
        Self { server: None, screens: BTreeMap::new(), started: now, begun: None }
    }

    /// Counts silences from `now`: the machine slept until then, or its clock was set.
    pub fn begin_anew(&mut self, now: Time) {
        self.server = None;
        self.screens.clear();
        self.begun = Some(now);
    }

    /// Reads every screen anew when it is next looked at: what the signs on it mean may be something else now.
    pub fn forget_screens(&mut self) {
        self.screens.clear();
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
        self.screens.retain(|address, _| address.rig() != rig || rows.iter().any(|r| r.address == *address));
        let mut runtimes = None;
        let mut all = BTreeMap::new();
        for row in rows {
            let mut seen = cheap(cx, repo, row);
            seen.heard = self.heard(seen.heard, present);
            // Who waits at a dialog may write below it, and waits on; whether it does is seen on its screen alone.
            let waits = row.state == AgentState::Waiting;
            let quiet = waits || seen.heard.is_none_or(|t| now - t.millis() >= QUIET_MS);
            if quiet && matches!(row.state, AgentState::Working | AgentState::Waiting) && seen.alive == Some(true) {
                let probe = self.probe(cx, row, now);
                seen.attached = probe.attached;
                seen.heard = self.heard(seen.heard.max(probe.changed), present);
                // Who writes needs no closer look.
                if waits || seen.heard.is_none_or(|t| now - t.millis() >= QUIET_MS) {
                    let runtimes = runtimes.get_or_insert_with(|| hosts::runtimes(cx).ok());
                    seen.screen = self.screen(cx, runtimes.as_ref(), row, &probe, now);
                }
            }
            all.insert(row.address.clone(), seen);
        }
        all
    }

    /// What its host knows of an agent, at most [`CLOSE_LOOK_MS`] ago.
    fn probe(&mut self, cx: &Acting<'_>, row: &AgentRow, now: i64) -> Probe {
        let Ok(host) = hosts::open(cx, row.host) else { return Probe::default() };
        if row.host != HostKind::Tmux {
            // It answers on a socket of its own, without a child process.
            return host.probe(&row.session).unwrap_or_default();
        }
        let fresh = self.server.as_ref().is_some_and(|(at, _)| (0..CLOSE_LOOK_MS).contains(&(now - at)));
        if !fresh {
            let listed = host.list().unwrap_or_default();
            self.server = Some((now, listed.into_iter().map(|one| (one.name, one.probe)).collect()));
        }
        self.server.as_ref().and_then(|(_, all)| all.get(&row.session)).cloned().unwrap_or_default()
    }

    /// What its screen says; read again only when it was written to since.
    fn screen(
        &mut self,
        cx: &Acting<'_>,
        runtimes: Option<&Runtimes>,
        row: &AgentRow,
        probe: &Probe,
        now: i64,
    ) -> Option<Screen> {
        if let Some(shown) = self.screens.get(&row.address).filter(|shown| shown.holds(probe.changed, now)) {
            return shown.screen.clone();
        }
        let signs = &runtimes?.get(&row.runtime)?.signs;
        let text = hosts::open(cx, row.host).and_then(|host| Ok(host.screen(&row.session, 50)?));
        let screen = text.ok().map(|text| signs.read_with_title(&text, probe.title.as_deref()));
        let shown = Shown { at: now, changed: probe.changed, screen: screen.clone() };
        self.screens.insert(row.address.clone(), shown);
        screen
    }
}

fn cheap(cx: &Acting<'_>, repo: Option<&Repo>, row: &AgentRow) -> Seen {
    let mut seen = Seen { alive: row.proc.as_ref().map(crate::base::process::ProcId::alive), ..Seen::default() };
    seen.committed = commit_time(repo, row);
    seen.heard = seen.committed.max(row.last_progress_at).max(row.started_at).max(output_time(cx, row));
    seen
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

/// When its terminal last printed something: the time of the log that a headless host keeps.
fn output_time(cx: &Acting<'_>, row: &AgentRow) -> Option<Time> {
    session::written(&cx.town.session_log_path(&row.session))
}

/// The particulars of an exit, for its event.
pub fn exit_facts(row: &AgentRow) -> Map {
    let mut facts = Map::new();
    facts.insert("session".into(), row.session.clone().into());
    facts.insert("bead".into(), serde_json::json!(row.bead));
    if let Some(line) = &row.last_line {
        facts.insert("reason".into(), line.clone().into());
    }
    facts
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
