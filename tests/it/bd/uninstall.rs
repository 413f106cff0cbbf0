//! `bd init` and `bd uninstall`: afterwards everything is byte for byte as it was before.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::Sandbox;

/// Every file and folder below `dir` with its content and mode.
fn everything(dir: &Path) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    use std::os::unix::fs::PermissionsExt;
    let mut all = BTreeMap::new();
    let mut work = vec![dir.to_owned()];
    while let Some(folder) = work.pop() {
        for entry in std::fs::read_dir(&folder).expect("list").flatten() {
            let path = entry.path();
            let meta = entry.metadata().expect("metadata");
            let content = if meta.is_dir() { None } else { Some(std::fs::read(&path).expect("read")) };
            all.insert(path.display().to_string(), (meta.permissions().mode(), content));
            if meta.is_dir() {
                work.push(path);
            }
        }
    }
    all
}

fn repository(sandbox: &Sandbox) -> std::path::PathBuf {
    let dir = sandbox.folder("app");
    sandbox.git(&dir, &["init", "-q"]).ok();
    std::fs::create_dir_all(dir.join("src/deep")).expect("folder");
    std::fs::write(dir.join("src/deep/a"), "a").expect("write");
    sandbox.git(&dir, &["add", "."]).ok();
    sandbox.git(&dir, &["commit", "-qm", "one"]).ok();
    dir
}

/// Uses a tracker from `cwd` with all that leaves files, and takes it out again.
fn use_and_remove(sandbox: &Sandbox, cwd: &Path) {
    sandbox.bd(cwd, &["init"]).ok();
    let id = sandbox.bd(cwd, &["create", "x", "-q"]).ok();
    sandbox.bd(cwd, &["history", &id]).ok();
    sandbox.bd(cwd, &["restore", "--force"]).ok();
    let refused = sandbox.bd(cwd, &["uninstall"]);
    assert_eq!(refused.code, 5);
    assert!(refused.fails().contains("1 bead that may be nowhere else"));
    let would = sandbox.bd(cwd, &["uninstall", "--dry-run"]).ok();
    assert!(would.contains("ledger.git") && would.contains("replaced"), "{would}");
    sandbox.bd(cwd, &["uninstall", "--force"]).ok();
}

#[test]
fn a_repository_is_as_it_was_from_every_place_in_it() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    sandbox.git(&dir, &["worktree", "add", "-q", "../other"]).ok();
    let hook = dir.join(".git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().expect("folder")).expect("folder");
    std::fs::write(&hook, "#!/bin/sh\nexit 0\n").expect("write");
    let latin: &[u8] = b"# f\xfcr mich\n";
    for exclude in [Some(&b"# mine\n*.log\n"[..]), Some(latin), Some(b"no end"), Some(b""), None] {
        let path = dir.join(".git/info/exclude");
        match exclude {
            Some(text) => std::fs::write(&path, text).expect("write"),
            None => std::fs::remove_dir_all(path.parent().expect("folder")).expect("remove"),
        }
        let before = everything(sandbox.path());
        for cwd in [dir.clone(), dir.join("src/deep"), sandbox.path().join("other")] {
            use_and_remove(&sandbox, &cwd);
            assert_eq!(everything(sandbox.path()), before, "{exclude:?} from {}", cwd.display());
        }
    }
    assert_eq!(sandbox.bd(&dir, &["uninstall"]).code, 4);
    // A person's own list, to which git's leads.
    let (mine, path) = (sandbox.path().join("mine"), dir.join(".git/info/exclude"));
    std::fs::write(&mine, "*.log\n").expect("write");
    std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
    std::os::unix::fs::symlink(&mine, &path).expect("link");
    use_and_remove(&sandbox, &dir);
    assert!(path.is_symlink(), "the link is replaced");
    assert_eq!(std::fs::read_to_string(&mine).expect("read"), "*.log\n");
}

