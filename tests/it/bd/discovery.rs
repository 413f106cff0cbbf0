//! Which tracker belongs to a folder, who acts, and what `bd init` leaves alone.

use std::collections::BTreeMap;
use std::path::Path;

use super::Repo;
use crate::support::Sandbox;

/// Every file below `dir` but git's index and the tracker, with its content.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut work = vec![dir.to_owned()];
    while let Some(folder) = work.pop() {
        for entry in std::fs::read_dir(&folder).expect("list").flatten() {
            let path = entry.path();
            if path.ends_with(".beads") || path.ends_with(".git/index") {
                continue;
            }
            if path.is_dir() {
                work.push(path);
            } else {
                all.insert(path.display().to_string(), std::fs::read(&path).expect("read"));
            }
        }
    }
    all
}

#[test]
fn init_changes_nothing_but_the_exclude_file() {
    let sandbox = Sandbox::new();
    let dir = sandbox.folder("my App");
    sandbox.git(&dir, &["init", "-q"]).ok();
    std::fs::write(dir.join("README"), "hello\n").expect("write");
    sandbox.git(&dir, &["add", "."]).ok();
    sandbox.git(&dir, &["commit", "-qm", "one"]).ok();
    let before = files(&dir);
    let made = sandbox.bd(&dir, &["init", "--json"]).json();
    assert_eq!(made["prefix"], "my-app");
    sandbox.bd(&dir, &["create", "x"]).ok();
    let mut after = files(&dir);
    let exclude = dir.join(".git/info/exclude").display().to_string();
    let old = String::from_utf8(before[&exclude].clone()).expect("text");
    let new = String::from_utf8(after.remove(&exclude).expect("exclude")).expect("text");
    assert!(new.starts_with(&old) && new.contains(".beads/beads.db*"), "{new}");
    let mut rest = before.clone();
    rest.remove(&exclude);
    assert_eq!(after, rest);
    assert_eq!(sandbox.git(&dir, &["status", "--porcelain"]).ok(), "");
    std::fs::write(dir.join(".beads/issues.jsonl"), "{}\n").expect("write");
    assert_eq!(sandbox.git(&dir, &["status", "--porcelain", "-uall"]).ok(), "?? .beads/issues.jsonl");
}

#[test]
fn folders_and_worktrees_of_a_repository_share_its_tracker() {
    let repo = Repo::new();
    std::fs::write(repo.dir.join("a"), "a").expect("write");
    repo.sandbox.git(&repo.dir, &["add", "a"]).ok();
    repo.sandbox.git(&repo.dir, &["commit", "-qm", "one"]).ok();
    repo.sandbox.git(&repo.dir, &["worktree", "add", "-q", "../other"]).ok();
    let other = repo.sandbox.path().join("other");
    let deep = repo.dir.join("src/deep");
    std::fs::create_dir_all(&deep).expect("folder");
    repo.sandbox.bd(&other, &["create", "from the worktree"]).ok();
    for dir in [&repo.dir, &other, &deep] {
        let found = repo.sandbox.bd(dir, &["where", "--json"]).json();
        assert_eq!(found["beads_dir"].as_str().map(Path::new), Some(repo.dir.join(".beads").as_path()), "{found}");
        assert!(repo.sandbox.bd(dir, &["list"]).ok().contains("from the worktree"));
    }
}

#[test]
fn a_folder_named_from_here_upwards_has_its_own_tracker() {
    let repo = Repo::new();
    let other = repo.sandbox.folder("other");
    let found = repo.bd(&["-C", "../other", "where", "--json"]).json();
    assert_eq!(found["beads_dir"].as_str().map(Path::new), Some(other.join(".beads").as_path()), "{found}");
    assert_eq!(repo.bd(&["-C", "../nowhere", "where"]).code, 4);
}

