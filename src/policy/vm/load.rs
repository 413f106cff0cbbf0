//! Loading: the `gt` module, `require`, and the layers of a role, lowest first.

use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Lua, Table, Value};

use super::error::{PolicyError, SourceFile, diagnose};
use super::guard::{self, Guard};
use super::record::{METHODS, READS, fact_of};
use super::span::span_like;
use super::state::{Loading, State};
use super::text::{Filled, a, fill, fill_table};
use super::town::close;
use super::{Failure, Vm, aspect, build, patrol, record, role, settings, town};
use crate::policy::action::{MOST_RESTARTS, Subject};
use crate::policy::diagnostic::Diagnostic;
use crate::policy::engine::Limits;
use crate::policy::layer::LayerSource;
use crate::policy::schema::Fact;

const MODULES: &str = "gt.modules";

/// Makes a VM and runs the files of a role in it.
pub(in crate::policy) fn load(
    role: &str,
    layers: &[LayerSource],
    values: &toml::Table,
    limits: Limits,
) -> Result<Vm, Vec<Diagnostic>> {
    let files = Arc::new(sources(layers));
    let guard = Guard::new(limits);
    let made = open(&guard, &files, values);
    let lua = made.map_err(|e| vec![Diagnostic::bare(format!("the policy VM does not start: {e}"))])?;
    let vm = Vm { lua, guard, files };
    let mut errors = Vec::new();
    for (index, source) in layers.iter().enumerate() {
        if let Err(error) = layer(&vm, role, index, source) {
            errors.push(error);
            // What stands on a layer that does not load would only repeat its error.
            break;
        }
    }
    if let Ok(mut state) = State::of(vm.lua()) {
        state.loading = None;
    }
    if errors.is_empty() { Ok(vm) } else { Err(errors) }
}

/// A VM that runs a test file, with `gt.test` as its only module.
pub(in crate::policy) fn load_test(
    file: &LayerSource,
    limits: Limits,
    module: impl FnOnce(&Lua) -> mlua::Result<Table>,
) -> Result<Vm, Diagnostic> {
    let files = Arc::new(sources(std::slice::from_ref(file)));
    let guard = Guard::new(limits);
    let open = || -> mlua::Result<Lua> {
        let lua = guard::open(&guard)?;
        lua.set_app_data(State { files: Arc::clone(&files), ..State::default() });
        let module = module(&lua)?;
        let require = lua.create_function(move |_, name: String| match name.as_str() {
            "gt.test" => Ok(module.clone()),
            _ => Err(PolicyError::new(format!("a test requires gt.test, not `{name}`")).about(name).into()),
        })?;
        lua.globals().raw_set("require", require)?;
        guard::seal(&lua)?;
        Ok(lua)
    };
    let lua = open().map_err(|e| Diagnostic::bare(format!("the test VM does not start: {e}")))?;
    let vm = Vm { lua, guard: Arc::clone(&guard), files: Arc::clone(&files) };
    let run =
        |lua: &Lua| lua.load(file.text.as_str()).set_name(format!("@{}", file.path)).set_mode(ChunkMode::Text).exec();
    match vm.guarded(run) {
        Ok(()) => Ok(vm),
        Err(Failure::Error(d) | Failure::Tripped(d)) => Err(d),
        Err(Failure::Unreadable(what)) => Err(Diagnostic::bare(format!("unreadable: {what}"))),
    }
}

/// What Lua cannot read of these files, nothing of them run.
pub(in crate::policy) fn syntax(layers: &[LayerSource]) -> Vec<Diagnostic> {
    let files = sources(layers);
    let lua = Lua::new();
    let wrong = |file: &SourceFile| {
        let chunk = lua.load(file.text.as_str()).set_name(format!("@{}", file.path)).set_mode(ChunkMode::Text);
        let mut found = chunk.into_function().err().map(|error| diagnose(&error, &files))?;
        let closed = ["got '}'", "got ')'", "got ']'", "got ','"].iter().any(|end| found.message.ends_with(end));
        if closed && found.help.is_none() {
            found.help = Some("if nothing is wrong with the line, an `end` is missing above it".into());
        }
        Some(found)
    };
    files.iter().filter_map(wrong).collect()
}

pub(super) fn sources(layers: &[LayerSource]) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for source in layers {
        files.push(SourceFile { path: source.path.clone(), text: source.text.clone() });
        for (path, text) in source.modules.values() {
            files.push(SourceFile { path: path.clone(), text: text.clone() });
        }
    }
    files
}

pub(super) fn open(guard: &Arc<Guard>, files: &Arc<Vec<SourceFile>>, values: &toml::Table) -> mlua::Result<Lua> {
    let lua = guard::open(guard)?;
    lua.set_app_data(State { files: Arc::clone(files), settings: values.clone(), ..State::default() });
    lua.set_named_registry_value(METHODS, record::methods(&lua)?)?;
    lua.set_named_registry_value(READS, town::tables(&lua)?)?;
    lua.set_named_registry_value(MODULES, lua.create_table()?)?;
    let gt = module(&lua)?;
    let require = lua.create_function(move |lua, name: String| require(lua, &gt, &name))?;
    lua.globals().raw_set("require", require)?;
    guard::seal(&lua)?;
    Ok(lua)
}

