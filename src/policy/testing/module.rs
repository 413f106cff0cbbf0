//! The module `gt.test` as Lua sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mlua::{AnyUserData, Function, Lua, LuaSerdeExt, Table, UserData, UserDataMethods, Value};

use super::shelf::Shelf;
use super::town::{Town, Worker};
use super::{Bench, TestCase, facts};
use crate::base::BeadId;
use crate::policy::decision::{Because, Outcome};
use crate::policy::diagnostic::Diagnostic;
use crate::policy::engine::Engine;
use crate::policy::facts::{BeadFact, BranchFact, MrFact, PolecatFact, PolecatState, Snapshot};
use crate::policy::ladder::MemoryLadders;
use crate::policy::patrol::Plan;
use crate::policy::vm::{PolicyError, line_of, place};

/// The patrols of the role under test.
pub(super) type Plans = Arc<Vec<Arc<Plan>>>;

/// Makes a fresh engine of the role under test.
pub(super) type Load = Arc<dyn Fn() -> Result<Engine, Vec<Diagnostic>> + Send + Sync>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn engine(load: &Load) -> mlua::Result<Engine> {
    load().map_err(|errors| {
        let first = errors.into_iter().next();
        PolicyError::new(first.map_or_else(|| "the role does not load".into(), |e| e.to_string())).into()
    })
}

/// What tests of every kind have: `case` and `equal`.
pub(super) fn common(lua: &Lua, bench: &Arc<Mutex<Bench>>) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    let shared = Arc::clone(bench);
    let case = lua.create_function(move |lua, (name, function): (String, Function)| {
        let line = place(lua, 1).map_or(0, |(_, line)| line);
        lock(&shared).cases.push((name, line, function));
        Ok(())
    })?;
    module.raw_set("case", case)?;
    let equal = lua.create_function(|lua, (got, want): (Value, Value)| {
        let json = |v: Value| -> mlua::Result<serde_json::Value> { lua.from_value(v) };
        let (got, want) = (sorted(json(got)?), sorted(json(want)?));
        if got == want {
            return Ok(());
        }
        Err(PolicyError::new(format!("got {got}, wanted {want}")).about("equal").into())
    })?;
    module.raw_set("equal", equal)?;
    Ok(module)
}

/// The table that `require "gt.test"` gives to the tests of a role.
pub(super) fn module(lua: &Lua, bench: Arc<Mutex<Bench>>, load: Load, plans: Plans) -> mlua::Result<Table> {
    lua.set_app_data(plans);
    lua.set_app_data(Arc::clone(&load));
    lua.set_app_data(Arc::clone(&bench));
    let module = common(lua, &bench)?;
    let rule = lua.create_function(move |_, (role, rule): (String, String)| {
        let engine = engine(&load)?;
        if engine.role() != role {
            let error = PolicyError::new(format!("this file tests `{}`, not `{role}`", engine.role()));
            return Err(error.about(role).help(format!("its rules are tested in {}_test.lua", engine.role())).into());
        }
        if !engine.rules().iter().any(|r| r.rule == rule) {
            let names: Vec<String> = engine.rules().into_iter().map(|r| r.rule).collect();
            let error = PolicyError::new(format!("the role `{role}` has no rule `{rule}`")).about(&rule);
            return Err(error.help(names.join(", ")).into());
        }
        Ok(RuleTable { engine: Mutex::new(engine), rule, bench: Arc::clone(&bench) })
    })?;
    module.raw_set("rule", rule)?;
    module.set_readonly(true);
    Ok(module)
}

/// Numbers by value, keys in order: what `t.equal` compares. An empty list and an empty table are one.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Object(map) if map.is_empty() => Json::Array(Vec::new()),
        Json::Object(map) => {
            let mut all: Vec<_> = map.into_iter().collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(all.into_iter().map(|(k, v)| (k, sorted(v))).collect())
        }
        Json::Array(all) => Json::Array(all.into_iter().map(sorted).collect()),
        Json::Number(n) => match n.as_f64() {
            Some(x) if x.fract() == 0.0 && x.abs() < 9e15 => Json::Number((x as i64).into()),
            _ => Json::Number(n),
        },
        other => other,
    }
}

