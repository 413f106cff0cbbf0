//! Several at one molecule, and several molecules together: who goes on with what, and what waits for what.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Sandbox;

/// A repository with these formulas, name and text.
fn repo(formulas: &[(&str, &str)]) -> (Sandbox, PathBuf) {
    let (sandbox, repo) = super::molecules::repo();
    let folder = repo.join(".beads/formulas");
    std::fs::create_dir_all(&folder).expect("folder");
    for (name, steps) in formulas {
        let text = format!("formula = \"{name}\"\n{steps}");
        std::fs::write(folder.join(format!("{name}.formula.toml")), text).expect("written");
    }
    (sandbox, repo)
}

/// Closes a step as `who` and goes on; gives the step that is taken up.
fn goes_on(sandbox: &Sandbox, repo: &Path, who: &str, step: &str, more: &[&str]) -> Option<Value> {
    let args = [&["--actor", who, "close", step, "--continue", "--json"], more].concat();
    sandbox.bd(repo, &args).json()["continue"].get("next_step").cloned()
}

/// The id, status and assignee.
fn stands(bead: &Value) -> (&str, &str, &str) {
    let text = |key: &str| bead[key].as_str().unwrap_or_default();
    (text("id"), text("status"), text("assignee"))
}

fn shown(sandbox: &Sandbox, repo: &Path, id: &str) -> Value {
    sandbox.bd(repo, &["show", id, "--json"]).json()[0].clone()
}

const THREE: &str = "[[steps]]\nid = \"a\"\n[[steps]]\nid = \"b\"\n[[steps]]\nid = \"c\"\n";

#[test]
fn who_goes_on_takes_what_nobody_has_and_leaves_others_theirs() {
    let zoe = format!("{THREE}[[steps]]\nid = \"d\"\nassignee = \"zoe\"\n");
    let (sandbox, repo) = repo(&[("f", &zoe)]);
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
    let [a, b, c, d] = ["1", "2", "3", "4"].map(|n| format!("{root}.{n}"));
    sandbox.bd(&repo, &["--actor", "ann", "update", &a, "--claim"]).ok();
    sandbox.bd(&repo, &["--actor", "bob", "update", &b, "--claim"]).ok();
    let said = goes_on(&sandbox, &repo, "ann", &a, &["--no-auto"]).expect("a step");
    assert_eq!(stands(&said), (c.as_str(), "open", ""), "only said");
    // She asks again, as one that has lost the answer.
    let next = goes_on(&sandbox, &repo, "ann", &a, &[]).expect("a step");
    assert_eq!(stands(&next), (c.as_str(), "in_progress", "ann"));
    assert_eq!(stands(&shown(&sandbox, &repo, &b)), (b.as_str(), "in_progress", "bob"));
    assert_eq!(goes_on(&sandbox, &repo, "bob", &b, &[]), None, "the rest is ann's and zoe's");
    let again = goes_on(&sandbox, &repo, "ann", &a, &[]).expect("a step");
    assert_eq!(stands(&again), (c.as_str(), "in_progress", "ann"), "her own is taken up again");
    let last = goes_on(&sandbox, &repo, "zoe", &c, &[]).expect("a step");
    assert_eq!(stands(&last), (d.as_str(), "in_progress", "zoe"));
}

#[test]
fn workers_who_go_on_at_once_get_a_step_each() {
    let steps: String = (0..8).map(|n| format!("[[steps]]\nid = \"s{n}\"\n")).collect();
    let (sandbox, repo) = repo(&[("f", &steps)]);
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
    let next: Vec<Value> = std::thread::scope(|scope| {
        let one = |n: usize| {
            let (sandbox, repo, step) = (&sandbox, &repo, format!("{root}.{n}"));
            scope.spawn(move || goes_on(sandbox, repo, &format!("w{n}"), &step, &[]).expect("a step"))
        };
        let all: Vec<_> = (1..=4).map(one).collect();
        all.into_iter().map(|one| one.join().expect("closes")).collect()
    });
    let ids: std::collections::BTreeSet<_> = next.iter().map(|step| stands(step).0).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    for step in &next {
        let now = shown(&sandbox, &repo, stands(step).0);
        assert!(now["status"] == "closed" || stands(&now) == stands(step), "{now} is no longer {step}");
    }
}
