//! Agents of the town: one row each, local to this machine, keyed by address.

use serde::{Deserialize, Serialize};

use super::error::TownError;
use super::hosts;
use super::unreadable;
use crate::base::process::ProcId;
use crate::base::{Address, BeadId, RigName, Time};
use crate::store::{Read, StoreError, Write};

/// The local namespace of agent rows.
pub const AGENTS: &str = "agent";
/// A session that lives so long, in milliseconds, has taken up its conversation.
const TAKEN_UP_MS: i64 = 30_000;

/// Where an agent stands, as the town last wrote it. What it does right now is evidence, read when needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// Its worktree and session are being made.
    Spawning,
    /// It has a session and work on its hook.
    Working,
    /// It has handed in its work and keeps its name and worktree until that lands.
    Done,
    /// It has nothing on its hook.
    Idle,
    /// Its program asks something that no message may answer: it waits for a person.
    Waiting,
    /// Its session has ended and its work has not.
    Dead,
    /// It was stopped on purpose; its work is kept.
    Stopped,
    /// Its work has landed or was given back, and it is being taken down.
    Retiring,
}

impl AgentState {
    /// The word on screens and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spawning => "spawning",
            Self::Working => "working",
            Self::Done => "done",
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
            Self::Retiring => "retiring",
        }
    }
}

impl std::fmt::Display for AgentState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// What runs an agent's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// The town's own tmux server.
    Tmux,
    /// A small process of ours for each session.
    Headless,
}

impl HostKind {
    /// The word on screens and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tmux => "tmux",
            Self::Headless => "headless",
        }
    }
}

/// What became of the first prompt that was typed to a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The process that it was typed to.
    pub to: ProcId,
    /// Why nobody may count on it that the program has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRow {
    /// Who it is.
    pub address: Address,
    /// Where it stands.
    pub state: AgentState,
    /// The runtime of its session.
    pub runtime: String,
    /// What runs its session.
    pub host: HostKind,
    /// The name of its session at that host.
    pub session: String,
    /// The id of its conversation, for runtimes that can take one up again; none when it could not be taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// The process of its session, once started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proc: Option<ProcId>,
    /// Its worktree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<std::path::PathBuf>,
    /// Its branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit its branch began at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// The bead it was made for; its hook says whether it still holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bead: Option<BeadId>,
    /// When its present session was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Its present session took up the conversation instead of beginning it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// When it last closed a step, committed or handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_progress_at: Option<Time>,
    /// How often its session was started again for the present bead.
    #[serde(default)]
    pub restarts: u32,
    /// Why what is to be done to its session has not been done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// The dialog that it waits at for a person, while its state is [`AgentState::Waiting`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog: Option<String>,
    /// The last line on its screen when its session last ended by itself, while its state is [`AgentState::Dead`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<String>,
    /// What became of its first prompt, where that is typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// When it was made.
    pub created_at: Time,
}

