//! Mistakes that can be seen in a policy file without running it.

pub(in crate::policy) mod tokens;

use super::diagnostic::Diagnostic;
use super::layer::LayerSource;

/// Everything wrong with a file that is in plain sight.
pub(in crate::policy) fn source(_source: &LayerSource) -> Vec<Diagnostic> {
    Vec::new()
}
