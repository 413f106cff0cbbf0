//! The classes themselves.

use std::sync::Arc;

use super::{Class, Fact, Field, Got, Ty};
use crate::formula::StepView;
use crate::policy::facts::{BeadFact, EventFact, EventKind, MrFact, PolecatFact, Snapshot};

const fn field(name: &'static str, ty: Ty, doc: &'static str, get: fn(&Fact) -> Got) -> Field {
    Field { name, ty, doc, get }
}

fn bead(fact: &Fact, get: impl Fn(&BeadFact) -> Got) -> Got {
    if let Fact::Bead(b) = fact { get(b) } else { Got::Nil }
}

fn polecat(fact: &Fact, get: impl Fn(&PolecatFact) -> Got) -> Got {
    if let Fact::Polecat(p) | Fact::Worker(p) = fact { get(p) } else { Got::Nil }
}

fn mr(fact: &Fact, get: impl Fn(&MrFact) -> Got) -> Got {
    if let Fact::Mr(m) = fact { get(m) } else { Got::Nil }
}

fn event(fact: &Fact, get: impl Fn(&EventFact) -> Got) -> Got {
    if let Fact::Event(e) = fact { get(e) } else { Got::Nil }
}

fn town(fact: &Fact, get: impl Fn(&Arc<Snapshot>) -> Got) -> Got {
    if let Fact::Town(t) = fact { get(t) } else { Got::Nil }
}

fn formula_step(fact: &Fact, get: impl Fn(&StepView) -> Got) -> Got {
    if let Fact::FormulaStep(s) = fact { get(s) } else { Got::Nil }
}

fn text(value: Option<String>) -> Got {
    value.map_or(Got::Nil, Got::Text)
}

fn record<T>(value: Option<Arc<T>>, make: fn(Arc<T>) -> Fact) -> Got {
    value.map_or(Got::Nil, |v| Got::Record(make(v)))
}

fn answers(all: &std::collections::BTreeMap<String, crate::policy::facts::AnswerFact>) -> Got {
    Got::Named(all.iter().map(|(k, v)| (k.clone(), Fact::Answer(Arc::new(v.clone())))).collect())
}

const TEXT: Ty = Ty::String;
const MAYBE_TEXT: Ty = Ty::Optional(&Ty::String);
const MEMORY: Ty = Ty::Map(&Ty::Any);
const ANSWERS: Ty = Ty::Map(&Ty::Optional(&Ty::Record(&ANSWER)));
const HAS: Ty = Ty::Method("label: string): boolean");
const STATES: Ty = Ty::OneOf(&["working", "silent", "idle", "waiting", "limited", "done", "dead", "unknown"]);

pub(in crate::policy) static BEAD: Class = Class {
    name: "bead",
    lua: "Bead",
    doc: "",
    parent: None,
    fields: &[
        field("id", TEXT, "", |f| bead(f, |b| Got::Text(b.id.to_string()))),
        field("title", TEXT, "", |f| bead(f, |b| Got::Text(b.title.clone()))),
        field("type", TEXT, "", |f| bead(f, |b| Got::Text(b.kind.clone()))),
        field("status", TEXT, "", |f| bead(f, |b| Got::Text(b.status.clone()))),
        field("priority", Ty::Integer, "0 is most urgent", |f| bead(f, |b| Got::Int(b.priority))),
        field("labels", Ty::List(&Ty::String), "", |f| bead(f, |b| Got::Strings(b.labels.clone()))),
        field("epic", MAYBE_TEXT, "", |f| bead(f, |b| text(b.epic.as_ref().map(ToString::to_string)))),
        field("workers", Ty::Integer, "how many sessions have held it", |f| {
            bead(f, |b| Got::Int(i64::from(b.workers)))
        }),
        field("ready", Ty::Boolean, "open, unassigned, and nothing open blocks it", |f| {
            bead(f, |b| Got::Bool(b.ready))
        }),
        field("hooked", Ty::Boolean, "on somebody's hook", |f| bead(f, |b| Got::Bool(b.hooked))),
        field("rig", MAYBE_TEXT, "the rig that its id belongs to", |f| {
            bead(f, |b| text(b.rig.as_ref().map(ToString::to_string)))
        }),
        field("convoy", Ty::Optional(&Ty::Record(&CONVOY)), "the convoy that tracks it", |f| {
            bead(f, |b| b.convoy.clone().map_or(Got::Nil, |c| Got::Record(Fact::Convoy(Arc::new(c)))))
        }),
        field("held", Ty::Boolean, "kept back by a policy or a person", |f| bead(f, |b| Got::Bool(b.held))),
        field("quarantined", Ty::Boolean, "only a person brings it back", |f| bead(f, |b| Got::Bool(b.quarantined))),
        field("memory", MEMORY, "what gt.remember stored here; gone when the bead closes", |f| {
            bead(f, |b| Got::Json(b.memory.clone().into()))
        }),
        field("answers", ANSWERS, "what gt.ask got back, by question name", |f| bead(f, |b| answers(&b.answers))),
        field("has", HAS, "whether it carries the label", |_| Got::Method("has")),
    ],
};

