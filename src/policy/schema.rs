//! The one table of facts: what each class of record has, how it is read, and how it is described.
//!
//! Records in the VM, the load check and the generated stubs all come from it.

mod classes;

use std::sync::Arc;

use serde_json::Value;

use super::action::Subject;
use super::facts::{
    AnswerFact, BeadFact, BranchFact, ConvoyFact, EventFact, EventKind, MailFact, MrFact, PolecatFact, ProbeFact,
    Snapshot, StepFact,
};
use crate::formula::StepView;

pub(super) use classes::{
    ANSWER, BEAD, BRANCH, CONVOY, EVENT, FORMULA_STEP, MAIL, MR, POLECAT, PROBE, STEP, TOWN, WORKER, event_class,
};

/// A record's contents.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    Bead(Arc<BeadFact>),
    Polecat(Arc<PolecatFact>),
    /// A polecat that holds a bead.
    Worker(Arc<PolecatFact>),
    Mr(Arc<MrFact>),
    Step(Arc<StepFact>),
    /// A step of a formula, as an aspect sees it.
    FormulaStep(Arc<StepView>),
    Event(Arc<EventFact>),
    Mail(Arc<MailFact>),
    Branch(Arc<BranchFact>),
    Convoy(Arc<ConvoyFact>),
    Probe(Arc<ProbeFact>),
    Answer(Arc<AnswerFact>),
    Town(Arc<Snapshot>),
}

