//! What waits goes on by itself when it can, and every screen says what it waits for, why, and where to see more.

use gastown::base::{BeadId, Clock as _, RigName, SystemClock};
use gastown::queue::{Request, State, wait};
use gastown::store::Stamp;

use super::TestTown;
use crate::daemon::Hall;
use crate::support::eventually;

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
    mend(&hall);
    hall.wait_merged(&[mr]);
    let over = hall.sandbox.gt(&hall.town(), &["review", "output", "app-mr-a"]).fails();
    assert!(over.contains("no gate that failed"), "{over}");
}

#[test]
fn what_lands_lands_at_the_address_that_rig_toml_names_now() {
    let hall = Hall::new("command = [\"true\"]");
    let at = |name: &str| hall.sandbox.path().join(name);
    let files = |repo: &str| hall.sandbox.git(&at(repo), &["ls-tree", "--name-only", "main"]).ok();
    let toml = |url: &str| {
        let text = format!("url = \"{url}\"\ntarget = \"main\"\nprefix = \"app\"\nlanding = \"direct\"\n");
        super::write(&hall.town().join("app/rig.toml"), &format!("{text}[gates.test]\ncommand = [\"true\"]\n"));
    };
    hall.gt(&["start"]);
    // It moved.
    std::fs::rename(at("remote.git"), at("moved.git")).expect("moved");
    let first = hall.file("a");
    eventually("the queue to wait", || hall.gt(&["status"]).contains("`url` in rig.toml").then_some(()));
    toml("../../moved.git");
    hall.wait_merged(&[first]);
    assert_eq!(files("moved.git"), "a.txt\nlines.txt");
    // It is to be another one.
    hall.sandbox.git(hall.sandbox.path(), &["clone", "--quiet", "--bare", "moved.git", "other.git"]).ok();
    toml(&at("other.git").display().to_string());
    let second = hall.file("b");
    hall.wait_merged(&[second]);
    assert_eq!(
        (files("moved.git").as_str(), files("other.git").as_str()),
        ("a.txt\nlines.txt", "a.txt\nb.txt\nlines.txt")
    );
}

#[test]
fn a_worker_begins_at_what_the_address_that_rig_toml_names_now_has() {
    let town = TestTown::new();
    let (path, was) = (town.root.join("app/rig.toml"), town.remote.display().to_string());
    let work = town.sandbox.folder("other");
    town.sandbox.git(&work, &["clone", "--quiet", &was, "."]).ok();
    super::write(&work.join("new.txt"), "new\n");
    town.sandbox.git(&work, &["add", "."]).ok();
    town.sandbox.git(&work, &["commit", "--quiet", "-m", "new"]).ok();
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    super::write(&path, &text.replace(&was, &work.display().to_string()));
    town.sling(&town.bead("a"));
    assert!(town.worktree("toast").join("new.txt").is_file());
}

/// Somebody mends the target on the remote; nobody tells the town.
fn mend(hall: &Hall) {
    let (work, remote) = (hall.sandbox.path().join("work"), hall.sandbox.path().join("remote.git"));
    hall.sandbox.git(&work, &["checkout", "--quiet", "main"]).ok();
    std::fs::write(work.join("mended.txt"), "").expect("written");
    hall.sandbox.git(&work, &["add", "."]).ok();
    hall.sandbox.git(&work, &["commit", "--quiet", "-m", "mend it"]).ok();
    hall.sandbox.git(&work, &["push", "--quiet", remote.to_str().expect("text"), "main"]).ok();
}

#[test]
fn a_gate_that_cannot_run_on_the_target_shows_what_it_printed_and_tries_another_target_soon() {
    let hall = Hall::new("command = \"test -f mended.txt || { echo the compiler is missing; exit 127; }\"");
    hall.gt(&["start"]);
    let mr = hall.file("a");
    let status = eventually("the queue to wait", || {
        Some(hall.gt(&["status"])).filter(|said| said.contains("queue waits: gate test: exit code 127"))
    });
    let after = status.split("queue waits:").nth(1).expect("the words of the queue");
    assert_eq!(after.lines().nth(1).map(str::trim), Some("the compiler is missing"), "{status}");
    for part in ["again when the target has moved", "or now: gt queue retry", "gt review output app-mr-a"] {
        assert!(after.contains(part), "{part}: {status}");
    }
    // However long it would wait by now: another target is tried soon.
    let (rig, by) = (RigName::new("app").expect("a name"), Stamp::new("test", SystemClock.now()));
    let pause = hall.store().read(|r| wait::pause(r, &rig)).expect("read").expect("a pause");
    let base = pause.base.as_deref().expect("it is about a target");
    for _ in 0..6 {
        hall.store().write(&by, |w| wait::pause_at(w, &rig, &pause.why, base).map(|_| ())).expect("written");
    }
    mend(&hall);
    hall.wait_merged(&[mr]);
}

