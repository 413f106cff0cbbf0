//! What the ledger is good for: the history of a bead, and a database made anew.

use super::Repo;

#[test]
fn the_history_of_a_bead_names_who_did_what_when() {
    let repo = Repo::new();
    let id = repo.add("first", &[]);
    repo.add("another", &[]);
    repo.bd(&["--actor", "ada", "update", &id, "-p", "0"]).ok();
    repo.bd(&["--actor", "bob", "close", &id, "-r", "built"]).ok();
    let all = repo.bd(&["history", &id, "--full", "--json"]).json();
    let told: Vec<(&str, &str)> = all
        .as_array()
        .expect("array")
        .iter()
        .map(|e| (e["actor"].as_str().expect("actor"), e["summary"].as_str().expect("summary")))
        .collect();
    assert_eq!(
        told,
        [("Test Person", "created: first"), ("ada", "updated priority"), ("bob", "closed: built")],
        "{all}"
    );
    assert_eq!((&all[0]["bead"]["priority"], &all[1]["bead"]["priority"]), (&2.into(), &0.into()));
    let text = repo.bd(&["history", &id, "-n", "1"]).ok();
    assert!(text.ends_with("bob  closed: built") && text.lines().count() == 1, "{text}");
    assert_eq!(repo.bd(&["history", "app-nope"]).code, 4);
}

#[test]
fn a_history_that_may_record_nothing_says_what_waits() {
    let repo = Repo::new();
    let id = repo.add("a", &[]);
    let look = |id: &str| repo.bd(&["history", id, "--readonly"]);
    let ran = look(&id);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("1 transition has still to be recorded"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("`bd history {id}` without --readonly")), "{}", ran.stderr);
    assert!(!ran.stderr.contains("wisps"), "{}", ran.stderr);
    repo.bd(&["history", &id]).ok();
    repo.add("another", &[]);
    let ran = look(&id);
    assert!(ran.stdout.contains("created: a") && ran.stderr.is_empty(), "{} {}", ran.stdout, ran.stderr);
    repo.bd(&["update", &id, "-p", "0"]).ok();
    repo.bd(&["close", &id]).ok();
    let ran = look(&id);
    assert!(ran.stdout.contains("created: a"), "{}", ran.stdout);
    assert!(ran.stderr.contains("2 transitions have still to be recorded"), "{}", ran.stderr);
    let wisp = repo.add("w", &["--ephemeral"]);
    assert!(look(&wisp).stderr.contains("wisps never go there"));
}

#[test]
fn a_lost_database_is_made_anew_from_the_ledger() {
    let repo = Repo::new();
    let a = repo.add("keep me", &["-l", "red"]);
    let b = repo.add("after it", &["--deps", &a]);
    repo.bd(&["comments", "add", &a, "said"]).ok();
    let before = repo.bd(&["show", &a, &b, "--json"]).json();
    repo.bd(&["history", &a]).ok();
    assert_eq!(repo.bd(&["restore"]).code, 5, "a database that is there is not replaced");
    let beads = repo.dir.join(".beads");
    for file in std::fs::read_dir(&beads).expect("list").flatten() {
        if file.file_name().to_string_lossy().starts_with("beads.db") {
            std::fs::remove_file(file.path()).expect("remove");
        }
    }
    assert_eq!(repo.bd(&["list"]).code, 4);
    let done = repo.bd(&["restore", "--json"]).json();
    assert_eq!((&done["beads"], &done["prefix"]), (&2.into(), &"app".into()));
    assert_eq!(repo.bd(&["show", &a, &b, "--json"]).json(), before);
    assert_eq!(repo.titles(&["ready"]), ["keep me"]);
}

/// A second clone of the same tracker, and a bare repository between the two.
fn with_remote() -> (Repo, std::path::PathBuf, String) {
    let repo = Repo::new();
    let other = repo.sandbox.folder("other");
    repo.sandbox.git(&other, &["init", "-q"]).ok();
    repo.sandbox.bd(&other, &["init", "--prefix", "app"]).ok();
    repo.sandbox.git(repo.sandbox.path(), &["init", "-q", "--bare", "beads.git"]).ok();
    let url = repo.sandbox.path().join("beads.git").display().to_string();
    (repo, other, url)
}