pub(in crate::policy) static CONVOY: Class = Class {
    name: "convoy",
    lua: "Convoy",
    doc: "",
    parent: None,
    fields: &[
        field("id", TEXT, "", |f| if let Fact::Convoy(c) = f { Got::Text(c.id.to_string()) } else { Got::Nil }),
        field("active", Ty::Boolean, "one of its beads was slung", |f| {
            if let Fact::Convoy(c) = f { Got::Bool(c.active) } else { Got::Nil }
        }),
    ],
};

pub(in crate::policy) static POLECAT: Class = Class {
    name: "polecat",
    lua: "Polecat",
    doc: "an agent of the rig, with work or without",
    parent: None,
    fields: &[
        field("name", TEXT, "", |f| polecat(f, |p| Got::Text(p.name.clone()))),
        field("address", TEXT, "rig/polecats/name", |f| polecat(f, |p| Got::Text(p.address.to_string()))),
        field("state", STATES, "", |f| polecat(f, |p| Got::Text(p.state.as_str().into()))),
        field("silent_for", Ty::Span, "", |f| {
            polecat(f, |p| p.silent_since_ms.map_or(Got::Unreadable("when it was last heard of"), Got::Age))
        }),
        field("attached", Ty::Boolean, "a person is looking at it", |f| polecat(f, |p| Got::Bool(p.attached))),
        field("dialog", MAYBE_TEXT, "the question on its screen that only a person may answer", |f| {
            polecat(f, |p| text(p.dialog.clone()))
        }),
        field("memory", MEMORY, "", |f| polecat(f, |p| Got::Json(p.memory.clone().into()))),
        field("bead", Ty::Optional(&Ty::Record(&BEAD)), "the bead on its hook", |f| {
            polecat(f, |p| record(p.bead.clone(), Fact::Bead))
        }),
    ],
};

pub(in crate::policy) static WORKER: Class = Class {
    name: "worker",
    lua: "Worker",
    doc: "a polecat that holds work: bead is never nil",
    parent: Some(&POLECAT),
    fields: &[
        field("bead", Ty::Record(&BEAD), "", |f| polecat(f, |p| record(p.bead.clone(), Fact::Bead))),
        field("step", Ty::Optional(&Ty::Record(&STEP)), "nil where its work has no steps", |f| {
            polecat(f, |p| record(p.step.clone(), Fact::Step))
        }),
    ],
};

