//! The daemon of a real town: lands by itself, obeys its policies, survives being killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gastown::base::{BeadId, Clock, RigName, SystemClock};
use gastown::daemon::{client, lock};
use gastown::queue::{Request, State};
use gastown::store::{Stamp, Store, StoreError};

use super::queue::hand_in;
use super::support::{Sandbox, eventually};

/// A town with one rig, whose gate is `true` unless told otherwise.
pub(crate) struct Hall {
    pub(crate) sandbox: Sandbox,
}

impl Hall {
    pub(crate) fn new(gate: &str) -> Self {
        let sandbox = Sandbox::new();
        let (remote, work) = (sandbox.folder("remote.git"), sandbox.folder("work"));
        sandbox.git(&remote, &["init", "--bare", "--quiet", "--initial-branch=main"]).ok();
        sandbox.git(&work, &["init", "--quiet", "--initial-branch=main"]).ok();
        std::fs::write(work.join("lines.txt"), "1\n2\n3\n").expect("write");
        sandbox.git(&work, &["add", "."]).ok();
        sandbox.git(&work, &["commit", "--quiet", "-m", "first"]).ok();
        sandbox.git(&work, &["push", "--quiet", remote.to_str().expect("text"), "main"]).ok();
        sandbox.gt(sandbox.path(), &["install", "town"]).ok();
        let hall = Self { sandbox };
        hall.gt(&["rig", "add", "app", remote.to_str().expect("text")]);
        let url = remote.display();
        hall.configure(&format!(
            "url = \"{url}\"\ntarget = \"main\"\nprefix = \"app\"\nlanding = \"direct\"\n[gates.test]\n{gate}\n"
        ));
        hall
    }

    pub(crate) fn town(&self) -> PathBuf {
        self.sandbox.path().join("town")
    }

    #[track_caller]
    pub(crate) fn gt(&self, args: &[&str]) -> String {
        self.sandbox.gt(&self.town(), args).ok()
    }

