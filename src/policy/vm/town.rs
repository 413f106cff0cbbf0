//! The reads of the `town` argument: `town.beads.find{…}` and its like, answered by the caller's [`Reads`].

use mlua::{Function, Lua, Table, Value};

use super::error::PolicyError;
use super::record::{fact_of, record, records, unreadable};
use super::span::span_like;
use super::state::{Request, Response, State};
use super::text::kind;
use crate::base::text::similar;
use crate::policy::reads::{BeadQuery, Reads, Unreadable};
use crate::policy::schema::Fact;

/// Answers a request of the VM.
pub(super) fn answer(request: Request, reads: &dyn Reads) -> Result<Response, Unreadable> {
    let bead = |b: Option<_>| Response::One(b.map(Fact::Bead));
    Ok(match request {
        Request::Bead(id) => bead(reads.bead(&id)?),
        Request::Find(query) => Response::Many(reads.find(&query)?.into_iter().map(Fact::Bead).collect()),
        Request::HookOf(agent) => bead(reads.hook_of(&agent)?),
        Request::Free => Response::Many(reads.free()?.into_iter().map(Fact::Polecat).collect()),
        Request::Screen(agent, lines) => Response::Text(reads.screen(&agent, lines)?),
        Request::Unread(address) => Response::Many(reads.unread(&address)?.into_iter().map(Fact::Mail).collect()),
        Request::Branches(merged) => Response::Many(reads.branches(merged)?.into_iter().map(Fact::Branch).collect()),
        Request::IdleWisps(since) => Response::Many(reads.idle_wisps(since)?.into_iter().map(Fact::Bead).collect()),
        Request::Scattered => Response::Flag(reads.scattered()?),
        Request::Count(action, subject, since) => Response::Number(reads.count(&action, &subject, since)?),
    })
}

fn ask(lua: &Lua, what: String, request: Request) -> mlua::Result<Value> {
    let reader = {
        let mut state = State::of(lua)?;
        state.request = Some(request);
        state.reader.clone()
    };
    let Some(reader) = reader else {
        return Err(PolicyError::new("the town can be read only while a rule is judged").into());
    };
    reader.call::<()>(())?;
    let response = State::of(lua)?.response.take();
    let note = |value: String| -> mlua::Result<()> {
        State::of(lua)?.trace.read(what.clone(), || value);
        Ok(())
    };
    match response {
        None => Err(PolicyError::new("the town gave no answer").into()),
        Some(Err(Unreadable(why))) => unreadable(lua, &why),
        Some(Ok(Response::One(None))) => {
            note("nil".into())?;
            Ok(Value::Nil)
        }
        Some(Ok(Response::One(Some(fact)))) => {
            note(fact.key().1)?;
            record(lua, fact).map(Value::UserData)
        }
        Some(Ok(Response::Many(facts))) => {
            note(facts.len().to_string())?;
            records(lua, facts).map(Value::Table)
        }
        Some(Ok(Response::Text(text))) => {
            note(format!("{} bytes", text.len()))?;
            lua.create_string(&text).map(Value::String)
        }
        Some(Ok(Response::Flag(answer))) => {
            note(answer.to_string())?;
            Ok(Value::Boolean(answer))
        }
        Some(Ok(Response::Number(n))) => {
            note(n.to_string())?;
            Ok(Value::Number(n as f64))
        }
    }
}

fn string(value: &Value, what: &str) -> mlua::Result<String> {
    match value {
        Value::String(s) => Ok(s.to_str()?.to_owned()),
        other => Err(PolicyError::new(format!("{what} is a string, not a {}", kind(other))).into()),
    }
}

/// The address of an agent given as record or as text.
fn agent(value: &Value, what: &str) -> mlua::Result<String> {
    match fact_of(value) {
        Some(Fact::Polecat(p) | Fact::Worker(p)) => Ok(p.address.to_string()),
        _ => string(value, what),
    }
}

const QUERY: [&str; 5] = ["label", "status", "type", "epic", "found_in"];

fn query(table: &Table) -> mlua::Result<BeadQuery> {
    let mut query = BeadQuery::default();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let key = key.to_string()?;
        let text = match fact_of(&value) {
            Some(Fact::Bead(b)) => b.id.to_string(),
            _ => string(&value, &format!("beads.find: {key}"))?,
        };
        let slot = match key.as_str() {
            "label" => &mut query.label,
            "status" => &mut query.status,
            "type" => &mut query.kind,
            "epic" => &mut query.epic,
            "found_in" => &mut query.found_in,
            _ => {
                let error = PolicyError::new(format!("a bead has no field `{key}` to find by")).about(&key);
                let meant = similar(&key, QUERY).map_or_else(|| QUERY.join(", "), |m| format!("`{m}`"));
                return Err(error.help(meant).into());
            }
        };
        *slot = Some(text);
    }
    Ok(query)
}

fn describe(query: &BeadQuery) -> String {
    let parts = [&query.label, &query.status, &query.kind, &query.epic, &query.found_in];
    let shown: Vec<_> =
        QUERY.iter().zip(parts).filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?))).collect();
    format!("beads.find({})", shown.join(" "))
}

