//! Any text as an id: refused, or safe as a file name and the same when it is printed and read.
#![no_main]

use gastown::base::{BeadId, Prefix};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(id) = BeadId::new(text) {
        assert_eq!(id.as_str(), text);
        assert!(!text.contains(['/', '\\', '\0', ' ']) && !text.contains("..") && !text.starts_with(['.', '-']));
        assert!(text.starts_with(id.prefix()));
        if let Some(parent) = id.parent() {
            assert!(text.starts_with(parent.as_str()) && parent.as_str().len() < text.len());
        }
    }
    if let Ok(prefix) = Prefix::new(text) {
        assert!(BeadId::new(format!("{prefix}-a1")).is_ok());
    }
});
