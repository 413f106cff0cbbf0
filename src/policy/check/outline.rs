//! What a file is made of: its name for `gt`, its role, its settings, and the functions whose parameters are facts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::File;
use crate::policy::schema::{Class, FORMULA_STEP, MR, TOWN, each_class, event_class, event_kind};
use crate::policy::vm::QUESTIONS;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// Local names of `require "gt"`.
    pub gt: Vec<String>,
    /// Local names of the table that `role.settings` gave, with the settings and whether each is a span.
    pub settings: Vec<(String, BTreeMap<String, bool>)>,
    /// Functions with their typed parameters.
    pub functions: Vec<Facts>,
}

/// A function whose parameters are facts.
#[derive(Debug)]
pub(super) struct Facts {
    /// The tokens of its body.
    pub body: Range<usize>,
    /// Its parameters that are records.
    pub params: Vec<(String, &'static Class)>,
    /// What texts in it are filled from.
    pub subject: Option<&'static Class>,
}

impl Outline {
    pub fn read(file: &File<'_>, rules: &mut BTreeMap<String, &'static Class>) -> Self {
        let mut outline = Self::default();
        let mut owners: Vec<String> = Vec::new();
        for i in 0..file.tokens.len() {
            if let Some((name, at)) = local(file, i) {
                if file.is(at, "require") && string_argument(file, at + 1) == Some("gt") {
                    outline.gt.push(name.to_owned());
                }
                if outline.is_gt(file, at) && matches!(file.name(at + 2), Some("role" | "extend")) {
                    owners.push(name.to_owned());
                }
                if owners.iter().any(|r| file.is(at, r)) && file.is(at + 1, ".") && file.is(at + 2, "settings") {
                    outline.settings.push((name.to_owned(), settings(file, at + 3)));
                }
            }
            if file.name(i).is_some_and(|n| owners.iter().any(|r| r == n)) && file.is(i + 1, ".") {
                outline.declaration(file, i, rules);
            }
            // gt.aspect { advise = function(step) … end }
            if outline.is_gt(file, i) && file.is(i + 2, "aspect") {
                let open = if file.is(i + 3, "(") { i + 4 } else { i + 3 };
                let advise = (open..file.end(open)).find(|j| file.is(*j, "advise") && file.is(j + 1, "="));
                if let Some(at) = advise.map(|j| j + 2).filter(|at| file.is(*at, "function")) {
                    outline.function(file, at, &[Some(&FORMULA_STEP)], Some(&FORMULA_STEP));
                }
            }
            // gt.step("id", function(run, town) … end)
            if outline.is_gt(file, i) && file.is(i + 2, "step") && file.is(i + 3, "(") {
                outline.run(file, i + 3);
            }
            // gt.take(queue, function(mr) … end)
            if outline.is_gt(file, i)
                && file.is(i + 2, "take")
                && file.is(i + 3, "(")
                && let Some(function) = (i + 4..file.end(i + 3)).find(|j| file.is(*j, "function"))
            {
                outline.function(file, function, &[Some(&MR)], None);
            }
        }
        outline
    }

    /// Whether `gt.` stands at `i`.
    pub fn is_gt(&self, file: &File<'_>, i: usize) -> bool {
        let before = i > 0 && (file.is(i - 1, ".") || file.is(i - 1, ":"));
        !before && file.is(i + 1, ".") && file.name(i).is_some_and(|n| self.gt.iter().any(|g| g == n))
    }

    /// `role.each.K("name", {…})`, `role.on.E(…)`, `role.override(…)`, `role.order(function …)` at `i`.
    fn declaration(&mut self, file: &File<'_>, i: usize, rules: &mut BTreeMap<String, &'static Class>) {
        let Some(word) = file.name(i + 2) else { return };
        let (class, open) = match word {
            "each" => (file.name(i + 4).and_then(each_class), i + 5),
            "on" => (file.name(i + 4).and_then(event_kind).map(event_class), i + 5),
            "run" => return self.run(file, i + 3),
            "override" => (string_argument(file, i + 3).and_then(|rule| rules.get(rule).copied()), i + 3),
            question if QUESTIONS.contains(&question) => {
                let list = matches!(question, "batch" | "gates");
                let first = (!list).then_some(&MR);
                if let Some(function) = (i + 3..i + 5).find(|j| file.is(*j, "function")) {
                    self.function(file, function, &[first, Some(&TOWN)], first);
                }
                return;
            }
            _ => return,
        };
        let Some(class) = class else { return };
        if word != "override"
            && let Some(rule) = string_argument(file, open)
        {
            rules.insert(rule.to_owned(), class);
        }
        let end = file.end(open);
        for j in open..end {
            let part = file.is(j, "function") && j >= 2 && file.is(j - 1, "=");
            if part && matches!(file.name(j - 2), Some("when" | "act")) {
                self.function(file, j, &[Some(class), Some(&TOWN)], Some(class));
            }
        }
    }

    /// `("name", function(run, town) … end)` at `open`.
    fn run(&mut self, file: &File<'_>, open: usize) {
        if let Some(function) = (open..open + 5).find(|j| file.is(*j, "function")) {
            self.function(file, function, &[None, Some(&TOWN)], None);
        }
    }

    fn function(
        &mut self,
        file: &File<'_>,
        at: usize,
        classes: &[Option<&'static Class>],
        subject: Option<&'static Class>,
    ) {
        if !file.is(at + 1, "(") {
            return;
        }
        let close = file.end(at + 1);
        let names = (at + 2..close).filter_map(|i| file.name(i));
        let params = names.zip(classes).filter_map(|(name, class)| Some((name.to_owned(), (*class)?))).collect();
        self.functions.push(Facts { body: close + 1..file.end(at), params, subject });
    }
}

/// `local NAME =` at `i`: the name and where the value begins.
fn local<'f>(file: &'f File<'_>, i: usize) -> Option<(&'f str, usize)> {
    let name = file.is(i, "local").then(|| file.name(i + 1)).flatten()?;
    file.is(i + 2, "=").then_some((name, i + 3))
}

/// The string in `("x"…` or `"x"` at `i`.
fn string_argument<'f>(file: &'f File<'_>, i: usize) -> Option<&'f str> {
    if file.is(i, "(") { file.text(i + 1) } else { file.text(i) }
}

/// The keys of the table that is the argument at `i`, and whether each is declared as a length of time.
fn settings(file: &File<'_>, i: usize) -> BTreeMap<String, bool> {
    let open = if file.is(i, "(") { i + 1 } else { i };
    let mut keys = BTreeMap::new();
    if !file.is(open, "{") {
        return keys;
    }
    let (end, mut j) = (file.end(open), open + 1);
    while j < end {
        if let (Some(key), true) = (file.name(j), file.is(j + 1, "=")) {
            keys.insert(key.to_owned(), file.is(j + 3, ".") && file.is(j + 4, "duration"));
        }
        // Over nested brackets to the next key.
        while j < end && !file.is(j, ",") && !file.is(j, ";") {
            j = if file.is(j, "(") || file.is(j, "{") { file.end(j).max(j) + 1 } else { j + 1 };
        }
        j += 1;
    }
    keys
}
