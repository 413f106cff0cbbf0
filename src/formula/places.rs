//! In which order folders are searched for formulas: one, for every command that looks for a formula.

use std::path::PathBuf;

use super::Layer;

/// The folders around whoever looks for a formula, as far as there are such.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The root of the git work tree that is worked in.
    pub work_tree: Option<PathBuf>,
    /// The tracker's folder, where that is no town's.
    pub tracker: Option<PathBuf>,
    /// The folder of the rig.
    pub rig: Option<PathBuf>,
    /// The root of the town.
    pub town: Option<PathBuf>,
    /// The person's home.
    pub home: Option<PathBuf>,
}

impl Places {
    /// Where their formulas are, nearest first.
    pub fn folders(&self) -> impl Iterator<Item = (Layer, PathBuf)> {
        let beads = |dir: &PathBuf| dir.join(".beads/formulas");
        // What a town keeps is the town's, under version control or not.
        let repository = self.work_tree.as_ref().filter(|root| self.town.as_ref() != Some(root)).map(beads);
        let formulas = |dir: &PathBuf| dir.join("formulas");
        [
            (Layer::Repository, repository),
            (Layer::Repository, self.tracker.as_ref().map(formulas)),
            (Layer::Rig, self.rig.as_ref().map(formulas)),
            (Layer::Town, self.town.as_ref().map(beads)),
            (Layer::Home, self.home.as_ref().map(beads)),
        ]
        .into_iter()
        .filter_map(|(layer, dir)| Some((layer, dir?)))
    }
}
