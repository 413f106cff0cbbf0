//! `gt peek AGENT`: the end of its screen. `gt peek BEAD`: that of whoever works on it, or worked on it last.

use super::{Context, place};
use crate::base::BeadId;
use crate::cli::CliError;
use crate::store::Store;
use crate::town::{Acting, AgentRow, Town, TownError, agent, hosts, last_words};

/// Shows the end of an agent's screen; of a worker that is gone, what was on it last.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The agent: an address, or a worker's name. Or a bead, for whoever works on it or did so last.
    agent: String,
    /// How many lines.
    #[arg(default_value_t = 100)]
    lines: usize,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let found = store.read(|r| agent::need(r, &place::agent(r, &args.agent)?));
    let row = match found {
        Ok(row) => row,
        Err(error) => {
            // Nobody of that name; a bead, then, whose worker is gone.
            let Ok(bead) = store.read(|r| r.resolve(&args.agent)) else {
                return Err(CliError::from(error).hint("the last screen of a worker that is gone: gt peek BEAD"));
            };
            return last(cx, &here.town, &store, args, &bead);
        }
    };
    show(cx, &here.acting(), &row, args.lines)
}

fn show(cx: &Context, acting: &Acting<'_>, row: &AgentRow, lines: usize) -> Result<(), CliError> {
    let host = hosts::open(acting, row.host)?;
    let screen = host.screen(&row.session, lines).map_err(TownError::from)?;
    let alive = host.probe(&row.session).map_err(TownError::from)?.alive;
    if !alive
        && screen.trim().is_empty()
        && let Some(bead) = &row.bead
        && last_words::path(acting.town, bead).is_file()
    {
        let who = format!("{} has no running session", row.address);
        return kept(cx, acting.town, bead, &who, lines);
    }
    if !alive {
        cx.out.note(&format!("{} has no running session; this is what was last on its screen", row.address));
    }
    let value = serde_json::json!({ "agent": row.address, "alive": alive, "screen": screen });
    cx.out.print(&value, |_| crate::base::text::printable(&screen));
    Ok(())
}

/// The screen of whoever works on a bead; once they are gone, their last one.
fn last(cx: &Context, town: &Town, store: &Store, args: &Args, bead: &BeadId) -> Result<(), CliError> {
    let at_work =
        store.read(agent::all).map_err(TownError::from)?.into_iter().find(|row| row.bead.as_ref() == Some(bead));
    if let Some(row) = at_work {
        return show(cx, &cx.place()?.acting(), &row, args.lines);
    }
    kept(cx, town, bead, &format!("the worker of {bead} is gone"), args.lines)
}

/// What was kept of the last screen of a bead's worker.
fn kept(cx: &Context, town: &Town, bead: &BeadId, who: &str, lines: usize) -> Result<(), CliError> {
    let Some(screen) = last_words::read(town, bead) else {
        return Err(CliError::not_found(format!("nothing was kept of a worker of {bead}"))
            .hint(format!("what is known of it: gt why {bead}")));
    };
    let kept: Vec<&str> = screen.lines().collect();
    let screen = kept[kept.len().saturating_sub(lines)..].join("\n");
    cx.out.note(&format!(
        "{who}; this was last on its screen (all that is kept: {})",
        last_words::path(town, bead).display()
    ));
    let value = serde_json::json!({ "bead": bead, "alive": false, "screen": screen });
    cx.out.print(&value, |_| crate::base::text::printable(&screen));
    Ok(())
}