#[test]
fn worktrees_of_a_bare_repository_share_one_tracker() {
    let sandbox = Sandbox::new();
    let seed = sandbox.folder("seed");
    sandbox.git(&seed, &["init", "-q"]).ok();
    sandbox.git(&seed, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    sandbox.git(sandbox.path(), &["clone", "-q", "--bare", "seed", "app.git"]).ok();
    let bare = sandbox.path().join("app.git");
    for name in ["one", "two"] {
        sandbox.git(&bare, &["worktree", "add", "-q", "-b", name, &format!("../{name}")]).ok();
    }
    let (one, two) = (sandbox.path().join("one"), sandbox.path().join("two"));
    assert_eq!(sandbox.bd(&one, &["init", "--json"]).json()["prefix"], "app");
    let id = sandbox.bd(&one, &["create", "shared", "-q"]).ok();
    assert!(sandbox.bd(&two, &["show", &id]).ok().contains("shared"));
    assert_eq!(sandbox.git(&one, &["status", "--porcelain", "--ignored"]).ok(), "");
    // The repository out of sight, and a folder that points to it.
    let project = sandbox.folder("project");
    sandbox.git(&project, &["clone", "-q", "--bare", "../seed", ".bare"]).ok();
    std::fs::write(project.join(".git"), "gitdir: ./.bare\n").expect("a pointer");
    sandbox.git(&project, &["worktree", "add", "-q", "-b", "three", "three"]).ok();
    let three = project.join("three");
    sandbox.bd(&three, &["init"]).ok();
    let id = sandbox.bd(&three, &["create", "seen from above", "-q"]).ok();
    assert!(sandbox.bd(&project, &["show", &id]).ok().contains("seen from above"));
}

/// A town by hand: a `town.toml`, a tracker, one rig with its prefix.
fn town(sandbox: &Sandbox) -> std::path::PathBuf {
    let lone = sandbox.folder("lone");
    sandbox.bd(&lone, &["init", "--prefix", "hq"]).ok();
    let town = sandbox.folder("town");
    std::fs::write(town.join("town.toml"), "").expect("town.toml");
    std::fs::rename(lone.join(".beads"), town.join(".beads")).expect("tracker");
    let rig = sandbox.folder("town/app/polecats/toast");
    std::fs::write(town.join("app/rig.toml"), "url = \"/x\"\nprefix = \"ap\"\ntarget = \"main\"\n").expect("rig.toml");
    sandbox.git(&rig, &["init", "-q"]).ok();
    std::fs::create_dir_all(rig.join(".beads")).expect("a tracked folder");
    std::fs::write(rig.join(".beads/beads.db"), "not the one").expect("decoy");
    town
}

#[test]
fn inside_a_town_its_tracker_is_used_and_the_rig_gives_the_prefix() {
    let sandbox = Sandbox::new();
    let town = town(&sandbox);
    let worker = town.join("app/polecats/toast");
    let here = sandbox.bd(&worker, &["create", "in the rig", "--json"]).json();
    assert!(here["id"].as_str().expect("id").starts_with("ap-"), "{here}");
    assert_eq!(here["created_by"], "app/polecats/toast");
    let top = sandbox.bd(&town, &["create", "in the town", "--json"]).json();
    assert!(top["id"].as_str().expect("id").starts_with("hq-"), "{top}");
    let named = sandbox.bd(&town, &["create", "by name", "--rig", "app", "-q"]).ok();
    assert!(named.starts_with("ap-"), "{named}");
    assert_eq!(sandbox.bd(&town, &["create", "x", "--rig", "nope"]).code, 4);
    assert_eq!(sandbox.bd(&worker, &["init"]).code, 5);
    assert_eq!(sandbox.bd(&town, &["list", "--prefix", "ap", "--json"]).json().as_array().map(Vec::len), Some(2));
    let elsewhere = sandbox.folder("elsewhere");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_bd"), &elsewhere);
    command.env("GT_TOWN", &town).args(["list", "--json"]);
    assert_eq!(crate::support::finish(command, "bd list".into()).json().as_array().map(Vec::len), Some(3));
    // Named by its file it is the town's as well, so that its daemon hears of what is written.
    let file = town.join(".beads/beads.db").display().to_string();
    let found = sandbox.bd(&elsewhere, &["--db", &file, "where", "--json"]).json();
    assert_eq!(found["town"].as_str().map(Path::new), Some(town.as_path()), "{found}");
    std::fs::write(town.join("app/rig.toml"), "url = \"/x\"\nprefix == \"ap\"\n").expect("rig.toml");
    let broken = sandbox.bd(&town, &["create", "x", "--rig", "app"]);
    assert_eq!(broken.code, 3);
    assert!(broken.stderr.contains("app/rig.toml:2:"), "{}", broken.stderr);
}

#[test]
fn the_actor_is_the_first_one_named() {
    let repo = Repo::new();
    let by = |set: &[(&str, &str)], args: &[&str]| {
        let mut command = repo.sandbox.command(env!("CARGO_BIN_EXE_bd"), &repo.dir);
        command.args([&["create", "x", "--json"], args].concat()).envs(set.iter().copied());
        crate::support::finish(command, "bd create".into()).json()["created_by"].as_str().expect("actor").to_owned()
    };
    assert_eq!(by(&[], &[]), "Test Person");
    assert_eq!(by(&[("GT_ROLE", "app/crew/joe")], &[]), "app/crew/joe");
    assert_eq!(by(&[("GT_ROLE", "app/crew/joe"), ("BEADS_ACTOR", "b")], &[]), "b");
    assert_eq!(by(&[("BD_ACTOR", "a"), ("BEADS_ACTOR", "b")], &[]), "a");
    assert_eq!(by(&[("BD_ACTOR", "a")], &["--actor", "flag"]), "flag");
}

#[test]
fn a_read_starts_no_process_and_writes_no_file() {
    let repo = Repo::new();
    let id = repo.add("x", &[]);
    let db = std::fs::read(repo.dir.join(".beads/beads.db")).expect("read");
    for args in
        [&["ready"][..], &["show", &id], &["list", "--json"], &["blocked"], &["search", "x"], &["where"], &["info"]]
    {
        repo.bd(args).ok();
    }
    assert_eq!(std::fs::read(repo.dir.join(".beads/beads.db")).expect("read"), db);
    if crate::support::has("strace") {
        repo.sandbox.only_reads("bd", &repo.dir, &["ready"]);
    }
}
