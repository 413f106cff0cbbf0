//! The language is described three times, for the compiler, for people and for editors: the descriptions agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gastown::formula::{Layer, Library, Mode, NoAspects, Options, Vars, as_written, compile};
use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("readable")
}

fn schema() -> Value {
    serde_json::from_str(&read("docs/schema/formula.schema.json")).expect("JSON")
}

/// Each table of the language: what the schema calls it, the heading in the docs, and a formula with an unknown key
/// `zzz` in it.
const TABLES: &[(&str, &str, &str)] = &[
    ("", "The file", "zzz = 1"),
    ("var", "A variable", "[vars.v]\nzzz = 1"),
    ("step", "A step", "[[steps]]\nid = 'a'\nzzz = 1"),
    ("gate", "A gate", "[[steps]]\nid = 'a'\ngate = { type = 'human', zzz = 1 }"),
    ("loop", "A loop", "[[steps]]\nid = 'a'\n[steps.loop]\nzzz = 1\ncount = 1\nbody = [{ id = 'b' }]"),
    ("on_complete", "on_complete", "[[steps]]\nid = 'a'\non_complete = { for_each = 'output.x', bond = 'b', zzz = 1 }"),
    ("only_if", "only_if", "[[steps]]\nid = 'a'\nonly_if = { touches = ['x'], zzz = 1 }"),
    ("compose", "Compose", "[compose]\nzzz = 1"),
    ("bond_point", "A bond point", "[[compose.bond_points]]\nid = 'a'\nafter_step = 'b'\nzzz = 1"),
    ("hook", "A hook", "[[compose.hooks]]\ntrigger = 'x'\nattach = 'y'\nzzz = 1"),
    ("expand_rule", "An expand rule", "[[compose.expand]]\ntarget = 'a'\nwith = 'b'\nzzz = 1"),
    ("map_rule", "A map rule", "[[compose.map]]\nselect = 'a'\nwith = 'b'\nzzz = 1"),
    ("branch", "A branch", "[[compose.branch]]\nfrom = 'a'\nsteps = ['b']\nzzz = 1"),
    ("gate_rule", "A gate rule", "[[compose.gate]]\nbefore = 'a'\ncondition = 'b'\nzzz = 1"),
    ("advice", "An advice", "[[advice]]\ntarget = 'a'\nzzz = 1"),
    ("around", "around", "[[advice]]\ntarget = 'a'\n[advice.around]\nzzz = 1"),
    ("advice_step", "A step of an advice", "[[advice]]\ntarget = 'a'\nbefore = { id = 'b', zzz = 1 }"),
    ("pointcut", "A pointcut", "[[pointcuts]]\nglob = 'a'\nzzz = 1"),
    ("squash", "squash", "[squash]\nzzz = 1"),
    ("patrol", "A patrol", "[patrol]\nzzz = 1"),
    ("input", "An input", "[inputs.i]\nzzz = 1"),
    ("leg", "A leg", "[[legs]]\nid = 'a'\nzzz = 1"),
    ("prompts", "The prompts", "[prompts]\nzzz = 1"),
    ("synthesis", "The synthesis", "[synthesis]\nzzz = 1"),
    ("output", "The output", "[output]\nzzz = 1"),
    ("preset", "A preset", "[presets.p]\nzzz = 1"),
];

/// The keys that the parser knows in the table of a probe: it lists them when it meets one that it does not know.
fn parsed(probe: &str) -> BTreeSet<String> {
    let mut library = Library::empty();
    let text =
        if probe.starts_with("zzz") { format!("{probe}\nformula = 'x'") } else { format!("formula = 'x'\n{probe}") };
    library.add(Layer::Town, "x.formula.toml", &text);
    let none = Vars::new();
    let options = Options { vars: &none, mode: Mode::Compile, aspects: &NoAspects };
    let report = compile(&library, "x", options).expect_err("an unknown key is an error here");
    let unknown =
        report.findings.iter().find(|f| f.code == "unknown-key").unwrap_or_else(|| panic!("{probe}: {report}"));
    let keys = gastown_keys(unknown.help.as_deref().unwrap_or_default());
    assert!(!keys.is_empty(), "{probe}: {unknown:?}");
    keys
}

fn gastown_keys(help: &str) -> BTreeSet<String> {
    let list = help.strip_prefix("its keys are ").unwrap_or_default();
    list.split(", ").filter(|k| !k.is_empty()).map(str::to_owned).collect()
}

