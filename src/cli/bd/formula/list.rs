//! `bd formula list`: what can be cooked here.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::super::Context;
use super::library::library;
use crate::cli::CliError;
use crate::formula::Listed;

/// Lists the formulas.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this type: workflow, expansion, aspect, convoy or patrol
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Search this folder too, before the others
    #[arg(long, value_name = "DIR")]
    search_path: Vec<PathBuf>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let mut all = library(cx, &args.search_path).list();
    if let Some(kind) = &args.kind {
        all.retain(|f| f.kind == *kind);
    }
    cx.out.print(&all, |all| text(all));
    Ok(())
}

fn text(all: &[Listed]) -> String {
    if all.is_empty() {
        return "no formulas of that type".to_owned();
    }
    let width = all.iter().map(|f| f.name.chars().count()).max().unwrap_or(0).min(40);
    let mut out = String::new();
    for f in all {
        let _ = writeln!(out, "{:width$}  {:9}  {:10}  {}", f.name, f.kind, f.layer.word(), f.description);
        if let Some(error) = &f.error {
            let _ = writeln!(out, "{:width$}  cannot be cooked: {error}", "");
        }
        for hidden in &f.shadows {
            let _ = writeln!(out, "{:width$}  hides {hidden}", "");
        }
    }
    out
}
