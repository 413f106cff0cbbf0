//! The merge queue: takes what workers hand in, builds the merge, runs the gates on the merged tree and
//! pushes exactly what was tested.
//!
//! [`machine`] holds the states of a merge request and the one function that moves between them; [`gate`]
//! says what the ending of a gate's command means.

pub mod gate;
pub mod machine;
pub mod mr;

pub use gate::Verdict;
pub use machine::State;
pub use mr::{Approval, MR_KEY, MrMeta};