#[test]
fn of_each_change_it_is_said_whether_it_goes_on_by_itself_or_waits_for_the_owners_word() {
    let town = TestTown::new();
    let path = town.root.join("app/rig.toml");
    let text = std::fs::read_to_string(&path).expect("rig.toml");
    let gate = "[gates.slow]\ncommand = \"until test -e $HOME/go; do sleep 0.02; done\"\n";
    super::write(&path, &format!("{text}\n{gate}"));
    let beads = [town.bead("a"), town.bead("b")];
    let mut requests = Vec::new();
    for (bead, worker) in beads.iter().zip(["toast", "nux"]) {
        town.sling(bead);
        town.commit(worker, &format!("{worker}.txt"), "x\n");
        requests.push(town.hand_in(worker).0);
    }
    let next = |bead: &str| {
        let review = town.gt(&["review"]).ok();
        let mut lines = review.lines().skip_while(|line| !line.starts_with(bead)).skip(1);
        lines.next().unwrap_or_default().trim().to_owned()
    };
    let then = "once its gates pass it waits for your word";
    let down = format!("waits for its turn; {then}; nothing is merged while the town is down: gt start");
    assert_eq!(next(&beads[0]), down);
    town.gt(&["start"]).ok();
    let works = format!("the queue works on it; {then} (nothing is asked of you)");
    eventually("the queue to work", || (next(&beads[0]) == works).then_some(()));
    assert_eq!(next(&beads[1]), format!("waits for its turn; {then} (nothing is asked of you)"));

    std::fs::write(town.sandbox.home().join("go"), "").expect("go");
    eventually("both to be held", || requests.iter().all(|mr| held(&town, mr)).then_some(()));
    // What the remote said of an earlier push is not what this one waits for.
    let (rig, by) = (RigName::new("app").expect("a name"), Stamp::new("test", SystemClock.now()));
    let refusal = "the remote refuses pushes to main";
    town.store().write(&by, |w| wait::set_pause(w, &rig, refusal).map(|_| ())).expect("written");
    for command in [vec!["why", &beads[0]], vec!["queue"]] {
        let said = town.gt(&command).ok();
        assert!(said.contains(&format!("waits for your word: gt review accept {}", beads[0])), "{said}");
    }
    assert!(!town.gt(&["why", &beads[0]]).ok().contains(refusal));
    town.gt(&["review", "accept", &beads[0]]).ok();
    let why = town.gt(&["why", &beads[0]]).ok();
    assert!(why.contains(refusal), "now it waits for the remote: {why}");
    town.gt(&["shutdown"]).ok();
}

fn held(town: &TestTown, mr: &BeadId) -> bool {
    town.store().read(|r| Request::load(r, mr)).expect("request").state() == State::Held
}

#[test]
fn why_a_worker_died_is_said_wherever_its_death_is() {
    let town = TestTown::new();
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    std::fs::write(&path, format!("{text}\n[roles.witness]\nrestarts = 1\n")).expect("town.toml");
    let text = "```sh\necho the disk is full >&2\nexit 7\n```";
    let bead = town.bd(&["create", "x", "--rig", "app", "--description", text, "-q"]).ok();
    town.gt(&["start"]).ok();
    town.gt(&["sling", &bead, "app", "--runtime", "script"]).ok();
    let line = "last on its screen: script-worker: the block of step implement ended with status 7";
    let died = format!("ended by itself, {line} (gt peek toast)");
    let status = eventually("the second death", || {
        Some(town.gt(&["status"]).ok()).filter(|said| said.contains(&died) && town.agents()[0]["restarts"] == 1)
    });
    assert!(!status.contains("in quarantine"), "{status}");
    for subject in [bead.as_str(), "toast"] {
        let why = town.gt(&["why", subject]).ok();
        let told = "ended by itself: script-worker: the block of step implement ended with status 7";
        assert!(why.contains(told), "{subject}: {why}");
    }
    let line = line.replace("its screen", "its worker's screen");
    let quarantined = eventually("the quarantine", || {
        Some(town.gt(&["status"]).ok()).filter(|said| said.contains("in quarantine") && said.contains(&line))
    });
    for said in [quarantined, town.gt(&["why", &bead]).ok()] {
        assert!(said.contains(&format!("{line} (gt peek {bead})")), "{said}");
    }
    let messages = town.bd(&["list", "--type", "message", "--json", "--long"]).json();
    let text = messages.to_string();
    assert_eq!(messages.as_array().map(Vec::len), Some(1), "one quarantine, one message: {text}");
    let why =
        format!("the worker of {bead} died again and again (after 1 restart, rule restart-dead, built-in lua/roles/");
    for said in [town.gt(&["status"]).ok(), town.gt(&["why", &bead]).ok(), town.gt(&["convoy", "status"]).ok()] {
        assert!(said.contains(&why), "{said}");
    }
    assert!(text.contains("ended with status 7") && text.contains(&format!("gt peek {bead}")), "{text}");
    assert!(town.gt(&["peek", &bead]).ok().contains("the disk is full"));
    town.gt(&["shutdown"]).ok();
}
