//! The smaller verbs, flags of other trackers, and what is printed for machines.

use serde_json::json;

use super::Repo;
use crate::support::Sandbox;

#[test]
fn what_is_put_off_comes_back_by_itself_or_when_it_is_called() {
    let repo = Repo::new();
    let (a, b) = (repo.add("a", &[]), repo.add("b", &[]));
    assert_eq!(repo.bd(&["defer", &a, "--json"]).json()[0]["status"], "deferred");
    repo.bd(&["defer", &b, "--until", "2099-01-01"]).ok();
    assert!(repo.titles(&["ready"]).is_empty());
    assert_eq!(repo.titles(&["list", "--deferred"]), ["a", "b"]);
    assert_eq!(repo.titles(&["ready", "--include-deferred"]), ["b"], "status deferred is never ready");
    let back = repo.bd(&["undefer", &a, &b, "--json"]).json();
    assert_eq!((&back[0]["status"], back[1].get("defer_until")), (&json!("open"), None));
    assert_eq!(repo.titles(&["ready"]), ["a", "b"]);
    repo.bd(&["defer", &a, "--until", "2020-01-01"]).ok();
    assert_eq!(repo.titles(&["ready"]), ["a", "b"], "its time has come");
    // Put off without an end, then given one: from there on it comes back by itself too.
    repo.bd(&["defer", &b]).ok();
    repo.bd(&["defer", &b, "--until", "2020-01-01"]).ok();
    assert_eq!(repo.titles(&["ready"]), ["a", "b"]);
}

#[test]
fn a_bead_that_another_one_replaces_is_closed_and_points_there() {
    let repo = Repo::new();
    let (a, b, c) = (repo.add("a", &[]), repo.add("b", &[]), repo.add("c", &[]));
    let done = repo.bd(&["duplicate", &a, "--of", &b, "--json"]).json();
    assert_eq!(done, json!({ "duplicate": a, "canonical": b, "status": "closed" }));
    assert_eq!(repo.titles(&["dep", "list", &a, "-t", "duplicates"]), ["b"]);
    let done = repo.bd(&["supersede", &b, "--with", &c, "--json"]).json();
    assert_eq!(done, json!({ "superseded": b, "replacement": c, "status": "closed" }));
    assert_eq!(repo.titles(&["dep", "list", &c, "-t", "supersedes"]), ["b"]);
    assert_eq!(repo.bd(&["show", &b, "--json"]).json()[0]["close_reason"], json!(format!("superseded by {c}")));
    assert_eq!(repo.bd(&["duplicate", &c, "--of", &c]).code, 5);
    assert_eq!(repo.titles(&["list"]), ["c"]);
}

#[test]
fn relations_go_both_ways_and_hold_nothing_back() {
    let repo = Repo::new();
    let (a, b) = (repo.add("a", &[]), repo.add("b", &[]));
    let added = repo.bd(&["relate", &a, &b, "--json"]).json();
    assert_eq!(added, json!({ "status": "added", "issue_id": a, "depends_on_id": b, "type": "relates-to" }));
    assert_eq!(repo.titles(&["dep", "list", &b]), ["a"]);
    assert_eq!(repo.titles(&["ready"]), ["a", "b"]);
    repo.bd(&["unrelate", &b, &a]).ok();
    assert!(repo.titles(&["dep", "list", &a, "--direction", "both"]).is_empty());
    assert_eq!(repo.bd(&["unrelate", &b, &a]).code, 4);
    repo.bd(&["dep", &a, "--blocks", &b]).ok();
    assert_eq!(repo.titles(&["ready"]), ["a"]);
    assert!(repo.bd(&["dep"]).fails().contains("bd dep add"));
}

#[test]
fn references_and_conversations_are_shown() {
    let repo = Repo::new();
    let (a, b, c) = (repo.add("a", &[]), repo.add("b", &[]), repo.add("c", &[]));
    repo.bd(&["dep", "add", &b, &a, "-t", "replies-to"]).ok();
    repo.bd(&["dep", "add", &c, &b, "-t", "replies-to"]).ok();
    assert_eq!(repo.titles(&["show", &c, "--thread"]), ["a", "b", "c"]);
    let refs = repo.bd(&["show", &a, "--refs", "--json"]).json();
    assert_eq!((&refs[0]["id"], &refs[0]["dependency_type"]), (&json!(b), &json!("replies-to")));
}

