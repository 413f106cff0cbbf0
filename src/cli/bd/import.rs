//! `bd import`: reads `issues.jsonl`.

use std::path::PathBuf;

use serde_json::Value;

use super::Context;
use crate::base::text;
use crate::cli::{CliError, Kind, output};
use crate::store::interchange::Imported;

/// Reads beads from lines of JSON. No file is refused: lines that break a rule are repaired or left out alone,
/// and listed.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// The file; `-` reads stdin, and left out it is `.beads/issues.jsonl`.
    file: Option<PathBuf>,
    /// The same as a flag.
    #[arg(short, long, conflicts_with = "file", value_name = "FILE")]
    input: Option<PathBuf>,
    /// Say what would come in, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let path = args.file.or(args.input).unwrap_or_else(|| cx.place().beads_dir.join("issues.jsonl"));
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| bytes)
    } else {
        std::fs::read(cx.env.path(&path))
    };
    let bytes =
        bytes.map_err(|e| CliError::path(&path, &e, "name the file, or - for the standard input: bd import FILE"))?;
    if args.dry_run {
        let would = cx.with_store(|store| Ok(store.import_would(&bytes)?))?;
        return answer(cx, &path, &would, "the others would come in", |would| {
            format!("would import {}", counted(would))
        });
    }
    let stamp = cx.stamp();
    let done = cx.change_store(|store| Ok(store.import(&stamp, &bytes)?))?;
    answer(cx, &path, &done, IN, told)
}

/// Prints what came in, and what did not; in JSON the error stands beside the rest.
fn answer(
    cx: &Context,
    path: &std::path::Path,
    done: &Imported,
    others: &str,
    told: impl FnOnce(&Imported) -> String,
) -> Result<(), CliError> {
    if !cx.out.json {
        cx.out.print(done, told);
        return report(&path.display().to_string(), done, others);
    }
    answer_json(cx, serde_json::json!(done), done, others)
}

/// Prints `value`, with the error beside it when a line could not be read.
pub(super) fn answer_json(cx: &Context, mut value: Value, done: &Imported, others: &str) -> Result<(), CliError> {
    let error = lost(done, others);
    if let Some(error) = &error {
        value["error"] = error.object();
    }
    cx.out.print(&value, |_| String::new());
    error.map_or(Ok(()), |error| Err(CliError { said: true, ..error }))
}

/// What is said of the lines beside those that could not be read.
pub(super) const IN: &str = "all others are in";

/// An import in one line.
pub(super) fn told(done: &Imported) -> String {
    format!("✓ {}", counted(done))
}

fn counted(done: &Imported) -> String {
    format!(
        "{} new, {} changed, {} as they were, {} deleted here and left so",
        done.created, done.updated, done.unchanged, done.deleted_here
    )
}

/// Lists what was found in the file, for people; an error when a line could not be read. `others`: what became of the others.
pub(super) fn report(path: &str, done: &Imported, others: &str) -> Result<(), CliError> {
    for finding in &done.findings {
        let what = if finding.lost { "left out: " } else { "" };
        let text = text::headline(&finding.text, 200);
        output::message(&format!("{path}:{}: {} {what}{text}", finding.line, finding.id));
    }
    lost(done, others).map_or(Ok(()), Err)
}

/// The error about the lines that could not be read, if there are some.
fn lost(done: &Imported, others: &str) -> Option<CliError> {
    let lost = done.findings.iter().filter(|f| f.lost).count();
    (lost > 0).then(|| {
        CliError::new(Kind::User, format!("{} could not be read; {others}", text::count(lost, "line")))
            .hint("mend the lines that are named and import the file again: what is in stays as it is")
    })
}
