//! What can go wrong with a molecule.

use crate::base::BeadId;
use crate::store::StoreError;

/// Why something cannot be done to a molecule.
#[derive(Debug, thiserror::Error)]
pub enum MoleculeError {
    /// Variables without a value, in order of first use.
    #[error("missing required variables: {}", .0.join(", "))]
    MissingVars(Vec<String>),
    /// A value that the formula does not allow.
    #[error("`{value}` is no value of variable `{name}`: {reason}")]
    Value {
        /// The variable.
        name: String,
        /// What was given.
        value: String,
        /// Why not.
        reason: String,
    },
    /// Another value than the one that the protomolecule was cooked with.
    #[error("`{value}` is no value of variable `{name}`: it was cooked with `{with}`")]
    Fixed {
        /// The variable.
        name: String,
        /// What was given.
        value: String,
        /// What it has.
        with: String,
    },
    /// A molecule that would be a part of another and wait for its end.
    #[error("{part} would be a part of {whole} and wait for it: neither would end")]
    BothWays {
        /// The other.
        whole: BeadId,
        /// The molecule.
        part: BeadId,
    },
    /// More text than a molecule may hold.
    #[error("the steps of `{formula}` would hold more than {most} bytes of text with these values")]
    TooMuchText {
        /// The formula.
        formula: String,
        /// The bound.
        most: u64,
    },
    /// A formula that makes no steps, such as an aspect.
    #[error("formula `{formula}` is of type {kind} and has no steps to pour")]
    NoSteps {
        /// The formula.
        formula: String,
        /// Its type.
        kind: String,
    },
    /// A second molecule for one bead, while the first is open.
    #[error("{bead} has a molecule already: {molecule}")]
    HasMolecule {
        /// The bead.
        bead: BeadId,
        /// Its molecule.
        molecule: BeadId,
    },
    /// The bead is not the root of a molecule.
    #[error("{0} is not a molecule")]
    NotAMolecule(BeadId),
    /// The bead is not an open step of that molecule.
    #[error("{step} is not a step of molecule {root}")]
    NotAStep {
        /// The bead.
        step: BeadId,
        /// The molecule.
        root: BeadId,
    },
    /// The step is held back.
    #[error("step {step} waits for {}", .waits_for.join(", "))]
    Blocked {
        /// The step.
        step: BeadId,
        /// What it waits for.
        waits_for: Vec<String>,
    },
    /// Burning something that lasts.
    #[error("{0} is not a wisp; burning it leaves tombstones and no record of the work")]
    NotAWisp(BeadId),
    /// Somebody has taken up what was to go because nobody did.
    #[error("{0} was taken up meanwhile")]
    TakenUp(BeadId),
    /// A poured molecule that is squashed before its end.
    #[error("{root} is unfinished: {done} of {all} steps are closed")]
    Unfinished {
        /// The molecule.
        root: BeadId,
        /// How many of its steps are closed.
        done: usize,
        /// How many there are.
        all: usize,
    },
    /// There is no protomolecule of that name.
    #[error("there is no protomolecule `{0}`")]
    UnknownProto(String),
    /// A bond point that the molecule does not have.
    #[error("{root} has no bond point `{point}`")]
    UnknownBondPoint {
        /// The molecule.
        root: BeadId,
        /// The name that was given.
        point: String,
    },
    /// A conditional bond at a point where it is not one step that could fail.
    #[error("what is bonded at `{point}` runs if the step before it fails, and {before} needs {needs} steps")]
    NoCase {
        /// The bond point.
        point: String,
        /// The step that it stands before.
        before: BeadId,
        /// How many that one needs.
        needs: usize,
    },
    /// A molecule that has a digest.
    #[error("{root} was squashed already: its digest is {digest}")]
    Squashed {
        /// The molecule.
        root: BeadId,
        /// Its digest.
        digest: String,
    },
    /// An epic without anything to make steps of.
    #[error("{0} has nothing below it that could become a step")]
    NothingBelow(BeadId),
    /// A text that was to become a variable.
    #[error("`{text}` occurs nowhere in {of}")]
    NotFoundIn {
        /// The text.
        text: String,
        /// Where it was looked for.
        of: BeadId,
    },
    /// A proto that is kept already, with other content.
    #[error("proto {0} already exists")]
    ProtoExists(BeadId),
    /// A template that somebody deleted.
    #[error("{0} was deleted, and no deleted bead is written anew: other copies would delete it again")]
    Deleted(BeadId),
    /// A step whose id cannot be part of a bead's id.
    #[error(transparent)]
    Id(#[from] crate::base::NameError),
    /// What the store says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds under this name is not what we put there.
    #[error("protomolecule {0} in the store cannot be read: {1}")]
    Damaged(String, String),
}
