//! Hooks: which agent holds which bead. Local to this store.

use serde::Serialize;

use crate::base::{Address, BeadId, Time};

/// An agent's hold on a bead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Who holds it.
    pub agent: Address,
    /// What is held.
    pub bead: BeadId,
    /// The molecule that is worked through for it.
    pub molecule: Option<BeadId>,
    /// The fencing token: grows with every hook of this store; a holder with an older one is stale.
    pub epoch: i64,
    /// Since when.
    pub since: Time,
}
