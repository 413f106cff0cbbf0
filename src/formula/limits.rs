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

impl Limits {
    /// The bounds as the settings of a tracker have them: `formula.max_steps`, `formula.max_depth`, `formula.max_bytes`
    /// and `formula.max_file_bytes`. What is no number changes nothing.
    pub fn of<'s>(settings: impl IntoIterator<Item = (&'s str, &'s str)>) -> Self {
        let mut limits = Self::default();
        for (key, value) in settings {
            let Ok(value) = value.parse::<u64>() else { continue };
            match key {
                "formula.max_steps" => limits.steps = value,
                "formula.max_depth" => limits.depth = usize::try_from(value).unwrap_or(usize::MAX),
                "formula.max_bytes" => limits.bytes = value,
                "formula.max_file_bytes" => limits.file_bytes = value,
                _ => {}
            }
        }
        limits
    }
}
