//! `bd mol`: molecules, from pouring to squashing.

use clap::Subcommand;

use super::Context;
use crate::base::BeadId;
use crate::cli::CliError;
use crate::formula::{Vars, fill};
use crate::molecule::{self, Poured};
use crate::store::{Bead, Filter, IssueType, Read, Status};

mod bond;
mod burn;
mod current;
mod distill;
mod list;
mod pour;
mod progress;
pub(super) mod ready;
mod show;
mod squash;
mod stale;
mod wisp;

/// Pour formulas and work molecules.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a molecule of a formula: a root and a bead for each step
    Pour(pour::Args),
    /// Make a wisp of a formula, or list and clear wisps
    Wisp(wisp::Args),
    /// List molecules
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Show a molecule with all that belongs to it
    Show(show::Args),
    /// Say which step is to be done now
    Current(current::Args),
    /// Say how far a molecule is
    Progress(progress::Args),
    /// List the steps that can be begun
    Ready(ready::Args),
    /// List molecules whose steps are all closed and that are still open
    Stale(stale::Args),
    /// Bond two molecules or formulas
    Bond(bond::Args),
    /// Make a formula of an epic or a molecule
    Distill(distill::Args),
    /// Condense a molecule into a digest
    Squash(squash::Args),
    /// Discard wisps without a record
    Burn(burn::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Pour(args) => pour::run(cx, args),
        Verb::Wisp(args) => wisp::run(cx, args),
        Verb::List(args) => list::run(cx, args),
        Verb::Show(args) => show::run(cx, args),
        Verb::Current(args) => current::run(cx, args),
        Verb::Progress(args) => progress::run(cx, args),
        Verb::Ready(args) => ready::run(cx, args),
        Verb::Stale(args) => stale::run(cx, args),
        Verb::Bond(args) => bond::run(cx, args),
        Verb::Distill(args) => distill::run(cx, args),
        Verb::Squash(args) => squash::run(cx, args),
        Verb::Burn(args) => burn::run(cx, args),
    }
}

/// Step ids of the formula and the beads made of them.
fn mapping(formula: &str, poured: &Poured) -> serde_json::Map<String, serde_json::Value> {
    let root = (formula.to_owned(), poured.root.as_str().into());
    let steps = poured.steps.iter().map(|(step, bead)| (format!("{formula}.{step}"), bead.as_str().into()));
    std::iter::once(root).chain(steps).collect()
}

/// The molecule that is meant: the one named, else the one that `who` works on.
fn meant(r: &Read<'_>, named: Option<&str>, who: &str) -> Result<BeadId, CliError> {
    if let Some(named) = named {
        let id = r.resolve(named)?;
        // A step, or the bead that a molecule was poured for, means its molecule.
        if let Some(root) = molecule::root_of(r, &id)? {
            return Ok(root.id);
        }
        let poured_for = roots(r)?.into_iter().find(|root| root.meta_str("for") == Some(id.as_str()));
        return Ok(poured_for.map_or(id, |root| root.id));
    }
    mine(r, who)?.into_iter().next().map(|b| b.id).ok_or_else(|| {
        CliError::not_found(format!("{who} works on no molecule")).hint("name one; `bd mol list` shows them")
    })
}

/// Open molecules, wisps too, latest first.
fn roots(r: &Read<'_>) -> Result<Vec<Bead>, CliError> {
    let filter = Filter {
        types: vec![IssueType::MOLECULE],
        not_statuses: vec![Status::CLOSED],
        template: Some(false),
        sort: crate::store::Sort::Created,
        ..Filter::default()
    };
    Ok(r.find(&filter)?)
}

/// The open molecules of somebody: those that they were given, and those of which they are on a step.
fn mine(r: &Read<'_>, who: &str) -> Result<Vec<Bead>, CliError> {
    let begun = Filter { assignee: Some(who.to_owned()), statuses: vec![Status::IN_PROGRESS], ..Filter::default() };
    let mut worked_on = Vec::new();
    for step in r.find(&begun)?.iter().filter(|bead| molecule::is_step(bead)) {
        worked_on.extend(molecule::roots_of(r, &step.id)?.pop());
    }
    Ok(roots(r)?.into_iter().filter(|b| b.assignee == who || worked_on.contains(&b.id)).collect())
}

/// A title with its variables filled, for dry runs.
fn filled(text: &str, vars: &Vars) -> String {
    crate::base::text::headline(&fill(text, vars), 100)
}
