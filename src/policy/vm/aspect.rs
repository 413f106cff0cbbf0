//! `gt.aspect`, `gt.before` and `gt.after`: advice for the steps of a formula. It is a value and does nothing.

use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, MetaMethod, Table, UserData, UserDataFields, Value, Variadic};

use super::build::Args;
use super::error::PolicyError;
use super::guard::Guard;
use super::record::strings;
use super::state::State;
use super::text::kind;
use super::{Failure, Vm, load};
use crate::formula::{Glob, NewStep, OnlyIf};
use crate::policy::diagnostic::Diagnostic;
use crate::policy::engine::Limits;
use crate::policy::layer::LayerSource;

/// Pieces of advice that one call may make.
const MOST: usize = 64;
/// Bytes of a description.
const LONGEST: usize = 64 << 10;

/// The functions that make advice, with their `LuaCATS` types.
pub(in crate::policy) const ADVICE: [(&str, &str); 2] = [
    ("before", "fun(s: NewStep): Advice takes over what the step needs"),
    ("after", "fun(s: NewStep): Advice dependents of the step wait for it, unless gates = false"),
];

/// What `gt.aspect` gives.
struct Aspect {
    advise: Function,
    line: u32,
}

impl UserData for Aspect {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "aspect");
    }
}

/// What `gt.before` and `gt.after` give.
pub(super) struct Advised {
    after: bool,
    new: NewStep,
}

impl UserData for Advised {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "advice");
    }
}

/// Runs the file of an aspect. Gives its function, and the line on which it is declared.
pub(in crate::policy) fn load_aspect(source: &LayerSource, limits: Limits) -> Result<(Vm, Function, u32), Diagnostic> {
    let files = Arc::new(load::sources(std::slice::from_ref(source)));
    let guard = Guard::new(limits);
    let lua = load::open(&guard, &files, &toml::Table::new())
        .map_err(|e| Diagnostic::bare(format!("the VM does not start: {e}")))?;
    let vm = Vm { lua, guard, files };
    let run = |lua: &Lua| -> mlua::Result<Value> {
        lua.load(source.text.as_str()).set_name(format!("@{}", source.path)).set_mode(ChunkMode::Text).eval()
    };
    let value = vm.guarded(run).map_err(|failure| match failure {
        Failure::Error(d) | Failure::Tripped(d) => d,
        Failure::Unreadable(what) => Diagnostic::bare(format!("unreadable: {what}")),
    })?;
    let found = value.as_userdata().and_then(|ud| ud.borrow::<Aspect>().ok().map(|a| (a.advise.clone(), a.line)));
    let Some((advise, line)) = found else {
        let error = PolicyError::new(format!("the file of an aspect returns one, not {}", with_article(kind(&value))));
        let error = error.help("return gt.aspect { api = 1, doc = \"…\", advise = function(step) … end }");
        return Err(vm.at(error, &source.path, 1));
    };
    Ok((vm, advise, line))
}

/// The advice in what `advise` returned.
pub(in crate::policy) fn advice_of(value: &Value) -> mlua::Result<Vec<(bool, NewStep)>> {
    let one = |value: &Value| -> mlua::Result<(bool, NewStep)> {
        let advised = value.as_userdata().and_then(|ud| ud.borrow::<Advised>().ok().map(|a| (a.after, a.new.clone())));
        advised.ok_or_else(|| {
            PolicyError::new(format!("advice is returned, not {}", with_article(kind(value))))
                .help("return gt.before { … }, gt.after { … }, a list of them, or nil")
                .into()
        })
    };
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Table(list) => {
            let mut all = Vec::new();
            for item in list.sequence_values::<Value>() {
                if all.len() == MOST {
                    return Err(PolicyError::new(format!("more than {MOST} pieces of advice for one step")).into());
                }
                all.push(one(&item?)?);
            }
            // `{ after = gt.after … }` would otherwise do nothing in silence.
            if all.is_empty() && list.pairs::<Value, Value>().next().is_some() {
                return Err(PolicyError::new("a table of advice is a list").help("return { gt.after { … } }").into());
            }
            Ok(all)
        }
        other => Ok(vec![one(other)?]),
    }
}

fn with_article(word: &str) -> String {
    let an = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    if word == "nil" { word.to_owned() } else { format!("{} {word}", if an { "an" } else { "a" }) }
}

/// Puts the three functions into the `gt` table.
pub(super) fn add(lua: &Lua, gt: &Table) -> mlua::Result<()> {
    let aspect = lua.create_function(|lua, values: Variadic<Value>| {
        let mut args = Args::new(lua, "aspect", values.into());
        let given = args.options(1, &["api", "doc", "advise"])?;
        let api = given.integer("api")?;
        given.need_string("doc")?;
        let advise = given.function("advise")?;
        if api != Some(1) {
            let error = PolicyError::new("gt.aspect: `api` is 1").about("api");
            return Err(error.help("this program understands api = 1").into());
        }
        args.end()?;
        let line = super::place(lua, 1).map_or(1, |(_, line)| line);
        Ok(Aspect { advise, line })
    })?;
    gt.raw_set("aspect", aspect)?;
    for (name, _) in ADVICE {
        let function = lua.create_function(move |lua, values: Variadic<Value>| {
            {
                let mut state = State::of(lua)?;
                state.advice += 1;
                if state.advice > MOST {
                    return Err(PolicyError::new(format!("more than {MOST} pieces of advice in one call")).into());
                }
            }
            let mut args = Args::new(lua, name, values.into());
            let new = step(&mut args)?;
            args.end()?;
            Ok(Advised { after: name == "after", new })
        })?;
        gt.raw_set(name, function)?;
    }
    Ok(())
}

fn step(args: &mut Args<'_>) -> mlua::Result<NewStep> {
    let keys = ["id", "title", "type", "description", "labels", "gates", "only_if", "run"];
    let given = args.options(1, &keys)?;
    let new = NewStep {
        id: given.need_string("id")?,
        title: given.need_text("title")?,
        description: given.text("description")?.unwrap_or_default(),
        kind: given.string("type")?,
        labels: given.strings("labels")?,
        gates: given.flag("gates")?.unwrap_or(true),
        only_if: given.table("only_if", &["touches"])?.map(|t| only_if(&t)).transpose()?,
        run: given.string("run")?.filter(|run| !run.is_empty()),
    };
    let wrong = |what: &str, key: &str| Err(PolicyError::new(what.to_owned()).about(key).into());
    if new.id.is_empty() || new.id.len() > 100 || new.id.contains(char::is_whitespace) {
        return wrong("an id has no spaces and at most 100 characters", "id");
    }
    if new.title.len() > 500 {
        return wrong("a title has at most 500 bytes", "title");
    }
    if new.description.len() > LONGEST {
        return wrong("a description has at most 64 KB", "description");
    }
    if new.labels.len() > MOST || new.labels.iter().any(|l| l.len() > 200) {
        return wrong("there are at most 64 labels of 200 bytes", "labels");
    }
    Ok(new)
}

fn only_if(table: &Table) -> mlua::Result<OnlyIf> {
    let touches = strings(&table.raw_get::<Value>("touches")?, "only_if.touches is a list of globs")?;
    if touches.is_empty() || touches.len() > MOST {
        return Err(PolicyError::new("only_if.touches names 1 to 64 globs").about("touches").into());
    }
    for glob in &touches {
        if let Err(reason) = Glob::new(glob) {
            return Err(PolicyError::new(format!("`{glob}` is no glob: {reason}")).about(glob).into());
        }
    }
    Ok(OnlyIf { touches })
}
