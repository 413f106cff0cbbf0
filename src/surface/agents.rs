//! Agents as a screen shows them.

use std::path::PathBuf;

use serde::Serialize;

use crate::base::process::ProcId;
use crate::base::span::Span;
use crate::base::{Address, BeadId, Time, text};
use crate::store::Read;
use crate::town::{AgentRow, AgentState, TownError, hook};

/// One agent.
#[derive(Debug, Clone, Serialize)]
pub struct Agent {
    /// Who.
    pub address: Address,
    /// Where it stands, as the town last wrote it.
    pub state: AgentState,
    /// That in words, with what is seen of its process.
    #[serde(skip)]
    pub state_word: &'static str,
    /// Its session's process lives.
    pub running: bool,
    /// What it runs.
    pub runtime: String,
    /// Where it runs: `tmux` or `headless`.
    pub host: &'static str,
    /// The name of its session there.
    pub session: String,
    /// The bead on its hook, or the last one.
    pub bead: Option<BeadId>,
    /// That bead's title.
    pub title: Option<String>,
    /// The step it is at.
    pub step: Option<String>,
    /// Closed steps and all steps, as `2/4`.
    pub progress: Option<String>,
    /// When its session was started.
    pub started_at: Option<Time>,
    /// When it last closed a step, committed or handed in.
    pub last_progress_at: Option<Time>,
    /// Its session's process.
    pub pid: Option<u32>,
    /// Its worktree.
    pub worktree: Option<PathBuf>,
    /// Its branch.
    pub branch: Option<String>,
    /// How often its session was started again for this bead.
    pub restarts: u32,
    /// Why what is to be done to its session has not been done yet.
    pub waits: Option<String>,
    /// The dialog that it waits at for a person.
    pub dialog: Option<String>,
    /// What is known of the end of its session, if that ended by itself.
    pub ended: Option<String>,
    /// It may not have been told to begin: why, and what to do.
    pub untold: Option<String>,
}

/// What is known of an agent, from the store and its process.
pub fn describe(r: &Read<'_>, row: AgentRow) -> Result<Agent, TownError> {
    let view = hook::view(r, &row.address)?;
    let held = view.bead.map(|b| (b.id, b.title));
    let bead = match (held, &row.bead) {
        (Some(held), _) => Some(held),
        (None, Some(id)) => r.bead(id)?.map(|b| (b.id, b.title)),
        (None, None) => None,
    };
    let (bead, title) = bead.unzip();
    Ok(Agent {
        running: row.proc.as_ref().is_some_and(ProcId::alive),
        state_word: row.state_word(),
        untold: row.untold(),
        ended: row.ended(),
        pid: row.proc.as_ref().map(|p| p.pid),
        step: view.step.map(|s| s.name),
        progress: view.molecule.map(|m| format!("{}/{}", m.closed, m.total)),
        address: row.address,
        state: row.state,
        runtime: row.runtime,
        host: row.host.word(),
        session: row.session,
        bead,
        title,
        started_at: row.started_at,
        last_progress_at: row.last_progress_at,
        worktree: row.worktree,
        branch: row.branch,
        restarts: row.restarts,
        waits: row.waits,
        dialog: row.dialog.filter(|_| row.state == AgentState::Waiting),
    })
}

impl Agent {
    /// One line, beginning with `name`.
    pub fn line(&self, name: &str, now: Time) -> String {
        let work = match (&self.bead, &self.title) {
            (Some(id), Some(title)) => format!("{id} {}", text::headline(title, 40)),
            _ => String::new(),
        };
        let step = match (&self.step, &self.progress) {
            (Some(step), Some(progress)) => format!("{step} {progress}"),
            _ => String::new(),
        };
        let idle = self.last_progress_at.map(|at| (now.millis() - at.millis()).max(0) / 1000);
        let idle = idle.map(|s| format!("{} ago", Span::seconds(s))).unwrap_or_default();
        let line = format!("{name} {:<10} {work:<46} {step:<16} {idle}", self.state_word).trim_end().to_owned();
        let who = self.address.short();
        let at = |dialog| format!("waits for you at its dialog `{dialog}`: gt polecat attach {who}");
        let more = self
            .dialog
            .as_ref()
            .map(at)
            .into_iter()
            .chain(self.ended.clone())
            .chain(self.untold.clone())
            .chain(self.waits.clone());
        more.fold(line, |line, why| format!("{line}\n    {why}"))
    }
}
