//! `gt agents`: who is there.

use serde::Serialize;

use super::Context;
use crate::base::{Address, BeadId, span::Span};
use crate::cli::CliError;
use crate::store::Read;
use crate::town::{AgentRow, AgentState, TownError, agent, hook};

/// Lists the agents of the town that are at work; with --all also those that rest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also agents without work.
    #[arg(short, long)]
    all: bool,
}

/// One agent.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    address: Address,
    state: AgentState,
    running: bool,
    runtime: String,
    host: &'static str,
    session: String,
    bead: Option<BeadId>,
    title: Option<String>,
    step: Option<String>,
    progress: Option<String>,
    started_at: Option<crate::base::Time>,
    last_progress_at: Option<crate::base::Time>,
    pid: Option<u32>,
    worktree: Option<std::path::PathBuf>,
    branch: Option<String>,
    restarts: u32,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let all = args.all;
    list(cx, None, move |a| all || !matches!(a, Address::Role(..)))
}

/// Prints the agents that `wanted` picks, of one rig when it is named.
pub(super) fn list(cx: &Context, rig: Option<&str>, wanted: impl Fn(&Address) -> bool) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let name = rig.map(crate::base::RigName::new).transpose()?;
    if let Some(name) = &name {
        here.town.rig(name, &crate::config::Overrides::default())?;
    }
    let lines: Vec<Line> = store.read(|r| {
        let rows = agent::all(r)?;
        let rows =
            rows.into_iter().filter(|row| wanted(&row.address) && (name.is_none() || row.rig() == name.as_ref()));
        rows.map(|row| line(r, row)).collect::<Result<_, TownError>>()
    })?;
    if lines.is_empty() {
        cx.out.note("nobody is here; give work: gt sling BEAD RIG");
    }
    let now = cx.env.now();
    cx.out.print(&lines, |lines| lines.iter().map(|l| text(l, now)).collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// What is known of an agent, from the store and its process.
pub(super) fn line(r: &Read<'_>, row: AgentRow) -> Result<Line, TownError> {
    let view = hook::view(r, &row.address)?;
    let held = view.bead.as_ref().map(|b| (b.id.clone(), b.title.clone()));
    let bead = match (held, &row.bead) {
        (Some(held), _) => Some(held),
        (None, Some(id)) => r.bead(id)?.map(|b| (b.id, b.title)),
        (None, None) => None,
    };
    let (bead, title) = bead.unzip();
    Ok(Line {
        running: row.proc.as_ref().is_some_and(crate::base::process::ProcId::alive),
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
    })
}

/// One line for people.
pub(super) fn text(l: &Line, now: crate::base::Time) -> String {
    let state = match (l.state, l.running) {
        (AgentState::Working, false) => "no session".to_owned(),
        (state, _) => state.to_string(),
    };
    let work = match (&l.bead, &l.title) {
        (Some(id), Some(title)) => format!("{id} {}", crate::base::text::headline(title, 40)),
        _ => String::new(),
    };
    let step = match (&l.step, &l.progress) {
        (Some(step), Some(progress)) => format!("{step} {progress}"),
        _ => String::new(),
    };
    let idle = l.last_progress_at.map(|at| Span::millis((now.millis() - at.millis()).max(0) / 1000 * 1000));
    let idle = idle.map(|span| format!("{span} ago")).unwrap_or_default();
    format!("{:<28} {state:<10} {work:<48} {step:<16} {idle}", l.address).trim_end().to_owned()
}
