//! What each stage did to the steps, for `bd formula explain`.

use std::collections::HashSet;
use std::sync::Arc;

use super::def::{StepDef, walk};

/// What the stages changed. Ids are shared with the steps, so keeping them costs little.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Each stage that changed something.
    pub stages: Vec<Stage>,
    before: HashSet<Arc<str>>,
    off: bool,
}

/// One stage.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Stage {
    /// `loops`, `branch`, `advice`, `expand` or `aspects`.
    pub stage: &'static str,
    /// Steps that it made.
    pub added: Vec<Arc<str>>,
    /// Steps that it replaced.
    pub removed: Vec<Arc<str>>,
}

/// Where one step came from.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Change {
    /// The step.
    pub id: String,
    /// The formula that holds its text.
    pub formula: String,
    /// As in `steps[1].loop.body[0].iter3`.
    pub location: String,
    /// The file.
    pub file: String,
    /// The line of its id.
    pub line: usize,
}

impl Change {
    pub(super) fn of(step: &StepDef) -> Self {
        Self {
            id: step.id.as_str().to_owned(),
            formula: step.formula.as_ref().to_owned(),
            location: step.location.as_ref().to_owned(),
            file: step.id.at.source.path.clone(),
            line: step.id.at.line_col().0,
        }
    }
}

fn ids(steps: &[StepDef]) -> Vec<Arc<str>> {
    let mut ids = Vec::new();
    walk(steps, &mut |s| ids.push(Arc::clone(&s.id.value)));
    ids
}

impl Trace {
    /// Keeps nothing: where nobody asks, comparing a million ids after each stage is too much.
    pub(super) fn off() -> Self {
        Self { off: true, ..Self::default() }
    }

    pub(super) fn start(&mut self, steps: &[StepDef]) {
        if self.off {
            return;
        }
        self.before = ids(steps).into_iter().collect();
    }

    pub(super) fn note(&mut self, stage: &'static str, steps: &[StepDef]) {
        if self.off {
            return;
        }
        let now = ids(steps);
        let added: Vec<Arc<str>> = now.iter().filter(|id| !self.before.contains(*id)).cloned().collect();
        let after: HashSet<Arc<str>> = now.into_iter().collect();
        let mut removed: Vec<Arc<str>> = self.before.difference(&after).cloned().collect();
        removed.sort_unstable();
        if !added.is_empty() || !removed.is_empty() {
            self.stages.push(Stage { stage, added, removed });
        }
        self.before = after;
    }
}
