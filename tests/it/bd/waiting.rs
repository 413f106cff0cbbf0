//! Waiting for others has an end: for a lock that somebody holds, and for a remote that does not answer.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Repo;
use crate::support::{Sandbox, eventually, finish};

/// A lock of the tracker, held by this process.
fn held(repo: &Repo, name: &str) -> File {
    let file = File::options().create(true).truncate(false).write(true).open(repo.dir.join(".beads").join(name));
    let file = file.expect("the lock");
    file.lock().expect("locked");
    file
}

#[test]
fn whoever_waits_too_long_for_a_lock_hears_who_holds_it() {
    let repo = Repo::new();
    let id = repo.add("first", &[]);
    let waits: [(&str, &[&str]); 7] = [
        ("ledger.lock", &["history", &id]),
        ("write.lock", &["create", "second"]),
        ("write.lock", &["batch"]),
        ("write.lock", &["restore", "--force"]),
        ("pour.lock", &["restore", "--force"]),
        ("import.lock", &["import", "-"]),
        ("sync.lock", &["sync", "--remote", "./nowhere.git"]),
    ];
    for (lock, args) in waits {
        let mine = held(&repo, lock);
        let ran = repo.bd_reads(&[&["--lock-timeout", "100ms"], args].concat(), "close app-none\n");
        assert_eq!(ran.code, 6, "{lock} {args:?}: {}", ran.stderr);
        let said = ran.stderr;
        assert!(said.contains(lock) && said.contains("waited 100ms for"), "{lock} {args:?}: {said}");
        assert!(said.contains("hint: nothing was changed"), "{lock} {args:?}: {said}");
        if cfg!(target_os = "linux") {
            assert!(said.contains(&format!("process {} holds", std::process::id())), "{lock} {args:?}: {said}");
        }
        drop(mine);
    }
    assert_eq!(repo.titles(&["list"]), ["first"]);
    // Whoever cannot write can read.
    let _mine = held(&repo, "write.lock");
    repo.bd(&["--lock-timeout", "0s", "show", &id]).ok();
    repo.bd(&["--lock-timeout", "400d", "show", &id]).ok();
    assert_eq!(repo.bd(&["--lock-timeout", "soon", "list"]).code, 2);
}

#[test]
fn a_database_that_another_program_has_locked_is_not_called_damaged() {
    let repo = Repo::new();
    let other = rusqlite::Connection::open(repo.dir.join(".beads/beads.db")).expect("the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    let ran = repo.bd(&["--lock-timeout", "100ms", "create", "x"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("locked") && !ran.stderr.contains("restore"), "{}", ran.stderr);
}

/// A tracker whose remote is reached through an `ssh` that never answers; where that says its number.
fn stalled() -> (Repo, PathBuf) {
    let repo = Repo::new();
    repo.add("to be sent", &[]);
    let (ssh, started) = (repo.sandbox.path().join("ssh"), repo.sandbox.path().join("started"));
    let script = format!("#!/bin/sh\nsleep 1000 &\necho $! > {0}.new\nmv {0}.new {0}\nwait\n", started.display());
    std::fs::write(&ssh, script).expect("write");
    repo.sandbox.run("chmod", &repo.dir, &["+x", &ssh.display().to_string()]).ok();
    (repo, started)
}

fn sync(repo: &Repo) -> Command {
    let mut command = repo.sandbox.command(Sandbox::bin().join("bd"), &repo.dir);
    command.env("GIT_SSH", repo.sandbox.path().join("ssh")).env("GIT_SSH_VARIANT", "simple");
    command.args(["sync", "--remote", "someone@example.org:beads.git"]);
    command
}

/// The processes of the sandbox that git started, or what it started.
fn left(repo: &Repo) -> Vec<String> {
    let ours = |what: &String| what.contains("sleep 1000") || what.contains("git") || what.contains("/ssh");
    repo.sandbox.processes().into_iter().filter(ours).collect()
}

#[test]
fn a_remote_that_does_not_answer_is_given_up_with_all_that_was_started_for_it() {
    let (repo, started) = stalled();
    assert_eq!(repo.bd(&["config", "set", "sync.timeout", "never"]).code, 1);
    repo.bd(&["config", "set", "sync.timeout", "1s"]).ok();
    let ran = finish(sync(&repo), "bd sync".to_owned());
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("did not answer within 1s"), "{}", ran.stderr);
    assert!(ran.stderr.contains("bd config set sync.timeout"), "{}", ran.stderr);
    assert!(started.is_file(), "it was started");
    assert_eq!(left(&repo), Vec::<String>::new());
}

#[test]
fn a_sync_that_is_ended_takes_along_what_it_started() {
    let (repo, started) = stalled();
    let mut child = sync(&repo).stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("bd");
    eventually("the ssh of the sync", || started.is_file().then_some(()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    assert_eq!(child.wait().expect("ended").code(), Some(128 + 15));
    assert_eq!(left(&repo), Vec::<String>::new());
    // The next one ends what this one began.
    repo.sandbox.git(repo.sandbox.path(), &["init", "-q", "--bare", "beads.git"]).ok();
    let url = repo.sandbox.path().join("beads.git").display().to_string();
    assert_eq!(repo.bd(&["sync", "--remote", &url]).ok(), "✓ received 0 beads, sent 1 transition");
}
