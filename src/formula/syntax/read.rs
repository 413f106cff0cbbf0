//! Typed reading of a tree. Everything wrong is noted, nothing stops the reading.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::super::{At, Diagnostic, Report, Severity, Text};
use super::node::{Node, Value};

/// Reads one source: collects findings, knows whether an unknown key is an error.
pub(crate) struct Reader {
    report: RefCell<Report>,
    strict: bool,
    lenient: Cell<bool>,
}

impl Reader {
    pub(crate) fn new(strict: bool) -> Self {
        Self { report: RefCell::default(), strict, lenient: Cell::new(false) }
    }

    pub(crate) fn push(&self, mut finding: Diagnostic) {
        if self.lenient.get() && finding.severity == Severity::Error {
            finding.severity = Severity::Warning;
            finding.message.push_str("; it is ignored");
        }
        self.report.borrow_mut().push(finding);
    }

    /// Whether the file was written for this program.
    pub(crate) fn strict(&self) -> bool {
        self.strict
    }

    /// Reads what other programs know nothing of, or leave unread, and may therefore mean differently: in a file that
    /// was not written for this program what is wrong with it is a warning.
    pub(crate) fn lenient<T>(&self, read: impl FnOnce() -> T) -> T {
        let before = self.lenient.replace(!self.strict);
        let value = read();
        self.lenient.set(before);
        value
    }

    pub(crate) fn finish(self) -> Report {
        self.report.into_inner()
    }

    fn mistyped(&self, key: &str, node: &Node, wanted: &str) {
        self.push(
            Diagnostic::error("type", format!("`{key}` must be {wanted}, not {}", node.kind()))
                .at(&node.at, format!("expected {wanted}"))
                .maybe_help(meant(node, wanted).map(|value| format!("write {value}"))),
        );
    }

    /// The keys of a table at `key`, as in `steps[0].children[1]`; `what` names it in messages, as in "step `design`".
    pub(crate) fn fields<'r>(&'r self, what: impl Into<String>, key: &str, node: &'r Node) -> Option<Fields<'r>> {
        if let Value::Table(entries) = &node.value {
            return Some(Fields {
                reader: self,
                what: what.into(),
                path: key.to_owned(),
                at: &node.at,
                entries,
                asked: RefCell::default(),
            });
        }
        self.mistyped(key, node, "a table");
        None
    }

    pub(crate) fn text(&self, key: &str, node: &Node) -> Option<Text> {
        if let Value::Text(text) = &node.value {
            return Some(Text::new(text.as_str(), node.at.clone()));
        }
        self.mistyped(key, node, "a string");
        None
    }
}

/// A value as it would be written if it were what is wanted, where it can be.
fn meant(node: &Node, wanted: &str) -> Option<String> {
    let written = match &node.value {
        Value::Text(text) | Value::Time(text) => text.trim().to_owned(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null | Value::List(_) | Value::Table(_) => return None,
    };
    match wanted {
        "a string" => Some(format!("\"{written}\"")),
        "an integer" => {
            written.parse::<f64>().ok().filter(|n| n.fract() == 0.0 && n.abs() < 1e15).map(|n| n.to_string())
        }
        "true or false" => ["true", "false"].contains(&written.as_str()).then_some(written),
        _ => None,
    }
}

/// The keys of one table. Dropping it without [`Fields::finish`] lets unknown keys pass.
pub(crate) struct Fields<'r> {
    pub(crate) reader: &'r Reader,
    pub(crate) what: String,
    /// Where the table stands: the keys on the way, with or without numbers of items.
    path: String,
    pub(crate) at: &'r At,
    entries: &'r [(Text, Node)],
    asked: RefCell<Vec<&'static str>>,
}