/// Runs a case in a fresh town.
pub(super) fn case(lua: &Lua, function: &Function) -> mlua::Result<()> {
    let load = lua.app_data_ref::<Load>().map(|l| Arc::clone(&l));
    let load = load.ok_or_else(|| PolicyError::new("no role is under test"))?;
    let plans = lua.app_data_ref::<Plans>().map(|p| Arc::clone(&p)).unwrap_or_default();
    let town = TestTown(Arc::new(Mutex::new(Town::new(engine(&load)?, &plans))));
    function.call(town)
}

struct TestTown(Arc<Mutex<Town>>);
struct TestBead(BeadId);
struct TestWorker(Arc<Mutex<Town>>, String);

impl UserData for TestBead {
    fn add_fields<F: mlua::UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("id", |_, this| Ok(this.0.to_string()));
    }
}

fn bead_id(town: &mut Town, value: &Value) -> mlua::Result<Option<BeadId>> {
    match value {
        Value::Nil => Ok(None),
        Value::UserData(ud) => Ok(Some(ud.borrow::<TestBead>()?.0.clone())),
        Value::String(text) => {
            let text = text.to_str()?;
            let found = town.beads.iter().find(|b| b.id.as_str() == &*text).map(|b| b.id.clone());
            found.map(Some).ok_or_else(|| {
                let error = PolicyError::new(format!("there is no bead `{}` in this town", &*text)).about(&*text);
                error.help("town:bead { id = … } makes one").into()
            })
        }
        other => Err(PolicyError::new(format!("a bead or its id, not a {}", other.type_name())).into()),
    }
}

