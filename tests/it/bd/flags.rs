//! Flags that people and programs bring along from other trackers: what they do here, or why they do not.

use serde_json::json;

use super::Repo;

#[test]
fn agents_and_events_are_filed_with_what_only_they_have() {
    let repo = Repo::new();
    let agent =
        ["create", "Nux", "-t", "agent", "--role-type", "polecat", "--agent-rig", "shop", "-l", "gt:agent", "--json"];
    let agent = repo.bd(&agent).json();
    assert_eq!((&agent["role_type"], &agent["rig"]), (&json!("polecat"), &json!("shop")));
    assert_eq!(agent["labels"], json!(["gt:agent", "rig:shop", "role_type:polecat"]));
    let event = repo.bd(&[
        "create",
        "Muted",
        "-t",
        "event",
        "--event-category",
        "patrol.muted",
        "--event-actor",
        "shop/witness",
        "--event-target",
        "shop/polecats/nux",
        "--event-payload",
        "{\"minutes\": 5}",
        "--json",
    ]);
    let event = event.json();
    for (key, value) in [
        ("event_kind", "patrol.muted"),
        ("actor", "shop/witness"),
        ("target", "shop/polecats/nux"),
        ("payload", "{\"minutes\": 5}"),
    ] {
        assert_eq!(event[key], value, "{key}");
    }
    let refused = repo.bd(&["create", "x", "--event-actor", "me"]).fails();
    assert!(refused.contains("beads of the type `event` only") && refused.contains("--type event"), "{refused}");
    assert!(repo.bd(&["create", "x", "-t", "event", "--event-payload", "{"]).fails().contains("no JSON"));
    assert_eq!(repo.titles(&["list"]), ["Nux", "Muted"]);
}

#[test]
fn a_bead_that_does_not_say_when_it_is_done_is_refused_on_request() {
    let repo = Repo::new();
    let refused = repo.bd(&["create", "x", "-t", "bug", "--validate"]).fails();
    assert!(refused.contains("lacks Steps to Reproduce and Acceptance Criteria"), "{refused}");
    repo.bd(&["create", "good", "--validate", "--acceptance", "it works"]).ok();
    let refused = repo.bd_reads(&["create", "--stdin", "--validate"], "a\n{\"title\":\"b\",\"acceptance\":\"c\"}\n");
    assert!(refused.fails().contains("line 1: it lacks `Acceptance Criteria`"));
    assert_eq!(repo.titles(&["list"]), ["good"]);
}

#[test]
fn what_is_said_of_one_bead_is_refused_for_many() {
    let repo = Repo::new();
    for flag in [["--design", "x"], ["--due", "2d"], ["--event-actor", "x"]] {
        assert_eq!(repo.bd_reads(&[&["create", "--stdin"][..], &flag[..]].concat(), "a\nb\n").code, 2, "{flag:?}");
    }
    assert!(repo.titles(&["list"]).is_empty());
}

#[test]
fn nothing_is_deleted_without_a_tombstone() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    let refused = repo.bd(&["delete", &a, "--hard", "--force"]);
    assert_eq!(refused.code, 5);
    assert!(refused.fails().contains("a tombstone of a deleted bead always stays"));
    assert_eq!(repo.titles(&["list"]), ["a"]);
}

#[test]
fn a_list_is_drawn_as_a_graph_of_the_beads_in_it() {
    let repo = Repo::new();
    let (a, b, c) = (repo.add("say \"hi\"", &[]), repo.add("b", &[]), repo.add("c", &["-p", "4"]));
    repo.bd(&["dep", "add", &b, &a]).ok();
    repo.bd(&["dep", "add", &c, &a]).ok();
    let edges = repo.bd(&["list", "--format", "digraph"]).ok();
    assert_eq!(edges, format!("{b} {a}\n{c} {a}"));
    let few = repo.bd(&["list", "--format", "digraph", "--priority-min", "4"]).ok();
    assert_eq!(few, format!("{c} {c}"), "what it depends on is not in the list");
    let dot = repo.bd(&["list", "--format", "dot"]).ok();
    assert!(dot.starts_with("digraph beads {") && dot.ends_with('}'), "{dot}");
    assert!(dot.contains(&format!("\"{b}\" -> \"{a}\" [label=\"blocks\"];")), "{dot}");
    assert!(dot.contains("say \\\"hi\\\""), "{dot}");
}

