//! What each stage did to the steps, for `bd formula explain`.

use std::collections::HashMap;
use std::sync::Arc;

use super::Text;
use super::def::{StepDef, walk};

/// What the stages changed. Texts are shared with the steps, so keeping them costs little.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Each stage that changed something, in order.
    pub stages: Vec<Stage>,
    before: HashMap<Arc<str>, Look>,
    off: bool,
}

/// One stage.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Stage {
    /// `extends`, `loops`, `branch`, `advice`, `expand` or `aspects`.
    pub stage: &'static str,
    /// Steps that it made, with where their text stands.
    pub added: Vec<Made>,
    /// Steps that it replaced.
    pub removed: Vec<Arc<str>>,
    /// Steps that are others afterwards.
    pub changed: Vec<Changed>,
}

/// A step that a stage made.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Made {
    /// Its id.
    pub id: Arc<str>,
    /// Where its text stands, as in `security-audit@advice[0].before`.
    pub from: String,
}

/// A step that a stage changed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Changed {
    /// Its id.
    pub id: Arc<str>,
    /// What is other than before, as in `+ needs review` or `title`.
    pub what: Vec<String>,
}

/// What is compared of a step.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    from: (Arc<str>, Arc<str>),
    needs: Vec<Arc<str>>,
    labels: Vec<Arc<str>>,
    conditions: Vec<Arc<str>>,
    held: Vec<Arc<str>>,
    title: Option<Arc<str>>,
    description: Option<Arc<str>>,
    waits_for: Option<Arc<str>>,
    gate: Option<Arc<str>>,
}

impl Look {
    fn at(step: &StepDef) -> Self {
        let all = |list: &[Text]| list.iter().map(|t| Arc::clone(&t.value)).collect::<Vec<_>>();
        let one = |text: Option<&Text>| text.map(|t| Arc::clone(&t.value));
        let mut needs = all(&step.depends_on);
        needs.extend(all(&step.needs));
        Self {
            from: (Arc::clone(&step.formula), Arc::clone(&step.location)),
            needs,
            labels: all(&step.labels),
            conditions: all(&step.condition),
            held: all(step.held.as_deref().unwrap_or_default()),
            title: one(step.title.as_ref()),
            description: one(step.description.as_ref()),
            waits_for: one(step.waits_for.as_deref()),
            gate: step.gate.as_ref().map(|g| Arc::clone(&g.kind.value)),
        }
    }

    fn from(&self) -> String {
        format!("{}@{}", self.from.0, self.from.1)
    }

    /// What is other in `now`.
    fn against(&self, now: &Self) -> Vec<String> {
        let mut what = Vec::new();
        if self.from.0 != now.from.0 {
            what.push(format!("now of {}", now.from()));
        }
        for (word, old, new) in [
            ("needs", &self.needs, &now.needs),
            ("label", &self.labels, &now.labels),
            ("condition", &self.conditions, &now.conditions),
            ("gate", &self.held, &now.held),
        ] {
            what.extend(old.iter().filter(|t| !new.contains(t)).map(|t| format!("- {word} {t}")));
            what.extend(new.iter().filter(|t| !old.contains(t)).map(|t| format!("+ {word} {t}")));
        }
        let others = [
            ("title", self.title != now.title),
            ("description", self.description != now.description),
            ("waits_for", self.waits_for != now.waits_for),
            ("gate", self.gate != now.gate),
        ];
        what.extend(others.into_iter().filter(|(_, other)| *other).map(|(word, _)| format!("another {word}")));
        what
    }
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
        Self::at(&step.id, &step.formula, step.location.to_string())
    }

    /// What is called `id`, where that stands in `formula`.
    pub(super) fn at(id: &Text, formula: &str, location: String) -> Self {
        let (file, line) = (id.at.source.path.clone(), id.at.line_col().0);
        Self { id: id.to_string(), formula: formula.to_owned(), location, file, line }
    }
}

fn looks(steps: &[StepDef]) -> Vec<(Arc<str>, Look)> {
    let mut looks = Vec::new();
    walk(steps, &mut |s| looks.push((Arc::clone(&s.id.value), Look::at(s))));
    looks
}

impl Trace {
    /// Keeps nothing: where nobody asks, comparing a million steps after each stage is too much.
    pub(super) fn off() -> Self {
        Self { off: true, ..Self::default() }
    }

    pub(super) fn start(&mut self, steps: &[StepDef]) {
        if !self.off {
            self.before = looks(steps).into_iter().collect();
        }
    }

    pub(super) fn note(&mut self, stage: &'static str, steps: &[StepDef]) {
        if self.off {
            return;
        }
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        let now = looks(steps);
        for (id, look) in &now {
            let what = match self.before.get(id) {
                None => {
                    added.push(Made { id: Arc::clone(id), from: look.from() });
                    continue;
                }
                Some(before) => before.against(look),
            };
            if !what.is_empty() {
                changed.push(Changed { id: Arc::clone(id), what });
            }
        }
        let after: HashMap<Arc<str>, Look> = now.into_iter().collect();
        let mut removed: Vec<Arc<str>> = self.before.keys().filter(|id| !after.contains_key(*id)).cloned().collect();
        removed.sort_unstable();
        if !(added.is_empty() && removed.is_empty() && changed.is_empty()) {
            self.stages.push(Stage { stage, added, removed, changed });
        }
        self.before = after;
    }
}
