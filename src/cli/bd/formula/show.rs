//! `bd formula show`: the text of a formula.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::super::Context;
use super::library::{library, wrong};
use crate::cli::CliError;
use crate::formula::as_written;

/// Shows a formula as it is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name, or a path to a file
    formula: String,
    /// Search this folder too, before the others
    #[arg(long, value_name = "DIR")]
    search_path: Vec<PathBuf>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let library = library(cx, &args.search_path);
    let name = super::library::path(cx, &args.formula);
    if let Ok(Some(aspect)) = library.find_lua(&name) {
        let source = &aspect.source;
        let value = json!({ "formula": aspect.name, "type": "aspect", "lua": source.text, "source": source.path });
        cx.out.print(&value, |_| format!("-- {} ({})\n{}", source.path, source.layer.word(), source.text));
        return Ok(());
    }
    let found = library.find(&name).map_err(|report| wrong(cx, &args.formula, &report))?;
    let mut value = as_written(&found).map_err(|report| wrong(cx, &args.formula, &report))?;
    if let Some(map) = value.as_object_mut() {
        map.insert("source".to_owned(), json!(found.source.path));
    }
    cx.out.print(&value, |_| {
        let mut text = format!("# {} ({})\n", found.source.path, found.source.layer.word());
        for hidden in &found.shadows {
            let _ = writeln!(text, "# hides {hidden}");
        }
        text + &found.source.text
    });
    Ok(())
}
