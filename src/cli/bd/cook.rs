//! `bd cook`: a formula becomes a protomolecule.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Context;
use super::formula::library::{cooked, cooked_proto, library, path, var};
use crate::base::text::count;
use crate::base::{BeadId, Prefix};
use crate::cli::CliError;
use crate::formula::{Cooked, Mode, Proto, Step, Vars, resolved_json};
use crate::molecule;

/// Cooks a formula into a protomolecule, and keeps it under the name of its content.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name, or a path to a file
    formula: String,
    /// A value for a variable; decides loops, and fills texts
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,
    /// `compile` keeps {{placeholders}}, `runtime` fills them all; with --var the default is runtime
    #[arg(long, value_name = "MODE", value_parser = ["compile", "runtime"])]
    mode: Option<String>,
    /// Say what would be cooked, and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// Also write the protomolecule as template beads
    #[arg(long)]
    persist: bool,
    /// With --persist: write the template that is there anew
    #[arg(long, requires = "persist")]
    force: bool,
    /// With --persist: what stands before the name in the template's id
    #[arg(long, value_name = "PREFIX", requires = "persist")]
    prefix: Option<Prefix>,
    /// Search this folder too, before the others
    #[arg(long, value_name = "DIR")]
    search_path: Vec<PathBuf>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let vars: Vars = args.vars.iter().cloned().collect();
    let mode = match args.mode.as_deref() {
        Some("runtime") => Mode::Runtime,
        Some(_) => Mode::Compile,
        None if vars.is_empty() => Mode::Compile,
        None => Mode::Runtime,
    };
    let (library, name) = (library(cx, &args.search_path), path(cx, &args.formula));
    if !(cx.out.json || args.dry_run || args.persist) {
        // What people read of it needs the protomolecule alone.
        let proto = cooked_proto(cx, &library, &name, &vars, mode)?;
        let kept = keep(cx, &proto)?;
        cx.out.print(&(), |()| told(&proto, kept));
        return Ok(());
    }
    let cooked = cooked(cx, &library, &name, &vars, mode)?;
    if args.dry_run {
        cx.out.print_with(|| resolved(&cooked, None), || dry(&cooked, mode));
        return Ok(());
    }
    if args.persist {
        return persist(cx, &args, &cooked);
    }
    let kept = keep(cx, &cooked.proto)?;
    cx.out.print(&resolved(&cooked, kept), |_| String::new());
    Ok(())
}

/// Freezes into the tracker, if there is one here. `None` when there is none.
fn keep(cx: &Context, proto: &Proto) -> Result<Option<bool>, CliError> {
    if !cx.place().beads_dir.join("beads.db").is_file() {
        return Ok(None);
    }
    if cx.read(|r| Ok(r.has_proto(&proto.id)?))? {
        return Ok(Some(false));
    }
    let stamp = cx.stamp();
    cx.change_store(|store| Ok(molecule::freeze_into(store, &stamp, proto)?)).map(Some)
}

fn resolved(cooked: &Cooked, kept: Option<bool>) -> Value {
    let mut value = resolved_json(cooked);
    if let Some(map) = value.as_object_mut() {
        map.insert("proto_id".to_owned(), json!(cooked.proto.id));
        if kept.is_some() {
            map.insert("frozen".to_owned(), true.into());
        }
    }
    value
}

fn told(proto: &Proto, kept: Option<bool>) -> String {
    let mut out = format!("✓ cooked {} into {} ({})\n", proto.formula, proto.id, count(proto.steps.len(), "step"));
    for step in proto.steps.iter().take(40) {
        let _ = writeln!(out, "  {}", line(step));
    }
    if proto.steps.len() > 40 {
        let _ = writeln!(out, "  … and {} more", proto.steps.len() - 40);
    }
    let next = if proto.can_be_poured() {
        "pour it with `bd mol pour`".to_owned()
    } else {
        crate::cli::molecule_error::instead_of_pouring(&proto.formula, &proto.kind)
    };
    let _ = match kept {
        Some(true) => write!(out, "frozen here; {next}"),
        Some(false) => write!(out, "was frozen here already; {next}"),
        None => write!(out, "not kept: there is no tracker here (`bd init` makes one)"),
    };
    out
}

