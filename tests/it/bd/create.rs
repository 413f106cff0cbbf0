//! Many beads at once: from Markdown and from lines, all or none.

use gastown::store::Store;
use serde_json::json;

use super::Repo;
use crate::support::{eventually, finish};

const PLAN: &str = "# Login

What we want.

## Login page
Shows a form.

### Priority
1
### Type
feature
### Labels
ui, web
### Dependencies
- Session store
- discovered-from:OLD

## Session store
### Description
Keeps sessions.
### Acceptance Criteria
A restart loses none.
### Estimate
90
### Parent
Login epic

## Login epic
### Type
epic
";

#[test]
fn a_markdown_file_becomes_beads_with_edges_between_them() {
    let repo = Repo::new();
    let old = repo.add("old", &[]);
    std::fs::write(repo.dir.join("plan.md"), PLAN.replace("OLD", &old)).expect("write");
    let made = repo.bd(&["create", "--file", "plan.md", "-p", "3", "-l", "login", "--json"]).json();
    let titles: Vec<_> = made.as_array().expect("array").iter().map(|b| b["title"].clone()).collect();
    assert_eq!(titles, ["Login page", "Session store", "Login epic"], "in the order of the file");
    let (page, store, epic) = (&made[0], &made[1], &made[2]);
    assert_eq!(
        (&page["priority"], &store["priority"]),
        (&json!(1), &json!(3)),
        "flags hold where the file says nothing"
    );
    assert_eq!((&page["labels"], &page["issue_type"]), (&json!(["login", "ui", "web"]), &json!("feature")));
    assert_eq!(
        (&store["description"], &store["acceptance_criteria"], &store["estimated_minutes"]),
        (&json!("Keeps sessions."), &json!("A restart loses none."), &json!(90))
    );
    assert_eq!(store["id"], json!(format!("{}.1", epic["id"].as_str().expect("id"))));
    let shown = repo.bd(&["show", page["id"].as_str().expect("id"), "--json"]).json();
    let mut edges: Vec<(String, String)> = shown[0]["dependencies"]
        .as_array()
        .expect("edges")
        .iter()
        .map(|d| {
            (d["dependency_type"].as_str().expect("type").to_owned(), d["title"].as_str().expect("title").to_owned())
        })
        .collect();
    edges.sort();
    assert_eq!(
        edges,
        [("blocks".to_owned(), "Session store".to_owned()), ("discovered-from".to_owned(), "old".to_owned())]
    );
    assert!(!repo.titles(&["ready"]).contains(&"Login page".to_owned()));
}

#[test]
fn a_file_with_problems_files_nothing_and_names_every_line() {
    let repo = Repo::new();
    let text = "## Good\n### Priority\n7\n## Bad\n### Colour\nred\n### Dependencies\nnope\n";
    let ran = repo.bd_reads(&["create", "--file", "-"], text);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let told = ran.fails();
    assert!(told.contains("stdin: 2 problems; nothing was filed"), "{told}");
    assert!(
        told.contains("line 2: priority: use 0 (critical) to 4") && told.contains("line 5: there is no field `Colour`"),
        "{told}"
    );
    let told = repo.bd_reads(&["create", "--file", "-"], "## A\n### Dependencies\nnope\n### Parent\nnone\n").fails();
    assert!(
        told.contains("line 3: there is no bead `nope`") && told.contains("line 1: there is no bead `none`"),
        "{told}"
    );
    let told =
        repo.bd_reads(&["create", "--file", "-"], "## A\n### Dependencies\nB\n## B\n### Dependencies\nA\n").fails();
    assert!(told.contains("depend on each other in a circle: `A`, `B`"), "{told}");
    let long = format!("## ok\n## {}\n", "x".repeat(501));
    let told = repo.bd_reads(&["create", "--file", "-"], &long).fails();
    assert!(told.contains("stdin, line 2: title: it has 501 bytes"), "{told}");
    assert_eq!(repo.bd(&["create", "--file", "missing.md"]).code, 4);
    assert!(repo.titles(&["list", "--all"]).is_empty(), "all or none");
}

#[test]
fn lines_of_stdin_are_titles_or_objects() {
    let repo = Repo::new();
    let text = "first\n# a note\n{\"title\":\"second\",\"type\":\"bug\",\"priority\":0,\"deps\":[\"first\"],\"metadata\":{\"k\":1}}\n";
    let ids = repo.bd_reads(&["create", "--stdin", "-q"], text).ok();
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(ids.len(), 2);
    let shown = repo.bd(&["show", ids[1], "--json"]).json();
    assert_eq!((&shown[0]["issue_type"], &shown[0]["metadata"]), (&json!("bug"), &json!({ "k": 1 })));
    assert_eq!(shown[0]["dependencies"][0]["id"], json!(ids[0]));
    let told = repo.bd_reads(&["create", "--stdin"], "ok\n{\"title\": 7}\n{broken\n").fails();
    assert!(
        told.contains("line 2: title: this is no value for it") && told.contains("line 3: this is no JSON"),
        "{told}"
    );
    assert_eq!(repo.titles(&["list"]), ["second", "first"]);
}

