//! `gt policy`: look at the rules of the town, check and test your own.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Context;
use crate::base::RigName;
use crate::cli::CliError;
use crate::cli::error::Kind;
use crate::config::Overrides;
use crate::policy::{self, Layer, LayerSource};
use crate::town::{Rig, Town};

mod check;
mod eject;
mod facts;
mod show;
mod test;
mod types;

/// Look at the rules of the town, check and test your own.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what is wrong with policy files, without running them
    Check(check::Args),
    /// Copy a shipped role into the town as a layer of your own
    Eject(eject::Args),
    /// List what rules can read
    Facts(facts::Args),
    /// Show the roles with their layers, or print a shipped role
    Show(show::Args),
    /// Run the tests that stand beside policies
    Test(test::Args),
    /// Print the type stubs for editors
    Types(types::Args),
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Check(args) => check::run(cx, &args),
        Verb::Eject(args) => eject::run(cx, &args),
        Verb::Facts(args) => facts::run(cx, &args),
        Verb::Show(args) => show::run(cx, &args),
        Verb::Test(args) => test::run(cx, &args),
        Verb::Types(args) => types::run(cx, &args),
    }
}

/// One role of one rig (or of the town, where no rig is): its layers and settings.
struct Role {
    rig: Option<RigName>,
    name: String,
    layers: Vec<LayerSource>,
    settings: toml::Table,
}

/// The town around us, if there is one: `gt policy` works without, too.
fn town(cx: &Context) -> Result<Option<Town>, CliError> {
    match Town::find(&cx.env.cwd, cx.env.town.as_deref()) {
        Ok(town) => Ok(Some(town)),
        Err(_) if cx.env.town.is_none() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn rigs(town: &Town, only: Option<&RigName>) -> Result<Vec<Rig>, CliError> {
    let names = match only {
        Some(name) => vec![name.clone()],
        None => town.rig_names()?,
    };
    names.iter().map(|name| Ok(town.rig(name, &Overrides::default())?)).collect()
}

/// Every role that has a file or is shipped: for each rig, and for the town alone when it has no rig.
fn roles(cx: &Context, only: Option<&RigName>) -> Result<Vec<Role>, CliError> {
    let Some(town) = town(cx)? else {
        let shipped = |name: &'static str| Role {
            rig: None,
            name: name.into(),
            layers: policy::builtin(name).into_iter().collect(),
            settings: toml::Table::new(),
        };
        return Ok(policy::builtin_roles().map(shipped).collect());
    };
    let mut all = Vec::new();
    let rigs = rigs(&town, only)?;
    if rigs.is_empty() {
        let config = town.config()?;
        for name in names(&[town.lua_dir()]) {
            let layers = layers(&name, &[(Layer::Town, town.lua_dir())])?;
            all.push(Role { rig: None, settings: config.role(&name), name, layers });
        }
    }
    for rig in rigs {
        for name in names(&[town.lua_dir(), rig.lua_dir()]) {
            let layers = layers(&name, &[(Layer::Town, town.lua_dir()), (Layer::Rig, rig.lua_dir())])?;
            all.push(Role { rig: Some(rig.name.clone()), settings: rig.config.role(&name), name, layers });
        }
    }
    Ok(all)
}

fn names(folders: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = policy::builtin_roles().map(str::to_owned).collect();
    for folder in folders {
        for path in lua_files(&folder.join("roles")) {
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
            if !stem.ends_with("_test") && !names.contains(&stem) {
                names.push(stem);
            }
        }
    }
    names
}

/// The `.lua` files of a folder, in order of name; none when there is no such folder.
fn lua_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "lua")).collect();
    paths.sort();
    paths
}

fn layers(role: &str, folders: &[(Layer, PathBuf)]) -> Result<Vec<LayerSource>, CliError> {
    let mut layers: Vec<LayerSource> = policy::builtin(role).into_iter().collect();
    for (layer, folder) in folders {
        let source = LayerSource::read(*layer, folder, role).map_err(|e| {
            CliError::new(Kind::Config, format!("a policy in {} cannot be read: {e}", folder.display()))
        })?;
        layers.extend(source);
    }
    Ok(layers)
}

/// A file that the user names, as the role that its name says: over the layers that lie below it.
fn named(cx: &Context, path: &Path) -> Result<Role, CliError> {
    let path = cx.env.path(path);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        CliError::path(&path, &e, "policies are lua/roles/ROLE.lua; without a file all are checked: gt policy check")
    })?;
    let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
    // One that stands in its place in the town is judged with all that is below and above it.
    if let Some(role) = roles(cx, None)?.into_iter().find(|r| r.layers.iter().any(|l| Path::new(&l.path) == path)) {
        return Ok(role);
    }
    let mut layers: Vec<LayerSource> = policy::builtin(&name).into_iter().collect();
    let folder = path.parent().and_then(Path::parent);
    let source = folder.and_then(|folder| LayerSource::read(Layer::Town, folder, &name).ok().flatten());
    let source = source.filter(|s| s.text == text);
    layers.push(source.unwrap_or_else(|| LayerSource::new(Layer::Town, path.display().to_string(), text)));
    Ok(Role { rig: None, name, layers, settings: toml::Table::new() })
}
