//! `bd close`: closes beads.

use super::{Context, render};
use crate::cli::CliError;
use crate::store::{Bead, Close};

/// Closes beads.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, or enough of them to be clear.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why.
    #[arg(short, long, default_value = "Closed")]
    reason: String,
    /// Also a pinned bead, and one that waits for open ones.
    #[arg(short, long)]
    force: bool,
    /// Also say what can be taken up now that could not before.
    #[arg(long)]
    suggest_next: bool,
    /// The agent session that closes it.
    #[arg(long, env = "CLAUDE_SESSION_ID", hide_env_values = true)]
    session: Option<String>,
}

/// Runs the verb. Those that can be closed are, whatever is refused for the others.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let mut refused: Vec<CliError> = Vec::new();
    let (closed, unblocked) = cx.write(|w| {
        let (mut closed, mut unblocked): (Vec<Bead>, Vec<Bead>) = (Vec::new(), Vec::new());
        for text in &args.ids {
            let how = Close {
                reason: args.reason.clone(),
                force: args.force,
                session: args.session.clone().unwrap_or_default(),
            };
            match w.resolve(text).and_then(|id| w.close(&id, how)) {
                Ok(done) => {
                    // Outside a town there are no convoys, and this finds none.
                    crate::town::convoy::check(w, &done.bead.id)?;
                    closed.push(done.bead);
                    for id in done.unblocked {
                        unblocked.push(w.need(&id)?);
                    }
                }
                Err(error) if error.is_fault() => return Err(error.into()),
                Err(error) => refused.push(error.into()),
            }
        }
        unblocked.retain(|bead| !closed.iter().any(|c| c.id == bead.id));
        Ok((closed, unblocked))
    })?;
    if args.suggest_next && !unblocked.is_empty() {
        let value = serde_json::json!({ "closed": closed, "unblocked": unblocked });
        cx.out.print(&value, |_| format!("{}\nnow ready:\n{}", told(&closed), render::lines(&unblocked, "")));
    } else if !closed.is_empty() || refused.is_empty() {
        cx.out.print(&closed, |closed| told(closed));
    }
    let others = refused.len().saturating_sub(1);
    match refused.into_iter().next() {
        None => Ok(()),
        Some(mut first) => {
            if others > 0 {
                first.causes.push(format!("and {others} more could not be closed"));
            }
            if !closed.is_empty() && cx.out.json {
                crate::cli::output::message(&first.to_string());
                std::process::exit(first.kind.code().into());
            }
            Err(first)
        }
    }
}

fn told(closed: &[Bead]) -> String {
    let lines =
        closed.iter().map(|bead| format!("✓ closed {}  {}", bead.id, crate::base::text::headline(&bead.title, 80)));
    lines.collect::<Vec<_>>().join("\n")
}
