//! What each verb does and prints.

use serde_json::json;

use super::Repo;

#[test]
fn work_flows_from_create_to_close() {
    let repo = Repo::new();
    let a = repo.add("parser", &["-p", "1", "-t", "feature", "-l", "core,fast"]);
    let b = repo.add("docs", &["--deps", &a]);
    let c = repo.add("found on the way", &["--deps", &format!("discovered-from:{a}")]);
    assert!(a.starts_with("app-") && a.len() == 7, "{a}");
    assert_eq!(repo.titles(&["ready"]), ["parser", "found on the way"]);
    let blocked = repo.bd(&["blocked", "--json"]).json();
    assert_eq!((&blocked[0]["blocked_by"], &blocked[0]["blocked_by_count"]), (&json!([a]), &json!(1)));

    let claimed = repo.bd(&["update", &a, "--claim", "--json"]).json();
    assert_eq!((&claimed[0]["status"], &claimed[0]["assignee"]), (&json!("in_progress"), &json!("Test Person")));
    let again = repo.bd(&["update", &a, "--claim"]);
    assert_eq!(again.code, 5);
    assert!(again.fails().contains("already claimed by Test Person"));

    let refused = repo.bd(&["close", &b]);
    assert_eq!(refused.code, 5);
    assert!(refused.fails().contains(&format!("cannot close {b}: blocked by open issues [{a}]")));

    let closed = repo.bd(&["close", &a, "--reason", "merged", "--suggest-next", "--json"]).json();
    assert_eq!(closed["closed"][0]["close_reason"], "merged");
    assert_eq!(closed["unblocked"][0]["id"], json!(b));
    assert_eq!(repo.titles(&["ready"]), ["docs", "found on the way"]);
    assert_eq!(repo.titles(&["list"]), ["docs", "found on the way"]);
    assert_eq!(repo.titles(&["list", "--all", "-t", "feature"]), ["parser"]);
    let both = repo.bd(&["close", &b, &c, "--json"]).json();
    assert_eq!(both.as_array().map(Vec::len), Some(2));
    assert_eq!(repo.bd(&["ready", "--json"]).ok(), "[]");
    repo.bd(&["reopen", &b, "-r", "not good enough"]).ok();
    assert_eq!(repo.titles(&["ready"]), ["docs"]);
}

#[test]
fn show_gives_a_bead_and_all_around_it() {
    let repo = Repo::new();
    let epic = repo.add("epic", &["-t", "epic"]);
    let child = repo.add("child", &["--parent", &epic, "-d", "what and why"]);
    assert_eq!(child, format!("{epic}.1"));
    let next = repo.add("next", &["--deps", &child]);
    repo.bd(&["comments", "add", &child, "looks hard"]).ok();
    repo.bd(&["label", "add", &child, &next, "red"]).ok();
    let shown = repo.bd(&["show", &child, &next, "--json"]).json();
    assert_eq!(shown.as_array().map(Vec::len), Some(2));
    let shown = &shown[0];
    assert_eq!((&shown["parent"], &shown["labels"]), (&json!(epic), &json!(["red"])));
    assert_eq!(
        (&shown["dependencies"][0]["id"], &shown["dependencies"][0]["dependency_type"]),
        (&json!(epic), &json!("parent-child"))
    );
    assert_eq!(
        (&shown["dependents"][0]["title"], &shown["dependents"][0]["dependency_type"]),
        (&json!("next"), &json!("blocks"))
    );
    assert_eq!(
        (&shown["comments"][0]["text"], &shown["comments"][0]["author"]),
        (&json!("looks hard"), &json!("Test Person"))
    );
    let keys: Vec<&String> = shown.as_object().expect("an object").keys().take(6).collect();
    assert_eq!(keys, ["id", "title", "description", "status", "priority", "issue_type"]);
    let page = repo.bd(&["show", &child]).ok();
    assert!(page.contains("what and why") && page.contains("looks hard") && page.contains(&epic), "{page}");
    assert_eq!(repo.titles(&["show", &epic, "--children"]), ["child"]);
    let listed = repo.bd(&["list", "--parent", &epic, "--json"]).json();
    assert_eq!((&listed[0]["dependency_count"], &listed[0]["dependent_count"]), (&json!(1), &json!(1)));
}

