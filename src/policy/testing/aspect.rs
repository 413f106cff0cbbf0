//! Tests of Lua aspects: `four-eyes_test.lua` tests `four-eyes.lua` beside it, on steps that the test writes down or
//! on a formula that there is. The real compiler weaves.

use std::sync::{Arc, Mutex};

use mlua::{Lua, LuaSerdeExt, Table, UserData, UserDataMethods, Value};
use serde_json::json;

use super::{Bench, TestReport, failed, module, run_cases};
use crate::formula::{AspectFile, Layer as FormulaLayer, Library, Mode, Options, Proto, Step, Vars, compile_proto};
use crate::policy::aspect::LuaAspects;
use crate::policy::engine::Limits;
use crate::policy::layer::LayerSource;
use crate::policy::vm::{PolicyError, load_test};

/// How the formula is called that a test's own steps make.
const OWN: &str = "steps-of-a-test";

/// Runs the test file of an aspect. `library` has the formulas that it may be woven into.
pub fn run_aspect_tests(file: &LayerSource, aspect: &AspectFile, library: &Library) -> TestReport {
    let bench = Arc::new(Mutex::new(Bench::default()));
    let loom = Loom { aspect: aspect.clone(), library: library.clone() };
    let vm = load_test(file, Limits::of_tests(), |lua| {
        let table = module::common(lua, &bench)?;
        let weave = lua.create_function(move |lua, what: Value| loom.weave(lua, what))?;
        table.raw_set("weave", weave)?;
        table.set_readonly(true);
        Ok(table)
    });
    match vm {
        Ok(vm) => run_cases(&vm, file, &bench, |_, function| function.call(())),
        Err(error) => failed(file, error),
    }
}

struct Loom {
    aspect: AspectFile,
    library: Library,
}

impl Loom {
    /// Weaves the aspect into the steps of a list, or into the formula of a name.
    fn weave(&self, lua: &Lua, what: Value) -> mlua::Result<Woven> {
        let mut formula = json!({ "formula": OWN, "compose": { "aspects": [self.aspect.name] } });
        match what {
            Value::String(name) => formula["extends"] = json!([name.to_str()?.to_owned()]),
            Value::Table(_) => formula["steps"] = lua.from_value(what)?,
            other => {
                let error = PolicyError::new(format!("weave takes a list of steps, not a {}", other.type_name()));
                return Err(error.about("weave").help("t.weave { { id = \"a\" } }, or t.weave \"shiny\"").into());
            }
        }
        let mut library = Library::empty().with_limits(self.library.limits());
        library.add_from(FormulaLayer::Town, &format!("{OWN}.formula.json"), OWN, &formula.to_string());
        library.add_from(
            FormulaLayer::Town,
            &format!("{}.lua", self.aspect.name),
            &self.aspect.source.path,
            &self.aspect.source.text,
        );
        let library = library.before(&self.library);
        let aspects = LuaAspects::with_limits(Limits::of_tests());
        let options = Options { vars: &Vars::new(), mode: Mode::Compile, aspects: &aspects };
        let proto = compile_proto(&library, OWN, options).map(|(proto, _)| proto);
        let proto = proto.map_err(|report| PolicyError::new(report.render(false)).about("weave"))?;
        Ok(Woven { proto, aspect: self.aspect.name.clone() })
    }
}

/// A step graph with the advice in it.
struct Woven {
    proto: Proto,
    aspect: String,
}

impl Woven {
    fn ids(&self, fits: impl Fn(&Step) -> bool) -> Vec<String> {
        self.proto.steps.iter().filter(|s| fits(s)).map(|s| s.id.clone()).collect()
    }
}

impl UserData for Woven {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("ids", |_, this, ()| Ok(this.ids(|_| true)));
        methods.add_method("added", |_, this, ()| Ok(this.ids(|s| s.origin.formula.as_ref() == this.aspect)));
        methods.add_method("step", |lua, this, id: String| {
            let Some(step) = this.proto.step(&id) else {
                let ids = this.ids(|_| true).join(", ");
                return Err(PolicyError::new(format!("there is no step `{id}`")).about(&id).help(ids).into());
            };
            fields(lua, step)
        });
    }
}

/// A step as a table: what a formula says of it, and lists even where they are empty.
fn fields(lua: &Lua, step: &Step) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("id", step.id.as_str())?;
    table.raw_set("title", step.title.as_str())?;
    table.raw_set("description", step.description.as_str())?;
    table.raw_set("type", step.kind.as_str())?;
    table.raw_set("labels", step.labels.clone())?;
    table.raw_set("needs", step.needs.clone())?;
    if let Some(only_if) = &step.only_if {
        table.raw_set("only_if", lua.to_value(only_if)?)?;
    }
    Ok(table)
}
