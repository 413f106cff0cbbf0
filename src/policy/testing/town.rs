//! A town in memory: beads, polecats, merge requests and a virtual clock; what policies decide happens at once.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use super::shelf::Shelf;
use crate::base::span::Span;
use crate::base::{BeadId, RigName};
use crate::policy::action::{Action, BeadRef, Subject};
use crate::policy::decision::Decision;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::engine::Engine;
use crate::policy::facts::{BeadFact, BranchFact, MrFact, PolecatFact, PolecatState, Snapshot, StepFact};
use crate::policy::ladder::MemoryLadders;
use crate::policy::patrol::Plan;

/// Where the virtual clock starts: 2026-01-01, so that ages before the start are not negative.
const START: i64 = 1_767_225_600_000;

/// Names for workers that the test does not name.
const NAMES: [&str; 6] = ["toast", "nux", "slit", "ace", "morsov", "coil"];

/// See the module.
pub(super) struct Town {
    pub engine: Engine,
    pub now_ms: i64,
    pub beads: Vec<BeadFact>,
    pub workers: Vec<Worker>,
    pub mrs: Vec<MrFact>,
    pub branches: Vec<BranchFact>,
    /// Wisps and when they last changed.
    pub wisps: Vec<(BeadFact, i64)>,
    pub scattered: bool,
    /// The role's patrols, each with the moment of its next cycle if it has a schedule.
    patrols: Vec<(Arc<Plan>, Option<i64>)>,
    memory: serde_json::Map<String, serde_json::Value>,
    ladders: MemoryLadders,
    happened: Vec<Line>,
    made: u32,
}

/// A polecat of the test.
pub(super) struct Worker {
    pub name: String,
    pub bead: Option<BeadId>,
    pub state: PolecatState,
    pub silent_since_ms: i64,
    pub attached: bool,
}

fn good(warnings: &[Diagnostic]) -> Result<(), String> {
    warnings.first().map_or(Ok(()), |w| Err(w.to_string()))
}

/// One thing that happened.
struct Line {
    at_ms: i64,
    verb: &'static str,
    subject: String,
    rule: String,
    extra: String,
}

impl Town {
    pub fn new(engine: Engine, plans: &[Arc<Plan>]) -> Self {
        let first = |plan: &Arc<Plan>| plan.every.map(|every| START + every.as_millis());
        Self {
            engine,
            now_ms: START,
            beads: Vec::new(),
            workers: Vec::new(),
            mrs: Vec::new(),
            branches: Vec::new(),
            wisps: Vec::new(),
            scattered: false,
            patrols: plans.iter().map(|plan| (Arc::clone(plan), first(plan))).collect(),
            memory: serde_json::Map::new(),
            ladders: MemoryLadders::default(),
            happened: Vec::new(),
            made: 0,
        }
    }

    /// A bead id that is not taken.
    pub fn fresh_id(&mut self) -> BeadId {
        loop {
            self.made += 1;
            if let Ok(id) = BeadId::new(format!("gt-{}", self.made))
                && !self.beads.iter().any(|b| b.id == id)
            {
                return id;
            }
        }
    }

    /// A worker name that is not taken.
    pub fn fresh_name(&self) -> String {
        let mut names = NAMES.iter().map(ToString::to_string).chain((1..).map(|n| format!("polecat-{n}")));
        names.find(|name| !self.workers.iter().any(|w| w.name == *name)).unwrap_or_default()
    }

    pub fn bead(&mut self, id: &BeadId) -> Option<&mut BeadFact> {
        self.beads.iter_mut().find(|b| b.id == *id)
    }

