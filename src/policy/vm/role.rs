//! Roles as files declare them: `gt.role`, `gt.extend`, rules, overrides, questions.

use mlua::{Function, Lua, Table, Value};

use super::error::PolicyError;
use super::patrol::{self, PatrolPart, RunPart};
use super::settings::{self, Setting};
use super::span::span_like;
use super::state::{Loading, State};
use super::text::kind;
use super::town::close;
use crate::base::text::similar;
use crate::policy::facts::EventKind;
use crate::policy::schema::EACH;

/// What the files of a role have declared, in order.
#[derive(Debug, Default)]
pub(in crate::policy) struct Declared {
    pub parts: Vec<Part>,
    pub questions: Vec<Question>,
    pub patrols: Vec<PatrolPart>,
    pub runs: Vec<RunPart>,
    pub settings: Vec<(String, Setting)>,
    pub doc: String,
    pub scope: String,
    /// The layers that called `gt.role` or `gt.extend`.
    pub opened: Vec<usize>,
}

/// What one layer says about one rule.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Part {
    pub rule: String,
    pub layer: usize,
    pub says: Says,
    pub when: Option<Function>,
    pub body: Option<Body>,
    pub per: Option<Per>,
    pub reset: Option<Reset>,
    pub beats: Option<Vec<String>>,
    pub file: String,
    pub line: u32,
}

/// See [`Part`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Says {
    /// A new rule on things of a class.
    Each(&'static str),
    /// A new rule on events of a kind.
    On(EventKind),
    /// Parts of a rule of a lower layer.
    Override,
    /// The rule is gone.
    Drop,
}

/// What a rule does.
#[derive(Debug, Clone)]
pub(in crate::policy) enum Body {
    Act(Function),
    Ladder(Vec<RungPart>),
}

/// A rung as written.
#[derive(Debug, Clone)]
pub(in crate::policy) struct RungPart {
    pub act: Function,
    pub times: u32,
    pub wait_ms: i64,
}

/// What a ladder's place hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Per {
    Bead,
    Agent,
    Mr,
}

/// When a ladder starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Reset {
    Progress,
    Never,
    After(i64),
}

/// One layer's answer to one of the Refinery's questions.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Question {
    pub name: &'static str,
    pub layer: usize,
    pub function: Function,
    pub file: String,
    pub line: u32,
}

/// The Refinery's questions.
pub(in crate::policy) const QUESTIONS: [&str; 7] =
    ["admit", "order", "batch", "gates", "on_conflict", "on_failure", "after_merge"];

/// The role whose questions they are.
pub(in crate::policy) const REFINERY: &str = "refinery";

pub(super) fn loading(lua: &Lua, what: &str) -> mlua::Result<Loading> {
    State::of(lua)?
        .loading
        .clone()
        .ok_or_else(|| PolicyError::new(format!("{what} stands at the top of a file, not inside a rule")).into())
}

/// `gt.role(name, o)`
pub(super) fn role(lua: &Lua, (name, options): (String, Option<Table>)) -> mlua::Result<Table> {
    let loading = loading(lua, "gt.role")?;
    if !loading.first {
        let error = PolicyError::new(format!("there is already a role `{name}`")).about(name.as_str());
        return Err(error.help(format!("gt.extend(\"{name}\") adds a layer over it")).into());
    }
    own(&loading, &name)?;
    let Some(options) = options else {
        let error = PolicyError::new(format!("gt.role(\"{name}\") says what the role is"));
        return Err(error.help("{ api = 1, scope = \"rig\", doc = \"…\" }").into());
    };
    keys(&options, &["api", "scope", "doc", "agent"], "a role")?;
    let api: Value = options.get("api")?;
    if api.as_f64() != Some(1.0) && api.as_i64() != Some(1) {
        return Err(PolicyError::new("the api of a role is 1").about("api").help("api = 1").into());
    }
    let scope: Option<String> = options.get("scope")?;
    let scope = scope
        .filter(|s| s == "town" || s == "rig")
        .ok_or_else(|| PolicyError::new("the scope of a role is \"town\" or \"rig\"").about("scope"))?;
    let doc: Option<String> = options.get("doc")?;
    {
        let mut state = State::of(lua)?;
        state.declared.scope = scope;
        state.declared.doc = doc.unwrap_or_default();
    }
    open(lua, &loading, name)
}

