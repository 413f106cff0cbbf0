//! The outbox: what the ledger has still to record.

use crate::base::{BeadId, Time};

/// One transition of one bead, ready to be committed to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place; acknowledge with [`super::Write::ack_outbox`].
    pub seq: i64,
    /// The bead.
    pub bead: BeadId,
    /// Who made the transition.
    pub actor: String,
    /// When.
    pub at: Time,
    /// One line: what happened.
    pub summary: String,
    /// The ledger file: canonical JSON with its stamps under `_v`.
    pub doc: String,
}
