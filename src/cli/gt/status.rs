//! `gt status`: the town at a glance.

use super::Context;
use crate::base::Time;
use crate::cli::CliError;
use crate::store::Store;
use crate::surface::status::{TownStatus, status};
use crate::town::{Town, TownError};

/// Shows the town: daemon, workers and their steps, queues, what is off and what is wrong.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show it again whenever it changes.
    #[arg(short, long)]
    watch: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    if args.watch && !cx.out.json {
        return watch(cx, &here.town, &store);
    }
    let seen = look(&here.town, &store, cx.env.now())?;
    cx.out.print(&seen, |seen| seen.text(cx.env.now()));
    Ok(())
}

fn look(town: &Town, store: &Store, now: Time) -> Result<TownStatus, TownError> {
    store.read(|r| status(town, r, now))
}

/// Prints the status whenever the store has changed; ages are brought up to date every few seconds.
fn watch(cx: &Context, town: &Town, store: &Store) -> Result<(), CliError> {
    let (mut last, mut shown): (Option<u64>, Option<Time>) = (None, None);
    loop {
        let version = store.data_version().map_err(TownError::from)?;
        let now = cx.env.now();
        if last != Some(version) || shown.is_none_or(|at| now.millis() - at.millis() > 5000) {
            let text = look(town, store, now)?.text(now);
            crate::cli::output::line(&format!("\x1b[H\x1b[2J{text}"));
            (last, shown) = (Some(version), Some(now));
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
}
