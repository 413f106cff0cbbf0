//! `gt policy show`: the roles with their layers and settings, or the text of a shipped role.

use serde::Serialize;

use super::{Context, roles};
use crate::base::RigName;
use crate::cli::CliError;
use crate::policy::{self, Engine, Layer, LayerSource};

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
    for role in roles(cx, args.rig.as_ref())? {
        let loaded = Engine::load(&role.name, &role.layers, &role.settings);
        let errors = loaded.as_ref().err().map(|e| e.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let engine = loaded.ok();
        all.push(Shown {
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
        lines.push(format!("{rig}{}  {revision}", shown.role));
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