pub(in crate::policy) static MR: Class = Class {
    name: "mr",
    lua: "Mr",
    doc: "a merge request",
    parent: None,
    fields: &[
        field("id", TEXT, "", |f| mr(f, |m| Got::Text(m.id.to_string()))),
        field("bead", Ty::Record(&BEAD), "", |f| mr(f, |m| Got::Record(Fact::Bead(m.bead.clone())))),
        field("worker", TEXT, "who handed it in, by address", |f| mr(f, |m| Got::Text(m.worker.clone()))),
        field("target", TEXT, "the branch it is to land on", |f| mr(f, |m| Got::Text(m.target.clone()))),
        field("waiting", Ty::Span, "", |f| mr(f, |m| Got::Age(m.queued_ms))),
        field("attempt", Ty::Integer, "1 for the first try of its bead", |f| mr(f, |m| Got::Int(i64::from(m.attempt)))),
        field("lines", Ty::Integer, "changed lines", |f| {
            mr(f, |m| m.lines.map_or(Got::Unreadable("its diff"), |n| Got::Int(n.cast_signed())))
        }),
        field("paths", Ty::List(&Ty::String), "changed paths", |f| {
            mr(f, |m| m.paths.clone().map_or(Got::Unreadable("its diff"), Got::Strings))
        }),
        field("gate", MAYBE_TEXT, "in on_failure: the gate that failed", |f| mr(f, |m| text(m.gate.clone()))),
        field("held", Ty::Boolean, "kept back for a person", |f| mr(f, |m| Got::Bool(m.held))),
        field("answers", ANSWERS, "", |f| mr(f, |m| answers(&m.answers))),
        field("memory", MEMORY, "", |f| mr(f, |m| Got::Json(m.memory.clone().into()))),
        field("touches", Ty::Method("globs: string[]): boolean"), "whether it changes a path that matches", |_| {
            Got::Method("touches")
        }),
    ],
};

pub(in crate::policy) static STEP: Class = Class {
    name: "step",
    lua: "Step",
    doc: "a step of a molecule",
    parent: None,
    fields: &[
        field("id", TEXT, "", |f| if let Fact::Step(s) = f { Got::Text(s.id.clone()) } else { Got::Nil }),
        field("title", TEXT, "", |f| if let Fact::Step(s) = f { Got::Text(s.title.clone()) } else { Got::Nil }),
        field("type", TEXT, "", |f| if let Fact::Step(s) = f { Got::Text(s.kind.clone()) } else { Got::Nil }),
        field("has", HAS, "", |_| Got::Method("has")),
    ],
};

pub(in crate::policy) static FORMULA_STEP: Class = Class {
    name: "formula_step",
    lua: "FormulaStep",
    doc: "in an aspect: frozen text, variables still unfilled",
    parent: Some(&STEP),
    fields: &[
        field("id", TEXT, "unique in the formula", |f| formula_step(f, |s| Got::Text(s.id.clone()))),
        field("title", TEXT, "", |f| formula_step(f, |s| Got::Text(s.title.clone()))),
        field("description", TEXT, "", |f| formula_step(f, |s| Got::Text(s.description.clone()))),
        field("type", TEXT, "", |f| formula_step(f, |s| Got::Text(s.kind.clone()))),
        field("labels", Ty::List(&Ty::String), "", |f| formula_step(f, |s| Got::Strings(s.labels.clone()))),
        field("needs", Ty::List(&Ty::String), "ids of the steps that come before", |f| {
            formula_step(f, |s| Got::Strings(s.needs.clone()))
        }),
        field("metadata", MEMORY, "", |f| formula_step(f, |s| Got::Json(s.metadata.clone().into()))),
        field("formula", TEXT, "the formula that is cooked", |f| formula_step(f, |s| Got::Text(s.formula.clone()))),
    ],
};

pub(in crate::policy) static MAIL: Class = Class {
    name: "mail",
    lua: "Mail",
    doc: "",
    parent: None,
    fields: &[
        field("id", TEXT, "", |f| if let Fact::Mail(m) = f { Got::Text(m.id.clone()) } else { Got::Nil }),
        field("from", TEXT, "", |f| if let Fact::Mail(m) = f { Got::Text(m.from.clone()) } else { Got::Nil }),
        field("subject", TEXT, "", |f| if let Fact::Mail(m) = f { Got::Text(m.subject.clone()) } else { Got::Nil }),
        field("body", TEXT, "", |f| if let Fact::Mail(m) = f { Got::Text(m.body.clone()) } else { Got::Nil }),
    ],
};

