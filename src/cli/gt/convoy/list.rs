//! `gt convoy list`.

use crate::cli::CliError;
use crate::cli::gt::Context;
use crate::town::TownError;
use crate::town::convoy::{self, ConvoyStatus};

/// Lists convoys: open ones, newest first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also those that have landed.
    #[arg(long)]
    all: bool,
    /// Only those with this status.
    #[arg(long)]
    status: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (place, store) = cx.open()?;
    let now = place.acting().now();
    let all = args.all || args.status.is_some();
    let mut convoys = store.read(|r| convoy::list(r, all, now)).map_err(|e: TownError| e)?;
    if let Some(status) = &args.status {
        convoys.retain(|c| c.status == status.as_str());
    }
    if convoys.is_empty() {
        cx.out.note("no open convoy; gt sling makes one, or: gt convoy create TITLE BEAD…");
    }
    cx.out.print(&convoys, |convoys| {
        convoys.iter().enumerate().map(|(n, c)| line(n + 1, c)).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn line(number: usize, c: &ConvoyStatus) -> String {
    let mark = match (c.has_landed(), c.status.is_over()) {
        (true, _) => "✓",
        (false, true) => "✗",
        (false, false) => " ",
    };
    let busy = c.tracked.iter().filter(|t| t.worked_on).count();
    let state = match (c.closed_early(), c.status.is_over(), c.active) {
        (Some(early), ..) => early,
        (None, true, _) => "landed".to_owned(),
        (None, false, false) => "not begun".to_owned(),
        (None, false, true) => crate::base::text::count(busy, "worker"),
    };
    format!("{number:>2}. {mark} {:<14} {:>2}/{:<2} {state:<10} {}", c.id, c.completed, c.total, c.title)
}
