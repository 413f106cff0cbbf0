//! Clones of one tracker that exchange their ledgers through a bare repository, and are cut off anywhere.

use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::base::Prefix;
use crate::base::fault::tests::cut_off;
use crate::ledger::dump;
use crate::store::{Close, DepKind, NewBead, NewDep, Patch, ReadyQuery, StoreError, Write};

mod crossing;
mod import;

const START: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;

/// Some clones and a bare repository.
struct Clones {
    dir: tempfile::TempDir,
    stores: Vec<Store>,
    /// How far each clone's clock is off.
    shift: Vec<i64>,
    seconds: i64,
}

impl Clones {
    fn new(n: usize) -> Self {
        let dir = tempfile::tempdir().expect("temp folder");
        let made = Command::new("git").args(["init", "-q", "--bare"]).arg(dir.path().join("remote.git")).status();
        assert!(made.expect("git runs").success());
        let prefix = Prefix::new("gt").expect("prefix");
        let store = |n| Store::create(&dir.path().join(format!("{n}")), &prefix, Time::from_millis(START));
        let stores = (0..n).map(|n| store(n).expect("store")).collect();
        Self { dir, stores, shift: vec![0; n], seconds: 0 }
    }

    fn url(&self) -> String {
        self.dir.path().join("remote.git").display().to_string()
    }

    /// Who writes in a clone, a second after whatever was before, by its own clock.
    fn by(&mut self, clone: usize) -> Stamp {
        self.seconds += 1;
        let now = Time::from_millis(START + self.shift[clone] + self.seconds * 1000);
        Stamp::new(["ada", "bob", "cyd"][clone], now)
    }

