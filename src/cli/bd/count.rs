//! `bd count`: how many beads there are.

use std::collections::BTreeMap;

use super::Context;
use super::select::Select;
use crate::cli::CliError;

/// Counts beads, closed ones too; grouped on request.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    select: Select,
    /// By status.
    #[arg(long, group = "by")]
    by_status: bool,
    /// By priority.
    #[arg(long, group = "by")]
    by_priority: bool,
    /// By type.
    #[arg(long, group = "by")]
    by_type: bool,
    /// By assignee.
    #[arg(long, group = "by")]
    by_assignee: bool,
    /// By label; a bead counts for each of its labels.
    #[arg(long, group = "by")]
    by_label: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let filter = args.select.filter(r, cx.now())?;
        if !(args.by_status || args.by_priority || args.by_type || args.by_assignee || args.by_label) {
            let count = r.count(&filter)?;
            cx.out.print(&serde_json::json!({ "count": count }), |_| count.to_string());
            return Ok(());
        }
        let beads = r.find(&filter)?;
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        for bead in &beads {
            let names: Vec<String> = if args.by_label {
                if bead.labels.is_empty() { vec!["(no labels)".to_owned()] } else { bead.labels.clone() }
            } else if args.by_status {
                vec![bead.status.to_string()]
            } else if args.by_priority {
                vec![format!("P{}", bead.priority)]
            } else if args.by_type {
                vec![bead.issue_type.to_string()]
            } else if bead.assignee.is_empty() {
                vec!["(unassigned)".to_owned()]
            } else {
                vec![bead.assignee.clone()]
            };
            for name in names {
                *groups.entry(name).or_default() += 1;
            }
        }
        let rows: Vec<_> = groups.iter().map(|(group, n)| serde_json::json!({ "group": group, "count": n })).collect();
        let value = serde_json::json!({ "total": beads.len(), "groups": rows });
        cx.out.print(&value, |_| {
            let lines = groups.iter().map(|(group, n)| format!("{n:>6}  {}", crate::base::text::headline(group, 80)));
            lines.chain([format!("{:>6}  in all", beads.len())]).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    })
}
