//! Nothing is lost: each state that a work tree can be in, times each way to remove it.

use std::collections::BTreeSet;
use std::fs;

use super::fixture::Fixture;
use super::{GitError, Retire, worktree_state};

/// Relative to the fixture.
const TREE: &str = "polecats/toast";
const BRANCH: &str = "gt/toast/gt-a1";
const AGENT: &str = "app/polecats/toast";

type Setup = (&'static str, fn(&Fixture));

fn commit(f: &Fixture, file: &str, text: &str) {
    f.write(&format!("{TREE}/{file}"), text);
    f.git(TREE, &["add", "-A"]);
    f.git(TREE, &["commit", "-qm", text]);
}

fn side(f: &Fixture) {
    f.git(TREE, &["switch", "-q", "-c", "side"]);
    commit(f, "README.md", "side\n");
    f.git(TREE, &["switch", "-q", BRANCH]);
    commit(f, "README.md", "ours\n");
}

const STATES: &[Setup] = &[
    ("untouched", |_| {}),
    ("dirty", |f| f.write("polecats/toast/README.md", "dirty\n")),
    ("staged", |f| {
        f.write("polecats/toast/README.md", "staged\n");
        f.git(TREE, &["add", "README.md"]);
    }),
    ("staged, then changed again", |f| {
        f.write("polecats/toast/README.md", "staged\n");
        f.git(TREE, &["add", "README.md"]);
        f.write("polecats/toast/README.md", "later\n");
    }),
    ("staged, then deleted", |f| {
        f.write("polecats/toast/new.txt", "only in the index\n");
        f.git(TREE, &["add", "new.txt"]);
        fs::remove_file(f.at("polecats/toast/new.txt")).expect("remove");
    }),
    ("staged, then put back", |f| {
        f.write("polecats/toast/README.md", "only in the index\n");
        f.git(TREE, &["add", "README.md"]);
        f.write("polecats/toast/README.md", "hello\n");
    }),
    ("untracked", |f| f.write("polecats/toast/a/deep file.txt", "untracked\n")),
    ("deleted", |f| fs::remove_file(f.at("polecats/toast/README.md")).expect("remove")),
    ("unpushed", |f| commit(f, "a.txt", "one\n")),
    ("unpushed and dirty", |f| {
        commit(f, "a.txt", "one\n");
        f.write("polecats/toast/a.txt", "two\n");
    }),
    ("detached", |f| {
        f.git(TREE, &["checkout", "-q", "--detach"]);
        commit(f, "a.txt", "detached\n");
    }),
    ("detached and left behind", |f| {
        f.git(TREE, &["checkout", "-q", "--detach"]);
        commit(f, "a.txt", "left behind\n");
        f.git(TREE, &["switch", "-q", BRANCH]);
    }),
    ("reset away", |f| {
        commit(f, "a.txt", "reset away\n");
        f.git(TREE, &["reset", "-q", "--hard", "HEAD~1"]);
    }),
    ("amended", |f| {
        commit(f, "a.txt", "first try\n");
        f.write("polecats/toast/a.txt", "second try\n");
        f.git(TREE, &["commit", "-qa", "--amend", "-m", "second"]);
    }),
    ("stashed", |f| {
        f.write("polecats/toast/README.md", "stashed\n");
        f.write("polecats/toast/new.txt", "stashed, untracked\n");
        f.git(TREE, &["stash", "push", "-q", "-u"]);
        f.write("polecats/toast/README.md", "stashed again\n");
        f.git(TREE, &["stash", "push", "-q", "-m", "second"]);
    }),
    ("merge in progress", |f| {
        side(f);
        assert!(!f.try_git(TREE, &["merge", "side"]));
        f.write("polecats/toast/README.md", "half resolved\n");
    }),
    ("merge in progress, both deleted and added", |f| {
        side(f);
        f.git(TREE, &["switch", "-q", "side"]);
        commit(f, "x.txt", "theirs\n");
        f.git(TREE, &["switch", "-q", BRANCH]);
        commit(f, "x.txt", "ours\n");
        assert!(!f.try_git(TREE, &["merge", "side"]));
        f.write("polecats/toast/z.txt", "staged in the middle\n");
        f.git(TREE, &["add", "z.txt"]);
        f.write("polecats/toast/z.txt", "and changed\n");
    }),
    ("rebase in progress", |f| {
        side(f);
        commit(f, "b.txt", "more\n");
        assert!(!f.try_git(TREE, &["rebase", "side"]));
    }),
    ("cherry-pick in progress", |f| {
        side(f);
        f.git(TREE, &["branch", "-q", "-m", "side", "picked"]);
        assert!(!f.try_git(TREE, &["cherry-pick", "picked"]));
        f.git(TREE, &["branch", "-q", "-D", "picked"]);
    }),
    ("nested repository", |f| {
        f.git(TREE, &["init", "-q", "inner"]);
        f.write("polecats/toast/inner/a.txt", "committed inside\n");
        f.git("polecats/toast/inner", &["add", "-A"]);
        f.git("polecats/toast/inner", &["commit", "-qm", "inside"]);
        f.write("polecats/toast/inner/b.txt", "untracked inside\n");
    }),
    ("nested repository without a commit", |f| {
        f.git(TREE, &["init", "-q", "empty"]);
        f.write("polecats/toast/empty/b.txt", "untracked in an empty one\n");
    }),
    ("forced over the ignore rules", |f| {
        f.write("polecats/toast/ignored/kept.txt", "added with -f\n");
        f.git(TREE, &["add", "-f", "ignored/kept.txt"]);
        f.write("polecats/toast/ignored/kept.txt", "added with -f, changed\n");
    }),
    ("read-only folder", |f| {
        use std::os::unix::fs::PermissionsExt;
        f.write("polecats/toast/ro/file.txt", "in a read-only folder\n");
        fs::set_permissions(f.at("polecats/toast/ro"), fs::Permissions::from_mode(0o555)).expect("chmod");
    }),
];

/// Every commit and blob that the work tree can reach, its files included.
fn contents(f: &Fixture) -> BTreeSet<String> {
    // Conflict markers between two sides that are kept: git's own scratch, not contents.
    f.git(TREE, &["update-ref", "-d", "AUTO_MERGE"]);
    let listed = f.git(TREE, &["rev-list", "--objects", "--all", "--reflog", "--indexed-objects", "HEAD"]);
    let mut all: BTreeSet<String> = listed.lines().filter_map(|l| l.split(' ').next()).map(str::to_owned).collect();
    let mut folders = vec![f.at(TREE)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("list").map(|e| e.expect("entry")) {
            let path = entry.path();
            if path.is_dir() && entry.file_name() != ".git" {
                folders.push(path);
            } else if path.is_file() && entry.file_name() != ".git" {
                all.insert(f.git("", &["hash-object", path.to_str().expect("utf-8")]));
            }
        }
    }
    if f.at("polecats/toast/inner").exists() {
        all.insert(f.git("polecats/toast/inner", &["rev-parse", "HEAD"]));
    }
    all
}

/// Everything that refs (not reflogs) keep.
fn kept(f: &Fixture) -> BTreeSet<String> {
    let listed = f.git(".repo.git", &["rev-list", "--objects", "--all"]);
    listed.lines().filter_map(|l| l.split(' ').next()).map(str::to_owned).collect()
}

/// Of `before`, what is not kept. Trees of an index are no contents by themselves.
fn lost(f: &Fixture, before: &BTreeSet<String>) -> Vec<String> {
    let gone = before.difference(&kept(f)).cloned().collect::<Vec<_>>();
    gone.into_iter().filter(|oid| f.git(".repo.git", &["cat-file", "-t", oid]) != "tree").collect()
}

fn retire(f: &Fixture, delete_branch: bool, dry_run: bool) -> Result<super::Retired, GitError> {
    let path = f.at(TREE);
    f.repo().retire(&Retire { worktree: &path, agent: AGENT, now: f.now, delete_branch, dry_run })
}

fn started() -> Fixture {
    let f = Fixture::new();
    let repo = f.repo();
    let main = repo.oid_of("refs/remotes/origin/main").expect("read").expect("main");
    repo.worktree_add(&f.at(TREE), BRANCH, main).expect("add");
    f
}

#[test]
fn no_commit_and_no_file_is_lost_whatever_state_the_tree_is_in() {
    for (name, setup) in STATES {
        for delete_branch in [false, true] {
            let f = started();
            setup(&f);
            let before = contents(&f);
            let result = retire(&f, delete_branch, false).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(!f.at(TREE).exists(), "{name}: the folder is there");
            assert!(f.repo().worktrees().expect("list").is_empty(), "{name}: git still knows it");
            let lost = lost(&f, &before);
            assert!(lost.is_empty(), "{name} (delete_branch: {delete_branch}): lost {lost:?}, {result:?}");
            let clean = ["untouched", "unpushed"].contains(name);
            assert!(!clean || result.preserved.clean, "{name}: {result:?}");
            let reachable_anyway = *name == "untouched" || *name == "unpushed" && !delete_branch;
            assert_eq!(result.preserved.saved.is_none(), reachable_anyway, "{name}: {result:?}");
            let gone = f.repo().oid_of(&format!("refs/heads/{BRANCH}")).expect("read").is_none();
            assert_eq!(gone, result.branch.is_some(), "{name}");
            // Again: nothing to do.
            assert_eq!(retire(&f, delete_branch, false).expect("again").removed, None, "{name}");
            assert_eq!(fs::read_dir(f.at(".repo.git/gt-trash")).expect("trash").count(), 0, "{name}");
        }
    }
}

#[test]
fn a_folder_that_is_gone_is_not_called_clean() {
    let f = started();
    fs::remove_dir_all(f.at(TREE)).expect("removed by somebody");
    let gone = retire(&f, false, false).expect("retired").preserved;
    assert!(!gone.clean && gone.saved.is_none(), "{gone:?}");
}

#[test]
fn a_dry_run_saves_and_says_the_same_and_removes_nothing() {
    let f = started();
    commit(&f, "a.txt", "one\n");
    f.write("polecats/toast/a.txt", "two\n");
    let dry = retire(&f, true, true).expect("dry run");
    assert_eq!(fs::read_to_string(f.at("polecats/toast/a.txt")).expect("file"), "two\n");
    let real = retire(&f, true, false).expect("real run");
    assert_eq!((dry.removed, dry.branch), (real.removed, real.branch));
}

#[test]
fn saving_does_not_touch_the_tree_and_is_not_repeated() {
    let f = started();
    f.write("polecats/toast/README.md", "staged\n");
    f.git(TREE, &["add", "README.md"]);
    f.write("polecats/toast/README.md", "later\n");
    f.write("polecats/toast/new.txt", "new\n");
    let before = (f.git(TREE, &["status", "--porcelain"]), worktree_state(&f.at(TREE)).expect("state"));
    let (repo, path) = (f.repo(), f.at(TREE));
    let saved = repo.preserve(&path, AGENT, f.now).expect("preserve").saved.expect("saved");
    assert_eq!(saved.files, ["README.md", "new.txt"]);
    assert_eq!(saved.refname, "refs/gt/preserve/app/polecats/toast/20260131T093000.25Z");
    assert_eq!((f.git(TREE, &["status", "--porcelain"]), worktree_state(&path).expect("state")), before);
    assert_eq!(repo.preserve(&path, AGENT, f.now.plus_millis(1000)).expect("preserve").saved, None);
    f.write("polecats/toast/new.txt", "newer\n");
    assert!(repo.preserve(&path, AGENT, f.now.plus_millis(2000)).expect("preserve").saved.is_some());
    assert_eq!(repo.saved(AGENT).expect("list").len(), 2);
}

#[test]
fn a_saved_tree_comes_back_as_it_was() {
    for (name, setup) in STATES.iter().filter(|(name, _)| !name.contains("progress") && !name.contains("nested")) {
        let f = started();
        setup(&f);
        let status = f.git(TREE, &["status", "--porcelain=v1", "--branch", "-uall"]);
        let before = contents(&f);
        let Some(saved) = retire(&f, true, false).expect("retire").preserved.saved else { continue };
        f.repo().restore(&saved.refname, &f.at(TREE)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(f.git(TREE, &["status", "--porcelain=v1", "--branch", "-uall"]), status, "{name}");
        assert_eq!(lost(&f, &before), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn an_interrupted_removal_is_finished_by_the_next() {
    let f = started();
    commit(&f, "a.txt", "one\n");
    f.write("polecats/toast/a.txt", "two\n");
    let before = contents(&f);
    retire(&f, true, true).expect("saved");
    // Killed between the two renames, with rubbish of an earlier one in the trash.
    fs::create_dir_all(f.at(".repo.git/gt-trash/worktree-old/files")).expect("mkdir");
    fs::rename(f.at(TREE), f.at(".repo.git/gt-trash/worktree-old/files/moved")).expect("rename");
    assert!(retire(&f, true, false).expect("retire").removed.is_some());
    assert!(f.repo().worktrees().expect("list").is_empty());
    assert_eq!(lost(&f, &before), Vec::<String>::new());
    assert_eq!(fs::read_dir(f.at(".repo.git/gt-trash")).expect("trash").count(), 0);
}

#[test]
fn a_ref_goes_only_when_its_commits_stay() {
    let f = Fixture::new();
    let repo = f.repo();
    let one = f.commit_on("refs/heads/one", None, &[("a", "1")]);
    let two = f.commit_on("refs/gt/mr/hq-1", Some(one), &[("a", "2")]);
    let refused = repo.delete_ref_if("refs/gt/mr/hq-1", two);
    assert!(matches!(&refused, Err(GitError::WouldLose { lost, .. }) if *lost == [two]), "{refused:?}");
    assert!(matches!(repo.delete_ref_if("refs/gt/mr/hq-1", one), Err(GitError::Moved { .. })));
    let saved = repo.keep("refs/gt/mr/hq-1", "app/refinery", f.now).expect("keep").expect("saved");
    assert_eq!(saved.commits, 1);
    repo.delete_ref_if("refs/gt/mr/hq-1", two).expect("delete");
    repo.delete_ref_if("refs/gt/mr/hq-1", two).expect("again");
    assert!(kept(&f).contains(&two.to_string()));
    repo.delete_ref_if("refs/heads/one", one).expect("one is below the saved commit");
}
