//! Writes that are cut off at every place, and disks, files and databases that go wrong: what was acknowledged is
//! there afterwards, nothing is half there, and what is wrong is said with the next step.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gastown::base::Time;
use gastown::base::fault::Point;
use gastown::store::{NewBead, Stamp, Store, StoreError};

use super::Repo;
use crate::support::{Ran, finish};

/// A tracker that has drained once, a remote, and another clone whose many beads are on it.
struct Scene {
    repo: Repo,
    url: String,
    file: PathBuf,
    acknowledged: BTreeSet<String>,
}

impl Scene {
    fn new() -> Self {
        let repo = Repo::new();
        repo.sandbox.git(repo.sandbox.path(), &["init", "-q", "--bare", "beads.git"]).ok();
        let url = repo.sandbox.path().join("beads.git").display().to_string();
        let line = |id: String| {
            let times = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z""#;
            format!(r#"{{"id":"{id}","title":"t","status":"open","priority":2,"issue_type":"task",{times}}}"#) + "\n"
        };
        let file = repo.sandbox.path().join("many.jsonl");
        std::fs::write(&file, (0..900).map(|n| line(format!("app-mine{n}"))).collect::<String>()).expect("write");
        let other = repo.sandbox.folder("other");
        repo.sandbox.bd(&other, &["init", "--prefix", "app"]).ok();
        let theirs = repo.sandbox.path().join("theirs.jsonl");
        std::fs::write(&theirs, (0..600).map(|n| line(format!("app-theirs{n}"))).collect::<String>()).expect("write");
        repo.sandbox.bd(&other, &["import", &theirs.display().to_string()]).ok();
        repo.sandbox.bd(&other, &["sync", "--remote", &url]).ok();
        let first = repo.add("first", &[]);
        repo.bd(&["history", &first]).ok();
        let mut newer: serde_json::Value = serde_json::from_str(&repo.bd(&["export"]).ok()).expect("a line");
        newer["updated_at"] = "2099-01-01T00:00:00Z".into();
        std::fs::write(file.with_file_name("newer.jsonl"), newer.to_string()).expect("write");
        let waiting = repo.add("waits for the ledger", &[]);
        Self { repo, url, file, acknowledged: [first, waiting].into() }
    }

    fn bd(&self, fault: Option<&str>, args: &[&str]) -> Ran {
        let mut command = self.repo.sandbox.command(env!("CARGO_BIN_EXE_bd"), &self.repo.dir);
        command.envs(fault.map(|fault| ("GT_FAULT", fault))).args(args);
        finish(command, format!("bd {}", args.join(" ")))
    }

    /// The command in whose course a place is.
    fn command(&self, point: Point) -> Vec<String> {
        let words: &[&str] = match point {
            Point::StoreBegun | Point::StoreWritten | Point::StoreCommitted => &["create", "cut off", "-q"],
            Point::StoreBuilt | Point::StoreNamed | Point::InitMade => &["-C", "../new", "init", "--prefix", "new"],
            Point::ImportStaged | Point::ImportPublished => &["import", "FILE"],
            Point::ImportOverwritten => &["import", "NEWER"],
            Point::FileWritten | Point::FileRenamed => &["export", "-o", "out.jsonl"],
            Point::DrainWritten | Point::DrainMoved | Point::DrainAcknowledged => &["history", "FIRST"],
            Point::SyncIntended
            | Point::SyncFetched
            | Point::SyncStaged
            | Point::SyncAdopted
            | Point::SyncBuilt
            | Point::SyncMoved
            | Point::SyncPushed => &["sync", "--remote", "URL"],
            Point::RestoreBuilt | Point::RestoreAside | Point::RestoreNamed => &["restore", "--force"],
            other => panic!("no command of bd comes to {}", other.name()),
        };
        let first = self.acknowledged.first().cloned().unwrap_or_default();
        let file = self.file.display().to_string();
        let newer = self.file.with_file_name("newer.jsonl").display().to_string();
        let place = |word: &&str| {
            word.replace("FILE", &file).replace("NEWER", &newer).replace("URL", &self.url).replace("FIRST", &first)
        };
        words.iter().map(place).collect()
    }

    fn listed(&self) -> BTreeSet<String> {
        let list = self.bd(None, &["list", "--all", "-n", "0", "--json"]).json();
        list.as_array().expect("array").iter().map(|b| b["id"].as_str().expect("id").to_owned()).collect()
    }
}

#[test]
fn a_write_that_is_killed_at_any_place_loses_nothing_and_leaves_nothing_half_done() {
    let elsewhere: Vec<Point> = crate::town::faults::POINTS.into_iter().chain(crate::formula::burn::POINTS).collect();
    for point in Point::ALL.iter().filter(|point| !elsewhere.contains(point)) {
        let mut scene = Scene::new();
        scene.repo.sandbox.folder("new");
        let command = scene.command(*point);
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut killed = 0;
        // The first times that it comes there; the last run gets through.
        for count in 1..=3 {
            let ran = scene.bd(Some(&format!("{}:{count}", point.name())), &args);
            killed += i32::from(ran.code == -1);
            if args[0] == "create" && ran.code == 0 {
                scene.acknowledged.insert(ran.clone().ok());
            }
            if point == &Point::RestoreAside && ran.code == -1 {
                // The one place at which no database is there: the command itself is to be done again.
                let none = scene.bd(None, &["list"]);
                assert!(none.code == 4 && none.stderr.contains("`bd restore`"), "{}", none.stderr);
                scene.bd(None, &["restore"]).ok();
            }
            let there = scene.listed();
            let lost: Vec<_> = scene.acknowledged.difference(&there).collect();
            assert!(lost.is_empty(), "{}:{count}: acknowledged and lost: {lost:?}", point.name());
            for (letter, all) in [("app-mine", 900), ("app-theirs", 600)] {
                let n = there.iter().filter(|id| id.starts_with(letter)).count();
                assert!(n == 0 || n == all, "{}:{count}: {n} of {all}", point.name());
            }
            let out = std::fs::read_to_string(scene.repo.dir.join("out.jsonl")).unwrap_or_default();
            assert!(out.is_empty() || out.lines().count() == there.len(), "{}:{count}", point.name());
        }
        assert!(killed > 0, "{} was never passed by {args:?}", point.name());
        let again = scene.bd(None, &args);
        let made = args.contains(&"init") && again.code == 5;
        assert!(again.code == 0 || made, "{}: {}", point.name(), again.stderr);
        scene.bd(None, &["sync", "--remote", &scene.url]).ok();
        let doctor = scene.bd(None, &["doctor", "--json"]).json();
        assert_eq!(doctor["findings"], serde_json::json!([]), "{}", point.name());
    }
}

#[test]
fn a_full_disk_is_an_error_and_what_was_acknowledged_stays() {
    let repo = Repo::new();
    let mut acknowledged = BTreeSet::new();
    let text = "x".repeat(20_000);
    let size = std::fs::metadata(repo.dir.join(".beads/beads.db")).expect("database").len();
    let blocks = size / 512 + 400;
    let mut full = None;
    for _ in 0..60 {
        let mut command = repo.sandbox.command("sh", &repo.dir);
        let script =
            format!("trap '' XFSZ; ulimit -f {blocks}; exec '{}' create full -q -d '{text}'", env!("CARGO_BIN_EXE_bd"));
        command.args(["-c", &script]);
        let ran = finish(command, "bd create".into());
        if ran.code != 0 {
            full = Some(ran);
            break;
        }
        acknowledged.insert(ran.ok());
    }
    let full = full.expect("the limit was reached");
    assert_eq!(full.code, 7, "{}", full.stderr);
    assert!(!acknowledged.is_empty() && full.stderr.contains("hint:"), "{}", full.stderr);
    let listed: BTreeSet<String> = repo
        .bd(&["list", "-n", "0", "--json"])
        .json()
        .as_array()
        .expect("array")
        .iter()
        .map(|b| b["id"].as_str().expect("id").to_owned())
        .collect();
    assert_eq!(listed, acknowledged);
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
    use std::os::unix::fs::PermissionsExt;
    let repo = Repo::new();
    repo.add("before", &[]);
    let beads = repo.dir.join(".beads");
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
    let files: Vec<PathBuf> = std::fs::read_dir(&beads).expect("list").flatten().map(|e| e.path()).collect();
    files.iter().filter(|p| p.is_file()).for_each(|p| set(p, 0o444));
    set(&beads, 0o555);
    // Root writes everywhere: then there is nothing to see.
    let bound = std::fs::write(beads.join("probe"), "").is_err();
    let ran = repo.bd(&["create", "after"]);
    set(&beads, 0o755);
    files.iter().filter(|p| p.is_file()).for_each(|p| set(p, 0o644));
    if bound {
        assert_eq!(ran.code, 7, "{}", ran.stderr);
        assert!(ran.stderr.contains(".beads") && ran.stderr.contains("permissions"), "{}", ran.stderr);
        assert_eq!(repo.titles(&["list"]), ["before"]);
    }
}

#[test]
fn a_database_that_another_program_has_locked_is_waited_for() {
    let repo = Repo::new();
    let conn = rusqlite::Connection::open(repo.dir.join(".beads/beads.db")).expect("open");
    conn.execute_batch("BEGIN IMMEDIATE").expect("lock");
    let mut command = repo.sandbox.command(env!("CARGO_BIN_EXE_bd"), &repo.dir);
    let child = command.args(["create", "waited", "-q"]).stdout(std::process::Stdio::piped()).spawn().expect("bd");
    // It is at the lock once it holds the one before it.
    let queue = std::fs::File::open(repo.dir.join(".beads/write.lock")).expect("lock file");
    crate::support::eventually("bd to queue for the database", || match queue.try_lock() {
        Ok(()) => {
            queue.unlock().expect("unlock");
            None
        }
        Err(_) => Some(()),
    });
    conn.execute_batch("COMMIT").expect("unlock");
    assert!(child.wait_with_output().expect("wait").status.success());
    assert_eq!(repo.titles(&["list"]), ["waited"]);
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let repo = Repo::new();
    repo.add("before", &[]);
    let path = repo.dir.join(".beads/beads.db");
    let conn = rusqlite::Connection::open(&path).expect("open");
    let version: i64 = conn.query_row("PRAGMA user_version", [], |r| r.get(0)).expect("version");
    conn.pragma_update(None, "user_version", 999).expect("version");
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("checkpoint");
    let before = std::fs::read(&path).expect("read");
    for args in [&["list"][..], &["create", "x"], &["doctor", "--fix"], &["sync"]] {
        let ran = repo.bd(args);
        assert_eq!(ran.code, 7, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("newer version"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read(&path).expect("read"), before);
    conn.pragma_update(None, "user_version", version).expect("version");
    assert_eq!(repo.titles(&["list"]), ["before"]);
}

/// Overwrites the middle of a file.
fn spoil(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut bytes = std::fs::read(path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle - middle / 2..middle + middle / 2].fill(0xa5);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).expect("mode");
    std::fs::write(path, bytes).expect("write");
}

#[test]
fn a_damaged_database_is_found_and_made_anew() {
    let repo = Repo::new();
    let ids: Vec<String> = (0..30).map(|n| repo.add(&format!("bead {n}"), &["-d", &"text ".repeat(200)])).collect();
    repo.bd(&["history", &ids[0]]).ok();
    spoil(&repo.dir.join(".beads/beads.db"));
    let listed = repo.bd(&["list", "-n", "0", "--long"]);
    assert!(listed.code == 7 && listed.stderr.contains("`bd restore --force`"), "{}", listed.stderr);
    let found = repo.bd(&["doctor", "--json"]);
    assert_eq!(found.code, 7, "{}", found.stdout);
    assert!(found.stdout.contains("bd restore --force"), "{}", found.stdout);
    let done = repo.bd(&["restore", "--force", "--json"]).json();
    assert_eq!(done["beads"], 30);
    assert!(Path::new(done["replaced"].as_str().expect("kept aside")).is_file());
    assert_eq!(repo.titles(&["list", "-n", "0"]).len(), 30);
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
}

#[test]
fn a_damaged_ledger_is_found_and_begun_anew() {
    let repo = Repo::new();
    let id = repo.add("kept", &[]);
    repo.bd(&["history", &id]).ok();
    let ledger = repo.dir.join(".beads/ledger.git");
    let blob = repo.sandbox.git(&ledger, &["rev-parse", "refs/heads/beads/app^{tree}"]).ok();
    spoil(&ledger.join("objects").join(&blob[..2]).join(&blob[2..]));
    let found = repo.bd(&["doctor", "--json"]);
    assert_eq!(found.code, 7, "{}", found.stdout);
    assert!(found.stdout.contains("cannot be read"), "{}", found.stdout);
    let asked = repo.bd(&["history", &id]);
    assert!(asked.code == 7 && asked.stderr.contains("`bd doctor`"), "{}", asked.stderr);
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
    let kept = std::fs::read_dir(repo.dir.join(".beads")).expect("list").flatten();
    assert!(kept.into_iter().any(|e| e.file_name().to_string_lossy().starts_with("ledger.git.broken-")));
    assert_eq!(repo.bd(&["history", &id, "--json"]).json().as_array().map(Vec::len), Some(1));
    assert_eq!(repo.sandbox.git(&repo.dir, &["status", "--porcelain"]).ok(), "");
}

#[test]
fn a_branch_of_the_ledger_that_a_power_cut_emptied_is_not_taken_for_one_without_beads() {
    let repo = Repo::new();
    let id = repo.add("kept", &[]);
    repo.bd(&["history", &id]).ok();
    let beads = repo.dir.join(".beads");
    let branch = beads.join("ledger.git/refs/heads/beads/app");
    for spoilt in ["", "ref: refs/heads/gone\n"] {
        std::fs::write(&branch, spoilt).expect("spoil");
        let refused = repo.bd(&["restore", "--force"]);
        assert!(refused.code == 7 && refused.stderr.contains("refs/heads/beads/app"), "{}", refused.stderr);
        assert!(refused.stderr.contains("`bd doctor --fix`") && refused.stderr.contains("fsck"), "{}", refused.stderr);
        assert_eq!(repo.titles(&["list"]), ["kept"]);
    }
    repo.add("waits", &[]);
    let found = repo.bd(&["doctor", "--json"]);
    assert!(found.code == 7 && found.stdout.contains("cannot be read"), "{}", found.stdout);
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
    assert_eq!(repo.bd(&["restore", "--force", "--json"]).json()["beads"], 2);
    // One that is gone without a trace is no reason either to let the beads go that the database has.
    std::fs::remove_file(&branch).expect("remove");
    let refused = repo.bd(&["restore", "--force"]);
    assert!(refused.code == 5 && refused.stderr.contains("lacks 2 beads"), "{}", refused.stderr);
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(repo.bd(&["restore", "--force", "--json"]).json()["beads"], 2);
}

#[test]
fn a_pack_of_the_ledger_that_was_cut_short_is_found_and_begun_anew() {
    let repo = Repo::new();
    let ids: Vec<String> = (0..20).map(|n| repo.add(&format!("bead {n}"), &[])).collect();
    repo.bd(&["history", &ids[0]]).ok();
    let ledger = repo.dir.join(".beads/ledger.git");
    repo.sandbox.git(&ledger, &["repack", "-adq"]).ok();
    let packs = std::fs::read_dir(ledger.join("objects/pack")).expect("packs").flatten().map(|e| e.path());
    for pack in packs.filter(|path| path.extension().is_some_and(|e| e == "pack")) {
        let bytes = std::fs::read(&pack).expect("read");
        std::fs::remove_file(&pack).expect("remove");
        std::fs::write(&pack, &bytes[..bytes.len() / 2]).expect("write");
    }
    // Work goes on: the truth is in the database.
    let late = repo.add("late", &[]);
    repo.bd(&["close", &ids[1]]).ok();
    let found = repo.bd(&["doctor", "--json"]);
    assert!(found.code == 7 && found.stdout.contains("cannot be read"), "{}", found.stdout);
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
    let told = repo.bd(&["history", &late, "--json"]).json();
    assert!(told.as_array().is_some_and(|told| !told.is_empty()), "{told}");
    assert_eq!(repo.bd(&["restore", "--force", "--json"]).json()["beads"], 21, "all of it is in the ledger again");
}

#[test]
fn a_ledger_that_is_ahead_of_or_behind_the_database_is_brought_together_with_it() {
    let repo = Repo::new();
    let id = repo.add("old", &[]);
    repo.bd(&["history", &id]).ok();
    let beads = repo.dir.join(".beads");
    let backup = repo.sandbox.path().join("backup");
    repo.sandbox.run("cp", &repo.dir, &["-r", &beads.display().to_string(), &backup.display().to_string()]).ok();
    repo.bd(&["close", &id, "-r", "after the backup"]).ok();
    let new = repo.add("new", &[]);
    repo.bd(&["history", &id]).ok();
    // The database of the backup under the ledger of today.
    for file in ["beads.db", "beads.db-wal", "beads.db-shm"] {
        let _ = std::fs::remove_file(beads.join(file));
        let _ = std::fs::copy(backup.join(file), beads.join(file));
    }
    let found = repo.bd(&["doctor", "--json"]);
    assert!(found.code == 7 && found.stdout.contains("ahead of the database in 2 beads"), "{}", found.stdout);
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(repo.bd(&["show", &id, "--json"]).json()[0]["close_reason"], "after the backup");
    assert_eq!(repo.bd(&["show", &new, "--json"]).json()[0]["title"], "new");
    // And the other way round.
    std::fs::remove_dir_all(beads.join("ledger.git")).expect("remove");
    let found = repo.bd(&["doctor", "--json"]);
    assert!(found.code == 7 && found.stdout.contains("behind the database in 2 beads"), "{}", found.stdout);
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
}

#[test]
fn a_doctor_that_can_write_nothing_looks_at_all_else_and_says_so() {
    let repo = Repo::new();
    repo.add("waits for the ledger", &[]);
    // Another reader keeps the files open that SQLite would have to make anew.
    let conn = rusqlite::Connection::open(repo.dir.join(".beads/beads.db")).expect("open");
    let n: i64 = conn.query_row("SELECT count(*) FROM beads", [], |row| row.get(0)).expect("read");
    assert_eq!(n, 1);
    let mut command = repo.sandbox.command("sh", &repo.dir);
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f 0; exec '{}' doctor --json", env!("CARGO_BIN_EXE_bd"))]);
    let ran = finish(command, "bd doctor".into());
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).expect("an answer");
    assert_eq!(said["checks"].as_array().map(Vec::len), Some(9), "{said:#}");
    let ledger = said["findings"].as_array().expect("findings").iter().find(|one| one["check"] == "ledger");
    let what = ledger.expect("a finding about the ledger")["what"].as_str().expect("a text").to_owned();
    assert!(!what.contains("behind"), "why it cannot be recorded, not that it was not: {what}");
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
}

#[test]
fn doctor_names_circles_and_edges_to_nothing_with_the_next_step() {
    let repo = Repo::new();
    let line = |id: &str, to: &str| {
        let times = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z""#;
        let dep = format!(
            r#"{{"issue_id":"{id}","depends_on_id":"{to}","type":"blocks","created_at":"2026-01-01T00:00:00Z"}}"#
        );
        format!(r#"{{"id":"{id}","title":"t","status":"open","priority":2,{times},"dependencies":[{dep}]}}"#) + "\n"
    };
    let file = repo.sandbox.path().join("odd.jsonl");
    std::fs::write(&file, line("app-a", "app-b") + &line("app-b", "app-a") + &line("app-c", "app-gone"))
        .expect("write");
    repo.bd(&["import", &file.display().to_string()]).ok();
    let said = repo.bd(&["doctor"]).ok();
    assert!(said.contains("app-a → app-b → app-a") && said.contains("bd dep remove app-a app-b"), "{said}");
    assert!(said.contains("app-c → app-gone"), "{said}");
    repo.bd(&["dep", "remove", "app-a", "app-b"]).ok();
    repo.bd(&["dep", "remove", "app-c", "app-gone"]).ok();
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["ok"], true);
}

#[test]
fn doctor_drops_old_batches_but_none_that_somebody_is_at() {
    let repo = Repo::new();
    let mut store = Store::open(&repo.dir.join(".beads")).expect("opens");
    let long_ago = Stamp::new("tester", Time::from_millis(1_700_000_000_000));
    for (note, many) in [("sync", 1_500), ("pour", 1)] {
        let staged = store.write::<_, StoreError>(&long_ago, |w| {
            let batch = w.new_batch(note)?;
            w.stage(batch, (0..many).map(|n| NewBead::titled(format!("{note} {n}"))).collect())
        });
        staged.expect("staged");
    }
    let staged = |store: &Store| {
        ["sync", "pour"].map(|note| store.read::<_, StoreError>(|r| r.staged(note)).expect("reads").len())
    };
    let held = store.staging("pour").expect("held");
    let found = repo.bd(&["doctor"]).stdout;
    assert!(found.contains("1 unseen batch of bulk work that did not end"), "{found}");
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(staged(&store), [0, 1]);
    drop(held);
    repo.bd(&["doctor", "--fix"]).ok();
    assert_eq!(staged(&store), [0, 0]);
    assert_eq!(store.check().expect("checks"), Vec::<String>::new());
}
