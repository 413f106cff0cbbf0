//! Building: the `gt.*` functions that make actions. An action does nothing until the core has checked it.

mod args;

use mlua::{Lua, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value, Variadic};

pub(super) use self::args::Args;
use super::error::PolicyError;
use super::state::State;
use super::text::kind;
use crate::policy::action::{Action, BeadRef, NewBead, Severity, Subject};

/// An action that a call has built.
#[derive(Debug)]
pub(in crate::policy) struct Built {
    pub action: Action,
    /// Built actions that it stands on, by index.
    pub needs: Vec<usize>,
    /// Where it was built.
    pub at: Option<(String, u32)>,
}

/// What a script holds of an action: opaque.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle {
    pub index: usize,
    /// The call that built it.
    pub call: i64,
}

impl UserData for Handle {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "action");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Value| -> mlua::Result<()> {
            let verb = State::of(lua)?.built.get(this.index).map_or("action", |b| b.action.verb());
            let error = PolicyError::new(format!("an action has no fields: `{verb}` has not happened yet"));
            let help = "pass the action itself where its result is wanted";
            Err(error.about(key.to_string()?).help(help).into())
        });
        methods.add_meta_method(MetaMethod::ToString, |lua, this, ()| {
            Ok(State::of(lua)?.built.get(this.index).map_or("action", |b| b.action.verb()))
        });
    }
}

/// Takes the actions out of what a function returned: those it needs first, each once. Also what was built and not
/// reached.
pub(in crate::policy) fn collect(lua: &Lua, returned: &Value) -> mlua::Result<(Vec<Action>, Vec<Built>)> {
    let mut roots = Vec::new();
    reach(lua, returned, &mut roots, 0)?;
    let built = std::mem::take(&mut State::of(lua)?.built);
    let mut order: Vec<usize> = Vec::new();
    for root in roots {
        visit(&built, root, &mut order);
    }
    let place = |index: usize| order.iter().position(|i| *i == index).unwrap_or(0);
    let actions = order.iter().map(|i| renumber(built[*i].action.clone(), &place)).collect();
    let left = built.into_iter().enumerate().filter(|(i, _)| !order.contains(i)).map(|(_, b)| b).collect();
    Ok((actions, left))
}

/// Whether a value is an action or a list that begins with one.
pub(in crate::policy) fn are_actions(value: &Value) -> bool {
    let is_action = |v: &Value| v.as_userdata().is_some_and(mlua::AnyUserData::is::<Handle>);
    match value {
        Value::Table(list) => list.raw_get::<Value>(1).is_ok_and(|first| is_action(&first)),
        other => is_action(other),
    }
}

fn reach(lua: &Lua, value: &Value, roots: &mut Vec<usize>, depth: usize) -> mlua::Result<()> {
    match value {
        Value::Nil => Ok(()),
        Value::UserData(ud) if ud.is::<Handle>() => {
            let handle = *ud.borrow::<Handle>()?;
            roots.push(check(lua, handle)?);
            Ok(())
        }
        Value::Table(list) if depth < 4 => {
            let mut count = 0;
            for item in list.sequence_values::<Value>() {
                reach(lua, &item?, roots, depth + 1)?;
                count += 1;
            }
            // `{ act = gt.nudge(…) }` would otherwise do nothing in silence.
            if count == 0 && list.pairs::<Value, Value>().next().is_some() {
                return Err(PolicyError::new("a table of actions is a list").help("return { gt.…, gt.… }").into());
            }
            Ok(())
        }
        other => {
            let error = PolicyError::new(format!("actions are returned, not a {}", kind(other)));
            Err(error.help("return gt.nudge(…), a list of actions, or nil").into())
        }
    }
}

/// The index of a handle, if it was built in this call.
fn check(lua: &Lua, handle: Handle) -> mlua::Result<usize> {
    let state = State::of(lua)?;
    if handle.call != state.call || handle.index >= state.built.len() {
        let error = PolicyError::new("this action was built in an earlier call");
        return Err(error.help("build actions where they are returned").into());
    }
    Ok(handle.index)
}

