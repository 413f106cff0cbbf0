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
    /// Write also over a file with beads that were never read here.
    #[arg(long)]
    force: bool,
}

/// So many ids are named.
const FEW: usize = 5;

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
    let refused = |what: String| {
        let shown = path.display();
        CliError::refused(format!("{what}; nothing was written"))
            .hint(format!("`bd import {shown}` brings them in; `bd export -o {shown} --force` writes over them"))
    };
    if !unread.is_empty() {
        let some: Vec<&str> = unread.iter().take(FEW).map(|id| id.as_str()).collect();
        let more = if unread.len() > FEW { ", …" } else { "" };
        let count = text::count(unread.len(), "bead");
        return Err(refused(format!("{} has {count} never read here: {}{more}", path.display(), some.join(", "))));
    }
    if exported.is_empty() && !old.is_empty() {
        return Err(refused(format!("there are no beads here, and {} is not empty", path.display())));
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