impl<'r> Fields<'r> {
    /// As [`Reader::fields`] had it, with another path.
    #[must_use]
    pub(crate) fn under(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The header of each table in the list `key`, without its brackets.
    fn header(&self, key: &str) -> String {
        let keys = self.path.split('.').map(|key| key.split_once('[').map_or(key, |(key, _)| key));
        keys.chain([key]).filter(|key| !key.is_empty()).collect::<Vec<_>>().join(".")
    }

    /// The value of a key; `null` in JSON is as good as none.
    pub(crate) fn node(&self, key: &'static str) -> Option<&'r Node> {
        self.asked.borrow_mut().push(key);
        let found = self.entries.iter().find(|(k, _)| k.as_str() == key).map(|(_, v)| v);
        found.filter(|node| !matches!(node.value, Value::Null))
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<Text> {
        self.node(key).and_then(|n| self.reader.text(key, n))
    }

    /// A text; an empty one is as good as none.
    pub(crate) fn filled(&self, key: &'static str) -> Option<Text> {
        self.text(key).filter(|text| !text.as_str().trim().is_empty())
    }

    /// A text that must be there and must not be empty.
    pub(crate) fn required(&self, key: &'static str) -> Option<Text> {
        let found = self.node(key);
        let text = found.and_then(|n| self.reader.text(key, n));
        match (&text, found) {
            (None, None) => self.reader.push(
                Diagnostic::error("missing-key", format!("{} has no `{key}`", self.what))
                    .at(self.at, format!("`{key}` is missing here"))
                    .help(format!("add {key} = \"…\"")),
            ),
            (Some(t), _) if t.as_str().trim().is_empty() => {
                self.reader.push(
                    Diagnostic::error("missing-key", format!("`{key}` of {} is empty", self.what)).at(&t.at, "empty"),
                );
                return None;
            }
            _ => {}
        }
        text
    }

    pub(crate) fn int(&self, key: &'static str) -> Option<(i64, At)> {
        let node = self.node(key)?;
        if let Value::Int(i) = node.value {
            return Some((i, node.at.clone()));
        }
        self.reader.mistyped(key, node, "an integer");
        None
    }

    pub(crate) fn bool(&self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        if let Value::Bool(b) = node.value {
            return Some(b);
        }
        self.reader.mistyped(key, node, "true or false");
        None
    }

    /// A list of strings; nothing is an empty list.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<Text> {
        let Some(node) = self.node(key) else { return Vec::new() };
        match &node.value {
            Value::List(items) => items.iter().filter_map(|n| self.reader.text(key, n)).collect(),
            Value::Text(text) => {
                let message = format!("`{key}` must be an array of strings, not a string");
                let finding = if self.reader.lenient.get() {
                    Diagnostic::warning("type", format!("{message}; it is taken as the only one"))
                } else {
                    Diagnostic::error("type", message)
                };
                let help = format!("write `{key} = [\"{text}\"]`");
                self.reader.push(finding.at(&node.at, "expected an array").help(help));
                vec![Text::new(text.as_str(), node.at.clone())]
            }
            _ => {
                self.reader.mistyped(key, node, "an array of strings");
                Vec::new()
            }
        }
    }

    /// A list of tables; nothing is an empty list.
    pub(crate) fn list(&self, key: &'static str) -> &'r [Node] {
        let Some(node) = self.node(key) else { return &[] };
        if let Value::List(items) = &node.value {
            return items;
        }
        self.reader.push(
            Diagnostic::error("type", format!("`{key}` must be an array of tables, not {}", node.kind()))
                .at(&node.at, "expected an array of tables")
                .help(format!("write each as `[[{}]]`", self.header(key))),
        );
        &[]
    }

    /// A table of strings. Numbers and booleans count as what they are written as.
    pub(crate) fn map(&self, key: &'static str) -> BTreeMap<String, Text> {
        let Some(node) = self.node(key) else { return BTreeMap::new() };
        let Value::Table(entries) = &node.value else {
            self.reader.mistyped(key, node, "a table of strings");
            return BTreeMap::new();
        };
        entries
            .iter()
            .filter_map(|(k, v)| {
                let value = match &v.value {
                    Value::Text(text) => text.clone(),
                    Value::Int(i) => i.to_string(),
                    Value::Float(f) => f.to_string(),
                    Value::Bool(b) => b.to_string(),
                    _ => {
                        self.reader.mistyped(k.as_str(), v, "a string");
                        return None;
                    }
                };
                Some((k.as_str().to_owned(), Text::new(value, v.at.clone())))
            })
            .collect()
    }

    /// The entries as they are, for tables whose keys the user chooses.
    pub(crate) fn entries(&self) -> &'r [(Text, Node)] {
        self.entries
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.into_inner();
        for (key, _) in self.entries {
            if asked.contains(&key.as_str()) {
                continue;
            }
            let message = format!("{} has no key `{key}`", self.what);
            let finding = if self.reader.strict {
                Diagnostic::error("unknown-key", message)
            } else {
                Diagnostic::warning("unknown-key", format!("{message}; it is ignored"))
            };
            let mut known = asked.clone();
            known.sort_unstable();
            known.dedup();
            self.reader.push(
                finding
                    .at(&key.at, "unknown")
                    .help(format!("its keys are {}", known.join(", ")))
                    .suggest(key.as_str(), asked.iter().copied()),
            );
        }
    }
}
