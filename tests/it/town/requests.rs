//! Merge requests that cannot be read stop nobody else, are told, and are mended by the command that is named.

use gastown::base::{Clock as _, SystemClock};
use gastown::store::{Patch, Stamp};
use serde_json::json;

use super::{TestTown, hints};
use crate::support::eventually;

#[test]
fn a_merge_request_that_cannot_be_read_is_told_and_its_bead_goes_on_from_what_was_handed_in() {
    let town = TestTown::new();
    let (a, b) = (town.bead("a"), town.bead("b"));
    town.sling(&a);
    town.commit("toast", "a.txt", "a\n");
    let (lost, commit) = town.hand_in("toast");
    town.sling(&b);
    town.commit("nux", "b.txt", "b\n");
    let (good, _) = town.hand_in("nux");
    let broken = Patch::default().with_meta("mr", json!({ "rig": "app", "bead": 7 }));
    town.store()
        .write(&Stamp::new("test", SystemClock.now()), |w| w.update(&lost, broken).map(|_| ()))
        .expect("written");

    town.gt(&["start"]).ok();
    // The other one goes through its gates and waits for a person.
    eventually("the other to be tested", || town.gt(&["review"]).ok().contains(&b).then_some(()));
    eventually("the other to wait for a word", || {
        let queues = town.gt(&["queue", "--json"]).json();
        let requests = queues[0]["requests"].as_array().cloned().unwrap_or_default();
        requests.iter().any(|r| r["id"] == good.as_str() && r["state"] == "held").then_some(())
    });
    let told = format!("the merge request {lost} cannot be read");
    let mend = format!("gt queue mend {lost}");
    let status = town.gt(&["status"]).ok();
    assert!(status.contains(&told) && status.contains(&mend), "{status}");
    let queue = town.gt(&["queue"]);
    assert!(queue.stderr.contains(&told) && queue.stderr.contains(&mend), "{}", queue.stderr);
    let refused = town.gt(&["review", "diff", &a]);
    assert!(hints(&refused.clone().fails())[0].ends_with(&mend), "{}", refused.stderr);

    let said = town.gt(&["queue", "mend", lost.as_str()]).ok();
    assert!(said.contains(&format!("{a} is open and goes on from {commit}")), "{said}");
    assert_eq!(town.gt(&["status", "--json"]).json()["warnings"], json!([]));
    assert_eq!(town.status_of(lost.as_str()), "closed");
    // Its convoy has begun, so the Witness gives it to a worker.
    eventually("another worker", || (town.status_of(&a) == "in_progress").then_some(()));
    let agents = town.agents();
    let next =
        agents.iter().find(|agent| agent["bead"] == a.as_str() && agent["state"] == "working").expect("a worker");
    let name = next["address"].as_str().and_then(|address| address.rsplit('/').next()).expect("a name");
    assert_eq!(town.sandbox.git(&town.worktree(name), &["rev-parse", "HEAD"]).ok(), commit);
    let again = town.gt(&["queue", "mend", lost.as_str()]).fails();
    assert!(again.contains("can be read, or is closed"), "{again}");
    assert!(town.gt(&["queue", "mend", good.as_str()]).fails().contains("can be read"));
    assert!(town.gt(&["queue", "mend", &b]).fails().contains("is no merge request"));
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_push_that_the_remote_refuses_is_told_once() {
    let town = TestTown::new();
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    super::write(&path, &text.replace("landing = \"hold\"", "landing = \"direct\""));
    let hook = town.remote.join("hooks/pre-receive");
    super::write(&hook, "#!/bin/sh\necho no pushes on Friday >&2\nexit 1\n");
    town.sandbox.run("chmod", &town.root, &["+x", &hook.display().to_string()]).ok();
    let beads = [town.bead("a"), town.bead("b")];
    for (bead, worker) in beads.iter().zip(["toast", "nux"]) {
        town.sling(bead);
        town.commit(worker, &format!("{worker}.txt"), "x\n");
        town.hand_in(worker);
    }
    town.gt(&["start"]).ok();
    let waits = || town.gt(&["status", "--json"]).json()["rigs"][0]["queue"]["waiting"].as_array().map_or(0, Vec::len);
    eventually("a request to wait", || (waits() > 0).then_some(()));
    let status = town.gt(&["status"]).ok();
    for told in ["pre-receive hook declined", "the remote refuses pushes to main", "the remote refused the push"] {
        assert_eq!(status.matches(told).count(), 1, "{told}: {status}");
    }
    // Whoever waits alone says when it is tried again; what else says so is about the others.
    let one_time = |said: &str| {
        let times: Vec<&str> = said.match_indices("or now: gt queue retry").map(|(at, _)| &said[..at]).collect();
        times.iter().filter(|said| !said.contains("(the others again in")).count() <= 1
    };
    let line = |said: &str, of: &str| said.lines().filter(|line| line.contains(of)).collect::<Vec<_>>().join("\n");
    let refused = eventually("all to wait alone", || {
        let status = town.gt(&["status"]).ok();
        (!status.contains("again in ")).then_some(status)
    });
    let again = "again when the target has moved";
    assert!(refused.contains(again) && one_time(&refused), "{refused}");
    for command in [&["queue"][..], &["review"], &["why", &beads[0]]] {
        let said = town.gt(command).ok();
        assert!(said.contains(again) && !line(&said, "refused the push").contains("again in "), "{command:?}: {said}");
    }
    town.gt(&["shutdown"]).ok();
}
