//! `gt start`, `gt shutdown`, `gt status`, and what brings a town back.

use gastown::base::process::ProcId;

use super::TestTown;
use crate::support::{eventually, has};

fn daemon(town: &TestTown) -> Option<i64> {
    town.gt(&["status", "--json"]).json()["daemon"].as_i64()
}

#[test]
fn a_town_that_was_shut_down_has_no_process_left_and_keeps_its_work() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.gt(&["start"]).ok();
    town.gt(&["sling", &bead, "app"]).ok();
    let pid = town.agents()[0]["pid"].as_i64().expect("a process");
    std::fs::write(town.worktree("toast").join("loose.txt"), "x\n").expect("file");
    let proof = town.gt(&["shutdown", "--json"]).json();
    assert_eq!(proof["left"], serde_json::json!([]));
    assert_eq!(proof["uncommitted"], 1);
    assert_eq!(proof["stopped"], serde_json::json!(["app/polecats/toast"]));
    let pid = u32::try_from(pid).expect("a process id");
    assert!(ProcId::of(pid).is_none(), "the worker still runs (a zombie that init has yet to collect does not)");
    assert!(daemon(&town).is_none());
    assert_eq!(town.as_worker("toast", &["hook", "--field", "bead.id"]).ok(), bead, "the work stays on the hook");
    assert!(daemon(&town).is_none(), "a town that is down is not brought back by a command");

    town.gt(&["start"]).ok();
    eventually("the worker is back", || (town.agents()[0]["running"] == true).then_some(()));
    assert!(town.worktree("toast").join("loose.txt").is_file());
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_town_whose_database_is_damaged_or_gone_can_be_stopped_and_restored() {
    for damage in ["damaged", "gone"] {
        let town = TestTown::new();
        let bead = town.bead("x");
        town.gt(&["sling", &bead, "app"]).ok();
        town.bd(&["history", &bead]).ok();
        let pid = u32::try_from(town.agents()[0]["pid"].as_i64().expect("a process")).expect("a process id");
        let daemon = u32::try_from(daemon(&town).expect("a daemon")).expect("a process id");
        let database = town.root.join(".beads/beads.db");
        if damage == "gone" {
            std::fs::remove_file(&database).expect("removed");
        } else {
            std::fs::write(&database, "no database at all").expect("written");
        }
        let ran = town.gt(&["shutdown"]);
        assert!(ran.code != 0 && ran.stderr.contains("bd restore"), "{damage}: {}", ran.stderr);
        assert!(ran.stdout.contains("0 processes of this town left"), "{damage}: {}", ran.stdout);
        assert!(ProcId::of(pid).is_none() && ProcId::of(daemon).is_none(), "{damage}: it still runs");
        town.bd(&["restore", "--force"]).ok();
        assert_eq!(town.show(&bead)["title"], "x");
    }
}

#[test]
fn what_a_worker_showed_when_the_town_went_down_is_there_afterwards() {
    for host in ["headless", "tmux"] {
        if host == "tmux" && !has("tmux") {
            continue;
        }
        let town = TestTown::new();
        let path = town.root.join("town.toml");
        let text = std::fs::read_to_string(&path).expect("town.toml");
        std::fs::write(&path, text.replace("\"headless\"", &format!("\"{host}\""))).expect("town.toml");
        let text = "```sh\necho one of a kind\nsleep 100000\n```";
        let bead = town.bd(&["create", "x", "--rig", "app", "--description", text, "-q"]).ok();
        town.gt(&["sling", &bead, "app", "--runtime", "script"]).ok();
        assert_eq!(town.agents()[0]["host"], host);
        eventually("it works", || town.gt(&["peek", "toast"]).ok().contains("one of a kind").then_some(()));
        town.gt(&["shutdown"]).ok();
        for who in ["toast", bead.as_str()] {
            let seen = town.gt(&["peek", who]);
            assert!(seen.stderr.contains("has no running session; this was last on its screen"), "{}", seen.stderr);
            assert!(seen.stdout.contains("one of a kind"), "{host}, {who}: {seen:?}");
        }
    }
}

#[test]
fn the_next_command_brings_a_killed_daemon_back() {
    let town = TestTown::new();
    town.gt(&["start"]).ok();
    let first = daemon(&town).expect("a daemon");
    let parent = std::fs::read_to_string(format!("/proc/{first}/stat")).expect("stat");
    let parent = parent.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).expect("a parent").to_owned();
    town.sandbox.run("sh", &town.root, &["-c", &format!("kill -9 {parent} {first}")]).ok();
    let second = eventually("another daemon", || daemon(&town).filter(|pid| *pid != first));
    assert_ne!(first, second);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn status_says_what_is_off_and_what_that_means() {
    let town = TestTown::new();
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    std::fs::write(&path, format!("{text}\n[components]\nwitness = false\n")).expect("rig.toml");
    let status = town.gt(&["status"]).ok();
    assert!(status.contains("off: the town is down: nothing watches workers"), "{status}");
    assert!(status.contains("off: witness of app is off"), "{status}");
}
