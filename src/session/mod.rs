//! Sessions: where agents run, on a terminal of their own, whatever happens to the rest of the town.
//!
//! A [`Host`] starts programs by name and answers for them: [`TmuxHost`] on a tmux server that belongs to the
//! town alone, [`HeadlessHost`] under one small `gt session-host` process per agent. Both outlive the command
//! and the daemon that started them; both promise that a stopped session has no process left, because every
//! process of a session carries a mark in its environment (see [`MARK_VAR`]).
//!
//! A [`Runtime`] is data: how an agent's program is started and resumed, and what its screen means.
//! Nothing else in the crate runs agents.

pub mod headless;
pub mod tmux;

mod delivery;
mod error;
mod host;
mod lock;
mod mark;
mod name;
mod runtime;
mod screen;
mod script;
mod signs;
mod socket;
mod stage;

pub use delivery::{Delivery, ready_for_words};
pub use error::SessionError;
pub use headless::{HeadlessHost, written};
pub use host::{Host, Listed, Probe, SessionSpec, Started};
pub use mark::{MARK_VAR, living, mark_prefix};
pub use name::SessionName;
pub use runtime::{Launch, PromptChannel, Runtime, RuntimeError, RuntimeSettings, Runtimes};
pub use script::{SCRIPT_WORKER, write_script_worker};
pub use signs::{DialogSign, Screen, Signs};
pub use stage::exec_stage;
pub use tmux::TmuxHost;
