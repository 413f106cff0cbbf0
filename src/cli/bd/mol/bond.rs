//! `bd mol bond`: two molecules become one.

use super::super::Context;
use super::super::formula::library::{proto, var};
use crate::cli::CliError;
use crate::formula::{Proto, Vars};
use crate::molecule::{self, BondType, Partner, PourOpts};

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
    /// Pour it to last
    #[arg(long)]
    pour: bool,
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
    let bonded = cx.write(|w| {
        for proto in [&first, &second].into_iter().filter_map(|s| s.as_ref().err()) {
            molecule::freeze(w, proto)?;
        }
        let opts = PourOpts { ephemeral: args.ephemeral && !args.pour, ..PourOpts::default() };
        let (a, b) = (partner(&first), partner(&second));
        molecule::bond(w, &a, &b, args.kind, &vars, &opts, args.at.as_deref()).map_err(CliError::from)
    })?;
    cx.out.print(&bonded, |b| format!("✓ bonded ({}): {}", b.bond_type, b.result_id));
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
