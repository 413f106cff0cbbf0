//! The merge queue on real repositories with real gates, without a daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gastown::base::{Address, BeadId, Clock, Prefix, RigName, SystemClock, Time};
use gastown::config::{Gate, Landing};
use gastown::git::Repo;
use gastown::queue::bench::Bench;
use gastown::queue::driver::{Driver, Follow, Job, Report, Site};
use gastown::queue::{self, MergeLock, MrMeta, Request, State, push, wait};
use gastown::store::{Close, IssueType, NewBead, Stamp, Status, Store, StoreError};

use super::support::{Sandbox, eventually};

/// A rig with a remote, a bare clone, a store, and a person's clone to work in.
struct Yard {
    sandbox: Sandbox,
    store: Store,
    site: Site,
}

impl Yard {
    /// A remote whose `main` has `lines.txt` (1 to 9) and passes `gate`.
    fn new(gate: &str) -> Self {
        let sandbox = Sandbox::new();
        let (remote, work) = (sandbox.folder("remote.git"), sandbox.folder("work"));
        sandbox.git(&remote, &["init", "--bare", "--quiet", "--initial-branch=main"]).ok();
        sandbox.git(&work, &["init", "--quiet", "--initial-branch=main"]).ok();
        sandbox.git(&work, &["remote", "add", "origin", remote.to_str().expect("text")]).ok();
        let lines: String = (1..10).map(|n| format!("line {n}\n")).collect();
        std::fs::write(work.join("lines.txt"), lines).expect("write");
        sandbox.git(&work, &["add", "."]).ok();
        sandbox.git(&work, &["commit", "--quiet", "-m", "first"]).ok();
        sandbox.git(&work, &["push", "--quiet", "origin", "main"]).ok();
        let rig = sandbox.folder("rig");
        Repo::clone(remote.to_str().expect("text"), &rig.join(".repo.git"), &mut |_| {}).expect("cloned");
        let store = Store::create(&sandbox.path().join(".beads"), &Prefix::new("hq").expect("prefix"), now());
        let gates = vec![("test".to_owned(), parse(gate))];
        let env =
            vec![("PATH".to_owned(), Sandbox::search_path()), ("HOME".into(), sandbox.home().display().to_string())];
        let scratch = rig.join("refinery/scratch");
        let site = Site {
            rig: RigName::new("app").expect("name"),
            target: "main".into(),
            landing: Landing::Direct,
            bench: Bench { scratch, env, gates, actor: "app/refinery".into(), stop: Arc::default() },
            left_out: Vec::new(),
        };
        Self { store: store.expect("store"), site, sandbox }
    }

    fn work(&self) -> PathBuf {
        self.sandbox.path().join("work")
    }

    fn repo(&self) -> Repo {
        Repo::open(&self.sandbox.path().join("rig/.repo.git")).expect("repo")
    }

    /// A bead, and a request with what `change` does to a fresh checkout of the first commit.
    fn request(&mut self, name: &str, change: &[(&str, &str)]) -> BeadId {
        let bare = self.sandbox.path().join("rig/.repo.git");
        hand_in(&self.sandbox, &mut self.store, &bare, ("app", "ap"), name, change)
    }

    /// A request for what is checked out in `work`.
    fn request_head(&mut self, name: &str, paths: &[&str]) -> BeadId {
        let bare = self.sandbox.path().join("rig/.repo.git");
        file_request(&self.sandbox, &mut self.store, &bare, ("app", "ap"), name, paths)
    }

    /// A one-line change that fits with all the others.
    fn file(&mut self, name: &str) -> BeadId {
        self.request(name, &[(&format!("{name}.txt"), name)])
    }

    fn drive(&mut self, run: impl FnOnce(&mut Driver<'_>) -> Report) -> Report {
        let lock = MergeLock::take(&self.sandbox.path().join("rig/refinery"), &self.site.rig);
        let lock = lock.expect("io").expect("free");
        let repo = self.repo();
        let on_landed = |w: &mut gastown::store::Write<'_>, request: &Request, _: &str| {
            w.close(&request.mr.bead, Close { force: true, ..Close::because("merged") }).map(|_| ())
        };
        let follow = Follow { landed: &on_landed, nothing: &|_, _, _| Ok(()) };
        let mut driver = Driver::new(&self.site, repo, &mut self.store, lock, &SystemClock, follow);
        run(&mut driver)
    }

    fn run(&mut self, members: &[&BeadId]) -> Report {
        let job = Job { members: members.iter().map(|id| (*id).clone()).collect(), decisions: Vec::new() };
        self.drive(|d| d.run(&job).expect("driven"))
    }

    fn settle(&mut self) -> Report {
        self.drive(|d| d.settle().expect("settled"))
    }

    fn get(&self, id: &BeadId) -> Request {
        self.store.read(|r| Request::load(r, id)).expect("request")
    }

