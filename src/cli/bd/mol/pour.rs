//! `bd mol pour`: a formula becomes a molecule.

use std::fmt::Write as _;

use serde_json::json;

use super::super::Context;
use super::super::formula::library::{proto, var};
use crate::base::text::count;
use crate::cli::CliError;
use crate::formula::{Proto, Step, Vars};
use crate::molecule::{self, Bond, BondType, Partner, PourOpts, Poured};
use crate::store::Write;

/// Pours a formula or a protomolecule.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A formula, a path to one, or a protomolecule (proto-…)
    formula: String,
    /// A value for a variable; names that the formula does not declare are allowed
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,
    /// Who is to work it
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// The bead that is worked on with it; `gt sling BEAD` then takes it
    #[arg(long = "for", value_name = "BEAD")]
    bead: Option<String>,
    /// The title of the molecule
    #[arg(long)]
    title: Option<String>,
    /// Pour this formula too, and bond it to the first
    #[arg(long, value_name = "FORMULA")]
    attach: Vec<String>,
    /// How --attach is bonded: sequential, parallel or conditional
    #[arg(long, value_name = "TYPE", default_value = "sequential", value_parser = super::bond::kind)]
    attach_type: BondType,
    /// Say what would be poured, and pour nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let vars: Vars = args.vars.into_iter().collect();
    let first = proto(cx, &args.formula, &vars)?;
    if first.phase.as_deref() == Some("vapor") {
        cx.out.note(&format!("`{}` is meant to be a wisp: `bd mol wisp {}`", first.formula, args.formula));
    }
    let attached: Vec<Proto> = args.attach.iter().map(|name| proto(cx, name, &vars)).collect::<Result<_, _>>()?;
    if args.dry_run {
        return dry(cx, std::iter::once(&first).chain(&attached), &vars);
    }
    let by = cx.stamp();
    let for_bead = cx.read(|r| Ok::<_, CliError>(args.bead.as_deref().map(|text| r.resolve(text)).transpose()?))?;
    let assignee = args.assignee;
    let opts = PourOpts { for_bead, assignee: assignee.clone(), title: args.title, ..PourOpts::default() };
    let attach = |w: &mut Write<'_>, poured: Poured| {
        let onto = Partner::Molecule(poured.root.clone());
        let mut bonds = Vec::new();
        for next in &attached {
            molecule::freeze(w, next)?;
            let opts = PourOpts { assignee: assignee.clone(), ..PourOpts::default() };
            let bond = Bond { how: args.attach_type, point: None, ephemeral: None, title: None };
            bonds.push(molecule::bond(w, &onto, &Partner::Proto(next), &vars, &opts, bond)?);
        }
        Ok((poured, bonds))
    };
    let (poured, bonds) =
        cx.change_store(|store| Ok(molecule::pour_large_with(store, &by, &first, &vars, &opts, attach)?))?;
    let more: usize = bonds.iter().filter_map(|b| b.spawned).sum();
    let value = || {
        let mut map = super::mapping(&first.formula, &poured);
        for bond in &bonds {
            map.extend(bond.id_mapping.as_object().cloned().unwrap_or_default());
        }
        json!({
            "new_epic_id": poured.root, "id_mapping": map, "created": poured.steps.len() + 1 + more,
            "attached": bonds.len(), "phase": "liquid", "proto_id": first.id, "skipped": poured.skipped,
        })
    };
    cx.out.print_with(value, || told(cx, "poured", &first, &poured));
    Ok(())
}

/// What people read after pouring; with `--quiet` the id of the root alone.
pub(super) fn told(cx: &Context, verb: &str, proto: &Proto, poured: &Poured) -> String {
    if cx.out.quiet {
        return poured.root.to_string();
    }
    let mut out = format!("✓ {verb} {} as {} ({})\n", proto.formula, poured.root, count(poured.work, "step"));
    for (step, bead) in poured.steps.iter().take(40) {
        let _ = writeln!(out, "  {bead}  {step}");
    }
    if poured.steps.len() > 40 {
        let _ = writeln!(out, "  … and {} more", poured.steps.len() - 40);
    }
    out.push_str(&without(&poured.skipped));
    let _ = write!(out, "next: bd mol current {}", poured.root);
    out
}

/// What would be poured.
pub(super) fn dry<'p>(cx: &Context, protos: impl Iterator<Item = &'p Proto>, vars: &Vars) -> Result<(), CliError> {
    let all: Vec<(&Proto, Vec<Step>, Vec<String>)> = cx.read(|r| {
        let would = |proto: &'p Proto| molecule::would_pour(r, proto, vars).map(|(steps, out)| (proto, steps, out));
        Ok::<_, CliError>(protos.map(would).collect::<Result<_, _>>()?)
    })?;
    let one = |(proto, steps, left_out): &(&Proto, Vec<Step>, Vec<String>)| json!({ "formula": proto.formula, "proto_id": proto.id, "steps": steps, "skipped": left_out });
    let value: Vec<_> = all.iter().map(one).collect();
    cx.out.print(&value, |_| {
        let mut out = String::new();
        for (proto, steps, left_out) in &all {
            let _ = writeln!(out, "would pour {} ({}, {})", proto.formula, proto.id, count(steps.len(), "step"));
            for step in steps {
                let _ = writeln!(out, "  {}: {}", step.id, super::filled(&step.title, vars));
            }
            out.push_str(&without(left_out));
        }
        out
    });
    Ok(())
}

/// The steps that are left out.
fn without(steps: &[String]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    format!("  left out, for their condition does not hold: {}\n", steps.join(", "))
}
