//! The Luau VM of one role: sandboxed, loaded with its layers, called with a deadline.

mod aspect;
mod build;
mod error;
mod guard;
mod load;
mod patrol;
mod record;
mod role;
mod settings;
mod span;
mod state;
mod text;
mod town;

use std::sync::Arc;

use mlua::{AnyUserData, FromLuaMulti, Function, IntoLuaMulti, Lua, Table, Value};

use super::diagnostic::Diagnostic;
use super::facts::Snapshot;
use super::reads::{Reads, Unreadable};
use super::schema::Fact;
use guard::Guard;

pub(in crate::policy) use aspect::{ADVICE, advice_of, load_aspect};
pub(in crate::policy) use build::{Built, are_actions, builder_names, builder_types, collect};
pub(in crate::policy) use error::{PolicyError, SourceFile};
pub(in crate::policy) use guard::global_help;
pub(in crate::policy) use load::{gt_names, load, load_test, syntax};
pub(in crate::policy) use patrol::{DIGEST, PatrolPart, RunPart, run_name};
pub(in crate::policy) use record::{fact_of, field_help, strings};
pub(in crate::policy) use role::{Body, Part, Per, QUESTIONS, Question, REFINERY, Reset, RungPart, Says};
pub(in crate::policy) use state::State;
pub(in crate::policy) use text::{a, fields as text_fields};

/// A loaded VM.
pub(in crate::policy) struct Vm {
    lua: Lua,
    guard: Arc<Guard>,
    files: Arc<Vec<SourceFile>>,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vm").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

/// Why a call gave no answer.
#[derive(Debug)]
pub(in crate::policy) enum Failure {
    /// A fact could not be read: undecided.
    Unreadable(String),
    /// The script is wrong: the layer below answers.
    Error(Diagnostic),
    /// It overran time or memory: the VM must be dropped.
    Tripped(Diagnostic),
}

impl Vm {
    /// The VM's data.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Begins a pass with these facts.
    pub fn begin_pass(&self, snapshot: &Arc<Snapshot>) -> mlua::Result<()> {
        State::of(&self.lua)?.fresh(Arc::clone(snapshot));
        Ok(())
    }

    /// Begins a call about this record.
    pub fn begin(&self, subject: Option<Fact>) -> mlua::Result<()> {
        State::of(&self.lua)?.begin(subject);
        Ok(())
    }

    /// The record of a fact.
    pub fn record(&self, fact: Fact) -> mlua::Result<AnyUserData> {
        record::record(&self.lua, fact)
    }

    /// An array of records.
    pub fn records(&self, facts: Vec<Fact>) -> mlua::Result<Table> {
        record::records(&self.lua, facts)
    }

    /// The `town` argument.
    pub fn town(&self) -> mlua::Result<AnyUserData> {
        let snapshot = Arc::clone(&State::of(&self.lua)?.snapshot);
        record::record(&self.lua, Fact::Town(snapshot))
    }

    /// Calls a function of a policy within the limits.
    pub fn call<R: FromLuaMulti>(
        &self,
        function: &Function,
        args: impl IntoLuaMulti,
        reads: &dyn Reads,
    ) -> Result<R, Failure> {
        self.guarded(|lua| {
            lua.scope(|scope| {
                let reader = scope.create_function(|lua, ()| {
                    let request = State::of(lua)?.request.take();
                    let response = match request {
                        Some(request) => town::answer(request, reads),
                        None => Err(Unreadable("nothing was asked".into())),
                    };
                    State::of(lua)?.response = Some(response);
                    Ok(())
                })?;
                State::of(lua)?.reader = Some(reader);
                let result = function.call::<R>(args);
                State::of(lua)?.reader = None;
                result
            })
        })
    }

    /// Runs something in the VM within the limits and sorts what can go wrong.
    pub fn guarded<R>(&self, run: impl FnOnce(&Lua) -> mlua::Result<R>) -> Result<R, Failure> {
        self.guard.arm();
        let result = run(&self.lua);
        self.guard.disarm();
        if let Some(why) = self.guard.tripped() {
            let diagnostic = match (self.guard.stopped_at(), result.err()) {
                (Some((file, line)), _) => self.at(why, file, *line),
                (None, Some(error)) => Diagnostic { message: why.message, ..self.diagnose(&error) },
                (None, None) => Diagnostic::bare(why.message),
            };
            return Err(Failure::Tripped(diagnostic));
        }
        if let Err(error) = &result
            && is_memory(error)
        {
            let mut diagnostic = self.diagnose(error);
            self.guard.trip_memory();
            diagnostic.message = self.guard.tripped().map_or(diagnostic.message, |why| why.message);
            return Err(Failure::Tripped(diagnostic));
        }
        let unreadable = State::of(&self.lua).ok().and_then(|state| state.trace.unreadable.clone());
        if let Some(what) = unreadable {
            return Err(Failure::Unreadable(what));
        }
        result.map_err(|error| Failure::Error(self.diagnose(&error)))
    }

    /// Finds message and place of an error.
    pub fn diagnose(&self, error: &mlua::Error) -> Diagnostic {
        error::diagnose(error, &self.files)
    }

    /// An error at a place that is known already.
    pub fn at(&self, error: PolicyError, file: &str, line: u32) -> Diagnostic {
        let mut diagnostic = Diagnostic::bare(error.message);
        diagnostic.help = error.help;
        diagnostic.file = file.into();
        diagnostic.line = line;
        if let Some(source) = self.files.iter().find(|f| f.path == file) {
            diagnostic.excerpt = source.text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default().into();
            diagnostic.column = error.token.and_then(|t| super::check::tokens::once_on_line(&source.text, line, &t));
        }
        diagnostic
    }
}

fn is_memory(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => is_memory(cause),
        mlua::Error::RuntimeError(text) => text.contains("not enough memory"),
        _ => false,
    }
}

/// File and line of the policy function at or above this level of the stack.
pub(in crate::policy) fn place(lua: &Lua, level: usize) -> Option<(String, u32)> {
    let files = Arc::clone(&State::of(lua).ok()?.files);
    (level..level + 8).find_map(|level| {
        lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.as_deref()?.trim_start_matches('@').to_owned();
            files.iter().any(|f| f.path == name).then(|| (name, debug.current_line().unwrap_or(0) as u32))
        })?
    })
}

/// The text of a line of a policy file; empty when there is none.
pub(in crate::policy) fn line_of(lua: &Lua, file: &str, line: u32) -> String {
    let Ok(files) = State::of(lua).map(|state| Arc::clone(&state.files)) else { return String::new() };
    let text = files.iter().find(|f| f.path == file).map_or("", |f| f.text.as_str());
    text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default().to_owned()
}

/// The value of a `when`: true or false, nothing else.
pub(in crate::policy) fn truth(value: &Value) -> Result<bool, PolicyError> {
    match value {
        Value::Boolean(b) => Ok(*b),
        // `w.bead and w.bead:has(…)` is nil when there is no bead.
        Value::Nil => Ok(false),
        other => Err(PolicyError::new(format!("`when` must answer true or false, not {}", a(other)))),
    }
}