    fn state(&self, id: &BeadId) -> State {
        self.get(id).state()
    }

    fn closed(&self, id: &BeadId) -> bool {
        let bead = self.get(id).mr.bead;
        self.store.read(|r| r.need(&bead)).expect("bead").is_over()
    }

    /// Files at the remote's main.
    fn files(&self) -> Vec<String> {
        let remote = self.sandbox.path().join("remote.git");
        let list = self.sandbox.git(&remote, &["ls-tree", "--name-only", "main"]).ok();
        list.lines().map(str::to_owned).collect()
    }

    fn head(&self) -> String {
        self.sandbox.git(&self.sandbox.path().join("remote.git"), &["rev-parse", "main"]).ok()
    }

    /// How often gates ran, by their events: commit and verdict.
    fn gate_runs(&self) -> Vec<(String, String)> {
        let events = self.store.read(|r| r.events_after(0, 10_000)).expect("events");
        let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
        let ran = events.iter().filter(|e| e.kind == "gate_ran");
        ran.map(|e| (text(&e.payload["commit"]), text(&e.payload["verdict"]))).collect()
    }

    fn paused(&self) -> Option<String> {
        self.store.read(|r| wait::pause(r, &self.site.rig)).expect("read").map(|p| p.why)
    }
}

/// Does a change in `work` of the sandbox, from its first commit, and files a request for it.
pub(crate) fn hand_in(
    sandbox: &Sandbox,
    store: &mut Store,
    bare: &Path,
    (rig, prefix): (&str, &str),
    name: &str,
    change: &[(&str, &str)],
) -> BeadId {
    let work = sandbox.path().join("work");
    let branch = format!("gt/{name}/work");
    let root = sandbox.git(&work, &["rev-list", "--max-parents=0", "HEAD"]).ok();
    sandbox.git(&work, &["checkout", "--quiet", "-B", &branch, &root]).ok();
    for (path, text) in change {
        super::town::write(&work.join(path), text);
    }
    sandbox.git(&work, &["add", "."]).ok();
    sandbox.git(&work, &["commit", "--quiet", "-m", name]).ok();
    let paths: Vec<&str> = change.iter().map(|(path, _)| *path).collect();
    file_request(sandbox, store, bare, (rig, prefix), name, &paths)
}

/// Files a bead and a request for what is checked out in `work`, as `gt done` would: the commit is in the rig's
/// repository under its own ref.
fn file_request(
    sandbox: &Sandbox,
    store: &mut Store,
    bare: &Path,
    (rig, prefix): (&str, &str),
    name: &str,
    paths: &[&str],
) -> BeadId {
    let work = sandbox.path().join("work");
    let branch = format!("gt/{name}/work");
    let commit = sandbox.git(&work, &["rev-parse", "HEAD"]).ok();
    let source_ref = format!("refs/gt/mr/{name}");
    sandbox.git(&work, &["push", "--quiet", bare.to_str().expect("text"), &format!("HEAD:{source_ref}")]).ok();
    let made = store.write(&stamp(), |w| {
        let bead = w.create(NewBead {
            prefix: Some(Prefix::new(prefix).expect("prefix")),
            status: Some(Status::IN_PROGRESS),
            ..NewBead::titled(format!("the work of {name}"))
        })?;
        let meta = MrMeta {
            rig: RigName::new(rig).expect("name"),
            bead: bead.id,
            worker: format!("{rig}/polecats/{name}").parse::<Address>().expect("address"),
            branch,
            commit,
            target: "main".into(),
            source_ref,
            attempt: 1,
            state: State::Queued,
            queued_at: now(),
            lines: 1,
            paths: paths.iter().map(|p| (*p).to_owned()).collect(),
            approved: None,
            landed: None,
            why: None,
            evidence: gastown::store::Map::new(),
        };
        let mr = w.create(NewBead {
            id: Some(BeadId::new(format!("{prefix}-mr-{name}")).expect("id")),
            issue_type: Some(IssueType::MERGE_REQUEST),
            metadata: [("mr".to_owned(), meta.to_value())].into_iter().collect(),
            ..NewBead::titled(format!("Merge: {name}"))
        })?;
        Ok::<_, StoreError>(mr.id)
    });
    made.expect("request")
}

fn now() -> Time {
    SystemClock.now()
}

fn stamp() -> Stamp {
    Stamp::new("tester", now())
}

fn parse(gate: &str) -> Gate {
    toml::from_str(gate).expect("a gate")
}

const PASS: &str = "command = [\"true\"]";

