//! `bd gate`: beads that hold others back until something outside has happened.
//!
//! A gate is a bead of type `gate`; what it holds back depends on it by `blocks` edges, and is free when it is closed.
//! A timer opens at the first look at the tracker after its time, a gate on a bead with the closing of that bead, a
//! human one by `bd gate resolve`, and one on a run or a pull request of GitHub when `bd gate check` finds that it passed.

mod check;
mod create;
mod gh;
mod resolve;

use std::fmt::Write as _;

use clap::Subcommand;

use super::{Context, render};
use crate::base::text;
use crate::cli::CliError;
use crate::store::{Bead, DepKind, Filter, IssueType, Map, Read, Status, opens_at};

/// Makes, shows and opens gates.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

impl Args {
    /// Whether it asks GitHub, and so may take long.
    pub(super) fn asks_outside(&self) -> bool {
        matches!(self.verb, Verb::Check(_))
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a gate
    Create(create::Args),
    /// List open gates
    #[command(visible_alias = "ls")]
    List {
        /// Those that are open already, too.
        #[arg(long)]
        all: bool,
    },
    /// Show a gate and what it holds back
    Show {
        /// The gate.
        id: String,
    },
    /// Open gates by hand
    #[command(visible_aliases = ["approve", "close"])]
    Resolve(resolve::Args),
    /// Look whether what gates wait for has happened, and open those for which it has
    Check(check::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Create(args) => create::run(cx, args),
        Verb::List { all } => list(cx, all),
        Verb::Show { id } => cx.read(|r| {
            let gate = need(r, &id)?;
            let row = row(r, &gate)?;
            cx.out.print(&row, |row| format!("{}\n", line(&gate, row)));
            Ok(())
        }),
        Verb::Resolve(args) => resolve::run(cx, &args),
        Verb::Check(args) => check::run(cx, &args),
    }
}

fn list(cx: &Context, all: bool) -> Result<(), CliError> {
    cx.read(|r| {
        let mut rows = Vec::new();
        let mut text = String::new();
        for gate in gates(r, all)? {
            let row = row(r, &gate)?;
            let _ = writeln!(text, "{}", line(&gate, &row));
            rows.push(row);
        }
        cx.out.print(&rows, |_| if text.is_empty() { "no gates".to_owned() } else { text });
        Ok(())
    })
}

/// Gates, the open ones or all; of wisps too.
fn gates(r: &Read<'_>, all: bool) -> Result<Vec<Bead>, CliError> {
    let not_statuses = if all { Vec::new() } else { vec![Status::CLOSED] };
    Ok(r.find(&Filter { types: vec![IssueType::GATE], not_statuses, template: Some(false), ..Filter::default() })?)
}

/// The gate that is meant.
fn need(r: &Read<'_>, text: &str) -> Result<Bead, CliError> {
    let bead = r.need(&r.resolve(text)?)?;
    if bead.issue_type == IssueType::GATE {
        return Ok(bead);
    }
    Err(CliError::refused(format!("{} is no gate, it is a {}", bead.id, bead.issue_type))
        .hint("`bd gate list` shows the gates"))
}

/// A gate with the beads that depend on it and, for a timer, when it opens.
fn row(r: &Read<'_>, gate: &Bead) -> Result<Map, CliError> {
    let mut row = render::object(gate);
    let waiting = r.dependents(&gate.id)?.into_iter().filter(|dep| dep.kind == DepKind::BLOCKS);
    row.insert("blocks".to_owned(), waiting.map(|dep| dep.issue_id.to_string()).collect::<Vec<_>>().into());
    if let Some(at) = opens_at(gate) {
        row.insert("opens_at".to_owned(), at.to_string().into());
    }
    Ok(row)
}

fn line(gate: &Bead, row: &Map) -> String {
    let mut line = format!("{}  {}", gate.id, if gate.await_type.is_empty() { "human" } else { &gate.await_type });
    if !gate.await_id.is_empty() {
        let _ = write!(line, " {}", text::headline(&gate.await_id, 60));
    }
    if let Some(at) = row.get("opens_at").and_then(|at| at.as_str()) {
        let _ = write!(line, " opens at {at}");
    }
    if gate.is_over() {
        let _ = write!(line, "  open: {}", text::headline(&gate.close_reason, 80));
    }
    if let Some(why) = gate.meta_str(check::ESCALATED) {
        let _ = write!(line, "  needs a person: {}", text::headline(why, 80));
    }
    let held: Vec<&str> = row["blocks"].as_array().into_iter().flatten().filter_map(|id| id.as_str()).collect();
    let _ = write!(line, "  {}", text::headline(&gate.title, 80));
    if !held.is_empty() {
        let _ = write!(line, "\n    holds back {}", held.join(", "));
    }
    line
}
