//! One role of one rig: its layers, loaded and checked, ready to be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check;
use super::decision::{Because, Origin};
use super::diagnostic::Diagnostic;
use super::facts::{EventKind, Snapshot};
use super::layer::{LayerSource, revision};
use super::patrol::{Declared, Run, compose as compose_runs, declared};
use super::questions::{Asked, compose as compose_questions};
use super::rules::{Rule, compose};
use super::vm::{self, Failure, Says, State, Vm};

/// What one call into Lua, and one pass, may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall time of one call; over it, the VM is dropped.
    pub time: Duration,
    /// Bytes of one VM.
    pub memory: usize,
    /// Wall time of one pass; what is not judged by then is undecided.
    pub pass: Duration,
    /// When every call must have ended, however long it may take by itself.
    pub until: Option<Instant>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_millis(200), memory: 32 << 20, pass: Duration::from_secs(2), until: None }
    }
}

/// A loaded role. Send, and used from one thread at a time.
#[derive(Debug)]
pub struct Engine {
    pub(super) role: String,
    revision: String,
    layers: Vec<LayerSource>,
    settings: toml::Table,
    pub(super) limits: Limits,
    loaded: Option<Arc<Loaded>>,
    events: BTreeSet<EventKind>,
    town_wide: bool,
    patrols: Vec<Declared>,
    /// Rules or questions of a layer that overran; they rest until the next revision.
    resting: HashMap<(String, usize), Because>,
    /// Warnings that were said already.
    said: HashSet<String>,
    /// Each rule is judged a second time, and must answer the same.
    pub(super) twice: bool,
}

/// What a failure of a function means for the answer.
pub(super) enum Noted {
    /// A fact could not be read: there is none yet.
    Undecided(String),
    /// The script failed: another layer answers, and this is one of the reasons.
    Failed(Because),
}

/// What is dropped with a VM.
#[derive(Debug)]
pub(super) struct Loaded {
    pub vm: Vm,
    pub rules: Vec<Rule>,
    pub questions: Vec<Asked>,
    pub runs: Vec<Run>,
}

impl Engine {
    /// Loads and checks the layers, lowest first. `settings` is `[roles.NAME]` of the config.
    pub fn load(role: &str, layers: &[LayerSource], settings: &toml::Table) -> Result<Self, Vec<Diagnostic>> {
        Self::load_with(role, layers, settings, Limits::default())
    }

    /// [`Engine::load`] with other limits.
    pub fn load_with(
        role: &str,
        layers: &[LayerSource],
        settings: &toml::Table,
        limits: Limits,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut errors: Vec<Diagnostic> = check::sources(layers);
        let loaded = match open(role, layers, settings, limits) {
            Ok(loaded) => Some(loaded),
            Err(more) => {
                // A mistake in plain sight is often also what fails at run time; it is said once.
                let new = |d: &Diagnostic| !errors.iter().any(|e| e.file == d.file && e.line == d.line);
                let more: Vec<_> = more.into_iter().filter(new).collect();
                errors.extend(more);
                None
            }
        };
        let Some(loaded) = loaded.filter(|_| errors.is_empty()) else { return Err(errors) };
        let events = loaded.rules.iter().filter_map(|r| if let Says::On(kind) = r.on { Some(kind) } else { None });
        let (town_wide, patrols) = match State::of(loaded.vm.lua()) {
            Ok(state) => (state.declared.scope == "town", declared(role, layers, &state.declared.patrols)),
            Err(error) => return Err(vec![Diagnostic::bare(error.to_string())]),
        };
        Ok(Self {
            role: role.into(),
            revision: revision(layers, settings),
            layers: layers.to_vec(),
            settings: settings.clone(),
            limits,
            events: events.collect(),
            town_wide,
            patrols,
            loaded: Some(Arc::new(loaded)),
            resting: HashMap::new(),
            said: HashSet::new(),
            twice: false,
        })
    }

    /// The role's name.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Hash of all sources and settings, 12 hex digits.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// What it was made of: its layers, lowest first, and its settings.
    pub fn sources(&self) -> (&[LayerSource], &toml::Table) {
        (&self.layers, &self.settings)
    }

    /// The kinds of events that it listens to.
    pub fn events(&self) -> BTreeSet<EventKind> {
        self.events.clone()
    }

    /// The rules in charge, by name, with the file and line of their highest layer.
    pub fn rules(&self) -> Vec<Origin> {
        let Some(loaded) = &self.loaded else { return Vec::new() };
        let top = |r: &Rule| Some(self.origin(&r.name, r.heights.last()?.at()));
        loaded.rules.iter().filter_map(top).collect()
    }

    /// The settings: name, value in charge, meaning.
    pub fn settings(&self) -> Vec<(String, String, String)> {
        let Some(loaded) = &self.loaded else { return Vec::new() };
        let Ok(state) = State::of(loaded.vm.lua()) else { return Vec::new() };
        // A layer above may declare the same setting again: the last word stands.
        let all: BTreeMap<&String, _> = state.declared.settings.iter().map(|(name, s)| (name, s)).collect();
        all.into_iter().map(|(name, s)| (name.clone(), s.value.to_string(), s.doc.clone())).collect()
    }

