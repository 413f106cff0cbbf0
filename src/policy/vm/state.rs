//! What one call into Lua looks at and leaves behind: the VM's own data, never the script's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mlua::{AnyUserData, AppDataRefMut, Function, Lua};

use super::build::Built;
use super::error::{PolicyError, SourceFile};
use super::role::Declared;
use super::span::SpanValue;
use crate::base::earliest;
use crate::policy::action::Subject;
use crate::policy::decision::Because;
use crate::policy::facts::Snapshot;
use crate::policy::layer::LayerSource;
use crate::policy::reads::{BeadQuery, Unreadable};
use crate::policy::schema::Fact;

/// How much of a trace is kept; a rule that looks at more than this is explained by its first looks.
const TRACE: usize = 60;

/// Judged once a minute: a condition made of plain numbers has no deadline of its own.
const MINUTE: i64 = 60_000;

/// What a call read and compared.
#[derive(Debug, Default)]
pub(in crate::policy) struct Trace {
    pub because: Vec<Because>,
    seen: HashSet<String>,
    flips: Option<i64>,
    plain_age: bool,
    /// Set by a failed read; stays set although the script may catch the error.
    pub unreadable: Option<String>,
}

impl Trace {
    fn add(&mut self, key: String, because: impl FnOnce() -> Because) {
        if self.because.len() < TRACE && self.seen.insert(key) {
            self.because.push(because());
        }
    }

    pub fn read(&mut self, what: String, value: impl FnOnce() -> String) {
        let key = what.clone();
        self.add(key, || Because::Read { what, value: crate::base::text::headline(&value(), 80) });
    }

    pub fn compared(&mut self, because: Because) {
        if let Because::Compared { text, flips_ms, .. } = &because {
            self.flips = earliest(self.flips, *flips_ms);
            let text = text.clone();
            self.add(text, || because);
        }
    }

    /// A length of time became a plain value: when it matters cannot be known.
    pub fn plain(&mut self, span: &SpanValue) {
        self.plain_age |= span.slope != 0.0;
    }

    /// The first moment at which this call could give another answer with the same facts.
    pub fn deadline(&self, now_ms: i64) -> Option<i64> {
        earliest(self.flips, self.plain_age.then_some(now_ms + MINUTE))
    }
}

/// A read of the town on its way to the caller and back.
#[derive(Debug)]
pub(super) enum Request {
    Bead(String),
    Find(BeadQuery),
    HookOf(String),
    Free,
    Screen(crate::base::Address, usize),
    Unread(String),
    Branches(Option<bool>),
    IdleWisps(i64),
    Scattered,
    Count(String, Subject, Option<i64>),
}

/// What came back.
#[derive(Debug)]
pub(super) enum Response {
    One(Option<Fact>),
    Many(Vec<Fact>),
    Text(String),
    Number(u64),
    Flag(bool),
}

/// The data of one VM.
#[derive(Default)]
pub(in crate::policy) struct State {
    pub now_ms: i64,
    pub snapshot: Arc<Snapshot>,
    pub trace: Trace,
    /// One userdata per thing and pass, so that `==` and table keys work.
    pub(super) records: HashMap<(&'static str, String), AnyUserData>,
    /// The record that texts are filled from, and what it and the records under it are called.
    pub(super) subject: Option<Fact>,
    pub(super) names: HashMap<(&'static str, String), String>,
    /// Which call this is: an action of another one is refused.
    pub(super) call: i64,
    /// The actions that the current call has built.
    pub(super) built: Vec<Built>,
    /// How many pieces of advice the current call has made.
    pub(super) advice: usize,
    /// Who was left out by `gt.take`, and why.
    pub notes: Vec<(Subject, String)>,
    pub(super) request: Option<Request>,
    pub(super) response: Option<Result<Response, Unreadable>>,
    /// Calls into the caller's `Reads`; valid during one call.
    pub(super) reader: Option<Function>,
    pub declared: Declared,
    pub(super) loading: Option<Loading>,
    pub(super) settings: toml::Table,
    pub(super) files: Arc<Vec<SourceFile>>,
}

/// The layer that is being loaded.
#[derive(Debug, Clone)]
pub(super) struct Loading {
    pub index: usize,
    pub source: Arc<LayerSource>,
    pub role: String,
    /// No layer below declares the role.
    pub first: bool,
}

impl State {
    /// The data of this VM.
    pub fn of(lua: &Lua) -> mlua::Result<AppDataRefMut<'_, Self>> {
        lua.try_app_data_mut::<Self>()
            .ok()
            .flatten()
            .ok_or_else(|| PolicyError::new("this function was called from within itself").into())
    }

    /// Forgets what the last call left.
    pub fn begin(&mut self, subject: Option<Fact>) {
        self.trace = Trace::default();
        self.built.clear();
        self.advice = 0;
        self.call += 1;
        self.notes.clear();
        self.names.clear();
        if let Some(fact) = &subject {
            self.name(fact, "");
        }
        self.subject = subject;
    }

    fn name(&mut self, fact: &Fact, path: &str) {
        use crate::policy::schema::Got;
        self.names.insert(fact.key(), path.to_owned());
        for field in ["bead", "step", "mr", "polecat"] {
            let below = fact.class().field(field).map(|f| (f.get)(fact));
            if let Some(Got::Record(record)) = below
                && !self.names.contains_key(&record.key())
            {
                self.name(&record, &format!("{path}{field}."));
            }
        }
    }

    /// How `gt why` names a field of a record: `bead.priority`, or `gt-x.priority` for a thing off the subject.
    pub(super) fn path(&self, fact: &Fact, field: &str) -> String {
        let key = fact.key();
        match self.names.get(&key) {
            Some(path) => format!("{path}{field}"),
            None if key.0 == "town" => format!("town.{field}"),
            None => format!("{}.{field}", key.1),
        }
    }

    /// Drops all records: the next pass has other facts.
    pub fn fresh(&mut self, snapshot: Arc<Snapshot>) {
        self.records.clear();
        self.now_ms = snapshot.now_ms;
        self.snapshot = snapshot;
    }
}
