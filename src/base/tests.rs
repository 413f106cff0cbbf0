//! How long the random tests look.

use proptest::prelude::ProptestConfig;

/// `few` histories with every run, as many as `PROPTEST_CASES` says where it is set (`just deep`).
pub(crate) fn histories(few: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(few);
    ProptestConfig { cases, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() }
}
