//! Verbs of the town that are killed between any two of their steps: whoever comes next finishes them, nothing is
//! done twice, and nothing is lost.

use gastown::base::fault::Point;
use gastown::base::{Clock, SystemClock};
use gastown::store::Stamp;
use gastown::town::nudges::{self, Nudge};
use gastown::town::{agent, lifecycle};

use super::deeds::damage;
use super::{TestTown, write};
use crate::support::{Ran, eventually, finish};

/// The places that are tried here; all others are in the course of a `bd` command.
pub(crate) const POINTS: [Point; 12] = [
    Point::ActBegun,
    Point::SpawnTree,
    Point::SpawnTelling,
    Point::SpawnStarted,
    Point::NudgeIntended,
    Point::NudgeSent,
    Point::DoneHeld,
    Point::RetireStopped,
    Point::RetireKept,
    Point::BatchTested,
    Point::PushIntended,
    Point::PushArrived,
];

impl TestTown {
    fn landing_directly() -> Self {
        let town = Self::new();
        let path = town.root.join("app/rig.toml");
        let text = std::fs::read_to_string(&path).expect("rig.toml");
        write(&path, &text.replace("landing = \"hold\"", "landing = \"direct\""));
        town
    }

    /// Runs `gt` where a worker is, or in the town, and has it killed when it comes to `point`.
    fn killed(&self, point: Point, worker: Option<&str>, args: &[&str]) {
        let place = worker.map_or_else(|| self.root.clone(), |worker| self.worktree(worker));
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_gt"), &place);
        command.env("GT_FAULT", point.name()).args(args);
        let ran: Ran = finish(command, format!("gt {}", args.join(" ")));
        assert_eq!(ran.code, -1, "{} was not passed: {} {}", point.name(), ran.stdout, ran.stderr);
    }

    /// The town counts as up, and no other command has started a daemon before the one that is killed.
    pub(crate) fn up(&self) {
        let stamp = Stamp::new("test", SystemClock.now());
        self.store().write(&stamp, lifecycle::set_up).expect("up");
    }

    /// From now on workers write down all that is typed to them.
    fn with_listeners(&self, prompt: &str) {
        let path = self.root.join("town.toml");
        let text = std::fs::read_to_string(&path).expect("town.toml");
        let text = text.replace("runtime = \"idle\"", "runtime = \"listener\"");
        let run = "program = \"sh\"\nargs = [\"-c\", \"echo begun; exec cat >> ../heard\"]";
        write(&path, &format!("{text}\n[runtimes.listener]\n{run}\nprompt = \"{prompt}\"\n"));
    }

    /// What listeners have heard.
    fn heard(&self) -> String {
        eventually("a listener", || std::fs::read_to_string(self.root.join("app/polecats/heard")).ok())
    }

    /// One bead on the hook of one worker, who has committed a file to it.
    fn with_work(&self) -> (String, String) {
        let bead = self.bead("x");
        self.sling(&bead);
        let worker = self.working(1).remove(0);
        self.commit(&worker, "x.txt", "x\n");
        (bead, worker)
    }

    fn sessions(&self) -> usize {
        self.sandbox.processes().iter().filter(|what| what.contains("sleep 100000")).count()
    }

    /// The workers that have a session, once there is no intent any more.
    fn working(&self, n: usize) -> Vec<String> {
        eventually("the workers to work", || {
            let agents = self.agents();
            let name =
                |a: &serde_json::Value| a["address"].as_str().expect("address").rsplit('/').next().map(str::to_owned);
            let all = agents.iter().all(|a| a["state"] == "working");
            (all && agents.len() == n).then(|| agents.iter().filter_map(name).collect())
        })
    }

