//! `issues.jsonl`: one bead a line, for other trackers and for people's own repositories.
//!
//! A line that was imported and whose bead has not changed since is exported byte for byte. Unknown keys are
//! kept. A line that breaks a rule is repaired or left out alone, and said so; no file is refused.

mod clash;
mod coerce;
mod exact;
mod export;
mod import;
mod line;
mod lines;
mod members;
mod salvage;
mod unread;

pub use exact::{unwrapped, value};
pub use import::{Finding, Imported, main_prefix, read_file};
pub(super) use import::{Incoming, shown};
pub use line::{ParsedLine, format_line, parse_line};
pub use members::Guesses;
pub use unread::Unread;
