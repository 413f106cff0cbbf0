//! `bd mol ready`: the steps of a molecule that can be begun.

use std::fmt::Write as _;

use serde_json::json;

use super::super::Context;
use crate::base::text::headline;
use crate::cli::CliError;
use crate::molecule::{self, StepState};
use crate::store::{IssueType, Status};

/// Lists the steps that can be begun, wisps' too.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The molecule, one of its steps, or the bead it was poured for; yours when none is given
    molecule: Option<String>,
    /// Instead: molecules of which a gate is closed, a step is ready, and nobody has them
    #[arg(long)]
    gated: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if args.gated {
        return gated(cx);
    }
    let who = cx.stamp().actor;
    let (root, lines) = cx.read(|r| {
        let root = r.need(&super::meant(r, args.molecule.as_deref(), &who)?)?;
        let lines = molecule::lines(r, &root.id)?;
        Ok::<_, CliError>((root, lines))
    })?;
    let ready: Vec<_> = lines.iter().filter(|l| matches!(l.status, StepState::Ready | StepState::Current)).collect();
    let ids: Vec<_> = ready.iter().map(|l| l.issue.id.clone()).collect();
    let value = json!({
        "molecule_id": root.id, "molecule_title": root.title, "total_steps": lines.len(), "ready_steps": ready.len(),
        "steps": ready.iter().map(|l| json!({ "issue": l.issue, "parallel_info": { "can_parallel": ids.len() > 1 } })).collect::<Vec<_>>(),
        "parallel_groups": if ids.len() > 1 { json!({ "group-1": ids }) } else { json!({}) },
    });
    cx.out.print(&value, |_| {
        let mut out = String::new();
        for line in &ready {
            let _ = writeln!(out, "{}  {}", line.issue.id, headline(&line.issue.title, 100));
        }
        if out.is_empty() { "no step can be begun".to_owned() } else { out }
    });
    Ok(())
}

/// Molecules of which a gate is closed and a step is ready.
pub(in crate::cli::bd) fn gated(cx: &Context) -> Result<(), CliError> {
    let found = cx.read(|r| {
        let mut found = Vec::new();
        let hooks = r.hooks()?;
        for root in super::roots(r)? {
            if hooks.iter().any(|hook| hook.bead == root.id || hook.molecule.as_ref() == Some(&root.id)) {
                continue;
            }
            let lines = molecule::lines(r, &root.id)?;
            for line in lines.iter().filter(|l| matches!(l.status, StepState::Ready | StepState::Current)) {
                for dep in r.deps(&line.issue.id)? {
                    if let Some(gate) = r.bead(&dep.depends_on_id)?
                        && gate.issue_type == IssueType::GATE
                        && gate.status == Status::CLOSED
                    {
                        found.push(json!({
                            "molecule_id": root.id, "molecule_title": root.title, "closed_gate": gate,
                            "ready_step": line.issue,
                        }));
                    }
                }
            }
        }
        Ok::<_, CliError>(found)
    })?;
    cx.out.print(&json!({ "molecules": found, "count": found.len() }), |_| {
        let mut out = String::new();
        for one in &found {
            let _ = writeln!(
                out,
                "{}  {}",
                one["molecule_id"].as_str().unwrap_or_default(),
                one["ready_step"]["title"].as_str().unwrap_or_default()
            );
        }
        if out.is_empty() { "no molecule waits behind a closed gate".to_owned() } else { out }
    });
    Ok(())
}