#[test]
fn worktrees_of_a_bare_repository_are_as_they_were() {
    let sandbox = Sandbox::new();
    repository(&sandbox);
    sandbox.git(sandbox.path(), &["clone", "-q", "--bare", "app", "app.git"]).ok();
    let bare = sandbox.path().join("app.git");
    sandbox.git(&bare, &["worktree", "add", "-q", "-b", "one", "../one"]).ok();
    let before = everything(sandbox.path());
    use_and_remove(&sandbox, &sandbox.path().join("one"));
    assert_eq!(everything(sandbox.path()), before);
}

#[test]
fn what_follows_a_first_line_of_ours_without_the_last_one_stays() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    let exclude = dir.join(".git/info/exclude");
    let mine = "keep1\n# bd: begin (delete this block with .beads)\nuserpattern/\n";
    std::fs::create_dir_all(dir.join(".git/info")).expect("folder");
    std::fs::write(&exclude, mine).expect("write");
    sandbox.bd(&dir, &["init"]).ok();
    let with = std::fs::read_to_string(&exclude).expect("read");
    assert!(with.starts_with(mine) && with.ends_with("# bd: end\n"), "{with}");
    sandbox.bd(&dir, &["uninstall", "--force"]).ok();
    assert_eq!(std::fs::read_to_string(&exclude).expect("read"), mine);
}

#[test]
fn what_is_tracked_below_the_folder_stays() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    std::fs::create_dir_all(dir.join(".beads/formulas")).expect("folder");
    std::fs::write(dir.join(".beads/formulas/mine.formula.toml"), "x").expect("write");
    let line = r#"{"id":"old-1","title":"tracked","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
    std::fs::write(dir.join(".beads/issues.jsonl"), format!("{line}\n")).expect("write");
    let before = everything(&dir);
    let made = sandbox.bd(&dir, &["init", "--from-jsonl", "--json"]).json();
    assert_eq!((&made["prefix"], &made["imported"]["created"]), (&"old".into(), &1.into()));
    // All beads are in the tracked file: nothing is lost.
    sandbox.bd(&dir, &["uninstall"]).ok();
    assert_eq!(everything(&dir), before);
}

#[test]
fn init_offers_to_adopt_what_is_tracked() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    std::fs::create_dir_all(dir.join(".beads")).expect("folder");
    std::fs::write(dir.join(".beads/issues.jsonl"), "{\"id\":\"bd-1\",\"title\":\"t\"}\nnonsense\n").expect("write");
    let said = sandbox.bd(&dir, &["init"]).stderr;
    assert!(said.contains("bd import") && said.contains("adopts it"), "{said}");
    let again = sandbox.bd(&dir, &["init", "--from-jsonl"]).stderr;
    assert!(again.contains("already a store") && again.contains("bd import"), "the way on is named: {again}");
    sandbox.bd(&dir, &["uninstall"]).ok();
    let partly = sandbox.bd(&dir, &["init", "--from-jsonl"]);
    assert_eq!(partly.code, 1, "what could not be read is said");
    assert!(partly.stderr.contains("issues.jsonl:2:"), "{}", partly.stderr);
    assert_eq!(sandbox.bd(&dir, &["list", "--json"]).json()[0]["id"], "bd-1");
    sandbox.bd(&dir, &["uninstall", "--force"]).ok();
    let partly = sandbox.bd(&dir, &["init", "--from-jsonl", "--json"]);
    assert_eq!((partly.code, partly.stderr.as_str()), (1, ""), "all of it is in the answer");
    let made: serde_json::Value = serde_json::from_str(&partly.stdout).expect("one value");
    assert_eq!((&made["prefix"], &made["imported"]["created"]), (&"bd".into(), &1.into()), "{made}");
    assert_eq!(
        (&made["imported"]["findings"][2]["line"], &made["error"]["kind"]),
        (&2.into(), &"user".into()),
        "{made}"
    );
}