    fn configure(&self, rig_toml: &str) {
        std::fs::write(self.town().join("app/rig.toml"), rig_toml).expect("rig.toml");
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.town().join(".beads")).expect("store")
    }

    /// A change that merges with all the others, handed in.
    pub(crate) fn file(&self, name: &str) -> BeadId {
        let bare = self.town().join("app/.repo.git");
        let mut store = self.store();
        let id = hand_in(&self.sandbox, &mut store, &bare, ("app", "app"), name, &[(&format!("{name}.txt"), name)]);
        if let Ok(socket) = std::os::unix::net::UnixDatagram::unbound() {
            let _ = socket.send_to(b"1", self.town().join(".runtime/wake"));
        }
        id
    }

    fn state(&self, id: &BeadId) -> State {
        self.store().read(|r| Request::load(r, id)).expect("request").state()
    }

    #[track_caller]
    pub(crate) fn wait_merged(&self, ids: &[BeadId]) {
        let merged = || ids.iter().all(|id| self.state(id) == State::Merged).then_some(());
        eventually(&format!("{ids:?} to be merged\n{}", self.log()), merged);
    }

    /// Why it is not let in.
    fn note(&self, id: &BeadId) -> Option<String> {
        self.store().read(|r| gastown::queue::admission::refusal(r, id)).expect("read").map(|refusal| refusal.why)
    }

    pub(crate) fn warnings(&self) -> String {
        let warnings = self.store().read(|r| r.local_text("town", "policy_warnings")).expect("read");
        warnings.unwrap_or_default()
    }

    fn refinery(&self, text: &str) {
        self.role("refinery", &format!("local refinery = gt.extend(\"refinery\")\n{text}"));
    }

    pub(crate) fn role(&self, name: &str, text: &str) {
        let dir = self.town().join("lua/roles");
        std::fs::create_dir_all(&dir).expect("folder");
        // As editors do: a new file in place of the old one.
        let (new, file) = (dir.join(format!("{name}.lua.new")), dir.join(format!("{name}.lua")));
        std::fs::write(&new, format!("local gt = require \"gt\"\n{text}\n")).expect("write");
        std::fs::rename(new, file).expect("rename");
    }

    /// Titles of open beads with this label.
    pub(crate) fn labelled(&self, label: &str) -> Vec<String> {
        let filter = gastown::store::Filter { labels: vec![label.to_owned()], ..gastown::store::Filter::default() };
        self.store().read(|r| r.find(&filter)).expect("found").into_iter().map(|b| b.title).collect()
    }

    pub(crate) fn kill_daemon(&self) {
        let pid = self.daemon().expect("a daemon");
        kill(pid);
        eventually("another daemon", || self.daemon().filter(|new| *new != pid));
    }

    fn revision(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().rev().find(|l| l.contains("app/refinery"))?;
        line.rsplit("app/refinery ").next().map(|r| r.trim_end_matches('"').to_owned())
    }

    pub(crate) fn log(&self) -> String {
        let logs = std::fs::read_dir(self.town().join("logs")).into_iter().flatten().flatten();
        logs.filter_map(|e| std::fs::read_to_string(e.path()).ok()).collect()
    }

    /// Ids of the requests on the remote's main, oldest first.
    fn landed(&self) -> Vec<String> {
        let remote = self.sandbox.path().join("remote.git");
        let format = "--format=%(trailers:key=Gt-MR,valueonly,separator=%x2C)";
        let log = self.sandbox.git(&remote, &["log", "--reverse", "--first-parent", format, "main"]).ok();
        log.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect()
    }

    fn daemon(&self) -> Option<u32> {
        lock::is_held(&self.town()).ok()?.then(|| lock::holder(&self.town())).flatten()
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[test]
fn what_is_handed_in_lands_by_itself_and_says_why() {
    let hall = Hall::new("command = [\"true\"]");
    hall.gt(&["start"]);
    let mr = hall.file("a");
    hall.wait_merged(std::slice::from_ref(&mr));
    assert_eq!(hall.landed(), ["app-mr-a"]);
    let why = hall.gt(&["why", "app-mr-a"]);
    assert!(why.contains("batch [app-mr-a]") && why.contains("roles/refinery.lua:"), "{why}");
    let answer = client::ask(&hall.town(), &client::Request::Status, Duration::from_secs(10)).expect("answered");
    let client::Reply::Status(status) = answer else { panic!("{answer:?}") };
    assert!(status.passes > 0 && status.troubles.is_empty(), "{status:?}");
    hall.gt(&["shutdown"]);
    assert_eq!(hall.daemon(), None);
}

#[test]
fn a_refinery_that_admits_nothing_merges_nothing_until_it_is_edited() {
    let hall = Hall::new("command = [\"true\"]");
    hall.refinery("refinery.admit(function(mr) return false, \"closed for today\" end)");
    hall.gt(&["start"]);
    let ids: Vec<BeadId> = ["a", "b", "c"].iter().map(|name| hall.file(name)).collect();
    eventually("the word why", || (hall.note(&ids[2])? == "closed for today").then_some(()));
    assert_eq!(hall.landed(), Vec::<String>::new());
    assert!(ids.iter().all(|id| hall.state(id) == State::Queued));
    // Another order, and one at a time: no restart, no word to the daemon.
    let before = hall.daemon();
    hall.refinery(
        "refinery.order(function(mr) if mr.id == \"app-mr-c\" then return 9 end\n\
         if mr.id == \"app-mr-b\" then return 5 end return 1 end)\n\
         refinery.batch(function(queue) return { queue[1] } end)",
    );
    hall.wait_merged(&ids);
    assert_eq!(hall.landed(), ["app-mr-c", "app-mr-b", "app-mr-a"]);
    assert_eq!(hall.daemon(), before);
}

#[test]
fn a_syntax_error_changes_nothing_but_a_warning_with_its_place() {
    let hall = Hall::new("command = [\"true\"]");
    hall.refinery("refinery.batch(function(queue) return { queue[1] } end)");
    hall.gt(&["start"]);
    let good = eventually("a revision", || hall.revision());
    hall.refinery("refinery.batch(function(queue) return { queue[1] end)");
    let warning = eventually("a warning", || Some(hall.warnings()).filter(|w| w.contains("refinery.lua:3")));
    assert!(warning.contains(&good), "it says which revision is in charge: {warning}");
    let ids = [hall.file("a"), hall.file("b")];
    hall.wait_merged(&ids);
    hall.refinery("refinery.batch(function(queue) return { queue[1] } end)");
    eventually("the warning to go", || (hall.warnings() == "[]").then_some(()));
}

#[test]
fn a_policy_whose_own_test_fails_changes_nothing_until_it_is_mended() {
    let hall = Hall::new("command = [\"true\"]");
    let order = |more: &str| {
        hall.refinery(&format!(
            "refinery.batch(function(queue) return {{ queue[1] }} end)\n\
             refinery.order(function(mr) {more} return ({{ [\"app-mr-c\"] = 9, [\"app-mr-b\"] = 5 }})[mr.id] or 1 end)"
        ));
    };
    order("");
    hall.gt(&["start"]);
    let good = eventually("a revision", || hall.revision());
    // A test beside what is in charge changes nothing; it is asked of the next text.
    let test = hall.town().join("lua/roles/refinery_test.lua");
    let expecting = |first: &str, second: &str| {
        format!(
            "local t = require \"gt.test\"\nt.case(\"the order\", function(town)\n\
             town:mr {{ id = \"app-mr-a\" }}\ntown:mr {{ id = \"app-mr-b\" }}\n\
             t.equal(town:order(), {{ \"{first}\", \"{second}\" }})\nend)\n"
        )
    };
    std::fs::write(&test, expecting("app-mr-b", "app-mr-a")).expect("written");
    order("if mr.id == \"app-mr-a\" then return 99 end");
    let status = eventually("a warning", || Some(hall.gt(&["status"])).filter(|s| s.contains("refinery_test.lua:5")));
    for part in [&format!("kept at revision {good}: its tests do not hold"), "test `the order`: got"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    assert_eq!(hall.revision().as_deref(), Some(good.as_str()));
    let shown = hall.gt(&["policy", "show"]);
    for part in ["(the files; not in charge)", &format!("kept at revision {good}: its tests do not hold")] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // Nor does a daemon that begins with it: the last good one was tested when it was new.
    hall.gt(&["shutdown"]);
    let ids: Vec<BeadId> = ["a", "b", "c"].iter().map(|name| hall.file(name)).collect();
    hall.gt(&["start"]);
    hall.wait_merged(&ids);
    assert_eq!(hall.landed(), ["app-mr-c", "app-mr-b", "app-mr-a"]);
    eventually("a warning", || hall.warnings().contains("refinery_test.lua:5").then_some(()));
    // The test may be what was wrong, and so may the policy.
    std::fs::write(&test, expecting("app-mr-a", "app-mr-b")).expect("written");
    let other = eventually("the other revision", || hall.revision().filter(|revision| *revision != good));
    eventually("the warning to go", || (hall.warnings() == "[]").then_some(()));
    order("if mr.id == \"app-mr-b\" then return 99 end");
    eventually("a warning", || hall.warnings().contains("refinery_test.lua:5").then_some(()));
    order("if mr.id == \"app-mr-a\" then return 98 end");
    eventually("the mended revision", || hall.revision().filter(|r| *r != other && *r != good));
    eventually("the warning to go", || (hall.warnings() == "[]").then_some(()));
}

#[test]
fn a_daemon_that_starts_while_a_file_is_broken_goes_by_the_last_good_revision() {
    let hall = Hall::new("command = [\"true\"]");
    hall.refinery("refinery.admit(function(mr) return mr.bead.title ~= \"the work of a\", \"not this one\" end)");
    hall.gt(&["start"]);
    let a = hall.file("a");
    eventually("the word of the first revision", || (hall.note(&a)? == "not this one").then_some(()));
    let good = hall.revision().expect("a revision");
    hall.refinery("refinery.admit(function(mr) return");
    let warned = || {
        eventually("a warning", || {
            let status = hall.gt(&["status"]);
            (status.contains("refinery.lua:") && status.contains(&format!("kept at revision {good}"))).then_some(())
        });
    };
    warned();
    hall.kill_daemon();
    let b = hall.file("b");
    hall.wait_merged(std::slice::from_ref(&b));
    warned();
    hall.gt(&["shutdown"]);
    hall.gt(&["start"]);
    let c = hall.file("c");
    hall.wait_merged(std::slice::from_ref(&c));
    warned();
    assert_eq!(hall.state(&a), State::Queued);
    // What is good again takes over.
    hall.refinery("");
    hall.wait_merged(std::slice::from_ref(&a));
    eventually("the warning to go", || (hall.warnings() == "[]").then_some(()));
}

#[test]
fn a_file_that_never_loaded_leaves_the_layers_below_in_charge_and_a_refinery_silent() {
    let hall = Hall::new("command = [\"true\"]");
    hall.role("witness", "local witness = gt.extend(\"witness\"");
    hall.refinery("refinery.admit(function(mr) return");
    hall.gt(&["start"]);
    let warned = |part: &str| {
        eventually(part, || Some(hall.gt(&["status"])).filter(|status| status.contains(part)));
    };
    warned("witness goes by the layers below");
    warned("lua/roles/witness.lua:");
    warned("refinery has no revision that loads; it decides nothing");
    let a = hall.file("a");
    hall.refinery("");
    hall.wait_merged(std::slice::from_ref(&a));
}

#[test]
fn every_layer_is_followed_however_its_file_changes_and_stays_as_it_was_when_it_cannot_be_read() {
    let hall = Hall::new("command = [\"true\"]");
    let (town, rig) = (hall.town().join("lua/roles"), hall.town().join("app/lua/roles"));
    let says = |word: &str| {
        format!(
            "local gt = require \"gt\"\nlocal refinery = gt.extend(\"refinery\")\n\
             refinery.admit(function(mr) return false, \"{word}\" end)\n"
        )
    };
    let write = |folder: &Path, text: &str| {
        std::fs::create_dir_all(folder).expect("folder");
        std::fs::write(folder.join("refinery.lua"), text).expect("written");
    };
    let replace = |folder: &Path, text: &str| {
        std::fs::write(folder.join("new"), text).expect("written");
        std::fs::rename(folder.join("new"), folder.join("refinery.lua")).expect("renamed");
    };
    hall.gt(&["start"]);
    let before = hall.daemon();
    let shipped = eventually("the shipped revision", || hall.revision());
    write(&town, &says("town, written"));
    eventually("the town's revision", || hall.revision().filter(|revision| *revision != shipped));
    let mr = hall.file("a");
    let heard = |word: &str| eventually(word, || (hall.note(&mr)? == word).then_some(()));
    let warned = |part: &str| {
        eventually(part, || Some(hall.gt(&["status"])).filter(|status| status.contains(part)));
    };
    heard("town, written");
    replace(&town, &says("town, replaced"));
    heard("town, replaced");
    // A folder that was not there when the daemon began.
    write(&rig, &says("rig, written"));
    heard("rig, written");
    replace(&rig, &says("rig, replaced"));
    heard("rig, replaced");
    let good = hall.revision().expect("a revision");
    // Unreadable, whoever runs this: a folder in place of the file.
    let other = hall.sandbox.folder("other");
    // In one step: a moment without the file would put the town's in charge.
    let swap = || {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, &other, CWD, rig.join("refinery.lua"), RenameFlags::EXCHANGE).expect("swapped");
    };
    swap();
    warned("app/lua/roles/refinery.lua cannot be read");
    std::fs::write(
        &other,
        "local gt = require \"gt\"\nlocal refinery = gt.extend \"refinery\"\nrefinery.order(function(mr)\n",
    )
    .expect("written");
    swap();
    warned(&format!("kept at revision {good}"));
    assert_eq!(hall.note(&mr).as_deref(), Some("rig, replaced"));
    let status = hall.gt(&["status"]);
    assert!(status.contains(&format!("--> {}:", rig.join("refinery.lua").display())), "{status}");
    // Without the rig's file the town's is in charge again, and without that the shipped one.
    std::fs::remove_file(rig.join("refinery.lua")).expect("removed");
    heard("town, replaced");
    std::fs::remove_dir_all(&town).expect("removed");
    hall.wait_merged(std::slice::from_ref(&mr));
    assert_eq!(hall.daemon(), before);
    let status = hall.gt(&["status"]);
    assert!(!status.contains("warning"), "{status}");
}

#[test]
fn a_daemon_that_is_killed_again_and_again_merges_everything_exactly_once() {
    let hall = Hall::new("command = \"sleep 0.05\"");
    hall.refinery("refinery.batch(function(queue) return { queue[1] } end)");
    hall.gt(&["start"]);
    let names = ["a", "b", "c", "d", "e", "f"];
    let ids: Vec<BeadId> = names.iter().map(|name| hall.file(name)).collect();
    // Each kill waits for another state of some request, and strikes when it is seen.
    for (n, state) in
        [State::Building, State::Gating, State::Pushing, State::Gating, State::Merged].into_iter().enumerate()
    {
        let all_done = || ids.iter().all(|id| hall.state(id) == State::Merged);
        eventually("a state to strike in", || {
            let hit = ids.iter().filter(|id| hall.state(id) == state).count() > usize::from(state == State::Merged) * n;
            (hit || all_done()).then_some(())
        });
        if let Some(pid) = hall.daemon() {
            kill(pid);
            eventually("another daemon", || hall.daemon().filter(|new| *new != pid));
        }
    }
    hall.wait_merged(&ids);
    let mut landed = hall.landed();
    landed.sort();
    assert_eq!(landed, ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    let store = hall.store();
    let rig = RigName::new("app").expect("name");
    assert_eq!(store.read(|r| gastown::queue::push::get(r, &rig)).expect("read"), None);
    for id in &ids {
        let merged =
            store.read(|r| Ok::<_, StoreError>(r.history(id)?.iter().filter(|e| e.kind == "mr_merged").count()));
        assert_eq!(merged.expect("read"), 1, "{id}");
        let bead = store.read(|r| Request::load(r, id)).expect("request").mr.bead;
        assert!(store.read(|r| r.need(&bead)).expect("bead").is_over(), "{bead}");
    }
}

#[test]
fn a_rule_of_ones_own_acts_once_on_each_event_also_when_the_daemon_dies() {
    let hall = Hall::new("command = [\"true\"]");
    hall.role(
        "librarian",
        "local librarian = gt.role(\"librarian\", { api = 1, scope = \"rig\", doc = \"Files documentation work\" })\n\
         librarian.on.mr_merged(\"file-docs\", {\n\
           when = function(e) return not e.bead:has(\"docs\") end,\n\
           act = function(e) return gt.create { title = \"Document: {bead.title}\", labels = { \"docs\" } } end,\n\
         })",
    );
    hall.gt(&["start"]);
    let a = hall.file("a");
    hall.wait_merged(std::slice::from_ref(&a));
    eventually("the bead", || (hall.labelled("docs") == ["Document: the work of a"]).then_some(()));
    hall.kill_daemon();
    let b = hall.file("b");
    hall.wait_merged(std::slice::from_ref(&b));
    eventually("the next bead", || (hall.labelled("docs").len() == 2).then_some(()));
    hall.gt(&["shutdown"]);
    assert_eq!(hall.labelled("docs"), ["Document: the work of a", "Document: the work of b"]);
}

#[test]
fn a_policy_that_never_ends_stops_nobody_else() {
    let hall = Hall::new("command = [\"true\"]");
    hall.role(
        "witness",
        "local witness = gt.extend(\"witness\")\n\
         witness.each.mr(\"spin\", { when = function(mr) while true do end end, act = function(mr) return nil end })",
    );
    hall.gt(&["start"]);
    let ids = [hall.file("a"), hall.file("b")];
    hall.wait_merged(&ids);
    eventually("a warning", || hall.warnings().contains("spin").then_some(()));
}

#[test]
fn what_a_rig_holds_lands_when_a_person_accepts_it() {
    let hall = Hall::new("command = [\"true\"]");
    let rig_toml = std::fs::read_to_string(hall.town().join("app/rig.toml")).expect("rig.toml");
    hall.configure(&rig_toml.replace("\"direct\"", "\"hold\""));
    hall.gt(&["start"]);
    let mr = hall.file("a");
    eventually("the change to be held", || (hall.state(&mr) == State::Held).then_some(()));
    assert_eq!(hall.landed(), Vec::<String>::new());
    hall.gt(&["review", "accept", mr.as_str()]);
    hall.wait_merged(std::slice::from_ref(&mr));
    assert_eq!(hall.landed(), ["app-mr-a"]);
}

#[test]
fn a_change_that_no_gate_is_about_waits_and_is_shown_while_the_others_land() {
    let hall = Hall::new("command = [\"true\"]\npaths = [\"b.txt\"]");
    hall.gt(&["start"]);
    let a = hall.file("a");
    let why = "no gate is about what it changes (a.txt)";
    eventually("the change to wait", || hall.gt(&["status"]).contains(why).then_some(()));
    for command in [&["queue"][..], &["review"], &["why", "app-mr-a"]] {
        assert!(hall.gt(command).contains(why), "{command:?}");
    }
    let b = hall.file("b");
    hall.wait_merged(std::slice::from_ref(&b));
    assert_eq!((hall.state(&a), hall.landed()), (State::Queued, vec!["app-mr-b".to_owned()]));
    // Another configuration, and it is tried again at once.
    let rig_toml = std::fs::read_to_string(hall.town().join("app/rig.toml")).expect("rig.toml");
    hall.configure(&rig_toml.replace("b.txt", "*.txt"));
    hall.wait_merged(std::slice::from_ref(&a));
}

#[test]
fn what_began_under_another_configuration_and_ends_badly_is_tried_again_at_once() {
    let hall = Hall::new("command = \"touch $HOME/runs; until test -e $HOME/go; do sleep 0.01; done; exit 127\"");
    hall.gt(&["start"]);
    let a = hall.file("a");
    eventually("the gate", || hall.sandbox.home().join("runs").exists().then_some(()));
    let rig_toml = std::fs::read_to_string(hall.town().join("app/rig.toml")).expect("rig.toml");
    let gone_by = || hall.store().read(|r| r.local_or_none::<serde_json::Value>("queue_config", "app")).expect("read");
    let before = gone_by();
    assert!(before.is_some());
    hall.configure(&rig_toml.replace("exit 127", "exit 0"));
    let whole = || std::fs::read_to_string(hall.town().join("app/rig.toml")).is_ok_and(|text| text.contains("exit 0"));
    eventually("the other configuration to be in charge", || (gone_by() != before && whole()).then_some(()));
    std::fs::write(hall.sandbox.home().join("go"), "").expect("go");
    hall.wait_merged(std::slice::from_ref(&a));
}

#[test]
fn a_push_whose_end_nobody_saw_is_judged_by_itself_when_the_remote_is_back() {
    // The gate takes the remote away, so that the push finds nobody.
    let hall = Hall::new(
        "command = \"test -e $HOME/../away.git || test -e $HOME/once || { touch $HOME/once; mv $HOME/../remote.git $HOME/../away.git; }\"",
    );
    hall.gt(&["start"]);
    let mr = hall.file("a");
    let rig = RigName::new("app").expect("name");
    let intent = || hall.store().read(|r| gastown::queue::push::get(r, &rig)).expect("read");
    let pause = || hall.store().read(|r| gastown::queue::wait::pause(r, &rig)).expect("read");
    eventually("the push to find nobody", || (intent().is_some() && pause().is_some()).then_some(()));
    assert_eq!(hall.state(&mr), State::Pushing);
    std::fs::rename(hall.sandbox.path().join("away.git"), hall.sandbox.path().join("remote.git")).expect("back");
    hall.gt(&["queue", "retry"]);
    hall.wait_merged(std::slice::from_ref(&mr));
    assert_eq!((hall.landed(), intent()), (vec!["app-mr-a".to_owned()], None));
}

#[test]
fn a_gate_that_outlives_its_daemon_is_ended_and_run_anew() {
    let hall = Hall::new(
        "command = \"if test -e $HOME/once; then exit 0; fi; touch $HOME/once; echo $$ > $HOME/pid; exec sleep 1000\"",
    );
    hall.gt(&["start"]);
    let mr = hall.file("a");
    let pid = hall.sandbox.home().join("pid");
    let gate = eventually("the gate", || std::fs::read_to_string(&pid).ok()?.trim().parse::<u32>().ok());
    hall.kill_daemon();
    hall.wait_merged(std::slice::from_ref(&mr));
    // Its new parent may take a moment to collect it.
    eventually("the old gate to be gone", || (!PathBuf::from(format!("/proc/{gate}")).exists()).then_some(()));
}

#[test]
fn a_daemon_outlives_a_store_that_is_gone_for_a_while() {
    let hall = Hall::new("command = [\"true\"]");
    hall.gt(&["start"]);
    let before = hall.daemon();
    let status = || match client::ask(&hall.town(), &client::Request::Status, Duration::from_secs(10)) {
        Ok(client::Reply::Status(status)) => Some(status),
        _ => None,
    };
    eventually("its first look", || status().filter(|s| s.passes > 0));
    let (here, away) = (hall.town().join(".beads"), hall.sandbox.folder("away"));
    let move_all = |from: &Path, to: &Path| {
        for name in ["beads.db", "beads.db-wal", "beads.db-shm"] {
            let _ = std::fs::rename(from.join(name), to.join(name));
        }
    };
    move_all(&here, &away);
    let trouble = eventually("the trouble", || status()?.troubles.remove("store"));
    assert!(trouble.contains("there is no store at"), "{trouble}");
    move_all(&away, &here);
    let mr = hall.file("a");
    hall.wait_merged(std::slice::from_ref(&mr));
    assert_eq!(hall.daemon(), before);
}

#[test]
fn a_trouble_that_is_mended_is_gone_from_the_status_of_the_daemon() {
    let hall = Hall::new("command = [\"true\"]");
    hall.gt(&["start"]);
    let troubles = || match client::ask(&hall.town(), &client::Request::Status, Duration::from_secs(10)) {
        Ok(client::Reply::Status(status)) if status.passes > 0 => Some(status.troubles),
        _ => None,
    };
    eventually("its first look", troubles);
    let stamp = Stamp::new("test", SystemClock.now());
    hall.store().write(&stamp, |w| w.put_local("cursor", "app/witness", &"damaged".into())).expect("written");
    let looked = || {
        let _ = client::ask(&hall.town(), &client::Request::Wake, Duration::from_secs(10));
        troubles()
    };
    let trouble = eventually("the trouble", || looked()?.remove("rig app"));
    assert!(trouble.contains("gt start"), "{trouble}");
    assert!(hall.gt(&["status"]).contains("how far app/witness has got"));
    hall.gt(&["start"]);
    eventually("it to be gone", || looked()?.is_empty().then_some(()));
    eventually("it to be gone", || (!hall.gt(&["status"]).contains("how far")).then_some(()));
}

#[test]
fn the_trouble_of_a_queue_is_over_when_nothing_is_in_it_any_more() {
    let hall = Hall::new("command = [\"true\"]");
    // Where the queue works is a file: no batch can begin.
    let place = hall.town().join("app/refinery");
    let _ = std::fs::remove_dir_all(&place);
    std::fs::write(&place, "").expect("write");
    hall.gt(&["start"]);
    let mr = hall.file("a");
    let troubles = || {
        let _ = client::ask(&hall.town(), &client::Request::Wake, Duration::from_secs(10));
        match client::ask(&hall.town(), &client::Request::Status, Duration::from_secs(10)) {
            Ok(client::Reply::Status(status)) => Some(status.troubles),
            _ => None,
        }
    };
    eventually("the trouble", || troubles()?.remove("queue of app"));
    let stamp = Stamp::new("test", SystemClock.now());
    hall.store().write(&stamp, |w| gastown::queue::request::withdraw(w, &mr, "not needed")).expect("withdrawn");
    eventually("it to be over", || (!troubles()?.contains_key("queue of app")).then_some(()));
}

#[test]
fn a_daemon_whose_town_is_removed_ends_and_so_does_its_parent() {
    let hall = Hall::new("command = [\"true\"]");
    hall.gt(&["start"]);
    let pid = hall.daemon().expect("it runs");
    std::fs::rename(hall.town(), hall.sandbox.path().join("gone")).expect("moved away");
    let process = PathBuf::from(format!("/proc/{pid}"));
    eventually("the daemon to end", || (!process.exists()).then_some(()));
}

#[test]
fn a_timer_opens_and_old_wisps_go_while_nobody_does_anything() {
    let hall = Hall::new("command = [\"true\"]");
    let bd = |args: &[&str]| hall.sandbox.bd(&hall.town(), args).ok();
    hall.gt(&["start"]);
    bd(&["config", "set", "wisp.keep", "0s"]);
    let held = bd(&["create", "held", "--rig", "app", "-q"]);
    let text = "create wisp --ephemeral\nclose @1\n";
    let made = hall.sandbox.run_with_input("bd", &hall.town(), &["batch", "--json"], text).json();
    let wisp: BeadId = made[0]["value"]["id"].as_str().expect("id").parse().expect("id");
    let gate: BeadId =
        bd(&["gate", "create", "--type", "timer", "--timeout", "1s", "--blocks", &held, "-q"]).parse().expect("id");
    // The store is looked at directly: `bd` would open the gate itself.
    let store = hall.store();
    let read = |id: &BeadId| store.read::<_, StoreError>(|r| r.bead(id)).expect("read");
    let opened = || read(&gate).filter(gastown::store::Bead::is_over);
    assert_eq!(eventually("the daemon opens the gate", opened).close_reason, "its time has come");
    eventually("the daemon lets the wisp go", || read(&wisp).is_none().then_some(()));
    hall.gt(&["shutdown"]);
}
