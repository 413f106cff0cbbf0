//! The merge queue: takes what workers hand in, builds the merge, runs the gates on the merged tree and
//! pushes exactly what was tested.
//!
//! [`machine`] holds the states of a merge request and the one function that moves between them; [`gate`]
//! says what the ending of a gate's command means.

pub mod admission;
pub mod bench;
pub mod driver;
pub mod error;
pub mod gate;
pub mod lock;
pub mod machine;
pub mod mr;
pub mod push;
pub mod request;
pub mod wait;

pub use error::QueueError;
pub use gate::Verdict;
pub use lock::MergeLock;
pub use machine::{Event, Progress, State};
pub use mr::{Approval, MR_KEY, MrMeta};
pub use request::{Request, Words, accept, open, reject, step};
