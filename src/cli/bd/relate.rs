//! `bd relate` and `bd unrelate`: beads that have to do with each other and do not hold each other back.

use super::{Context, dep};
use crate::cli::CliError;
use crate::store::DepKind;

/// Two beads.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One of them.
    id: String,
    /// The other.
    other: String,
}

/// Runs `bd relate`.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    dep::change::add(cx, &args.id, &args.other, DepKind::RELATES_TO, String::new())
}

/// Runs `bd unrelate`.
pub(super) fn undo(cx: &Context, args: Args) -> Result<(), CliError> {
    dep::change::remove(cx, &args.id, &args.other, Some(&DepKind::RELATES_TO))
}
