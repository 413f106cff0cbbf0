//! The daemon: hears what happens in a town and lets its policies act.
//!
//! Components turn what they hear (datagrams, requests, signals, edited policies, ended processes) into
//! wakes on one bus; one [`dispatch::Dispatcher`] reads them in order and is the only one that decides. Work
//! that takes long is done by [`hands`] and [`merges`], each from an intent on disk. An idle daemon sleeps:
//! nothing polls.

mod bell;
pub mod bus;
pub mod client;
pub mod components;
pub mod dispatch;
mod drain;
mod guard;
pub mod hands;
mod journal;
pub mod judge;
mod keep;
pub mod lock;
pub mod merges;
mod patrol;
mod reload;
mod round;
pub mod run;
pub mod supervise;

pub use run::{DaemonError, World, run};
