//! `gt policy test`: runs the Lua tests that stand beside policies and aspects.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Context, Role, lua_files, named, rigs, roles, town};
use crate::base::text::count;
use crate::cli::CliError;
use crate::cli::error::Kind;
use crate::formula::{AspectFile, Layer as FormulaLayer, Library, Source};
use crate::policy::{Layer, LayerSource, Limits, LuaAspects, run_aspect_tests, run_tests};
use crate::town::Town;

/// Run the tests that stand beside policies and Lua aspects. Without FILE, all of the town.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Test files, as in `lua/roles/witness_test.lua` or `.beads/formulas/four-eyes_test.lua`.
    files: Vec<PathBuf>,
    /// Write what happened into the texts of `expect`.
    #[arg(long)]
    accept: bool,
}

#[derive(Debug, Serialize)]
struct Case {
    file: String,
    name: String,
    failure: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let mut cases = Vec::new();
    for path in files(cx, args)? {
        let text = std::fs::read_to_string(&path).map_err(|e| {
            CliError::path(&path, &e, "tests are lua/roles/ROLE_test.lua; without a file all run: gt policy test")
        })?;
        let file = LayerSource::new(Layer::Town, path.display().to_string(), text);
        let library = library(town(cx)?.as_ref(), &path);
        let sources = |role: &str| {
            // The policy beside the test, else the role as the town has it.
            let beside = path.with_file_name(format!("{role}.lua"));
            let role = if beside.is_file() {
                under_test(cx, &beside)?
            } else {
                roles(cx, None).ok()?.into_iter().find(|r| r.name == role)?
            };
            Some((role.layers, role.settings))
        };
        let report = match aspect(&path) {
            Some(aspect) => run_aspect_tests(&file, &aspect, &library),
            None => run_tests(&file, &sources, &library, &LuaAspects::default(), Limits::of_tests()),
        };
        if args.accept && !report.accept.is_empty() {
            let new = report.accepted(&file.text);
            crate::base::atomic::write(&path, new.as_bytes())
                .map_err(|e| CliError::user(format!("{} cannot be written: {e}", path.display())))?;
            cx.out.note(&format!("✓ wrote {} into {}", count(report.accept.len(), "text"), path.display()));
        }
        cases.extend(report.cases.into_iter().map(|case| Case {
            file: file.path.clone(),
            name: case.name,
            failure: case.failure.map(|f| f.to_string()),
        }));
    }
    if cases.is_empty() {
        cx.out.note(
            "no test was found: those of lua/roles/NAME.lua stand in lua/roles/NAME_test.lua beside it, in the town or a rig; \
             those of an aspect beside it, too",
        );
    }
    cx.out.print(&cases, |cases| text_of(cases));
    let failed = cases.iter().filter(|c| c.failure.is_some()).count();
    if failed > 0 && !args.accept {
        return Err(CliError::silent(Kind::Config));
    }
    Ok(())
}

/// The Lua aspect that a test is about: the file of its name beside it, if that is one.
fn aspect(test: &Path) -> Option<AspectFile> {
    let name = test.file_stem()?.to_str()?.strip_suffix("_test")?.to_owned();
    let beside = test.with_file_name(format!("{name}.lua"));
    let text = std::fs::read_to_string(&beside).ok().filter(|text| text.contains("gt.aspect"))?;
    let source = Source::new(beside.display().to_string(), text, FormulaLayer::Town);
    Some(AspectFile { name, source: source.into() })
}

/// The layer beside a test with what is below it, and the settings of its place: a running town asks the same of it.
fn under_test(cx: &Context, layer: &Path) -> Option<Role> {
    let mut role = named(cx, layer).ok()?;
    let at = role.layers.iter().position(|l| Path::new(&l.path) == layer)?;
    role.layers.truncate(at + 1);
    if let Some(town) = town(cx).ok()?.filter(|town| layer.starts_with(town.lua_dir())) {
        role.settings = town.config().ok()?.role(&role.name);
    }
    Some(role)
}

/// The formulas of the patrols under test: those beside the `lua` folder that the test is in, as a town or a rig has
/// them, then those of the town.
fn library(town: Option<&Town>, test: &Path) -> Library {
    let beside = test.ancestors().nth(3).map(Path::to_owned);
    let own = test.parent().map(|dir| (FormulaLayer::Town, dir.to_owned()));
    let beside = beside
        .into_iter()
        .flat_map(|dir| [(FormulaLayer::Rig, dir.join("formulas")), (FormulaLayer::Town, dir.join(".beads/formulas"))]);
    Library::new(own.into_iter().chain(beside).chain(town.map(|town| (FormulaLayer::Town, town.formulas_dir()))))
}

fn files(cx: &Context, args: &Args) -> Result<Vec<PathBuf>, CliError> {
    if !args.files.is_empty() {
        return Ok(args.files.iter().map(|f| cx.env.path(f)).collect());
    }
    let Some(town) = town(cx)? else {
        return Err(CliError::user("there is no town here, and no test file was named")
            .hint("gt policy test lua/roles/witness_test.lua"));
    };
    let mut folders = vec![town.lua_dir().join("roles"), town.formulas_dir()];
    for rig in rigs(&town, None)? {
        folders.extend([rig.lua_dir().join("roles"), rig.formulas_dir()]);
    }
    let is_test = |p: &PathBuf| p.file_stem().and_then(|s| s.to_str()).is_some_and(|s| s.ends_with("_test"));
    Ok(folders.iter().flat_map(|folder| lua_files(folder)).filter(is_test).collect())
}

fn text_of(cases: &[Case]) -> String {
    let line = |case: &Case| match &case.failure {
        None => format!("✓ {}", case.name),
        Some(failure) => format!("✗ {}\n{failure}", case.name),
    };
    let failed = cases.iter().filter(|c| c.failure.is_some()).count();
    let last = format!("{}, {failed} failed", count(cases.len(), "case"));
    cases.iter().map(line).chain([last]).collect::<Vec<_>>().join("\n")
}
