//! Patrols: procedures of a role that run on a schedule, their steps one after the other on one snapshot.
//!
//! A patrol is a formula (`type = "patrol"`) whose steps name functions of a role; `role.patrol` in Lua is turned
//! into such a formula, so that `extends` and aspects compose both in the same way. [`Plan`] is a formula that fits
//! its role, [`Cycle`] what one run of it came to: the functions are as pure as rules, and what they ask for is done
//! by the caller, after the whole cycle was judged.

mod cycle;
mod declared;
mod plan;

use std::collections::BTreeMap;

use mlua::{Function, Lua};

use super::rules::base;
use super::vm::RunPart;

pub use cycle::{Cycle, StepDone};
pub use declared::Declared;
pub use plan::{Plan, PlannedStep, Plans, Unfit, plans};

pub(super) use declared::declared;

/// A function that steps name with `run`, with the ones of the layers below.
#[derive(Debug)]
pub(super) struct Run {
    pub name: String,
    pub levels: Vec<Level>,
}

/// One layer's function.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub layer: usize,
    pub file: String,
    pub line: u32,
    pub function: Function,
    pub base: Option<Function>,
}

/// Stacks the functions of the layers, lowest first.
pub(super) fn compose(lua: &Lua, parts: &[RunPart]) -> mlua::Result<Vec<Run>> {
    let mut all: BTreeMap<&str, Vec<Level>> = BTreeMap::new();
    for part in parts {
        let levels = all.entry(&part.name).or_default();
        let base = levels.last().map(|below| base(lua, &below.function, below.base.as_ref())).transpose()?;
        let (layer, file, line) = (part.layer, part.file.clone(), part.line);
        levels.push(Level { layer, file, line, function: part.function.clone(), base });
    }
    Ok(all.into_iter().map(|(name, levels)| Run { name: name.to_owned(), levels }).collect())
}