impl UserData for TestTown {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("bead", |_, this, table: Option<Table>| {
            let mut town = lock(&this.0);
            let id = town.fresh_id();
            let mut bead = BeadFact::new(id.clone(), format!("bead {id}"));
            if let Some(table) = table {
                facts::bead(&mut bead, &table)?;
            }
            let id = bead.id.clone();
            town.beads.push(bead);
            Ok(TestBead(id))
        });
        methods.add_method("worker", |_, this, table: Option<Table>| {
            let mut town = lock(&this.0);
            let get = |key: &str| table.as_ref().map_or(Ok(Value::Nil), |t| t.get::<Value>(key));
            let name = match get("name")? {
                Value::Nil => town.fresh_name(),
                name => name.to_string()?,
            };
            let state = match (get("state")?, get("silent")?) {
                (Value::Nil, Value::Boolean(true)) => PolecatState::Silent,
                (Value::Nil, _) => PolecatState::Working,
                (word, _) => facts::state(&word.to_string()?)?,
            };
            let attached = get("attached")?.as_boolean().unwrap_or(false);
            let bead = bead_id(&mut town, &get("bead")?)?;
            let silent_since_ms = town.now_ms;
            town.workers.push(Worker { name: name.clone(), bead: None, state, silent_since_ms, attached });
            if let Some(id) = bead {
                town.hook(&name, &id);
            }
            Ok(TestWorker(Arc::clone(&this.0), name))
        });
        methods.add_method("mr", |_, this, table: Table| {
            let mut town = lock(&this.0);
            let now = town.now_ms;
            let (id, bead) = (town.fresh_id(), town.fresh_id());
            let mut mr = plain_mr(id, BeadFact::new(bead, "work"), now);
            facts::mr(&mut mr, &table, now)?;
            town.mrs.push(mr);
            Ok(())
        });
        methods.add_method("branch", |_, this, table: Table| {
            let mut town = lock(&this.0);
            let mut branch = BranchFact { name: "main".into(), ahead: 1, last_commit_ms: town.now_ms, bead: None };
            let bead = bead_id(&mut town, &table.get::<Value>("bead")?)?;
            facts::branch(&mut branch, &table, town.now_ms)?;
            branch.bead = bead.and_then(|id| town.bead(&id).cloned()).map(Arc::new);
            town.branches.push(branch);
            Ok(())
        });
        methods.add_method("wisp", |_, this, table: Option<Table>| {
            let mut town = lock(&this.0);
            let id = town.fresh_id();
            let changed = town.now_ms - table.map_or(Ok(0), |t| facts::wisp(&t))?;
            town.wisps.push((BeadFact::new(id.clone(), format!("wisp {id}")), changed));
            Ok(TestBead(id))
        });
        methods.add_method("scatter_ledger", |_, this, ()| {
            lock(&this.0).scattered = true;
            Ok(())
        });
        methods.add_method("patrol", |_, this, name: String| {
            lock(&this.0).patrol(&name).map_err(|e| PolicyError::new(e).about(&name).into())
        });
        // The Refinery's questions, asked of the queue of this town.
        methods.add_method("order", |_, this, ()| {
            let queue = lock(&this.0).order().map_err(PolicyError::new)?;
            Ok(queue.iter().map(|m| m.id.to_string()).collect::<Vec<_>>())
        });
        methods.add_method("batch", |_, this, ()| {
            let batch = lock(&this.0).batch().map_err(PolicyError::new)?;
            Ok(batch.iter().map(|m| m.id.to_string()).collect::<Vec<_>>())
        });
        methods.add_method("ask", |_, this, (question, id): (String, String)| {
            lock(&this.0).ask(&question, &id).map_err(|e| PolicyError::new(e).about(question).into())
        });
        methods.add_method("run", |_, this, span: String| {
            let ms = facts::span(&span)?;
            lock(&this.0).run(ms).map_err(|e| PolicyError::new(e).into())
        });
        methods.add_method("expect", |lua, this, want: String| {
            let got = lock(&this.0).history();
            let words = |text: &str| -> Vec<String> {
                let lines = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
                lines.filter(|l| !l.is_empty()).collect()
            };
            if words(&got) == words(&want) {
                return Ok(());
            }
            if let (Some(bench), Some((_, line))) = (lua.app_data_ref::<Arc<Mutex<Bench>>>(), place(lua, 1)) {
                lock(&bench).report.accept.push((line, got.clone()));
            }
            let help = "`--accept` writes what happened into the test";
            Err(PolicyError::new(format!("this happened:\n{got}")).about("expect").help(help).into())
        });
        methods.add_method("tally", |lua, this, ()| {
            let table = lua.create_table()?;
            for (verb, count) in lock(&this.0).tally() {
                table.raw_set(verb, count)?;
            }
            Ok(table)
        });
    }
}

impl UserData for TestWorker {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("commit", |_, this, _path: Value| {
            let mut town = lock(&this.0);
            let now = town.now_ms;
            let worker = town.worker(&this.1).ok_or_else(|| PolicyError::new(format!("{} is gone", this.1)))?;
            (worker.state, worker.silent_since_ms) = (PolecatState::Working, now);
            if let Some(id) = worker.bead.clone()
                && let Some(bead) = town.bead(&id)
            {
                bead.progress_ms = Some(now);
            }
            Ok(())
        });
        for (method, state) in [("falls_silent", PolecatState::Silent), ("dies", PolecatState::Dead)] {
            methods.add_method(method, move |_, this, ()| {
                let mut town = lock(&this.0);
                let now = town.now_ms;
                let worker = town.worker(&this.1).ok_or_else(|| PolicyError::new(format!("{} is gone", this.1)))?;
                (worker.state, worker.silent_since_ms) = (state, now);
                Ok(())
            });
        }
    }
}

fn plain_mr(id: BeadId, bead: BeadFact, now_ms: i64) -> MrFact {
    MrFact {
        id,
        bead: bead.into(),
        worker: "rig/polecats/toast".into(),
        target: "main".into(),
        queued_ms: now_ms,
        attempt: 1,
        lines: Some(1),
        paths: Some(Vec::new()),
        held: false,
        gate: None,
        memory: serde_json::Map::new(),
        answers: std::collections::BTreeMap::new(),
    }
}