fn line(step: &Step) -> String {
    let mut out = step.id.clone();
    if step.title != step.id {
        let _ = write!(out, ": {}", crate::base::text::headline(&step.title, 80));
    }
    if step.kind != "task" {
        let _ = write!(out, " ({})", step.kind);
    }
    let mut edges = Vec::new();
    if !step.needs.is_empty() {
        edges.push(format!("needs: {}", step.needs.join(", ")));
    }
    edges.extend(step.waits_for.as_deref().map(|waits| match &waits.of {
        Some(of) if step.needs.first() != Some(of) => format!("waits_for: children-of({of})"),
        _ => format!("waits_for: {}", waits.mode),
    }));
    if !edges.is_empty() {
        let _ = write!(out, " [{}]", edges.join(", "));
    }
    out
}

fn dry(cooked: &Cooked, mode: Mode) -> String {
    let proto = &cooked.proto;
    let (word, shown) = match mode {
        Mode::Compile | Mode::Pour => ("compile-time", "{{variables}} shown as placeholders"),
        Mode::Runtime => ("runtime", "variables filled"),
    };
    let mut out = format!("\nDry run: would cook formula {} as proto {} ({word} mode)\n", proto.formula, proto.id);
    let _ = writeln!(out, "\nSteps ({}) [{shown}]:", cooked.top_level());
    let last = proto.steps.len().saturating_sub(1);
    for (i, step) in proto.steps.iter().enumerate() {
        let branch = if i == last { "└──" } else { "├──" };
        let indent = if step.parent.is_some() { "    " } else { "" };
        let _ =
            writeln!(out, "  {indent}{branch} {} [from: {}@{}]", line(step), step.origin.formula, step.origin.location);
    }
    let used = cooked.used_vars();
    if !used.is_empty() {
        let _ = writeln!(out, "\nVariables used: {}", used.join(", "));
    }
    let points: Vec<&str> = proto.bond_points.iter().filter_map(|p| p["id"].as_str()).collect();
    if !points.is_empty() {
        let _ = writeln!(out, "\nBond points: {}", points.join(", "));
    }
    if !proto.vars.is_empty() {
        let _ = writeln!(out, "\nVariable definitions:");
    }
    for (name, var) in &proto.vars {
        let mut facts: Vec<String> = Vec::new();
        if var.required {
            facts.push("required".to_owned());
        }
        facts.extend(var.default.as_ref().map(|d| format!("default={d}")));
        if !var.choices.is_empty() {
            facts.push(format!("enum=[{}]", var.choices.join(", ")));
        }
        facts.extend(var.pattern.as_ref().map(|p| format!("pattern={p}")));
        let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
        let _ = writeln!(out, "  {{{{{name}}}}}: {}{facts}", var.description);
    }
    out
}

fn persist(cx: &Context, args: &Args, cooked: &Cooked) -> Result<(), CliError> {
    let name = match &args.prefix {
        Some(prefix) => format!("{prefix}-{}", cooked.proto.formula),
        None => cooked.proto.formula.clone(),
    };
    let id = BeadId::new(&name)?;
    let kept = cx.write(|w| {
        molecule::freeze(w, &cooked.proto)?;
        molecule::keep_persistent(w, &cooked.proto, &id, args.force).map_err(CliError::from)
    })?;
    let points: Vec<&str> = cooked.proto.bond_points.iter().filter_map(|p| p["id"].as_str()).collect();
    let mut value = json!({
        "proto_id": kept.root, "formula": cooked.proto.formula, "created": kept.created,
        "variables": cooked.used_vars(), "frozen": cooked.proto.id,
    });
    if !points.is_empty() {
        value["bond_points"] = json!(points);
    }
    cx.out.print(&value, |_| format!("✓ wrote {} as {}", count(kept.created, "template bead"), kept.root));
    Ok(())
}
