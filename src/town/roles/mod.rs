//! Roles at work: what the town knows becomes facts, what policies decide becomes deeds.
//!
//! [`snapshot()`] reads one transaction and the evidence of sessions and gives the facts of a pass;
//! [`execute()`] checks each decision again against the store as it is now, carries out its ledger actions,
//! the ladder's place, the cursor and the journal's row in one transaction, and hands back what remains to
//! be done to sessions. A policy can be wrong; it cannot lose work, storm or escape.

pub mod desk;
pub mod events;
pub mod evidence;
pub mod execute;
mod good;
pub mod keep;
pub mod ladders;
pub mod load;
pub mod patrols;
pub mod reads;
pub mod scope;
pub mod snapshot;
mod trial;

pub use desk::Desk;
pub use evidence::Seen;
pub use execute::{After, Effect, Outcome, execute, execute_cycle};
pub use ladders::StoredLadders;
pub use load::{Roles, Warning, functions, lua_patrols};
pub use reads::TownReads;
pub use scope::Scope;
pub use snapshot::{Made, snapshot};