pub(in crate::policy) static BRANCH: Class =
    Class {
        name: "branch",
        lua: "Branch",
        doc: "",
        parent: None,
        fields: &[
            field("name", TEXT, "", |f| if let Fact::Branch(b) = f { Got::Text(b.name.clone()) } else { Got::Nil }),
            field("ahead", Ty::Integer, "commits that the default branch does not have", |f| {
                if let Fact::Branch(b) = f { Got::Int(b.ahead.cast_signed()) } else { Got::Nil }
            }),
            field("idle_for", Ty::Span, "", |f| {
                if let Fact::Branch(b) = f { Got::Age(b.last_commit_ms) } else { Got::Nil }
            }),
            field("bead", Ty::Optional(&Ty::Record(&BEAD)), "", |f| {
                if let Fact::Branch(b) = f { record(b.bead.clone(), Fact::Bead) } else { Got::Nil }
            }),
        ],
    };

pub(in crate::policy) static PROBE: Class = Class {
    name: "probe",
    lua: "Probe",
    doc: "the latest result of [probes.NAME] in TOML, run by the core",
    parent: None,
    fields: &[
        field("ok", Ty::Boolean, "", |f| if let Fact::Probe(p) = f { Got::Bool(p.ok) } else { Got::Nil }),
        field("json", Ty::Any, "", |f| if let Fact::Probe(p) = f { Got::Json(p.json.clone()) } else { Got::Nil }),
        field("age", Ty::Span, "", |f| if let Fact::Probe(p) = f { Got::Age(p.at_ms) } else { Got::Nil }),
    ],
};

pub(in crate::policy) static ANSWER: Class = Class {
    name: "answer",
    lua: "Answer",
    doc: "",
    parent: None,
    fields: &[
        field("choice", TEXT, "", |f| if let Fact::Answer(a) = f { Got::Text(a.choice.clone()) } else { Got::Nil }),
        field("text", TEXT, "", |f| if let Fact::Answer(a) = f { Got::Text(a.text.clone()) } else { Got::Nil }),
        field("by", TEXT, "", |f| if let Fact::Answer(a) = f { Got::Text(a.by.clone()) } else { Got::Nil }),
    ],
};

pub(in crate::policy) static TOWN: Class = Class {
    name: "town",
    lua: "Town",
    doc: "second argument of everything",
    parent: None,
    fields: &[
        field("now", Ty::Span, "since the epoch; in tests, the virtual clock", |_| Got::Age(0)),
        field("rig", MAYBE_TEXT, "nil in a town-wide role", |f| {
            town(f, |t| text(t.rig.as_ref().map(ToString::to_string)))
        }),
        field("memory", MEMORY, "", |f| town(f, |t| Got::Json(t.memory.clone().into()))),
        field("beads", Ty::Reads("{ get: (fun(id: string): Bead?), find: fun(q: BeadQuery): Bead[] }"), "", |_| {
            Got::Reads("beads")
        }),
        field("hooks", Ty::Reads("{ of: (fun(agent: string): Bead?), free: fun(): Polecat[] }"), "", |_| {
            Got::Reads("hooks")
        }),
        field(
            "tmux",
            Ty::Reads("{ screen: fun(agent: Polecat, lines?: integer): string }"),
            "pane, or headless log",
            |_| Got::Reads("tmux"),
        ),
        field("mail", Ty::Reads("{ unread: fun(addr: string): Mail[] }"), "", |_| Got::Reads("mail")),
        field("git", Ty::Reads("{ branches: fun(q: { merged?: boolean }): Branch[] }"), "", |_| Got::Reads("git")),
        field("wisps", Ty::Reads("{ idle: fun(age: SpanLike): Bead[] }"), "unchanged for that long", |_| {
            Got::Reads("wisps")
        }),
        field("ledger", Ty::Reads("{ scattered: fun(): boolean }"), "so many small files that packing pays", |_| {
            Got::Reads("ledger")
        }),
        field("queue", Ty::List(&Ty::Record(&MR)), "", |f| {
            town(f, |t| Got::Records(t.mrs.iter().cloned().map(Fact::Mr).collect()))
        }),
        field("probe", Ty::Map(&Ty::Record(&PROBE)), "", |f| {
            town(f, |t| Got::Named(t.probes.iter().map(|(k, v)| (k.clone(), Fact::Probe(v.clone()))).collect()))
        }),
        field(
            "count",
            Ty::Reads("fun(action: string, of: Bead|Polecat|Mr, since?: SpanLike): integer"),
            "from the journal",
            |_| Got::Reads("count"),
        ),
    ],
};