impl AgentRow {
    /// Its state in words: one that should run and does not says so.
    pub fn state_word(&self) -> &'static str {
        match self.state {
            AgentState::Working | AgentState::Waiting if !self.proc.as_ref().is_some_and(ProcId::alive) => "no session",
            state => state.word(),
        }
    }

    /// Whether somebody works, or is about to.
    pub fn at_work(&self) -> bool {
        let runs = self.proc.as_ref().is_some_and(ProcId::alive);
        self.state == AgentState::Spawning || (runs && matches!(self.state, AgentState::Working | AgentState::Waiting))
    }

    /// An agent that is made at `now`, whose session has not been started yet.
    pub fn new(address: Address, runtime: &str, host: HostKind, now: Time) -> Self {
        Self {
            state: AgentState::Spawning,
            runtime: runtime.to_owned(),
            host,
            session: hosts::session_name(&address),
            conversation: Some(hosts::conversation(&address, now)),
            proc: None,
            worktree: None,
            branch: None,
            base_commit: None,
            bead: None,
            started_at: None,
            resumed: false,
            last_progress_at: None,
            restarts: 0,
            waits: None,
            dialog: None,
            last_line: None,
            told: None,
            created_at: now,
            address,
        }
    }

    /// The rig it belongs to.
    pub fn rig(&self) -> Option<&RigName> {
        self.address.rig()
    }

    /// Its name within the rig.
    pub fn name(&self) -> &str {
        self.address.short()
    }

    /// Its session has ended at `now` with this code (128 + signal when it was killed), if one is known. A program that
    /// fails as soon as it has taken up a conversation has none: it had not written it down, or has lost it.
    pub fn has_ended(&mut self, now: Time, code: Option<i32>) {
        self.state = AgentState::Dead;
        if self.is_new(now) && code.is_some_and(|code| (1..128).contains(&code)) {
            self.conversation = None;
        }
    }

    /// What is known of the end of one whose session ended by itself, and how to see more.
    pub fn ended(&self) -> Option<String> {
        let see = format!("gt peek {}", self.name());
        (self.state == AgentState::Dead).then(|| match &self.last_line {
            Some(line) => format!("ended by itself, last on its screen: {line} ({see})"),
            None => format!("ended by itself ({see})"),
        })
    }

    /// Whether its session has only just taken up its conversation, so that its end would say that there was none.
    pub fn is_new(&self, now: Time) -> bool {
        let lived = self.started_at.map(|since| now.millis() - since.millis());
        self.resumed && lived.is_some_and(|ms| ms < TAKEN_UP_MS)
    }

    /// Notes at which dialog it waits, if at any; true when that is news. Of one that neither works nor waits it says
    /// nothing.
    pub fn waits_at(&mut self, dialog: Option<&str>) -> bool {
        let state = if dialog.is_some() { AgentState::Waiting } else { AgentState::Working };
        let attends = matches!(self.state, AgentState::Working | AgentState::Waiting);
        if !attends || (self.state, self.dialog.as_deref()) == (state, dialog) {
            return false;
        }
        (self.state, self.dialog) = (state, dialog.map(str::to_owned));
        true
    }

    /// What a person has to do since a worker may not have been told to begin, until it gets on with its work. To the
    /// Mayor a person talks anyway.
    pub fn untold(&self) -> Option<String> {
        let told = self.told.as_ref().filter(|told| self.proc.as_ref() == Some(&told.to))?;
        let why = told.lost.as_ref()?;
        let waits = matches!(self.state, AgentState::Working | AgentState::Waiting);
        let untold = waits && self.last_progress_at <= self.started_at;
        untold.then(|| format!("may not have been told to begin ({why}): gt polecat attach {}", self.name()))
    }

    /// Whether its session should be running.
    pub fn wants_session(&self) -> bool {
        matches!(self.state, AgentState::Spawning | AgentState::Working | AgentState::Waiting)
    }

    /// Whether it takes one of the places of its rig. One whose session has died comes back to its own.
    pub fn has_place(&self) -> bool {
        self.wants_session() || self.state == AgentState::Dead
    }
}

/// The row of one agent.
pub fn get(r: &Read<'_>, agent: &Address) -> Result<Option<AgentRow>, StoreError> {
    r.local_text(AGENTS, &agent.to_string())?.map(|text| parse(&agent.to_string(), &text)).transpose()
}

/// The row of one agent, or an error that says that there is none.
pub fn need(r: &Read<'_>, agent: &Address) -> Result<AgentRow, TownError> {
    get(r, agent)?.ok_or_else(|| {
        TownError::not_found(format!("no agent {agent} in this town")).hint("see who is there: gt agents --all")
    })
}

/// The row of one agent; none also when it cannot be read, which [`super::unreadable`] tells of.
pub fn readable(r: &Read<'_>, agent: &Address) -> Result<Option<AgentRow>, StoreError> {
    match get(r, agent) {
        Err(StoreError::Invalid { .. }) => Ok(None),
        other => other,
    }
}

/// The rows of all agents, by address. One that cannot be read stops nobody else: it is left out here and told by
/// [`super::unreadable`].
pub fn all(r: &Read<'_>) -> Result<Vec<AgentRow>, StoreError> {
    let (mut rows, _) = unreadable::sift::<AgentRow>(r, AGENTS)?;
    rows.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(rows)
}

/// The rows of the agents of one rig, by address.
pub fn of_rig(r: &Read<'_>, rig: &RigName) -> Result<Vec<AgentRow>, StoreError> {
    Ok(all(r)?.into_iter().filter(|row| row.rig() == Some(rig)).collect())
}

/// Writes a row.
pub fn put(w: &mut Write<'_>, row: &AgentRow) -> Result<(), StoreError> {
    let value = serde_json::to_value(row).expect("plain data serialises");
    w.put_local(AGENTS, &row.address.to_string(), &value)
}

/// Takes a row away; its name is free then.
pub fn remove(w: &mut Write<'_>, agent: &Address) -> Result<(), StoreError> {
    w.delete_local(AGENTS, &agent.to_string()).map(|_| ())
}

/// Says that the agent got on with its work.
pub fn progressed(w: &mut Write<'_>, agent: &Address, now: Time) -> Result<(), StoreError> {
    if let Some(mut row) = get(w, agent)? {
        row.last_progress_at = Some(now);
        put(w, &row)?;
    }
    Ok(())
}

fn parse(key: &str, text: &str) -> Result<AgentRow, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Invalid { field: "agent", reason: format!("{key}: {e}") })
}