    /// Waits until a bead has landed and its worker is gone; its file is on the target, in exactly one commit.
    fn landed(&self, bead: &str, file: &str) {
        eventually("the bead to land", || (self.status_of(bead) == "closed").then_some(()));
        eventually("the worker to go", || self.agents().is_empty().then_some(()));
        let log = self.sandbox.git(&self.remote, &["log", "--no-merges", "--format=%H", "main", "--", file]).ok();
        assert_eq!(log.lines().count(), 1, "{file} came in exactly once: {log}");
        let merges = self.sandbox.git(&self.remote, &["log", "--merges", "--format=%H", "main"]).ok();
        assert_eq!(merges.lines().count(), 1, "{merges}");
        let doctor = self.bd(&["doctor", "--json"]).json();
        assert_eq!(doctor["findings"], serde_json::json!([]));
        self.gt(&["shutdown"]).ok();
        assert_eq!(self.sessions(), 0);
    }
}

#[test]
fn a_sling_that_is_killed_at_any_place_starts_one_worker_and_no_second() {
    for point in [Point::ActBegun, Point::SpawnTree, Point::SpawnStarted] {
        let town = TestTown::landing_directly();
        let bead = town.bead("x");
        town.killed(point, None, &["sling", &bead, "app", "--no-start"]);
        town.gt(&["start"]).ok();
        let workers = town.working(1);
        assert_eq!(town.sessions(), 1, "{}: {:?}", point.name(), town.sandbox.processes());
        town.commit(&workers[0], "x.txt", "x\n");
        town.hand_in(&workers[0]);
        town.landed(&bead, "x.txt");
    }
}

#[test]
fn a_word_whose_daemon_is_killed_is_never_said_twice_and_journaled_as_not_known() {
    for (point, heard) in [(Point::NudgeIntended, 0), (Point::NudgeSent, 1)] {
        let town = TestTown::new();
        town.with_listeners("none");
        town.sling(&town.bead("x"));
        let row = town.store().read(agent::all).expect("read").remove(0);
        let (to, at) = (row.address.clone(), SystemClock.now());
        let nudge = Nudge {
            key: "k".into(),
            to: to.clone(),
            bead: row.bead,
            text: "go on".into(),
            at,
            climb: None,
            begun: None,
        };
        town.store().write(&Stamp::new("app/witness", at), |w| nudges::put(w, &nudge)).expect("decided");
        town.up();
        // The worker is still to be started: the word waits for that.
        town.killed(point, None, &["daemon", "run"]);
        town.gt(&["start"]).ok();
        eventually("the word to be settled", || town.store().read(nudges::all).expect("read").is_empty().then_some(()));
        let events = town.store().read(|r| r.events_of(&to.to_string())).expect("read");
        let told: Vec<_> = events.iter().filter(|e| e.kind.as_str().starts_with("nudge")).collect();
        assert!(told.len() == 1 && told[0].payload.to_string().contains("not known"), "{}: {told:?}", point.name());
        let said = town.heard();
        assert_eq!(said.matches("go on").count(), heard, "{}: {said}", point.name());
        town.gt(&["shutdown"]).ok();
    }
}

#[test]
fn a_first_prompt_whose_typing_is_killed_is_not_typed_again_and_a_person_is_told() {
    for (point, heard) in [(Point::SpawnTelling, 0), (Point::SpawnStarted, 1)] {
        let town = TestTown::new();
        town.with_listeners("typed");
        town.killed(point, None, &["sling", &town.bead("x"), "app", "--no-start"]);
        town.gt(&["start"]).ok();
        let worker = town.working(1).remove(0);
        let said = town.heard();
        assert_eq!(said.matches("gt prime").count(), heard, "{}: {said}", point.name());
        let line = format!(
            "may not have been told to begin (whether it arrived is not known: who typed it ended meanwhile): gt polecat attach {worker}"
        );
        for command in ["status", "agents"] {
            let shown = town.gt(&[command]).ok();
            assert!(shown.contains(&line), "{command}: {shown}");
        }
        town.as_worker(&worker, &["step", "done"]).ok();
        assert!(!town.gt(&["status"]).ok().contains("told to begin"), "it gets on with its work");
        town.gt(&["shutdown"]).ok();
    }
}

#[test]
fn work_whose_handing_in_is_killed_is_handed_in() {
    let town = TestTown::landing_directly();
    let (bead, worker) = town.with_work();
    town.all_steps(&worker);
    town.killed(Point::DoneHeld, Some(&worker), &["done"]);
    assert_eq!(town.status_of(&bead), "in_progress");
    town.gt(&["start"]).ok();
    town.landed(&bead, "x.txt");
}

