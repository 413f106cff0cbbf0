//! The store: one `SQLite` file that holds all work state, and the only SQL of the crate.
//!
//! A store is a folder (`.beads/`) with `beads.db` in WAL mode and `write.lock`. [`Store::read`] gives a
//! [`Read`]: one snapshot, every answer from the same moment. [`Store::write`] queues on the lock, opens one
//! immediate transaction and gives a [`Write`], which can also read what it has just written; it is on disk
//! when `write` returns `Ok`, and nothing of it is there when it returns `Err`.
//!
//! What is stored beside the beads so that questions cost nothing later:
//! - `deps.active`: whether this edge holds its bead back now; `beads.blockers` counts the active edges;
//! - `beads.children` and `beads.open_children`, counted as children come, close and go;
//! - `beads.ready`: 1 when the bead can be taken up, 2 when only its deferral is in the way;
//! - a stamp (clock and replica) per field, label, edge and comment, for merging without a base;
//! - `outbox`: the ledger file of each changed bead, written in the transaction that changed it.
//!
//! The store speaks of beads, not of rows, prints nothing, and takes the time from its caller.

mod bead;
mod bulk;
mod close;
mod decision;
mod dep;
mod doc;
mod error;
mod event;
mod file;
mod filing;
mod hook;
mod id;
pub mod interchange;
mod lock;
mod log;
mod new;
mod order;
mod outbox;
mod patch;
mod query;
mod read;
pub mod renew;
mod row;
mod schema;
mod shape;
mod stage;
mod stamp;
mod status;
mod write;

pub use bead::{Bead, Comment};
pub use bulk::{KINDS, LEAVING, Staging};
pub use close::{Close, Closed};
pub use decision::DecisionRow;
pub use dep::{Dep, DepKind, NewDep};
pub use doc::LedgerDoc;
pub use error::StoreError;
pub use event::Event;
pub use file::{FILE as DATABASE, Store};
pub use filing::{Filed, Filing};
pub use hook::Hook;
pub use lock::Quiet;
pub use new::NewBead;
pub use outbox::OutboxRow;
pub use patch::Patch;
pub use query::{Blocked, EpicCount, Filter, Group, ReadyQuery, ReadySort, Recent, Sort, Tally};
pub use read::Read;
pub use read::gates::opens_at;
pub use shape::{Hold, Shape};
pub use stage::Batch;
pub use stamp::{Stamp, is_beyond, stamp_after};
pub use status::{IssueType, Status};
pub use write::leave::Crossing;
pub use write::sweep::{Sweep, Swept};
pub use write::{SKIPPED, Write};

/// A JSON object, keys in the order they were read.
pub type Map = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::temporary;