#[test]
fn a_batch_lands_as_the_very_commit_that_was_tested() {
    let mut yard = Yard::new("command = \"test -f a.txt && test -f b.txt\"");
    let (a, b) = (yard.file("a"), yard.file("b"));
    let report = yard.run(&[&a, &b]);
    assert_eq!(report.landed, [a.clone(), b.clone()]);
    assert_eq!(yard.files(), ["a.txt", "b.txt", "lines.txt"]);
    assert!(yard.closed(&a) && yard.closed(&b));
    assert_eq!(yard.gate_runs(), [(yard.head(), "pass".to_owned())], "once, on what was pushed");
    let log = yard.sandbox.git(&yard.sandbox.path().join("remote.git"), &["log", "-1", "--format=%B", "main"]).ok();
    let request = yard.get(&b);
    assert!(log.contains(&format!("{} the work of b (b)", request.mr.bead)), "{log}");
    assert!(log.contains("Gt-MR: ap-mr-b") && log.contains(&format!("Gt-Source: {}", request.mr.commit)), "{log}");
    assert_eq!(request.mr.landed, Some(yard.head()));
}

#[test]
fn a_conflict_goes_back_with_its_hunk_and_the_others_land() {
    let mut yard = Yard::new(PASS);
    let changed = |word: &str| {
        let lines: String = (1..10).map(|n| if n == 5 { format!("{word}\n") } else { format!("line {n}\n") }).collect();
        lines
    };
    let (first, other) = (yard.request("first", &[("lines.txt", &changed("mine"))]), yard.file("other"));
    let second = yard.request("second", &[("lines.txt", &changed("yours"))]);
    let report = yard.run(&[&first, &second, &other]);
    assert_eq!(report.landed, [first, other]);
    assert_eq!(yard.state(&second), State::Queued, "it conflicts with a mate that may still fail: it waits");
    let report = yard.run(&[&second]);
    assert_eq!(report.conflicts, [second.clone()]);
    let request = yard.get(&second);
    assert_eq!(request.state(), State::Conflict);
    let hunk = request.mr.evidence["hunks"][0].as_str().expect("a hunk").to_owned();
    assert!(hunk.contains("lines.txt:5") && hunk.contains("mine") && hunk.contains("yours"), "{hunk}");
    assert!(!yard.closed(&second));
}

#[test]
fn of_a_red_batch_the_good_land_and_only_the_culprit_goes_back() {
    let mut yard = Yard::new("command = \"if test -f bad.txt; then echo the reason; exit 1; fi\"");
    let ids: Vec<BeadId> = ["one", "two", "bad", "four"].into_iter().map(|n| yard.file(n)).collect();
    let report = yard.run(&[&ids[0], &ids[1], &ids[2], &ids[3]]);
    assert_eq!((report.landed.as_slice(), report.failed.as_slice()), (&ids[..2], &ids[2..3]));
    assert_eq!(yard.state(&ids[3]), State::Queued);
    let culprit = yard.get(&ids[2]);
    assert_eq!(culprit.mr.evidence["output"], "the reason");
    assert_eq!(culprit.mr.why.as_deref(), Some("gate test: exit code 1"));
    assert_eq!(yard.files(), ["lines.txt", "one.txt", "two.txt"]);
    assert!(yard.gate_runs().contains(&(yard.head(), "pass".to_owned())), "what was pushed was tested");
    assert_eq!(yard.run(&[&ids[3]]).landed, [ids[3].clone()]);
}

#[test]
fn a_gate_that_cannot_run_merges_nothing_and_blames_nobody() {
    for gate in [
        "command = [\"no-such-program-here\"]",
        "command = \"no-such-program-here\"",
        "command = \"exec sleep 60\"\ntimeout = \"100ms\"",
        "command = \"kill -9 $$\"",
        "command = \"echo 0 passed\"\nproves = '[1-9]\\d* passed'",
    ] {
        let mut yard = Yard::new(gate);
        let (before, mr) = (yard.head(), yard.file("a"));
        let report = yard.run(&[&mr]);
        assert!(report.paused.is_some(), "{gate}: {report:?}");
        assert_eq!((yard.state(&mr), yard.head()), (State::Queued, before), "{gate}");
        assert!(yard.paused().is_some(), "{gate}");
    }
}