pub(in crate::policy) static EVENT: Class = Class {
    name: "event",
    lua: "Event",
    doc: "something that happened once",
    parent: None,
    fields: &[
        field("seq", Ty::Integer, "", |f| event(f, |e| Got::Int(e.seq))),
        field("actor", TEXT, "", |f| event(f, |e| Got::Text(e.actor.clone()))),
    ],
};

const E_BEAD: Field = field("bead", Ty::Record(&BEAD), "", |f| event(f, |e| record(e.bead.clone(), Fact::Bead)));
const MAYBE_BEAD: Ty = Ty::Optional(&Ty::Record(&BEAD));
const E_MAYBE_BEAD: Field = field("bead", MAYBE_BEAD, "", |f| event(f, |e| record(e.bead.clone(), Fact::Bead)));
const E_MR: Field = field("mr", Ty::Record(&MR), "", |f| event(f, |e| record(e.mr.clone(), Fact::Mr)));
const E_POLECAT: Field =
    field("polecat", Ty::Record(&POLECAT), "", |f| event(f, |e| record(e.polecat.clone(), Fact::Polecat)));
const E_STEP: Field = field("step", Ty::Record(&STEP), "", |f| event(f, |e| record(e.step.clone(), Fact::Step)));
const E_MAIL: Field = field("mail", Ty::Record(&MAIL), "", |f| event(f, |e| record(e.mail.clone(), Fact::Mail)));
const E_COMMIT: Field = field("commit", TEXT, "", |f| event(f, |e| text(e.commit.clone())));
const E_REASON: Field = field("reason", MAYBE_TEXT, "", |f| event(f, |e| text(e.reason.clone())));

const fn on(name: &'static str, lua: &'static str, doc: &'static str, fields: &'static [Field]) -> Class {
    Class { name, lua, doc, parent: Some(&EVENT), fields }
}

static BEAD_CREATED: Class = on("bead_created", "BeadCreated", "", &[E_BEAD]);
static BEAD_CLOSED: Class = on("bead_closed", "BeadClosed", "", &[E_BEAD, E_REASON]);
static STEP_CLOSED: Class = on("step_closed", "StepClosed", "", &[E_BEAD, E_STEP, E_POLECAT]);
static MR_MERGED: Class = on("mr_merged", "MrMerged", "", &[E_MR, E_BEAD, E_COMMIT]);
static MR_FAILED: Class = on("mr_failed", "MrFailed", "a gate failed or it conflicted", &[E_MR, E_BEAD, E_REASON]);
static MAIL_RECEIVED: Class = on("mail_received", "MailReceived", "", &[E_MAIL]);
static AGENT_EXITED: Class = on("agent_exited", "AgentExited", "", &[E_POLECAT, E_MAYBE_BEAD, E_REASON]);
static CONVOY_LANDED: Class = on("convoy_landed", "ConvoyLanded", "bead is the convoy itself", &[E_BEAD]);

/// The class of events of a kind.
pub(in crate::policy) fn event_class(kind: EventKind) -> &'static Class {
    match kind {
        EventKind::BeadCreated => &BEAD_CREATED,
        EventKind::BeadClosed => &BEAD_CLOSED,
        EventKind::StepClosed => &STEP_CLOSED,
        EventKind::MrMerged => &MR_MERGED,
        EventKind::MrFailed => &MR_FAILED,
        EventKind::MailReceived => &MAIL_RECEIVED,
        EventKind::AgentExited => &AGENT_EXITED,
        EventKind::ConvoyLanded => &CONVOY_LANDED,
    }
}
