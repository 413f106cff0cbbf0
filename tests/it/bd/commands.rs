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
fn no_wisp_reaches_the_ledger_through_an_edge_of_a_bead_that_lasts() {
    let repo = Repo::new();
    let (lasting, other) = (repo.add("lasting", &[]), repo.add("other", &[]));
    let [wisp, gone] = ["wisp", "gone"].map(|title| repo.add(title, &["--ephemeral"]));
    let born = repo.add("born with one", &["--deps", &wisp]);
    repo.bd(&["dep", "add", &lasting, &wisp]).ok();
    repo.bd(&["dep", "add", &lasting, &other]).ok();
    repo.bd(&["dep", "add", &other, &gone, "-t", "related"]).ok();
    repo.bd(&["dep", "add", &other, &wisp, "-t", "related"]).ok();
    repo.bd(&["dep", "remove", &other, &wisp]).ok();
    repo.bd(&["delete", &gone, "--force"]).ok();
    let refused = repo.bd(&["create", "child", "--parent", &wisp]);
    assert_eq!(refused.code, 5);
    let said = refused.fails();
    assert!(said.contains(&format!("cannot give a lasting child to {wisp}: it is a wisp")), "{said}");
    assert!(said.contains("hint:") && said.contains("--ephemeral"), "{said}");
    assert_eq!(repo.bd(&["dep", "add", &born, &wisp, "-t", "parent-child"]).code, 5);
    assert_eq!(repo.bd(&["gate", "create", "-t", "bead", "--await", &wisp, "--blocks", &other]).code, 5);
    repo.bd(&["create", "part", "--parent", &wisp, "--ephemeral"]).ok();
    // Here it holds back as any other edge does.
    assert_eq!(repo.titles(&["ready"]), ["other"]);
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], json!([]), "the ledger says the same");
    let git = |args: &[&str]| repo.sandbox.git(&repo.dir.join(".beads/ledger.git"), args).ok();
    let all = git(&["log", "-p", "--all", "--format=%B"]);
    assert!(all.contains(&lasting) && !all.contains("-wisp-"), "{all}");
    let exported = repo.bd(&["export"]).ok();
    assert!(exported.contains(&format!("\"depends_on_id\":\"{other}\"")) && !exported.contains("-wisp-"), "{exported}");
    // A store made of the ledger alone has the same to record.
    repo.bd(&["restore", "--force"]).ok();
    assert_eq!(repo.bd(&["export"]).ok(), exported);
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], json!([]));
}

#[test]
fn a_wisp_that_lasts_from_now_on_takes_the_edges_to_it_along() {
    let repo = Repo::new();
    let lasting = repo.add("lasting", &[]);
    repo.bd(&["create", "wisp", "--ephemeral", "--id", "app-w"]).ok();
    repo.bd(&["dep", "add", &lasting, "app-w"]).ok();
    repo.bd(&["history", &lasting]).ok();
    let wisp = &repo.bd(&["show", "app-w", "--json"]).json()[0];
    let line = json!({
        "id": "app-w", "title": "no wisp any more", "status": "open", "priority": 2, "issue_type": "task",
        "created_at": wisp["created_at"], "updated_at": "2040-01-01T00:00:00Z",
    });
    repo.bd_reads(&["import", "-"], &format!("{line}\n")).ok();
    assert_eq!(repo.bd(&["show", "app-w", "--json"]).json()[0]["ephemeral"], serde_json::Value::Null);
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], json!([]));
    let exported = repo.bd(&["export"]).ok();
    assert!(exported.contains("\"depends_on_id\":\"app-w\""), "{exported}");
    repo.bd(&["restore", "--force"]).ok();
    assert_eq!(repo.titles(&["ready"]), ["no wisp any more"]);
    // The other way there is none: what the ledger has, lasts.
    let line = line.to_string().replace("2040-", "2041-").replace("\"status\"", "\"ephemeral\":true,\"status\"");
    let said = repo.bd_reads(&["import", "-", "--json"], &format!("{line}\n")).json();
    assert!(said["findings"].to_string().contains("it lasts here"), "{said}");
    assert_eq!(repo.bd(&["doctor", "--json"]).json()["findings"], json!([]));
}

