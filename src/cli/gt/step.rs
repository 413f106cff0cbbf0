//! `gt step done`: the current step is done.

use clap::Subcommand;

use super::Context;
use crate::cli::CliError;
use crate::store::interchange;
use crate::town::step;

/// Closes steps of the molecule on your hook.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Close the current step and print the name of the next
    Done {
        /// What was found or decided, for the record.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// What the step gave, as JSON, for those who come after it: conditions of loops, and molecules for each item.
        #[arg(long, value_name = "JSON", value_parser = json)]
        output: Option<serde_json::Value>,
    },
}

/// Reads what a step gave. Without a parser of its own clap would take any text for a JSON string.
fn json(text: &str) -> Result<serde_json::Value, String> {
    // The first reader keeps numbers that are too long, the second knows where a text is wrong.
    interchange::value(text).map_or_else(|| serde_json::from_str(text), Ok).map_err(|error| {
        format!(
            "no JSON: {error}; use a form like '{{\"files\": [{{\"path\": \"a.rs\"}}]}}', and '\"text\"' for a text"
        )
    })
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let Verb::Done { note, output } = &args.verb;
    let (here, mut store) = cx.open()?;
    let done = step::done(&here.acting(), &mut store, &here.me, note.as_deref(), output.as_ref())?;
    if let (Some(next), Some(why)) = (&done.next, &done.undecided) {
        cx.out.note(&format!(
            "note: {} is to be done, for it cannot be told whether the change needs it: {why}",
            next.name
        ));
    }
    crate::cli::output::not_poured(done.closed.id.as_str(), &done.not_poured);
    cx.out.print(&done, |done| done.next.as_ref().map(|s| s.name.clone()).unwrap_or_default());
    Ok(())
}
