//! The arguments of a builder, each checked with a message that names function and argument.

use std::sync::Arc;

use mlua::{Function, Lua, LuaSerdeExt, Table, Value};
use serde_json::{Map, Value as Json};

use super::{Handle, check};
use crate::base::BeadId;
use crate::base::text::{article, similar};
use crate::policy::action::{BeadRef, Subject};
use crate::policy::facts::PolecatFact;
use crate::policy::schema::Fact;
use crate::policy::vm::error::PolicyError;
use crate::policy::vm::record::{fact_of, strings};
use crate::policy::vm::span::span_like;
use crate::policy::vm::state::State;
use crate::policy::vm::text::{kind, text};

/// See the module.
pub(in crate::policy::vm) struct Args<'a> {
    lua: &'a Lua,
    name: &'static str,
    values: Vec<Value>,
    used: usize,
    /// Actions that stood where their result is wanted.
    pub needs: Vec<usize>,
}

impl<'a> Args<'a> {
    pub fn new(lua: &'a Lua, name: &'static str, values: Vec<Value>) -> Self {
        Self { lua, name, values, used: 0, needs: Vec::new() }
    }

    fn get(&mut self, n: usize) -> Value {
        self.used = self.used.max(n);
        self.values.get(n - 1).cloned().unwrap_or(Value::Nil)
    }

    pub fn wrong(&self, n: usize, wanted: &str) -> mlua::Error {
        let value = self.values.get(n - 1).unwrap_or(&Value::Nil);
        let given = kind(value);
        let given = if given == "nil" { "nil".to_owned() } else { format!("{} {given}", article(given)) };
        PolicyError::new(format!("gt.{}: argument {n} is {given}, not {wanted}", self.name)).about(self.name).into()
    }

    /// All arguments must have been wanted.
    pub fn end(&self) -> mlua::Result<()> {
        if self.values.len() > self.used && !self.values[self.used..].iter().all(Value::is_nil) {
            let text = format!("gt.{} takes {} arguments, not {}", self.name, self.used, self.values.len());
            return Err(PolicyError::new(text).about(self.name).into());
        }
        Ok(())
    }

    pub fn polecat(&mut self, n: usize) -> mlua::Result<Arc<PolecatFact>> {
        match fact_of(&self.get(n)) {
            Some(Fact::Polecat(p) | Fact::Worker(p)) => Ok(p),
            _ => Err(self.wrong(n, "polecat")),
        }
    }

    pub fn subject(&mut self, n: usize, allowed: &[&str]) -> mlua::Result<Subject> {
        let value = self.get(n);
        if allowed.contains(&"bead")
            && let Some(index) = self.handle(&value)?
        {
            return Ok(Subject::Made(index));
        }
        let fact = fact_of(&value);
        let class = fact.as_ref().map(|f| match f.class().name {
            "worker" => "polecat",
            other => other,
        });
        let subject = fact.as_ref().filter(|_| class.is_some_and(|c| allowed.contains(&c))).and_then(Fact::subject);
        subject.ok_or_else(|| self.wrong(n, &allowed.join(" or ")))
    }

    pub fn bead(&mut self, n: usize) -> mlua::Result<BeadRef> {
        match self.subject(n, &["bead"])? {
            Subject::Bead(id) => Ok(BeadRef::Id(id)),
            Subject::Made(index) => Ok(BeadRef::Made(index)),
            _ => Err(self.wrong(n, "bead")),
        }
    }

    /// An action in the place of the bead that it makes.
    fn handle(&mut self, value: &Value) -> mlua::Result<Option<usize>> {
        let Value::UserData(ud) = value else { return Ok(None) };
        if !ud.is::<Handle>() {
            return Ok(None);
        }
        let index = check(self.lua, *ud.borrow::<Handle>()?)?;
        let verb = State::of(self.lua)?.built[index].action.verb();
        if verb != "create" {
            let error = PolicyError::new(format!("gt.{}: `{verb}` makes no bead", self.name));
            return Err(error.about(self.name).help("gt.create makes one").into());
        }
        self.needs.push(index);
        Ok(Some(index))
    }

