//! What waits in the merge queue goes on by itself when it can, and every screen says what it waits for.

use super::super::daemon::Hall;
use super::super::support::eventually;

#[test]
fn a_change_that_waits_for_a_red_target_lands_soon_after_somebody_mends_that() {
    let hall = Hall::new("command = \"test -f mended.txt\"");
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
    }
    // Somebody mends it on the remote; nobody tells the town.
    let (work, remote) = (hall.sandbox.path().join("work"), hall.sandbox.path().join("remote.git"));
    hall.sandbox.git(&work, &["checkout", "--quiet", "main"]).ok();
    std::fs::write(work.join("mended.txt"), "").expect("written");
    hall.sandbox.git(&work, &["add", "."]).ok();
    hall.sandbox.git(&work, &["commit", "--quiet", "-m", "mend it"]).ok();
    hall.sandbox.git(&work, &["push", "--quiet", remote.to_str().expect("text"), "main"]).ok();
    hall.wait_merged(&[mr]);
}
