//! Digests, as the `[squash]` of a formula wants them.

use std::path::{Path, PathBuf};

use gastown::formula::{Layer, Library, Mode, NoAspects, Options, Vars, compile};
use serde_json::Value;

use super::cooked;
use crate::support::Sandbox;

const STEPS: &str = "[[steps]]\nid = \"look\"\n[[steps]]\nid = \"tell\"\nneeds = [\"look\"]\n";

/// A repository with the formula `f`: two steps, and this `[squash]`.
fn repo(squash: &str) -> (Sandbox, PathBuf) {
    let (sandbox, repo) = super::molecules::repo();
    let folder = repo.join(".beads/formulas");
    std::fs::create_dir_all(&folder).expect("folder");
    let text = format!("formula = \"f\"\n[vars]\nwhere = \"here\"\n[squash]\n{squash}\n{STEPS}");
    std::fs::write(folder.join("f.formula.toml"), text).expect("written");
    (sandbox, repo)
}

/// Makes a molecule of it and closes both steps; gives the root.
fn worked(sandbox: &Sandbox, repo: &Path, how: &str) -> String {
    let root = sandbox.bd(repo, &["mol", how, "f", "-q"]).ok();
    for (step, reason) in [("1", "nothing is burning"), ("2", "told the owner")] {
        let id = format!("{root}.{step}");
        sandbox.bd(repo, &["update", &id, "--status", "in_progress", "--assignee", "nux"]).ok();
        sandbox.bd(repo, &["--actor", "nux", "close", &id, "--reason", reason]).ok();
    }
    root
}

fn digests(sandbox: &Sandbox, repo: &Path) -> Vec<Value> {
    let all = sandbox.bd(repo, &["list", "--all", "--label", "digest", "--json"]).json();
    all.as_array().expect("a list").clone()
}

fn text(digest: &Value) -> &str {
    digest["description"].as_str().expect("a text")
}

#[test]
fn the_last_step_makes_the_digest_where_the_formula_says_so() {
    let (sandbox, repo) = repo("trigger = \"on_complete\"\ntemplate_type = \"work\"\ninclude_metrics = true");
    let root = worked(&sandbox, &repo, "pour");
    let made = digests(&sandbox, &repo);
    assert_eq!(made.len(), 1, "{made:?}");
    let said = text(&made[0]);
    for part in ["**Completed**: 2/2", "*Outcome: told the owner*", "### Metrics", "- nux: 2 steps", "- elapsed: "] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!((&made[0]["status"], &made[0]["metadata"]["molecule"]), (&"closed".into(), &root.as_str().into()));
    let top = sandbox.bd(&repo, &["show", &root, "--json"]).json();
    assert_eq!(top[0]["metadata"]["digest"], made[0]["id"]);
    // Done again, it has one already.
    let last = format!("{root}.2");
    sandbox.bd(&repo, &["reopen", &last]).ok();
    sandbox.bd(&repo, &["close", &last, "--continue"]).ok();
    assert_eq!(digests(&sandbox, &repo).len(), 1);
}

#[test]
fn a_wisp_that_is_complete_has_its_digest_and_goes_later() {
    let (sandbox, repo) = repo("trigger = \"on_complete\"\ntemplate_type = \"summary\"");
    let root = sandbox.bd(&repo, &["mol", "wisp", "f", "-q"]).ok();
    sandbox.bd(&repo, &["close", &format!("{root}.1"), "--continue"]).ok();
    assert_eq!(digests(&sandbox, &repo), Vec::<Value>::new());
    let said = sandbox.bd(&repo, &["close", &format!("{root}.2"), "--continue"]).ok();
    assert!(said.contains("Digest: f"), "{said}");
    let made = digests(&sandbox, &repo);
    assert!(made.len() == 1 && !text(&made[0]).contains("### Steps"), "{made:?}");
    sandbox.bd(&repo, &["show", &root]).ok();
}

#[test]
fn a_digest_is_made_by_hand_from_the_text_of_the_formula_or_the_one_that_is_given() {
    let (sandbox, repo) =
        repo("template = \"{{formula}} {{where}}: {{completed}} of {{steps}}\\n{{outcomes}}{{unknown}}\"");
    let root = worked(&sandbox, &repo, "pour");
    assert_eq!(digests(&sandbox, &repo), Vec::<Value>::new(), "nobody asked for one");
    sandbox.bd(&repo, &["mol", "squash", &root]).ok();
    let said = text(&digests(&sandbox, &repo)[0]).to_owned();
    assert!(said.starts_with("f here: 2 of 2\n1. **[closed]** look\n   *Outcome: nothing is burning*\n"), "{said}");
    assert!(said.ends_with("{{unknown}}"), "{said}");
    let root = worked(&sandbox, &repo, "wisp");
    sandbox.bd(&repo, &["mol", "squash", &root, "--summary", "all is well"]).ok();
    assert!(digests(&sandbox, &repo).iter().any(|digest| text(digest) == "all is well"));
}

