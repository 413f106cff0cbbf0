//! Wisps go by themselves: closed ones after a day, open ones to which nothing happened for a week are closed first.
//!
//! The settings `wisp.keep` and `wisp.abandon` say other times, or `never`.

use super::MoleculeError;
use crate::base::Time;
use crate::base::span::Span;
use crate::store::{Read, Stamp, Store, StoreError, Sweep};

/// How long a closed wisp stays, and after how long an open one to which nothing happens counts as abandoned.
pub const SETTINGS: [(&str, Span); 2] =
    [("wisp.keep", Span::seconds(24 * 3600)), ("wisp.abandon", Span::seconds(7 * 24 * 3600))];

/// Between two sweeps, unless the last one left something.
const PAUSE_MS: i64 = 60_000;
/// So many wisps are looked at in one sweep: a few milliseconds.
const AT_ONCE: usize = 32;
/// When wisps are there and none is old: look again after this.
const LATER_MS: i64 = 600_000;

const TABLE: &str = "wisps";
const AT: &str = "swept";

/// Sweeps once if it is time to; says when it will be time again, or nothing when there is no wisp.
///
/// Nothing is written while no wisp is old.
pub fn sweep(store: &mut Store, now: Time) -> Result<Option<Time>, MoleculeError> {
    let (due, keep, abandon, any) = store.read::<_, StoreError>(|r| {
        let last = r.local(TABLE, AT)?.and_then(|at| at.as_i64());
        // A clock that ran back does not put sweeping off for long.
        let due = last.is_none_or(|last| now.millis() >= last + PAUSE_MS || now.millis() < last);
        let [keep, abandon] = SETTINGS;
        Ok((due, time(r, keep)?, time(r, abandon)?, r.oldest_wisp()?))
    })?;
    let (Some(oldest), Some(keep)) = (any, keep) else { return Ok(None) };
    let before = |span: Span| now.plus_millis(-span.as_millis());
    if oldest >= before(keep) {
        return Ok(Some(now.plus_millis(LATER_MS)));
    }
    if !due {
        return Ok(Some(now.plus_millis(PAUSE_MS)));
    }
    let swept = store.write::<_, StoreError>(&Stamp::new("sweep", now), |w| {
        let order = Sweep { over_before: before(keep), idle_before: abandon.map(before), limit: AT_ONCE };
        let swept = w.sweep_wisps(&order)?;
        // Where nothing went, those that stay are looked through at leisure.
        let at = if swept.more && swept.erased > 0 { 0 } else { now.millis() };
        w.put_local(TABLE, AT, &at.into())?;
        Ok(swept)
    })?;
    Ok(Some(now.plus_millis(match (swept.more, swept.erased) {
        (true, 1..) => 0,
        (true, 0) => PAUSE_MS,
        (false, _) => LATER_MS,
    })))
}

/// A setting, or what holds without it; none for `never`.
fn time(r: &Read<'_>, (key, default): (&str, Span)) -> Result<Option<Span>, StoreError> {
    Ok(match r.setting(key)? {
        None => Some(default),
        Some(text) if text == "never" => None,
        Some(text) => Some(text.parse().unwrap_or(default)),
    })
}