    pub fn text(&mut self, n: usize) -> mlua::Result<String> {
        let value = self.get(n);
        text(self.lua, &value, &format!("gt.{}: argument {n}", self.name))
    }

    pub fn string(&mut self, n: usize) -> mlua::Result<String> {
        match self.get(n) {
            Value::String(s) => Ok(s.to_str()?.to_owned()),
            _ => Err(self.wrong(n, "a string")),
        }
    }

    pub fn maybe_string(&mut self, n: usize) -> mlua::Result<Option<String>> {
        if self.get(n).is_nil() { Ok(None) } else { self.string(n).map(Some) }
    }

    pub fn one_of(&mut self, n: usize, words: &[&str]) -> mlua::Result<String> {
        let word = self.string(n)?;
        if words.contains(&word.as_str()) {
            return Ok(word);
        }
        let error = PolicyError::new(format!("gt.{}: argument {n} is never \"{word}\"", self.name));
        Err(error.about(word).help(words.join(", ")).into())
    }

    /// A span from now on, as a moment.
    pub fn moment(&mut self, n: usize) -> mlua::Result<Option<i64>> {
        let value = self.get(n);
        if value.is_nil() {
            return Ok(None);
        }
        let span = span_like(&value, &format!("gt.{}: argument {n}", self.name))?;
        let now = State::of(self.lua)?.now_ms;
        Ok(Some(now + span.at(now) as i64))
    }

    /// A table of named options; absent is empty.
    pub fn options<'s>(&'s mut self, n: usize, keys: &[&str]) -> mlua::Result<Options<'s, 'a>> {
        let table = match self.get(n) {
            Value::Nil => self.lua.create_table()?,
            Value::Table(t) => t,
            _ => return Err(self.wrong(n, "a table")),
        };
        known(&table, &format!("gt.{}", self.name), keys)?;
        Ok(Options { args: self, table })
    }

    /// Any values with string keys, as JSON.
    pub fn values(&mut self, n: usize) -> mlua::Result<Map<String, Json>> {
        let value = self.get(n);
        let Value::Table(_) = &value else { return Err(self.wrong(n, "a table")) };
        match self.lua.from_value::<Json>(value) {
            Ok(Json::Object(map)) => Ok(map),
            Ok(Json::Array(list)) if list.is_empty() => Ok(Map::new()),
            _ => Err(self.wrong(n, "a table of plain values with names")),
        }
    }

    /// The fields of `gt.update`.
    pub fn fields(&mut self, n: usize) -> mlua::Result<Map<String, Json>> {
        const FIELDS: [&str; 6] = ["title", "description", "priority", "labels", "status", "assignee"];
        let values = self.values(n)?;
        for key in values.keys() {
            if !FIELDS.contains(&key.as_str()) {
                let error = PolicyError::new(format!("gt.update cannot change `{key}`")).about(key);
                let meant = similar(key, FIELDS).map_or_else(|| FIELDS.join(", "), |m| format!("`{m}`"));
                return Err(error.help(meant).into());
            }
        }
        Ok(values)
    }
}

/// A table of options has no other keys than these.
fn known(table: &Table, whose: &str, keys: &[&str]) -> mlua::Result<()> {
    for pair in table.pairs::<Value, Value>() {
        let key = pair?.0.to_string()?;
        if !keys.contains(&key.as_str()) {
            let error = PolicyError::new(format!("{whose} has no field `{key}`")).about(&key);
            let meant = similar(&key, keys.iter().copied()).map_or_else(|| keys.join(", "), |m| format!("`{m}`"));
            return Err(error.help(meant).into());
        }
    }
    Ok(())
}

/// Named options of a builder.
pub(in crate::policy::vm) struct Options<'s, 'a> {
    args: &'s mut Args<'a>,
    table: Table,
}

