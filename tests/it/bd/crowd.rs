//! Many processes at once, some of them killed: nothing acknowledged is lost, nothing is done twice.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use super::Repo;

fn spawn(repo: &Repo, script: &str) -> Child {
    let mut command = repo.sandbox.command("sh", &repo.dir);
    command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh")
}

#[test]
fn thirty_processes_writing_at_once_lose_nothing() {
    let repo = Repo::new();
    let bd = env!("CARGO_BIN_EXE_bd");
    let script = |n: usize| format!("for i in 1 2 3 4; do '{bd}' create \"p{n} $i\" -q || exit 1; done");
    let children: Vec<Child> = (0..30).map(|n| spawn(&repo, &script(n))).collect();
    let mut ids = HashSet::new();
    for child in children {
        let out = child.wait_with_output().expect("wait");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        for id in String::from_utf8(out.stdout).expect("text").lines() {
            assert!(ids.insert(id.to_owned()), "{id} was given twice");
        }
    }
    assert_eq!(ids.len(), 120);
    let listed = repo.bd(&["list", "-n", "0", "--json"]).json();
    let listed: HashSet<String> =
        listed.as_array().expect("array").iter().map(|b| b["id"].as_str().expect("id").to_owned()).collect();
    assert_eq!(listed, ids);
}

#[test]
fn a_database_that_is_made_anew_while_others_write_loses_nothing() {
    let repo = Repo::new();
    repo.add("first", &[]);
    let bd = env!("CARGO_BIN_EXE_bd");
    let writers: Vec<Child> = (0..4)
        .map(|n| spawn(&repo, &format!("for i in 1 2 3 4 5 6 7 8; do '{bd}' create \"w{n} $i\" -q || exit 1; done")))
        .collect();
    let import: String = (0..600)
        .map(|n| format!("{{\"id\":\"app-in{n}\",\"title\":\"came in\",\"status\":\"open\",\"priority\":2}}\n"))
        .collect();
    std::fs::write(repo.dir.join("in.jsonl"), import).expect("write");
    let importer = spawn(&repo, &format!("'{bd}' import in.jsonl --json"));
    for _ in 0..4 {
        repo.bd(&["restore", "--force"]).ok();
    }
    let mut acknowledged: HashSet<String> = (0..600).map(|n| format!("app-in{n}")).collect();
    let imported = importer.wait_with_output().expect("wait");
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    for child in writers {
        let out = child.wait_with_output().expect("wait");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        acknowledged.extend(String::from_utf8(out.stdout).expect("text").lines().map(str::to_owned));
    }
    let listed = repo.bd(&["list", "-n", "0", "--json"]).json();
    let listed: HashSet<String> =
        listed.as_array().expect("array").iter().map(|b| b["id"].as_str().expect("id").to_owned()).collect();
    let lost: Vec<_> = acknowledged.difference(&listed).collect();
    assert!(lost.is_empty() && listed.len() == acknowledged.len() + 1, "acknowledged and lost: {lost:?}");
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
}

#[test]
fn a_bead_is_claimed_once_whoever_races() {
    let repo = Repo::new();
    for n in 0..8 {
        repo.add(&format!("work {n}"), &["--id", &format!("app-w{n}")]);
    }
    let bd = env!("CARGO_BIN_EXE_bd");
    let script = |n: usize| {
        format!(
            "for i in 0 1 2 3 4 5 6 7; do '{bd}' --actor a{n} update app-w$i --claim >/dev/null 2>&1 && echo app-w$i; done; true"
        )
    };
    let children: Vec<Child> = (0..8).map(|n| spawn(&repo, &script(n))).collect();
    let mut won = Vec::new();
    for child in children {
        let out = child.wait_with_output().expect("wait");
        won.extend(String::from_utf8(out.stdout).expect("text").lines().map(str::to_owned));
    }
    won.sort();
    assert_eq!(won, (0..8).map(|n| format!("app-w{n}")).collect::<Vec<_>>());
}

#[test]
fn a_killed_writer_loses_no_acknowledged_write() {
    let repo = Repo::new();
    let bd = env!("CARGO_BIN_EXE_bd");
    let mut acknowledged = HashSet::new();
    for round in 0..6 {
        let script =
            format!("i=0; while :; do i=$((i+1)); exec 3>&1; '{bd}' create \"r{round} $i\" -q >&3 || exit 1; done");
        let mut command = repo.sandbox.command("setsid", &repo.dir);
        command.args(["sh", "-c", &script]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("sh");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        for _ in 0..3 + round {
            acknowledged.insert(lines.next().expect("an id").expect("text"));
        }
        // The whole group: the shell and whatever bd it has running at this moment.
        let group = format!("-{}", child.id());
        repo.sandbox.run("kill", &repo.dir, &["-9", "--", &group]).ok();
        child.wait().expect("wait");
        acknowledged.extend(lines.map_while(Result::ok).filter(|id| !id.is_empty()));
        let listed = repo.bd(&["list", "-n", "0", "--json"]).json();
        let listed: HashSet<String> =
            listed.as_array().expect("array").iter().map(|b| b["id"].as_str().expect("id").to_owned()).collect();
        let lost: Vec<&String> = acknowledged.difference(&listed).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
    assert_eq!(repo.bd(&["dep", "cycles", "--json"]).ok(), "[]");
}

#[test]
fn the_log_of_changes_stays_short_although_each_command_is_alone() {
    let repo = super::Repo::new();
    let log = repo.dir.join(".beads/beads.db-wal");
    let longest = (0..60)
        .map(|n| {
            repo.add(&format!("bead {n}"), &[]);
            std::fs::metadata(&log).map_or(0, |log| log.len())
        })
        .max();
    // One change more than half a megabyte at the most.
    assert!(longest.is_some_and(|longest| longest < 1024 * 1024), "{longest:?}");
}
