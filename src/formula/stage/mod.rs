//! The stages between parsing and freezing, and what they share.

pub(crate) mod again;
pub(super) mod branch;
pub(super) mod check;
pub(super) mod conditions;
pub(super) mod control;
pub(crate) mod convoy;
pub(super) mod expand;
pub(super) mod extends;
pub(super) mod freeze;
pub(super) mod patrol;
pub(super) mod placeholders;
pub(crate) mod weave;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::def::{Formula, StepDef, walk_mut};
use super::parse;
use super::{Aspects, At, Diagnostic, Library, Limits, Report, Text, Vars, Woven};

/// What the stages of one compilation share.
pub(super) struct Cx<'a> {
    pub(super) library: &'a Library,
    pub(super) aspects: &'a dyn Aspects,
    pub(super) vars: &'a Vars,
    pub(super) limits: Limits,
    pub(super) report: Report,
    /// Formulas that took part, by the name they were asked for.
    loaded: BTreeMap<String, Option<Arc<Formula>>>,
    /// Those of them that were asked for as a whole.
    whole: BTreeMap<String, Option<Arc<Formula>>>,
    /// Parents with all that they extend, by the name they were asked for.
    extended: BTreeMap<String, Option<Arc<Formula>>>,
    /// Formula, path and layer of each file that took part.
    pub(super) sources: Vec<(String, String, String)>,
    /// First rounds of loops that go on until a condition holds.
    pub(super) rounds: Vec<again::Scope>,
    /// The Lua aspects that took part.
    pub(super) woven: Vec<Woven>,
    /// Steps made so far, against `limits.steps`.
    made: u64,
    /// Bytes of text made so far, at most, against `limits.bytes`.
    text: u64,
    over: bool,
    /// Steps in whose place others came.
    replaced: HashMap<Arc<str>, Instead>,
    /// Steps of which nothing came because they were wrong, which was told.
    lost: HashSet<Arc<str>>,
    /// What was told of places that stages come by again and again, as those in a loop.
    told: HashSet<(&'static str, String, usize)>,
}

/// What came in the place of a step.
struct Instead {
    /// Those of them that need none of the others, the first one first.
    begin: Vec<Arc<str>>,
    last: Arc<str>,
}

impl<'a> Cx<'a> {
    pub(super) fn new(library: &'a Library, aspects: &'a dyn Aspects, vars: &'a Vars) -> Self {
        Self {
            library,
            aspects,
            vars,
            limits: library.limits(),
            report: Report::default(),
            loaded: BTreeMap::new(),
            whole: BTreeMap::new(),
            extended: BTreeMap::new(),
            sources: Vec::new(),
            rounds: Vec::new(),
            woven: Vec::new(),
            made: 0,
            text: 0,
            over: false,
            replaced: HashMap::new(),
            lost: HashSet::new(),
            told: HashSet::new(),
        }
    }

    /// Notes that `made` came in the place of the step `id`, whose dependents wait for the last of them. Only the first
    /// `some` of them can begin it.
    pub(super) fn replace(&mut self, renamed: &mut Renamed, id: &Text, made: &[StepDef], some: usize) {
        let (Some(first), Some(last)) = (made.first(), made.last()) else {
            self.lost.insert(Arc::clone(&id.value));
            return;
        };
        renamed.insert(id, &last.id);
        let some = &made[..some.clamp(1, made.len())];
        let own = control::ids(some);
        let others = some[1..].iter().filter(|step| step.begins(&own));
        let begin = std::iter::once(first).chain(others).map(|step| Arc::clone(&step.id.value)).collect();
        self.replaced.insert(Arc::clone(&id.value), Instead { begin, last: Arc::clone(&last.id.value) });
    }

    /// Whether `id` is a step of which nothing came, or would be in it: nothing follows from its not being there.
    pub(super) fn is_lost(&self, id: &str) -> bool {
        let inside = |lost: &Arc<str>| id.strip_prefix(&**lost).is_some_and(|rest| rest.starts_with('.'));
        !self.lost.is_empty() && (self.lost.contains(id) || self.lost.iter().any(inside))
    }

    /// Whether there are steps of which nothing came.
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The step that begins what came in the place of `id`; without such, `id`.
    pub(super) fn first(&self, id: &Text) -> Text {
        self.begin(id).into_iter().next().unwrap_or_else(|| id.clone())
    }

    /// All steps that begin what came in the place of `id`, the first one first; without such, `id`.
    pub(super) fn begin(&self, id: &Text) -> Vec<Text> {
        let mut out = Vec::new();
        let mut todo = vec![(&id.value, 0)];
        while let Some((at, depth)) = todo.pop() {
            // Bounded: what came in the place of a step may have its name.
            match self.replaced.get(at).filter(|_| depth < self.limits.depth) {
                Some(instead) if !instead.begin.contains(at) => {
                    todo.extend(instead.begin.iter().rev().map(|next| (next, depth + 1)));
                }
                _ => out.push(id.with(&**at)),
            }
        }
        out
    }

    /// The step that ends what came in the place of `id`; without such, `id`.
    pub(super) fn last(&self, id: &Text) -> Text {
        let mut at = &id.value;
        // Bounded: what came in the place of a step may have its name.
        for _ in 0..self.limits.depth {
            match self.replaced.get(at).map(|instead| &instead.last) {
                Some(next) if next != at => at = next,
                _ => break,
            }
        }
        id.with(&**at)
    }

