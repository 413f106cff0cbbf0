//! `bd formula check`: everything that is wrong, at once.

use std::path::PathBuf;

use serde_json::json;

use super::super::Context;
use super::library::{Around, library, path, var};
use crate::base::text::count;
use crate::cli::{CliError, Kind, output};
use crate::formula::{Aspects as _, Mode, Options, Report, Vars, compile};

/// Checks formulas.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Names, or paths to files; all that are found when none is given
    formulas: Vec<String>,
    /// A value for a variable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,
    /// Search this folder too, before the others
    #[arg(long, value_name = "DIR")]
    search_path: Vec<PathBuf>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let library = library(cx, &args.search_path);
    let vars: Vars = args.vars.into_iter().collect();
    let all = || library.names().into_iter().chain(library.lua_names()).collect();
    let names: Vec<String> = if args.formulas.is_empty() { all() } else { args.formulas };
    let aspects = Around::new(cx);
    let mut reports: Vec<(String, Report)> = Vec::new();
    for name in &names {
        if let Ok(Some(aspect)) = library.find_lua(name) {
            // Without a formula there are no steps; what is wrong with the file itself shows all the same.
            reports.push((name.clone(), aspects.advise(&aspect, &[]).err().unwrap_or_default()));
            continue;
        }
        let options = Options { vars: &vars, mode: Mode::Compile, aspects: &aspects };
        let report = match compile(&library, &path(cx, name), options) {
            Ok(cooked) => cooked.warnings,
            Err(report) => report,
        };
        reports.push((name.clone(), report));
    }
    let failed = reports.iter().filter(|(_, r)| r.failed()).count();
    let value: Vec<_> = reports
        .iter()
        .map(|(name, report)| json!({ "formula": name, "ok": !report.failed(), "findings": report }))
        .collect();
    cx.out.print(&value, |_| {
        let findings: Vec<String> =
            reports.iter().filter(|(_, r)| !r.findings.is_empty()).map(|(_, r)| r.render(false)).collect();
        findings.join("\n\n")
    });
    if failed > 0 {
        let error =
            CliError::new(Kind::Config, format!("{} of {} cannot be cooked", failed, count(names.len(), "formula")));
        if cx.out.json {
            output::message(&error.to_string());
            return Err(CliError::silent(Kind::Config));
        }
        return Err(error);
    }
    cx.out.note(&format!("✓ {} can be cooked", count(names.len(), "formula")));
    Ok(())
}
