//! `bd q`: files a bead and prints its id alone.

use super::{Context, arg, create};
use crate::cli::CliError;
use crate::store::IssueType;

/// Files a bead and prints its id alone.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One line that says what is to be done.
    title: String,
    /// task, bug, feature, epic, chore, …
    #[arg(short = 't', long = "type", value_parser = arg::issue_type)]
    issue_type: Option<IssueType>,
    /// 0 (critical) to 4 (backlog).
    #[arg(short, long, value_parser = arg::priority)]
    priority: Option<u8>,
    /// Labels, separated by commas.
    #[arg(short, long = "labels", value_delimiter = ',')]
    labels: Vec<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let args = create::Args::quick(args.title, args.issue_type, args.priority, args.labels);
    let bead = create::make(cx, args)?;
    cx.out.print(&bead, |bead| bead.id.to_string());
    Ok(())
}