    pub fn worker(&mut self, name: &str) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|w| w.name == name)
    }

    /// Puts a bead on a worker's hook.
    pub fn hook(&mut self, name: &str, id: &BeadId) {
        let now = self.now_ms;
        if let Some(bead) = self.bead(id) {
            bead.workers += 1;
            (bead.hooked, bead.ready) = (true, false);
            bead.status = "hooked".into();
        }
        if let Some(worker) = self.worker(name) {
            worker.bead = Some(id.clone());
            worker.silent_since_ms = now;
        }
    }

    pub fn snapshot(&self) -> Result<Snapshot, String> {
        let rig = RigName::new("rig").map_err(|e| e.to_string())?;
        let beads: Vec<Arc<BeadFact>> = self.beads.iter().cloned().map(Arc::new).collect();
        let mut polecats = Vec::new();
        for worker in &self.workers {
            let bead = worker.bead.as_ref().and_then(|id| beads.iter().find(|b| b.id == *id)).cloned();
            polecats.push(Arc::new(PolecatFact {
                address: format!("rig/polecats/{}", worker.name).parse().map_err(|e| format!("{e}"))?,
                name: worker.name.clone(),
                state: worker.state,
                silent_since_ms: Some(worker.silent_since_ms),
                attached: worker.attached,
                dialog: None,
                memory: serde_json::Map::new(),
                bead,
                step: Some(Arc::new(StepFact {
                    id: "implement".into(),
                    title: "Implement".into(),
                    kind: "task".into(),
                    labels: Vec::new(),
                })),
            }));
        }
        let mrs = self.mrs.iter().cloned().map(Arc::new).collect();
        Ok(Snapshot {
            now_ms: self.now_ms,
            rig: Some(rig),
            polecats,
            beads,
            mrs,
            memory: self.memory.clone(),
            ..Snapshot::default()
        })
    }

    fn shelf(&self, snapshot: &Arc<Snapshot>) -> Shelf {
        Shelf {
            branches: self.branches.iter().cloned().map(Arc::new).collect(),
            wisps: self.wisps.iter().map(|(b, changed)| (Arc::new(b.clone()), *changed)).collect(),
            scattered: self.scattered,
            ..Shelf::of(snapshot)
        }
    }

    /// The queue in policy order.
    pub fn order(&mut self) -> Result<Vec<Arc<MrFact>>, String> {
        let snapshot = Arc::new(self.snapshot()?);
        let reads = self.shelf(&snapshot);
        let answer = self.engine.order(&snapshot.mrs, &snapshot, &reads);
        good(&answer.warnings).map(|()| answer.value)
    }

    /// What is built together, out of the ordered queue.
    pub fn batch(&mut self) -> Result<Vec<Arc<MrFact>>, String> {
        let queue = self.order()?;
        let snapshot = Arc::new(self.snapshot()?);
        let reads = self.shelf(&snapshot);
        let answer = self.engine.batch(&queue, &snapshot, &reads);
        good(&answer.warnings).map(|()| answer.value)
    }

    /// What a question about one merge request answers, as words: `yes`, `no: held`, `rework`, `hold, escalate`.
    pub fn ask(&mut self, question: &str, id: &str) -> Result<String, String> {
        let snapshot = Arc::new(self.snapshot()?);
        let reads = self.shelf(&snapshot);
        let mr = snapshot.mrs.iter().find(|m| m.id.as_str() == id);
        let mr = mr.ok_or_else(|| format!("there is no merge request `{id}` in this town"))?;
        let answer = match question {
            "admit" => {
                let answer = self.engine.admit(mr, &snapshot, &reads);
                good(&answer.warnings)?;
                let why = answer.reasons.first().map(|(_, why)| format!("no: {why}"));
                return Ok(if answer.value { "yes".into() } else { why.unwrap_or_else(|| "no".into()) });
            }
            "on_conflict" => self.engine.on_conflict(mr, &snapshot, &reads),
            "on_failure" => self.engine.on_failure(mr, &snapshot, &reads),
            "after_merge" => self.engine.after_merge(mr, &snapshot, &reads),
            _ => return Err(format!("there is no question `{question}` about one merge request")),
        };
        good(&answer.warnings)?;
        let verbs = |d: Decision| d.actions.iter().map(Action::verb).collect::<Vec<_>>().join(", ");
        Ok(answer.value.map(verbs).unwrap_or_default())
    }

    /// Runs the virtual clock for this long.
    pub fn run(&mut self, ms: i64) -> Result<(), String> {
        let end = self.now_ms + ms;
        loop {
            let next = self.settle()?.map(|next| next.max(self.now_ms + 1));
            let due = self.patrols.iter().filter_map(|(_, due)| *due).min().map(|due| due.max(self.now_ms));
            match next.into_iter().chain(due).min().filter(|next| *next <= end) {
                Some(next) => self.now_ms = next,
                None => break,
            }
            self.due_patrols()?;
        }
        self.now_ms = end;
        Ok(())
    }

    fn due_patrols(&mut self) -> Result<(), String> {
        for index in 0..self.patrols.len() {
            let (plan, due) = &self.patrols[index];
            if let (Some(every), true) = (plan.every, due.is_some_and(|due| due <= self.now_ms)) {
                let plan = Arc::clone(plan);
                self.patrols[index].1 = Some(self.now_ms + every.as_millis());
                self.cycle(&plan)?;
            }
        }
        Ok(())
    }

    /// One cycle of a patrol now, whatever its schedule.
    pub fn patrol(&mut self, name: &str) -> Result<(), String> {
        let Some((plan, _)) = self.patrols.iter().find(|(plan, _)| plan.name == name) else {
            let names: Vec<&str> = self.patrols.iter().map(|(plan, _)| plan.name.as_str()).collect();
            return Err(format!("the role has no patrol `{name}`; its patrols are {}", names.join(", ")));
        };
        let plan = Arc::clone(plan);
        self.cycle(&plan)
    }

    fn cycle(&mut self, plan: &Plan) -> Result<(), String> {
        let snapshot = Arc::new(self.snapshot()?);
        let reads = self.shelf(&snapshot);
        let cycle = self.engine.cycle(plan, &snapshot, &reads);
        if let Some((step, why)) = &cycle.failure {
            return Err(format!("step `{step}` of `{}` failed\n{why}", plan.name));
        }
        if let Some(why) = cycle.undecided {
            return Err(format!("`{}` is undecided: {why}", plan.name));
        }
        good(&cycle.warnings)?;
        cycle.decisions.iter().for_each(|decision| self.carry_out(decision));
        if let Some(text) = cycle.digest {
            let (subject, extra) = (plan.name.clone(), text.lines().collect::<Vec<_>>().join("; "));
            self.happened.push(Line { at_ms: self.now_ms, verb: "digest", subject, rule: String::new(), extra });
        }
        Ok(())
    }

    /// Passes until nothing more is decided at this moment; then the next deadline.
    fn settle(&mut self) -> Result<Option<i64>, String> {
        for _ in 0..100 {
            // A town in which nothing is asked of Lua would never be stopped by its VM.
            if self.engine.limits.until.is_some_and(|until| Instant::now() > until) {
                return Err(format!("it took longer than {} ms", self.engine.limits.time.as_millis()));
            }
            let snapshot = Arc::new(self.snapshot()?);
            let reads = self.shelf(&snapshot);
            let pass = self.engine.pass(&snapshot, &reads, &mut self.ladders);
            if let Some(warning) = pass.warnings.first() {
                return Err(warning.to_string());
            }
            if pass.decisions.is_empty() {
                return Ok(pass.next_ms);
            }
            for decision in &pass.decisions {
                self.carry_out(decision);
            }
        }
        Err("a rule decides again and again at one moment: its action does not change what it reads".into())
    }

    fn carry_out(&mut self, decision: &Decision) {
        if let Some(climb) = &decision.climb {
            self.ladders.climb(climb);
        }
        let rung = decision.rung.map(|r| format!(" {}/{}", r.rung, r.of)).unwrap_or_default();
        let rule = format!("{}{rung}", decision.origin.rule);
        let mut made: Vec<Option<BeadId>> = Vec::new();
        for action in &decision.actions {
            let (subject, extra) = self.act(action, &made);
            made.push(matches!(action, Action::Create(_)).then(|| self.beads.last().map(|b| b.id.clone())).flatten());
            let line = Line { at_ms: self.now_ms, verb: action.verb(), subject, rule: rule.clone(), extra };
            self.happened.push(line);
        }
    }

    /// What it was done to, and what else to say of it.
    fn act(&mut self, action: &Action, made: &[Option<BeadId>]) -> (String, String) {
        let now = self.now_ms;
        let id_of = |bead: &BeadRef| match bead {
            BeadRef::Id(id) => Some(id.clone()),
            BeadRef::Made(i) => made.get(*i).cloned().flatten(),
        };
        let shown = |id: Option<&BeadId>| id.map_or_else(|| "?".to_owned(), ToString::to_string);
        let mut extra = String::new();
        let subject = match action {
            Action::Nudge { to, .. } => to.short().to_owned(),
            Action::Restart { who, resume } => {
                if let Some(worker) = self.worker(who.short()) {
                    worker.silent_since_ms = now;
                    if worker.state != PolecatState::Silent {
                        worker.state = PolecatState::Working;
                    }
                }
                extra = if *resume { "resume".into() } else { String::new() };
                who.short().to_owned()
            }
            Action::Stop { who, .. } | Action::Quarantine { what: Subject::Agent(who) } => {
                self.release(Some(who.short()), None);
                who.short().to_owned()
            }
            Action::Requeue { what: Subject::Bead(id), .. } => {
                let heir = self.release(None, Some(id));
                if let Some((state, id)) = heir.zip(Some(id.clone())) {
                    let name = self.fresh_name();
                    let worker =
                        Worker { name: name.clone(), bead: None, state, silent_since_ms: now, attached: false };
                    self.workers.push(worker);
                    self.hook(&name, &id);
                }
                id.to_string()
            }
            Action::Quarantine { what: Subject::Bead(id) } => {
                self.release(None, Some(id));
                self.edit(id, |b| b.quarantined = true);
                id.to_string()
            }
            Action::Hold { what, .. } => {
                match what {
                    Subject::Bead(id) => self.edit(id, |b| b.held = true),
                    Subject::Mr(id) => self.mrs.iter_mut().filter(|m| m.id == *id).for_each(|m| m.held = true),
                    _ => {}
                }
                what.to_string()
            }
            Action::Escalate { about, severity, .. } => {
                severity.as_str().clone_into(&mut extra);
                about.to_string()
            }
            Action::Mail { to, subject, .. } => {
                extra.clone_from(subject);
                to.clone()
            }
            Action::Sling { bead, .. } => {
                let id = id_of(bead);
                if let Some(id) = &id {
                    let name = self.fresh_name();
                    let state = PolecatState::Working;
                    let worker =
                        Worker { name: name.clone(), bead: None, state, silent_since_ms: now, attached: false };
                    self.workers.push(worker);
                    self.hook(&name, id);
                }
                shown(id.as_ref())
            }
            Action::Create(new) => {
                let mut bead = BeadFact::new(self.fresh_id(), new.title.clone());
                bead.kind = new.kind.clone().unwrap_or(bead.kind);
                bead.labels.clone_from(&new.labels);
                bead.priority = new.priority.unwrap_or(bead.priority);
                bead.epic.clone_from(&new.epic);
                extra.clone_from(&new.title);
                let id = bead.id.to_string();
                self.beads.push(bead);
                id
            }
            Action::Close { bead, .. } => {
                let id = id_of(bead);
                if let Some(id) = &id {
                    self.release(None, Some(id));
                    self.beads.retain(|b| b.id != *id);
                }
                shown(id.as_ref())
            }
            Action::Update { bead, .. } | Action::Comment { bead, .. } => shown(id_of(bead).as_ref()),
            Action::Remember { on, values, .. } => {
                match on {
                    Subject::Bead(id) => self.edit(id, |b| b.memory.extend(values.clone())),
                    Subject::Mr(id) => {
                        let mine = self.mrs.iter_mut().filter(|m| m.id == *id);
                        mine.for_each(|m| m.memory.extend(values.clone()));
                    }
                    Subject::Town => self.memory.extend(values.clone()),
                    _ => {}
                }
                on.to_string()
            }
            Action::Burn { bead } => {
                let id = id_of(bead);
                self.wisps.retain(|(wisp, _)| Some(&wisp.id) != id.as_ref());
                shown(id.as_ref())
            }
            Action::Repack => {
                self.scattered = false;
                "ledger".into()
            }
            Action::Ask { about, name, .. } => {
                extra.clone_from(name);
                about.to_string()
            }
            Action::Rework { mr, .. } => mr.to_string(),
            Action::Requeue { what, .. } | Action::Quarantine { what } => what.to_string(),
        };
        (subject, extra)
    }

    fn edit(&mut self, id: &BeadId, change: impl FnOnce(&mut BeadFact)) {
        if let Some(bead) = self.bead(id) {
            change(bead);
        }
    }

    /// Takes the work from a worker, or a bead from its worker; the state that the worker was in.
    fn release(&mut self, name: Option<&str>, id: Option<&BeadId>) -> Option<PolecatState> {
        let at = self
            .workers
            .iter()
            .position(|w| name == Some(w.name.as_str()) || (id.is_some() && w.bead.as_ref() == id))?;
        let worker = self.workers.remove(at);
        if let Some(id) = &worker.bead {
            self.edit(id, |b| b.hooked = false);
        }
        Some(worker.state)
    }

    /// All that happened, one line each, in columns.
    pub fn history(&self) -> String {
        let width = |of: fn(&Line) -> usize| self.happened.iter().map(of).max().unwrap_or(0);
        let (verb, subject) = (width(|l| l.verb.len()), width(|l| l.subject.len()));
        let rule = width(|l| l.rule.len());
        let mut out = String::new();
        for line in &self.happened {
            // A condition flips one millisecond after its span: that counts as the span.
            let after = Span::millis((line.at_ms - START) / 1000 * 1000);
            let text = format!(
                "{:<6} {:<verb$}  {:<subject$}  {:<rule$}  {}",
                format!("+{after}"),
                line.verb,
                line.subject,
                line.rule,
                line.extra
            );
            let _ = writeln!(out, "{}", text.trim_end());
        }
        out
    }

    /// How often each verb happened.
    pub fn tally(&self) -> Vec<(&'static str, u32)> {
        let mut counts: Vec<(&'static str, u32)> = Vec::new();
        for line in &self.happened {
            match counts.iter_mut().find(|(verb, _)| *verb == line.verb) {
                Some((_, n)) => *n += 1,
                None => counts.push((line.verb, 1)),
            }
        }
        counts
    }
}
