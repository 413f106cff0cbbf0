//! Patterns over step ids: `*`, `*.suffix`, `prefix.*`, `[ab]?`, exact.

/// A shell pattern. `*` and `?` cross dots but not `/`.
#[derive(Debug, Clone)]
pub struct Glob(globset::GlobMatcher);

impl Glob {
    /// Compiles a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        globset::GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map(|g| Self(g.compile_matcher()))
            .map_err(|e| e.kind().to_string())
    }

    /// Whether the id matches.
    pub fn matches(&self, id: &str) -> bool {
        self.0.is_match(id)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns_match_as_documented() {
        for (pattern, id, expected) in [
            ("*.implement", "shiny.implement", true),
            ("*.implement", "implement", false),
            ("shiny.*", "shiny", false),
            ("*.refine-*", "implement.refine-1", true),
            ("*", "anything.at.all", true),
            ("implement", "implement", true),
            ("[ab]?", "a1", true),
            ("*", "a/b", false),
        ] {
            assert_eq!(Glob::new(pattern).expect("a pattern").matches(id), expected, "{pattern} {id}");
        }
        assert!(Glob::new("[a").is_err());
    }
}