#[test]
fn update_changes_every_field() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    let parent = repo.add("parent", &[]);
    let changed = repo.bd(&[
        "update",
        &a,
        "--title",
        "b",
        "-p",
        "P0",
        "-t",
        "bug",
        "-d",
        "d",
        "--design",
        "e",
        "--notes",
        "n",
        "--acceptance",
        "ok",
        "--external-ref",
        "gh-9",
        "-e",
        "30",
        "--due",
        "2030-01-01",
        "--add-label",
        "x,y",
        "--parent",
        &parent,
        "--meta",
        "k=7",
        "-s",
        "in-progress",
        "--json",
    ]);
    let changed = &changed.json()[0];
    for (key, value) in [
        ("title", json!("b")),
        ("priority", json!(0)),
        ("issue_type", json!("bug")),
        ("description", json!("d")),
        ("design", json!("e")),
        ("notes", json!("n")),
        ("acceptance_criteria", json!("ok")),
        ("external_ref", json!("gh-9")),
        ("estimated_minutes", json!(30)),
        ("due_at", json!("2030-01-01T00:00:00Z")),
        ("labels", json!(["x", "y"])),
        ("metadata", json!({ "k": 7 })),
        ("status", json!("in_progress")),
    ] {
        assert_eq!(changed[key], value, "{key}");
    }
    assert!(changed["started_at"].is_string());
    assert_eq!(repo.bd(&["show", &a, "--json"]).json()[0]["parent"], json!(parent));
    let back = repo
        .bd(&[
            "update",
            &a,
            "--set-labels",
            "z",
            "--due",
            "",
            "--parent",
            "",
            "--meta",
            "k=",
            "--append-notes",
            "more",
            "--json",
        ])
        .json();
    assert_eq!((&back[0]["labels"], back[0].get("due_at"), back[0].get("metadata")), (&json!(["z"]), None, None));
    assert_eq!(back[0]["notes"], "n\nmore");
    assert_eq!(repo.bd(&["show", &a, "--json"]).json()[0].get("parent"), None);
}

#[test]
fn edges_are_drawn_listed_and_removed() {
    let repo = Repo::new();
    let (a, b, c) = (repo.add("a", &[]), repo.add("b", &[]), repo.add("c", &[]));
    let added = repo.bd(&["dep", "add", &b, &a, "--json"]).json();
    assert_eq!(added, json!({ "status": "added", "issue_id": b, "depends_on_id": a, "type": "blocks" }));
    repo.bd(&["dep", "add", &c, "--blocked-by", &b]).ok();
    let circle = repo.bd(&["dep", "add", &a, &c]);
    assert!(circle.fails().contains(&format!("would create a cycle ({a} → {c} → {b} → {a})")));
    let tree = repo.bd(&["dep", "tree", &c, "--json"]).json();
    let rows: Vec<_> = tree.as_array().expect("rows").iter().map(|r| (r["id"].clone(), r["depth"].clone())).collect();
    assert_eq!(rows, [(json!(c), json!(0)), (json!(b), json!(1)), (json!(a), json!(2))]);
    assert!(repo.bd(&["dep", "tree", &c, "--format", "mermaid"]).ok().starts_with("flowchart TD"));
    assert_eq!(repo.bd(&["dep", "cycles", "--json"]).ok(), "[]");
    assert_eq!(repo.titles(&["dep", "list", &a, "--direction", "up"]), ["b"]);
    assert_eq!(repo.bd(&["dep", "remove", &b, &a, "--json"]).json()["status"], "removed");
    assert_eq!(repo.bd(&["dep", "remove", &b, &a]).code, 4);
    repo.bd(&["dep", "add", &a, &b, "-t", "relates-to"]).ok();
    assert_eq!(repo.titles(&["dep", "list", &b, "-t", "relates-to"]), ["a"]);
}