#[test]
fn a_change_on_which_the_gate_cannot_run_goes_back_and_the_others_land() {
    // Each takes away what the gate needs: its program, its right to run, its end, its proof.
    for (gate, bad) in [
        ("command = \"test ! -e bad.txt || exec no-such-program-here\"", "exit code 127"),
        ("command = \"test ! -e bad.txt || exec ./lines.txt\"", "exit code 126"),
        ("command = \"test ! -e bad.txt || exec sleep 60\"\ntimeout = \"500ms\"", "time limit"),
        ("command = \"test -e bad.txt || echo 5 passed\"\nproves = '[1-9]\\d* passed'", "nothing that matches"),
    ] {
        let mut yard = Yard::new(gate);
        let ids: Vec<BeadId> = ["one", "two", "bad", "four"].into_iter().map(|n| yard.file(n)).collect();
        let report = yard.run(&[&ids[0], &ids[1], &ids[2], &ids[3]]);
        assert_eq!((report.landed.as_slice(), report.failed.as_slice()), (&ids[..2], &ids[2..3]), "{gate}");
        assert_eq!((report.paused, yard.paused()), (None, None), "{gate}");
        let culprit = yard.get(&ids[2]);
        assert_eq!(culprit.state(), State::Failed);
        assert!(culprit.mr.why.as_deref().expect("why").contains(bad), "{gate}: {:?}", culprit.mr.why);
        assert_eq!(culprit.mr.evidence["verdict"], "could-not-run");
        assert_eq!(culprit.mr.evidence["target_says"], "pass");
        assert_eq!(yard.run(&[&ids[3]]).landed, [ids[3].clone()]);
    }
}

#[test]
fn a_change_on_which_the_gate_cannot_run_is_to_blame_on_a_red_target_too() {
    let mut yard = Yard::new("command = \"test ! -e bad.txt || exit 127; test -e mended.txt\"");
    let (bad, plain, mender) = (yard.file("bad"), yard.file("plain"), yard.file("mended"));
    let report = yard.run(&[&plain, &bad]);
    assert_eq!((report.failed, report.landed, report.paused), (vec![bad.clone()], vec![], None));
    assert_eq!(yard.get(&bad).mr.evidence["target_says"], "fail");
    assert_eq!(yard.state(&plain), State::Queued);
    // The culprit is found among changes that are not to blame for the red target, and the mender lands.
    let other = yard.file("other");
    assert_eq!(yard.run(&[&plain, &other]), Report::default());
    assert_eq!(yard.run(&[&plain, &mender]).landed, [plain, mender]);
}

#[test]
fn a_gate_that_was_killed_once_runs_again_before_anybody_is_blamed() {
    let mut yard =
        Yard::new("command = \"test -e a.txt || exit 0; test -e ../once || { touch ../once; kill -9 $$; }\"");
    let mr = yard.file("a");
    let report = yard.run(&[&mr]);
    assert_eq!((report.landed, report.failed), (vec![mr], vec![]));
}

#[test]
fn where_the_gate_cannot_run_on_the_target_whoever_mends_that_lands() {
    let mut yard = Yard::new("command = \"test -e mended.txt || exit 127; test ! -e bad.txt\"");
    let (plain, bad, mender) = (yard.file("plain"), yard.file("bad"), yard.file("mended"));
    let report = yard.run(&[&plain, &bad]);
    assert!(report.paused.expect("paused").contains("exit code 127"));
    assert_eq!((yard.state(&plain), yard.state(&bad)), (State::Queued, State::Queued), "nobody is blamed");
    assert_eq!(yard.run(&[&plain, &bad, &mender]).landed, [mender]);
    let report = yard.run(&[&plain, &bad]);
    assert_eq!((report.landed, report.failed), (vec![plain], vec![bad]));
}

#[test]
fn a_gate_that_fails_on_the_target_is_not_held_against_a_change_that_another_gate_led_to() {
    let mut yard = Yard::new("command = \"test ! -e bad.txt\"");
    // Passes only with the bad change: on the target, and on every cut without it, it fails.
    yard.site.bench.gates.push(("second".into(), parse("command = \"test -e bad.txt\"")));
    let ids: Vec<BeadId> = ["one", "two", "bad", "four"].into_iter().map(|n| yard.file(n)).collect();
    let report = yard.run(&[&ids[0], &ids[1], &ids[2], &ids[3]]);
    assert_eq!((report.failed.as_slice(), report.landed.as_slice()), (&ids[2..3], &[][..]), "{report:?}");
    assert!([0, 1, 3].into_iter().all(|n| yard.state(&ids[n]) == State::Queued));
}

#[test]
fn a_gate_that_is_ended_because_the_town_goes_down_blames_nobody_and_none_begins_after_it() {
    let mut yard = Yard::new("command = \"test ! -e a.txt || { touch ../begun; exec sleep 60; }\"");
    let mr = yard.file("a");
    let (stop, begun) = (Arc::clone(&yard.site.bench.stop), yard.sandbox.path().join("rig/refinery/begun"));
    let scratch = yard.site.bench.scratch.clone();
    let result = std::thread::scope(|s| {
        s.spawn(|| {
            eventually("the gate", || begun.exists().then_some(()));
            stop.store(true, Ordering::SeqCst);
            gastown::queue::bench::end_marked(&scratch);
        });
        let job = Job { members: vec![mr.clone()], decisions: Vec::new() };
        let mut result = None;
        yard.drive(|d| {
            result = Some(d.run(&job).map_err(|e| e.to_string()));
            Report::default()
        });
        result.expect("it ran")
    });
    assert_eq!(result, Err("the town goes down".to_owned()));
    assert_eq!((yard.state(&mr), yard.paused()), (State::Queued, None));
    assert_eq!(yard.gate_runs(), []);
}

