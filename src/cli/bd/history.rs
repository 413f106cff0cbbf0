//! `bd history`: the transitions of a bead, out of the ledger.

use super::Context;
use crate::base::BeadId;
use crate::cli::CliError;
use crate::ledger::{Entry, Ledger, drain};

/// Shows every transition of a bead that the ledger has: who, when, what.
///
/// Of a bead that a sync gave another id, also those that it went through under the old one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bead.
    id: String,
    /// Only the newest N; 0 for all.
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// With --json: the bead as it was after each transition.
    #[arg(long)]
    full: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let beads_dir = cx.place().beads_dir.clone();
    // Of a bead that is no longer here, the ledger may still know.
    let id = match cx.read(|r| Ok(r.resolve(&args.id)?)) {
        Ok(id) => id,
        Err(error) => {
            let known = BeadId::new(&args.id).ok().filter(|id| in_ledger(&beads_dir, id));
            known.ok_or(error)?
        }
    };
    let left = cx.with_store(|store| Ok(drain(store, None)?))?.left;
    let waiting = if left { waiting_of(cx, &id)? } else { 0 };
    let ledger = Ledger::open(&beads_dir)?;
    let mut entries = match &ledger {
        Some(ledger) => ledger.history(&id)?,
        None => Vec::new(),
    };
    if let Some(limit) = args.limit.filter(|limit| *limit > 0) {
        entries.drain(..entries.len().saturating_sub(limit));
    }
    let mut rows = Vec::new();
    for entry in &entries {
        let mut row = serde_json::json!({
            "commit": entry.commit.to_string(), "at": entry.at, "actor": entry.actor,
            "summary": without_id(entry), "id": entry.bead,
        });
        if args.full
            && let Some(doc) = ledger.as_ref().map(|l| l.doc_at(&entry.bead, entry.commit)).transpose()?.flatten()
        {
            row["bead"] = serde_json::from_str(&doc).unwrap_or_default();
        }
        rows.push(row);
    }
    cx.out.print(&rows, |_| {
        let line = |e: &Entry| {
            let commit = e.commit.to_string();
            format!("{}  {}  {}  {}", e.at, &commit[..10], e.actor, without_id(e))
        };
        entries.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    if waiting > 0 {
        let has = if waiting == 1 { "1 transition has" } else { &format!("{waiting} transitions have") };
        cx.out.note(&format!("{has} still to be recorded: `bd history {id}` without --readonly records what waits"));
    } else if entries.is_empty() {
        cx.out.note(&format!("the ledger has nothing of {id}: {}", why_nothing(cx, &id)?));
    }
    Ok(())
}

/// How many transitions of a bead wait for the ledger.
fn waiting_of(cx: &Context, id: &BeadId) -> Result<usize, CliError> {
    let rows = cx.read(|r| Ok(r.outbox(0, usize::MAX >> 1)?))?;
    Ok(rows.iter().filter(|row| row.bead == *id).count())
}

fn why_nothing(cx: &Context, id: &BeadId) -> Result<&'static str, CliError> {
    let wisp = cx.read(|r| Ok(r.bead(id)?))?.is_some_and(|bead| bead.ephemeral);
    Ok(if wisp { "wisps never go there" } else { "`bd doctor` compares it with the database" })
}

fn in_ledger(beads_dir: &std::path::Path, id: &BeadId) -> bool {
    let ledger = Ledger::open(beads_dir).ok().flatten();
    ledger.and_then(|l| l.doc(id).ok().flatten()).is_some()
}

fn without_id(entry: &Entry) -> &str {
    let summary = entry.summary.strip_prefix(entry.bead.as_str());
    summary.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&entry.summary)
}
