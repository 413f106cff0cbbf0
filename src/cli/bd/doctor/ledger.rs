//! The ledger can be read, and says what the database says.

use super::{Finding, Mend};
use crate::base::text;
use crate::cli::CliError;
use crate::cli::bd::Context;
use crate::ledger::{self, Compared};

/// Beyond so many transitions that wait, recording them takes longer than whoever looks wants to wait; who may change
/// nothing records none.
const MANY: usize = 2_000;

pub(super) fn look(cx: &Context) -> Result<Vec<Finding>, CliError> {
    let (waiting, _) = cx.read(|r| Ok(r.outbox_backlog()?))?;
    if waiting > MANY || (cx.readonly && waiting > 0) {
        return Ok(vec![Finding {
            check: "ledger",
            grave: false,
            what: format!("{waiting} transitions are still to be recorded; compared with the database once they are"),
            next: "`bd doctor --fix` records them now, then look again".to_owned(),
            mend: Some(Box::new(record_or_begin_anew)),
        }]);
    }
    let (drained, found) = cx.with_store(|store| {
        let drained = ledger::drain(store, None);
        Ok((drained, ledger::compare(store)?))
    })?;
    let mut findings = Vec::new();
    let mut add = |grave, what: String, next: &str, mend: Option<Mend>| {
        findings.push(Finding { check: "ledger", grave, what, next: next.to_owned(), mend });
    };
    let fix = "`bd doctor --fix` brings them together";
    if let Some(why) = &found.broken {
        add(
            true,
            format!("it cannot be read ({why})"),
            "`bd doctor --fix` begins it anew from the database and keeps this one aside",
            Some(Box::new(begin_anew)),
        );
        return Ok(findings);
    }
    if let Err(error) = drained {
        // Then it is behind, and bringing it up is what cannot be done.
        findings.extend(super::blind("ledger", error.into())?);
        return Ok(findings);
    }
    if !found.odd.is_empty() {
        add(
            false,
            format!("files that are no beads: {}", text::some(&found.odd)),
            "they do no harm; `git -C .beads/ledger.git log` says whose they are",
            None,
        );
    }
    if !found.behind.is_empty() {
        let what = format!(
            "it is behind the database in {}: {}",
            text::count(found.behind.len(), "bead"),
            text::some(&found.behind)
        );
        let part = Compared { behind: found.behind, ..Compared::default() };
        add(true, what, fix, Some(Box::new(move |cx| reconcile(cx, &part))));
    }
    if !found.ahead.is_empty() {
        let ids: Vec<_> = found.ahead.iter().map(|(id, _)| id).collect();
        let what = format!("it is ahead of the database in {}: {}", text::count(ids.len(), "bead"), text::some(&ids));
        let part = Compared { ahead: found.ahead, ..Compared::default() };
        add(true, what, fix, Some(Box::new(move |cx| reconcile(cx, &part))));
    }
    Ok(findings)
}

fn reconcile(cx: &Context, found: &Compared) -> Result<String, CliError> {
    let stamp = cx.stamp();
    cx.with_store(|store| Ok(ledger::reconcile(store, found, &stamp)?))?;
    Ok("both have all that either had".to_owned())
}

/// Records what waits; into a new ledger, where this one cannot be read.
fn record_or_begin_anew(cx: &Context) -> Result<String, CliError> {
    super::outbox::record(cx).or_else(|error| {
        let found = cx.with_store(|store| Ok(ledger::compare(store)?))?;
        if found.broken.is_some() { begin_anew(cx) } else { Err(error) }
    })
}

fn begin_anew(cx: &Context) -> Result<String, CliError> {
    let stamp = cx.stamp();
    let aside = cx.with_store(|store| Ok(ledger::begin_anew(store, &stamp)?))?;
    Ok(format!("begun anew from the database; the old one is {}", aside.display()))
}
