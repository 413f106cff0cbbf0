//! Gates hold beads back and let them go: by hand, by time, by another bead, and by what GitHub's program says.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::Repo;
use crate::support::eventually;

impl Repo {
    /// Makes a gate before `held`; gives its id.
    fn gate(&self, held: &str, more: &[&str]) -> String {
        self.bd(&[&["gate", "create", "--blocks", held, "-q"], more].concat()).ok()
    }

    /// Puts a `gh` on the PATH that prints what stands in the file `answer` beside it, and its arguments into `asked`.
    fn fake_gh(&self) -> std::path::PathBuf {
        let bin = self.sandbox.folder("gh-bin");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> '{0}/asked'\n[ -f '{0}/answer' ] || {{ echo 'no network' >&2; exit 4; }}\ncat '{0}/answer'\n",
            bin.display()
        );
        std::fs::write(bin.join("gh"), script).expect("gh");
        std::fs::set_permissions(bin.join("gh"), PermissionsExt::from_mode(0o755)).expect("mode");
        bin
    }

    fn check_with(&self, bin: &std::path::Path, answer: Option<&Value>) -> (i32, Value) {
        let file = bin.join("answer");
        match answer {
            Some(answer) => std::fs::write(&file, answer.to_string()).expect("answer"),
            None => _ = std::fs::remove_file(&file),
        }
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_bd"), &self.dir);
        command.args(["gate", "check", "--json"]);
        command.env("PATH", format!("{}:{}", bin.display(), crate::support::Sandbox::search_path()));
        let ran = crate::support::finish(command, "bd gate check".to_owned());
        (ran.code, serde_json::from_str(&ran.stdout).expect("json"))
    }
}

#[test]
fn a_gate_holds_until_somebody_opens_it() {
    let repo = Repo::new();
    let held = repo.add("held", &[]);
    let gate = repo.gate(&held, &["--title", "the lawyers"]);
    assert!(repo.titles(&["ready"]).is_empty());
    assert!(repo.titles(&["list"]).iter().all(|title| title == "held"), "gates are no work");
    let listed = repo.bd(&["gate", "list", "--json"]).json();
    assert_eq!(
        (&listed[0]["id"], &listed[0]["blocks"], &listed[0]["await_type"]),
        (&json!(gate), &json!([held]), &json!("human"))
    );
    assert_eq!(repo.bd(&["close", &held]).code, 5);
    let (code, checked) = repo.check_with(&repo.sandbox.folder("empty"), None);
    assert_eq!((code, &checked["pending"]), (0, &json!(1)), "nobody but a person opens it");
    let opened = repo.bd(&["gate", "resolve", &gate, "--reason", "signed", "--json"]).json();
    assert_eq!((&opened["closed"][0]["close_reason"], &opened["unblocked"][0]["id"]), (&json!("signed"), &json!(held)));
    assert_eq!(repo.titles(&["ready"]), ["held"]);
    assert_eq!(repo.bd(&["gate", "resolve", &gate]).code, 5);
    assert!(repo.bd(&["gate", "resolve", &held]).fails().contains("is no gate"));
    assert!(repo.titles(&["gate", "list"]).is_empty());
}

#[test]
fn a_timer_lets_go_by_itself_and_nobody_has_to_write() {
    let repo = Repo::new();
    let (held, other) = (repo.add("held", &[]), repo.add("other", &["-p", "4"]));
    let child = repo.add("child", &["--parent", &held]);
    repo.gate(&other, &["--type", "timer", "--timeout", "2h"]);
    let gate = repo.gate(&held, &["--type", "timer", "--timeout", "300ms"]);
    eventually("the timer lets go", || (repo.titles(&["ready"]) == ["held", "child"]).then_some(()));
    let shown = repo.bd(&["gate", "show", &gate, "--json"]).json();
    assert_eq!((&shown["status"], &shown["close_reason"]), (&json!("closed"), &json!("its time has come")));
    assert_eq!(
        repo.bd(&["gate", "list", "--json"]).json().as_array().map(Vec::len),
        Some(1),
        "the other one still holds"
    );
    assert!(repo.bd(&["show", &child, "--json"]).json()[0].get("closed_at").is_none());
    for wrong in
        [&["--type", "timer"][..], &["--type", "timer", "--timeout", "0s"], &["--type", "bead"], &["--timeout", "1h"]]
    {
        assert_eq!(repo.bd(&[&["gate", "create"], wrong].concat()).code, 1, "{wrong:?}");
    }
}

#[test]
fn a_gate_on_a_bead_opens_with_its_closing() {
    let repo = Repo::new();
    let (first, held, late) = (repo.add("first", &[]), repo.add("held", &[]), repo.add("late", &[]));
    repo.gate(&held, &["--type", "bead", "--await", &format!("rig:{first}")]);
    assert_eq!(repo.titles(&["ready"]), ["first", "late"]);
    let closed = repo.bd(&["close", &first, "--suggest-next", "--json"]).json();
    assert_eq!(closed["unblocked"][0]["id"], json!(held));
    assert_eq!(repo.titles(&["ready"]), ["held", "late"]);
    repo.gate(&late, &["--type", "bead", "--await", &first]);
    assert_eq!(repo.titles(&["ready"]), ["held", "late"], "what it waits for is over already");
    let gone = repo.add("gone", &[]);
    repo.gate(&late, &["--type", "bead", "--await", &gone]);
    repo.bd(&["delete", &gone, "--force"]).ok();
    let (_, checked) = repo.check_with(&repo.sandbox.folder("empty"), None);
    assert_eq!(
        (&checked["gates"][0]["outcome"], &checked["gates"][0]["reason"]),
        (&json!("escalated"), &json!(format!("{gone} was deleted")))
    );
    assert_eq!(repo.titles(&["ready"]), ["held"], "and it holds until a person has looked");
}

