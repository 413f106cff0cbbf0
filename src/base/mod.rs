//! Ids, addresses, clock, paths, atomic files, locks, child processes, text and platform differences.
//!
//! The bottom of the crate: imports nothing of it, knows nothing of beads or towns.

pub mod address;
pub mod atomic;
pub mod clock;
pub mod disk;
pub mod fault;
pub mod id;
pub mod lock;
pub mod path;
pub mod platform;
pub mod process;
pub mod span;
#[cfg(test)]
pub(crate) mod tests;
pub mod text;

pub use address::Address;
pub use clock::{Clock, FixedClock, SystemClock, Time, earliest};
pub use id::{BeadId, NameError, Prefix, RigName, RoleName, WorkerName};
