//! Convoy formulas: legs that are worked on side by side, and a synthesis that waits for all of them.
//!
//! [`plan`] cooks the formula and holds the given values against its inputs; [`Plan::fill`] makes the texts of the
//! beads, once the id of the convoy is known.

mod inputs;
pub(crate) mod template;

use serde_json::{Map, Value, json};

use super::stage::convoy::NAMES;
use super::{Diagnostic, Library, Mode, NoAspects, Options, Proto, Report, Severity, Step, Vars, compile};
use crate::base::text::{article, headline};

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the formula was cooked to.
    pub proto: Proto,
    /// The inputs with their values.
    pub values: Vars,
    /// The preset that chose the legs, if one did.
    pub preset: Option<String>,
    legs: Vec<Leg>,
    synthesis: Option<Written>,
    prompt: String,
    output: Output,
}

/// A leg as written.
#[derive(Debug, Clone)]
struct Leg {
    id: String,
    title: String,
    focus: String,
    description: String,
}

#[derive(Debug, Clone)]
struct Written {
    title: String,
    description: String,
    needs: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Output {
    directory: String,
    leg_pattern: String,
    synthesis: String,
}

/// The texts of the beads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Filled {
    /// The convoy's title.
    pub title: String,
    /// The legs, in the order of the formula.
    pub legs: Vec<Part>,
    /// What comes after all of them.
    pub synthesis: Option<Part>,
}

/// What the part is called that comes after the legs.
pub const SYNTHESIS: &str = "synthesis";

/// One bead of a convoy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// The id of the leg; [`SYNTHESIS`].
    pub id: String,
    /// Its title.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// The legs that must be done before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

/// What a formula without legs is for.
fn instead(name: &str, kind: &str) -> String {
    match kind {
        "aspect" => format!("name it in `compose.aspects` of a workflow; what it adds: bd formula show {name}"),
        "expansion" => format!("name it in `expand` of a workflow's step; what it makes: bd formula show {name}"),
        "patrol" => "patrols are the daemon's: gt patrol list".to_owned(),
        _ => format!("bd mol pour {name} makes a molecule of it"),
    }
}

/// Cooks the convoy formula `name` for these values; `preset` chooses among its legs. The error holds everything
/// that is wrong.
pub fn plan(library: &Library, name: &str, given: &Vars, preset: Option<&str>) -> Result<Plan, Report> {
    let options = Options { vars: given, mode: Mode::Compile, aspects: &NoAspects };
    let cooked = compile(library, name, options)?;
    let (proto, places) = (cooked.proto, inputs::Places(cooked.formula.convoy));
    if proto.kind != "convoy" {
        let (name, kind) = (&proto.formula, proto.kind.as_str());
        let is = format!("`{name}` is {} {kind}, and only a convoy has legs", article(kind));
        return Err(Diagnostic::error("convoy", is).help(instead(name, kind)).into());
    }
    // Cooking lets a text pass that another program may understand. To be worked with it must be understood here.
    let of_texts = cooked.warnings.findings.into_iter().filter(|finding| finding.code == "template");
    let mut report = Report::default();
    of_texts.for_each(|finding| report.push(Diagnostic { severity: Severity::Error, ..finding }));
    let values = inputs::values(&proto, given, &places, &mut report);
    let legs = chosen(&proto, legs(&proto).collect(), preset, &mut report);
    let synthesis = proto.convoy.get("synthesis").map(Written::of);
    let output = proto.convoy.get("output").map(|o| {
        let key = |k| text(o, k).unwrap_or_default().to_owned();
        Output { directory: key("directory"), leg_pattern: key("leg_pattern"), synthesis: key("synthesis") }
    });
    let prompt = proto.convoy.get("prompts").and_then(|p| text(p, "base")).unwrap_or_default().to_owned();
    let plan = Plan {
        values,
        preset: preset.map(str::to_owned),
        legs,
        synthesis,
        prompt,
        output: output.unwrap_or_default(),
        proto,
    };
    report.sort();
    if report.failed() { Err(report) } else { Ok(plan) }
}

fn legs(proto: &Proto) -> impl Iterator<Item = Leg> {
    proto.convoy.get("legs").and_then(Value::as_array).into_iter().flatten().map(Leg::of)
}

/// The legs and the synthesis as steps, to be drawn: a convoy has no others.
pub(super) fn drawn(proto: &Proto) -> Vec<Step> {
    let step = |id: &str, title: String, needs| Step { id: id.to_owned(), title, needs, ..Step::default() };
    let mut steps: Vec<Step> = legs(proto).map(|leg| step(&leg.id, leg.title, Vec::new())).collect();
    if let Some(synthesis) = proto.convoy.get("synthesis").map(Written::of) {
        let needs = synthesis.waits_for(steps.iter().map(|leg| &leg.id));
        steps.push(step(SYNTHESIS, synthesis.title, needs));
    }
    steps
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

impl Leg {
    fn of(value: &Value) -> Self {
        let key = |k| text(value, k).unwrap_or_default().to_owned();
        let id = key("id");
        Self {
            title: text(value, "title").unwrap_or(&id).to_owned(),
            focus: key("focus"),
            description: key("description"),
            id,
        }
    }
}

impl Written {
    fn of(value: &Value) -> Self {
        Self {
            title: text(value, "title").unwrap_or("Synthesis").to_owned(),
            description: text(value, "description").unwrap_or_default().to_owned(),
            needs: strings(value, "depends_on"),
        }
    }

    /// Which of these legs it waits for. A preset leaves legs out; what is left must be waited for.
    fn waits_for<'l>(&self, legs: impl Iterator<Item = &'l String> + Clone) -> Vec<String> {
        let named: Vec<String> = legs.clone().filter(|id| self.needs.contains(id)).cloned().collect();
        if named.is_empty() { legs.cloned().collect() } else { named }
    }
}

