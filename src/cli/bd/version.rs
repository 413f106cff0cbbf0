//! `bd version`: which program this is.

use super::Context;
use crate::cli::CliError;

/// Prints the version.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub(super) fn run(cx: &Context, _: Args) -> Result<(), CliError> {
    let value = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
    cx.out.print(&value, |_| format!("bd {}", env!("CARGO_PKG_VERSION")));
    Ok(())
}