    /// Whether the role acts for the whole town, and not for each rig.
    pub fn is_town_wide(&self) -> bool {
        self.town_wide
    }

    /// The patrols that its files declare in Lua.
    pub fn declared_patrols(&self) -> &[Declared] {
        &self.patrols
    }

    /// The functions that a step of a patrol formula can name with `run`.
    pub fn runs(&self) -> Vec<String> {
        self.loaded.iter().flat_map(|l| l.runs.iter().map(|r| r.name.clone())).collect()
    }

    /// The class of things that a rule is about; `None` for a rule on events or an unknown one.
    pub(super) fn rule_class(&self, name: &str) -> Option<&'static str> {
        let rule = self.loaded.as_ref()?.rules.iter().find(|r| r.name == name)?;
        if let Says::Each(class) = rule.on { Some(class) } else { None }
    }

    /// Judges each rule twice on the same facts from now on; one that answers differently keeps state, and fails.
    pub(super) fn judge_twice(&mut self) {
        self.twice = true;
    }

    /// The VM, made anew when the last one was dropped; its data is that of this pass.
    pub(super) fn loaded(&mut self, snapshot: &Arc<Snapshot>) -> Result<Arc<Loaded>, Diagnostic> {
        if let Some(loaded) = &self.loaded {
            return Ok(Arc::clone(loaded));
        }
        let fresh = open(&self.role, &self.layers, &self.settings, self.limits).map_err(|errors| {
            errors.into_iter().next().unwrap_or_else(|| Diagnostic::bare("it does not load again"))
        })?;
        let fresh = Arc::new(fresh);
        fresh.vm.begin_pass(snapshot).map_err(|e| fresh.vm.diagnose(&e))?;
        self.loaded = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Notes a failure: says it once, and drops the VM when it overran.
    pub(super) fn note(&mut self, failure: Failure, rule: &str, layer: usize, out: &mut Vec<Diagnostic>) -> Noted {
        let (diagnostic, overran) = match failure {
            Failure::Unreadable(what) => return Noted::Undecided(what),
            Failure::Error(diagnostic) => (diagnostic, false),
            Failure::Tripped(mut diagnostic) => {
                diagnostic.message = format!("`{rule}`: {}; it rests until its file changes", diagnostic.message);
                (diagnostic, true)
            }
        };
        let failed = Because::Failed {
            layer: self.layers[layer].layer,
            file: diagnostic.file.clone(),
            line: diagnostic.line,
            message: diagnostic.message.clone(),
        };
        if overran {
            self.loaded = None;
            self.resting.insert((rule.to_owned(), layer), failed.clone());
        }
        self.say(diagnostic, out);
        Noted::Failed(failed)
    }

    /// Says a warning, once per revision.
    pub(super) fn say(&mut self, diagnostic: Diagnostic, out: &mut Vec<Diagnostic>) {
        if self.said.insert(diagnostic.to_string()) {
            out.push(diagnostic);
        }
    }

    /// How a rule or question of a layer overran, if it did.
    pub(super) fn rests(&self, rule: &str, layer: usize) -> Option<Because> {
        self.resting.get(&(rule.to_owned(), layer)).cloned()
    }

    /// The origin of what a rule or question of a layer says.
    pub(super) fn origin(&self, rule: &str, (layer, file, line): (usize, &str, u32)) -> Origin {
        Origin {
            role: self.role.clone(),
            rule: rule.to_owned(),
            layer: self.layers[layer].layer,
            revision: self.revision.clone(),
            file: file.to_owned(),
            line,
        }
    }
}

fn open(role: &str, layers: &[LayerSource], settings: &toml::Table, limits: Limits) -> Result<Loaded, Vec<Diagnostic>> {
    let vm = vm::load(role, layers, settings, limits)?;
    let bare = |e: mlua::Error| vec![Diagnostic::bare(e.to_string())];
    let (parts, questions, runs, known) = {
        let state = State::of(vm.lua()).map_err(bare)?;
        let known: Vec<String> = state.declared.settings.iter().map(|(name, _)| name.clone()).collect();
        (state.declared.parts.clone(), state.declared.questions.clone(), state.declared.runs.clone(), known)
    };
    for key in settings.keys() {
        if !known.iter().any(|k| k == key) {
            let mut error = Diagnostic::bare(format!("there is no setting `{key}` in [roles.{role}]"));
            error.help = crate::base::text::similar(key, known.iter().map(String::as_str)).map(|k| format!("`{k}`"));
            return Err(vec![error]);
        }
    }
    let rules = compose(vm.lua(), &parts).map_err(bare)?;
    let questions = compose_questions(vm.lua(), &questions).map_err(bare)?;
    let runs = compose_runs(vm.lua(), &runs).map_err(bare)?;
    Ok(Loaded { vm, rules, questions, runs })
}
