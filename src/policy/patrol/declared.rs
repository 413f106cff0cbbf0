//! Patrols that are written in Lua, as formulas.

use crate::base::span::Span;
use crate::formula;
use crate::policy::layer::{Layer, LayerSource};
use crate::policy::vm::{DIGEST, PatrolPart, run_name};

/// A patrol that a file of a role declares, as the text of a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The patrol's name, and the formula's.
    pub name: String,
    /// The file that declares it.
    pub file: String,
    /// The line in it.
    pub line: u32,
    /// Whose file it is.
    pub layer: Layer,
    /// The formula.
    pub text: String,
}

impl Declared {
    /// Puts it among the formulas, behind those that are there: a file of that name hides it.
    pub fn shelve(&self, library: &mut formula::Library) {
        let layer = match self.layer {
            Layer::Builtin => formula::Layer::Builtin,
            Layer::Town => formula::Layer::Town,
            Layer::Rig => formula::Layer::Rig,
        };
        library.add_from(
            layer,
            &format!("{}.formula.toml", self.name),
            &format!("{}:{}", self.file, self.line),
            &self.text,
        );
    }
}

/// The formulas of what the files of `role` declare.
pub(in crate::policy) fn declared(role: &str, layers: &[LayerSource], parts: &[PatrolPart]) -> Vec<Declared> {
    let one = |part: &PatrolPart| Declared {
        name: part.name.clone(),
        file: part.file.clone(),
        line: part.line,
        layer: layers.get(part.layer).map_or(Layer::Builtin, |l| l.layer),
        text: text(role, part),
    };
    parts.iter().map(one).collect()
}

fn text(role: &str, part: &PatrolPart) -> String {
    let mut patrol = toml::Table::new();
    patrol.insert("role".into(), role.into());
    if let Some(ms) = part.every_ms {
        patrol.insert("every".into(), exact(ms).into());
    }
    if let Some(on) = part.on {
        patrol.insert("on".into(), on.as_str().into());
    }
    if part.digest {
        patrol.insert(DIGEST.into(), run_name(&part.name, DIGEST).into());
    }
    let mut before: Option<&String> = None;
    let mut steps = Vec::new();
    for id in &part.steps {
        let mut step = toml::Table::new();
        step.insert("id".into(), id.as_str().into());
        step.insert("run".into(), run_name(&part.name, id).into());
        if let Some(before) = before {
            step.insert("needs".into(), vec![before.as_str()].into());
        }
        before = Some(id);
        steps.push(toml::Value::Table(step));
    }
    let mut all = toml::Table::new();
    all.insert("formula".into(), part.name.as_str().into());
    if !part.doc.is_empty() {
        all.insert("description".into(), part.doc.as_str().into());
    }
    all.insert("type".into(), "patrol".into());
    all.insert("patrol".into(), patrol.into());
    all.insert("steps".into(), steps.into());
    all.to_string()
}

/// A length of time without loss: a span shows its two largest units only.
fn exact(ms: i64) -> String {
    let span = Span::millis(ms);
    let shown = span.to_string();
    if shown.parse::<Span>() == Ok(span) { shown } else { format!("{ms}ms") }
}
