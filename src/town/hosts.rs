//! Which runtime and which session host an agent gets, and what its session is started with.

use super::agent::{AgentRow, HostKind};
use super::around::Acting;
use super::error::TownError;
use crate::base::Address;
use crate::config::HostChoice;
use crate::session::{Host, SessionSpec};

/// The name of an agent's session at its host: `app-toast`, `mayor`.
pub fn session_name(agent: &Address) -> String {
    match agent {
        Address::Crew(rig, name) => format!("{rig}-crew-{name}"),
        other => match other.rig() {
            Some(rig) => format!("{rig}-{}", other.short()),
            None => other.short().to_owned(),
        },
    }
}
pub fn require_runtime(_cx: &Acting<'_>, _name: &str) -> Result<(), TownError> { todo!() }
pub fn choose(_cx: &Acting<'_>, _c: HostChoice) -> Result<HostKind, TownError> { todo!() }
pub fn open(_cx: &Acting<'_>, _k: HostKind) -> Result<Box<dyn Host>, TownError> { todo!() }
pub fn spec(_cx: &Acting<'_>, _row: &AgentRow, _resume: bool) -> Result<SessionSpec, TownError> { todo!() }