fn layer(vm: &Vm, role: &str, index: usize, source: &LayerSource) -> Result<(), Diagnostic> {
    let run = |lua: &Lua| -> mlua::Result<()> {
        {
            let mut state = State::of(lua)?;
            let source = Arc::new(source.clone());
            state.loading = Some(Loading { index, source, role: role.into(), first: index == 0 });
        }
        lua.load(source.text.as_str()).set_name(format!("@{}", source.path)).set_mode(ChunkMode::Text).exec()
    };
    match vm.guarded(run) {
        Ok(()) => {}
        Err(Failure::Error(d) | Failure::Tripped(d)) => return Err(d),
        Err(Failure::Unreadable(what)) => return Err(Diagnostic::bare(format!("unreadable: {what}"))),
    }
    let opened = State::of(vm.lua()).is_ok_and(|state| state.declared.opened.contains(&index));
    if opened {
        return Ok(());
    }
    let verb = if index == 0 { "role" } else { "extend" };
    let help = format!("local {role} = gt.{verb}(\"{role}\"{})", if index == 0 { ", { api = 1, … }" } else { "" });
    let error = PolicyError::new(format!("this file declares no role `{role}`")).help(help);
    Err(vm.at(error, &source.path, 1))
}

fn require(lua: &Lua, gt: &Table, name: &str) -> mlua::Result<Value> {
    if name == "gt" {
        return Ok(Value::Table(gt.clone()));
    }
    let loading = State::of(lua)?.loading.clone();
    let Some(loading) = loading else {
        return Err(PolicyError::new("require stands at the top of a file").about(name).into());
    };
    let cache: Table = lua.named_registry_value(MODULES)?;
    let key = format!("{}:{name}", loading.index);
    match cache.raw_get::<Value>(key.as_str())? {
        Value::Nil => {}
        Value::Boolean(_) => return Err(PolicyError::new(format!("`{name}` requires itself")).about(name).into()),
        found => return Ok(found),
    }
    let Some((path, text)) = loading.source.modules.get(name) else {
        let error = PolicyError::new(format!("there is no module `{name}`")).about(name);
        let known: Vec<&str> = std::iter::once("gt").chain(loading.source.modules.keys().map(String::as_str)).collect();
        return Err(error.help(format!("a policy can require {}", known.join(", "))).into());
    };
    cache.raw_set(key.as_str(), true)?;
    let value: Value = lua.load(text.as_str()).set_name(format!("@{path}")).set_mode(ChunkMode::Text).eval()?;
    // A table that two rules can write to would be hidden state.
    if let Value::Table(table) = &value {
        table.set_readonly(true);
    }
    if value.is_nil() {
        return Err(PolicyError::new(format!("module `{name}` returns nothing")).about(name).into());
    }
    cache.raw_set(key, value.clone())?;
    Ok(value)
}

/// Everything that `gt` has.
pub(in crate::policy) fn gt_names() -> Vec<&'static str> {
    let mut names = build::builder_names();
    names.extend(aspect::ADVICE.map(|(name, _)| name));
    names.extend(["aspect", "role", "extend", "step", "span", "list", "take"]);
    names.extend(["duration", "integer", "string", "flag", "globs", "most_restarts"]);
    names
}

fn module(lua: &Lua) -> mlua::Result<Table> {
    let gt = lua.create_table()?;
    gt.raw_set("role", lua.create_function(role::role)?)?;
    gt.raw_set("extend", lua.create_function(role::extend)?)?;
    gt.raw_set("step", lua.create_function(patrol::step)?)?;
    let span = lua.create_function(|_, text: Value| span_like(&text, "gt.span"))?;
    gt.raw_set("span", span)?;
    gt.raw_set("list", lua.create_function(list)?)?;
    gt.raw_set("take", lua.create_function(take)?)?;
    gt.raw_set("most_restarts", MOST_RESTARTS)?;
    settings::add(lua, &gt)?;
    build::add(lua, &gt)?;
    aspect::add(lua, &gt)?;
    let names = gt.pairs::<String, Value>().map(|p| p.map(|(k, _)| k)).collect::<mlua::Result<Vec<_>>>()?;
    close(lua, &gt, |key| format!("`gt` has no `{key}`"), names)?;
    Ok(gt)
}

/// `gt.list(items, "{name}: {ahead} commits")`: one line for each item.
fn list(lua: &Lua, (items, line): (Table, String)) -> mlua::Result<Filled> {
    let now = State::of(lua)?.now_ms;
    let mut lines = Vec::new();
    for item in items.sequence_values::<Value>() {
        let item = item?;
        lines.push(match (fact_of(&item), &item) {
            (Some(fact), _) => fill(&line, &fact, now).map_err(PolicyError::new)?,
            (None, Value::Table(table)) => fill_table(&line, table)?,
            (None, other) => other.to_string()?,
        });
    }
    Ok(Filled(lines.join("\n")))
}

/// `gt.take(queue, keep)`: those that `keep` takes; why the others were left shows in `gt why`.
fn take(lua: &Lua, (queue, keep): (Table, mlua::Function)) -> mlua::Result<Table> {
    let taken = lua.create_table()?;
    for item in queue.sequence_values::<Value>() {
        let item = item?;
        let (keeps, why): (Value, Value) = keep.call(item.clone())?;
        match keeps {
            Value::Boolean(true) => taken.raw_push(item)?,
            Value::Boolean(false) => {
                let why = if let Value::String(s) = &why { s.to_str()?.to_owned() } else { "not taken".into() };
                if let Some(Fact::Mr(mr)) = fact_of(&item) {
                    State::of(lua)?.notes.push((Subject::Mr(mr.id.clone()), why));
                }
            }
            other => {
                let error = PolicyError::new(format!("gt.take: keep must answer true or false, not {}", a(&other)));
                return Err(error.about("take").into());
            }
        }
    }
    Ok(taken)
}
