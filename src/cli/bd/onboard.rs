//! `bd onboard`: the lines that tell agents of this repository about the tracker.

use super::Context;

/// Prints the lines to put into AGENTS.md or CLAUDE.md; changes no file.
#[derive(Debug, clap::Args)]
pub struct Args {}

const TEXT: &str = "\
## Work tracking

This repository tracks work with `bd` (beads). Run `bd prime` first: it says how, and what is ready.
File what you find on the way with `bd create \"title\" --deps discovered-from:ID`; close what you have
finished with `bd close ID --reason \"what was done\"`.";

/// Runs the verb.
pub(super) fn run(cx: &Context, _: Args) {
    cx.out.print(&serde_json::json!({ "text": TEXT }), |_| TEXT.to_owned());
    cx.out.note("put these lines into AGENTS.md (or CLAUDE.md) yourself; bd changes no file of yours");
}