/// `t.rule(role, rule):holds{…}:fires{…}`
struct RuleTable {
    engine: Mutex<Engine>,
    rule: String,
    bench: Arc<Mutex<Bench>>,
}

impl RuleTable {
    fn judge(&self, table: &Table) -> mlua::Result<(bool, String)> {
        let now_ms = 1_767_225_600_000;
        let id = |text: &str| BeadId::new(text).map_err(|e| mlua::Error::from(PolicyError::new(e.to_string())));
        let mut engine = lock(&self.engine);
        let class = engine.rule_class(&self.rule);
        let mut snapshot = Snapshot { now_ms, ..Snapshot::default() };
        match class {
            Some("bead") => {
                let mut bead = BeadFact::new(id("gt-1")?, "a bead");
                facts::bead(&mut bead, table)?;
                snapshot.beads.push(bead.into());
            }
            Some("mr") => {
                let mut mr = plain_mr(id("gt-mr")?, BeadFact::new(id("gt-1")?, "a bead"), now_ms);
                facts::mr(&mut mr, table, now_ms)?;
                snapshot.mrs.push(mr.into());
            }
            Some(_) => {
                let mut polecat = PolecatFact {
                    address: "rig/polecats/toast".parse().map_err(|e| PolicyError::new(format!("{e}")))?,
                    name: "toast".into(),
                    state: PolecatState::Working,
                    silent_since_ms: Some(now_ms),
                    attached: false,
                    dialog: None,
                    memory: serde_json::Map::new(),
                    bead: Some(BeadFact::new(id("gt-1")?, "a bead").into()),
                    step: None,
                };
                facts::polecat(&mut polecat, table, now_ms)?;
                snapshot.polecats.push(polecat.into());
            }
            None => return Err(PolicyError::new("a rule on events is tested with a case").into()),
        }
        let snapshot = Arc::new(snapshot);
        let pass = engine.pass(&snapshot, &Shelf::of(&snapshot), &mut MemoryLadders::default());
        if let Some(warning) = pass.warnings.first() {
            return Err(PolicyError::new(warning.to_string()).into());
        }
        let judged = pass.judged.iter().find(|j| j.origin.rule == self.rule);
        let judged = judged.ok_or_else(|| PolicyError::new(format!("`{}` was not judged", self.rule)))?;
        let because: Vec<String> = judged.because.iter().map(Because::to_string).collect();
        match &judged.outcome {
            Outcome::Held => Ok((false, because.join(", "))),
            Outcome::Acted | Outcome::Lost { .. } | Outcome::Waiting { .. } => Ok((true, because.join(", "))),
            Outcome::Undecided { why } => Err(PolicyError::new(format!("undecided: {why}")).into()),
            Outcome::Failed => Err(PolicyError::new("it failed").into()),
        }
    }

    fn check(&self, lua: &Lua, table: &Table, wanted: bool) {
        let verb = if wanted { "fires" } else { "holds" };
        let (file, line) = place(lua, 1).unwrap_or_default();
        let failure = match self.judge(table) {
            Ok((fires, _)) if fires == wanted => None,
            Ok((fires, because)) => {
                let does = if fires { "fires" } else { "holds" };
                Some(format!("`{}` {does}: {because}", self.rule))
            }
            Err(error) => Some(error.to_string()),
        };
        let excerpt = line_of(lua, &file, line);
        let failure = failure.map(|message| Diagnostic { file, line, excerpt, ..Diagnostic::bare(message) });
        let name = format!("{} {verb}, line {line}", self.rule);
        lock(&self.bench).report.cases.push(TestCase { name, failure });
    }
}

impl UserData for RuleTable {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        for (name, wanted) in [("holds", false), ("fires", true)] {
            methods.add_function(name, move |lua, (this, table): (AnyUserData, Table)| {
                this.borrow::<Self>()?.check(lua, &table, wanted);
                Ok(this)
            });
        }
    }
}
