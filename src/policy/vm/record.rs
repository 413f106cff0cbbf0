//! Records: read-only views of facts that note what is read.

use globset::{Glob, GlobSetBuilder};
use mlua::{AnyUserData, Lua, LuaSerdeExt, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value};

use super::error::PolicyError;
use super::span::SpanValue;
use super::state::State;
use super::text::a;
use crate::base::text::similar;
use crate::policy::schema::{Fact, Got};

/// A fact as a rule holds it.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Record(pub Fact);

/// The functions of records, in the registry of the VM.
pub(super) const METHODS: &str = "gt.methods";
/// The tables of the town's reads.
pub(super) const READS: &str = "gt.reads";

/// The userdata of a fact: one for each thing and pass.
pub(super) fn record(lua: &Lua, fact: Fact) -> mlua::Result<AnyUserData> {
    let key = fact.key();
    if let Some(found) = State::of(lua)?.records.get(&key) {
        return Ok(found.clone());
    }
    let made = lua.create_userdata(Record(fact))?;
    State::of(lua)?.records.insert(key, made.clone());
    Ok(made)
}

/// An array of records.
pub(super) fn records(lua: &Lua, facts: Vec<Fact>) -> mlua::Result<Table> {
    let list = lua.create_table_with_capacity(facts.len(), 0)?;
    for fact in facts {
        list.raw_push(record(lua, fact)?)?;
    }
    Ok(list)
}

/// A JSON value as plain Lua; `null` is nil.
pub(super) fn json(lua: &Lua, value: &serde_json::Value) -> mlua::Result<Value> {
    let options = mlua::serde::SerializeOptions::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.to_value_with(value, options.set_array_metatable(false))
}

fn index(lua: &Lua, this: &Record, key: &str) -> mlua::Result<Value> {
    let fact = &this.0;
    let class = fact.class();
    let Some(field) = class.field(key) else {
        let error = PolicyError::new(format!("`{}` has no field `{key}`", class.name)).about(key);
        return Err(error.help(field_help(class.names(), key, class.name)).into());
    };
    let got = (field.get)(fact);
    let note = |value: &dyn Fn() -> String| -> mlua::Result<()> {
        let mut state = State::of(lua)?;
        let what = state.path(fact, key);
        state.trace.read(what, value);
        Ok(())
    };
    match got {
        Got::Nil => {
            note(&|| "nil".into())?;
            Ok(Value::Nil)
        }
        Got::Text(text) => {
            note(&|| text.clone())?;
            lua.create_string(&text).map(Value::String)
        }
        Got::Int(n) => {
            note(&|| n.to_string())?;
            Ok(Value::Number(n as f64))
        }
        Got::Bool(b) => {
            note(&|| b.to_string())?;
            Ok(Value::Boolean(b))
        }
        Got::Age(since) => {
            // A comparison says it better; the read alone is no reason.
            let name = State::of(lua)?.path(fact, key);
            lua.create_userdata(SpanValue::since(since, name)).map(Value::UserData)
        }
        Got::Record(below) => record(lua, below).map(Value::UserData),
        Got::Strings(all) => {
            note(&|| all.join(", "))?;
            lua.create_sequence_from(all).map(Value::Table)
        }
        Got::Records(all) => {
            note(&|| all.len().to_string())?;
            records(lua, all).map(Value::Table)
        }
        Got::Named(all) => {
            let table = lua.create_table()?;
            for (name, below) in all {
                note(&|| format!("has {name}"))?;
                table.raw_set(name, record(lua, below)?)?;
            }
            Ok(Value::Table(table))
        }
        Got::Json(value) => {
            note(&|| value.to_string())?;
            json(lua, &value)
        }
        Got::Method(name) => lua.named_registry_value::<Table>(METHODS)?.raw_get(name),
        Got::Reads(name) => lua.named_registry_value::<Table>(READS)?.raw_get(name),
        Got::Unreadable(what) => unreadable(lua, what),
    }
}

/// Leaves the rule undecided, also when the script catches the error.
pub(super) fn unreadable<T>(lua: &Lua, what: &str) -> mlua::Result<T> {
    State::of(lua)?.trace.unreadable = Some(what.to_owned());
    Err(PolicyError::new(format!("unreadable: {what}")).into())
}

/// Names the field that was meant, and where all of them are listed.
pub(in crate::policy) fn field_help(names: Vec<&'static str>, given: &str, class: &str) -> String {
    // `silent` is short for `silent_for`, which counts for more than a likeness of letters.
    let longer = names.iter().copied().find(|n| given.len() > 2 && n.starts_with(given));
    match longer.or_else(|| similar(given, names)) {
        Some(meant) => format!("`{meant}`. All fields: gt policy facts {class}"),
        None => format!("all fields: gt policy facts {class}"),
    }
}