#[test]
fn a_change_that_no_gate_is_about_waits_alone_until_the_gates_are_others() {
    let mut yard = Yard::new("command = [\"true\"]\npaths = [\"src/**\"]");
    let (code, notes) = (yard.request("code", &[("src/a.txt", "a")]), yard.request("notes", &[("notes.md", "n")]));
    let report = yard.run(&[&notes, &code]);
    assert_eq!((report.landed, report.paused, yard.paused()), (vec![code], None, None));
    let held = yard.get(&notes);
    assert_eq!(held.state(), State::Queued);
    assert!(held.mr.why.expect("why").contains("no gate is about what it changes (notes.md)"));
    let wait = yard.store.read(|r| wait::wait(r, &notes)).expect("read").expect("it waits");
    assert!(wait.holds(now(), Some("another target")), "{wait:?}");
    // A gate for it is written.
    yard.store.write(&stamp(), |w| wait::configured(w, &yard.site.rig, "new")).expect("configured");
    assert_eq!(yard.store.read(|r| wait::wait(r, &notes)).expect("read"), None);
    yard.site.bench.gates.push(("docs".into(), parse("command = [\"true\"]\npaths = [\"*.md\"]")));
    assert_eq!(yard.run(&[&notes]).landed, [notes]);
}

#[test]
fn changes_that_take_each_other_back_land_one_by_one() {
    let mut yard = Yard::new("command = [\"true\"]\npaths = [\"src/**\"]");
    let (there, work) = (yard.request("there", &[("src/a.txt", "a")]), yard.work());
    // The second begins at the first and takes it back.
    yard.sandbox.git(&work, &["rm", "-q", "src/a.txt"]).ok();
    yard.sandbox.git(&work, &["commit", "-qm", "back"]).ok();
    let back = yard.request_head("back", &["src/a.txt"]);
    assert_eq!(yard.run(&[&there, &back]).landed, [there]);
    assert_eq!(yard.run(&[&back]).landed, [back]);
    assert_eq!(yard.files(), ["lines.txt"]);
}

#[test]
fn what_the_policy_left_out_is_named_when_no_other_gate_is_about_a_change() {
    let mut yard = Yard::new(PASS);
    yard.site.bench.gates.clear();
    yard.site.left_out = vec!["test".into()];
    let mr = yard.file("a");
    assert_eq!(yard.run(&[&mr]), Report::default());
    let why = yard.get(&mr).mr.why.expect("why");
    assert!(why.contains("the policy left out test"), "{why}");
}

#[test]
fn a_worktree_whose_folder_is_away_for_a_moment_stays_known_when_a_scratch_is_made() {
    let mut yard = Yard::new(PASS);
    let repo = yard.repo();
    let tip = repo.oid_of("refs/remotes/origin/main").expect("read").expect("main");
    let (tree, away) = (yard.sandbox.path().join("polecat"), yard.sandbox.path().join("away"));
    repo.worktree_add(&tree, "gt/toast/ap-1", tip).expect("worktree");
    std::fs::rename(&tree, &away).expect("away");
    let mr = yard.file("a");
    assert_eq!(yard.run(&[&mr]).landed, [mr]);
    std::fs::rename(&away, &tree).expect("back");
    assert_eq!(yard.sandbox.git(&tree, &["status", "--short"]).ok(), "");
}

#[test]
fn nothing_is_begun_while_it_is_not_known_whether_the_last_push_arrived() {
    let mut yard = Yard::new(PASS);
    let (a, b) = (yard.file("a"), yard.file("b"));
    let tip = yard.get(&a).mr.commit;
    let intent = push::Intent {
        target: "main".into(),
        old: yard.head(),
        new: tip.clone(),
        members: vec![(a.clone(), tip.clone())],
        at: now(),
    };
    let half_way = yard.store.write(&stamp(), |w| {
        for event in [
            queue::Event::Taken,
            queue::Event::Built { commit: tip.clone() },
            queue::Event::Passed { commit: tip.clone() },
        ] {
            queue::step(w, &a, event, &queue::Words::default())?;
        }
        Ok::<_, queue::QueueError>(push::put(w, &yard.site.rig, &intent)?)
    });
    half_way.expect("half way");
    let (here, away) = (yard.sandbox.path().join("remote.git"), yard.sandbox.path().join("away.git"));
    std::fs::rename(&here, &away).expect("moved away");
    assert!(yard.settle().paused.expect("paused").contains("no repository at"));
    // It is back before anybody has looked again.
    std::fs::rename(&away, &here).expect("back");
    let report = yard.run(&[&b]);
    assert_eq!(report.landed, []);
    assert!(report.paused.expect("paused").contains("not known yet"));
    assert_eq!(yard.state(&b), State::Queued);
    let other = push::Intent { members: vec![(b.clone(), tip.clone())], ..intent.clone() };
    yard.store.write(&stamp(), |w| push::put(w, &yard.site.rig, &other)).expect_err("it is not written over");
    assert_eq!(yard.store.read(|r| push::get(r, &yard.site.rig)).expect("read"), Some(intent));
    yard.settle();
    assert_eq!(yard.run(&[&a, &b]).landed, [a, b]);
}