#[test]
fn what_squash_does_not_know_is_an_error_here_and_a_warning_elsewhere() {
    let formula = format!("formula = \"f\"\n[squash]\ntrigger = \"on_compleet\"\ntemplate_type = \"prose\"\n{STEPS}");
    let report = cooked(&formula).expect_err("wrong").render(false);
    assert!(report.contains("`trigger` cannot be `on_compleet`") && report.contains("on_complete"), "{report}");
    assert!(report.contains("`template_type` cannot be `prose`"), "{report}");
    let mut library = Library::empty();
    library.add(Layer::Repository, "f.formula.toml", &formula);
    let none = Vars::new();
    let options = Options { vars: &none, mode: Mode::Compile, aspects: &NoAspects };
    let cooked = compile(&library, "f", options).expect("cooks");
    assert_eq!(cooked.warnings.findings.len(), 2, "{}", cooked.warnings);
}

#[test]
fn a_digest_says_who_closed_the_steps_and_of_how_many_it_is_made() {
    let (sandbox, repo) = repo("include_metrics = true");
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q", "--assignee", "nux"]).ok();
    for step in ["1", "2"] {
        sandbox.bd(&repo, &["--actor", "ann", "close", &format!("{root}.{step}")]).ok();
    }
    sandbox.bd(&repo, &["mol", "squash", &root]).ok();
    let made = digests(&sandbox, &repo);
    assert!(text(&made[0]).contains("- ann: 2 steps") && !text(&made[0]).contains("nux"), "{}", text(&made[0]));
    assert_eq!(made[0]["close_reason"], "Squashed from 2 steps");
    let wisp = worked(&sandbox, &repo, "wisp");
    let digest = sandbox.bd(&repo, &["mol", "squash", &wisp, "--json"]).json()["digest_id"].clone();
    let shown = sandbox.bd(&repo, &["show", digest.as_str().expect("an id"), "--json"]).json();
    assert_eq!(shown[0]["close_reason"], "Squashed from 2 wisps");
}

#[test]
fn a_molecule_with_a_digest_gets_another_only_when_it_is_forced() {
    for squash in ["trigger = \"manual\"", "trigger = \"on_complete\""] {
        let (sandbox, repo) = repo(squash);
        let root = worked(&sandbox, &repo, "pour");
        if digests(&sandbox, &repo).is_empty() {
            sandbox.bd(&repo, &["mol", "squash", &root]).ok();
        }
        let first = digests(&sandbox, &repo)[0]["id"].as_str().expect("an id").to_owned();
        let refused = sandbox.bd(&repo, &["mol", "squash", &root]);
        assert_eq!(refused.code, 5, "{}", refused.stderr);
        assert!(refused.stderr.contains(&format!("its digest is {first}")), "{}", refused.stderr);
        sandbox.bd(&repo, &["mol", "squash", &root, "--force"]).ok();
        assert_eq!(digests(&sandbox, &repo).len(), 2);
    }
}

#[test]
fn whether_a_molecule_may_be_squashed_is_asked_where_it_is_done() {
    let (sandbox, repo) = repo("trigger = \"manual\"");
    let root = sandbox.bd(&repo, &["mol", "pour", "f", "-q"]).ok();
    let mut store = gastown::store::Store::open(&repo.join(".beads")).expect("opens");
    let id = gastown::base::BeadId::new(&root).expect("an id");
    let by = gastown::store::Stamp::new("tester", gastown::base::Time::from_millis(1_900_000_000_000));
    let mut squash = |force| gastown::molecule::squash_any(&mut store, &by, &id, None, false, force);
    let refused = squash(false).expect_err("unfinished");
    assert_eq!(refused.to_string(), format!("{root} is unfinished: 0 of 2 steps are closed"));
    assert_eq!(squash(true).expect("is forced").open, 2);
    assert!(matches!(squash(false), Err(gastown::molecule::MoleculeError::Squashed { .. })));
}