#[test]
fn beads_are_found_by_words_and_by_conditions() {
    let repo = Repo::new();
    repo.add("Crash on empty input", &["-d", "the tokenizer panics", "-t", "bug", "-p", "0", "-a", "ada"]);
    repo.add("Nicer colours", &["-l", "ui", "-p", "4"]);
    assert_eq!(repo.titles(&["search", "token"]), ["Crash on empty input"]);
    assert_eq!(repo.titles(&["search", "colours OR \"x"]), Vec::<String>::new());
    assert_eq!(repo.titles(&["list", "-l", "ui"]), ["Nicer colours"]);
    assert_eq!(repo.titles(&["list", "--assignee", "ada", "--priority-max", "1"]), ["Crash on empty input"]);
    assert_eq!(repo.titles(&["list", "--no-assignee"]), ["Nicer colours"]);
    assert_eq!(repo.titles(&["list", "--title-contains", "CRASH"]), ["Crash on empty input"]);
    assert_eq!(
        repo.titles(&["list", "--created-after", "1h", "--sort", "title", "-r"]),
        ["Nicer colours", "Crash on empty input"]
    );
    assert_eq!(repo.titles(&["list", "-n", "1"]), ["Crash on empty input"]);
    assert_eq!(repo.bd(&["label", "list-all", "--json"]).json(), json!([{ "label": "ui", "count": 1 }]));
}

#[test]
fn a_rehearsal_files_nothing() {
    let repo = Repo::new();
    let made = repo.bd(&["create", "x", "--dry-run", "--json"]).json();
    assert_eq!(made["title"], "x");
    assert!(repo.titles(&["list", "--all"]).is_empty());
}

#[test]
fn a_wisp_is_no_work_and_is_not_listed() {
    let repo = Repo::new();
    let wisp = repo.add("patrol", &["--ephemeral"]);
    assert!(wisp.starts_with("app-wisp-"), "{wisp}");
    assert!(repo.titles(&["ready"]).is_empty() && repo.titles(&["list"]).is_empty());
    assert_eq!(repo.titles(&["list", "--ephemeral"]), ["patrol"]);
    let info = repo.bd(&["info", "--json"]).json();
    assert_eq!((&info["wisps"], &info["ledger_backlog"]), (&json!(1), &json!(0)));
}

#[test]
fn the_ledger_forgets_the_removed_edges_to_a_wisp_that_goes() {
    let repo = Repo::new();
    let (lasting, wisp) = (repo.add("lasting", &[]), repo.add("wisp", &["--ephemeral"]));
    repo.bd(&["dep", "add", &lasting, &wisp]).ok();
    repo.bd(&["dep", "remove", &lasting, &wisp]).ok();
    repo.bd(&["history", &lasting]).ok();
    repo.bd(&["delete", &wisp, "--force"]).ok();
    let history = repo.bd(&["history", &lasting]).ok();
    assert!(history.contains(&format!("forgets {wisp}")), "{history}");
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], serde_json::json!([]));
}

#[test]
fn old_wisps_go_by_themselves_after_a_write() {
    let repo = Repo::new();
    repo.bd(&["config", "set", "wisp.keep", "0s"]).ok();
    assert_eq!(repo.bd(&["config", "set", "wisp.keep", "soon"]).code, 1);
    let lasting = repo.add("lasting", &[]);
    repo.bd_reads(&["batch"], "create one --ephemeral\nclose @1\ncreate two --ephemeral\n").ok();
    assert_eq!(repo.titles(&["list", "--ephemeral", "--all"]), ["two"], "one was closed");
    assert_eq!(repo.bd(&["show", &lasting, "--json"]).json()[0]["status"], "open");
}
