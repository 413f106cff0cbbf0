//! `bd info`: what the tracker holds.

use super::Context;
use crate::cli::CliError;
use crate::store::{Filter, Status};

/// Describes the tracker.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub(super) fn run(cx: &Context, _: Args) -> Result<(), CliError> {
    let place = cx.place().clone();
    let replica = cx.with_store(|store| Ok(store.replica()?))?;
    cx.read(|r| {
        let count = |filter: Filter| r.count(&filter);
        let total = count(Filter::default())?;
        let open = count(Filter { not_statuses: vec![Status::CLOSED], ..Filter::default() })?;
        let wisps = count(Filter { ephemeral: Some(true), ..Filter::default() })?;
        let (backlog, since) = r.outbox_backlog()?;
        let value = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"), "beads_dir": place.beads_dir, "database": place.beads_dir.join("beads.db"),
            "town": place.town, "prefix": r.prefix()?, "replica": replica, "total": total, "open": open, "wisps": wisps,
            "ledger_backlog": backlog, "ledger_backlog_since": since,
        });
        cx.out.print(&value, |v| {
            format!(
                "{}\n  prefix {}, copy {replica}\n  {total} beads, {open} of them open, {wisps} wisps\n  {backlog} transitions wait for the ledger",
                place.beads_dir.display(),
                v["prefix"].as_str().unwrap_or_default(),
            )
        });
        Ok(())
    })
}
