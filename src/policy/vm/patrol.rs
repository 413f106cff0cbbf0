//! Patrols as files declare them: `role.patrol`, `gt.step`, and `role.run` for the steps of patrol formulas.

use mlua::{Function, Lua, MetaMethod, Table, UserData, UserDataFields, Value};

use super::error::PolicyError;
use super::role::{function, keys, loading};
use super::span::span_like;
use super::state::State;
use super::text::kind;
use crate::base::text::similar;
use crate::policy::facts::EventKind;

/// A patrol as a file declares it. Its functions are among [`RunPart`]s, under the names that its formula uses.
#[derive(Debug, Clone)]
pub(in crate::policy) struct PatrolPart {
    pub name: String,
    pub layer: usize,
    pub every_ms: Option<i64>,
    pub on: Option<EventKind>,
    pub steps: Vec<String>,
    pub digest: bool,
    pub doc: String,
    pub file: String,
    pub line: u32,
}

/// A function that a step of a patrol can name with `run`.
#[derive(Debug, Clone)]
pub(in crate::policy) struct RunPart {
    pub name: String,
    pub layer: usize,
    pub function: Function,
    pub file: String,
    pub line: u32,
}

/// The name of the function behind a step of a patrol that is written in Lua.
pub(in crate::policy) fn run_name(patrol: &str, step: &str) -> String {
    format!("{patrol}.{step}")
}

/// What the digest of such a patrol counts as.
pub(in crate::policy) const DIGEST: &str = "digest";

/// `gt.step(id, f)`
struct StepValue {
    id: String,
    function: Function,
    line: u32,
}

impl UserData for StepValue {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "step of a patrol");
    }
}

/// `gt.step(id, f)`
pub(super) fn step(lua: &Lua, (id, function): (Value, Value)) -> mlua::Result<mlua::AnyUserData> {
    let Value::String(id) = &id else {
        let error = PolicyError::new(format!("gt.step: a step has an id, not a {}", kind(&id)));
        return Err(error.about("step").help("gt.step(\"survey\", function(run, town) … end)").into());
    };
    let id = name(&id.to_str()?, "the id of a step")?;
    let Value::Function(function) = function else {
        return Err(PolicyError::new(format!("step `{id}` is done by a function, not a {}", kind(&function)))
            .about(id)
            .into());
    };
    let (_, line) = super::place(lua, 1).unwrap_or_default();
    lua.create_userdata(StepValue { id, function, line })
}

/// Names of patrols, steps and functions go into formulas, ids and keys.
fn name(text: &str, what: &str) -> mlua::Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        let error = PolicyError::new(format!("{what} is made of letters, digits, - and _, not `{text}`"));
        return Err(error.about(text).into());
    }
    Ok(text.to_owned())
}

/// `role.run(name, f)`
pub(super) fn run(lua: &Lua, (called, function): (Value, Value)) -> mlua::Result<()> {
    let loading = loading(lua, "role.run")?;
    let Value::String(called) = &called else {
        return Err(PolicyError::new(format!("a function has a name, not a {}", kind(&called))).about("run").into());
    };
    let called = name(&called.to_str()?, "the name of a function")?;
    let Value::Function(function) = function else {
        let error = PolicyError::new(format!("`{called}` is a function, not a {}", kind(&function))).about(&called);
        return Err(error.help("role.run(\"name\", function(run, town) … end)").into());
    };
    let (file, line) = super::place(lua, 1).unwrap_or_default();
    add(lua, RunPart { name: called, layer: loading.index, function, file, line })
}

fn add(lua: &Lua, part: RunPart) -> mlua::Result<()> {
    let mut state = State::of(lua)?;
    if state.declared.runs.iter().any(|r| r.name == part.name && r.layer == part.layer) {
        return Err(PolicyError::new(format!("this file has two functions `{}`", part.name)).about(&part.name).into());
    }
    state.declared.runs.push(part);
    Ok(())
}