#[test]
fn all_is_a_status_and_a_search_may_have_an_order() {
    let repo = Repo::new();
    let (a, _) = (repo.add("zebra crossing", &["-d", "zebra zebra"]), repo.add("ant and zebra", &["-p", "0"]));
    repo.bd(&["close", &a]).ok();
    assert_eq!(repo.titles(&["list", "--status", "all", "--sort", "title"]), ["ant and zebra", "zebra crossing"]);
    assert_eq!(repo.bd(&["count", "-s", "all", "--json"]).json()["count"], 2);
    assert_eq!(repo.titles(&["search", "zebra", "--sort", "title", "-r"]), ["zebra crossing", "ant and zebra"]);
    assert_eq!(repo.titles(&["search", "zebra", "--sort", "title"]), ["ant and zebra", "zebra crossing"]);
    assert!(repo.bd(&["search", "crossing", "--long"]).ok().contains("  zebra zebra"));
}

#[test]
fn flags_for_what_is_always_so_are_taken_and_change_nothing() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    let flags = ["--no-daemon", "--no-auto-flush", "--no-auto-import", "--allow-stale", "--sandbox", "-v"];
    let flags = [&flags[..], &["--lock-timeout", "5s"]].concat();
    assert_eq!(repo.titles(&[&flags[..], &["list", "--pretty"]].concat()), ["a"]);
    assert_eq!(repo.bd(&["prime", "--full"]).ok(), repo.bd(&["prime"]).ok());
    let other = repo.sandbox.folder("other");
    repo.sandbox.bd(&other, &["init", "--stealth", "--skip-hooks", "-q", "-p", "oth"]).ok();
    let there = repo.dir.join(".beads/beads.db").display().to_string();
    assert!(repo.sandbox.bd(&other, &["--db", &there, "list"]).ok().contains(&a));
    let refused = repo.bd(&["--db", "tracker.sqlite", "list"]).fails();
    assert!(refused.contains("BEADS_DIR"), "{refused}");
}

#[test]
fn the_file_of_issues_is_written_and_read_by_sync_for_those_who_are_used_to_that() {
    let repo = Repo::new();
    repo.add("a", &[]);
    repo.bd(&["sync", "--flush-only"]).ok();
    let file = repo.dir.join(".beads/issues.jsonl");
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, text.replace("\"a\"", "\"b\"").replace("\"updated_at\":\"2", "\"updated_at\":\"3"))
        .expect("the file");
    repo.bd(&["sync", "--import-only"]).ok();
    assert_eq!(repo.titles(&["list"]), ["b"]);
    assert_eq!(repo.bd(&["sync", "--flush-only", "--remote", "x"]).code, 2);
}

