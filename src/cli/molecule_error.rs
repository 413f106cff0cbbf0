//! How the errors of molecules are told to people.

use super::{CliError, Kind};
use crate::molecule::MoleculeError;

/// What is done with a formula of this type that has no steps to pour.
pub(super) fn instead_of_pouring(formula: &str, kind: &str) -> String {
    if kind == "convoy" {
        format!("its legs are beads of a convoy: gt formula run {formula}")
    } else {
        "name it in `extends`, `compose.aspects` or `expand` of a workflow".to_owned()
    }
}

impl From<MoleculeError> for CliError {
    fn from(error: MoleculeError) -> Self {
        let text = error.to_string();
        match error {
            MoleculeError::Store(error) => error.into(),
            MoleculeError::MissingVars(names) => {
                let flags: Vec<String> = names.iter().map(|n| format!("--var {n}=…")).collect();
                Self::user(text).hint(format!("give them: {}", flags.join(" ")))
            }
            MoleculeError::Value { name, .. } => Self::user(text).hint(format!("give another: --var {name}=…")),
            MoleculeError::Fixed { name, .. } => Self::user(text)
                .hint(format!("leave --var {name} out, or pour the formula in place of what was cooked")),
            MoleculeError::BothWays { whole, part } => Self::refused(text)
                .hint(format!("take the bond that is there away first: bd dep remove {part} {whole}")),
            MoleculeError::TooMuchText { .. } => {
                Self::user(text).hint("the limit is `formula.max_bytes`: bd config set formula.max_bytes BYTES")
            }
            MoleculeError::NoSteps { formula, kind } => Self::user(text).hint(instead_of_pouring(&formula, &kind)),
            MoleculeError::HasMolecule { molecule, .. } => Self::refused(text)
                .hint(format!("see how far it is: bd mol show {molecule}"))
                .hint(format!("to begin with another one: bd mol burn {molecule} --force")),
            MoleculeError::NotAMolecule(_) => Self::user(text).hint("`bd mol list` shows the molecules"),
            MoleculeError::NotAStep { root, .. } => {
                Self::user(text).hint(format!("`bd mol show {root}` shows its steps"))
            }
            MoleculeError::Blocked { step, .. } => {
                Self::refused(text).hint(format!("`bd show {step}` says what is open; --force closes it anyway"))
            }
            MoleculeError::NotAWisp(id) => {
                Self::refused(text).hint(format!("`bd mol squash {id}` keeps a record; --force burns it"))
            }
            MoleculeError::TakenUp(id) => Self::refused(text).hint(format!("see how far it is: bd mol show {id}")),
            MoleculeError::Unfinished { root, .. } => Self::refused(text)
                .hint(format!("see what is left: bd mol current {root}"))
                .hint(format!("record it as it is, its open steps stay open: bd mol squash {root} --force")),
            MoleculeError::UnknownProto(_) => Self::not_found(text).hint("`bd formula list` shows what can be cooked"),
            MoleculeError::UnknownBondPoint { root, .. } => {
                Self::not_found(text).hint(format!("`bd show {root} --json` lists metadata.bond_points"))
            }
            MoleculeError::NoCase { before, .. } => Self::refused(text)
                .hint("take a bond point with `after_step`, or another --type")
                .hint(format!("`bd show {before}` says what it needs")),
            MoleculeError::Squashed { root, digest } => Self::refused(text)
                .hint(format!("read it: bd show {digest}"))
                .hint(format!("make another: bd mol squash {root} --force")),
            MoleculeError::ProtoExists(_) => Self::refused(text).hint("--force replaces it"),
            MoleculeError::Deleted(_) => Self::refused(text)
                .hint("`bd cook FORMULA --persist --prefix PREFIX` writes the templates under other ids"),
            MoleculeError::NothingBelow(id) => Self::user(text).hint(format!("`bd show {id}` says what it holds")),
            MoleculeError::NotFoundIn { .. } => Self::user(text).hint("--var takes a text as it is written there"),
            MoleculeError::Id(_) => Self::user(text),
            MoleculeError::Damaged(..) => Self::new(Kind::Store, text),
        }
    }
}
