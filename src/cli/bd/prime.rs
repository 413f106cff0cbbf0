//! `bd prime`: what somebody who is to work with the tracker has to know, and how things stand.

use std::fmt::Write as _;

use super::{Context, render};
use crate::base::text;
use crate::cli::{CliError, output};
use crate::store::ReadyQuery;

/// Prints how to work with the tracker, and what is ready or in progress. Silent where there is no tracker.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the text about how to work, without what is ready.
    #[arg(long)]
    export: bool,
    // Flags of other trackers, which have a longer and a shorter text.
    #[arg(long, hide = true)]
    full: bool,
    #[arg(long, hide = true)]
    mcp: bool,
    #[arg(long, hide = true)]
    stealth: bool,
}

const TEXT: &str = "\
# Beads

Work is tracked with `bd`, in beads. Every change is on disk when the command says ✓.

- `bd ready` lists what can be taken up now and what was begun (`--status open`: only what nobody has begun);
  `bd show ID` says all about a bead.
- `bd update ID --claim` takes one; it fails if somebody else was first.
- `bd create \"title\" -d \"why\" --deps discovered-from:ID` files what you find on the way.
- `bd dep add B A` says that B waits for A.
- `bd close ID --reason \"what was done\"` ends it; `--suggest-next` says what is free now, `--continue` takes up the next step.
- `bd create --file PLAN.md` files a whole plan, `bd batch` runs many commands as one.
- `--json` on any command gives data. Short ids are enough while they are clear.
";

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if !cx.place().beads_dir.join("beads.db").is_file() {
        return Ok(());
    }
    let own = std::fs::read_to_string(cx.place().beads_dir.join("PRIME.md")).ok().filter(|_| !args.export);
    let mut text = own.map_or_else(|| TEXT.to_owned(), text::unmarked);
    if args.export {
        output::line(text.trim_end());
        return Ok(());
    }
    let ready =
        cx.read(|r| Ok(r.ready(&ReadyQuery { now: Some(cx.now()), limit: Some(5), ..ReadyQuery::default() })?))?;
    let _ = write!(
        text,
        "\nReady now, or in progress:\n{}",
        render::lines(&ready, "nothing; `bd blocked` says what is held back")
    );
    cx.out.print(&serde_json::json!({ "text": text, "ready": ready }), |_| text.clone());
    Ok(())
}
