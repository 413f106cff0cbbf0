//! `bd stale`: open beads that nobody has touched for long.

use super::{Context, arg, render};
use crate::cli::CliError;
use crate::store::{Filter, Sort, Status};

/// Lists open beads by how long nothing has happened to them, the longest first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// For at least so many days.
    #[arg(short, long, default_value_t = 30)]
    days: u32,
    /// Only this status.
    #[arg(short, long, value_parser = arg::status)]
    status: Option<Status>,
    /// At most so many; 0 for all.
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let before = cx.now().plus_millis(-i64::from(args.days) * 86_400_000);
        let beads = r.find(&Filter {
            statuses: args.status.into_iter().collect(),
            not_statuses: vec![Status::CLOSED],
            updated_before: Some(before),
            ephemeral: Some(false),
            sort: Sort::Updated,
            reverse: true,
            limit: (args.limit > 0).then_some(args.limit),
            ..Filter::default()
        })?;
        cx.out.print(&beads, |beads| {
            let lines = beads.iter().map(|b| format!("{}  since {}", render::line(b), b.updated_at));
            let text = lines.collect::<Vec<_>>().join("\n");
            if text.is_empty() { format!("nothing is older than {} days", args.days) } else { text }
        });
        Ok(())
    })
}
