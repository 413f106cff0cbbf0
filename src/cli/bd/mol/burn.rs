//! `bd mol burn`: wisps go without a record.

use serde_json::json;

use super::super::Context;
use crate::base::text::count;
use crate::cli::CliError;
use crate::molecule;

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
    if args.dry_run {
        let all = cx.read(|r| {
            let mut all = Vec::new();
            for text in &args.molecules {
                let root = r.resolve(text)?;
                all.extend(molecule::steps(r, &root)?.into_iter().map(|b| b.id));
                all.push(root);
            }
            Ok::<_, CliError>(all)
        })?;
        let value = json!({ "deleted_ids": all, "deleted_count": all.len(), "dry_run": true });
        cx.out.print(&value, |_| format!("would burn {}", count(all.len(), "bead")));
        return Ok(());
    }
    // All or none of them: one transaction.
    let burnt = cx.write(|w| {
        args.molecules
            .iter()
            .map(|text| {
                let root = w.resolve(text)?;
                molecule::burn(w, &root, args.force).map_err(CliError::from)
            })
            .collect::<Result<Vec<_>, _>>()
    })?;
    let total: usize = burnt.iter().map(|b| b.deleted_count).sum();
    let value = match burnt.as_slice() {
        [one] => json!(one),
        many => json!({ "results": many, "total_deleted": total, "failed_count": 0 }),
    };
    cx.out.print(&value, |_| format!("✓ burnt {}", count(total, "bead")));
    Ok(())
}
