//! `bd gate resolve`.

use super::super::{Context, render};
use crate::cli::CliError;
use crate::store::Close;

/// Opens gates by hand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The gates.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why.
    #[arg(short, long, default_value = "resolved by hand")]
    reason: String,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (closed, free) = cx.write(|w| {
        let (mut closed, mut free) = (Vec::new(), Vec::new());
        for text in &args.ids {
            let gate = super::need(w, text)?;
            if gate.is_over() {
                return Err(CliError::refused(format!("{} is open already: {}", gate.id, gate.close_reason)));
            }
            let done = w.close(&gate.id, Close { force: true, ..Close::because(&args.reason) })?;
            for id in done.unblocked {
                free.push(w.need(&id)?);
            }
            closed.push(done.bead);
        }
        Ok((closed, free))
    })?;
    let value = serde_json::json!({ "closed": closed, "unblocked": free });
    cx.out.print(&value, |_| {
        let free = if free.is_empty() { String::new() } else { format!("\nnow ready:\n{}", render::lines(&free, "")) };
        render::done(&closed) + &free
    });
    Ok(())
}