/// The keys in the tables of the docs, by heading: what stands in backticks in the first column.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut heading = String::new();
    for line in read("docs/formulas.md").lines() {
        if let Some(title) = line.strip_prefix("##") {
            title.trim_start_matches('#').trim().trim_matches('`').clone_into(&mut heading);
        } else if let Some(row) = line.strip_prefix("| `") {
            let first = row.split('|').next().unwrap_or_default();
            let keys =
                first.split('`').step_by(2).map(str::to_owned).filter(|k| !k.trim_matches([',', ' ']).is_empty());
            all.entry(heading.clone()).or_default().extend(keys);
        }
    }
    all
}

#[test]
fn the_parser_the_reference_and_the_schema_know_the_same_keys() {
    let (schema, docs) = (schema(), documented());
    for (name, heading, probe) in TABLES {
        let keys = parsed(probe);
        assert_eq!(docs.get(*heading), Some(&keys), "docs/formulas.md, {heading}");
        let table = if name.is_empty() { &schema } else { &schema["$defs"][*name] };
        let known: BTreeSet<String> = table["properties"].as_object().expect("a table").keys().cloned().collect();
        assert_eq!(known, keys, "docs/schema/formula.schema.json, {name}");
        assert_eq!(table["additionalProperties"], Value::Bool(false), "{name} refuses unknown keys");
    }
    let described: BTreeSet<&str> = TABLES.iter().map(|(name, ..)| *name).filter(|n| !n.is_empty()).collect();
    let defined: BTreeSet<&str> = schema["$defs"].as_object().expect("tables").keys().map(String::as_str).collect();
    let more: Vec<&&str> = defined.difference(&described).collect();
    assert_eq!(more, [&"advice_steps"], "one step or a list of them");
}

/// What is wrong with `value`, for the part of JSON Schema that ours is written in.
fn wrong(value: &Value, schema: &Value, root: &Value, path: &str, out: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => &root["$defs"][name.rsplit('/').next().expect("a name")],
        None => schema,
    };
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |choice: &Value| {
            let mut errors = Vec::new();
            wrong(value, choice, root, path, &mut errors);
            errors.is_empty()
        };
        if !choices.iter().any(fits) {
            out.push(format!("{path}: fits none of its forms"));
        }
    }
    let is = |word: &str| match word {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        other => panic!("the schema uses the type {other}, which this test does not know"),
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|t| is(t)) {
        out.push(format!("{path}: is no {}", types.join(" or ")));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        out.push(format!("{path}: {value} is not one of {words:?}"));
    }
    if let (Some(least), Some(n)) = (schema["minimum"].as_i64(), value.as_i64())
        && n < least
    {
        out.push(format!("{path}: {n} is below {least}"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !regex::Regex::new(pattern).expect("a pattern").is_match(text)
    {
        out.push(format!("{path}: {text} does not match {pattern}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong(item, &schema["items"], root, &format!("{path}[{index}]"), out);
    }
    let Some(table) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !table.contains_key(key) {
            out.push(format!("{path}: has no {key}"));
        }
    }
    for (key, item) in table {
        let path = format!("{path}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => out.push(format!("{path}: unknown")),
            (Value::Null, more @ Value::Object(_)) => wrong(item, more, root, &path, out),
            (Value::Null, _) => {}
            (known, _) => wrong(item, known, root, &path, out),
        }
    }
}

fn validate(value: &Value) -> Vec<String> {
    let (root, mut out) = (schema(), Vec::new());
    wrong(value, &root, &root, "", &mut out);
    out
}

#[test]
fn every_formula_that_is_shipped_is_one_that_editors_accept() {
    let library = Library::new([]);
    let listed = library.list();
    assert!(listed.len() >= 17, "{}", listed.len());
    for one in listed.into_iter().filter(|one| !one.source.ends_with(".lua")) {
        let value = as_written(&library.find(&one.name).expect("found")).expect("parses");
        assert_eq!(validate(&value), Vec::<String>::new(), "{}", one.name);
    }
}

#[test]
fn editors_refuse_a_key_that_the_parser_does_not_know() {
    for (name, _, probe) in TABLES {
        let text =
            if name.is_empty() { "zzz = 1\nformula = 'x'".to_owned() } else { format!("formula = 'x'\n{probe}") };
        let table: toml::Table = text.parse().expect("TOML");
        let wrong = validate(&serde_json::to_value(table).expect("JSON"));
        // Under `before` there may be one step or a list of them, so the key itself is not named there.
        let named = wrong.iter().any(|w| w.ends_with("zzz: unknown") || w.ends_with("fits none of its forms"));
        assert!(named, "{name}: {wrong:?}");
    }
    let wrong_type = serde_json::json!({ "formula": "x", "steps": [{ "id": "a", "needs": "b" }] });
    assert_eq!(validate(&wrong_type), [".steps[0].needs: is no array"]);
}