#[test]
fn a_change_that_the_remote_does_not_take_keeps_the_others_no_longer_than_a_moment() {
    let mut yard = Yard::new(PASS);
    let hook = yard.sandbox.path().join("remote.git/hooks/pre-receive");
    let script = "#!/bin/sh\nwhile read old new ref; do git ls-tree --name-only $new | grep -q bad.txt && exit 1; done\nexit 0\n";
    super::town::write(&hook, script);
    yard.sandbox.run("chmod", yard.sandbox.path(), &["+x", &hook.display().to_string()]).ok();
    let (bad, good, other) = (yard.file("bad"), yard.file("good"), yard.file("other"));
    let report = yard.run(&[&bad, &good, &other]);
    assert!(report.paused.expect("paused").contains("the remote refuses pushes to main"));
    assert_eq!(yard.state(&bad), State::Queued);
    let wait = yard.store.read(|r| wait::wait(r, &bad)).expect("read").expect("it waits");
    assert!(wait.holds(now(), Some(&yard.head())) && !wait.holds(now(), Some("another")), "{wait:?}");
    assert_eq!(yard.store.read(|r| wait::wait(r, &good)).expect("read"), None, "those are not held up");
    assert_eq!(yard.run(&[&good, &other]).landed, [good, other]);
}

#[test]
fn a_rig_without_a_gate_lands_nothing_and_says_so() {
    let mut yard = Yard::new(PASS);
    yard.site.bench.gates.clear();
    let (before, mr) = (yard.head(), yard.file("a"));
    yard.run(&[&mr]);
    assert_eq!((yard.state(&mr), yard.head()), (State::Queued, before));
    assert!(yard.paused().expect("paused").contains("no gate"));
    assert_eq!(yard.get(&mr).mr.why.as_deref(), Some("the rig has no gate"));
}

#[test]
fn when_the_target_itself_is_red_nobody_is_blamed_and_the_mender_lands() {
    let mut yard = Yard::new("command = \"test -f mended.txt\"");
    let (plain, mender) = (yard.file("plain"), yard.file("mended"));
    let report = yard.run(&[&plain]);
    assert_eq!(report, Report::default());
    assert_eq!(yard.state(&plain), State::Queued);
    let waits = yard.store.read(|r| wait::wait(r, &plain)).expect("read").expect("it waits");
    assert!(waits.why.contains("fails on main itself"), "{}", waits.why);
    assert_eq!(yard.run(&[&plain, &mender]).landed, [plain.clone(), mender], "together they pass");
    assert_eq!(yard.store.read(|r| wait::wait(r, &plain)).expect("read"), None);
}

#[test]
fn a_target_that_moves_during_the_gate_is_merged_in_and_tested_again() {
    let mut yard = Yard::new(PASS);
    let work = yard.work();
    // The gate's first run pushes to the target behind the queue's back.
    let script = format!(
        "test -f {0}/../moved && exit 0; touch {0}/../moved; cd {0} && git checkout -q -B other origin/main && \
         echo x > theirs.txt && git add . && git commit -qm theirs && git push -q origin other:main",
        work.display()
    );
    yard.site.bench.gates = vec![("test".into(), parse(&format!("command = '''{script}'''")))];
    let mr = yard.file("a");
    let report = yard.run(&[&mr]);
    assert_eq!(report.landed, [mr.clone()]);
    assert_eq!(yard.files(), ["a.txt", "lines.txt", "theirs.txt"]);
    assert_eq!(yard.gate_runs().len(), 2, "the new merge was tested too");
    assert_eq!(yard.gate_runs()[1].0, yard.head());
}

