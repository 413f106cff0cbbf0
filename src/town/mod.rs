//! The domain: towns, rigs, agents, hooks, convoys, and the verbs that move work.
//!
//! A verb decides on one snapshot of the store, writes what it decided together with an [`intent`] in one
//! transaction, and only then acts on refs, folders and processes, in steps that may be repeated. [`finish`]
//! is the acting half; a crash leaves the intent, and the next command or the daemon finishes it.
//!
//! - making: [`install`], [`rig_add`], [`rig_remove`], [`detect`]
//! - places and people: [`Town`], [`Rig`], [`identity`], [`agent`], [`names`]
//! - work: [`sling`], [`poured`] molecules, [`hook`], [`prime`], [`step`], [`done`], [`rework`], [`convoy`]
//! - ends: [`land`], [`review`], [`standing`], [`retire`] (also stop, restart, requeue), [`budget`], [`tries`]
//! - the town itself: [`lifecycle`], [`hosts`]
//! - what went wrong: [`unreadable`] rows, [`lost_request`]s, workers whose bead was [`given_up`], [`trouble`], a clock that was [`set_back`]

pub mod agent;
mod around;
pub mod budget;
pub mod convoy;
pub mod detect;
pub mod done;
mod error;
mod finish;
pub mod formula_run;
pub mod given_up;
pub mod hook;
pub mod hosts;
pub mod identity;
pub mod install;
pub mod intent;
pub mod land;
pub mod last_words;
mod layout;
pub mod lifecycle;
pub mod lost_request;
pub mod mayor;
pub mod mol;
pub mod names;
pub mod nudges;
pub mod poured;
pub mod prime;
pub mod retire;
pub mod review;
pub mod rework;
mod rig;
pub mod rig_add;
pub mod rig_remove;
pub mod roles;
pub mod set_back;
pub mod sling;
mod spawn;
pub mod standing;
pub mod step;
pub mod tries;
pub mod trouble;
pub mod unchecked;
pub mod unreadable;
mod wake;

pub use agent::{AgentRow, AgentState, HostKind};
pub use around::{Acting, Surroundings};
pub use error::TownError;
pub use finish::{Finish, finish, finish_all};
pub use intent::Intent;
pub use layout::{MARKER, Town};
pub use rig::{BrokenRig, Rig, Rigs};
pub use wake::wake;
