//! `bd formula convert`: a JSON formula as TOML.

use std::path::PathBuf;

use serde_json::json;

use super::super::Context;
use super::library::{library, path, wrong};
use crate::cli::CliError;
use crate::formula::{as_toml, without_nulls};

/// Writes a JSON formula as TOML, beside it or to stdout.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name, or a path to a file
    formula: String,
    /// Print it and write no file
    #[arg(long)]
    stdout: bool,
    /// Write to this file
    #[arg(short, long, value_name = "FILE", conflicts_with = "stdout")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let name = path(cx, &args.formula);
    let found = library(cx, &[]).find(&name).map_err(|report| wrong(cx, &args.formula, &report))?;
    let value = without_nulls(&found).map_err(|report| wrong(cx, &args.formula, &report))?;
    let text = as_toml(&value).map_err(|why| CliError::user(format!("it cannot be written as TOML: {why}")))?;
    if args.stdout {
        cx.out.print(&json!({ "toml": text }), |_| text.clone());
        return Ok(());
    }
    let to = match &args.output {
        Some(path) => cx.env.path(path),
        None if found.json => PathBuf::from(found.source.path.trim_end_matches("json").to_owned() + "toml"),
        None => return Err(CliError::user("it is TOML already").hint("--stdout prints it, --output FILE writes it")),
    };
    if to.exists() && !args.force {
        return Err(CliError::refused(format!("{} is there already", to.display())).hint("--force replaces it"));
    }
    crate::base::atomic::write(&to, text.as_bytes())
        .map_err(|e| CliError::user(format!("{} cannot be written: {e}", to.display())))?;
    cx.out.print(&json!({ "written": to }), |_| format!("✓ wrote {}", to.display()));
    Ok(())
}
