//! `gt policy check`: everything that is wrong with policy files and can be seen without judging a rule.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, named, roles};
use crate::base::{RigName, text::count};
use crate::cli::error::Kind;
use crate::cli::{CliError, output};
use crate::policy::{Diagnostic, Engine};

/// Say what is wrong with policy files. Without FILE, all of the town are checked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Policy files; the name of a file is the role.
    files: Vec<PathBuf>,
    /// Only the roles of this rig.
    #[arg(long)]
    rig: Option<RigName>,
}

#[derive(Debug, Serialize)]
struct Found {
    message: String,
    place: String,
    help: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let roles = match args.files.as_slice() {
        [] => roles(cx, args.rig.as_ref())?,
        files => files.iter().map(|file| named(cx, file)).collect::<Result<_, _>>()?,
    };
    let mut errors: Vec<Diagnostic> = Vec::new();
    for role in &roles {
        for error in Engine::load(&role.name, &role.layers, &role.settings).err().unwrap_or_default() {
            // A file of the town is a layer in every rig; its mistakes are said once.
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
    }
    let place = |e: &Diagnostic| Found { message: e.message.clone(), place: e.place(), help: e.help.clone() };
    let found: Vec<Found> = errors.iter().map(place).collect();
    let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    cx.out.print(&found, |_| text);
    if !errors.is_empty() {
        output_count(cx, errors.len());
        return Err(CliError::silent(Kind::Config));
    }
    cx.out.note(&format!("✓ {} and nothing to object", count(roles.len(), "role")));
    Ok(())
}

fn output_count(cx: &Context, errors: usize) {
    if !cx.out.json && !cx.out.quiet {
        output::message(&count(errors, "error"));
    }
}
