//! Which patrols a role has: the patrol formulas that name it, each cooked and fitted to the role's functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::span::Span;
use crate::base::text::similar;
use crate::formula::condition::Static;
use crate::formula::{Aspects, Library, Mode, Options, Proto, Step, Vars, compile};
use crate::policy::diagnostic::Diagnostic;
use crate::policy::engine::Engine;
use crate::policy::facts::EventKind;

/// A patrol that can be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The formula's name.
    pub name: String,
    /// The role whose functions do the steps.
    pub role: String,
    /// A cycle is due this long after the last one.
    pub every: Option<Span>,
    /// The kind of event that makes a cycle due.
    pub on: Option<EventKind>,
    /// The steps in the order in which they are done.
    pub steps: Vec<PlannedStep>,
    /// The function that says what a cycle is remembered by.
    pub digest: Option<String>,
    /// The patrols that it extends, which are a part of it.
    pub extends: Vec<String>,
    /// What it was cooked to.
    pub proto: Arc<Proto>,
}

/// A step and the function that does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// Its id: what it returns is `run.ID` for the steps after it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The function.
    pub run: String,
}

/// The patrols of some roles, and what is wrong with those that cannot be run.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    /// By name.
    pub plans: Vec<Arc<Plan>>,
    /// Those that cannot be run.
    pub wrong: Vec<Unfit>,
}

/// A patrol that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Its name.
    pub name: String,
    /// Its role; empty when not even that is known.
    pub role: String,
    /// Why not.
    pub error: Diagnostic,
}

impl Plans {
    /// Keeps the last good plan of each patrol that cannot be run as it is now; then one that another one extends is a
    /// part of that one, and is not run by itself.
    #[must_use]
    pub fn over(mut self, last: &[Arc<Plan>]) -> Self {
        let broken = |plan: &&Arc<Plan>| self.wrong.iter().any(|w| w.name == plan.name);
        let kept: Vec<Arc<Plan>> = last.iter().filter(broken).cloned().collect();
        self.plans.extend(kept);
        let extended: Vec<String> = self.plans.iter().flat_map(|plan| plan.extends.iter().cloned()).collect();
        self.plans.retain(|plan| !extended.contains(&plan.name));
        self.plans.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }
}

/// The patrols in `library` that belong to one of `engines`, also those that are a part of another one: see
/// [`Plans::over`].
pub fn plans(library: &Library, engines: &BTreeMap<String, &Engine>, aspects: &dyn Aspects) -> Plans {
    let mut library = library.clone();
    for engine in engines.values() {
        engine.declared_patrols().iter().for_each(|p| p.shelve(&mut library));
    }
    let none = Vars::new();
    let mut out = Plans::default();
    for listed in library.list() {
        let is_patrol = listed.kind == "patrol";
        if !is_patrol && listed.extends.is_empty() {
            continue;
        }
        let cooked = compile(&library, &listed.name, Options { vars: &none, mode: Mode::Compile, aspects });
        let proto = match cooked {
            Ok(cooked) => cooked.proto,
            Err(report) if is_patrol => {
                let first = report.findings.iter().find(|f| f.severity == crate::formula::Severity::Error);
                let message = first.map_or_else(|| "it cannot be cooked".to_owned(), |f| f.message.clone());
                let mut error = Diagnostic::bare(format!("patrol `{}`: {message}", listed.name));
                error.file = first.and_then(crate::formula::Diagnostic::place).unwrap_or_else(|| listed.source.clone());
                error.help = Some(format!("bd formula check {}", listed.name));
                out.wrong.push(Unfit { name: listed.name, role: String::new(), error });
                continue;
            }
            Err(_) => continue,
        };
        let Some(engine) = proto.patrol.as_ref().and_then(|p| engines.get(&p.role)) else { continue };
        match Plan::of(proto, engine) {
            Ok(plan) => out.plans.push(Arc::new(Plan { extends: listed.extends, ..plan })),
            Err(errors) => out.wrong.extend(errors.into_iter().map(|error| Unfit {
                name: listed.name.clone(),
                role: engine.role().to_owned(),
                error,
            })),
        }
    }
    out
}

impl Plan {
    /// Fits a cooked patrol to its role: every function that it names must be there.
    pub fn of(proto: Proto, engine: &Engine) -> Result<Self, Vec<Diagnostic>> {
        let runs = engine.runs();
        let Some(patrol) = proto.patrol.clone() else {
            return Err(vec![Diagnostic::bare(format!("`{}` is no patrol", proto.formula))]);
        };
        let mut errors = Vec::new();
        let mut check = |run: &str, what: String, step: Option<&Step>| {
            if runs.iter().any(|r| r == run) {
                return;
            }
            let role = engine.role();
            let mut error =
                Diagnostic::bare(format!("{what} runs `{run}`, and the role `{role}` has no such function"));
            if let Some(step) = step {
                let source = proto.sources.iter().find(|(name, ..)| **name == *step.origin.formula);
                error.file = source.map(|(_, path, _)| path.clone()).unwrap_or_default();
                error.line = step.origin.line;
            }
            error.help = Some(match similar(run, runs.iter().map(String::as_str)) {
                Some(meant) => format!("`{meant}`"),
                None => format!("{role}.run(\"{run}\", function(run, town) … end) in lua/roles/{role}.lua"),
            });
            errors.push(error);
        };
        let steps = in_order(&proto);
        for step in &steps {
            let what = format!("step `{}` of patrol `{}`", step.id, proto.formula);
            check(step.run.as_deref().unwrap_or_default(), what, Some(step));
        }
        if let Some(digest) = &patrol.digest {
            check(digest, format!("the digest of patrol `{}`", proto.formula), None);
        }
        for (name, _) in proto.vars.iter().filter(|(_, v)| v.required && v.default.is_none()) {
            let message = format!("patrol `{}` has the required variable `{name}`, which nobody gives", proto.formula);
            errors.push(Diagnostic { help: Some("give it a default".into()), ..Diagnostic::bare(message) });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let planned = |s: &&Step| PlannedStep {
            id: s.id.clone(),
            title: s.title.clone(),
            run: s.run.clone().unwrap_or_default(),
        };
        Ok(Self {
            name: proto.formula.clone(),
            role: patrol.role,
            every: patrol.every.and_then(|text| text.parse().ok()),
            on: patrol.on.and_then(|word| EventKind::ALL.into_iter().find(|k| k.as_str() == word)),
            steps: steps.iter().map(planned).collect(),
            digest: patrol.digest,
            extends: Vec::new(),
            proto: Arc::new(proto),
        })
    }
}

/// The steps whose conditions hold for the defaults, each after those that it needs.
fn in_order(proto: &Proto) -> Vec<&Step> {
    let vars: Vars = proto.vars.iter().filter_map(|(k, v)| Some((k.clone(), v.default.clone()?))).collect();
    let holds = |s: &Step| s.condition.iter().all(|c| Static::parse(c).is_ok_and(|c| c.holds(&vars)));
    let mut waiting: Vec<&Step> = proto.steps.iter().filter(|s| holds(s)).collect();
    let mut out: Vec<&Step> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |s: &&Step| s.needs.iter().all(|n| !waiting.iter().any(|w| w.id == *n));
        // The compiler lets no circle through; without one there is always a ready step.
        let at = waiting.iter().position(ready).unwrap_or(0);
        out.push(waiting.remove(at));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::EventKind;

    #[test]
    fn formulas_and_policies_hear_of_the_same_events() {
        assert_eq!(crate::formula::EVENTS, EventKind::ALL.map(EventKind::as_str));
    }
}