/// What reading a field gives.
#[derive(Debug)]
pub(super) enum Got {
    Nil,
    Text(String),
    Int(i64),
    Bool(bool),
    /// The time since this moment.
    Age(i64),
    Record(Fact),
    Strings(Vec<String>),
    Records(Vec<Fact>),
    Named(Vec<(String, Fact)>),
    Json(Value),
    /// A function of the record, `has` or `touches`.
    Method(&'static str),
    /// A table of reads of the town.
    Reads(&'static str),
    Unreadable(&'static str),
}

/// A field's type, for checks and stubs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ty {
    String,
    OneOf(&'static [&'static str]),
    Integer,
    Boolean,
    Span,
    Any,
    Optional(&'static Ty),
    Record(&'static Class),
    List(&'static Ty),
    Map(&'static Ty),
    /// A method with this signature after `self`.
    Method(&'static str),
    /// A table of functions or a function, with its `LuaCATS` type.
    Reads(&'static str),
}

/// A field of a class.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub ty: Ty,
    pub doc: &'static str,
    pub get: fn(&Fact) -> Got,
}

/// A class of records.
#[derive(Debug)]
pub(super) struct Class {
    /// In messages: `worker`.
    pub name: &'static str,
    /// In stubs: `Worker`.
    pub lua: &'static str,
    pub doc: &'static str,
    pub parent: Option<&'static Class>,
    pub fields: &'static [Field],
}

impl Class {
    /// The field of that name, here or in the class above.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        // An own field hides one of the class above (`worker.bead` is never nil).
        self.fields.iter().find(|f| f.name == name).or_else(|| self.parent.and_then(|p| p.field(name)))
    }

    /// All field names, own first.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.fields.iter().map(|f| f.name).collect();
        for name in self.parent.map(Class::names).unwrap_or_default() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl Fact {
    /// The class that describes this record.
    pub fn class(&self) -> &'static Class {
        match self {
            Self::Bead(_) => &BEAD,
            Self::Polecat(_) => &POLECAT,
            Self::Worker(_) => &WORKER,
            Self::Mr(_) => &MR,
            Self::Step(_) => &STEP,
            Self::FormulaStep(_) => &FORMULA_STEP,
            Self::Event(e) => event_class(e.kind),
            Self::Mail(_) => &MAIL,
            Self::Branch(_) => &BRANCH,
            Self::Convoy(_) => &CONVOY,
            Self::Probe(_) => &PROBE,
            Self::Answer(_) => &ANSWER,
            Self::Town(_) => &TOWN,
        }
    }

    /// What makes two records the same one: class family and id.
    pub fn key(&self) -> (&'static str, String) {
        match self {
            Self::Bead(b) => ("bead", b.id.to_string()),
            Self::Polecat(p) => ("polecat", p.address.to_string()),
            Self::Worker(p) => ("worker", p.address.to_string()),
            Self::Mr(m) => ("mr", m.id.to_string()),
            Self::Step(s) => ("step", format!("{:p}", Arc::as_ptr(s))),
            Self::FormulaStep(s) => ("formula_step", s.id.clone()),
            Self::Event(e) => ("event", e.seq.to_string()),
            Self::Mail(m) => ("mail", m.id.clone()),
            Self::Branch(b) => ("branch", b.name.clone()),
            Self::Convoy(c) => ("convoy", c.id.to_string()),
            Self::Probe(p) => ("probe", format!("{:p}", Arc::as_ptr(p))),
            Self::Answer(a) => ("answer", format!("{:p}", Arc::as_ptr(a))),
            Self::Town(_) => ("town", String::new()),
        }
    }

    /// As the subject of an action, for those that can be one.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Bead(b) => Some(Subject::Bead(b.id.clone())),
            Self::Polecat(p) | Self::Worker(p) => Some(Subject::Agent(p.address.clone())),
            Self::Mr(m) => Some(Subject::Mr(m.id.clone())),
            Self::Town(_) => Some(Subject::Town),
            _ => None,
        }
    }

    /// What an event is about, for `gt why`.
    pub fn event_subject(event: &EventFact) -> Subject {
        let of = |id: &crate::base::BeadId| Subject::Bead(id.clone());
        match (&event.bead, &event.mr, &event.polecat) {
            (Some(bead), _, _) => of(&bead.id),
            (None, Some(mr), _) => Subject::Mr(mr.id.clone()),
            (None, None, Some(p)) => Subject::Agent(p.address.clone()),
            _ => Subject::Town,
        }
    }

    /// Whether the record carries this label; `None` when its class has no labels.
    pub fn has(&self, label: &str) -> Option<bool> {
        let labels = match self {
            Self::Bead(b) => &b.labels,
            Self::Step(s) => &s.labels,
            Self::FormulaStep(s) => &s.labels,
            _ => return None,
        };
        Some(labels.iter().any(|l| l == label))
    }
}

/// The functions of the town's tables of reads.
pub(super) const TOWN_READS: [(&str, &[&str]); 7] = [
    ("beads", &["get", "find"]),
    ("hooks", &["of", "free"]),
    ("tmux", &["screen"]),
    ("mail", &["unread"]),
    ("git", &["branches"]),
    ("wisps", &["idle"]),
    ("ledger", &["scattered"]),
];

/// The class of the subjects of `each.NAME`.
pub(super) fn each_class(name: &str) -> Option<&'static Class> {
    match name {
        "worker" => Some(&WORKER),
        "polecat" => Some(&POLECAT),
        "bead" => Some(&BEAD),
        "mr" => Some(&MR),
        _ => None,
    }
}

/// The names in `role.each.NAME`.
pub(super) const EACH: [&str; 4] = ["worker", "polecat", "bead", "mr"];

/// The kind of event of `role.on.NAME`.
pub(super) fn event_kind(name: &str) -> Option<EventKind> {
    EventKind::ALL.into_iter().find(|k| k.as_str() == name)
}

/// Every class, in the order of the stubs.
pub(super) fn classes() -> Vec<&'static Class> {
    let mut all: Vec<&'static Class> = vec![
        &BEAD,
        &POLECAT,
        &WORKER,
        &MR,
        &STEP,
        &FORMULA_STEP,
        &CONVOY,
        &MAIL,
        &BRANCH,
        &PROBE,
        &ANSWER,
        &TOWN,
        &EVENT,
    ];
    all.extend(EventKind::ALL.map(event_class));
    all
}
