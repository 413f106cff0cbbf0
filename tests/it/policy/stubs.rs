//! The generated stubs, and the subset of Lua that the shipped files keep to.

use std::path::{Path, PathBuf};

use gastown::policy::{fact_names, facts, types};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_stub_that_is_checked_in_is_the_generated_one() {
    let path = root().join("lua/types/gt.lua");
    if std::env::var_os("UPDATE_STUBS").is_some() {
        std::fs::write(&path, types()).expect("writable");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == types(), "run `UPDATE_STUBS=1 cargo test --test it policy::stubs`, or `gt policy types`");
}

#[test]
fn every_kind_of_fact_is_listed() {
    for name in fact_names() {
        assert!(!facts(name).expect("known").is_empty(), "{name}");
    }
    assert_eq!(facts("nothing"), None);
    insta::assert_snapshot!(facts("worker").expect("known"), @r#"
    bead         Bead
    step         Step?                          nil where its work has no steps
    name         string
    address      string                         rig/polecats/name
    state        "working"|"silent"|"idle"|"waiting"|"limited"|"done"|"dead"|"unknown"
    silent_for   Span
    attached     boolean                        a person is looking at it
    dialog       string?                        the question on its screen that only a person may answer
    memory       table<string, any>
    "#);
}
