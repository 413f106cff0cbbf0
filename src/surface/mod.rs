//! Read models for people: what a screen shows, made from one snapshot of the store and a look at processes.
//!
//! Reads only: no program, no network, no policy is run for them.

pub mod agents;
pub mod status;
