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

/// So many steps of a kind are shown for each stage; all of them with `--json`.
const MOST: usize = 20;

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
        let removed = stage.removed.iter().map(|id| format!("- {id}"));
        let added = stage.added.iter().map(|made| format!("+ {}  {}", made.id, made.from));
        let changed = stage.changed.iter().map(|changed| format!("~ {}: {}", changed.id, changed.what.join(", ")));
        for lines in [removed.collect::<Vec<_>>(), added.collect(), changed.collect()] {
            for line in lines.iter().take(MOST) {
                let _ = writeln!(out, "  {line}");
            }
            if lines.len() > MOST {
                let _ = writeln!(out, "  {} … and {} more", &lines[0][..1], lines.len() - MOST);
            }
        }
    }
    out
}