/// `role.patrol(name, { every =, on =, steps = {…}, digest =, doc = })`
pub(super) fn patrol(lua: &Lua, (called, table): (Value, Value)) -> mlua::Result<()> {
    let loading = loading(lua, "role.patrol")?;
    let Value::String(called) = &called else {
        return Err(PolicyError::new(format!("a patrol has a name, not a {}", kind(&called))).about("patrol").into());
    };
    let called = name(&called.to_str()?, "the name of a patrol")?;
    let Value::Table(table) = table else {
        return Err(PolicyError::new(format!("a patrol is a table, not a {}", kind(&table))).about(&called).into());
    };
    keys(&table, &["every", "on", "steps", "digest", "doc"], "a patrol")?;
    let (file, line) = super::place(lua, 1).unwrap_or_default();
    if State::of(lua)?.declared.patrols.iter().any(|p| p.name == called) {
        let error = PolicyError::new(format!("there is already a patrol `{called}`")).about(&called);
        let help = "role.run(\"PATROL.STEP\", f) in a layer above answers one of its steps anew";
        return Err(error.help(help).into());
    }
    let every_ms = match table.raw_get::<Value>("every")? {
        Value::Nil => None,
        value => Some(span_like(&value, "every")?.base as i64),
    };
    if every_ms.is_some_and(|ms| ms < 1000) {
        return Err(PolicyError::new("a patrol starts once a second at most").about("every").into());
    }
    let on = match table.raw_get::<Value>("on")? {
        Value::Nil => None,
        Value::String(s) => Some(event(&s.to_str()?)?),
        other => return Err(PolicyError::new(format!("`on` names an event, not a {}", kind(&other))).into()),
    };
    if every_ms.is_none() && on.is_none() {
        let error = PolicyError::new(format!("patrol `{called}` never starts")).about(&called);
        return Err(error.help("every = \"1h\", or on = \"mr_merged\"").into());
    }
    let doc: Option<String> = table.raw_get("doc")?;
    let digest = function(&table, DIGEST, "a patrol")?;
    let mut steps = Vec::new();
    for (id, function, line) in steps_of(&table, &called)? {
        if steps.contains(&id) || id == DIGEST {
            let error = PolicyError::new(format!("patrol `{called}` cannot have another step `{id}`")).about(&id);
            return Err(error.into());
        }
        add(lua, RunPart { name: run_name(&called, &id), layer: loading.index, function, file: file.clone(), line })?;
        steps.push(id);
    }
    let has_digest = digest.is_some();
    if let Some(function) = digest {
        let name = run_name(&called, DIGEST);
        add(lua, RunPart { name, layer: loading.index, function, file: file.clone(), line })?;
    }
    let part = PatrolPart {
        name: called,
        layer: loading.index,
        every_ms,
        on,
        steps,
        digest: has_digest,
        doc: doc.unwrap_or_default(),
        file,
        line,
    };
    State::of(lua)?.declared.patrols.push(part);
    Ok(())
}

fn event(word: &str) -> mlua::Result<EventKind> {
    if let Some(kind) = EventKind::ALL.into_iter().find(|k| k.as_str() == word) {
        return Ok(kind);
    }
    let names = EventKind::ALL.map(EventKind::as_str);
    let help = similar(word, names).map_or_else(|| names.join(", "), |meant| format!("`{meant}`"));
    Err(PolicyError::new(format!("there is no event `{word}`")).about(word).help(help).into())
}

fn steps_of(table: &Table, patrol: &str) -> mlua::Result<Vec<(String, Function, u32)>> {
    let wrong = |what: String| {
        let error = PolicyError::new(what).about(patrol);
        mlua::Error::from(error.help("steps = { gt.step(\"survey\", function(run, town) … end) }"))
    };
    let Value::Table(list) = table.raw_get::<Value>("steps")? else {
        return Err(wrong(format!("patrol `{patrol}` has no steps")));
    };
    let mut steps = Vec::new();
    for item in list.sequence_values::<Value>() {
        let item = item?;
        let step = item.as_userdata().and_then(|ud| ud.borrow::<StepValue>().ok());
        let step =
            step.ok_or_else(|| wrong(format!("a step of a patrol is made by gt.step, not a {}", kind(&item))))?;
        steps.push((step.id.clone(), step.function.clone(), step.line));
    }
    if steps.is_empty() {
        return Err(wrong(format!("patrol `{patrol}` has no steps")));
    }
    Ok(steps)
}
