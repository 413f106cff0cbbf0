//! The command lines of `gt` and `bd`: one verb, one file.
//!
//! The only place that prints, reads the environment or knows the working directory. Text and JSON are
//! rendered from the same value. stdout is data; messages and progress go to stderr.

pub mod bd;
pub mod completion;
pub mod env;
pub mod error;
mod formula_error;
mod git_error;
pub mod gt;
mod help;
mod ledger_error;
mod molecule_error;
pub mod output;
pub mod parse;
mod signals;
mod store_error;
mod town_error;

pub use error::{CliError, Kind};
pub use output::Output;
