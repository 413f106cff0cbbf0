//! `bd mol distill`: what was done once becomes a formula.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::super::Context;
use crate::cli::CliError;
use crate::formula::as_toml;
use crate::molecule::{self, MoleculeError};

/// Makes a formula of an epic or a molecule.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The epic or the root of the molecule
    epic: String,
    /// The name of the formula; made of the title when not given
    name: Option<String>,
    /// A variable and the text that it stands for, either way round; the text becomes its default
    #[arg(long = "var", value_name = "NAME=TEXT", value_parser = super::super::formula::library::var)]
    vars: Vec<(String, String)>,
    /// Write to this file; without it, to the formulas of this tracker
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print it and write no file
    #[arg(long, conflicts_with = "output")]
    dry_run: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let (name, formula) = cx.read(|r| {
        let epic = r.resolve(&args.epic)?;
        let name = match args.name.clone() {
            Some(name) => name,
            None => molecule::slug(&r.need(&epic)?.title),
        };
        let mut vars = BTreeMap::new();
        for (left, right) in &args.vars {
            let occurs = |name: &String, text: &String| match molecule::distill(
                r,
                &epic,
                name,
                &[(name.clone(), text.clone())].into(),
            ) {
                Ok(_) => Ok(true),
                Err(MoleculeError::NotFoundIn { .. }) => Ok(false),
                Err(other) => Err(other),
            };
            let (name, text) = match (is_name(left), is_name(right)) {
                (true, true) if !occurs(left, right)? && occurs(right, left)? => (right, left),
                (true, _) => (left, right),
                (false, true) => (right, left),
                (false, false) => {
                    return Err(CliError::user(format!("`{left}={right}` has no name of a variable"))
                        .hint("a name has letters, digits and _: --var version=1.2.0"));
                }
            };
            vars.insert(name.clone(), text.clone());
        }
        Ok((name.clone(), molecule::distill(r, &epic, &name, &vars)?))
    })?;
    let text = as_toml(&formula).map_err(|why| CliError::user(format!("it cannot be written as TOML: {why}")))?;
    if args.dry_run {
        cx.out.print(&formula, |_| text.clone());
        return Ok(());
    }
    let folder = cx.place().beads_dir.join("formulas");
    let to = match &args.output {
        Some(path) => cx.env.path(path),
        None => folder.join(format!("{name}.formula.toml")),
    };
    if to.exists() && !args.force {
        return Err(CliError::refused(format!("{} is there already", to.display())).hint("--force replaces it"));
    }
    let wrong = |e: std::io::Error| CliError::user(format!("{} cannot be written: {e}", to.display()));
    if args.output.is_none() {
        std::fs::create_dir_all(&folder).map_err(wrong)?;
    }
    crate::base::atomic::write(&to, text.as_bytes()).map_err(wrong)?;
    let steps = formula["steps"].as_array().map_or(0, Vec::len);
    cx.out.print(&json!({ "formula": name, "written": to, "steps": steps }), |_| {
        format!("✓ wrote {}\nnext: bd formula check {name}", to.display())
    });
    Ok(())
}

/// Whether a variable may be called so.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
