//! Settings: `gt.duration("8m", "…")` declares, `role.settings{…}` reads back values, TOML sets them.

use mlua::{Lua, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value};

use super::error::PolicyError;
use super::record::strings;
use super::span::SpanValue;
use super::state::State;
use super::text::kind;
use super::town::close;
use crate::base::span::Span;

/// A setting's declaration: type, default, meaning.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Setting {
    pub value: SettingValue,
    pub doc: String,
    min: Option<i64>,
    max: Option<i64>,
    one_of: Vec<String>,
}

/// A setting's value, and thereby its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) enum SettingValue {
    Duration(Span),
    Integer(i64),
    Text(String),
    Flag(bool),
    Globs(Vec<String>),
}

impl std::fmt::Display for SettingValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Duration(span) => write!(f, "{span}"),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Flag(b) => write!(f, "{b}"),
            Self::Globs(all) => write!(f, "{all:?}"),
        }
    }
}

impl SettingValue {
    fn kind(&self) -> &'static str {
        match self {
            Self::Duration(_) => "a length of time, as in \"5m\"",
            Self::Integer(_) => "a whole number",
            Self::Text(_) => "a string",
            Self::Flag(_) => "true or false",
            Self::Globs(_) => "a list of globs",
        }
    }

    fn read(&self, value: &toml::Value) -> Option<Self> {
        Some(match (self, value) {
            (Self::Duration(_), toml::Value::String(s)) => Self::Duration(s.parse().ok()?),
            (Self::Integer(_), toml::Value::Integer(n)) => Self::Integer(*n),
            (Self::Text(_), toml::Value::String(s)) => Self::Text(s.clone()),
            (Self::Flag(_), toml::Value::Boolean(b)) => Self::Flag(*b),
            (Self::Globs(_), toml::Value::Array(a)) => {
                Self::Globs(a.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn lua(&self, lua: &Lua, name: &str) -> mlua::Result<Value> {
        Ok(match self {
            Self::Duration(span) => {
                Value::UserData(lua.create_userdata(SpanValue::constant(span.as_millis()).named(name))?)
            }
            Self::Integer(n) => Value::Number(*n as f64),
            Self::Text(text) => Value::String(lua.create_string(text)?),
            Self::Flag(b) => Value::Boolean(*b),
            Self::Globs(all) => {
                let list = lua.create_sequence_from(all.iter().cloned())?;
                list.set_readonly(true);
                Value::Table(list)
            }
        })
    }
}

impl UserData for Setting {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "setting");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        const WHAT: &str = "a setting's declaration has no value";
        const HELP: &str = "local cfg = role.settings { name = gt.duration(…) }; cfg.name is the value";
        for meta in [MetaMethod::Eq, MetaMethod::Lt, MetaMethod::Le] {
            methods.add_meta_function(meta, |_, _: (Value, Value)| -> mlua::Result<bool> {
                Err(PolicyError::new(WHAT).help(HELP).into())
            });
        }
        methods.add_meta_function(MetaMethod::Index, |_, _: (Value, Value)| -> mlua::Result<()> {
            Err(PolicyError::new(WHAT).help(HELP).into())
        });
    }
}

fn doc(value: &Value, name: &str) -> mlua::Result<String> {
    match value {
        Value::String(s) => Ok(s.to_str()?.to_owned()),
        _ => Err(PolicyError::new(format!("gt.{name}: the second argument says what the setting means"))
            .about(name)
            .into()),
    }
}

fn plain(value: SettingValue, doc: String) -> Setting {
    Setting { value, doc, min: None, max: None, one_of: Vec::new() }
}

fn wrong(name: &str, value: &Value, wanted: &SettingValue) -> mlua::Error {
    PolicyError::new(format!("gt.{name}: the default is {}, not {}", wanted.kind(), kind(value))).about(name).into()
}

/// Puts `duration`, `integer`, `string`, `flag` and `globs` into the `gt` table.
pub(super) fn add(lua: &Lua, gt: &Table) -> mlua::Result<()> {
    let duration = lua.create_function(|_, (value, about): (Value, Value)| {
        let shape = SettingValue::Duration(Span::default());
        let Value::String(text) = &value else { return Err(wrong("duration", &value, &shape)) };
        let span = text.to_str()?.parse::<Span>().map_err(|e| PolicyError::new(e.to_string()).about("duration"))?;
        Ok(plain(SettingValue::Duration(span), doc(&about, "duration")?))
    })?;
    gt.raw_set("duration", duration)?;
    let integer = lua.create_function(|_, (value, about, o): (Value, Value, Option<Table>)| {
        let n = value.as_i64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64));
        let n = n.ok_or_else(|| wrong("integer", &value, &SettingValue::Integer(0)))?;
        let mut setting = plain(SettingValue::Integer(n), doc(&about, "integer")?);
        if let Some(o) = o {
            (setting.min, setting.max) = (o.get("min")?, o.get("max")?);
        }
        Ok(setting)
    })?;
    gt.raw_set("integer", integer)?;
    let string = lua.create_function(|_, (value, about, o): (Value, Value, Option<Table>)| {
        let Value::String(text) = &value else {
            return Err(wrong("string", &value, &SettingValue::Text(String::new())));
        };
        let mut setting = plain(SettingValue::Text(text.to_str()?.to_owned()), doc(&about, "string")?);
        if let Some(o) = o {
            setting.one_of = o.get("one_of")?;
        }
        Ok(setting)
    })?;
    gt.raw_set("string", string)?;
    let flag = lua.create_function(|_, (value, about): (Value, Value)| {
        let Value::Boolean(b) = &value else { return Err(wrong("flag", &value, &SettingValue::Flag(false))) };
        Ok(plain(SettingValue::Flag(*b), doc(&about, "flag")?))
    })?;
    gt.raw_set("flag", flag)?;
    let globs = lua.create_function(|_, (value, about): (Value, Value)| {
        let all = strings(&value, "gt.globs: the default is a list of globs")?;
        Ok(plain(SettingValue::Globs(all), doc(&about, "globs")?))
    })?;
    gt.raw_set("globs", globs)
}