    /// Whether nothing was told yet under `code` of what is written at `at`: one mistake in a loop is one mistake.
    pub(super) fn news(&mut self, code: &'static str, at: &At) -> bool {
        self.told.insert((code, at.source.path.clone(), at.start()))
    }

    /// The formula called `name`, asked for at `by`.
    pub(super) fn load(&mut self, name: &str, by: Option<&At>) -> Option<Arc<Formula>> {
        if let Some(known) = self.loaded.get(name) {
            return known.clone();
        }
        let formula = self.read(name, by).map(Arc::new);
        self.loaded.insert(name.to_owned(), formula.clone());
        formula
    }

    /// The formula called `name` with what it has from those that it extends; what is wrong with them is told once.
    pub(super) fn whole(&mut self, name: &str, by: &At) -> Option<Arc<Formula>> {
        if let Some(known) = self.whole.get(name) {
            return known.clone();
        }
        let loaded = self.load(name, Some(by));
        let whole = loaded.and_then(|loaded| extends::resolve(self, &loaded)).map(Arc::new);
        self.whole.insert(name.to_owned(), whole.clone());
        whole
    }

    fn read(&mut self, name: &str, by: Option<&At>) -> Option<Formula> {
        match self.library.find(name) {
            Ok(found) => {
                let formula = parse::formula(&found.source, found.json, &mut self.report)?;
                self.sources.push((
                    formula.name.as_str().to_owned(),
                    found.source.path.clone(),
                    found.source.layer.word().to_owned(),
                ));
                Some(formula)
            }
            Err(report) => {
                for finding in report.findings {
                    let finding = match by {
                        Some(at) if finding.at.is_none() => finding.at(at, "asked for here"),
                        _ => finding,
                    };
                    self.report.push(finding);
                }
                None
            }
        }
    }

    /// Whether `more` steps may be made for what stands at `at`; says so once if not.
    pub(super) fn allow(&mut self, more: u64, at: &At) -> bool {
        self.made = self.made.saturating_add(more);
        if self.made <= self.limits.steps {
            return true;
        }
        if !self.over {
            self.over = true;
            self.report.push(
                Diagnostic::error("too-many-steps", format!("this makes more than {} steps", self.limits.steps))
                    .at(at, format!("would bring it to {} steps", self.made))
                    .help("the limit is `formula.max_steps`"),
            );
        }
        false
    }

    /// Whether steps with `bytes` of text may be made for what stands at `at`; says so once if not.
    pub(super) fn allow_text(&mut self, bytes: u64, at: &At) -> bool {
        self.text = self.text.saturating_add(bytes);
        self.allow_bytes(self.text, at)
    }

    /// Whether the texts may come to `bytes` when they are filled; says so once if not.
    pub(super) fn allow_bytes(&mut self, bytes: u64, at: &At) -> bool {
        if bytes <= self.limits.bytes {
            return true;
        }
        if !self.over {
            self.over = true;
            let limit = self.limits.bytes;
            self.report.push(
                Diagnostic::error("too-much-text", format!("the steps would hold more than {limit} bytes of text"))
                    .at(at, format!("would bring it to {bytes} bytes"))
                    .help("the limit is `formula.max_bytes`"),
            );
        }
        false
    }

    /// Whether the limit of steps was passed: nothing more is made then.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether nesting `depth` levels is still allowed; says so if not.
    pub(super) fn deep(&mut self, depth: usize, at: &At) -> bool {
        if depth <= self.limits.depth {
            return true;
        }
        self.report.push(
            Diagnostic::error("too-deep", format!("this is nested deeper than {} levels", self.limits.depth))
                .at(at, "here")
                .help("the limit is `formula.max_depth`"),
        );
        false
    }
}

/// Ids that were replaced, and by which id their dependents are held from then on.
#[derive(Default)]
pub(super) struct Renamed(HashMap<Arc<str>, Arc<str>>);

impl Renamed {
    pub(super) fn insert(&mut self, from: &Text, to: &Text) {
        if from != to {
            self.0.insert(Arc::clone(&from.value), Arc::clone(&to.value));
        }
    }

    fn follow<'m>(&'m self, id: &'m Arc<str>) -> &'m Arc<str> {
        let mut id = id;
        for _ in 0..self.0.len() {
            match self.0.get(id) {
                Some(next) => id = next,
                None => break,
            }
        }
        id
    }

    /// Redirects the edges of all steps.
    pub(super) fn apply(&self, steps: &mut [StepDef]) {
        if self.0.is_empty() {
            return;
        }
        walk_mut(steps, &mut |step| {
            for edge in step.needs.iter_mut().chain(&mut step.depends_on) {
                let to = self.follow(&edge.value);
                if !Arc::ptr_eq(to, &edge.value) {
                    edge.value = Arc::clone(to);
                }
            }
            if let Some(of) = step.children_of()
                && let to = self.follow(&of.value)
                && *to != of.value
            {
                step.waits_for = Some(Box::new(of.with(format!("children-of({to})"))));
                // What came in the place of a step counts as its children, and may have none itself.
                step.need(&of.with(Arc::clone(to)));
            }
        });
    }
}
