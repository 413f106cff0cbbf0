//! `bd mol wisp`: molecules that leave no trace in the ledger.

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::{Value, json};

use super::super::Context;
use super::super::formula::library::{proto, var};
use crate::base::BeadId;
use crate::base::span::Span;
use crate::base::text::{count, headline};
use crate::cli::CliError;
use crate::formula::Vars;
use crate::molecule::{self, Cleared, MoleculeError, PourOpts};

/// Makes a wisp, or lists and clears them.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    create: Create,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a wisp of a formula
    Create(Create),
    /// List the wisps
    #[command(visible_alias = "ls")]
    List(List),
    /// Burn wisps that nothing has changed for a while
    Gc(Gc),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// A formula, a path to one, or a protomolecule (proto-…)
    #[arg(required = true)]
    formula: Option<String>,
    /// A value for a variable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,
    /// Who is to work it
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Make only the root and no beads for the steps
    #[arg(long)]
    root_only: bool,
    /// Say what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Closed ones too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Gc {
    /// Nothing changed for so long
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    age: Span,
    /// Closed ones too
    #[arg(long)]
    all: bool,
    /// Say which, and burn nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        None => create(cx, args.create),
        Some(Verb::Create(args)) => create(cx, args),
        Some(Verb::List(args)) => list(cx, &args),
        Some(Verb::Gc(args)) => gc(cx, &args),
    }
}

fn create(cx: &Context, args: Create) -> Result<(), CliError> {
    let vars: Vars = args.vars.into_iter().collect();
    let proto = proto(cx, args.formula.as_deref().unwrap_or_default(), &vars)?;
    if args.dry_run {
        return super::pour::dry(cx, std::iter::once(&proto), &vars);
    }
    let by = cx.stamp();
    let opts = PourOpts { assignee: args.assignee, ephemeral: true, root_only: args.root_only, ..PourOpts::default() };
    let poured = cx.change_store(|store| Ok(molecule::pour_large(store, &by, &proto, &vars, &opts)?))?;
    let value = json!({
        "new_epic_id": poured.root, "id_mapping": super::mapping(&proto.formula, &poured),
        "created": poured.steps.len() + 1, "phase": "vapor", "proto_id": proto.id, "skipped": poured.skipped,
    });
    cx.out.print(&value, |_| super::pour::told(cx, "made the wisp of", &proto, &poured));
    Ok(())
}

/// A wisp is old after a day.
const OLD_MS: i64 = 24 * 3_600_000;

fn list(cx: &Context, args: &List) -> Result<(), CliError> {
    let now = cx.now();
    let wisps = cx.read(|r| molecule::wisps(r, args.all).map_err(CliError::from))?;
    let old = |b: &crate::store::Bead| now.millis() - b.updated_at.millis() > OLD_MS;
    let rows: Vec<Value> = wisps
        .iter()
        .map(|b| {
            let mut row = json!({
                "id": b.id, "title": b.title, "status": b.status, "priority": b.priority,
                "created_at": b.created_at, "updated_at": b.updated_at,
            });
            if old(b) {
                row["old"] = true.into();
            }
            row
        })
        .collect();
    let many = wisps.iter().filter(|b| old(b)).count();
    let mut value = json!({ "wisps": rows, "count": wisps.len() });
    if many > 0 {
        value["old_count"] = many.into();
    }
    cx.out.print(&value, |_| {
        let mut out = String::new();
        for b in &wisps {
            let mark = if old(b) { "  old" } else { "" };
            let _ = writeln!(out, "{}  {}  {}{mark}", b.id, b.status, headline(&b.title, 80));
        }
        if out.is_empty() { "no wisps".to_owned() } else { out }
    });
    Ok(())
}

fn gc(cx: &Context, args: &Gc) -> Result<(), CliError> {
    let now = cx.now();
    if args.dry_run {
        let all = cx.read(|r| Ok(molecule::gc_would(r, now, args.age, args.all)?))?;
        let value = json!({ "cleaned_ids": [], "cleaned_count": 0, "candidates": all, "dry_run": true });
        cx.out.print(&value, |_| format!("would burn {}", count(all.len(), "bead")));
        return Ok(());
    }
    let by = cx.stamp();
    let Cleared { gone, left } = cx.change_store(|store| Ok(molecule::gc(store, &by, args.age, args.all)?))?;
    let mut value = json!({ "cleaned_ids": gone, "cleaned_count": gone.len() });
    if !left.is_empty() {
        let one = |(root, why): &(BeadId, MoleculeError)| json!({ "id": root, "reason": why.to_string() });
        value["left"] = left.iter().map(one).collect();
    }
    cx.out.print(&value, |_| format!("✓ burnt {}", count(gone.len(), "bead")));
    match left.into_iter().next() {
        Some((root, why)) => {
            let mut error = CliError::from(why);
            error.message = format!("{root} is left: {}", error.message);
            Err(error)
        }
        None => Ok(()),
    }
}
