//! What the daemon does, and does not do, about workers: feeding, restarting, ending.

use std::path::PathBuf;
use std::time::Duration;

use gastown::base::process::ProcId;
use gastown::base::{Address, BeadId};
use gastown::daemon::{client, lock};
use gastown::town::{AgentRow, AgentState, agent};

use super::{TestTown, write};
use crate::support::eventually;

impl TestTown {
    /// Puts a key at the beginning of the rig's configuration.
    fn configure(&self, line: &str) {
        let path = self.root.join("app/rig.toml");
        let text = std::fs::read_to_string(&path).expect("rig.toml");
        write(&path, &format!("{line}\n{text}"));
    }

    /// Lets the daemon look at everything; it has when this returns.
    fn look(&self) {
        let ask = || client::ask(&self.root, &client::Request::Wake, Duration::from_secs(30)).ok();
        let reply = eventually("the daemon to listen", ask);
        assert_eq!(reply, client::Reply::Ok);
    }

    fn row(&self, worker: &str) -> AgentRow {
        let address: Address = format!("app/polecats/{worker}").parse().expect("an address");
        self.store().read(|r| agent::get(r, &address)).expect("read").expect("a row")
    }

    /// What was decided about a bead and became of it.
    fn outcomes(&self, bead: &str) -> Vec<String> {
        let id = BeadId::new(bead).expect("id");
        let rows = self.store().read(|r| r.decisions(id.as_str())).expect("read");
        rows.into_iter().map(|row| row.outcome).collect()
    }

    /// From now on whatever talks to the rig's remote hangs. Gives the file in which it leaves its process id.
    fn hang_the_remote(&self) -> PathBuf {
        let pid = self.sandbox.path().join("ssh.pid");
        let ssh = self.sandbox.path().join("ssh");
        write(&ssh, &format!("#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}\nexec sleep 100000\n", pid.display()));
        self.sandbox.run("chmod", self.sandbox.path(), &["+x", "ssh"]).ok();
        let repo = self.root.join("app/.repo.git");
        self.sandbox.git(&repo, &["config", "core.sshCommand", &ssh.display().to_string()]).ok();
        self.move_remote("ssh://nobody@nowhere/x.git");
        pid
    }
}

/// The living process of this number.
fn process(pid: &str) -> Option<ProcId> {
    ProcId::of(pid.trim().parse().expect("a number"))
}

