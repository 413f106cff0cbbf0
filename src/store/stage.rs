//! Bulk work: rows are staged under a batch that no query sees, and published at once.

/// A batch of staged beads: invisible until [`super::Write::publish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Batch(pub(super) i64);
