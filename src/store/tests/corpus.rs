//! Real files of other trackers: kept byte for byte, and judged as an independent model judged them.

use std::path::Path;

use serde_json::Value;

use super::*;

fn corpus(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/jsonl").join(name);
    std::fs::read_to_string(path).expect("corpus file")
}

fn import(t: &mut Temp, text: &str) -> interchange::Imported {
    t.now += 1_000;
    t.store.import(&Stamp::new("tester", Time::from_millis(t.now)), text.as_bytes()).expect("import")
}

fn exported(t: &Temp) -> String {
    String::from_utf8(t.read(|r| r.export())).expect("UTF-8")
}

fn strings(value: &Value) -> Vec<String> {
    let mut all: Vec<String> =
        value.as_array().expect("array").iter().map(|v| v.as_str().expect("text").to_owned()).collect();
    all.sort();
    all
}

fn check(name: &str) {
    let (text, expected) = (corpus(&format!("{name}.jsonl")), corpus(&format!("{name}.ready.json")));
    let expected: Value = serde_json::from_str(&expected).expect("json");
    let mut t = Temp::new();
    t.store.connection().pragma_update(None, "synchronous", "OFF").expect("pragma");
    let report = import(&mut t, &text);
    assert_eq!(report.created as u64, expected["issues"].as_u64().expect("number"));
    assert!(report.findings.iter().all(|f| !f.lost), "{:?}", report.findings);
    t.read(|r| {
        let exported = String::from_utf8(r.export()?).expect("UTF-8");
        for (ours, theirs) in exported.lines().zip(text.lines()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(exported.len(), text.len());
        let ids = |beads: Vec<Bead>| {
            let mut ids: Vec<String> = beads.into_iter().map(|b| b.id.to_string()).collect();
            ids.sort();
            ids
        };
        let now = Some("2030-01-01T00:00:00Z".parse().expect("time"));
        assert_eq!(ids(r.ready(&ReadyQuery { now, ..ReadyQuery::default() })?), strings(&expected["ready"]));
        let mut blocked: Vec<String> = r.blocked(None)?.into_iter().map(|b| b.bead.id.to_string()).collect();
        blocked.sort();
        let told = expected["blocked_cmd"].as_array().expect("array");
        let mut told: Vec<String> =
            told.iter().map(|v| v["id"].as_str().or(v.as_str()).expect("id").to_owned()).collect();
        told.sort();
        assert_eq!(blocked, told);
        let mut held = Vec::new();
        for bead in r.all_whole()? {
            if r.is_blocked(&bead.id)? {
                held.push(bead.id.to_string());
            }
        }
        held.sort();
        assert_eq!(held, strings(&expected["blocked_transitive"]));
        for epic in expected["epic_status"].as_array().expect("array") {
            let id = id(epic["id"].as_str().expect("id"));
            let count = r.epic_count(&id)?;
            let told = (epic["total_children"].as_u64(), epic["closed_children"].as_u64());
            assert_eq!((Some(count.total as u64), Some(count.closed as u64)), told, "{id}");
        }
        Ok(())
    });
    let again = import(&mut t, &text);
    assert_eq!((again.created, again.updated), (0, 0), "importing twice changes nothing");
}

#[test]
fn the_tracker_of_beads_is_read_judged_and_written_back() {
    check("beads-v0.38.0-issues");
}

#[test]
fn the_tracker_of_gas_town_is_read_judged_and_written_back() {
    check("gastown-v0.1.1-issues");
}

#[test]
fn a_changed_bead_is_written_anew_and_the_others_are_not() {
    let mut t = Temp::new();
    let odd = r#"{"priority":1,"id":"gt-odd","title":"keys in another order","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","x":[ 1 ]}"#;
    let plain = r#"{"id":"gt-plain","title":"p","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
    let text = format!("{odd}\nnonsense\n{plain}\n");
    let report = import(&mut t, &text);
    assert_eq!((report.created, report.findings.len()), (2, 1));
    assert!(report.findings[0].lost && report.findings[0].line == 2);
    assert_eq!(exported(&t), format!("{odd}\n{plain}\n"));
    t.write(|w| w.add_label(&id("gt-odd"), "l")).expect("label");
    let changed = exported(&t);
    assert!(
        changed.contains(r#""labels":["l"]"#) && changed.contains(r#""x":[1]"#) && changed.contains(plain),
        "{changed}"
    );
    let newer = plain.replace("\"p\"", "\"newer\"").replace("updated_at\":\"2026-01-01", "updated_at\":\"2026-03-01");
    assert_eq!(import(&mut t, &newer).updated, 1);
    assert_eq!(t.read(|r| r.need(&id("gt-plain"))).title, "newer");
    t.write(|w| w.delete(&id("gt-plain"), "gone")).expect("delete");
    assert_eq!(import(&mut t, &newer.replace("03-01", "04-01")).deleted_here, 1);
    assert_eq!(t.read(|r| r.need(&id("gt-plain"))).status, Status::TOMBSTONE);
}

#[test]
fn a_newer_line_of_a_bead_that_was_deleted_elsewhere_deletes_it_whatever_its_labels_are() {
    let mut t = Temp::new();
    let line = |status: &str, labels: &str, month: &str| {
        format!(
            r#"{{"id":"gt-a","title":"a","status":"{status}","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-{month}-01T00:00:00Z","labels":{labels}}}"#
        )
    };
    import(&mut t, &line("open", r#"["x","y"]"#, "01"));
    assert_eq!(import(&mut t, &line("tombstone", r#"["x","z"]"#, "02")).updated, 1);
    let bead = t.read(|r| r.need(&id("gt-a")));
    assert_eq!((bead.status, bead.labels), (Status::TOMBSTONE, vec!["x".to_owned(), "z".to_owned()]));
}

#[test]
fn beads_that_are_their_own_parents_are_kept_and_are_not_ready() {
    let mut t = Temp::new();
    let line = |id: &str, parent: &str| {
        let dep = format!(
            r#"{{"issue_id":"{id}","depends_on_id":"{parent}","type":"parent-child","created_at":"2026-01-01T00:00:00Z"}}"#
        );
        format!(
            r#"{{"id":"{id}","title":"t","status":"open","priority":2,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","dependencies":[{dep}]}}"#
        )
    };
    import(
        &mut t,
        &[line("gt-a", "gt-b"), line("gt-b", "gt-a"), line("gt-c", "gt-b"), line("gt-d", "gt-gone")].join("\n"),
    );
    let ready = |t: &Temp| {
        t.read(|r| r.ready(&ReadyQuery::default())).into_iter().map(|b| b.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ready(&t), ["gt-d"], "a parent that is not here holds nothing back");
    t.write(|w| w.remove_dep(&id("gt-a"), &id("gt-b"), None)).expect("remove");
    assert_eq!(ready(&t), ["gt-a", "gt-b", "gt-c", "gt-d"]);
}

#[test]
fn a_wisp_that_came_in_a_file_is_written_back_however_old_it_is() {
    let mut t = Temp::new();
    let line = r#"{"id":"gt-wisp-a1","title":"patrol","status":"closed","priority":2,"issue_type":"task","created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z","closed_at":"2025-01-01T00:00:00Z","ephemeral":true}
"#;
    import(&mut t, line);
    let now = Time::from_millis(t.now);
    let swept = t.write(|w| w.sweep_wisps(&Sweep { over_before: now, idle_before: Some(now), limit: 32 }));
    assert_eq!(swept.expect("sweep"), Swept::default());
    assert_eq!(exported(&t), line);
}
