//! `gt policy show`: the roles with their layers and settings, or the text of a shipped role.

use serde::Serialize;

use super::{Context, roles, town};
use crate::base::RigName;
use crate::cli::CliError;
use crate::policy::{self, Engine, Layer, LayerSource};
use crate::town::TownError;
use crate::town::roles::load::{WARNINGS, Warning};

/// Show the roles with their layers, or print a shipped role.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the shipped text of this role.
    role: Option<String>,
    /// Only the roles of this rig.
    #[arg(long)]
    rig: Option<RigName>,
}

#[derive(Debug, Serialize)]
struct Shown {
    rig: Option<String>,
    role: String,
    revision: Option<String>,
    layers: Vec<String>,
    rules: Vec<String>,
    settings: Vec<(String, String, String)>,
    errors: Vec<String>,
    /// Why this revision, which is that of the files, is not in charge, and which one is; as the daemon found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    if let Some(role) = &args.role {
        let Some(source) = policy::builtin(role) else {
            let names: Vec<&str> = policy::builtin_roles().collect();
            return Err(CliError::not_found(format!("no role `{role}` is shipped"))
                .hint(format!("shipped are {}", names.join(", "))));
        };
        cx.out.print(&source.text, Clone::clone);
        return Ok(());
    }
    let mut all = Vec::new();
    let warnings = warnings(cx)?;
    for role in roles(cx, args.rig.as_ref())? {
        let loaded = Engine::load(&role.name, &role.layers, &role.settings);
        let errors = loaded.as_ref().err().map(|e| e.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let engine = loaded.ok();
        let of = role.rig.as_ref().map(ToString::to_string).unwrap_or_default();
        let about = |w: &&Warning| w.refused && w.role == role.name && (w.rig == of || of.is_empty());
        all.push(Shown {
            refused: warnings.iter().filter(about).map(|w| w.text.clone()).collect(),
            rig: role.rig.map(|r| r.to_string()),
            role: role.name,
            revision: engine.as_ref().map(|e| e.revision().to_owned()),
            layers: role.layers.iter().map(layer).collect(),
            rules: engine.as_ref().map(|e| e.rules().into_iter().map(|r| r.rule).collect()).unwrap_or_default(),
            settings: engine.as_ref().map(Engine::settings).unwrap_or_default(),
            errors,
        });
    }
    cx.out.print(&all, text_of);
    Ok(())
}

/// What the daemon found wrong with policies; nothing where there is no town.
fn warnings(cx: &Context) -> Result<Vec<Warning>, CliError> {
    if town(cx)?.is_none() {
        return Ok(Vec::new());
    }
    let (_, store) = cx.open()?;
    let (namespace, key) = WARNINGS;
    let found = store.read(|r| r.local_or_none(namespace, key)).map_err(TownError::from)?;
    Ok(found.unwrap_or_default())
}

/// A layer and its file; that of a built-in one says which layer it is.
fn layer(source: &LayerSource) -> String {
    match source.layer {
        Layer::Builtin => source.path.clone(),
        layer => format!("{layer} {}", source.path),
    }
}

fn text_of(all: &Vec<Shown>) -> String {
    let mut lines = Vec::new();
    for shown in all {
        let rig = shown.rig.as_ref().map(|r| format!("{r}/")).unwrap_or_default();
        let revision = shown.revision.as_ref().map_or("does not load", |r| r.as_str());
        let not = if shown.refused.is_empty() { "" } else { "  (the files; not in charge)" };
        lines.push(format!("{rig}{}  {revision}{not}", shown.role));
        for why in &shown.refused {
            lines.extend(why.lines().map(|line| format!("  {line}")));
        }
        for layer in &shown.layers {
            lines.push(format!("  layer    {layer}"));
        }
        if !shown.rules.is_empty() {
            lines.push(format!("  rules    {}", shown.rules.join(", ")));
        }
        for (name, value, doc) in &shown.settings {
            lines.push(format!("  setting  {name} = {value}   {doc}"));
        }
        for error in &shown.errors {
            lines.push(error.clone());
        }
    }
    lines.join("\n")
}
