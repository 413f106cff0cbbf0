//! `bd where`: where the tracker is, and why there.

use super::Context;

/// Says which tracker belongs to this folder, and why.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub(super) fn run(cx: &Context, _: Args) {
    let place = cx.place();
    let there = place.beads_dir.join("beads.db").is_file();
    let mut value = serde_json::to_value(place).unwrap_or_default();
    value["exists"] = there.into();
    cx.out.print(&value, |_| {
        let missing = if there { "" } else { "\nthere is none yet: `bd init` makes it" };
        format!("{}\n  because {}{missing}", place.beads_dir.display(), place.why)
    });
}
