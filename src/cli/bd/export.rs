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
    /// Write also over a file with beads that were never read here, or with lines that cannot be read.
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
    let path = args.output.map(|path| cx.env.path(path));
    let old = path.as_ref().filter(|path| !args.force && path.is_file()).map(|path| {
        std::fs::read(path).map_err(|e| CliError::path(path, &e, "name a file that can be read: bd export -o FILE"))
    });
    let old = old.transpose()?.unwrap_or_default();
    let (exported, unread) = cx.read(|r| {
        let exported = r.export()?;
        let unread = r.unread(&old, &exported)?;
        Ok((exported, unread))
    })?;
    let Some(path) = path else {
        output::bytes(&exported);
        return Ok(());
    };
    let shown = path.display();
    let refused = |what: String, hint: &str| {
        let over = format!("`bd export -o {shown} --force` writes over them");
        CliError::refused(format!("{what}; nothing was written")).hint(format!("{hint}; {over}"))
    };
    let brings = format!("`bd import {shown}` brings them in");
    if !unread.beads.is_empty() {
        let what = text::count(unread.beads.len(), "bead");
        let which = text::some(&unread.beads.iter().collect::<Vec<_>>());
        return Err(refused(format!("{shown} has {what} never read here: {which}"), &brings));
    }
    if !unread.lines.is_empty() {
        let what = text::count(unread.lines.len(), "line");
        let which = text::some(&unread.lines);
        let hint = format!("`bd import {shown} --dry-run` says why: mend them and import the file");
        return Err(refused(format!("{shown} has {what} that could not be read: {which}"), &hint));
    }
    if exported.is_empty() && !old.is_empty() {
        return Err(refused(format!("there are no beads here, and {shown} is not empty"), &brings));
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
