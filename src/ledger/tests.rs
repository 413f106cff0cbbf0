//! The ledger with a real store and real git, cut off at every point.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::base::{BeadId, Prefix, Time};
use crate::git::{Oid, Repo};
use crate::store::{Close, NewBead, OutboxRow, Patch, Stamp, Store, StoreError, Write};

struct Town {
    dir: tempfile::TempDir,
    store: Store,
    now: i64,
}

impl Town {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp folder");
        let prefix = Prefix::new("gt").expect("prefix");
        let store = Store::create(&dir.path().join(".beads"), &prefix, Time::from_millis(1_767_225_600_000));
        Self { store: store.expect("store"), dir, now: 1_767_225_600_000 }
    }

    fn beads(&self) -> PathBuf {
        self.dir.path().join(".beads")
    }

    fn write<T>(&mut self, f: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> T {
        self.now += 1_000;
        self.store.write(&Stamp::new("app/polecats/toast", Time::from_millis(self.now)), f).expect("write")
    }

    fn add(&mut self, title: &str) -> BeadId {
        self.write(|w| Ok(w.create(NewBead::titled(title))?.id))
    }

    fn outbox(&self) -> Vec<OutboxRow> {
        self.store.read(|r| r.outbox(0, 100_000)).expect("outbox")
    }

    fn drain(&mut self) -> Drained {
        drain(&mut self.store, None).expect("drain")
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.beads()).expect("open").expect("there")
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.beads().join("ledger.git"), args)
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", dir);
    let out = command.args(args).output().expect("git runs");
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// Each bead's newest file, as the outbox gave them.
fn newest(rows: &[OutboxRow]) -> BTreeMap<BeadId, String> {
    rows.iter().map(|r| (r.bead.clone(), r.doc.clone())).collect()
}

fn all(ledger: &Ledger, prefix: &str) -> BTreeMap<BeadId, String> {
    ledger.read_all(prefix).expect("tree").collect::<Result<_, _>>().expect("files")
}

