//! `bd version`: which program this is.

use super::Context;

/// Prints the version.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub(super) fn run(cx: &Context, _: Args) {
    let value = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
    cx.out.print(&value, |_| format!("bd {}", env!("CARGO_PKG_VERSION")));
}
