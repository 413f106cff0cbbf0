//! `bd blocked`: what is held back, and by what.

use super::{Context, render};
use crate::cli::CliError;

/// Lists beads that were put aside or wait for open ones.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what is below this bead, at any depth.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let under = args.parent.as_deref().map(|id| r.resolve(id)).transpose()?;
        let mut blocked = r.blocked(under.as_ref())?;
        for one in &mut blocked {
            render::own_keys(&mut one.bead);
        }
        cx.out.print(&blocked, |blocked| {
            let lines = blocked.iter().map(|one| match one.blocked_by.as_slice() {
                [] => render::line(&one.bead),
                by => format!("{}\n    waits for {}", render::line(&one.bead), by.join(", ")),
            });
            let text = lines.collect::<Vec<_>>().join("\n");
            if text.is_empty() { "nothing is held back".to_owned() } else { text }
        });
        Ok(())
    })
}