fn checked(setting: &Setting, name: &str, role: &str, toml: Option<&toml::Value>) -> Result<SettingValue, PolicyError> {
    let place = format!("[roles.{role}] {name}");
    let value = match toml {
        None => setting.value.clone(),
        Some(given) => setting
            .value
            .read(given)
            .ok_or_else(|| PolicyError::new(format!("{place} = {given} is not {}", setting.value.kind())))?,
    };
    if let SettingValue::Integer(n) = value
        && (setting.min.is_some_and(|min| n < min) || setting.max.is_some_and(|max| n > max))
    {
        let bound = |b: Option<i64>, none: &str| b.map_or_else(|| none.to_owned(), |b| b.to_string());
        let (min, max) = (bound(setting.min, "…"), bound(setting.max, "…"));
        return Err(PolicyError::new(format!("{place} = {n} is not within {min} to {max}")));
    }
    if let SettingValue::Text(text) = &value
        && !setting.one_of.is_empty()
        && !setting.one_of.contains(text)
    {
        return Err(PolicyError::new(format!("{place} = {text:?} is none of {}", setting.one_of.join(", "))));
    }
    if let SettingValue::Globs(all) = &value
        && let Some(bad) = all.iter().find(|g| globset::Glob::new(g).is_err())
    {
        return Err(PolicyError::new(format!("{place}: `{bad}` is no glob")));
    }
    Ok(value)
}

/// `role.settings{…}`: the values, with what TOML says put over the defaults.
pub(super) fn read(lua: &Lua, role: &str, table: &Table) -> mlua::Result<Table> {
    let values = lua.create_table()?;
    let mut names = Vec::new();
    for pair in table.pairs::<String, Value>() {
        let (name, value) = pair?;
        let setting = value.as_userdata().and_then(|ud| ud.borrow::<Setting>().ok().map(|s| s.clone()));
        let Some(setting) = setting else {
            let error = PolicyError::new(format!("setting `{name}` is a {}, not a declaration", kind(&value)));
            return Err(error.about(name).help("gt.duration, gt.integer, gt.string, gt.flag or gt.globs").into());
        };
        let toml = State::of(lua)?.settings.get(&name).cloned();
        let value = checked(&setting, &name, role, toml.as_ref()).map_err(|e| e.about(name.as_str()))?;
        values.raw_set(name.as_str(), value.lua(lua, &name)?)?;
        State::of(lua)?.declared.settings.push((name.clone(), Setting { value, ..setting }));
        names.push(name);
    }
    close(lua, &values, |key| format!("there is no setting `{key}`"), names)?;
    Ok(values)
}
