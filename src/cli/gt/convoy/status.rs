//! `gt convoy status [CONVOY]`.

use crate::base::text::headline;
use crate::cli::CliError;
use crate::cli::gt::{Context, place};
use crate::store::Read;
use crate::town::TownError;
use crate::town::convoy::{self, ConvoyStatus, Tracked};

/// Shows a convoy and where each of its beads is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its id, its title, or its number in `gt convoy list`; the newest when left out.
    convoy: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let now = here.acting().now();
    let status = store.read(|r| find(r, args.convoy.as_deref(), now))?;
    cx.out.print(&status, text);
    Ok(())
}

fn find(r: &Read<'_>, wanted: Option<&str>, now: crate::base::Time) -> Result<ConvoyStatus, TownError> {
    let number = match wanted {
        None => Some(1),
        Some(text) => text.parse::<usize>().ok(),
    };
    let Some(number) = number else {
        return convoy::status(r, &place::convoy(r, wanted.unwrap_or_default())?, now);
    };
    let mut open = convoy::list(r, wanted.is_none(), now)?;
    if number == 0 || number > open.len() {
        let (none, hint) = match (open.len(), convoy::list(r, true, now)?.len()) {
            (_, 0) => ("there is no convoy yet".into(), "make one: gt convoy create TITLE BEAD, or sling a bead"),
            (0, _) => ("no convoy is open".into(), "see those that have landed: gt convoy list --all"),
            _ => (format!("no open convoy has the number {number}"), "see them: gt convoy list"),
        };
        return Err(TownError::not_found(none).hint(hint));
    }
    Ok(open.swap_remove(number - 1))
}

fn text(c: &ConvoyStatus) -> String {
    let state = c.closed_early().unwrap_or_else(|| {
        let word = if c.has_landed() { "landed" } else { c.status.as_str() };
        format!("{word}, {} of {}", c.completed, c.total)
    });
    let mut lines = vec![format!("{} \"{}\"  {state}", c.id, c.title)];
    lines.extend(c.tracked.iter().map(line));
    lines.join("\n")
}

fn line(t: &Tracked) -> String {
    let mark = match t.status.as_str() {
        "closed" => "✓",
        _ if t.quarantined.is_some() => "✗",
        "in_progress" | "hooked" if t.worker.is_none() || t.worked_on => "▶",
        _ => "○",
    };
    let mut about = String::new();
    if let Some(worker) = t.worker.as_ref().filter(|_| t.worked_on) {
        about = format!("@{} {}", worker.short(), age(t.worker_age.unwrap_or(0)));
    } else if let Some(why) = &t.quarantined {
        about = format!("in quarantine: {why}");
    } else if let Some(worker) = &t.worker {
        // Who works is only named; whoever does not is said to.
        let state = t.worker_state.unwrap_or("cannot be read");
        about = format!("@{} {state}, {}", worker.short(), age(t.worker_age.unwrap_or(0)));
    } else if let Some((mr, state)) = t.merge_request.as_ref().filter(|_| !t.status.is_over()) {
        about = format!("{mr} {state}");
    } else if let Some(held) = t.held.as_ref().filter(|_| !t.status.is_over()) {
        about = format!("held: {held}");
    } else if !t.waits_for.is_empty() {
        let ids: Vec<&str> = t.waits_for.iter().map(crate::base::BeadId::as_str).collect();
        about = format!("waits for {}", ids.join(", "));
    }
    format!("  {mark} {:<10} {:<44} {about}", t.id, headline(&t.title, 44)).trim_end().to_owned()
}

fn age(seconds: i64) -> String {
    crate::base::span::Span::seconds(seconds).to_string()
}
