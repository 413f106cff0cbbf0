//! `gt hook`: what is on the hook of whoever asks.

use super::{Context, place};
use crate::cli::CliError;
use crate::town::TownError;
use crate::town::hook::{self, HookView};

/// Shows what is on your hook, and which step is next.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Another agent's hook.
    agent: Option<String>,
    /// Print one value alone: bead.id, step.name, state, …
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (here, store) = cx.open()?;
    let view = store.read(|r| {
        let agent = match &args.agent {
            Some(text) => place::agent(r, text)?,
            None => here.me.clone(),
        };
        hook::view(r, &agent)
    });
    let view = view.map_err(|e: TownError| e)?;
    if let Some(name) = &args.field {
        let value = view.field(name)?;
        cx.out.print(&value, |value| format!("{value}\n"));
        return Ok(());
    }
    cx.out.print(&view, text);
    Ok(())
}

fn text(view: &HookView) -> String {
    let Some(bead) = &view.bead else { return format!("{}: (empty)", view.agent) };
    let mut lines = vec![format!("{}: {} '{}' [{}]", view.agent, bead.id, bead.title, bead.status)];
    if let Some(molecule) = &view.molecule {
        let steps: Vec<String> = molecule
            .steps
            .iter()
            .map(|(name, status)| format!("{} {name}", if status.is_over() { "✓" } else { "○" }))
            .collect();
        lines.push(format!("  {} {}/{}: {}", molecule.formula, molecule.closed, molecule.total, steps.join("  ")));
    }
    match &view.step {
        Some(step) => lines.push(format!("  now: {} ({})   then: gt step done", step.name, step.id)),
        None => lines.push("  no step is left   then: gt done".into()),
    }
    lines.join("\n")
}