impl Options<'_, '_> {
    fn wrong(&self, key: &str, value: &Value, wanted: &str) -> mlua::Error {
        let given = kind(value);
        PolicyError::new(format!("gt.{}: `{key}` is {given}, not {wanted}", self.args.name)).about(key).into()
    }

    pub fn string(&self, key: &str) -> mlua::Result<Option<String>> {
        match self.table.raw_get::<Value>(key)? {
            Value::Nil => Ok(None),
            Value::String(s) => Ok(Some(s.to_str()?.to_owned())),
            other => Err(self.wrong(key, &other, "a string")),
        }
    }

    pub fn need_string(&self, key: &str) -> mlua::Result<String> {
        self.string(key)?.ok_or_else(|| self.wrong(key, &Value::Nil, "a string"))
    }

    pub fn one_of(&self, key: &str, words: &[&str]) -> mlua::Result<String> {
        let word = self.need_string(key)?;
        if words.contains(&word.as_str()) {
            return Ok(word);
        }
        let error = PolicyError::new(format!("gt.{}: `{key}` is never \"{word}\"", self.args.name));
        Err(error.about(word).help(words.join(", ")).into())
    }

    pub fn text(&self, key: &str) -> mlua::Result<Option<String>> {
        match self.table.raw_get::<Value>(key)? {
            Value::Nil => Ok(None),
            value => text(self.args.lua, &value, &format!("gt.{}: `{key}`", self.args.name)).map(Some),
        }
    }

    pub fn need_text(&self, key: &str) -> mlua::Result<String> {
        self.text(key)?.ok_or_else(|| self.wrong(key, &Value::Nil, "a text"))
    }

    pub fn strings(&self, key: &str) -> mlua::Result<Vec<String>> {
        match self.table.raw_get::<Value>(key)? {
            Value::Nil => Ok(Vec::new()),
            value => strings(&value, &format!("gt.{}: `{key}` is a list of strings", self.args.name)),
        }
    }

    pub fn integer(&self, key: &str) -> mlua::Result<Option<i64>> {
        let value = self.table.raw_get::<Value>(key)?;
        match &value {
            Value::Nil => Ok(None),
            Value::Integer(n) => Ok(Some(*n)),
            Value::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => Ok(Some(*n as i64)),
            other => Err(self.wrong(key, other, "a whole number")),
        }
    }

    pub fn flag(&self, key: &str) -> mlua::Result<Option<bool>> {
        match self.table.raw_get::<Value>(key)? {
            Value::Nil => Ok(None),
            Value::Boolean(b) => Ok(Some(b)),
            other => Err(self.wrong(key, &other, "true or false")),
        }
    }

    /// A table with these keys; `false` is none, as `when and { … }` gives it.
    pub fn table(&self, key: &str, keys: &[&str]) -> mlua::Result<Option<Table>> {
        let table = match self.table.raw_get::<Value>(key)? {
            Value::Nil | Value::Boolean(false) => return Ok(None),
            Value::Table(table) => table,
            other => return Err(self.wrong(key, &other, "a table")),
        };
        known(&table, &format!("gt.{}: `{key}`", self.args.name), keys)?;
        Ok(Some(table))
    }

    pub fn function(&self, key: &str) -> mlua::Result<Function> {
        match self.table.raw_get::<Value>(key)? {
            Value::Function(function) => Ok(function),
            other => Err(self.wrong(key, &other, "a function")),
        }
    }

    /// A bead, or its id.
    pub fn bead_id(&mut self, key: &str) -> mlua::Result<Option<BeadId>> {
        let value = self.table.raw_get::<Value>(key)?;
        match (fact_of(&value), &value) {
            (_, Value::Nil) => Ok(None),
            (Some(Fact::Bead(b)), _) => Ok(Some(b.id.clone())),
            (None, Value::String(s)) => {
                let id = BeadId::new(&*s.to_str()?).map_err(|e| PolicyError::new(e.to_string()).about(key))?;
                Ok(Some(id))
            }
            _ => Err(self.wrong(key, &value, "a bead")),
        }
    }
}