#[test]
fn lists_take_times_trees_and_ids_alone() {
    let repo = Repo::new();
    let epic = repo.add("epic", &["-t", "epic", "-p", "1"]);
    let child = repo.add("child", &["--parent", &epic, "--due", "2020-01-01", "-p", "0"]);
    let late = repo.add("late", &["--due", "2099-01-01", "--mol-type", "swarm"]);
    assert_eq!(repo.titles(&["list", "--overdue"]), ["child"]);
    assert_eq!(repo.titles(&["list", "--due-after", "2030-01-01"]), ["late"]);
    assert_eq!(repo.titles(&["list", "--mol-type", "swarm"]), ["late"]);
    let tree = repo.bd(&["list", "--tree"]).ok();
    let lines: Vec<&str> = tree.lines().collect();
    assert!(lines[0].starts_with(&epic) && lines[1].starts_with(&format!("  {child}")), "{tree}");
    assert_eq!(repo.bd(&["list", "--ids-only"]).ok(), [child.as_str(), &epic, &late].join("\n"));
    repo.bd(&["close", &child]).ok();
    assert!(repo.titles(&["list", "--overdue"]).is_empty(), "what is closed is not overdue");
}

#[test]
fn a_list_of_all_is_in_order_whatever_the_statuses_and_labels_are_counted_once_each() {
    let repo = Repo::new();
    let names = ["a", "b", "c", "d", "e"];
    for (name, priority) in names.iter().zip(["3", "0", "2", "1", "4"]) {
        repo.add(name, &["-p", priority, "-l", if *name < "c" { "x,y" } else { "y" }]);
    }
    let ids = repo.bd(&["list", "--ids-only"]).ok();
    let ids: Vec<&str> = ids.lines().collect();
    repo.bd(&["close", ids[0], ids[3]]).ok();
    repo.bd(&["update", ids[2], "-s", "in_progress"]).ok();
    repo.bd(&["delete", ids[4], "--force"]).ok();
    assert_eq!(repo.titles(&["list", "--all"]), ["b", "d", "c", "a"]);
    assert_eq!(repo.titles(&["list", "--all", "-r", "-n", "2"]), ["a", "c"]);
    assert_eq!(repo.titles(&["list", "--all", "-n", "3", "-l", "x"]), ["b", "a"]);
    assert_eq!(repo.titles(&["list", "-s", "closed,in_progress"]), ["b", "c", "a"]);
    repo.bd(&["label", "remove", ids[2], "y"]).ok();
    let counted = repo.bd(&["count", "--by-label", "--json"]).json();
    let group = |name: &str, n: u8| json!({ "group": name, "count": n });
    assert_eq!(counted, json!({ "total": 4, "groups": [group("(no labels)", 1), group("x", 2), group("y", 3)] }));
}

#[test]
fn comments_may_be_in_the_name_of_somebody_else_and_stats_of_one_person() {
    let repo = Repo::new();
    let a = repo.add("a", &["-a", "ada"]);
    repo.add("b", &[]);
    let said = repo.bd(&["comments", "add", &a, "hello", "-a", "bob", "--json"]).json();
    assert_eq!(said["author"], "bob");
    let mine = repo.bd(&["--actor", "ada", "stats", "--assigned", "--json"]).json();
    assert_eq!((&mine["summary"]["total_issues"], &mine["summary"]["ready_issues"]), (&json!(1), &json!(1)));
}

#[test]
fn what_is_said_of_several_beads_names_each() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    let ran = repo.bd(&["close", &a, "app-no1", "app-no2"]);
    assert!(
        ran.code == 4 && ran.stderr.contains("1 other could not be closed: there is no bead `app-no2`"),
        "{}",
        ran.stderr
    );
    let ran = repo.bd(&["defer", &a]);
    assert!(
        ran.code == 5 && ran.stderr.contains(&format!("hint: if it is to be done again: bd reopen {a}")),
        "{}",
        ran.stderr
    );
    let b = repo.add("b", &[]);
    repo.bd(&["label", "add", &b, "ui, web"]).ok();
    assert_eq!(repo.bd(&["label", "list", &b, "--json"]).json(), json!(["ui", "web"]));
    repo.bd(&["label", "remove", &b, "ui,web"]).ok();
    assert_eq!(repo.bd(&["label", "list", &b, "--json"]).json(), json!([]));
    repo.bd(&["delete", &b, "--force"]).ok();
    assert!(repo.bd(&["history", &b]).ok().lines().any(|line| line.trim_end().ends_with("deleted")));
}

