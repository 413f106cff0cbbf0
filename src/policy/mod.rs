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
mod check;
mod decision;
mod diagnostic;
mod engine;
mod facts;
mod judge;
mod ladder;
mod layer;
mod questions;
mod reads;
mod registry;
mod rules;
mod schema;
mod testing;
mod types;
mod vm;

pub use action::{Action, BeadRef, NewBead, Severity, Subject};
pub use decision::{Answer, Because, Decision, Judgement, Origin, Outcome, Pass, Rung};
pub use diagnostic::Diagnostic;
pub use engine::{Engine, Limits};
pub use facts::{
    AnswerFact, BeadFact, BranchFact, ConvoyFact, EventFact, EventKind, MailFact, MrFact, PolecatFact, PolecatState,
    ProbeFact, Snapshot, StepFact,
};
pub use ladder::{Climb, LadderKey, Ladders, MemoryLadders, Place};
pub use layer::{Layer, LayerSource};
pub use reads::{BeadQuery, NoReads, Reads, Unreadable};
pub use registry::{Kept, Registry, Reload};
pub use testing::{TestCase, TestReport, run_tests};
pub use types::{fact_names, facts, types};

/// The built-in layer of a role; `None` when no such role is shipped.
pub fn builtin(role: &str) -> Option<LayerSource> {
    let (_, text) = BUILTIN.iter().find(|(name, _)| *name == role)?;
    Some(LayerSource::new(Layer::Builtin, format!("lua/roles/{role}.lua"), *text))
}

/// The roles that are shipped.
pub fn builtin_roles() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

/// A shipped role as a layer over itself: every rule an override, every question answered anew.
pub fn eject(role: &str) -> Option<String> {
    let source = builtin(role)?;
    let mut out = String::new();
    let body = source.text.lines().skip_while(|l| !l.starts_with("local gt"));
    out.push_str(&format!(
        "-- The shipped {role}, as a layer over itself. What you delete here is the shipped rule again.\n\n"
    ));
    for line in body {
        let declares = format!("local {role} = gt.role(");
        if line.starts_with(&declares) {
            out.push_str(&format!("local {role} = gt.extend(\"{role}\")\n"));
            continue;
        }
        let rule = line.strip_prefix(&format!("{role}.each.")).and_then(|rest| rest.split_once("(\""));
        match rule {
            Some((_, rest)) => out.push_str(&format!("{role}.override(\"{rest}\n")),
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    Some(out)
}

const BUILTIN: &[(&str, &str)] = &[
    ("witness", include_str!("../../lua/roles/witness.lua")),
    ("refinery", include_str!("../../lua/roles/refinery.lua")),
];
