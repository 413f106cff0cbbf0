//! The text of a digest, as the formula's `[squash]` wants it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::base::text::{count, headline};
use crate::base::{BeadId, Time, span::Span};
use crate::formula::{Vars, fill};
use crate::store::{Bead, Status};

/// Who closed which step.
pub(super) type Closers = HashMap<BeadId, String>;

/// So many steps are listed one by one.
const LISTED: usize = 1_000;

/// The `[squash]` table of a formula, as the root of the molecule has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Rule {
    trigger: String,
    template_type: String,
    template: Option<String>,
    include_metrics: bool,
}

impl Rule {
    /// The one of a molecule; what a hand has damaged counts as none.
    pub(super) fn of(root: &Bead) -> Self {
        let table = root.metadata.get("squash").cloned();
        table.and_then(|table| serde_json::from_value(table).ok()).unwrap_or_default()
    }

    /// Whether the digest is made when the last step is closed.
    pub(super) fn on_complete(&self) -> bool {
        self.trigger == "on_complete"
    }

    /// Whether the digest says who closed how many steps.
    pub(super) fn names_closers(&self) -> bool {
        self.include_metrics || self.template.as_ref().is_some_and(|text| text.contains("metrics"))
    }

    /// The text of the digest of a molecule with these steps, closed by these.
    pub(super) fn text(&self, root: &Bead, steps: &[&Bead], closers: &Closers) -> String {
        if let Some(template) = &self.template {
            return fill(template, &values(root, steps, closers));
        }
        let mut out = heading(root, steps);
        if self.template_type != "summary" {
            let _ = write!(out, "\n---\n\n### Steps\n\n{}", list(steps));
        }
        if self.include_metrics {
            let _ = write!(out, "\n---\n\n### Metrics\n\n{}", metrics(root, steps, closers));
        }
        out
    }
}

/// What a template can name, beside the variables of the formula.
fn values(root: &Bead, steps: &[&Bead], closers: &Closers) -> Vars {
    let poured = root.metadata.get("vars").cloned().and_then(|vars| serde_json::from_value::<Vars>(vars).ok());
    let mut values = poured.unwrap_or_default();
    let formula = root.metadata.get("formula").and_then(serde_json::Value::as_str).unwrap_or_default();
    let more = [
        ("molecule", root.id.to_string()),
        ("molecule_title", root.title.clone()),
        ("formula", formula.to_owned()),
        ("steps", steps.len().to_string()),
        ("completed", done(steps).to_string()),
        ("elapsed", elapsed(root, steps)),
        ("outcomes", list(steps)),
        ("metrics", metrics(root, steps, closers)),
    ];
    values.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    values
}

fn done(steps: &[&Bead]) -> usize {
    steps.iter().filter(|s| s.is_over()).count()
}

fn heading(root: &Bead, steps: &[&Bead]) -> String {
    let mut out = format!(
        "## Molecule Execution Summary\n\n**Molecule**: {}\n**Steps**: {}\n\n**Completed**: {}/{}\n",
        root.title,
        steps.len(),
        done(steps),
        steps.len()
    );
    let going = steps.iter().filter(|s| s.status == Status::IN_PROGRESS).count();
    if going > 0 {
        let _ = writeln!(out, "**In Progress**: {going}");
    }
    out
}

fn list(steps: &[&Bead]) -> String {
    let mut out = String::new();
    for (i, step) in steps.iter().take(LISTED).enumerate() {
        let _ = writeln!(out, "{}. **[{}]** {}", i + 1, step.status, step.title);
        let about = headline(&step.description, 200);
        if !about.is_empty() {
            let _ = writeln!(out, "   {about}");
        }
        if !step.close_reason.is_empty() {
            let _ = writeln!(out, "   *Outcome: {}*", headline(&step.close_reason, 200));
        }
    }
    if steps.len() > LISTED {
        let _ = writeln!(out, "… and {} more", steps.len() - LISTED);
    }
    out
}

/// From the making of the molecule to the closing of its last step.
fn elapsed(root: &Bead, steps: &[&Bead]) -> String {
    let last: Option<Time> = steps.iter().filter_map(|s| s.closed_at).max();
    let ms = last.map_or(0, |last| (last.millis() - root.created_at.millis()).max(0));
    Span::seconds(ms / 1_000).to_string()
}

fn metrics(root: &Bead, steps: &[&Bead], closers: &Closers) -> String {
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps.iter().filter(|s| s.is_over()) {
        // What was closed elsewhere came without a name; whoever had it is the nearest to it.
        let who = closers.get(&step.id).unwrap_or(&step.assignee);
        if !who.is_empty() {
            *by.entry(who).or_default() += 1;
        }
    }
    let skipped =
        steps.iter().filter(|s| s.metadata.get("outcome").is_some_and(|outcome| outcome == "skipped")).count();
    let mut out = format!("- elapsed: {}\n- steps closed: {} of {}\n", elapsed(root, steps), done(steps), steps.len());
    if skipped > 0 {
        let _ = writeln!(out, "- steps skipped: {skipped}");
    }
    for (who, n) in by {
        let _ = writeln!(out, "- {who}: {}", count(n, "step"));
    }
    out
}
