//! Files and databases that are not as they should be, seen from outside.

use super::Repo;

#[test]
fn what_a_line_says_of_itself_is_not_taken_for_what_is_found_out() {
    let repo = Repo::new();
    let line = |id: &str, more: &str| {
        let times = r#""created_at":"2026-02-01T00:00:00Z","updated_at":"2026-02-01T00:00:00Z""#;
        format!("{{\"id\":\"{id}\",\"title\":\"t {id}\",\"status\":\"open\",\"priority\":2,{times}{more}}}\n")
    };
    let posing = r#","dependency_count":3,"dependent_count":2,"parent":"z-gone","blocked_by":["q"],"blocked_by_count":3,"dependents":[{"id":"z-ghost","title":"g","dependency_type":"blocks"}],"_v":{"a":1},"mine":1"#;
    let waits = r#","dependencies":[{"issue_id":"z-2","depends_on_id":"z-1","type":"blocks"}]"#;
    let file = repo.dir.join("in.jsonl");
    std::fs::write(&file, line("z-1", posing) + &line("z-2", &format!("{waits}{posing}"))).expect("a file");
    repo.bd(&["import", "in.jsonl"]).ok();
    let said = repo.bd(&["show", "z-2", "--json"]).ok()
        + &repo.bd(&["list", "--json"]).ok()
        + &repo.bd(&["list", "--limit", "0", "--json"]).ok()
        + &repo.bd(&["dep", "tree", "z-2", "--json"]).ok()
        + &repo.bd(&["ready", "--json"]).ok();
    assert!(said.contains("\"mine\": 1"), "{said}");
    for ghost in ["z-ghost", "z-gone", "~values", "\"q\""] {
        assert!(!said.contains(ghost), "{ghost}: {said}");
    }
    let blocked = repo.bd(&["blocked", "--json"]).ok();
    assert_eq!(blocked.matches("blocked_by\"").count(), 1, "{blocked}");
    let shown = repo.bd(&["show", "z-1"]).ok();
    assert!(shown.contains("z-2") && !shown.contains("z-ghost"), "{shown}");
    assert_eq!(repo.bd(&["export"]).ok(), std::fs::read_to_string(&file).expect("a file").trim_end());
    let changed = repo.bd(&["update", "z-1", "-p", "1", "--json"]).ok()
        + &repo.bd(&["close", "z-1", "--json"]).ok()
        + &repo.bd(&["reopen", "z-1", "--json"]).ok();
    for ghost in ["z-ghost", "z-gone", "~values", "\"q\"", "dependency_count"] {
        assert!(!changed.contains(ghost), "{ghost}: {changed}");
    }
}

#[test]
fn a_damaged_database_without_a_ledger_leads_to_a_way_out() {
    let repo = Repo::new();
    let database = repo.dir.join(".beads/beads.db");
    for log in ["beads.db-wal", "beads.db-shm"] {
        let _ = std::fs::remove_file(repo.dir.join(".beads").join(log));
    }
    std::fs::write(&database, "trash").expect("a file");
    let told = repo.bd(&["list"]).fails();
    assert!(told.contains("bd restore --force"), "{told}");
    let told = repo.bd(&["restore", "--force"]).fails();
    assert!(told.contains("mv ") && told.contains("then `bd init`"), "{told}");
    std::fs::rename(&database, database.with_extension("db.damaged")).expect("put aside");
    repo.bd(&["init", "--prefix", "z"]).ok();
    repo.bd(&["create", "anew"]).ok();
}