#[test]
fn work_whose_handing_in_is_killed_while_git_holds_a_lock_is_handed_in() {
    let town = TestTown::landing_directly();
    let (bead, worker) = town.with_work();
    town.all_steps(&worker);
    town.killed(Point::DoneHeld, Some(&worker), &["done"]);
    // As if it had been killed a moment earlier: the lock is there, the ref not yet.
    let repo = town.root.join("app/.repo.git");
    let held = town.sandbox.git(&repo, &["for-each-ref", "--format=%(refname)", "refs/gt/mr"]).ok();
    town.sandbox.git(&repo, &["update-ref", "-d", &held]).ok();
    write(&repo.join(format!("{held}.lock")), "");
    town.gt(&["start"]).ok();
    town.landed(&bead, "x.txt");
}

#[test]
fn a_worker_whose_git_was_killed_can_commit_when_it_is_back() {
    let town = TestTown::new();
    let (_, worker) = town.with_work();
    town.gt(&["shutdown"]).ok();
    let branch = town.sandbox.git(&town.worktree(&worker), &["symbolic-ref", "HEAD"]).ok();
    let tree = format!("worktrees/{worker}");
    for lock in [format!("{tree}/index.lock"), format!("{tree}/HEAD.lock"), format!("{branch}.lock")] {
        write(&town.root.join("app/.repo.git").join(lock), "");
    }
    town.gt(&["start"]).ok();
    eventually("the worker is back", || (town.agents()[0]["running"] == true).then_some(()));
    town.commit(&worker, "y.txt", "y\n");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_worker_whose_taking_down_is_killed_goes_and_all_that_it_made_is_there_for_the_next() {
    for point in [Point::RetireStopped, Point::RetireKept] {
        let town = TestTown::landing_directly();
        let (bead, first) = town.with_work();
        std::fs::write(town.worktree(&first).join("notes"), "not committed\n").expect("file");
        town.killed(point, None, &["unsling", &bead, "--requeue"]);
        town.gt(&["start"]).ok();
        let workers = || town.show(&bead)["metadata"]["workers"].as_i64();
        eventually("the next worker", || (workers() == Some(2)).then_some(()));
        let second = town.working(1).remove(0);
        let tree = town.worktree(&second);
        assert_eq!(std::fs::read_to_string(tree.join("x.txt")).expect("x.txt"), "x\n", "{}", point.name());
        let kept = town.show(&bead)["metadata"]["left_off_files"].as_str().expect("a ref").to_owned();
        assert_eq!(town.sandbox.git(&tree, &["show", &format!("{kept}:notes")]).ok(), "not committed");
        town.hand_in(&second);
        town.landed(&bead, "x.txt");
    }
}

#[test]
fn a_batch_whose_daemon_is_killed_at_any_place_lands_once() {
    for point in [Point::BatchTested, Point::PushIntended, Point::PushArrived] {
        let town = TestTown::landing_directly();
        let (bead, worker) = town.with_work();
        town.hand_in(&worker);
        town.up();
        town.killed(point, None, &["daemon", "run"]);
        assert_eq!(town.status_of(&bead), "in_progress");
        town.gt(&["start"]).ok();
        town.landed(&bead, "x.txt");
    }
}

#[test]
fn a_push_of_which_nothing_can_be_read_is_found_out_anew_on_a_persons_word() {
    for point in [Point::PushIntended, Point::PushArrived] {
        let town = TestTown::landing_directly();
        let (bead, worker) = town.with_work();
        town.hand_in(&worker);
        town.up();
        town.killed(point, None, &["daemon", "run"]);
        damage(&town, "push", "app");
        let waits = "queue waits: what was written of its last push cannot be read";
        let status = town.gt(&["status"]).ok();
        assert!(status.contains(waits) && status.contains("to go on: gt queue retry"), "{status}");
        let queue = town.gt(&["queue"]).ok();
        assert!(queue.contains("paused: what was written of its last push cannot be read"), "{queue}");
        town.gt(&["start"]).ok();
        let paused = || town.gt(&["queue", "--json"]).json()[0]["paused"]["why"].as_str().map(str::to_owned);
        let why = eventually("the queue to say why it waits", paused);
        assert!(why.contains("gt queue retry"), "{why}");
        assert_eq!(town.gt(&["status"]).ok().matches("cannot be read").count(), 1, "once");
        town.gt(&["queue", "retry"]).ok();
        town.landed(&bead, "x.txt");
    }
}

#[test]
fn a_change_whose_going_back_is_killed_at_any_place_goes_back_once() {
    for point in [Point::ActBegun, Point::SpawnTree, Point::SpawnStarted] {
        let town = TestTown::landing_directly();
        let (bead, worker) = town.with_work();
        let (mr, _) = town.hand_in(&worker);
        town.fail(&mr);
        town.up();
        town.killed(point, None, &["review", "back", &bead, "--comment", "try it so"]);
        goes_on_once(&town, &bead, &worker, "try it so", point);
    }
}

#[test]
fn a_change_that_a_policy_sends_back_goes_back_once_wherever_its_daemon_is_killed() {
    for point in [Point::ActBegun, Point::SpawnTree, Point::SpawnStarted] {
        let town = TestTown::landing_directly();
        let (bead, worker) = town.with_work();
        std::fs::write(town.worktree(&worker).join("Makefile"), "test:\n\tfalse it fails\n").expect("file");
        town.commit(&worker, "x.txt", "x\n");
        town.hand_in(&worker);
        town.up();
        town.killed(point, None, &["daemon", "run"]);
        goes_on_once(&town, &bead, &worker, "false it fails", point);
    }
}

#[test]
fn a_change_whose_content_somebody_else_landed_goes_back_to_its_worker_who_says_that_nothing_has_to_change() {
    let town = TestTown::landing_directly();
    let (bead, worker) = town.with_work();
    town.hand_in(&worker);
    let seed = town.sandbox.path().join("seed-remote.git");
    write(&seed.join("x.txt"), "x\n");
    town.sandbox.git(&seed, &["add", "-A"]).ok();
    town.sandbox.git(&seed, &["commit", "-q", "-m", "the same by other means"]).ok();
    town.sandbox.git(&seed, &["push", "-q", &town.remote.display().to_string(), "HEAD:main"]).ok();
    town.gt(&["start"]).ok();
    let step = || town.as_worker(&worker, &["hook", "--field", "step.name"]).ok();
    eventually("the change to come back", || (step() == "rework").then_some(()));
    let prime = town.as_worker(&worker, &["prime"]).ok();
    assert!(prime.contains("changes nothing against main: main has the same content already"), "{prime}");
    assert_ne!(town.status_of(&bead), "closed", "nothing of it was merged");
    let refused = town.as_worker(&worker, &["done"]).fails();
    assert!(refused.contains("main has the same content already"), "{refused}");
    town.as_worker(&worker, &["done", "--no-change", "somebody else did it"]).ok();
    assert_eq!(town.show(&bead)["close_reason"], "no change: somebody else did it");
    town.gt(&["shutdown"]).ok();
}

/// The bead is on its worker's hook again with one step that says why, in one session, and lands when it is mended.
fn goes_on_once(town: &TestTown, bead: &str, worker: &str, why: &str, point: Point) {
    town.gt(&["start"]).ok();
    assert_eq!(town.working(1), [worker], "{}", point.name());
    assert_eq!(town.sessions(), 1, "{}: {:?}", point.name(), town.sandbox.processes());
    assert_eq!(town.as_worker(worker, &["hook", "--field", "step.name"]).ok(), "rework", "{}", point.name());
    let steps = town.as_worker(worker, &["hook", "--field", "molecule.steps"]).ok();
    assert_eq!(steps.matches("rework").count(), 1, "{}: {steps}", point.name());
    assert!(town.as_worker(worker, &["prime"]).ok().contains(why), "{}", point.name());
    town.commit(worker, "Makefile", "test:\n\ttrue again\n");
    town.hand_in(worker);
    town.landed(bead, "x.txt");
}
