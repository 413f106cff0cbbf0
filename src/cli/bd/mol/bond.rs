//! `bd mol bond`: two molecules become one.

use serde_json::json;

use super::super::Context;
use super::super::formula::library::{proto, var};
use crate::base::text::count;
use crate::cli::CliError;
use crate::formula::{Proto, Vars};
use crate::molecule::{self, Bond, BondType, Partner, PourOpts};

/// Bonds the second to the first. Each may be a molecule or a formula, which is then poured.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A molecule, or a formula
    first: String,
    /// What is bonded to it: a molecule, or a formula
    second: String,
    /// `sequential` (after), `parallel` (beside) or `conditional` (if the first fails)
    #[arg(long = "type", value_name = "TYPE", default_value = "sequential", value_parser = kind)]
    kind: BondType,
    /// At this bond point of the first
    #[arg(long, value_name = "POINT")]
    at: Option<String>,
    /// A value for a variable of what is poured
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,
    /// Pour it as a wisp
    #[arg(long, alias = "wisp", conflicts_with = "pour")]
    ephemeral: bool,
    /// Pour it to last, also onto a wisp
    #[arg(long)]
    pour: bool,
    /// Say what would come of it, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// The kind of a bond by its name.
pub(super) fn kind(text: &str) -> Result<BondType, String> {
    match text {
        "sequential" => Ok(BondType::Sequential),
        "parallel" => Ok(BondType::Parallel),
        "conditional" => Ok(BondType::Conditional),
        _ => Err("use sequential, parallel or conditional".to_owned()),
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let vars: Vars = args.vars.into_iter().collect();
    let (first, second) = (side(cx, &args.first, &vars)?, side(cx, &args.second, &vars)?);
    let bonded = cx.write_or_rehearse(args.dry_run, |w| {
        for proto in [&first, &second].into_iter().filter_map(|s| s.as_ref().err()) {
            molecule::freeze(w, proto)?;
        }
        let ephemeral = (args.ephemeral || args.pour).then_some(args.ephemeral);
        let how = Bond { how: args.kind, point: args.at.as_deref(), ephemeral };
        molecule::bond(w, &partner(&first), &partner(&second), &vars, &PourOpts::default(), how).map_err(CliError::from)
    })?;
    let mut value = json!(bonded);
    if args.dry_run {
        value["dry_run"] = true.into();
    }
    cx.out.print(&value, |_| {
        let poured = bonded.spawned.map_or_else(String::new, |n| format!(", with {} for it", count(n, "new bead")));
        let done = if args.dry_run { "would bond" } else { "✓ bonded" };
        format!("{done} ({}): {}{poured}", bonded.bond_type, bonded.result_id)
    });
    Ok(())
}

/// A molecule that lives, else a formula to be poured.
fn side(cx: &Context, name: &str, vars: &Vars) -> Result<Result<crate::base::BeadId, Proto>, CliError> {
    let live = cx.read(|r| {
        let Ok(id) = r.resolve(name) else { return Ok(None) };
        Ok::<_, CliError>(r.bead(&id)?.filter(|b| molecule::is_molecule(b) && !b.is_template).map(|b| b.id))
    })?;
    match live {
        Some(id) => Ok(Ok(id)),
        None => proto(cx, name, vars).map(Err),
    }
}

fn partner(side: &Result<crate::base::BeadId, Proto>) -> Partner<'_> {
    match side {
        Ok(id) => Partner::Molecule(id.clone()),
        Err(proto) => Partner::Proto(proto),
    }
}
