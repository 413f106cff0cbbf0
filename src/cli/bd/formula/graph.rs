//! `bd formula graph`: the steps as a tree of what waits for what, or as mermaid.

use std::path::PathBuf;

use serde_json::json;

use super::super::Context;
use super::library::{cooked, library, path, var};
use crate::cli::CliError;
use crate::formula::{Mode, Vars, graph};

/// Draws the steps of a formula.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name, or a path to a file
    formula: String,
    /// As a mermaid flowchart
    #[arg(long)]
    mermaid: bool,
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
    let proto = cooked(cx, &library, &path(cx, &args.formula), &vars, Mode::Compile)?.proto;
    let nodes: Vec<_> = graph::steps(&proto)
        .iter()
        .map(|s| {
            let mut node = json!({ "id": s.id, "title": s.title, "parent": s.parent, "needs": s.needs });
            if let Some(waits) = &s.waits_for {
                node["waits_for"] = json!(waits);
            }
            node
        })
        .collect();
    let value =
        json!({ "formula": proto.formula, "proto": proto.id, "steps": nodes, "mermaid": graph::mermaid(&proto) });
    cx.out.print(&value, |_| if args.mermaid { graph::mermaid(&proto) } else { graph::tree(&proto) });
    Ok(())
}