#[test]
fn a_rig_without_a_free_place_prepares_no_sling_and_says_so_once() {
    let town = TestTown::new();
    town.configure("workers = 1");
    let beads: Vec<String> = (0..12).map(|n| town.bead(&format!("bead {n}"))).collect();
    let mut args = vec!["convoy", "create", "Many"];
    args.extend(beads.iter().map(String::as_str));
    town.gt(&args).ok();
    town.sling(&beads[0]);
    // Whoever prepares a sling now is told that there is no such formula.
    town.configure("formula = \"no-such-formula\"");
    town.gt(&["start"]).ok();
    for _ in 0..3 {
        town.look();
    }
    for bead in &beads[1..] {
        assert_eq!(town.outcomes(bead), ["refused: all 1 worker of rig app are busy"], "{bead}");
    }
    // A look that finds nothing new writes nothing; what the ledger takes meanwhile is no look's.
    let store = town.store();
    let drained = || store.read(|r| r.outbox(0, 1)).expect("read").is_empty().then_some(());
    eventually("the ledger to have it all", drained);
    let before = store.data_version().expect("read");
    town.look();
    assert_eq!(store.data_version().expect("read"), before);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_worker_that_died_keeps_its_place_for_when_it_comes_back() {
    let town = TestTown::new();
    town.configure("workers = 1");
    let (a, b) = (town.bead("a"), town.bead("b"));
    town.sling(&a);
    let row = AgentRow { state: AgentState::Dead, ..town.row("toast") };
    let by = gastown::store::Stamp::new("test", gastown::base::Time::from_millis(0));
    town.store().write(&by, |w| agent::put(w, &row)).expect("written");
    let plan = town.gt(&["sling", &b, "app", "-n"]).ok();
    assert!(plan.contains("all 1 worker of rig app are busy"), "{plan}");
}

#[test]
fn a_fetch_that_hangs_ends_with_the_town() {
    let town = TestTown::new();
    let (a, b) = (town.bead("a"), town.bead("b"));
    town.gt(&["convoy", "create", "C", &a, &b]).ok();
    town.sling(&a);
    let pid = town.hang_the_remote();
    town.gt(&["start"]).ok();
    let ssh = eventually("the daemon's fetch", || std::fs::read_to_string(&pid).ok());
    assert!(process(&ssh).is_some());
    let proof = town.gt(&["shutdown", "--json"]).json();
    assert_eq!((&proof["left"], &proof["trouble"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!(process(&ssh), None, "it has outlived the town");
}

#[test]
fn a_worker_that_comes_back_to_its_worktree_asks_no_remote_and_keeps_its_base() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let base = town.row("toast").base_commit.expect("a base");
    town.commit("toast", "mine.txt", "x\n");
    // The target moves on, and a fetch would notice.
    let seed = town.sandbox.path().join("seed-remote.git");
    town.sandbox.git(&seed, &["commit", "-q", "--allow-empty", "-m", "second"]).ok();
    town.sandbox.git(&seed, &["push", "-q", &town.remote.display().to_string(), "HEAD:main"]).ok();
    let repo = town.root.join("app/.repo.git");
    let refs = || town.sandbox.git(&repo, &["for-each-ref", "--format=%(objectname) %(refname)", "refs/remotes"]).ok();
    let before = refs();
    town.gt(&["shutdown"]).ok();
    town.gt(&["start"]).ok();
    eventually("the worker is back", || (town.agents()[0]["running"] == true).then_some(()));
    assert_eq!(town.row("toast").base_commit.as_deref(), Some(base.as_str()));
    assert_eq!(refs(), before);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_row_that_cannot_be_read_stops_nobody_else_and_is_mended_by_the_command_that_status_names() {
    let town = TestTown::new();
    let (a, b, c) = (town.bead("a"), town.bead("b"), town.bead("c"));
    town.gt(&["convoy", "create", "C", &a, &b, &c]).ok();
    town.bd(&["dep", "add", &c, &b]).ok();
    town.sling(&a);
    town.gt(&["start"]).ok();
    eventually("b to be slung", || (town.agents().len() == 2).then_some(()));
    let daemon = town.gt(&["status", "--json"]).json()["daemon"].clone();
    let by = gastown::store::Stamp::new("test", gastown::base::Time::from_millis(0));
    town.store()
        .write(&by, |w| {
            w.put_local("agent", "app/polecats/toast", &serde_json::json!({ "state": "unheard of" }))?;
            w.put_local("intent", "app/polecats/ghost", &serde_json::json!(7))
        })
        .expect("written");
    town.look();
    // The others go on: what b holds back is slung when b is done.
    town.bd(&["close", &b]).ok();
    eventually("c to be slung", || (town.status_of(&c) != "open").then_some(()));
    let status = town.gt(&["status", "--json"]).json();
    assert_eq!(status["daemon"], daemon, "it has not died of it");
    let warnings: Vec<&str> = status["warnings"].as_array().expect("list").iter().filter_map(|w| w.as_str()).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("agent row of app/polecats/toast cannot be read"), "{warnings:?}");
    assert!(warnings[0].ends_with(": gt polecat mend app/polecats/toast"), "{warnings:?}");
    assert!(warnings[1].ends_with(": gt polecat mend app/polecats/ghost"), "{warnings:?}");

    town.gt(&["polecat", "mend", "app/polecats/ghost"]).ok();
    town.gt(&["polecat", "mend", "app/polecats/toast"]).ok();
    eventually("toast is back", || {
        let row = town.row("toast");
        (row.state == AgentState::Working && row.proc.is_some_and(|p| p.alive())).then_some(())
    });
    assert_eq!(town.row("toast").branch, Some(format!("gt/toast/{a}")));
    assert_eq!(town.gt(&["status", "--json"]).json()["warnings"], serde_json::json!([]));
    let again = town.gt(&["polecat", "mend", "app/polecats/toast"]).fails();
    assert!(again.contains("every row of app/polecats/toast can be read"), "{again}");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_daemon_that_died_too_often_waits_for_a_persons_word_whoever_supervises_it() {
    let town = TestTown::new();
    town.gt(&["start"]).ok();
    let daemon = || town.gt(&["status", "--json"]).json()["daemon"].as_i64();
    let first = daemon().expect("a daemon");
    // Ten deaths that an earlier supervisor has counted.
    let now = gastown::base::Clock::now(&gastown::base::SystemClock).millis();
    let deaths: Vec<i64> = (0..10).map(|n| now - 1000 + n).collect();
    write(&town.root.join(".runtime/restarts.json"), &serde_json::json!({ "deaths": deaths }).to_string());
    town.sandbox.run("kill", &town.root, &["-9", &first.to_string()]).ok();
    eventually("its supervisor to give up", || lock::supervisor(&town.root).is_none().then_some(()));
    assert_eq!(daemon(), None);
    let status = town.gt(&["status"]).ok();
    assert!(status.contains("off: the daemon died too often and is not started again by itself"), "{status}");
    assert!(status.contains("then: gt start"), "{status}");
    // No other command is that word.
    let bead = town.bead("x");
    town.sling(&bead);
    assert_eq!((daemon(), lock::supervisor(&town.root)), (None, None));
    town.gt(&["start"]).ok();
    assert!(daemon().is_some());
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_person_who_starts_the_town_does_not_wait_for_a_supervisor_that_backs_off() {
    let town = TestTown::new();
    town.gt(&["start"]).ok();
    let daemon = || town.gt(&["status", "--json"]).json()["daemon"].as_i64();
    let first = daemon().expect("a daemon");
    // After the next death its supervisor waits for more than twenty seconds.
    let now = gastown::base::Clock::now(&gastown::base::SystemClock).millis();
    let deaths: Vec<i64> = (0..9).map(|n| now - 1000 + n).collect();
    let budget = town.root.join(".runtime/restarts.json");
    write(&budget, &serde_json::json!({ "deaths": deaths }).to_string());
    town.sandbox.run("kill", &town.root, &["-9", &first.to_string()]).ok();
    eventually("the death is counted", || {
        let text = std::fs::read_to_string(&budget).unwrap_or_default();
        let known: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        (known["deaths"].as_array()?.len() == 10).then_some(())
    });
    let supervisor = lock::supervisor(&town.root);
    town.gt(&["start"]).ok();
    assert!(daemon().is_some_and(|second| second != first));
    assert_eq!(lock::supervisor(&town.root), supervisor, "the one that waited has started it");
    town.gt(&["shutdown"]).ok();
}