#[test]
fn every_transition_is_a_commit_by_who_made_it() {
    let mut t = Town::new();
    let a = t.add("first");
    t.write(|w| w.update(&a, Patch { priority: Some(0), ..Patch::default() }).map(drop));
    t.write(|w| w.close(&a, Close::because("done")).map(drop));
    let b = t.write(|w| {
        let prefix = Some(Prefix::new("hq").expect("prefix"));
        Ok(w.create(NewBead { prefix, ..NewBead::titled("of the town") })?.id)
    });
    let rows = t.outbox();
    assert_eq!(t.drain(), Drained { commits: 4, left: false });
    assert!(t.outbox().is_empty());
    assert_eq!(t.drain(), Drained::default());

    let log = t.git(&["log", "--reverse", "--format=%an|%ad|%s", "--date=iso-strict", "refs/heads/beads/gt"]);
    let expected: Vec<String> = rows[..3]
        .iter()
        .map(|r| format!("app/polecats/toast|{}|{}", r.at.to_string().replace('Z', "+00:00"), r.summary))
        .collect();
    assert_eq!(log.replace("Z|", "+00:00|").lines().collect::<Vec<_>>(), expected);
    let ledger = t.ledger();
    assert_eq!(ledger.prefixes().expect("prefixes"), ["gt", "hq"]);
    assert_eq!(all(&ledger, "gt"), newest(&rows[..3]));
    assert_eq!(all(&ledger, "hq"), newest(&rows[3..]));
    let history = ledger.history(&a).expect("history");
    assert_eq!(history.len(), 3);
    assert_eq!(history[2].at, rows[2].at);
    assert_eq!(ledger.doc_at(&a, history[0].commit).expect("doc").as_deref(), Some(rows[0].doc.as_str()));
    assert_eq!(ledger.doc(&b).expect("doc").as_deref(), Some(rows[3].doc.as_str()));
    let files = t.git(&["ls-tree", "-r", "--name-only", "refs/heads/beads/gt"]);
    let (outer, inner, name) = layout::path(&a);
    assert_eq!(files, format!("{outer}/{inner}/{name}"));
    t.git(&["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn long_middling_and_short_backlogs_give_the_same_commits() {
    let mut t = Town::new();
    for n in 0..12 {
        let id = t.add(&format!("bead {n}"));
        t.write(|w| w.add_comment(&id, "two\nlines, ümlaut").map(drop));
    }
    let rows = t.outbox();
    let tips = |name: &str| -> Option<Oid> {
        let repo = Repo::create(&t.dir.path().join(name)).expect("create");
        let mut tips = BTreeMap::from([("refs/heads/beads/gt".to_owned(), None)]);
        // In two goes, so that both start on a branch that is there.
        for part in [&rows[..5], &rows[5..]] {
            let part: Vec<&OutboxRow> = part.iter().collect();
            match name {
                "fast" => fast::write(&repo, "r1", &part, &mut tips),
                "pack" => pack::write(&repo, "r1", &part, &mut tips, None),
                _ => direct::write(&repo, "r1", &part, &mut tips, None),
            }
            .expect(name);
        }
        git(&t.dir.path().join(name), &["fsck", "--strict", "--no-dangling"]);
        tips["refs/heads/beads/gt"]
    };
    let direct = tips("direct");
    assert!(direct.is_some());
    assert_eq!(direct, tips("pack"));
    assert_eq!(direct, tips("fast"));
}

#[test]
fn a_long_backlog_and_little_time_give_a_part_of_it_in_few_files() {
    let mut t = Town::new();
    let ids: Vec<BeadId> =
        t.write(|w| (0..400).map(|n| Ok(w.create(NewBead::titled(format!("bead {n}")))?.id)).collect());
    assert_eq!(last_drain(&t.beads()), None);
    let part = drain(&mut t.store, Some(Duration::from_millis(20))).expect("drain");
    assert!(part.left && part.commits > 0 && part.commits < 400, "{part:?}");
    assert!(last_drain(&t.beads()).is_some());
    assert_eq!(t.outbox().len(), 400 - part.commits);
    let loose = t.git(&["count-objects"]);
    assert!(loose.starts_with("0 objects") || part.commits < 16, "{loose} after {part:?}");
    assert_eq!(t.drain(), Drained { commits: 400 - part.commits, left: false });
    assert_eq!(all(&t.ledger(), "gt").len(), ids.len());
}

#[test]
fn a_drain_cut_off_before_it_is_acknowledged_is_not_repeated() {
    let mut t = Town::new();
    for n in 0..4 {
        t.add(&format!("bead {n}"));
    }
    let rows = t.outbox();
    let replica = t.store.replica().expect("replica");
    t.drain();
    // Rows committed and not acknowledged: by loose objects, then by fast-import.
    for (round, quick) in [false, true].into_iter().enumerate() {
        let ids: Vec<BeadId> = (0..3).map(|n| t.add(&format!("round {round}, {n}"))).collect();
        let repo = Repo::open(&t.beads().join("ledger.git")).expect("open");
        let waiting = t.outbox();
        let part: Vec<&OutboxRow> = waiting[..2].iter().collect();
        let branch = "refs/heads/beads/gt".to_owned();
        let mut tips = BTreeMap::from([(branch.clone(), repo.oid_of(&branch).expect("read"))]);
        if quick {
            fast::write(&repo, &replica, &part, &mut tips).expect("fast");
        } else {
            direct::write(&repo, &replica, &part, &mut tips, None).expect("direct");
        }
        t.write(|w| w.close(&ids[0], Close::because("done")).map(drop));
        assert_eq!(t.drain().commits, 2, "the third and the closing");
        assert!(t.outbox().is_empty());
        assert_eq!(t.ledger().history(&ids[0]).expect("history").len(), 2);
    }
    assert_eq!(t.ledger().log("gt").expect("log").len(), rows.len() + 8);
}

#[test]
fn objects_without_a_branch_do_no_harm() {
    let mut t = Town::new();
    t.add("first");
    t.drain();
    let id = t.add("second");
    let rows = t.outbox();
    let repo = Repo::open(&t.beads().join("ledger.git")).expect("open");
    // Died after the objects, before the branch moved: the same objects, unreachable.
    let tip = t.git(&["rev-parse", "refs/heads/beads/gt"]);
    let mut tips = BTreeMap::from([("refs/heads/beads/gt".to_owned(), Oid::from_str(&tip).ok())]);
    direct::write(&repo, &t.store.replica().expect("replica"), &[&rows[0]], &mut tips, None).expect("write");
    t.git(&["update-ref", "refs/heads/beads/gt", &tip]);
    assert_eq!(t.drain().commits, 1);
    assert_eq!(t.ledger().history(&id).expect("history").len(), 1);
}

#[test]
fn a_budget_is_kept_and_the_rest_is_done_later() {
    let mut t = Town::new();
    for n in 0..5 {
        t.add(&format!("bead {n}"));
    }
    let some = drain(&mut t.store, Some(Duration::ZERO)).expect("drain");
    assert!(some.commits >= 1 && some.commits < 5 && some.left, "{some:?}");
    assert_eq!(t.outbox().len(), 5 - some.commits);
    assert_eq!(t.drain(), Drained { commits: 5 - some.commits, left: false });
    let lock = std::fs::File::create(t.beads().join("ledger.lock")).expect("lock file");
    lock.lock().expect("lock");
    t.add("later");
    let busy = drain(&mut t.store, Some(Duration::from_millis(50))).expect("drain");
    assert_eq!(busy, Drained { commits: 0, left: true });
}

#[test]
fn a_lock_that_git_left_where_it_was_killed_keeps_nobody_out() {
    let mut t = Town::new();
    t.add("one");
    t.drain();
    let ledger = t.beads().join("ledger.git");
    for lock in ["refs/heads/beads/gt.lock", "packed-refs.lock"] {
        std::fs::write(ledger.join(lock), "").expect("lock");
    }
    t.add("two");
    assert_eq!(t.drain(), Drained { commits: 1, left: false });
    repack(&t.beads(), false).expect("packed");
    assert!(!ledger.join("packed-refs.lock").exists());
    t.add("three");
    assert_eq!(t.drain(), Drained { commits: 1, left: false });
}

#[test]
fn two_drains_at_once_commit_each_transition_once() {
    let mut t = Town::new();
    for n in 0..300 {
        t.add(&format!("bead {n}"));
    }
    let beads = t.beads();
    let made: usize = std::thread::scope(|s| {
        let one = || drain(&mut Store::open(&beads).expect("open"), None).expect("drain").commits;
        let threads: Vec<_> = (0..3).map(|_| s.spawn(one)).collect();
        threads.into_iter().map(|t| t.join().expect("thread")).sum()
    });
    assert_eq!((made, t.outbox().len()), (300, 0));
    assert_eq!(t.ledger().log("gt").expect("log").len(), 300);
}

#[test]
fn packing_keeps_everything() {
    let mut t = Town::new();
    let rows: Vec<OutboxRow> = (0..40)
        .flat_map(|n| {
            t.add(&format!("bead {n}"));
            let rows = t.outbox();
            t.drain();
            rows
        })
        .collect();
    for whole in [false, true] {
        let packed = repack(&t.beads(), whole).expect("repack").expect("there");
        assert!(whole || packed.after < packed.before / 4, "{packed:?}");
        assert_eq!(t.git(&["count-objects"]).split(' ').next(), Some("0"));
        assert_eq!(all(&t.ledger(), "gt"), newest(&rows));
    }
    t.add("after");
    assert_eq!(t.drain().commits, 1);
    assert!(!wants_repack(&t.beads()));
}

#[test]
fn a_ledger_that_is_ahead_of_a_new_store_is_added_to() {
    let mut t = Town::new();
    let old = t.add("before the loss");
    t.drain();
    let mut new = Town::new();
    std::fs::rename(t.beads().join("ledger.git"), new.beads().join("ledger.git")).expect("rename");
    // Its outbox starts from 1 again; its name is another.
    let id = new.add("after the loss");
    assert_eq!(new.drain().commits, 1);
    let beads: Vec<BeadId> = all(&new.ledger(), "gt").into_keys().collect();
    assert!(beads.contains(&old) && beads.contains(&id));
}

/// The process that is killed below: the same test, started again with the store's folder in its environment.
fn writer(beads: &str) {
    let mut store = Store::open(Path::new(&beads)).expect("open");
    for n in 0..10_000 {
        let stamp = Stamp::new("worker", Time::from_millis(1_767_225_600_000 + n * 1000));
        store.write(&stamp, |w| w.create(NewBead::titled(format!("bead {n}")))).expect("write");
        writeln!(std::io::stdout(), "written").expect("parent reads");
        if n % 3 == 2 {
            drain(&mut store, None).expect("drain");
        }
    }
}

#[test]
fn a_killed_process_only_delays_the_ledger() {
    if let Ok(beads) = std::env::var("LEDGER_TEST_BEADS") {
        return writer(&beads);
    }
    let mut t = Town::new();
    let mut promised = 0;
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().expect("exe"))
            .args([
                "--exact",
                "ledger::tests::a_killed_process_only_delays_the_ledger",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("LEDGER_TEST_BEADS", t.beads())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("spawn");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        // Killed right after the n-th promise: in the middle of a write or a drain.
        let kept = lines.map_while(Result::ok).filter(|l| l.ends_with("written")).take(5 + round).count();
        child.kill().expect("SIGKILL");
        child.wait().expect("wait");
        promised += kept;
    }
    t.drain();
    let beads = all(&t.ledger(), "gt");
    assert!(beads.len() >= promised, "{} of {promised}", beads.len());
    let log = t.ledger().log("gt").expect("log");
    assert_eq!(log.len(), beads.len(), "one commit for each");
    let stored = t.store.read(|r| r.count(&crate::store::Filter::default())).expect("count");
    assert_eq!(stored, beads.len());
    t.git(&["fsck", "--no-dangling"]);
}