#[test]
fn a_queue_that_others_outrun_pauses_longer_each_time() {
    let mut yard = Yard::new(PASS);
    let work = yard.work();
    // Somebody pushes whenever the gate runs.
    let script = format!(
        "cd {} && git fetch -q && git checkout -q -B other origin/main && date +%N >> theirs.txt && \
         git add . && git commit -qm theirs && git push -q origin other:main",
        work.display()
    );
    yard.site.bench.gates = vec![("test".into(), parse(&format!("command = '''{script}'''")))];
    let mr = yard.file("a");
    for tries in 1..=2 {
        let report = yard.run(&[&mr]);
        assert_eq!(report.paused.as_deref(), Some("others push to main faster than it can be tested"));
        let pause = yard.store.read(|r| wait::pause(r, &yard.site.rig)).expect("read").expect("paused");
        assert_eq!((pause.tries, yard.state(&mr)), (tries, State::Queued));
    }
    yard.site.bench.gates = vec![("test".into(), parse(PASS))];
    assert_eq!(yard.run(&[&mr]).landed, [mr]);
    assert_eq!(yard.paused(), None);
}

#[test]
fn a_target_that_cannot_be_moved_or_is_gone_at_the_remote_pauses_the_queue_with_its_next_step() {
    let mut yard = Yard::new(PASS);
    let mr = yard.file("a");
    let remote = yard.sandbox.path().join("remote.git");
    let lock = remote.join("refs/heads/main.lock");
    let git = |yard: &Yard, args: &[&str]| yard.sandbox.git(&remote, args).ok();
    std::fs::write(&lock, "").expect("locked");
    let locked = yard.run(&[&mr]).paused.expect("paused");
    assert!(locked.starts_with("the remote refuses pushes to main: "), "{locked}");
    assert!(locked.ends_with("main.lock': File exists."), "{locked}");
    let request = yard.get(&mr);
    assert!(request.mr.why.expect("why").starts_with(wait::REFUSED));
    assert_eq!(yard.store.read(|r| wait::wait(r, &mr)).expect("read"), None, "it is not about this change");
    std::fs::remove_file(&lock).expect("unlocked");
    git(&yard, &["branch", "-m", "main", "trunk"]);
    let gone = yard.run(&[&mr]).paused.expect("paused");
    let says = "the remote has no branch `main` any more (it has `trunk`): make `main` there again, or set `target` in \
                rig.toml";
    assert_eq!((gone.as_str(), yard.get(&mr).mr.why.as_deref()), (says, Some(says)));
    assert_eq!((yard.paused().as_deref(), yard.state(&mr)), (Some(says), State::Queued));
    assert_eq!(yard.gate_runs().len(), 1, "what passed is not tested again");
    yard.site.target = "trunk".into();
    assert_eq!(yard.run(&[&mr]).landed, [mr]);
    assert_eq!(yard.paused(), None);
    assert_eq!(git(&yard, &["ls-tree", "--name-only", "trunk"]), "a.txt\nlines.txt");
}

#[test]
fn a_rig_that_holds_lands_only_what_a_person_accepted() {
    let mut yard = Yard::new(PASS);
    yard.site.landing = Landing::Hold;
    let (a, b) = (yard.file("a"), yard.file("b"));
    let before = yard.head();
    let report = yard.run(&[&a, &b]);
    assert_eq!(report.held, [a.clone()], "one by one: whoever reviews must see each by itself");
    assert_eq!((yard.state(&b), yard.head()), (State::Queued, before));
    yard.store.write(&stamp(), |w| queue::accept(w, &a)).expect("accepted");
    let report = yard.run(&[&a]);
    assert_eq!(report.landed, [a.clone()]);
    assert_eq!(yard.get(&a).mr.approved.expect("kept").by, "tester");
    assert_eq!(yard.gate_runs().len(), 1, "the same tree is not tested twice");
}

#[test]
fn what_a_dead_daemon_left_is_finished_or_taken_back_and_never_done_twice() {
    // It died after the push and before the record.
    let mut yard = Yard::new(PASS);
    let (a, b) = (yard.file("a"), yard.file("b"));
    yard.run(&[&a, &b]);
    let landed = yard.head();
    let intent = push::Intent {
        target: "main".into(),
        old: String::new(),
        new: landed.clone(),
        members: vec![(a.clone(), landed.clone()), (b.clone(), landed.clone())],
        at: now(),
    };
    yard.store.write(&stamp(), |w| push::put(w, &yard.site.rig, &intent)).expect("intent");
    yard.settle();
    assert_eq!(yard.head(), landed, "nothing is pushed again");
    assert_eq!(yard.store.read(|r| push::get(r, &yard.site.rig)).expect("read"), None);

    // It died before the push arrived.
    let c = yard.file("c");
    let event =
        |e| move |w: &mut gastown::store::Write<'_>, id: &BeadId| queue::step(w, id, e, &queue::Words::default());
    let tip = yard.get(&c).mr.commit;
    yard.store
        .write(&stamp(), |w| {
            event(queue::Event::Taken)(w, &c)?;
            event(queue::Event::Built { commit: tip.clone() })(w, &c)?;
            event(queue::Event::Passed { commit: tip.clone() })(w, &c)?;
            let intent = push::Intent { new: tip.clone(), members: vec![(c.clone(), tip.clone())], ..intent.clone() };
            Ok::<_, queue::QueueError>(push::put(w, &yard.site.rig, &intent)?)
        })
        .expect("half way");
    assert_eq!(yard.state(&c), State::Pushing);
    yard.settle();
    assert_eq!((yard.state(&c), yard.head()), (State::Queued, landed));

    // The same, but the push did arrive: it is recorded, without a second merge.
    yard.store
        .write(&stamp(), |w| {
            event(queue::Event::Taken)(w, &c)?;
            event(queue::Event::Built { commit: tip.clone() })(w, &c)?;
            event(queue::Event::Passed { commit: tip.clone() })(w, &c)?;
            let intent = push::Intent { new: tip.clone(), members: vec![(c.clone(), tip.clone())], ..intent };
            Ok::<_, queue::QueueError>(push::put(w, &yard.site.rig, &intent)?)
        })
        .expect("half way");
    let work = yard.work();
    yard.sandbox.git(&work, &["push", "--quiet", "--force", "origin", &format!("{tip}:main")]).ok();
    let report = yard.settle();
    assert_eq!(report.landed, [c.clone()]);
    assert!(yard.closed(&c));
    assert_eq!(yard.head(), tip);

    // It died while the gate ran.
    let d = yard.file("d");
    yard.store.write(&stamp(), |w| event(queue::Event::Taken)(w, &d)).expect("taken");
    yard.settle();
    assert_eq!(yard.state(&d), State::Queued);
}