#[test]
fn init_in_a_worktree_of_a_bare_repository_adopts_what_is_tracked_there() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    std::fs::create_dir_all(dir.join(".beads")).expect("folder");
    std::fs::write(dir.join(".beads/issues.jsonl"), "{\"id\":\"old-1\",\"title\":\"t\"}\n").expect("write");
    sandbox.git(&dir, &["add", "."]).ok();
    sandbox.git(&dir, &["commit", "-qm", "issues"]).ok();
    sandbox.git(sandbox.path(), &["clone", "-q", "--bare", "app", "app.git"]).ok();
    sandbox.git(&sandbox.path().join("app.git"), &["worktree", "add", "-q", "-b", "one", "../one"]).ok();
    let one = sandbox.path().join("one");
    let made = sandbox.bd(&one, &["init", "--from-jsonl", "--json"]).json();
    assert_eq!((&made["prefix"], &made["imported"]["created"]), (&"old".into(), &1.into()), "{made}");
    assert_eq!(sandbox.git(&one, &["status", "--porcelain"]).ok(), "");
}

#[test]
fn files_that_only_look_like_those_of_the_tracker_stay() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    let beads = dir.join(".beads");
    std::fs::create_dir_all(beads.join("ledger.github")).expect("folder");
    for name in [
        "last-touched",
        "daemon.lock",
        "journal.db",
        "beads.db.backup",
        "beads.db.replaced-mine",
        "sync.lock",
        "ledger.github/a",
    ] {
        std::fs::write(beads.join(name), "of another program").expect("write");
    }
    let before = everything(sandbox.path());
    use_and_remove(&sandbox, &dir);
    assert_eq!(everything(sandbox.path()), before);
    // At once after a restore, too, when the database has no log yet.
    sandbox.bd(&dir, &["init"]).ok();
    let id = sandbox.bd(&dir, &["create", "x", "-q"]).ok();
    sandbox.bd(&dir, &["history", &id]).ok();
    sandbox.bd(&dir, &["restore", "--force"]).ok();
    sandbox.bd(&dir, &["uninstall", "--force"]).ok();
    assert_eq!(everything(sandbox.path()), before);
}

#[test]
fn a_remote_is_asked_whether_it_has_all_before_the_tracker_goes() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    sandbox.bd(&dir, &["init"]).ok();
    sandbox.bd(&dir, &["create", "x"]).ok();
    sandbox.git(sandbox.path(), &["init", "-q", "--bare", "beads.git"]).ok();
    sandbox.bd(&dir, &["sync", "--remote", "../beads.git"]).ok();
    let would = || sandbox.bd(&dir, &["uninstall", "--dry-run", "--json"]).json()["only_here"].clone();
    assert_eq!(would(), 0);
    // What this copy remembers of the remote is not true any more.
    let remote = sandbox.path().join("beads.git");
    sandbox.git(&remote, &["update-ref", "-d", "refs/heads/beads/app"]).ok();
    assert_eq!(would(), 1);
    let refused = sandbox.bd(&dir, &["uninstall"]);
    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains("has not all of it"), "{}", refused.stderr);
    std::fs::rename(&remote, sandbox.path().join("away.git")).expect("rename");
    let refused = sandbox.bd(&dir, &["uninstall"]);
    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains("could not be asked"), "{}", refused.stderr);
    assert_eq!(sandbox.bd(&dir, &["list", "--json"]).json()[0]["title"], "x");
    std::fs::rename(sandbox.path().join("away.git"), &remote).expect("rename");
    sandbox.bd(&dir, &["sync", "--remote", "../beads.git"]).ok();
    sandbox.bd(&dir, &["uninstall"]).ok();
    assert!(!dir.join(".beads").exists());
}