/// The tables `beads`, `hooks`, `tmux`, `mail`, `git`, `wisps`, `ledger` and the function `count`.
pub(super) fn tables(lua: &Lua) -> mlua::Result<Table> {
    let get = lua.create_function(|lua, id: Value| {
        let id = string(&id, "beads.get: the id")?;
        ask(lua, format!("beads.get({id})"), Request::Bead(id))
    })?;
    let find = lua.create_function(|lua, by: Value| {
        let Value::Table(by) = &by else {
            return Err(PolicyError::new("beads.find takes a table: { label = \"docs\" }").about("find").into());
        };
        let query = query(by)?;
        ask(lua, describe(&query), Request::Find(query))
    })?;
    let of = lua.create_function(|lua, who: Value| {
        let who = agent(&who, "hooks.of: the agent")?;
        ask(lua, format!("hooks.of({who})"), Request::HookOf(who))
    })?;
    let free = lua.create_function(|lua, ()| ask(lua, "hooks.free()".into(), Request::Free))?;
    let screen = lua.create_function(|lua, (who, lines): (Value, Option<u32>)| {
        let who = agent(&who, "tmux.screen: the agent")?;
        let address = who.parse().map_err(|e: crate::base::NameError| PolicyError::new(e.to_string()))?;
        ask(lua, format!("screen({who})"), Request::Screen(address, lines.unwrap_or(50).min(1000) as usize))
    })?;
    let unread = lua.create_function(|lua, who: Value| {
        let who = agent(&who, "mail.unread: the address")?;
        ask(lua, format!("mail.unread({who})"), Request::Unread(who))
    })?;
    let branches = lua.create_function(|lua, q: Option<Table>| {
        let merged = q.map(|q| q.get::<Option<bool>>("merged")).transpose()?.flatten();
        ask(lua, "git.branches".into(), Request::Branches(merged))
    })?;
    let idle = lua.create_function(|lua, age: Value| {
        let now = State::of(lua)?.now_ms;
        let age = span_like(&age, "wisps.idle: how long")?.at(now) as i64;
        ask(lua, "wisps.idle".into(), Request::IdleWisps(now - age))
    })?;
    let scattered = lua.create_function(|lua, ()| ask(lua, "ledger.scattered".into(), Request::Scattered))?;
    let count = lua.create_function(|lua, (action, of, since): (Value, Value, Value)| {
        let action = string(&action, "count: the action")?;
        let subject = fact_of(&of).and_then(|f| f.subject());
        let subject = subject.ok_or_else(|| PolicyError::new("count is of a bead, polecat or mr").about("count"))?;
        let now = State::of(lua)?.now_ms;
        let since = match &since {
            Value::Nil => None,
            other => Some(now - span_like(other, "count: since")?.at(now) as i64),
        };
        ask(lua, format!("count({action}, {subject})"), Request::Count(action, subject, since))
    })?;
    let all = lua.create_table()?;
    all.raw_set("beads", table(lua, "town.beads", &[("get", get), ("find", find)])?)?;
    all.raw_set("hooks", table(lua, "town.hooks", &[("of", of), ("free", free)])?)?;
    all.raw_set("tmux", table(lua, "town.tmux", &[("screen", screen)])?)?;
    all.raw_set("mail", table(lua, "town.mail", &[("unread", unread)])?)?;
    all.raw_set("git", table(lua, "town.git", &[("branches", branches)])?)?;
    all.raw_set("wisps", table(lua, "town.wisps", &[("idle", idle)])?)?;
    all.raw_set("ledger", table(lua, "town.ledger", &[("scattered", scattered)])?)?;
    all.raw_set("count", count)?;
    Ok(all)
}

fn table(lua: &Lua, name: &'static str, functions: &[(&'static str, Function)]) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (key, function) in functions {
        table.raw_set(*key, function)?;
    }
    let names = functions.iter().map(|(n, _)| (*n).to_owned()).collect();
    close(lua, &table, move |key| format!("`{name}` has no function `{key}`"), names)?;
    Ok(table)
}

/// Makes a table read-only; reading what it does not have is an error with a suggestion.
pub(super) fn close(
    lua: &Lua,
    table: &Table,
    message: impl Fn(&str) -> String + Send + Sync + 'static,
    names: Vec<String>,
) -> mlua::Result<()> {
    let meta = lua.create_table()?;
    let unknown = lua.create_function(move |_, (_, key): (Value, Value)| -> mlua::Result<()> {
        let key = key.to_string()?;
        let mut error = PolicyError::new(message(&key)).about(&key);
        if let Some(meant) = similar(&key, names.iter().map(String::as_str)) {
            error = error.help(format!("`{meant}`"));
        } else if !names.is_empty() {
            error = error.help(names.join(", "));
        }
        Err(error.into())
    })?;
    meta.raw_set("__index", unknown)?;
    meta.raw_set("__metatable", "read-only")?;
    table.set_metatable(Some(meta))?;
    table.set_readonly(true);
    Ok(())
}