/// `gt.extend(name)`
pub(super) fn extend(lua: &Lua, name: String) -> mlua::Result<Table> {
    let loading = loading(lua, "gt.extend")?;
    if loading.first {
        let mut error = PolicyError::new(format!("there is no role `{name}` to extend")).about(name.as_str());
        error.help = Some(match similar(&name, crate::policy::builtin_roles()) {
            Some(meant) if meant != name => format!("`{meant}`"),
            _ => format!("gt.role(\"{name}\", {{ api = 1, … }}) declares a new one"),
        });
        return Err(error.into());
    }
    own(&loading, &name)?;
    open(lua, &loading, name)
}

fn own(loading: &Loading, name: &str) -> mlua::Result<()> {
    if name == loading.role {
        return Ok(());
    }
    let error = PolicyError::new(format!("this file is the role `{}`, not `{name}`", loading.role)).about(name);
    Err(error.help(format!("the role `{name}` is the file roles/{name}.lua")).into())
}

fn open(lua: &Lua, loading: &Loading, name: String) -> mlua::Result<Table> {
    State::of(lua)?.declared.opened.push(loading.index);
    let role = lua.create_table()?;
    let each = lua.create_table()?;
    for class in EACH {
        each.raw_set(class, declare(lua, Says::Each(class))?)?;
    }
    let mut names: Vec<String> = EACH.iter().map(ToString::to_string).collect();
    close(lua, &each, |key| format!("there is nothing called `{key}` to have rules on"), names)?;
    role.raw_set("each", each)?;
    let on = lua.create_table()?;
    for kind in EventKind::ALL {
        on.raw_set(kind.as_str(), declare(lua, Says::On(kind))?)?;
    }
    names = EventKind::ALL.iter().map(|k| k.as_str().to_owned()).collect();
    close(lua, &on, |key| format!("there is no event `{key}`"), names)?;
    role.raw_set("on", on)?;
    role.raw_set("override", declare(lua, Says::Override)?)?;
    let drop = lua.create_function(|lua, (rule, why): (String, Value)| {
        if !matches!(why, Value::String(_)) {
            return Err(PolicyError::new("drop says why").about("drop").help("role.drop(\"rule\", \"why\")").into());
        }
        add(lua, Says::Drop, rule, None)
    })?;
    role.raw_set("drop", drop)?;
    role.raw_set("patrol", lua.create_function(patrol::patrol)?)?;
    role.raw_set("run", lua.create_function(patrol::run)?)?;
    let owner = name.clone();
    role.raw_set("settings", lua.create_function(move |lua, table: Table| settings::read(lua, &owner, &table))?)?;
    if name == REFINERY {
        for question in QUESTIONS {
            role.raw_set(question, ask(lua, question)?)?;
        }
    }
    let mut names: Vec<String> =
        ["each", "on", "override", "drop", "patrol", "run", "settings"].map(Into::into).to_vec();
    if name == REFINERY {
        names.extend(QUESTIONS.map(Into::into));
    }
    close(lua, &role, move |key| format!("the role `{name}` has no `{key}`"), names)?;
    Ok(role)
}

fn ask(lua: &Lua, name: &'static str) -> mlua::Result<Function> {
    lua.create_function(move |lua, function: Value| {
        let loading = loading(lua, name)?;
        let Value::Function(function) = function else {
            let error = PolicyError::new(format!("{name} takes a function, not a {}", kind(&function)));
            return Err(error.about(name).into());
        };
        let (file, line) = super::place(lua, 1).unwrap_or_default();
        let mut state = State::of(lua)?;
        if state.declared.questions.iter().any(|q| q.name == name && q.layer == loading.index) {
            let error = PolicyError::new(format!("`{name}` has one answer, and this file gives two")).about(name);
            return Err(error.into());
        }
        state.declared.questions.push(Question { name, layer: loading.index, function, file, line });
        Ok(())
    })
}

