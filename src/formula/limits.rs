//! How large a formula may become. Counted before anything is built.

/// Bounds on what one formula may ask for. Each is named in the error that it causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps after all expansions.
    pub steps: u64,
    /// Levels of nesting: children in children, loops in loops, expansions in expansions.
    pub depth: usize,
    /// Bytes of text that the steps may hold together.
    pub bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 2_000_000, depth: 64, bytes: 1_500_000_000, file_bytes: 16 * 1024 * 1024 }
    }
}
