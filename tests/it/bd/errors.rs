//! Bad input and broken stores: a clear error, the right code, and nothing changed.

use super::Repo;
use crate::support::Sandbox;

#[test]
fn every_kind_of_error_has_its_code_and_a_hint() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    let other = if a.ends_with('x') { 'y' } else { 'x' };
    let near = format!("{}{other}", &a[..a.len() - 1]);
    let cases: &[(&[&str], i32, &str)] = &[
        (&["show", &near], 4, &format!("did you mean `{a}`?")),
        (&["show", "../../etc/passwd"], 4, "there is no bead"),
        (&["creat", "x"], 2, "create"),
        (&["create", ""], 1, "bd create TITLE -d TEXT"),
        (&["update", &a], 2, "--status, --priority, --title"),
        (&["update", &a, "--session", "s"], 2, "bd update --help"),
        (&["create", "two\nlines"], 1, "one line"),
        (&["create", "x", "-p", "7"], 2, "0 (critical)"),
        (&["create", "x", "--id", "zz-1"], 5, "--force"),
        (&["create", "x", "--id", &a], 5, "already"),
        (&["create", "x", "--deps", "blocks:nope"], 4, "nope"),
        (&["create", "x", "--due", "soonish"], 1, "2d"),
        (&["update", &a, "--meta", "k"], 1, "KEY=VALUE"),
        (&["dep", "add", &a, &a], 5, "itself"),
        (&["label", "add", &a, "a\nb"], 1, "label"),
        (&["comments", "add", &a], 1, "bd comments add"),
        (&["update", &a, "--status", "opne"], 1, "did you mean `open`?"),
        (&["create", "x", "-t", "featre"], 1, "did you mean `feature`?"),
        (&["list", "--status", "zzz"], 1, "bd config set status.custom zzz"),
        (&["list", "-t", "feture"], 1, "did you mean `feature`?"),
        (&["init"], 5, "already a store"),
    ];
    for (args, code, words) in cases {
        let ran = repo.bd(args);
        assert_eq!(ran.code, *code, "{args:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{args:?}");
        assert!(ran.stderr.contains(words), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(repo.titles(&["list", "--all"]), ["a"]);
    let json = repo.bd(&["show", "nope", "--json"]);
    assert_eq!(json.code, 4);
    let error: serde_json::Value = serde_json::from_str(&json.stdout).expect("json");
    assert_eq!((error["error"]["kind"].as_str(), error["error"]["code"].as_i64()), (Some("not_found"), Some(4)));
}

#[test]
fn a_short_id_that_many_answer_to_names_a_handful_and_how_to_look_at_them() {
    let repo = Repo::new();
    for n in 0..7 {
        repo.bd(&["create", &n.to_string(), "--id", &format!("app-same{n}")]).ok();
    }
    for verb in [&["show", "same"][..], &["close", "same"], &["dep", "add", "app-same1", "same"]] {
        let ran = repo.bd(verb);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        let said = "`same` matches more than 5 beads: app-same0, app-same1, app-same2, app-same3, app-same4, …";
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert!(ran.stderr.contains("`bd show --short app-same0 app-same1 app-same2`"), "{}", ran.stderr);
    }
    let shown = repo.bd(&["show", "--short", "app-same0", "app-same1", "app-same2"]).ok();
    assert_eq!(shown.lines().count(), 3, "{shown}");
    let two = repo.bd(&["delete", "app-same2", "app-same3", "app-same4", "app-same5", "app-same6", "--force"]);
    two.ok();
    assert!(repo.bd(&["show", "same"]).fails().contains("`same` matches 2 beads: app-same0, app-same1\n"));
}

#[test]
fn a_path_is_told_without_the_way_back() {
    let repo = Repo::new();
    let deep = repo.dir.join("deep");
    std::fs::create_dir(&deep).expect("a folder");
    let named = format!("{} cannot be read", repo.dir.join("nope.md").display());
    for args in [&["create", "--file", "../nope.md"][..], &["-C", "../nope.md", "list"]] {
        let said = repo.sandbox.bd(&deep, args).fails();
        assert!(said.contains(&named), "{args:?}: {said}");
    }
}

#[test]
fn some_of_several_may_be_closed_and_the_code_says_that_not_all_were() {
    let repo = Repo::new();
    let (a, b) = (repo.add("a", &[]), repo.add("b", &[]));
    let ran = repo.bd(&["close", &a, "nope", &b, "--json"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("json");
    assert_eq!(told["closed"].as_array().map(Vec::len), Some(2));
    assert_eq!((&told["error"]["code"], &told["error"]["message"]), (&4.into(), &"there is no bead `nope`".into()));
    assert_eq!(ran.stderr, "");
    // As text each has its own place.
    let c = repo.add("c", &[]);
    let ran = repo.bd(&["close", &c, "nope"]);
    assert!(ran.code == 4 && ran.stdout.contains(&c), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("error: there is no bead `nope`"), "{}", ran.stderr);
}

#[test]
fn lines_that_could_not_be_read_are_an_error_beside_what_came_in() {
    let repo = Repo::new();
    let text = "{\"id\":\"app-1\",\"title\":\"good\"}\nno bead\n";
    for (flag, others) in [("--dry-run", "the others would come in"), ("--quiet", "all others are in")] {
        let ran = repo.bd_reads(&["import", "-", "--json", flag], text);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("json");
        assert_eq!((ran.code, &told["created"]), (1, &1.into()), "{told}");
        assert!(told["error"]["message"].as_str().is_some_and(|text| text.ends_with(others)), "{told}");
        assert_eq!(ran.stderr, "");
    }
    assert_eq!(repo.titles(&["list"]), ["good"]);
}

#[test]
fn a_store_that_cannot_be_read_is_an_error_and_never_an_empty_list() {
    let repo = Repo::new();
    repo.add("a", &[]);
    let db = repo.dir.join(".beads/beads.db");
    let whole = std::fs::read(&db).expect("read");
    for broken in [&b"this is no database, whatever its name may say"[..], &b""[..]] {
        std::fs::write(&db, broken).expect("write");
        for verb in [&["ready"][..], &["list", "--json"], &["create", "x"], &["close", "a"]] {
            let ran = repo.bd(verb);
            assert_eq!(ran.code, 7, "{verb:?}: {} {}", ran.stdout, ran.stderr);
            assert!(!ran.stdout.starts_with('['), "{verb:?}: {}", ran.stdout);
        }
        assert_eq!(std::fs::read(&db).expect("read"), broken, "a broken store is left as it is");
    }
    std::fs::write(&db, &whole[..whole.len() / 2]).expect("write");
    assert_eq!(repo.bd(&["list", "--all"]).code, 7);
    std::fs::remove_file(&db).expect("remove");
    let none = repo.bd(&["ready"]);
    assert_eq!(none.code, 4);
    assert!(none.fails().contains("bd init"));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let repo = Repo::new();
    for n in 0..20 {
        repo.add(&format!("{n} {}", "x".repeat(400)), &[]);
    }
    let script = format!("'{}' list --json -n 0 | head -c 1; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_bd"));
    let out = repo.sandbox.run("bash", &repo.dir, &["-c", &script]).ok();
    assert_eq!(out.trim_start_matches('['), "0");
}

#[test]
fn outside_of_everything_the_error_says_what_to_do() {
    let sandbox = Sandbox::new();
    let dir = sandbox.folder("nowhere");
    let ran = sandbox.bd(&dir, &["list"]);
    assert_eq!(ran.code, 4);
    assert!(ran.fails().contains("`bd init` makes one here"));
    let ran = sandbox.bd(&dir, &["restore"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let said = ran.fails();
    assert!(said.contains("no ledger") && said.contains("`bd where`") && said.contains("`bd init`"), "{said}");
    assert_eq!(std::fs::read_dir(&dir).expect("list").count(), 0);
}
