//! `bd mol bond`: two molecules become one.

use serde_json::json;

use super::super::Context;
use super::super::formula::library::{library, proto_for, var};
use crate::base::BeadId;
use crate::base::text::count;
use crate::cli::CliError;
use crate::formula::{Mode, Proto, Vars, fill};
use crate::molecule::{self, Bond, BondType, Partner, PourOpts};

/// Bonds the second to the first. A formula is poured for a molecule; two formulas become one protomolecule.
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
    /// What the compound of two formulas is called
    #[arg(long = "as", value_name = "TITLE")]
    title: Option<String>,
    /// The last part of the id of what is poured for a molecule, as in arm-{{who}}: its steps are MOLECULE.REF.STEP
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// A value for a variable of what is poured
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,
    /// Pour it as a wisp; of two formulas, the compound
    #[arg(long, alias = "wisp", conflicts_with = "pour")]
    ephemeral: bool,
    /// Pour it to last, also onto a wisp; of two formulas, the compound
    #[arg(long)]
    pour: bool,
    /// Say what would come of it, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// The kind of a bond by its name.
pub(super) fn kind(text: &str) -> Result<BondType, String> {
    BondType::of(text).ok_or_else(|| "use sequential, parallel or conditional".to_owned())
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let vars: Vars = args.vars.iter().cloned().collect();
    let mut names = (args.first.as_str(), args.second.as_str());
    let (mut first, mut second) = (live(cx, names.0)?, live(cx, names.1)?);
    // A formula is bonded to the molecule that lives, whichever is named first.
    if first.is_none() && second.is_some() {
        std::mem::swap(&mut first, &mut second);
        names = (names.1, names.0);
    }
    let formulas = first.is_none() && second.is_none();
    let poured = args.ephemeral || args.pour;
    if formulas && !poured && args.at.is_some() {
        return Err(CliError::user("only a molecule has bond points, and neither is one")
            .hint(format!("pour the first: bd mol pour {}", names.0)));
    }
    if args.title.is_some() && !(formulas && args.at.is_none()) {
        return Err(CliError::user("--as names the compound of two formulas, and nothing new comes of a molecule")
            .hint("`bd update MOLECULE --title TITLE` changes the title of one"));
    }
    let id =
        args.reference.as_deref().map(|text| named(&fill(text, &vars), first.as_ref(), second.as_ref())).transpose()?;
    // What is not poured yet need not have its values yet.
    let mode = if formulas && !poured { Mode::Compile } else { Mode::Pour };
    let side = |live: Option<BeadId>, name: &str| match live {
        Some(id) => Ok(Ok(id)),
        None => proto_for(cx, name, &vars, mode).map(Err),
    };
    let (first, second) = (side(first, names.0)?, side(second, names.1)?);
    let (first, second) = (partner(&first), partner(&second));
    let ephemeral = poured.then_some(args.ephemeral);
    let how = Bond { how: args.kind, point: args.at.as_deref(), ephemeral, title: args.title.as_deref() };
    let opts = PourOpts { id, ..PourOpts::default() };
    let bonded = if args.dry_run {
        cx.write_or_rehearse(true, |w| molecule::bond(w, &first, &second, &vars, &opts, how).map_err(CliError::from))?
    } else {
        let by = cx.stamp();
        cx.change_store(|store| Ok(molecule::bond_large(store, &by, (&first, &second), &vars, &opts, how)?))?
    };
    let mut value = json!(bonded);
    if args.dry_run {
        value["dry_run"] = true.into();
    }
    cx.out.print(&value, |_| {
        let poured = bonded.spawned.map_or_else(String::new, |n| format!(", with {} for it", count(n, "new bead")));
        let done = if args.dry_run { "would bond" } else { "✓ bonded" };
        let next = match bonded.result_type {
            "compound_proto" if !args.dry_run => format!("\nnext: bd mol pour {}", bonded.result_id),
            _ => String::new(),
        };
        format!("{done} ({}): {}{poured}{next}", bonded.bond_type, bonded.result_id)
    });
    Ok(())
}

/// The molecule that lives under this name. The name of a formula is not taken for the end of an id.
fn live(cx: &Context, name: &str) -> Result<Option<BeadId>, CliError> {
    let found = cx.read(|r| {
        let Ok(id) = r.resolve(name) else { return Ok::<_, CliError>(None) };
        Ok(r.bead(&id)?.filter(|b| molecule::is_molecule(b) && !b.is_template).map(|b| b.id))
    })?;
    Ok(found.filter(|id| id.as_str() == name || library(cx, &[]).find(name).is_err()))
}

/// The id of what is poured for the one of two that lives.
fn named(reference: &str, first: Option<&BeadId>, second: Option<&BeadId>) -> Result<BeadId, CliError> {
    let ((Some(target), None) | (None, Some(target))) = (first, second) else {
        let message = "--ref names what is poured for a molecule: one of two must be one, the other a formula";
        return Err(CliError::user(message).hint("`bd mol list` shows the molecules, `bd formula list` the formulas"));
    };
    if reference.contains("{{") {
        return Err(
            CliError::user(format!("`{reference}` has a variable without a value")).hint("give it: --var NAME=VALUE")
        );
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if reference.is_empty() || !reference.chars().all(plain) {
        return Err(CliError::user(format!("`{reference}` cannot be part of an id"))
            .hint("letters, digits, `_`, `.` and `-`, as in --ref arm-{{n}}"));
    }
    Ok(BeadId::new(format!("{target}.{reference}"))?)
}

fn partner(side: &Result<BeadId, Proto>) -> Partner<'_> {
    match side {
        Ok(id) => Partner::Molecule(id.clone()),
        Err(proto) => Partner::Proto(proto),
    }
}
