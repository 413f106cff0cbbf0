//! `bd mol burn`: wisps go without a record.

use serde_json::json;

use super::super::Context;
use crate::base::text::count;
use crate::cli::CliError;
use crate::molecule::{self, Burnt};

/// Discards wisps. A molecule that lasts is discarded only with --force.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The molecules
    #[arg(required = true)]
    molecules: Vec<String>,
    /// Also burn molecules that last; tombstones stay
    #[arg(long)]
    force: bool,
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let mut roots = cx.read(|r| Ok(args.molecules.iter().map(|t| r.resolve(t)).collect::<Result<Vec<_>, _>>()?))?;
    roots.sort();
    roots.dedup();
    if args.dry_run {
        let all = cx.read(|r| {
            let mut all = Vec::new();
            for root in &roots {
                all.extend(Burnt::of(r, root, args.force)?.deleted_ids);
            }
            Ok::<_, CliError>(all)
        })?;
        let value = json!({ "deleted_ids": all, "deleted_count": all.len(), "dry_run": true });
        cx.out.print(&value, |_| format!("would burn {}", count(all.len(), "bead")));
        return Ok(());
    }
    let by = cx.stamp();
    let burnt = cx.change_store(|store| Ok(molecule::burn_all(store, &by, &roots, args.force)?))?;
    let total: usize = burnt.iter().map(|b| b.deleted_count).sum();
    let value = match burnt.as_slice() {
        [one] => json!(one),
        many => json!({ "results": many, "total_deleted": total, "failed_count": 0 }),
    };
    cx.out.print(&value, |_| format!("✓ burnt {}", count(total, "bead")));
    Ok(())
}