fn declare(lua: &Lua, says: Says) -> mlua::Result<Function> {
    lua.create_function(move |lua, (rule, fields): (Value, Value)| {
        let Value::String(rule) = &rule else {
            let error = PolicyError::new(format!("a rule has a name, not a {}", kind(&rule)));
            return Err(error.help("role.each.worker(\"name\", { when = …, act = … })").into());
        };
        let Value::Table(fields) = fields else {
            return Err(PolicyError::new(format!("a rule is a table, not a {}", kind(&fields))).into());
        };
        add(lua, says, rule.to_str()?.to_owned(), Some(fields))
    })
}

fn add(lua: &Lua, says: Says, rule: String, fields: Option<Table>) -> mlua::Result<()> {
    let loading = loading(lua, "a rule")?;
    let (file, line) = super::place(lua, 1).unwrap_or_default();
    known(&State::of(lua)?.declared, says, &rule, loading.index)?;
    let mut part = Part {
        rule,
        layer: loading.index,
        says,
        when: None,
        body: None,
        per: None,
        reset: None,
        beats: None,
        file,
        line,
    };
    if let Some(fields) = fields {
        fill(&mut part, &fields)?;
    }
    State::of(lua)?.declared.parts.push(part);
    Ok(())
}

/// New rules must be new; overrides and drops must name one of a lower layer.
fn known(declared: &Declared, says: Says, rule: &str, layer: usize) -> mlua::Result<()> {
    let live = |p: &&Part| matches!(p.says, Says::Each(_) | Says::On(_));
    let lower: Vec<&Part> = declared.parts.iter().filter(live).filter(|p| p.layer < layer).collect();
    let mine = declared.parts.iter().any(|p| p.rule == rule && p.layer == layer);
    if mine {
        return Err(PolicyError::new(format!("this file has two rules `{rule}`")).about(rule).into());
    }
    match says {
        Says::Each(_) | Says::On(_) if lower.iter().any(|p| p.rule == rule) => {
            let error = PolicyError::new(format!("there is already a rule `{rule}`")).about(rule);
            Err(error.help(format!("role.override(\"{rule}\", {{ … }}) changes it")).into())
        }
        Says::Override | Says::Drop if !lower.iter().any(|p| p.rule == rule) => {
            let error = PolicyError::new(format!("no lower layer has a rule `{rule}`")).about(rule);
            let names: Vec<&str> = lower.iter().map(|p| p.rule.as_str()).collect();
            let help = similar(rule, names.iter().copied()).map_or_else(|| names.join(", "), str::to_owned);
            let from =
                lower.iter().find(|p| p.rule == help).map(|p| if p.layer == 0 { " (built-in)" } else { " (town)" });
            Err(error.help(format!("{help}{}", from.unwrap_or_default())).into())
        }
        _ => Ok(()),
    }
}

pub(super) fn keys(table: &Table, allowed: &[&str], what: &str) -> mlua::Result<()> {
    for pair in table.pairs::<Value, Value>() {
        let key = pair?.0;
        let Value::String(name) = &key else {
            return Err(PolicyError::new(format!("{what} has named parts only: {}", allowed.join(", "))).into());
        };
        let name = name.to_str()?.to_owned();
        if !allowed.contains(&name.as_str()) {
            let meant =
                similar(&name, allowed.iter().copied()).map_or_else(|| allowed.join(", "), |m| format!("`{m}`"));
            return Err(PolicyError::new(format!("{what} has no part `{name}`")).about(name).help(meant).into());
        }
    }
    Ok(())
}

pub(super) fn function(table: &Table, key: &str, what: &str) -> mlua::Result<Option<Function>> {
    match table.raw_get::<Value>(key)? {
        Value::Nil => Ok(None),
        Value::Function(f) => Ok(Some(f)),
        other => {
            Err(PolicyError::new(format!("`{key}` of {what} is a function, not a {}", kind(&other))).about(key).into())
        }
    }
}

