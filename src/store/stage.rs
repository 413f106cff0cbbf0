//! Bulk work: rows are staged under a batch that no query sees, and published at once; or gathered in one that all see,
//! and hidden at once.
//!
//! | state     | seen | then |
//! |-----------|------|------|
//! | staged    | no   | published, or discarded with all it holds |
//! | published | yes  | its rows are settled: merged into those of batch 0 |
//! | leaving   | yes  | hidden with all it holds; or published again, and settled |
//! | gone      | no   | discarded: wisps without a trace, of other beads the tombstones are seen again |

/// A batch of beads on their way in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Batch(pub(super) i64);
