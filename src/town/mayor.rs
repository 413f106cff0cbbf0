//! The Mayor: one model session per town, started when a person wants to talk to it and not before.

use std::time::Duration;

use super::agent::{self, AgentRow, AgentState, Told};
use super::around::Acting;
use super::error::TownError;
use super::{finish, hosts};
use crate::base::Address;
use crate::store::Store;

/// Starts the Mayor's session if there is none. Gives its row.
pub fn ensure(cx: &Acting<'_>, store: &mut Store) -> Result<AgentRow, TownError> {
    let config = cx.town.config()?;
    if !config.mayor() {
        return Err(TownError::refused("the Mayor is switched off")
            .hint(format!("set `mayor = true` under [components] in {}", cx.town.config_path().display())));
    }
    let me = Address::Mayor;
    let _lock = finish::lock(cx, &me)?;
    if let Some(row) = store.read(|r| agent::get(r, &me))?
        && hosts::open(cx, row.host)?.probe(&row.session)?.alive
    {
        return Ok(row);
    }
    let runtime = hosts::require_runtime(cx, config.runtime())?;
    let now = cx.now();
    let host = hosts::choose(cx, config.host())?;
    let mut row = AgentRow {
        state: AgentState::Idle,
        started_at: Some(now),
        ..AgentRow::new(me.clone(), config.runtime(), host, now)
    };
    // Whoever is cut off while it types leaves the row of a Mayor that runs: nobody types to it again.
    let note = |told: &Told| {
        let begun = AgentRow { proc: Some(told.to.clone()), told: Some(told.clone()), ..row.clone() };
        Ok(store.write(&cx.stamp(), |w| agent::put(w, &begun))?)
    };
    let (begun, told) = hosts::begin(cx, &*hosts::open(cx, row.host)?, &row, &runtime, note)?;
    (row.proc, row.told) = (Some(begun.proc), told);
    store.write(&cx.stamp(), |w| {
        agent::put(w, &row)?;
        let started = serde_json::json!({ "cause": "attach", "session": row.session, "runtime": row.runtime });
        w.emit("agent_started", &me.to_string(), started)?;
        Ok::<_, TownError>(())
    })?;
    Ok(row)
}

/// Ends the Mayor's session, if there is one.
pub fn stop(cx: &Acting<'_>, store: &mut Store) -> Result<(), TownError> {
    let me = Address::Mayor;
    let _lock = finish::lock(cx, &me)?;
    let Some(mut row) = store.read(|r| agent::get(r, &me))? else { return Ok(()) };
    hosts::open(cx, row.host)?.stop(&row.session, Duration::from_secs(3))?;
    row.proc = None;
    row.state = AgentState::Stopped;
    Ok(store.write(&cx.stamp(), |w| agent::put(w, &row))?)
}