fn fill(part: &mut Part, fields: &Table) -> mlua::Result<()> {
    let event = matches!(part.says, Says::On(_));
    let what = if event { "a rule on events" } else { "a rule" };
    let allowed: &[&str] = if event { &["when", "act"] } else { &["when", "act", "ladder", "per", "reset", "beats"] };
    keys(fields, allowed, what)?;
    part.when = function(fields, "when", what)?;
    let act = function(fields, "act", what)?;
    let ladder: Value = fields.raw_get("ladder")?;
    part.body = match (act, ladder) {
        (Some(act), Value::Nil) => Some(Body::Act(act)),
        (None, Value::Table(rungs)) => Some(Body::Ladder(ladder_of(&rungs)?)),
        (None, Value::Nil) => None,
        (None, other) => {
            return Err(PolicyError::new(format!("a ladder is a list of rungs, not a {}", kind(&other)))
                .about("ladder")
                .into());
        }
        (Some(_), _) => {
            let error = PolicyError::new(format!("rule `{}` has `act` and `ladder`", part.rule)).about("ladder");
            return Err(error.help("they are one part: give one of them").into());
        }
    };
    part.per = match word(fields, "per", &["bead", "agent", "mr"])?.as_deref() {
        Some("bead") => Some(Per::Bead),
        Some("agent") => Some(Per::Agent),
        Some(_) => Some(Per::Mr),
        None => None,
    };
    part.reset = match fields.raw_get::<Value>("reset")? {
        Value::Nil => None,
        Value::String(s) if s == "progress" => Some(Reset::Progress),
        Value::String(s) if s == "never" => Some(Reset::Never),
        other => Some(Reset::After(span_like(&other, "reset (progress, never or a span)")?.base as i64)),
    };
    part.beats = match fields.raw_get::<Value>("beats")? {
        Value::Nil => None,
        other => Some(super::record::strings(&other, "beats is a list of rules")?),
    };
    if part.says != Says::Override {
        let missing = if part.when.is_none() && !event { Some("when") } else { None };
        let missing = missing.or(if part.body.is_none() { Some("act") } else { None });
        if let Some(missing) = missing {
            let error = PolicyError::new(format!("rule `{}` has no `{missing}`", part.rule)).about(part.rule.as_str());
            return Err(error.into());
        }
    }
    Ok(())
}

fn word(table: &Table, key: &str, words: &[&str]) -> mlua::Result<Option<String>> {
    match table.raw_get::<Value>(key)? {
        Value::Nil => Ok(None),
        Value::String(s) if words.iter().any(|w| s == *w) => Ok(Some(s.to_str()?.to_owned())),
        _ => Err(PolicyError::new(format!("`{key}` is one of {}", words.join(", "))).about(key).into()),
    }
}

fn ladder_of(rungs: &Table) -> mlua::Result<Vec<RungPart>> {
    let mut all = Vec::new();
    for rung in rungs.sequence_values::<Value>() {
        let Value::Table(rung) = rung? else {
            return Err(PolicyError::new("a rung is a table")
                .about("ladder")
                .help("{ wait = \"5m\", act = … }")
                .into());
        };
        keys(&rung, &["act", "times", "wait"], "a rung")?;
        let Some(act) = function(&rung, "act", "a rung")? else {
            return Err(PolicyError::new("a rung has no `act`").about("ladder").into());
        };
        let times = match rung.raw_get::<Value>("times")? {
            Value::Nil => 1,
            value => match value.as_f64().or_else(|| value.as_i64().map(|n| n as f64)) {
                Some(n) if n >= 1.0 && n.fract() == 0.0 && n <= 1000.0 => n as u32,
                _ => return Err(PolicyError::new("`times` is a whole number from 1 to 1000").about("times").into()),
            },
        };
        let wait_ms = match rung.raw_get::<Value>("wait")? {
            Value::Nil => 0,
            value => span_like(&value, "wait")?.base as i64,
        };
        all.push(RungPart { act, times, wait_ms });
    }
    if all.is_empty() {
        return Err(PolicyError::new("a ladder has at least one rung").about("ladder").into());
    }
    Ok(all)
}