impl UserData for Record {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "record");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| match &key {
            Value::String(key) => index(lua, this, &key.to_str()?),
            other => {
                let class = this.0.class().name;
                Err(PolicyError::new(format!("`{class}` is one record, not a list: [{}]", other.to_string()?)).into())
            }
        });
        methods.add_meta_method(MetaMethod::NewIndex, |_, this, (key, _): (Value, Value)| -> mlua::Result<()> {
            let key = key.to_string()?;
            let error = PolicyError::new(format!("`{}.{key}` is a fact and cannot be set", this.0.class().name));
            Err(error.about(key).help("ask for a change: gt.update(bead, …), gt.remember(subject, …)").into())
        });
        methods.add_meta_method(MetaMethod::Iter, |_, this, ()| -> mlua::Result<()> {
            let class = this.0.class().name;
            let error = PolicyError::new(format!("`{class}` is a record and cannot be walked"));
            Err(error.help(format!("read its fields by name: gt policy facts {class}")).into())
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            let (class, id) = this.0.key();
            Ok(format!("{class} {id}"))
        });
        methods.add_meta_function(MetaMethod::Eq, |_, (a, b): (Value, Value)| {
            let key = |v: &Value| -> Option<(&'static str, String)> {
                let key = v.as_userdata()?.borrow::<Record>().ok()?.0.key();
                // A worker is a polecat that holds work.
                Some(if key.0 == "worker" { ("polecat", key.1) } else { key })
            };
            Ok(key(&a).is_some() && key(&a) == key(&b))
        });
    }
}

/// The fact in a value, if it is a record.
pub(in crate::policy) fn fact_of(value: &Value) -> Option<Fact> {
    let ud = value.as_userdata()?;
    ud.borrow::<Record>().ok().map(|r| r.0.clone())
}

/// `has` and `touches`.
pub(super) fn methods(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let has = lua.create_function(|lua, (this, label): (Value, Value)| {
        let fact = fact_of(&this).ok_or_else(|| PolicyError::new("has is called with a colon: bead:has(\"label\")"))?;
        let Value::String(label) = &label else {
            return Err(PolicyError::new(format!("has takes a label, not a {}", label.type_name()))
                .about("has")
                .into());
        };
        let label = label.to_str()?;
        let answer = fact.has(&label).ok_or_else(|| PolicyError::new("only beads and steps have labels"))?;
        let mut state = State::of(lua)?;
        let what = state.path(&fact, &format!("has({})", &*label));
        state.trace.read(what, || answer.to_string());
        Ok(answer)
    })?;
    table.raw_set("has", has)?;
    let touches = lua.create_function(|lua, (this, globs): (Value, Value)| {
        let Some(Fact::Mr(mr)) = fact_of(&this) else {
            return Err(PolicyError::new("touches is called with a colon: mr:touches({ \"src/**\" })").into());
        };
        let globs = strings(&globs, "touches takes a list of globs")?;
        let Some(paths) = &mr.paths else { return unreadable(lua, "its diff") };
        let mut set = GlobSetBuilder::new();
        for glob in &globs {
            set.add(Glob::new(glob).map_err(|e| PolicyError::new(format!("`{glob}` is no glob: {}", e.kind())))?);
        }
        let set = set.build().map_err(|e| PolicyError::new(e.to_string()))?;
        let hit = paths.iter().find(|p| set.is_match(p));
        let mut state = State::of(lua)?;
        let what = state.path(&Fact::Mr(mr.clone()), &format!("touches({})", globs.join(", ")));
        state.trace.read(what, || hit.map_or_else(|| "false".into(), Clone::clone));
        Ok(hit.is_some())
    })?;
    table.raw_set("touches", touches)?;
    table.set_readonly(true);
    Ok(table)
}

/// A list of strings.
pub(in crate::policy) fn strings(value: &Value, what: &str) -> mlua::Result<Vec<String>> {
    let Value::Table(list) = value else {
        return Err(PolicyError::new(format!("{what}, not {}", a(value))).into());
    };
    let mut all = Vec::new();
    for item in list.sequence_values::<Value>() {
        match item? {
            Value::String(s) => all.push(s.to_str()?.to_owned()),
            other => {
                return Err(PolicyError::new(format!("{what}, and one of its items is {}", a(&other))).into());
            }
        }
    }
    Ok(all)
}