    fn write<T>(&mut self, clone: usize, f: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> T {
        let by = self.by(clone);
        self.stores[clone].write(&by, f).expect("write")
    }

    fn add(&mut self, clone: usize, title: &str, parent: Option<&BeadId>) -> BeadId {
        let new = NewBead { parent: parent.cloned(), ..NewBead::titled(title) };
        self.write(clone, |w| Ok(w.create(new)?.id))
    }

    fn title(&mut self, clone: usize, id: &BeadId, title: &str) {
        let patch = Patch { title: Some(title.to_owned()), ..Patch::default() };
        self.write(clone, |w| w.update(id, patch).map(drop));
    }

    fn sync(&mut self, clone: usize) -> Synced {
        let (url, by) = (self.url(), self.by(clone));
        sync(&mut self.stores[clone], &Remote::at(&url), &by).expect("sync")
    }

    /// Syncs that are cut off at the `n`-th place; the clone is opened again as after a kill.
    fn cut_sync(&mut self, clone: usize, n: u32) {
        let (url, by) = (self.url(), self.by(clone));
        if let Some(done) = cut_off(n, || sync(&mut self.stores[clone], &Remote::at(&url), &by)) {
            done.expect("sync");
        }
        let folder: PathBuf = self.stores[clone].beads_dir().to_owned();
        self.stores[clone] = Store::open(&folder).expect("open");
    }

    fn sync_all(&mut self) {
        for _ in 0..2 {
            (0..self.stores.len()).for_each(|clone| drop(self.sync(clone)));
        }
    }

    fn dumps(&self) -> Vec<String> {
        self.stores.iter().map(|store| dump(store).expect("dump")).collect()
    }

    /// Asserts that all clones say the same, and gives it.
    fn agreed(&mut self) -> String {
        self.sync_all();
        let dumps = self.dumps();
        for other in &dumps[1..] {
            let mut pairs = dumps[0].lines().zip(other.lines());
            assert_eq!(pairs.find(|(a, b)| a != b), None, "the first difference");
            assert_eq!(dumps[0].len(), other.len());
        }
        for store in &self.stores {
            let ledger = crate::ledger::Ledger::open(store.beads_dir()).expect("open").expect("there");
            let files = ledger.read_all("gt").expect("files").collect::<Result<Vec<_>, _>>().expect("files");
            let mut files: Vec<String> =
                files.iter().map(|(_, doc)| crate::ledger::canonical(doc).expect("file")).collect();
            files.sort();
            let mut beads: Vec<String> = dumps[0].lines().map(|line| format!("{line}\n")).collect();
            beads.sort();
            assert_eq!(files, beads, "the ledger is what the store is");
        }
        dumps[0].clone()
    }

    fn bead(&self, clone: usize, id: &BeadId) -> crate::store::Bead {
        self.stores[clone].read::<_, StoreError>(|r| r.whole(id)).expect("bead")
    }

    fn ready(&self, clone: usize) -> Vec<String> {
        let ready = self.stores[clone].read::<_, StoreError>(|r| r.ready(&ReadyQuery::default())).expect("ready");
        ready.into_iter().map(|b| b.title).collect()
    }
}

#[test]
fn two_people_work_a_day_apart_and_lose_nothing() {
    // Bob's clock is a day behind, or a day ahead.
    for shift in [-DAY, DAY] {
        work_a_day_apart(shift);
    }
}

fn work_a_day_apart(shift: i64) {
    let mut t = Clones::new(2);
    let a = t.add(0, "parser", None);
    let b = t.add(0, "docs", None);
    let (old, kept) = (t.add(0, "old plan", None), t.add(0, "kept", None));
    let blocks = |to: &BeadId| NewDep::new(DepKind::BLOCKS, to.clone());
    t.write(0, |w| w.add_dep(&b, blocks(&kept)).map(drop));
    t.write(0, |w| w.add_label(&b, "stale"));
    t.sync(0);
    t.seconds += DAY / 1000;
    assert_eq!(t.sync(1).received, 4);
    // A day of work on both sides, apart from one another.
    t.shift[1] = shift;
    t.write(0, |w| w.remove_dep(&b, &kept, None).map(drop));
    t.write(1, |w| w.add_dep(&b, blocks(&old)).map(drop));
    t.write(1, |w| w.add_dep(&kept, blocks(&a)).map(drop));
    t.write(0, |w| w.remove_label(&b, "stale"));
    // One throws away what the other goes on with.
    t.write(0, |w| w.delete(&old, "no longer"));
    t.title(1, &old, "the new plan");
    t.write(1, |w| w.add_comment(&old, "still good"));
    t.write(1, |w| w.close(&a, Close::because("built")).map(drop));
    t.write(1, |w| w.add_comment(&b, "bob was here"));
    t.write(1, |w| w.add_label(&b, "red"));
    let from_bob = t.add(1, "found on the way", None);
    t.title(0, &b, "docs of the parser");
    t.write(0, |w| w.add_comment(&b, "ada was here"));
    let gone = t.add(0, "a mistake", None);
    t.write(0, |w| w.delete(&gone, "no"));
    t.seconds += DAY / 1000;
    assert_eq!((t.sync(0).received, t.sync(1).received > 0, t.sync(0).received > 0), (0, true, true));
    t.agreed();
    let docs = t.bead(0, &b);
    let said: Vec<&str> = docs.comments.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(
        (docs.title.as_str(), docs.labels.as_slice(), said.len()),
        ("docs of the parser", &["red".to_owned()][..], 2)
    );
    assert_eq!((t.bead(0, &a).close_reason.as_str(), t.bead(1, &gone).status.as_str()), ("built", "tombstone"));
    assert_eq!(t.bead(0, &from_bob).title, "found on the way");
    // What was removed stays away, what was added is there, and of what was deleted all that was said is still known.
    let ends = |bead: crate::store::Bead| bead.dependencies.into_iter().map(|d| d.depends_on_id).collect::<Vec<_>>();
    for clone in [0, 1] {
        let plan = t.bead(clone, &old);
        assert_eq!((plan.status.as_str(), plan.title.as_str()), ("tombstone", "the new plan"));
        assert_eq!(plan.comments.len(), 1);
        assert_eq!(ends(t.bead(clone, &kept)), std::slice::from_ref(&a));
        assert!(!ends(t.bead(clone, &b)).contains(&kept), "it was removed");
    }
    assert_eq!(t.ready(0), t.ready(1));
    // Nothing to do is nothing done.
    assert_eq!(t.sync(0), Synced::default());
}

#[test]
fn a_lock_that_git_left_in_a_sync_that_was_killed_keeps_no_sync_out() {
    let mut t = Clones::new(2);
    t.add(0, "one", None);
    t.sync(0);
    t.sync(1);
    let lock = t.stores[1].beads_dir().join("ledger.git/refs/remotes/sync/beads/gt.lock");
    std::fs::write(&lock, "").expect("lock");
    t.add(0, "two", None);
    t.sync(0);
    assert_eq!(t.sync(1).received, 1);
    assert!(!lock.exists());
}

#[test]
fn a_clock_that_is_a_day_ahead_does_not_win_for_ever() {
    let mut t = Clones::new(2);
    let id = t.add(0, "first", None);
    t.sync_all();
    t.shift[1] = DAY;
    t.title(1, &id, "by bob, tomorrow");
    t.sync(1);
    t.sync(0);
    // Ada has seen it: what she writes now is later, though her clock says otherwise. Bob's goes back, too.
    t.title(0, &id, "by ada, today");
    t.shift[1] = -DAY;
    t.sync(0);
    t.sync(1);
    t.title(1, &id, "by bob, yesterday");
    t.agreed();
    assert_eq!(t.bead(0, &id).title, "by bob, yesterday");
}

#[test]
fn a_child_id_that_two_clones_gave_goes_to_the_first_and_edges_follow_the_other() {
    let mut t = Clones::new(2);
    let epic = t.add(0, "epic", None);
    t.sync_all();
    let first = t.add(0, "ada's child", Some(&epic));
    let second = t.add(1, "bob's child", Some(&epic));
    assert_eq!(first, second);
    t.title(1, &second, "bob's child, told apart");
    let after = t.add(1, "after bob's child", None);
    t.write(1, |w| w.add_dep(&after, NewDep::new(DepKind::BLOCKS, second.clone())));
    t.sync(1);
    let renamed = t.sync(0).renamed;
    assert_eq!(renamed.len(), 1);
    let (from, to) = renamed[0].clone();
    assert_eq!(
        (&from, t.bead(0, &first).title.as_str(), t.bead(0, &to).title.as_str()),
        (&first, "ada's child", "bob's child, told apart")
    );
    t.agreed();
    assert_eq!(t.bead(1, &first).title, "ada's child");
    assert_eq!(t.bead(1, &after).dependencies[0].depends_on_id, to);
    for clone in [0, 1] {
        let ledger = crate::ledger::Ledger::open(t.stores[clone].beads_dir()).expect("ledger").expect("there");
        let told = ledger.history(&to).expect("history");
        let told: Vec<_> = told.iter().filter(|e| e.bead == from).map(|e| e.summary.as_str()).collect();
        assert!(told.len() >= 2 && told[0].contains("bob's child"), "its own transitions under the old id: {told:?}");
        assert!(told.iter().all(|summary| !summary.contains("ada's child")), "{told:?}");
        let count = t.stores[clone].read::<_, StoreError>(|r| r.epic_count(&epic)).expect("count");
        assert_eq!(count.total, 2);
        t.write(clone, |w| w.close([&first, &to][clone], Close::because("done")).map(drop));
    }
    t.agreed();
    assert!(t.ready(0).contains(&"after bob's child".to_owned()));
    assert_eq!(t.add(0, "next", Some(&epic)).as_str(), format!("{epic}.2"));
}

#[test]
fn a_circle_made_by_a_merge_is_kept_and_nobody_in_it_is_ready() {
    let mut t = Clones::new(2);
    let ids: Vec<BeadId> = ["a", "b", "c", "d", "free"].iter().map(|title| t.add(0, title, None)).collect();
    t.sync_all();
    let edge = |kind: DepKind, to: &BeadId| NewDep::new(kind, to.clone());
    t.write(0, |w| w.add_dep(&ids[0], edge(DepKind::BLOCKS, &ids[1])));
    t.write(1, |w| w.add_dep(&ids[1], edge(DepKind::BLOCKS, &ids[0])));
    t.write(0, |w| w.add_dep(&ids[2], edge(DepKind::PARENT_CHILD, &ids[3])));
    t.write(1, |w| w.add_dep(&ids[3], edge(DepKind::PARENT_CHILD, &ids[2])));
    t.agreed();
    assert_eq!((t.ready(0), t.ready(1)), (vec!["free".to_owned()], vec!["free".to_owned()]));
    // Cutting it frees them, here and there.
    t.write(0, |w| w.remove_dep(&ids[0], &ids[1], None));
    t.write(0, |w| w.remove_dep(&ids[2], &ids[3], None));
    t.agreed();
    assert_eq!((t.ready(0), t.ready(1)), (t.ready(1), ["a", "c", "d", "free"].map(str::to_owned).to_vec()));
}

#[test]
fn a_large_first_sync_is_staged_and_a_cut_one_leaves_nothing_in_the_way() {
    let mut t = Clones::new(2);
    let news: Vec<NewBead> = (0..1200).map(|n| NewBead::titled(format!("bead {n}"))).collect();
    t.write(0, |w| news.into_iter().try_for_each(|new| w.create(new).map(drop)));
    t.sync(0);
    for n in 0..12 {
        t.cut_sync(1, n);
        let seen = t.stores[1].read::<_, StoreError>(|r| r.count(&crate::store::Filter::default())).expect("count");
        assert!([0, 1200].contains(&seen), "all or nothing: {seen}");
    }
    t.agreed();
    assert!(t.stores[1].read::<_, StoreError>(|r| r.staged("sync")).expect("staged").is_empty());
}

#[test]
fn a_folder_that_was_copied_gets_a_name_of_its_own() {
    let mut t = Clones::new(1);
    t.add(0, "before", None);
    drain(&mut t.stores[0], None).expect("drain");
    let copy = t.dir.path().join("copy");
    let copied = Command::new("cp").arg("-r").arg(t.stores[0].beads_dir()).arg(&copy).status();
    assert!(copied.expect("cp runs").success());
    t.stores.push(Store::open(&copy).expect("open"));
    t.shift.push(0);
    t.add(0, "in the first", None);
    t.add(1, "in the copy", None);
    let both = t.agreed();
    assert!(both.contains("in the first") && both.contains("in the copy"));
    assert_ne!(t.stores[0].replica().expect("name"), t.stores[1].replica().expect("name"));
}

#[test]
fn what_the_remote_has_that_is_no_bead_is_named_and_does_no_harm() {
    let mut t = Clones::new(2);
    let id = t.add(0, "good", None);
    t.sync(0);
    let work = t.dir.path().join("work");
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(t.dir.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.args(["-c", "user.name=x", "-c", "user.email=x@y"]);
        assert!(command.args(args).status().expect("git runs").success(), "{args:?}");
    };
    git(&["clone", "-q", "-b", "beads/gt", "remote.git", "work"]);
    let odd = BeadId::new("gt-odd").expect("id");
    let (outer, inner, name) = layout::path(&odd);
    std::fs::create_dir_all(work.join(&outer).join(&inner)).expect("folder");
    std::fs::write(work.join(outer).join(inner).join(name), "{\"id\": 7").expect("write");
    std::fs::write(work.join("README"), "by hand").expect("write");
    let (outer, inner, name) = layout::path(&id);
    std::fs::write(work.join(outer).join(inner).join(name), b"\xff\xfe").expect("write");
    git(&["-C", "work", "add", "-A"]);
    git(&["-C", "work", "commit", "-qm", "by hand"]);
    git(&["-C", "work", "push", "-q"]);
    let done = t.sync(0);
    assert_eq!((done.left_out.len(), done.received), (3, 0), "{done:?}");
    assert_eq!(t.bead(0, &id).title, "good");
    t.title(0, &id, "mended");
    t.sync(0);
    t.sync(1);
    assert_eq!(t.bead(1, &id).title, "mended");
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Add { child: bool },
    Gate,
    Comment,
    Title,
    Label(bool),
    Dep(bool),
    Close,
    Reopen,
    Delete,
    Meta,
    Clock(i64),
    Drain,
    Sync,
    Cut(u32),
}

fn step() -> impl Strategy<Value = (usize, Step, usize, usize)> {
    let step = prop_oneof![
        3 => any::<bool>().prop_map(|child| Step::Add { child }),
        1 => Just(Step::Gate),
        2 => Just(Step::Comment),
        2 => Just(Step::Title),
        2 => any::<bool>().prop_map(Step::Label),
        3 => any::<bool>().prop_map(Step::Dep),
        2 => Just(Step::Close),
        1 => Just(Step::Reopen),
        1 => Just(Step::Delete),
        1 => Just(Step::Meta),
        1 => prop_oneof![Just(-DAY), Just(0), Just(DAY)].prop_map(Step::Clock),
        1 => Just(Step::Drain),
        2 => Just(Step::Sync),
        3 => (0..30_u32).prop_map(Step::Cut),
    ];
    (0..3_usize, step, any::<usize>(), any::<usize>())
}

/// Plays one step; what it acknowledged goes to `promised`.
fn play(t: &mut Clones, n: usize, (clone, step, x, y): (usize, Step, usize, usize), promised: &mut Vec<String>) {
    let ids = t.stores[clone].read::<_, StoreError>(|r| r.ledger_ids()).expect("ids");
    let pick = |x: usize| ids.get(x % ids.len().max(1)).cloned();
    // Whom something is about is said in its words, so that it can be seen in the end whether it still is.
    let title = |id: &BeadId| t.bead(clone, id).title;
    let (first, second) =
        (pick(x).map(|id| title(&id)).unwrap_or_default(), pick(y).map(|id| title(&id)).unwrap_or_default());
    let by = t.by(clone);
    let mut try_write = |f: &mut dyn FnMut(&mut Write<'_>) -> Result<(), StoreError>| {
        // What the rules of the store refuse is no part of the history.
        t.stores[clone].write(&by, |w| f(w)).is_ok()
    };
    match (step, pick(x)) {
        (Step::Add { child }, parent) => {
            let parent = parent.filter(|_| child);
            let design = parent.as_ref().map(|_| first).unwrap_or_default();
            let new = NewBead { parent, design, ..NewBead::titled(format!("title {n}.")) };
            if try_write(&mut |w| w.create(new.clone()).map(drop)) {
                promised.push(format!("title {n}."));
            }
        }
        (Step::Gate, Some(id)) => {
            let (design, issue_type) = (first, Some(crate::store::IssueType::GATE));
            let mut new = NewBead { design, issue_type, ..NewBead::titled(format!("gate {n}.")) };
            new.other.extend([("await_type".to_owned(), "bead".into()), ("await_id".to_owned(), id.as_str().into())]);
            try_write(&mut |w| w.create(new.clone()).map(drop));
        }
        (Step::Comment, Some(id)) => {
            if try_write(&mut |w| w.add_comment(&id, &format!("comment {n}. on {first}")).map(drop)) {
                promised.push(format!("comment {n}."));
            }
        }
        (Step::Title, Some(id)) => {
            let patch = Patch { notes: Some(format!("notes {n}")), priority: Some((y % 5) as u8), ..Patch::default() };
            try_write(&mut |w| w.update(&id, patch.clone()).map(drop));
        }
        (Step::Meta, Some(id)) => {
            let mut patch = Patch::default().with_meta(["k", "l"][y % 2], n);
            patch.other.insert("x_future".into(), n.into());
            try_write(&mut |w| w.update(&id, patch.clone()).map(drop));
        }
        (Step::Label(add), Some(id)) => {
            let label = ["red", "blue"][y % 2];
            try_write(&mut |w| if add { w.add_label(&id, label) } else { w.remove_label(&id, label) }.map(drop));
        }
        (Step::Dep(add), Some(id)) => {
            let kind = [DepKind::BLOCKS, DepKind::RELATED, DepKind::PARENT_CHILD, DepKind::WAITS_FOR][y % 4].clone();
            let Some(to) = pick(y) else { return };
            try_write(&mut |w| {
                if add {
                    let metadata = serde_json::json!({ "from": first, "to": second }).to_string();
                    w.add_dep(&id, NewDep { metadata, ..NewDep::new(kind.clone(), to.clone()) }).map(drop)
                } else {
                    w.remove_dep(&id, &to, None).map(drop)
                }
            });
        }
        (Step::Close, Some(id)) => _ = try_write(&mut |w| w.close(&id, Close::because(format!("done {n}"))).map(drop)),
        (Step::Reopen, Some(id)) => _ = try_write(&mut |w| w.reopen(&id, "").map(drop)),
        (Step::Delete, Some(id)) => _ = try_write(&mut |w| w.delete(&id, "gone")),
        (Step::Clock(shift), _) => t.shift[clone] = shift,
        (Step::Drain, _) => drop(drain(&mut t.stores[clone], None).expect("drain")),
        (Step::Sync, _) => drop(t.sync(clone)),
        (Step::Cut(n), _) => t.cut_sync(clone, n),
        (_, None) => {}
    }
}

/// No comment and no edge came to another bead, or leads to another one, than it was made for.
fn each_has_its_own(t: &Clones) -> Result<(), TestCaseError> {
    for id in t.stores[0].read::<_, StoreError>(|r| r.ledger_ids()).expect("ids") {
        let bead = t.bead(0, &id);
        let title = |id: &BeadId| t.bead(0, id).title;
        for comment in &bead.comments {
            prop_assert!(comment.text.ends_with(&format!(" on {}", bead.title)), "{} at {}", comment.text, bead.title);
        }
        for dep in &bead.dependencies {
            let (from, to) = match serde_json::from_str::<Value>(&dep.metadata) {
                Ok(said) => (
                    said["from"].as_str().unwrap_or_default().to_owned(),
                    said["to"].as_str().unwrap_or_default().to_owned(),
                ),
                Err(_) => (bead.title.clone(), bead.design.clone()),
            };
            prop_assert_eq!((&from, &to), (&bead.title, &title(&dep.depends_on_id)));
        }
        if let Ok(awaited) = BeadId::new(&bead.await_id) {
            prop_assert_eq!(title(&awaited), bead.design);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::base::tests::histories(8))]
    #[test]
    fn three_clones_that_are_cut_off_anywhere_agree_and_lose_nothing(
        steps in proptest::collection::vec(step(), 10..40)
    ) {
        let mut t = Clones::new(3);
        let mut promised = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            play(&mut t, n, step, &mut promised);
        }
        let all = if promised.is_empty() { String::new() } else { t.agreed() };
        for promise in promised {
            prop_assert!(all.contains(&promise), "`{promise}` was acknowledged and is gone");
        }
        each_has_its_own(&t)?;
        // What each clone counts is what its beads say: the same as in a store made anew.
        for clone in 0..3 {
            prop_assert_eq!(t.ready(clone), t.ready(0));
        }
    }
}