#[test]
fn lines_that_were_never_read_here_are_not_written_over() {
    let repo = Repo::new();
    let file = repo.dir.join(".beads/issues.jsonl");
    let line = |id: &str| {
        let times = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z""#;
        format!("{{\"id\":\"{id}\",\"title\":\"{id}\",\"status\":\"open\",\"priority\":2,{times}}}\n")
    };
    let mine = repo.add("mine", &[]);
    let gone = repo.add("gone", &[]);
    let refused = |args: &[&str], ids: &str| {
        let before = std::fs::read(&file).expect("the file");
        let ran = repo.bd(args);
        assert!(ran.code == 5 && ran.stderr.contains(&format!("never read here: {ids};")), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("`bd import ") && ran.stderr.contains("--force` writes over"), "{}", ran.stderr);
        assert_eq!(std::fs::read(&file).expect("the file"), before);
    };
    // A file that was never adopted; odd lines are read as an import would read them.
    std::fs::write(
        &file,
        line("fl-1") + "{\"id\":\"fl-0\",\"title\":\"odd\"}{\"id\":\"fl-9\",\"title\":\"t\"}\nno line\n",
    )
    .expect("write");
    let write = ["export", "-o", ".beads/issues.jsonl"];
    refused(&["sync", "--flush-only"], "fl-0, fl-1, fl-9");
    refused(&write, "fl-0, fl-1, fl-9");
    repo.bd(&["import"]).fails();
    repo.bd(&["delete", &gone, "--force"]).ok();
    // What is no line was not read either.
    let text = std::fs::read_to_string(&file).expect("the file");
    assert!(repo.bd(&["sync", "--flush-only"]).fails().contains("1 line that could not be read: 3"));
    std::fs::write(&file, text.replace("no line\n", "")).expect("mend");
    repo.bd(&["sync", "--flush-only"]).ok();
    // What others add later.
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, text + &line("fl-2") + &line(&gone) + &line(&mine)).expect("write");
    refused(&["sync", "--flush-only"], "fl-2");
    repo.bd(&["export", "-o", "elsewhere.jsonl"]).ok();
    repo.bd(&["import"]).ok();
    repo.bd(&["sync", "--flush-only"]).ok();
    let text = std::fs::read_to_string(&file).expect("the file");
    assert!(text.contains("\"fl-2\"") && text.contains("\"fl-9\"") && text.contains(&mine), "{text}");
    std::fs::write(&file, line("fl-3")).expect("write");
    refused(&write, "fl-3");
    repo.bd(&[&write[..], &["--force"]].concat()).ok();
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text);
}

#[test]
fn a_rehearsed_import_says_what_would_come_in_and_changes_nothing() {
    let repo = Repo::new();
    let kept = repo.add("kept", &[]);
    let file = repo.dir.join("in.jsonl");
    let mut newer = repo.bd(&["export"]).json();
    newer["updated_at"] = "2099-01-01T00:00:00Z".into();
    newer["title"] = "another title".into();
    let text = format!("{newer}\n{{\"id\":\"app-new\",\"title\":\"new\"}}\nno line\n");
    std::fs::write(&file, text).expect("written");
    let said = repo.bd(&["import", "in.jsonl", "--dry-run"]);
    assert_eq!(said.stdout.trim(), "would import 1 new, 1 changed, 0 as they were, 0 deleted here and left so");
    assert!(said.stderr.contains("in.jsonl:3:") && said.stderr.contains("the others would come in"), "{}", said.stderr);
    assert_eq!(said.code, 1, "a line could not be read");
    assert_eq!(repo.bd(&["show", &kept, "--json"]).json()[0]["title"], "kept");
    assert_eq!(repo.bd(&["list", "--all", "--json"]).json().as_array().map(Vec::len), Some(1));
    repo.bd(&["import", "in.jsonl"]).fails();
    assert_eq!(repo.bd(&["show", &kept, "--json"]).json()[0]["title"], "another title");
}

#[test]
fn with_readonly_whatever_would_write_is_refused() {
    let repo = Repo::new();
    let (a, b) = (repo.add("a", &[]), repo.add("b", &[]));
    let before = (repo.bd(&["export"]).ok(), repo.bd(&["config", "list"]).ok());
    let writes: [&[&str]; 17] = [
        &["create", "x"],
        &["q", "x"],
        &["update", &a, "-p", "0"],
        &["close", &a],
        &["delete", &a, "--force"],
        &["label", "add", &a, "x"],
        &["comments", "add", &a, "x"],
        &["dep", "add", &a, &b],
        &["gate", "create", "--blocks", &a],
        &["config", "set", "my.own", "1"],
        &["import", "-"],
        &["batch"],
        &["init"],
        &["restore", "--force"],
        &["uninstall", "--force"],
        &["sync", "--remote", "./x.git"],
        &["doctor", "--fix"],
    ];
    for args in writes {
        let line = format!("close {a}\n");
        let refused = repo.bd_reads(&[&["--readonly"], args].concat(), &line);
        assert_eq!(refused.code, 5, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("--readonly"), "{args:?}: {}", refused.stderr);
    }
    let reads: [&[&str]; 6] =
        [&["list"], &["show", &a], &["ready"], &["history", &a], &["sync", "--status"], &["doctor"]];
    for args in reads {
        repo.bd(&[args, &["--readonly"]].concat()).ok();
    }
    assert_eq!((repo.bd(&["export"]).ok(), repo.bd(&["config", "list"]).ok()), before);
    assert_eq!(repo.bd(&["info", "--json"]).json()["ledger_backlog"], 2, "nothing was recorded either");
}