#[test]
fn a_run_that_succeeds_opens_its_gate_and_nothing_else_does() {
    let repo = Repo::new();
    let bin = repo.fake_gh();
    let held = repo.add("held", &[]);
    let gate = repo.gate(&held, &["--type", "gh:run", "--await", "77"]);
    let outcome = |answer: Option<Value>| {
        let (code, checked) = repo.check_with(&bin, answer.as_ref());
        (code, checked["gates"][0]["outcome"].as_str().expect("outcome").to_owned())
    };
    let said = |code: i32, word: &str| (code, word.to_owned());
    assert_eq!(outcome(None), said(6, "could-not-run"), "gh fails");
    assert_eq!(outcome(Some(json!([]))), said(6, "could-not-run"), "gh says something else");
    assert_eq!(outcome(Some(json!({ "status": "in_progress", "conclusion": "" }))), said(0, "pending"));
    for bad in ["failure", "cancelled", "skipped", "neutral", "new_word"] {
        assert_eq!(outcome(Some(json!({ "status": "completed", "conclusion": bad }))), said(0, "escalated"), "{bad}");
    }
    assert!(repo.titles(&["ready"]).is_empty(), "could not run is no pass");
    assert!(repo.bd(&["gate", "list"]).ok().contains("needs a person: the run ended with new_word"));
    assert_eq!(outcome(Some(json!({ "status": "completed", "conclusion": "success" }))), said(0, "resolved"));
    assert_eq!(repo.titles(&["ready"]), ["held"]);
    let asked = std::fs::read_to_string(bin.join("asked")).expect("asked");
    assert!(asked.lines().all(|line| line == "run view 77 --json status,conclusion"), "{asked}");
    assert_eq!(repo.bd(&["show", &gate, "--json"]).json()[0]["close_reason"], "the run succeeded");
}

#[test]
fn without_the_program_gh_no_gate_on_it_opens() {
    let repo = Repo::new();
    let held = repo.add("held", &[]);
    repo.gate(&held, &["--type", "gh:pr", "--await", "5"]);
    let mut command = repo.sandbox.command(env!("CARGO_BIN_EXE_bd"), &repo.dir);
    command.args(["gate", "check", "--json"]).env("PATH", repo.sandbox.folder("empty"));
    let ran = crate::support::finish(command, "bd gate check".to_owned());
    let checked: Value = serde_json::from_str(&ran.stdout).expect("json");
    assert_eq!((ran.code, &checked["could_not_run"]), (6, &json!(1)));
    assert!(checked["gates"][0]["reason"].as_str().expect("reason").contains("`gh` was not found"), "{checked}");
    assert!(repo.titles(&["ready"]).is_empty());
}

#[test]
fn a_pull_request_opens_its_gate_when_it_is_merged() {
    let repo = Repo::new();
    let bin = repo.fake_gh();
    let held = repo.add("held", &[]);
    repo.gate(&held, &["--type", "gh:pr", "--await", "#12"]);
    for (state, outcome) in
        [("OPEN", "pending"), ("CLOSED", "escalated"), ("WHO KNOWS", "could-not-run"), ("MERGED", "resolved")]
    {
        let (_, checked) = repo.check_with(&bin, Some(&json!({ "state": state })));
        assert_eq!(checked["gates"][0]["outcome"], outcome, "{state}");
    }
    assert_eq!(repo.titles(&["ready"]), ["held"]);
}

#[test]
fn a_workflow_means_its_first_run_that_began_after_the_gate() {
    let repo = Repo::new();
    let bin = repo.fake_gh();
    let held = repo.add("held", &[]);
    let gate = repo.gate(&held, &["--type", "gh:run", "--await", "release.yml"]);
    let run = |id: u64, at: &str, conclusion: &str| json!({ "databaseId": id, "createdAt": at, "status": "completed", "conclusion": conclusion });
    let old = run(1, "2020-01-01T00:00:00Z", "success");
    let (_, checked) = repo.check_with(&bin, Some(&json!([old])));
    assert_eq!(checked["gates"][0]["outcome"], "pending", "an old success is none");
    let new = json!({ "databaseId": 9, "createdAt": "2099-01-01T00:00:00Z", "status": "queued", "conclusion": "" });
    let (_, checked) = repo.check_with(&bin, Some(&json!([new, old])));
    assert_eq!((&checked["gates"][0]["outcome"], &checked["gates"][0]["await_id"]), (&json!("pending"), &json!("9")));
    assert_eq!(repo.bd(&["gate", "show", &gate, "--json"]).json()["await_id"], "9", "from now on that run is meant");
    let (_, checked) = repo.check_with(&bin, Some(&json!({ "status": "completed", "conclusion": "success" })));
    assert_eq!(checked["resolved"], 1);
    assert_eq!(repo.titles(&["ready"]), ["held"]);
}
