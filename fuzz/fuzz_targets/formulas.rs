//! Any text as a formula, in TOML and in JSON: refused with places that can be shown, or a protomolecule that is
//! the same each time and of which every step waits only for steps that are there.
#![no_main]

use gastown::formula::{Layer, Library, Limits, Vars, cook};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let limits = Limits { steps: 2_000, depth: 16, bytes: 1_000_000, file_bytes: 1_000_000 };
    for file in ["a.formula.toml", "a.formula.json"] {
        let mut library = Library::empty().with_limits(limits);
        library.add(Layer::Rig, file, text);
        match cook(&library, "a", &Vars::new()) {
            Ok(proto) => {
                assert!(proto.steps.len() as u64 <= limits.steps);
                for step in &proto.steps {
                    for need in &step.needs {
                        assert!(proto.step(need).is_some(), "{} needs {need}", step.id);
                    }
                }
                assert_eq!(cook(&library, "a", &Vars::new()).expect("as before").id, proto.id);
            }
            Err(report) => assert!(report.failed() && !report.render(false).is_empty()),
        }
    }
});