#[test]
fn beads_go_to_and_come_from_the_remote_that_was_named() {
    let (repo, other, url) = with_remote();
    let id = repo.add("from the first", &[]);
    let refused = repo.bd(&["sync"]);
    assert_eq!(refused.code, 5);
    assert!(refused.fails().contains("bd config set sync.remote URL"));
    repo.sandbox.git(&repo.dir, &["remote", "add", "origin", &url]).ok();
    assert_eq!(repo.bd(&["sync"]).code, 5, "a remote is never guessed");
    assert_eq!(repo.bd(&["sync", "--remote", "nope"]).code, 4);
    let would = repo.bd(&["sync", "--remote", "origin", "--dry-run", "--json"]).json();
    assert_eq!((&would["sent"], &would["received"]), (&1.into(), &0.into()));
    assert_eq!(repo.sandbox.git(&other, &["ls-remote", &url]).ok(), "");
    repo.bd(&["config", "set", "sync.remote", "../beads.git"]).ok();
    let sent = repo.bd(&["sync", "--json"]).json();
    assert_eq!(sent["sent"], 1);
    // A path that is typed is meant from here, and that of the setting from where the tracker is.
    let below = repo.sandbox.folder("app/sub/folder");
    assert_eq!(
        repo.sandbox.bd(&below, &["sync", "--remote", "../../../beads.git"]).ok(),
        "✓ received 0 beads, sent 0 transitions"
    );
    assert_eq!(repo.sandbox.bd(&below, &["sync"]).ok(), "✓ received 0 beads, sent 0 transitions");
    let got = repo.sandbox.bd(&other, &["sync", "--remote", &url]).ok();
    assert_eq!(got, "✓ received 1 bead, sent 0 transitions");
    repo.sandbox.bd(&other, &["close", &id, "-r", "over there"]).ok();
    repo.sandbox.bd(&other, &["sync", "--remote", &url]).ok();
    repo.bd(&["sync"]).ok();
    assert_eq!(repo.bd(&["show", &id, "--json"]).json()[0]["close_reason"], "over there");
    let status = repo.bd(&["sync", "--status", "--json"]).json();
    assert_eq!(
        (&status["ahead"], &status["behind"], &status["unfinished"]),
        (&0.into(), &0.into(), &serde_json::Value::Null)
    );
    let history = repo.bd(&["history", &id, "--json"]).json();
    assert_eq!(history.as_array().map(Vec::len), Some(2), "{history}");
}

#[test]
fn a_remote_over_ssh_is_reached_through_the_git_program() {
    let (repo, other, url) = with_remote();
    let ssh = repo.sandbox.path().join("ssh");
    // Stands for ssh: runs the command that it was to run on the host, here.
    std::fs::write(&ssh, "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c \"$1\"\n").expect("write");
    repo.sandbox.run("chmod", &other, &["+x", &ssh.display().to_string()]).ok();
    let address = format!("someone@example.org:{url}");
    let sync = |dir: &std::path::Path| {
        let mut command = repo.sandbox.command(env!("CARGO_BIN_EXE_bd"), dir);
        command.env("GIT_SSH", &ssh).env("GIT_SSH_VARIANT", "simple").args(["sync", "--remote", &address]);
        crate::support::finish(command, "bd sync".into()).ok()
    };
    repo.add("over ssh", &[]);
    assert_eq!(sync(&repo.dir), "✓ received 0 beads, sent 1 transition");
    assert_eq!(sync(&other), "✓ received 1 bead, sent 0 transitions");
}

#[test]
fn a_remote_that_cannot_be_reached_or_refuses_is_an_error_and_nothing_is_lost() {
    let (repo, _, url) = with_remote();
    let id = repo.add("stays", &[]);
    let nowhere = repo.bd(&["sync", "--remote", "/nowhere/at/all.git"]);
    assert_eq!(nowhere.code, 4, "{}", nowhere.stderr);
    let hook = std::path::Path::new(&url).join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().expect("folder")).expect("folder");
    std::fs::write(&hook, "#!/bin/sh\necho no entry >&2\nexit 1\n").expect("write");
    repo.sandbox.run("chmod", &repo.dir, &["+x", &hook.display().to_string()]).ok();
    let refused = repo.bd(&["sync", "--remote", &url]).fails();
    assert!(refused.contains("did not take the ledger") && refused.contains("hint:"), "{refused}");
    let status = repo.bd(&["sync", "--status", "--json"]).json();
    assert!(status["unfinished"].is_string(), "{status}");
    std::fs::remove_file(hook).expect("remove");
    assert_eq!(repo.bd(&["sync", "--remote", &url, "--json"]).json()["sent"], 1);
    assert_eq!(repo.bd(&["show", &id, "--json"]).json()[0]["title"], "stays");
}

#[test]
fn clones_that_push_at_once_all_get_through() {
    let (repo, _, url) = with_remote();
    let clones: Vec<std::path::PathBuf> = (0..4)
        .map(|n| {
            let dir = repo.sandbox.folder(&format!("clone{n}"));
            repo.sandbox.bd(&dir, &["init", "--prefix", "app"]).ok();
            dir
        })
        .collect();
    let bd = env!("CARGO_BIN_EXE_bd");
    let script =
        format!("for i in 1 2 3; do '{bd}' create \"$PWD $i\" -q && '{bd}' sync --remote '{url}' || exit 1; done");
    let children: Vec<_> = clones
        .iter()
        .map(|dir| {
            let mut command = repo.sandbox.command("sh", dir);
            command.args(["-c", &script]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().expect("sh")
        })
        .collect();
    for child in children {
        let out = child.wait_with_output().expect("wait");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    assert_eq!(repo.bd(&["sync", "--remote", &url, "--json"]).json()["received"], 12);
}

#[test]
fn a_doctor_does_not_wait_for_a_long_list_to_be_recorded() {
    let repo = Repo::new();
    // What files them records some, as many as a moment lasts for; of these there are more left than a doctor waits for.
    let list: String = (0..6_000).map(|n| format!("## step {n}\n\n")).collect();
    std::fs::write(repo.dir.join("list.md"), list).expect("written");
    repo.bd(&["create", "--file", "list.md", "-q"]).ok();
    let found = repo.bd(&["doctor", "--json"]).json()["findings"].clone();
    let what = found[0]["what"].as_str().unwrap_or_default();
    assert!(what.contains("transitions are still to be recorded") && found[0]["grave"] == false, "{found}");
    // A ledger that takes none of them is begun anew.
    std::fs::write(repo.dir.join(".beads/ledger.git/refs/heads/beads/app"), "").expect("spoil");
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
}