#[test]
fn a_source_that_is_on_the_target_already_is_merged_without_a_push() {
    let mut yard = Yard::new(PASS);
    let mr = yard.file("a");
    let (work, commit) = (yard.work(), yard.get(&mr).mr.commit);
    yard.sandbox.git(&work, &["push", "--quiet", "origin", &format!("{commit}:main")]).ok();
    assert_eq!(yard.run(&[&mr]).landed, [mr.clone()]);
    assert_eq!((yard.head(), yard.closed(&mr)), (commit, true));
    assert_eq!(yard.gate_runs(), []);
}

#[test]
fn a_change_that_leaves_the_target_as_it_is_goes_back_and_is_never_called_merged() {
    for landing in [Landing::Direct, Landing::Hold] {
        let mut yard = Yard::new(PASS);
        yard.site.landing = landing;
        let work = yard.work();
        let git = |yard: &Yard, args: &[&str]| yard.sandbox.git(&work, args).ok();
        // One that takes back what it adds, one without any content, and one that somebody landed by other means.
        let add = yard.file("a");
        git(&yard, &["rm", "--quiet", "a.txt"]);
        git(&yard, &["commit", "--quiet", "-m", "gone"]);
        let taken_back = yard.request_head("b", &[]);
        git(&yard, &["checkout", "--quiet", "--detach", "main"]);
        git(&yard, &["commit", "--quiet", "--allow-empty", "-m", "empty"]);
        let empty = yard.request_head("c", &[]);
        git(&yard, &["checkout", "--quiet", "--detach", "main"]);
        std::fs::write(work.join("a.txt"), "a").expect("write");
        git(&yard, &["add", "."]);
        git(&yard, &["commit", "--quiet", "-m", "the same by other means"]);
        git(&yard, &["push", "--quiet", "origin", "HEAD:main"]);
        let head = yard.head();
        for (mr, why) in [
            (&add, "main has the same content already"),
            (&taken_back, "its commits together come to nothing"),
            (&empty, "its commits together come to nothing"),
        ] {
            let report = yard.run(&[mr]);
            assert_eq!((&report.nothing, &report.landed), (&vec![mr.clone()], &Vec::new()), "{report:?}");
            let request = yard.get(mr);
            assert_eq!((request.state(), &request.mr.landed), (State::Rejected, &None));
            let said = request.mr.why.expect("a reason");
            assert!(said.contains(&format!("changes nothing against main: {why}")), "{said}");
            assert!(said.contains("gt done --no-change REASON"), "{said}");
            assert!(!yard.closed(mr), "its bead is not done");
        }
        assert_eq!((yard.head(), yard.gate_runs()), (head, Vec::new()));
    }
}

#[test]
fn a_remote_that_is_away_changes_nothing_and_is_tried_again_later() {
    let mut yard = Yard::new(PASS);
    let mr = yard.file("a");
    let (here, away) = (yard.sandbox.path().join("remote.git"), yard.sandbox.path().join("away.git"));
    std::fs::rename(&here, &away).expect("moved away");
    let report = yard.run(&[&mr]);
    assert!(report.paused.is_some());
    assert_eq!(yard.state(&mr), State::Queued);
    std::fs::rename(&away, &here).expect("back");
    assert_eq!(yard.run(&[&mr]).landed, [mr]);
    assert_eq!(yard.paused(), None);
}
