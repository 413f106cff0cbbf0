//! A molecule at work as conditions see it: the status and the output of its steps, and where one of them is closed.

use serde_json::Value;

use super::rounds::numbered;
use super::{Outside, step_name};
use crate::formula::condition::{Runtime, State, status_word};
use crate::store::{Bead, IssueType, Read, Status};

/// The state of a molecule, or of a round in it.
pub(super) struct Now<'a> {
    pub(super) r: &'a Read<'a>,
    /// All steps of the molecule.
    pub(super) steps: &'a [Bead],
    /// The step that is meant where none is named.
    pub(super) step: Option<&'a Bead>,
    /// The round that names and counts are of first.
    pub(super) scope: Option<&'a str>,
    /// Where a step was closed. Without it, nothing is known of files and variables.
    pub(super) outside: Option<Outside<'a>>,
}

impl Now<'_> {
    /// Whether the condition holds, as far as anybody can tell: where nothing is known of files and variables, one that
    /// asks for these does not.
    pub(super) fn holds(&self, condition: &Runtime) -> bool {
        (self.outside.is_some() || !condition.of_outside()) && condition.holds(self)
    }

    /// The steps of the round; of the molecule, where there is none.
    fn round(&self) -> impl Iterator<Item = &Bead> {
        self.steps.iter().filter(|step| self.scope.is_none_or(|scope| step.meta_str("round_of") == Some(scope)))
    }

    /// A step by its name in the formula, with or without the round before it; or by its id.
    fn named(&self, name: &str) -> Option<&Bead> {
        let inside = self.scope.map(|scope| format!("{scope}.{name}"));
        let is = |step: &&Bead| step_name(step).is_some_and(|n| n == name || inside.as_deref() == Some(n));
        // Seen from outside of a round, a step that comes again is the latest.
        let here = if self.scope.is_some() { self.round().find(is) } else { None };
        here.or_else(|| latest(self.steps, name)).or_else(|| self.steps.iter().find(|s| s.id.as_str() == name))
    }

    /// What is below a bead, but gates: its children, or all.
    fn below(&self, bead: &Bead, all: bool, into: &mut Vec<String>) {
        // What cannot be read is not there; whoever asks has read the molecule in the same transaction.
        for child in self.r.children(&bead.id).unwrap_or_default() {
            if child.issue_type == IssueType::GATE
                || child.status == Status::TOMBSTONE
                || into.contains(&child.id.to_string())
            {
                continue;
            }
            into.push(child.id.to_string());
            if all {
                self.below(&child, all, into);
            }
        }
    }
}

/// The step of that name among `steps`; of one that comes again in rounds, the latest.
pub(super) fn latest<'b>(steps: &'b [Bead], name: &str) -> Option<&'b Bead> {
    let first = steps.iter().find(|step| step_name(step) == Some(name))?;
    let Some(scope) = first.meta_str("round_of") else { return Some(first) };
    let (Some((of, _)), Some(rest)) = (numbered(scope), name.strip_prefix(scope)) else { return Some(first) };
    let number = |step: &Bead| {
        let (name, number) = numbered(step.meta_str("round_of")?)?;
        (name == of && step_name(step)?.strip_prefix(step.meta_str("round_of")?)? == rest).then_some(number)
    };
    steps.iter().filter(|step| number(step).is_some()).max_by_key(|step| number(step))
}

impl State for Now<'_> {
    fn file_exists(&self, path: &str) -> bool {
        self.outside.is_some_and(|outside| outside.folder.join(path).exists())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.outside?.env.get(name).cloned()
    }

    fn steps_in(&self, status: &str) -> usize {
        self.round().filter(|b| status_word(b.status.as_str()) == status_word(status)).count()
    }

    fn field(&self, step: Option<&str>, path: &str) -> Option<String> {
        let read;
        let bead = match step.map(|name| (name, self.named(name))) {
            None => self.step?,
            Some((_, Some(bead))) => bead,
            // A molecule that came up below a step is no step.
            Some((name, None)) => {
                read = self.r.bead(&crate::base::BeadId::new(name).ok()?).ok()??;
                &read
            }
        };
        if path == "status" {
            return Some(status_word(bead.status.as_str()).to_owned());
        }
        let mut keys = path.split('.');
        let first = bead.metadata.get(keys.next()?)?;
        let value: &Value = keys.try_fold(first, |value, key| value.get(key))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    fn members(&self, of: Option<&str>, all: bool) -> Vec<String> {
        let mut members = Vec::new();
        match of {
            Some(name) => {
                if let Some(bead) = self.named(name) {
                    self.below(bead, all, &mut members);
                }
            }
            None => members.extend(self.round().map(|step| step.id.to_string())),
        }
        members
    }
}
