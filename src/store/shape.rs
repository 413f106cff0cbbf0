//! The shape of many beads that are filed together below one root: who is below whom, and what waits for what.
//!
//! All of them are new and open, so what filing them one by one would find out bead by bead (ids, counts of
//! children, who is held back) follows from the shape alone.

use std::fmt::Write as _;

use crate::base::BeadId;

/// Why a bead of a shape waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Until the other is closed.
    Blocks,
    /// Until all children of the other are closed.
    AllChildren,
    /// Until one child of the other is closed.
    AnyChild,
}

/// No parent but the root.
const ROOT: u32 = u32::MAX;

/// See the module. Flat, for it may describe a million beads.
#[derive(Debug, Default)]
pub struct Shape {
    parents: Vec<u32>,
    /// The last part of the id.
    numbers: Vec<u32>,
    children: Vec<u32>,
    /// Where the holds of each begin in `holds`; one entry more than there are beads.
    starts: Vec<u32>,
    holds: Vec<(Hold, u32)>,
    /// Active edges that start at each; known once the shape is sealed.
    blockers: Vec<u32>,
    /// Beads directly below the root.
    top: u32,
    /// The root waits for something, and so do those below it.
    root_is_held: bool,
    /// What each is called below the root; none where ids have numbers.
    names: Vec<String>,
}

impl Shape {
    /// An empty shape.
    pub fn new() -> Self {
        Self { starts: vec![0], ..Self::default() }
    }

    /// Adds a bead below `parent` (an index, or the root), which must have been added before. What it waits for may
    /// be added later. Gives its index.
    pub fn push(&mut self, parent: Option<usize>, holds: impl IntoIterator<Item = (Hold, usize)>) -> usize {
        let index = self.parents.len();
        let siblings = parent.map_or(&mut self.top, |parent| &mut self.children[parent]);
        *siblings += 1;
        let number = *siblings;
        self.parents.push(parent.map_or(ROOT, |p| p as u32));
        self.numbers.push(number);
        self.children.push(0);
        self.holds.extend(holds.into_iter().map(|(hold, to)| (hold, to as u32)));
        self.starts.push(self.holds.len() as u32);
        index
    }

    /// What the beads are called that were added last, in the place of numbers: all beads of a shape, or none.
    pub fn name(&mut self, names: impl IntoIterator<Item = String>) {
        self.names.extend(names);
    }

    /// Whether ids are names, which somebody else may have.
    pub(super) fn is_named(&self) -> bool {
        !self.names.is_empty()
    }

    /// Finds out who is held back, where the root is or is not. To be called once, when all are added.
    pub fn seal(&mut self, root_is_held: bool) {
        self.root_is_held = root_is_held;
        self.blockers = vec![0; self.parents.len()];
        // Parents come first: whether one is held back decides the edge of its children.
        for i in 0..self.parents.len() {
            let own = self.holds(i).filter(|(hold, to)| self.active(*hold, *to)).count() as u32;
            self.blockers[i] = own + u32::from(self.parent_holds(i));
        }
    }

    /// How many beads.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The id of a bead below `root`.
    pub fn id(&self, root: &BeadId, index: usize) -> Result<BeadId, crate::base::NameError> {
        if let Some(name) = self.names.get(index) {
            return BeadId::new(format!("{root}.{name}"));
        }
        let mut numbers = [0; 8];
        let (mut depth, mut at) = (0, index as u32);
        while at != ROOT && depth < numbers.len() {
            numbers[depth] = self.numbers[at as usize];
            depth += 1;
            at = self.parents[at as usize];
        }
        let mut text = root.to_string();
        for number in numbers[..depth].iter().rev() {
            let _ = write!(text, ".{number}");
        }
        BeadId::new(text)
    }

    pub(super) fn top(&self) -> u32 {
        self.top
    }

    pub(super) fn parent(&self, index: usize) -> Option<usize> {
        Some(self.parents[index]).filter(|p| *p != ROOT).map(|p| p as usize)
    }

    pub(super) fn children(&self, index: usize) -> u32 {
        self.children[index]
    }

    pub(super) fn blockers(&self, index: usize) -> u32 {
        self.blockers[index]
    }

    /// Whether the edge to the parent is active.
    pub(super) fn parent_holds(&self, index: usize) -> bool {
        self.parent(index).map_or(self.root_is_held, |p| self.blockers[p] > 0)
    }

    pub(super) fn holds(&self, index: usize) -> impl Iterator<Item = (Hold, usize)> + '_ {
        let range = self.starts[index] as usize..self.starts[index + 1] as usize;
        self.holds[range].iter().map(|(hold, to)| (*hold, *to as usize))
    }

    /// Whether a hold holds: everything is open, and a bead without children has none to wait for.
    pub(super) fn active(&self, hold: Hold, to: usize) -> bool {
        hold != Hold::AllChildren || self.children[to] > 0
    }
}
