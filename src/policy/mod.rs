//! Policies: Lua decides, the core acts.
//!
//! A role (`witness`, `refinery`, a user's own) is one or more layers of Lua, built-in < town < rig. An [`Engine`]
//! is one role of one rig, loaded and checked. Facts go in ([`Snapshot`], [`Reads`]), decisions come out ([`Pass`],
//! [`Answer`]); nothing in here touches git, tmux, a store or a clock. Rules are pure: the engine can judge them
//! twice and get the same answer, and the place on a ladder is kept by the caller ([`Ladders`]).
//!
//! The VM is Luau, interpreter only, in a sandbox with a deadline and a memory cap. What overruns is dropped with
//! its VM; what errs falls back to the layer below.

mod action;
mod aspect;
mod check;
mod decision;
mod diagnostic;
mod engine;
mod facts;
mod judge;
mod ladder;
mod layer;
mod patrol;
mod questions;
mod reads;
mod registry;
mod rules;
mod schema;
mod shipped;
mod testing;
mod types;
mod vm;

pub use action::{Action, BeadRef, MOST_RESTARTS, NewBead, Severity, Subject};
pub use aspect::LuaAspects;
pub use decision::{Answer, Because, Decision, Judgement, Origin, Outcome, Pass, Rung};
pub use diagnostic::Diagnostic;
pub use engine::{Engine, Limits};
pub use facts::{
    AnswerFact, BeadFact, BranchFact, ConvoyFact, EventFact, EventKind, MailFact, MrFact, PolecatFact, PolecatState,
    ProbeFact, Snapshot, StepFact,
};
pub use ladder::{Climb, LadderKey, Ladders, MemoryLadders, Place};
pub use layer::{Layer, LayerSource};
pub use patrol::{Cycle, Declared as DeclaredPatrol, Plan, PlannedStep, Plans, StepDone, Unfit, plans};
pub use reads::{BeadQuery, NoReads, Reads, Unreadable};
pub use registry::{Kept, Objection, Proof, Registry, Reload};
pub use shipped::{builtin, builtin_roles, eject};
pub use testing::{TestCase, TestReport, run_aspect_tests, run_tests};
pub use types::{fact_names, facts, types};