fn visit(built: &[Built], index: usize, order: &mut Vec<usize>) {
    if order.contains(&index) {
        return;
    }
    for need in &built[index].needs {
        visit(built, *need, order);
    }
    order.push(index);
}

fn renumber(action: Action, place: &impl Fn(usize) -> usize) -> Action {
    let bead = |b: BeadRef| if let BeadRef::Made(i) = b { BeadRef::Made(place(i)) } else { b };
    let subject = |s: Subject| if let Subject::Made(i) = s { Subject::Made(place(i)) } else { s };
    match action {
        Action::Sling { bead: b, to } => Action::Sling { bead: bead(b), to },
        Action::Update { bead: b, fields } => Action::Update { bead: bead(b), fields },
        Action::Close { bead: b, why } => Action::Close { bead: bead(b), why },
        Action::Comment { bead: b, text } => Action::Comment { bead: bead(b), text },
        Action::Burn { bead: b } => Action::Burn { bead: bead(b) },
        Action::Requeue { what, why } => Action::Requeue { what: subject(what), why },
        Action::Quarantine { what } => Action::Quarantine { what: subject(what) },
        Action::Hold { what, why, until_ms } => Action::Hold { what: subject(what), why, until_ms },
        Action::Escalate { about, severity, text } => Action::Escalate { about: subject(about), severity, text },
        Action::Ask { about, name, to, text, choices, tokens } => {
            Action::Ask { about: subject(about), name, to, text, choices, tokens }
        }
        Action::Remember { on, values, until_ms } => Action::Remember { on: subject(on), values, until_ms },
        other => other,
    }
}

