//! Changes do not wait long for the ledger.

use super::Finding;
use crate::base::text;
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::ledger;

/// A drain that works has been there by then.
const OLD_MS: i64 = 300_000;

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let (waiting, oldest) = cx.read(|r| Ok(r.outbox_backlog()?))?;
    let Some(oldest) = oldest.filter(|at| cx.now().millis() - at.millis() > OLD_MS) else { return Ok(Vec::new()) };
    Ok(vec![Finding {
        check: "outbox",
        grave: false,
        what: format!("{} since {oldest} for the ledger", wait(waiting)),
        next: "`bd doctor --fix` drains them".to_owned(),
        mend: Some(Box::new(record)),
    }])
}

/// Records what waits.
pub(super) fn record(cx: &Context) -> Result<String, CliError> {
    let done = cx.with_store(|store| Ok(ledger::drain(store, None)?))?;
    Ok(format!("{} recorded", text::count(done.commits, "transition")))
}

fn wait(n: usize) -> String {
    if n == 1 { "1 transition waits".to_owned() } else { format!("{n} transitions wait") }
}
