//! Any two texts as ledger files: an error, or a merge that keeps its laws.
#![no_main]

use gastown::ledger::{canonical, merge};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (a, b) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(both) = merge(a, b) {
        assert_eq!(merge(b, a).as_ref(), Ok(&both));
        assert_eq!(canonical(&both).as_ref(), Ok(&both));
        assert_eq!(merge(&both, a).as_ref(), Ok(&both));
    }
});