#[test]
fn a_remote_that_is_none_is_not_found() {
    let repo = Repo::new();
    let ran = repo.bd(&["sync", "--remote", "./nowhere.git", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("json");
    assert_eq!((ran.code, &told["error"]["kind"]), (4, &json!("not_found")), "{told}");
    assert!(told["error"]["message"].as_str().expect("message").contains("nowhere.git"), "{told}");
}

#[test]
fn a_wrong_command_line_is_told_in_json_to_those_who_asked_for_it() {
    let repo = Repo::new();
    for (program, args, words, tip) in [
        ("bd", &["creat", "x", "--json"][..], "unrecognized subcommand 'creat'", "'create'"),
        ("bd", &["--json", "hooks", "install"], "unrecognized subcommand 'hooks'", "nothing is put into git's hooks"),
        ("gt", &["--json", "slig"], "unrecognized subcommand 'slig'", "'sling'"),
        ("bd", &["list", "--json", "--assigne", "x"], "unexpected argument '--assigne' found", "'--assignee'"),
    ] {
        let ran = repo.sandbox.run(program, &repo.dir, args);
        assert_eq!(ran.code, 2, "{args:?}");
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("json");
        assert_eq!((&told["error"]["kind"], &told["error"]["code"]), (&json!("usage"), &json!(2)));
        assert!(told["error"]["message"].as_str().expect("message").contains(words), "{told}");
        assert!(told["error"]["hints"][0].as_str().expect("hint").contains(tip), "{told}");
    }
    assert!(repo.bd(&["--json", "--help"]).ok().starts_with("Tracks issues"));
    let ran = repo.bd(&["compact", "--analyze"]);
    assert!(ran.code == 2 && ran.stderr.contains("hint: nothing is to be cleaned up by hand"), "{}", ran.stderr);
}

#[test]
fn help_says_of_every_verb_what_its_flag_says() {
    let sandbox = Sandbox::new();
    let lines: [(&str, &[&str]); 7] = [
        ("bd", &[]),
        ("bd", &["ready"]),
        ("bd", &["dep", "add"]),
        ("gt", &[]),
        ("gt", &["sling"]),
        ("gt", &["convoy", "status"]),
        ("gt", &["mq"]),
    ];
    for (program, verb) in lines {
        let run = |args: &[&str]| sandbox.run(program, sandbox.path(), args).ok();
        let (by_verb, by_flag) = (run(&[&["help"], verb].concat()), run(&[verb, &["--help"]].concat()));
        assert_eq!(by_verb, by_flag, "{program} {verb:?}");
        assert!(by_verb.contains("Usage: "), "{by_verb}");
    }
    for program in ["bd", "gt"] {
        let ran = sandbox.run(program, sandbox.path(), &["help", "nope"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("nope") && ran.stderr.contains(&format!("{program} --help")), "{}", ran.stderr);
    }
}

#[test]
fn ready_lists_what_was_begun_and_says_how_to_leave_it_out() {
    let repo = Repo::new();
    let (begun, _) = (repo.add("begun", &[]), repo.add("new", &[]));
    repo.bd(&["update", &begun, "--claim"]).ok();
    assert_eq!(repo.titles(&["ready"]).len(), 2);
    assert_eq!(repo.titles(&["ready", "--status", "open"]), ["new"]);
    let help = repo.bd(&["ready", "--help"]).ok();
    assert!(help.contains("open or in progress") && help.contains("`--status open`"), "{help}");
    let prime = repo.bd(&["prime"]).ok();
    assert!(prime.contains("Ready now, or in progress:") && prime.contains("--status open"), "{prime}");
}

#[test]
fn every_shell_gets_a_script_that_knows_the_verbs() {
    let repo = Repo::new();
    for program in ["bd", "gt"] {
        for (shell, words) in [("bash", "complete "), ("zsh", "#compdef"), ("fish", "complete -c")] {
            let script = repo.sandbox.run(program, &repo.dir, &["completion", shell]).ok();
            assert!(script.contains(words) && script.contains("completion"), "{program} {shell}");
        }
    }
    let check = format!("source <('{}' completion bash) && complete -p bd", env!("CARGO_BIN_EXE_bd"));
    assert!(repo.sandbox.run("bash", &repo.dir, &["-c", &check]).ok().contains("bd"));
}

#[test]
fn words_of_ones_own_are_settings_of_the_tracker() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    repo.bd(&["config", "set", "status.custom", "review:active,parked"]).ok();
    repo.bd(&["config", "set", "types.custom", "poem"]).ok();
    assert_eq!(repo.bd(&["update", &a, "-s", "review", "-t", "poem", "--json"]).json()[0]["issue_type"], "poem");
    let told = repo.bd(&["update", &a, "-s", "revew"]).fails();
    assert!(told.contains("did you mean `review`?"), "{told}");
    assert_eq!(repo.titles(&["list", "-s", "review", "-t", "poem"]), ["a"]);
    repo.bd(&["config", "unset", "status.custom"]).ok();
    assert_eq!(repo.titles(&["list", "-s", "review"]), ["a"], "a word in use can be asked for");
    repo.add("spike", &["-t", "spike"]);
}

#[test]
fn hundreds_of_beads_are_changed_and_closed_at_once_and_a_wrong_id_changes_none() {
    let repo = Repo::new();
    let titles: String = (0..250).map(|n| format!("bead {n}\n")).collect();
    let filed = repo.bd_reads(&["create", "--stdin", "--json"], &titles).json();
    let ids: Vec<&str> = filed.as_array().expect("beads").iter().map(|b| b["id"].as_str().expect("an id")).collect();
    let all = |verb: &[&str], more: &[&str]| repo.bd(&[verb, &ids, more].concat());
    let wrong = all(&["update"], &["nothing-like-it", "-p", "0"]);
    assert!(wrong.code == 4 && wrong.stderr.contains("nothing-like-it"), "{}", wrong.stderr);
    assert_eq!(repo.bd(&["count", "-p", "0", "--json"]).json()["count"], 0);
    assert_eq!(all(&["update", "--json"], &["-p", "0", "--add-label", "x"]).json().as_array().map(Vec::len), Some(250));
    assert_eq!(repo.bd(&["count", "-p", "0", "-l", "x", "--json"]).json()["count"], 250);
    // A bead of the third hundred cannot be claimed: the first two are, and the error says so.
    repo.bd(&["update", ids[220], "-a", "ann"]).ok();
    let cut = all(&["update"], &["--claim"]);
    assert!(cut.code != 0 && cut.stderr.contains("200 beads named before were changed"), "{}", cut.stderr);
    assert_eq!(repo.bd(&["count", "-s", "in_progress", "--json"]).json()["count"], 200);
    all(&["close"], &["-q"]).ok();
    assert_eq!(repo.bd(&["count", "-s", "closed", "--json"]).json()["count"], 250);
}

#[test]
fn only_what_is_closed_is_opened_again() {
    let repo = Repo::new();
    let (a, b, c) = (repo.add("a", &[]), repo.add("b", &[]), repo.add("c", &[]));
    repo.bd(&["close", &a]).ok();
    for (status, way) in [("blocked", "--status open"), ("in_progress", "--status open"), ("deferred", "bd undefer")] {
        repo.bd(&["update", &b, "--status", status]).ok();
        let ran = repo.bd(&["reopen", &a, &b, "-r", "why"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{status}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("{b} is {status}, and not closed")), "{}", ran.stderr);
        assert!(ran.stderr.contains(way), "{}", ran.stderr);
        let told = repo.bd(&["reopen", &b, "--json"]);
        let told: serde_json::Value = serde_json::from_str(&told.stdout).expect("json");
        assert_eq!(told["error"]["kind"], "refused");
        let shown = repo.bd(&["show", &a, &b, "--json"]).json();
        assert_eq!((&shown[0]["status"], &shown[1]["status"]), (&json!("closed"), &json!(status)));
    }
    // Who wants it open has it so.
    let ran = repo.bd(&["reopen", &a, &c, "-r", "why"]);
    let told = ran.ok();
    assert!(told.starts_with('✓') && told.contains(&a) && !told.contains(&c), "{told}");
    let again = repo.bd(&["reopen", &c, "-r", "why"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert!(again.stderr.contains(&format!("{c} is open already: nothing was changed")), "{}", again.stderr);
    let both = repo.bd(&["reopen", &a, &c, "--json"]).json();
    assert_eq!((&both[0]["status"], &both[1]["status"]), (&json!("open"), &json!("open")));
    assert_eq!(repo.bd(&["comments", &c, "--json"]).json(), json!([]));
}
