//! What waits in the merge queue goes on by itself when it can, and every screen says what it waits for.

use super::super::daemon::Hall;
use super::super::support::eventually;

#[test]
fn a_change_that_waits_for_a_red_target_lands_soon_after_somebody_mends_that() {
    let hall = Hall::new("command = \"test -f mended.txt || { seq 1 9; exit 1; }\"");
    hall.gt(&["start"]);
    let mr = hall.file("a");
    let red = "fails on main itself";
    eventually("the change to wait", || hall.gt(&["status"]).contains(red).then_some(()));
    for command in [&["status"][..], &["queue"], &["review"], &["why", "app-mr-a"]] {
        let said = hall.gt(command);
        let line = said.lines().find(|line| line.contains(red)).unwrap_or_else(|| panic!("{command:?}: {said}"));
        for part in ["again when the target has moved, looked for every 15s, or in 2", "or now: gt queue retry"] {
            assert!(line.contains(part), "{command:?} does not say `{part}`: {line}");
        }
        let shows: Vec<&str> = said.lines().map(str::trim).filter(|line| line.len() == 1).collect();
        let last = if command == ["queue"] { &[][..] } else { &["5", "6", "7", "8", "9"] };
        assert_eq!(shows, last, "{command:?}: the end of what the gate printed: {said}");
        assert_eq!(said.contains("gt review output app-mr-a"), !last.is_empty(), "{said}");
    }
    assert_eq!(hall.gt(&["review", "output", "app-mr-a"]), "1\n2\n3\n4\n5\n6\n7\n8\n9");
    // Somebody mends it on the remote; nobody tells the town.
    let (work, remote) = (hall.sandbox.path().join("work"), hall.sandbox.path().join("remote.git"));
    hall.sandbox.git(&work, &["checkout", "--quiet", "main"]).ok();
    std::fs::write(work.join("mended.txt"), "").expect("written");
    hall.sandbox.git(&work, &["add", "."]).ok();
    hall.sandbox.git(&work, &["commit", "--quiet", "-m", "mend it"]).ok();
    hall.sandbox.git(&work, &["push", "--quiet", remote.to_str().expect("text"), "main"]).ok();
    hall.wait_merged(&[mr]);
    let over = hall.sandbox.gt(&hall.town(), &["review", "output", "app-mr-a"]).fails();
    assert!(over.contains("no gate that failed"), "{over}");
}

#[test]
fn a_gate_that_cannot_run_shows_what_it_printed_where_the_queue_waits() {
    let hall = Hall::new("command = \"echo the compiler is missing; exit 127\"");
    hall.gt(&["start"]);
    hall.file("a");
    let status = eventually("the queue to wait", || {
        Some(hall.gt(&["status"])).filter(|said| said.contains("queue waits: gate test: exit code 127"))
    });
    let after = status.split("queue waits:").nth(1).expect("the words of the queue");
    assert_eq!(after.lines().nth(1).map(str::trim), Some("the compiler is missing"), "{status}");
    for part in ["again in ", "or now: gt queue retry", "gt review output app-mr-a"] {
        assert!(after.contains(part), "{part}: {status}");
    }
}
