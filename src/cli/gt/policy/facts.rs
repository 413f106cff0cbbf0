//! `gt policy facts`: what rules can read.

use super::Context;
use crate::base::text::similar;
use crate::cli::CliError;
use crate::policy;

/// List what rules can read: the kinds of facts, or the fields of one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A kind of fact: `worker`, `bead`, `mr`, `mr_merged`, …
    kind: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let names = policy::fact_names();
    let Some(kind) = &args.kind else {
        cx.out.print(&names, |names| names.join("\n"));
        return Ok(());
    };
    let Some(fields) = policy::facts(kind) else {
        let error = CliError::not_found(format!("there are no facts about `{kind}`"));
        let hint =
            similar(kind, names.iter().copied()).map_or_else(|| names.join(", "), |n| format!("gt policy facts {n}"));
        return Err(error.hint(hint));
    };
    cx.out.print(&fields, Clone::clone);
    Ok(())
}