#[test]
fn ten_thousand_lines_are_filed_or_none_of_them() {
    let repo = Repo::new();
    let mut text: String = (0..10_000).map(|n| format!("bead {n}\n")).collect();
    text.push_str("{\"title\":\"last\",\"deps\":[\"bead 0\",\"bead 9999\"]}\n");
    let ids = repo.bd_reads(&["create", "--stdin", "-q"], &text).ok();
    let unique: std::collections::HashSet<&str> = ids.lines().collect();
    assert_eq!((unique.len(), ids.lines().count()), (10_001, 10_001));
    assert_eq!(repo.bd(&["count", "--json"]).json(), json!({ "count": 10_001 }));
    let last = ids.lines().last().expect("ids");
    assert_eq!(repo.bd(&["show", last, "--json"]).json()[0]["dependencies"].as_array().map(Vec::len), Some(2));
    let id = "{\"title\":\"again\",\"id\":\"app-x\"}\n";
    let told = repo.bd_reads(&["create", "--stdin"], &format!("{text}{id}{id}")).fails();
    assert!(told.contains("line 10003: the id `app-x` is given twice"), "{told}");
    let too_long = format!("{text}{}\n", "y".repeat(600));
    assert!(repo.bd_reads(&["create", "--stdin"], &too_long).fails().contains("line 10002: title"));
    assert_eq!(repo.bd(&["count", "--json"]).json(), json!({ "count": 10_001 }), "nothing of a list that failed");
}

#[test]
fn what_a_killed_list_has_left_goes_with_what_is_written_next() {
    let repo = Repo::new();
    let text: String = (0..500).map(|n| format!("## bead {n}\n\n")).collect();
    std::fs::write(repo.dir.join("plan.md"), text).expect("write");
    let mut command = repo.sandbox.command(env!("CARGO_BIN_EXE_bd"), &repo.dir);
    command.env("GT_FAULT", "store.committed:4").args(["create", "--file", "plan.md"]);
    assert_eq!(finish(command, "bd create".to_owned()).code, -1, "killed");
    let store = Store::open(&repo.dir.join(".beads")).expect("opens");
    let left = || store.left("create").expect("reads").len();
    assert_eq!((left(), repo.bd(&["count"]).ok()), (1, "0".to_owned()));
    eventually("what was left to be dropped", || {
        repo.bd(&["config", "set", "status.custom", "waiting"]).ok();
        (left() == 0).then_some(())
    });
    assert_eq!(store.check().expect("checks"), Vec::<String>::new());
}

#[test]
fn a_rehearsed_file_shows_its_beads_and_files_none() {
    let repo = Repo::new();
    let made = repo.bd_reads(&["create", "--stdin", "--dry-run", "--json"], "a\nb\n").json();
    assert_eq!(made.as_array().map(Vec::len), Some(2));
    assert!(repo.titles(&["list"]).is_empty());
}

#[test]
fn the_mark_that_an_editor_writes_before_a_text_is_no_part_of_it() {
    let repo = Repo::new();
    let titles = || {
        let mut titles = repo.titles(&["list"]);
        titles.sort();
        titles.join(" ")
    };
    let plan = "\u{feff}## First\ntext\n\n## Second\n";
    std::fs::write(repo.dir.join("p.md"), plan).expect("write");
    repo.bd(&["create", "--file", "p.md"]).ok();
    assert_eq!(titles(), "First Second");
    repo.bd_reads(&["create", "--file", "-"], plan).ok();
    repo.bd_reads(&["create", "--stdin"], "\u{feff}third\n").ok();
    repo.bd_reads(&["batch"], "\u{feff}create fourth\n").ok();
    assert_eq!(titles(), "First First Second Second fourth third");
    std::fs::write(repo.dir.join("why"), "\u{feff}why\u{feff}").expect("write");
    let fifth = repo.add("fifth", &["--body-file", "why"]);
    repo.bd_reads(&["comments", "add", &fifth, "-"], "\u{feff}said").ok();
    let shown = repo.bd(&["show", &fifth, "--json"]).json();
    assert_eq!((&shown[0]["description"], &shown[0]["comments"][0]["text"]), (&json!("why\u{feff}"), &json!("said")));
    std::fs::write(repo.dir.join("ids"), format!("\u{feff}{fifth}\n")).expect("write");
    repo.bd(&["delete", "--from-file", "ids", "--force"]).ok();
    assert_eq!(repo.bd(&["list", "--json"]).json().as_array().map(Vec::len), Some(6));
}
