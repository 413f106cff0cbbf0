//! Molecules: formulas at work, as beads in the store.
//!
//! ```text
//! cook    Formula -> Proto        formula::compile, then `freeze` keeps it in the store
//! pour    Proto -> molecule       a root bead and one bead per step; lasts, goes to the ledger
//! wisp    Proto -> wisp           the same, ephemeral
//! squash  molecule/wisp -> digest one closed bead that says what was done
//! burn    wisp -> nothing
//! bond    two of them -> one
//! ```
//!
//! A molecule is its beads and nothing else: whoever reads it after a crash, be it another agent, sees the same next
//! step. The root (type `molecule`) has metadata `formula`, `proto` and, if it was poured for a bead, `for`. A step
//! is a child of the root (or of the step above it) with metadata `step` and `formula`; its `needs` are `blocks`
//! edges. A step's gate is a bead of type `gate` that blocks it; so is each gate rule's.

mod advance;
mod beads;
mod bond;
mod burn;
mod conditions;
mod digest;
mod distill;
mod error;
mod fan_out;
mod find;
mod held;
mod leave;
mod now;
mod pour;
mod pour_large;
mod proto;
mod rounds;
mod squash;
mod sweep;
mod turns;
mod view;
mod wisp;

pub use advance::{Advance, Advanced, Outside, Touches, Up, Worker, advance, close, close_step, finish, follow};
pub use bond::{Bond, BondType, Bonded, Partner, bond, bond_large};
pub use burn::{Burnt, burn, burn_all};
pub use distill::{distill, slug};
pub use error::MoleculeError;
pub use fan_out::fan_out_failures;
pub use find::{formula_of, is_molecule, is_step, only_if_of, root_of, roots_of, run_of, step_name};
pub use held::{CONDITION, holds};
pub use pour::{MOLECULE, PourOpts, Poured, check, pour, would_pour};
pub use pour_large::{pour_large, pour_large_with};
pub use proto::{Kept, freeze, freeze_into, keep_persistent, protos, thaw};
pub use squash::{Squashed, digest_of, may_squash, squash, squash_any};
pub use sweep::{SETTINGS as WISP_SETTINGS, sweep};
pub use view::{Progress, StepLine, StepState, current, lines, progress, steps};
pub use wisp::{Cleared, gc, gc_would, idle as idle_wisps, wisps};
