//! Gas Town: runs many coding agents over many git repositories without losing work.
//!
//! `ARCHITECTURE.md` is the map. Modules depend downwards only; a test holds the order.

pub mod base;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod formula;
pub mod git;
pub mod ledger;
pub mod molecule;
pub mod policy;
pub mod queue;
pub mod session;
pub mod store;
pub mod surface;
pub mod town;