#[test]
fn a_ledger_whose_database_is_lost_is_restored_and_not_begun_anew() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    sandbox.bd(&dir, &["init"]).ok();
    let id = sandbox.bd(&dir, &["create", "x", "-q"]).ok();
    sandbox.bd(&dir, &["history", &id]).ok();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!(".beads/beads.db{end}")));
    }
    let before = everything(&dir.join(".beads"));
    for verb in ["init", "uninstall"] {
        let refused = sandbox.bd(&dir, &[verb]);
        assert_eq!(refused.code, 5, "{verb}: {}", refused.stderr);
        assert!(refused.stderr.contains("bd restore"), "{verb}: {}", refused.stderr);
        assert_eq!(everything(&dir.join(".beads")), before, "{verb}");
    }
    sandbox.bd(&dir, &["restore"]).ok();
    assert_eq!(sandbox.bd(&dir, &["show", &id, "--json"]).json()[0]["title"], "x");
}

#[test]
fn a_ledger_of_another_user_is_not_called_broken() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    sandbox.bd(&dir, &["init"]).ok();
    let id = sandbox.bd(&dir, &["create", "x", "-q"]).ok();
    sandbox.bd(&dir, &["history", &id]).ok();
    let ledger = dir.join(".beads/ledger.git");
    // Only root can give it away, and only then is it another user's.
    if std::os::unix::fs::chown(&ledger, Some(4242), None).is_err() {
        return;
    }
    let found = sandbox.bd(&dir, &["doctor", "--fix", "--json"]);
    let told = serde_json::from_str::<serde_json::Value>(&found.stdout).expect("json")["findings"].to_string();
    std::os::unix::fs::chown(&ledger, Some(0), None).expect("given back");
    assert!(told.contains("belongs to another user") && told.contains("chown"), "{told}");
    let beside = std::fs::read_dir(dir.join(".beads")).expect("list").flatten();
    assert!(!beside.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("broken")), "put aside");
    sandbox.bd(&dir, &["doctor"]).ok();
}

#[test]
fn a_database_of_another_program_is_named_and_left_alone() {
    let sandbox = Sandbox::new();
    let dir = repository(&sandbox);
    let database = dir.join(".beads/beads.db");
    std::fs::create_dir_all(dir.join(".beads")).expect("folder");
    let other = rusqlite::Connection::open(&database).expect("a database");
    other.execute_batch("CREATE TABLE issues (id TEXT); INSERT INTO issues VALUES ('old-1')").expect("a table");
    drop(other);
    let line = r#"{"id":"old-1","title":"tracked","status":"open","priority":2}"#;
    std::fs::write(dir.join(".beads/issues.jsonl"), format!("{line}\n")).expect("write");
    let before = everything(sandbox.path());
    let verbs: [&[&str]; 8] = [
        &["init"],
        &["init", "--from-jsonl"],
        &["list"],
        &["create", "x"],
        &["doctor"],
        &["info"],
        &["restore"],
        &["restore", "--force"],
    ];
    for args in verbs {
        let ran = sandbox.bd(&dir, args);
        assert_eq!(ran.code, 7, "{args:?}: {}", ran.stderr);
        let told = ran.stderr;
        assert!(told.contains("is a database of another program") && !told.contains("bd restore"), "{args:?}: {told}");
        assert!(told.contains("`mv ") && told.contains("`bd init --from-jsonl`"), "{args:?}: {told}");
    }
    let refused = sandbox.bd(&dir, &["uninstall", "--force"]);
    assert!(refused.code == 5 && refused.stderr.contains("of another program"), "{}", refused.stderr);
    assert_eq!(everything(sandbox.path()), before);
    // The way that was named; a log that was left behind does not come to belong to the new database.
    std::fs::write(dir.join(".beads/beads.db-wal"), "a log").expect("write");
    std::fs::rename(&database, dir.join(".beads/beads.db.other")).expect("rename");
    sandbox.bd(&dir, &["init", "--from-jsonl"]).ok();
    assert_eq!(sandbox.bd(&dir, &["list", "--json"]).json()[0]["id"], "old-1");
    sandbox.bd(&dir, &["uninstall"]).ok();
    assert!(dir.join(".beads/beads.db.other").is_file());
}