type Builder = fn(&mut Args<'_>) -> mlua::Result<Action>;

/// Every builder: name, `LuaCATS` type, function.
const BUILDERS: &[(&str, &str, Builder)] = &[
    ("nudge", "fun(to: Polecat, text: Text): Action", |a| {
        Ok(Action::Nudge { to: a.polecat(1)?.address.clone(), text: a.text(2)? })
    }),
    ("restart", "fun(who: Polecat, o?: { resume: boolean }): Action refused while a person is attached", |a| {
        let who = a.polecat(1)?.address.clone();
        let resume = a.options(2, &["resume"])?.flag("resume")?.unwrap_or(false);
        Ok(Action::Restart { who, resume })
    }),
    ("stop", "fun(who: Polecat, why: Text): Action work is preserved first", |a| {
        Ok(Action::Stop { who: a.polecat(1)?.address.clone(), why: a.text(2)? })
    }),
    ("requeue", "fun(what: Bead|Mr, why: Text): Action back to ready, for another worker", |a| {
        Ok(Action::Requeue { what: a.subject(1, &["bead", "mr"])?, why: a.text(2)? })
    }),
    ("rework", "fun(what: Mr, why: Text): Action back to the worker who made it, with the evidence", |a| {
        let Subject::Mr(mr) = a.subject(1, &["mr"])? else { return Err(a.wrong(1, "mr")) };
        Ok(Action::Rework { mr, why: a.text(2)? })
    }),
    ("quarantine", "fun(what: Bead|Polecat): Action only a person brings it back", |a| {
        Ok(Action::Quarantine { what: a.subject(1, &["bead", "polecat"])? })
    }),
    ("hold", "fun(what: Bead|Mr, why: Text, until_?: SpanLike): Action", |a| {
        Ok(Action::Hold { what: a.subject(1, &["bead", "mr"])?, why: a.text(2)?, until_ms: a.moment(3)? })
    }),
    (
        "escalate",
        "fun(about: Bead|Polecat|Mr, severity: \"low\"|\"medium\"|\"high\"|\"critical\", text: Text): Action",
        |a| {
            let about = a.subject(1, &["bead", "polecat", "mr"])?;
            let word = a.one_of(2, &Severity::ALL.map(Severity::as_str))?;
            let severity = Severity::ALL.into_iter().find(|s| s.as_str() == word).unwrap_or(Severity::High);
            Ok(Action::Escalate { about, severity, text: a.text(3)? })
        },
    ),
    ("mail", "fun(to: string, subject: Text, body: Text): Action", |a| {
        Ok(Action::Mail { to: a.string(1)?, subject: a.text(2)?, body: a.text(3)? })
    }),
    ("sling", "fun(what: Bead|Action, to?: string): Action", |a| {
        Ok(Action::Sling { bead: a.bead(1)?, to: a.maybe_string(2)? })
    }),
    ("create", "fun(b: NewBead): Action", create),
    ("update", "fun(b: Bead|Action, fields: BeadChange): Action", |a| {
        Ok(Action::Update { bead: a.bead(1)?, fields: a.fields(2)? })
    }),
    ("close", "fun(b: Bead|Action, why: Text): Action", |a| Ok(Action::Close { bead: a.bead(1)?, why: a.text(2)? })),
    ("comment", "fun(b: Bead|Action, text: Text): Action", |a| {
        Ok(Action::Comment { bead: a.bead(1)?, text: a.text(2)? })
    }),
    (
        "ask",
        "fun(about: Bead|Mr, q: Question): Action answer: about.answers[name]; asking twice under one name is one question",
        |a| {
            let about = a.subject(1, &["bead", "mr"])?;
            let q = a.options(2, &["name", "to", "text", "choices", "tokens"])?;
            Ok(Action::Ask {
                about,
                name: q.need_string("name")?,
                to: q.one_of("to", &["model", "overseer"])?,
                text: q.need_text("text")?,
                choices: q.strings("choices")?,
                tokens: q.integer("tokens")?.map(i64::cast_unsigned),
            })
        },
    ),
    ("remember", "fun(on: Bead|Polecat|Mr|Town, values: table, ttl?: SpanLike): Action read back as on.memory", |a| {
        let on = a.subject(1, &["bead", "polecat", "mr", "town"])?;
        Ok(Action::Remember { on, values: a.values(2)?, until_ms: a.moment(3)? })
    }),
    ("burn", "fun(wisp: Bead): Action a wisp that is nobody's any more goes without a record", |a| {
        Ok(Action::Burn { bead: a.bead(1)? })
    }),
    ("repack", "fun(): Action joins what the ledger has in many small files", |_| Ok(Action::Repack)),
];

fn create(a: &mut Args<'_>) -> mlua::Result<Action> {
    let keys = ["title", "type", "labels", "priority", "epic", "description", "found_in"];
    let mut b = a.options(1, &keys)?;
    let new = NewBead {
        title: b.need_text("title")?,
        kind: b.string("type")?,
        labels: b.strings("labels")?,
        priority: b.integer("priority")?,
        epic: b.bead_id("epic")?,
        description: b.text("description")?,
        found_in: b.bead_id("found_in")?,
    };
    if let Some(p) = new.priority.filter(|p| !(0..=4).contains(p)) {
        let error = PolicyError::new(format!("gt.create: priority {p} is not 0 to 4")).about("priority");
        return Err(error.into());
    }
    Ok(Action::Create(new))
}

/// Name and `LuaCATS` type of each builder.
pub(in crate::policy) fn builder_types() -> impl Iterator<Item = (&'static str, &'static str)> {
    BUILDERS.iter().map(|(name, ty, _)| (*name, *ty))
}

/// The names of all builders.
pub(in crate::policy) fn builder_names() -> Vec<&'static str> {
    BUILDERS.iter().map(|(name, ..)| *name).collect()
}

/// Puts the builders into the `gt` table.
pub(super) fn add(lua: &Lua, gt: &Table) -> mlua::Result<()> {
    for (name, _, builder) in BUILDERS {
        let function = lua.create_function(move |lua, values: Variadic<Value>| {
            let mut args = Args::new(lua, name, values.into());
            let action = builder(&mut args)?;
            args.end()?;
            let needs = args.needs;
            let at = super::place(lua, 1);
            let mut state = State::of(lua)?;
            let handle = Handle { index: state.built.len(), call: state.call };
            state.built.push(Built { action, needs, at });
            Ok(handle)
        })?;
        gt.raw_set(*name, function)?;
    }
    Ok(())
}
