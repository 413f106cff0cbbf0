//! `bd count`: how many beads there are.

use std::collections::BTreeMap;

use super::Context;
use super::select::Select;
use crate::cli::CliError;
use crate::store::Group;

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
        let by = [
            (args.by_status, Group::Status),
            (args.by_priority, Group::Priority),
            (args.by_type, Group::Type),
            (args.by_assignee, Group::Assignee),
            (args.by_label, Group::Labels),
        ];
        let Some((_, by)) = by.into_iter().find(|(asked, _)| *asked) else {
            let count = r.count(&filter)?;
            cx.out.print(&serde_json::json!({ "count": count }), |_| count.to_string());
            return Ok(());
        };
        let found = r.count_by(&filter, by)?;
        // A bead with two labels is one bead.
        let total = if by == Group::Labels { r.count(&filter)? } else { found.iter().map(|(_, n)| n).sum() };
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        for (name, n) in found {
            let name = match (by, name.as_str()) {
                (Group::Labels, "") => "(no labels)",
                (Group::Assignee, "") => "(unassigned)",
                (_, name) => name,
            };
            *groups.entry(name.to_owned()).or_default() += n;
        }
        let rows: Vec<_> = groups.iter().map(|(group, n)| serde_json::json!({ "group": group, "count": n })).collect();
        let value = serde_json::json!({ "total": total, "groups": rows });
        cx.out.print(&value, |_| {
            let lines = groups.iter().map(|(group, n)| format!("{n:>6}  {}", crate::base::text::headline(group, 80)));
            lines.chain([format!("{total:>6}  in all")]).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    })
}
