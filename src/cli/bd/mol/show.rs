//! `bd mol show`: a molecule and all that belongs to it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::Context;
use crate::base::text::headline;
use crate::cli::CliError;
use crate::molecule::{self, StepLine, StepState};
use crate::store::{Bead, Filter};

/// Shows a molecule.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The molecule, one of its steps, or the bead it was poured for
    molecule: Option<String>,
    /// Say which steps could run side by side
    #[arg(long)]
    parallel: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    let who = cx.stamp().actor;
    let (value, text) = cx.read(|r| {
        let root = super::meant(r, args.molecule.as_deref(), &who)?;
        let bead = r.need(&root)?;
        let lines = molecule::lines(r, &root)?;
        let mut issues = r.find(&Filter { under: Some(root.clone()), ..Filter::default() })?;
        issues.insert(0, bead.clone());
        let mut edges = Vec::new();
        for issue in &issues {
            edges.extend(r.deps(&issue.id)?);
        }
        let groups = args.parallel.then(|| parallel(&lines));
        let mut value = json!({
            "root": bead, "issues": issues, "dependencies": edges,
            "variables": bead.metadata.get("vars").cloned().unwrap_or(Value::Null),
            "is_compound": bead.bonded_from.is_some(), "bonded_from": bead.bonded_from,
        });
        if let Some(groups) = &groups {
            value["parallel_groups"] = json!(groups);
        }
        let mut text = page(&bead, &lines);
        if let Some(groups) = groups.filter(|g| !g.is_empty()) {
            let _ = writeln!(text, "\ncan run side by side: {}", groups.join(", "));
        }
        Ok::<_, CliError>((value, text))
    })?;
    cx.out.print(&value, |_| text);
    Ok(())
}

/// The steps that could be begun now, when there are several.
fn parallel(lines: &[StepLine]) -> Vec<String> {
    let ready: Vec<String> = lines
        .iter()
        .filter(|l| matches!(l.status, StepState::Ready | StepState::Current))
        .map(|l| l.issue.id.to_string())
        .collect();
    if ready.len() > 1 { ready } else { Vec::new() }
}

/// The molecule as people read it; of a long one, what is around the place where it stands.
fn page(root: &Bead, lines: &[StepLine]) -> String {
    if lines.len() <= 100 {
        return page_of(root, lines, lines);
    }
    let at = lines.iter().position(|l| l.status != StepState::Done).unwrap_or(0).saturating_sub(5);
    page_of(root, lines, &lines[at..(at + 40).min(lines.len())])
}

/// As [`page`], with these of its steps.
pub(super) fn page_of(root: &Bead, lines: &[StepLine], shown: &[StepLine]) -> String {
    let done = lines.iter().filter(|l| l.status == StepState::Done).count();
    let mut out = format!("{}  {}  {done}/{}\n", root.id, headline(&root.title, 100), lines.len());
    if shown.len() < lines.len() {
        let first = shown.first().and_then(|first| lines.iter().position(|l| l.issue.id == first.issue.id));
        let _ = match first {
            Some(at) => writeln!(out, "  … steps {} to {}", at + 1, at + shown.len()),
            None => writeln!(out, "  … none of its steps"),
        };
    }
    for line in shown {
        let (mark, word) = match line.status {
            StepState::Done => ("✓", ""),
            StepState::Current => ("▶", "  ← now"),
            StepState::Ready => ("○", ""),
            StepState::Blocked => ("·", "  waits"),
            StepState::Pending => ("·", ""),
        };
        let name = molecule::step_name(&line.issue).unwrap_or_default();
        let title = headline(&line.issue.title, 80);
        let title = if title == name { String::new() } else { format!("  {title}") };
        let _ = writeln!(out, "  {mark} {}  {name}{title}{word}", line.issue.id);
    }
    out
}
