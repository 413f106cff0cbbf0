//! The daemon: hears what happens in a town and lets its policies act.
//!
//! Components turn what they hear (datagrams, requests, signals, edited policies, ended processes) into
//! wakes on one bus; one dispatcher reads them in order and is the only one that acts. An idle daemon
//! sleeps: nothing polls.

pub mod bus;
pub mod client;
pub mod components;
pub mod lock;
pub mod supervise;
