//! `bd export`: writes `issues.jsonl`.

use std::path::PathBuf;

use super::Context;
use crate::base::{atomic, text};
use crate::cli::{CliError, output};

/// Writes every bead but wisps as a line of JSON, by id. Lines that were imported and not changed since are
/// written as they came.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; stdout when left out.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write no beads over a file that has some.
    #[arg(long)]
    force: bool,
}

impl Args {
    /// Into this file.
    pub(super) fn to(file: PathBuf) -> Self {
        Self { output: Some(file), force: false }
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let exported = cx.read(|r| Ok(r.export()?))?;
    let Some(path) = args.output else {
        output::bytes(&exported);
        return Ok(());
    };
    let path = cx.env.path(path);
    let filled = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
    if exported.is_empty() && filled && !args.force {
        return Err(CliError::refused(format!("there are no beads here, and {} has some", path.display()))
            .hint(format!("`bd import {}` brings them in; --force empties the file", path.display())));
    }
    atomic::write(&path, &exported).map_err(|e| {
        CliError::user(format!("{} cannot be written: {e}", path.display()))
            .hint("name a file in a folder that can be written, on a disk with room: bd export -o FILE")
    })?;
    let n = exported.split_inclusive(|b| *b == b'\n').count();
    let value = serde_json::json!({ "exported": n, "path": path });
    cx.out.print(&value, |_| format!("✓ {} in {}", text::count(n, "bead"), path.display()));
    Ok(())
}