/// The legs that the preset names; all of them without one.
fn chosen(proto: &Proto, all: Vec<Leg>, preset: Option<&str>, report: &mut Report) -> Vec<Leg> {
    let none = Map::new();
    let presets = proto.convoy.get("presets").and_then(Value::as_object).unwrap_or(&none);
    let Some(preset) = preset else { return all };
    let Some(entry) = presets.get(preset) else {
        let names: Vec<&str> = presets.keys().map(String::as_str).collect();
        let known =
            if names.is_empty() { "it has none".to_owned() } else { format!("its presets are {}", names.join(", ")) };
        let error = Diagnostic::error("preset", format!("`{}` has no preset `{preset}`", proto.formula)).help(known);
        report.push(error.suggest(preset, names));
        return all;
    };
    let wanted = strings(entry, "legs");
    all.into_iter().filter(|leg| wanted.contains(&leg.id)).collect()
}

impl Plan {
    /// The ids of the legs, in order.
    pub fn legs(&self) -> impl Iterator<Item = &str> {
        self.legs.iter().map(|l| l.id.as_str())
    }

    /// The texts, for the convoy of this id.
    pub fn fill(&self, convoy: &str) -> Filled {
        let mut facts: Map<String, Value> =
            self.values.iter().map(|(k, v)| (k.clone(), inputs::value(&self.proto, k, v))).collect();
        let said: Vec<String> =
            self.values.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k} {v}")).collect();
        let about = headline(&said.join(", "), 120);
        for name in NAMES {
            let value = match name {
                "formula_name" => self.proto.formula.as_str(),
                "target_description" => about.as_str(),
                _ => convoy,
            };
            // An input may have the name.
            facts.entry(name).or_insert_with(|| value.into());
        }
        // What the compiler lets pass cannot fail here: every text was filled once, with nothing.
        let fill = |text: &str, facts: &Map<String, Value>| {
            template::fill(text, &Value::Object(facts.clone())).unwrap_or_else(|_| text.to_owned())
        };
        let directory = fill(&self.output.directory, &facts);
        let synthesis = fill(&self.output.synthesis, &facts);
        facts.insert("output".into(), json!({ "directory": directory, "synthesis": synthesis }));
        let title =
            if about.is_empty() { self.proto.formula.clone() } else { format!("{}: {about}", self.proto.formula) };
        let legs = self.legs.iter().map(|leg| {
            let mut facts = facts.clone();
            // One text of the leg may ask for another: that has no placeholders by then.
            let mut own = json!({ "id": leg.id });
            let also = |facts: &mut Map<String, Value>, own: &mut Value, key: &str, text: &str| {
                facts.insert("leg".into(), own.clone());
                own[key] = fill(text, facts).into();
                facts.insert("leg".into(), own.clone());
            };
            also(&mut facts, &mut own, "focus", &leg.focus);
            also(&mut facts, &mut own, "title", &leg.title);
            let file = fill(&self.output.leg_pattern, &facts);
            let path = if file.is_empty() { String::new() } else { format!("{directory}/{file}") };
            facts.insert("output_path".into(), path.into());
            also(&mut facts, &mut own, "title", &leg.title);
            also(&mut facts, &mut own, "description", &leg.description);
            let said = |key: &str| own[key].as_str().unwrap_or_default().to_owned();
            let (title, own_description) = (said("title"), said("description"));
            let description = match (self.prompt.is_empty(), leg.description.is_empty()) {
                (true, true) => said("focus"),
                (true, false) => own_description,
                _ => fill(&self.prompt, &facts),
            };
            let mut own = facts.remove("leg").unwrap_or_default();
            own["output_path"] = facts.remove("output_path").unwrap_or_default();
            (Part { id: leg.id.clone(), title, description, needs: Vec::new() }, own)
        });
        let (legs, facts_of_legs): (Vec<Part>, Vec<Value>) = legs.unzip();
        let synthesis = self.synthesis.as_ref().map(|s| {
            let needs = s.waits_for(legs.iter().map(|leg| &leg.id));
            let mut facts = facts.clone();
            facts.insert("legs".into(), facts_of_legs.into());
            let (title, description) = (fill(&s.title, &facts), fill(&s.description, &facts));
            Part { id: SYNTHESIS.into(), title, description, needs }
        });
        Filled { title: headline(&title, 200), legs, synthesis }
    }
}