#[test]
fn nothing_is_done_to_a_bead_that_was_deleted() {
    let repo = Repo::new();
    let (gone, here) = (repo.add("gone", &[]), repo.add("here", &[]));
    repo.bd(&["delete", &gone, "--force"]).ok();
    let attempts: [&[&str]; 7] = [
        &["comments", "add", &gone, "text"],
        &["label", "add", &gone, "x"],
        &["dep", "add", &gone, &here],
        &["dep", "add", &here, &gone],
        &["create", "child", "--parent", &gone],
        &["create", "later", "--deps", &gone],
        &["create", "child", "--id", &format!("{gone}.7")],
    ];
    for args in attempts {
        let refused = repo.bd(args);
        assert_eq!(refused.code, 5, "{args:?}");
        let said = refused.fails();
        assert!(said.contains("it is deleted") && said.contains("hint:"), "{args:?}: {said}");
    }
    let orphan = repo.bd(&["create", "child", "--id", "app-none.1"]);
    assert_eq!(orphan.code, 4, "its parent is not here");
    assert_eq!(repo.titles(&["list", "--all"]), ["here"]);
}

#[test]
fn an_id_that_was_erased_does_not_mean_its_child() {
    let repo = Repo::new();
    let wisp = repo.add("wisp", &["--ephemeral"]);
    let part = repo.add("part", &["--parent", &wisp, "--ephemeral"]);
    repo.bd(&["delete", &wisp, "--force"]).ok();
    let gone = repo.bd(&["show", &wisp]);
    assert_eq!(gone.code, 4);
    let said = gone.fails();
    assert!(said.contains(&format!("there is no bead `{wisp}` any more: it was a wisp")), "{said}");
    assert_eq!(repo.bd(&["show", &part, "--json"]).json()[0]["title"], "part");
}

#[test]
fn a_wisp_of_a_file_that_was_burnt_keeps_nobody_from_writing_the_file() {
    let repo = Repo::new();
    let file = repo.dir.join(".beads/issues.jsonl");
    let line = |id: &str, more: &str| {
        format!(
            "{{\"id\":\"{id}\",\"title\":\"t\",\"status\":\"open\",\"priority\":2,\"issue_type\":\"task\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"{more}}}\n"
        )
    };
    std::fs::write(&file, line("app-1", "") + &line("app-wisp-1", ",\"ephemeral\":true")).expect("write");
    repo.bd(&["import"]).ok();
    repo.bd(&["delete", "app-wisp-1", "--force"]).ok();
    repo.bd(&["export", "-o", &file.display().to_string()]).ok();
    assert_eq!(std::fs::read_to_string(&file).expect("read"), line("app-1", ""));
    std::fs::write(&file, line("app-1", "") + &line("app-2", "")).expect("write");
    let refused = repo.bd(&["export", "-o", &file.display().to_string()]).fails();
    assert!(refused.contains("1 bead never read here: app-2"), "{refused}");
}

#[test]
fn a_file_with_lines_that_could_not_be_read_is_not_written_over() {
    let repo = Repo::new();
    let file = repo.dir.join(".beads/issues.jsonl");
    let line = |id: &str| format!(r#"{{"id":"{id}","title":"t {id}"}}"#);
    let memory = r#"{"_type":"memory","key":"k","value":"v"}"#;
    let text = format!("{}\n\nxx{}\nle\":\"t\",\"id\":\"app-3\"}}\n{memory}\n", line("app-1"), line("app-2"));
    std::fs::write(&file, &text).expect("write");
    let shown = file.display().to_string();
    for (args, why) in [
        (&["export", "-o", &shown][..], "1 bead never read here"),
        (&["sync", "--flush-only"], "1 bead never read here"),
        (&["import"], "no bead but a line of the kind `memory`; kept as it is"),
    ] {
        let said = repo.bd(args).fails();
        assert!(said.contains(why), "{said}");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), text, "{args:?}");
    }
    repo.add("n", &[]);
    for args in [&["export", "-o", &shown][..], &["sync", "--flush-only"]] {
        let refused = repo.bd(args).fails();
        assert!(refused.contains("2 lines that could not be read: 3, 4") && refused.contains("--force"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), text, "{args:?}");
    }
    // Mended they come in, and the file is written; what is no bead stays in it.
    std::fs::write(&file, format!("{}\n{}\n", line("app-1"), line("app-2"))).expect("mend");
    repo.bd(&["import"]).ok();
    repo.bd(&["sync", "--flush-only"]).ok();
    let written = std::fs::read_to_string(&file).expect("read");
    assert!(written.lines().count() == 4 && written.ends_with(&format!("{memory}\n")), "{written}");
    let other = repo.dir.join("other.jsonl");
    std::fs::write(&other, "{\"_type\":\"memory\",\"key\":\"other\"}\n").expect("write");
    let refused = repo.bd(&["export", "-o", &other.display().to_string()]).fails();
    assert!(refused.contains("1 line that could not be read: 1"), "{refused}");
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
