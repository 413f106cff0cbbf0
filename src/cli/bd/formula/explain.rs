//! `bd formula explain`: where each step comes from, and what each stage changed.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::super::Context;
use super::library::{cooked, library, path, var};
use crate::cli::CliError;
use crate::formula::{Cooked, Mode, Vars};

/// Says where each step of a formula comes from.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name, or a path to a file
    formula: String,
    /// A value for a variable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,
    /// Search this folder too, before the others
    #[arg(long, value_name = "DIR")]
    search_path: Vec<PathBuf>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let vars: Vars = args.vars.into_iter().collect();
    let library = library(cx, &args.search_path);
    let cooked = cooked(cx, &library, &path(cx, &args.formula), &vars, Mode::Compile)?;
    let value = json!({
        "formula": cooked.proto.formula, "proto": cooked.proto.id, "sources": cooked.proto.sources,
        "stages": cooked.trace.stages, "steps": cooked.origins(), "variables": cooked.used_vars(),
    });
    cx.out.print(&value, |_| text(&cooked));
    Ok(())
}

fn text(cooked: &Cooked) -> String {
    let mut out = format!("{}  {}\n\nread\n", cooked.proto.formula, cooked.proto.id);
    for (name, path, layer) in &cooked.proto.sources {
        let _ = writeln!(out, "  {name}  {path} ({layer})");
    }
    let _ = write!(out, "\nsteps\n");
    let origins = cooked.origins();
    let width = origins.iter().map(|o| o.id.chars().count()).max().unwrap_or(0).min(48);
    for o in &origins {
        let _ = writeln!(out, "  {:width$}  {}@{}  line {}", o.id, o.formula, o.location, o.line);
    }
    for stage in &cooked.trace.stages {
        let _ = write!(out, "\n{}\n", stage.stage);
        for (mark, ids) in [('-', &stage.removed), ('+', &stage.added)] {
            for id in ids.iter().take(20) {
                let _ = writeln!(out, "  {mark} {id}");
            }
            if ids.len() > 20 {
                let _ = writeln!(out, "  {mark} … and {} more", ids.len() - 20);
            }
        }
    }
    out
}
