//! The formula compiler: text in, a frozen [`Proto`] out. No store, no clock, no environment.
//!
//! A formula is a TOML or JSON file that describes a workflow. Compiling it goes through stages, one file each:
//!
//! ```text
//! parse   text with spans          -> Formula     parse/
//! extend  parents, left to right   -> Formula     stage/extends.rs
//! control loops, branches, gates   -> steps       stage/control.rs, stage/branch.rs
//! expand  templates over steps     -> steps       stage/expand.rs
//! weave   advice and aspects       -> steps       stage/weave.rs
//! check   ids, needs, cycles       -> findings    stage/check.rs
//! freeze  flat, content-addressed  -> Proto       stage/freeze.rs
//! ```
//!
//! Every stage adds what it finds to one [`Report`], so that a user sees all mistakes of a formula at once, each
//! with its place, an excerpt, the reason and what to do. [`Library`] finds formulas by name in layers.

pub mod condition;
pub mod convoy;
mod cook;
pub mod def;
mod diagnostic;
pub mod explain;
mod glob;
pub mod graph;
mod library;
mod limits;
mod parse;
mod places;
mod proto;
mod range;
mod resolved;
mod source;
mod stage;
mod syntax;
mod vars;

pub use cook::{Cooked, Mode, Options, compile, compile_proto, cook};
pub use diagnostic::{Diagnostic, Report, Severity};
pub use glob::Glob;
pub use library::{AspectFile, Found, Layer, Library, Listed, is_path};
pub use limits::Limits;
pub use parse::EVENTS;
pub(crate) use parse::KEPT;
pub use places::Places;
pub use proto::{
    Compound, Gate, OnComplete, OnlyIf, Origin, Patrol, Proto, RoundTexts, Step, Until, Var, Waits, Woven,
};
pub use resolved::{as_toml, as_written, resolved_json, without_nulls};
pub use source::{At, Source, Text};
pub(crate) use stage::again::{GATE_ID, GATE_TIMEOUT};
pub use stage::weave::{Advice, Aspects, Functions, NewStep, NoAspects, StepView};
pub use vars::{Vars, duration, fill, names_in, truthy};
pub(crate) use vars::{fill_json, fill_single, filled_len, with_texts};
