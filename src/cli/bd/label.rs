//! `bd label`: labels of beads.

use super::Context;
use super::context::resolve_all;
use crate::cli::CliError;

/// Adds, removes and lists labels.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Add a label to beads
    Add {
        /// Ids, then the label; several are separated by commas.
        #[arg(required = true, num_args = 2.., value_names = ["ID", "LABEL"])]
        ids_and_label: Vec<String>,
    },
    /// Remove a label from beads
    Remove {
        /// Ids, then the label; several are separated by commas.
        #[arg(required = true, num_args = 2.., value_names = ["ID", "LABEL"])]
        ids_and_label: Vec<String>,
    },
    /// List the labels of a bead
    List {
        /// The bead.
        id: String,
    },
    /// List all labels, with how many beads carry each
    ListAll,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.what {
        What::Add { ids_and_label } => change(cx, ids_and_label, true),
        What::Remove { ids_and_label } => change(cx, ids_and_label, false),
        What::List { id } => cx.read(|r| {
            let labels = r.labels(&r.resolve(&id)?)?;
            cx.out.print(&labels, |labels| labels.join("\n"));
            Ok(())
        }),
        What::ListAll => cx.read(|r| {
            let counts = r.label_counts()?;
            let value: Vec<_> =
                counts.iter().map(|(label, n)| serde_json::json!({ "label": label, "count": n })).collect();
            cx.out.print(&value, |_| {
                counts.iter().map(|(label, n)| format!("{n:>5}  {label}")).collect::<Vec<_>>().join("\n")
            });
            Ok(())
        }),
    }
}

fn change(cx: &Context, mut ids: Vec<String>, add: bool) -> Result<(), CliError> {
    let last = ids.pop().unwrap_or_default();
    let labels: Vec<&str> = last.split(',').map(str::trim).collect();
    let done = cx.write(|w| {
        let mut done = Vec::new();
        let ids = resolve_all(w, &ids)?;
        for (id, label) in ids.iter().flat_map(|id| labels.iter().map(move |label| (id, *label))) {
            let changed = if add { w.add_label(id, label)? } else { w.remove_label(id, label)? };
            let status = match (add, changed) {
                (true, true) => "added",
                (true, false) => "already there",
                (false, true) => "removed",
                (false, false) => "not there",
            };
            done.push(serde_json::json!({ "status": status, "issue_id": id, "label": label }));
        }
        Ok(done)
    })?;
    if add && labels.contains(&"template") {
        cx.out.note(
            "note: a bead with this label is a pattern: it is never ready and never closed, until the label goes",
        );
    }
    cx.out.print(&done, |done| {
        let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        done.iter()
            .map(|one| format!("{}  {} {}", text(one, "issue_id"), text(one, "label"), text(one, "status")))
            .collect::<Vec<_>>()
            .join("\n")
    });
    Ok(())
}