#[test]
fn a_wait_for_another_project_is_refused_for_nothing_would_end_it() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    let attempts: [&[&str]; 3] = [
        &["dep", "add", &a, "external:other:thing"],
        &["create", "x", "--deps", "external:other:thing"],
        &["create", "x", "--deps", "blocks:external:other:thing"],
    ];
    for args in attempts {
        let refused = repo.bd(args);
        assert_eq!(refused.code, 5, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("bd gate create"), "{args:?}: {}", refused.stderr);
    }
}

#[test]
fn a_dependency_type_that_nobody_knows_is_drawn_and_told_of() {
    let repo = Repo::new();
    let (a, b) = (repo.add("a", &[]), repo.add("b", &[]));
    let drawn = repo.bd(&["dep", "add", &a, &b, "-t", "blokcs"]);
    assert!(drawn.stderr.contains("did you mean `blocks`?"), "{}", drawn.stderr);
    assert_eq!(drawn.code, 0);
    assert!(repo.bd(&["create", "c", "--deps", &format!("mine:{a}")]).stderr.contains("holds nothing back"));
    assert_eq!(repo.bd(&["dep", "add", &b, &a, "-t", "attests"]).code, 5, "a circle");
    let known = repo.bd(&["create", "d", "--deps", &format!("approved-by:{a}")]);
    assert_eq!((known.code, known.stderr.as_str()), (0, ""));
}

#[test]
fn the_label_of_patterns_makes_one_until_it_goes() {
    let repo = Repo::new();
    let made = repo.add("made with it", &["-l", "template"]);
    let given = repo.add("given it", &[]);
    repo.add("work", &[]);
    repo.bd(&["label", "add", &given, "template"]).ok();
    assert_eq!(repo.titles(&["ready"]), ["work"]);
    assert!(repo.bd(&["close", &made]).fails().contains("it is a template"));
    repo.bd(&["label", "remove", &given, "template"]).ok();
    assert_eq!(repo.titles(&["ready"]), ["given it", "work"]);
    repo.bd(&["close", &given]).ok();
}

#[test]
fn a_history_without_an_end_is_whole() {
    let repo = Repo::new();
    let id = repo.add("a", &[]);
    repo.bd(&["close", &id]).ok();
    let lines = |n: &str| repo.bd(&["history", &id, "-n", n]).ok().lines().count();
    assert_eq!((lines("0"), lines("1"), lines("9")), (2, 1, 2));
}

#[test]
fn a_line_of_many_beads_says_where_each_stands() {
    let repo = Repo::new();
    let lines = "{\"title\":\"begun\",\"status\":\"in_progress\",\"owner\":\"ada@example.org\"}\n";
    let made = repo.bd_reads(&["create", "--stdin", "--json"], lines).json();
    assert_eq!((&made[0]["status"], &made[0]["owner"]), (&json!("in_progress"), &json!("ada@example.org")));
    for wrong in ["tombstone", "opne"] {
        let refused = repo.bd_reads(&["create", "--stdin"], &format!("{{\"title\":\"x\",\"status\":\"{wrong}\"}}\n"));
        assert_eq!(refused.code, 1, "{wrong}");
    }
}
