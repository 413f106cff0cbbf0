//! Queries that must stay fast at any size: their plans name the index and sort nothing.

use rusqlite::params_from_iter;

use super::*;
use crate::store::read::{find, ready, search, tally};

fn plan(t: &Temp, sql: &str, values: &[rusqlite::types::Value]) -> String {
    let mut statement = t.store.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("plan");
    let rows = statement.query_map(params_from_iter(values), |r| r.get::<_, String>(3)).expect("plan");
    rows.collect::<Result<Vec<_>, _>>().expect("plan").join("; ")
}

#[test]
fn ready_reads_partial_indexes_in_their_order() {
    let t = Temp::new();
    let now = Some(Time::from_millis(T0));
    let base = ReadyQuery { now, limit: Some(10), ..ReadyQuery::default() };
    let queries = [
        ReadyQuery { sort: ReadySort::Hybrid, ..base.clone() },
        ReadyQuery { sort: ReadySort::Priority, ..base.clone() },
        ReadyQuery { sort: ReadySort::Oldest, ..base.clone() },
        ReadyQuery { sort: ReadySort::Priority, assignee: Some("me".into()), ..base.clone() },
        ReadyQuery { sort: ReadySort::Priority, unassigned: true, ..base.clone() },
        ReadyQuery { assignee: Some("me".into()), ..base },
    ];
    for query in queries {
        for scan in ready::scans(&query, &[0]) {
            let plan = plan(&t, &scan.sql(), &scan.values);
            assert!(plan.contains("SEARCH b USING INDEX ready_"), "{plan}\n{}", scan.sql());
            assert!(!plan.contains("TEMP B-TREE"), "{plan}\n{}", scan.sql());
            assert!(!plan.contains("SCAN b "), "{plan}\n{}", scan.sql());
        }
    }
}

#[test]
fn the_usual_lists_read_an_index_in_its_order() {
    let t = Temp::new();
    let open = Filter { not_statuses: vec![Status::CLOSED], limit: Some(50), ..Filter::default() };
    let cases = [
        (open.clone(), "open_priority"),
        (Filter { types: vec![IssueType::MERGE_REQUEST], ..open.clone() }, "open_type"),
        (Filter { statuses: vec![Status::HOOKED], limit: Some(50), ..Filter::default() }, "by_status"),
    ];
    for (filter, index) in cases {
        // The batches that are seen are looked through one by one where that keeps the order.
        let parts = find::parts(&filter, vec![0, 7]);
        assert_eq!(parts, if index == "open_priority" { vec![Some(0), Some(7)] } else { vec![None] });
        for part in parts {
            let (sql, values) = find::statement(&filter, part);
            let plan = plan(&t, &sql, &values);
            assert!(plan.contains(&format!("SEARCH b USING INDEX {index}")), "{plan}\n{sql}");
            assert!(!plan.contains("USE TEMP B-TREE FOR ORDER BY"), "{plan}\n{sql}");
        }
    }
}

#[test]
fn a_list_with_closed_beads_in_it_reads_the_index_of_each_status_in_its_order() {
    let t = Temp::new();
    let all = Filter { ephemeral: Some(false), template: Some(false), limit: Some(50), ..Filter::default() };
    for filter in [
        all.clone(),
        Filter { reverse: true, ..all.clone() },
        Filter { labels: vec!["ui".into()], ..all.clone() },
        Filter { types: vec![IssueType::BUG], assignee: Some("ada".into()), ..all.clone() },
        Filter { statuses: vec![Status::OPEN, Status::CLOSED], ..all.clone() },
    ] {
        let each = find::each_status(&filter, vec![Status::CLOSED, Status::OPEN, Status::TOMBSTONE]);
        assert_eq!(each.len(), 2, "{filter:?}");
        for filter in each {
            let (sql, values) = find::statement(&filter, None);
            let plan = plan(&t, &sql, &values);
            let ordered = ["by_status (status=?", "open_type (issue_type=?", "open_assignee (assignee=?"];
            assert!(
                ordered.iter().any(|index| plan.contains(&format!("SEARCH b USING INDEX {index}"))),
                "{plan}\n{sql}"
            );
            assert!(!plan.contains("USE TEMP B-TREE FOR ORDER BY") && !plan.contains("SCAN b "), "{plan}\n{sql}");
        }
    }
    let statuses = plan(&t, find::STATUSES, &[]);
    assert!(statuses.matches("USING COVERING INDEX by_status").count() == 2, "{statuses}");
    assert!(!statuses.contains("SCAN b"), "{statuses}");
}

#[test]
fn a_count_by_label_reads_no_bead() {
    let t = Temp::new();
    let all = Filter { ephemeral: Some(false), ..Filter::default() };
    for filter in
        [all.clone(), Filter { statuses: vec![Status::CLOSED], ..all.clone() }, Filter { priority: Some(1), ..all }]
    {
        let (sql, values) = find::labelled(&filter, None);
        let plan = plan(&t, &sql, &values);
        assert!(plan.contains("b USING COVERING INDEX by_status"), "{plan}\n{sql}");
        assert!(plan.contains("SEARCH own USING"), "{plan}\n{sql}");
    }
}

#[test]
fn those_with_a_label_that_few_have_are_found_by_it_and_those_of_a_common_one_on_the_way() {
    let mut t = Temp::new();
    let values = [rusqlite::types::Value::Text("rare".into()), rusqlite::types::Value::Integer(9)];
    let carrying = plan(&t, find::CARRYING, &values);
    assert!(carrying.contains("SEARCH l USING COVERING INDEX labels_label"), "{carrying}");
    assert!(!carrying.contains("SCAN"), "{carrying}");

    t.write(|w| {
        for n in 0..300 {
            let labels = if n % 100 == 0 { vec!["rare".into(), "common".into()] } else { vec!["common".into()] };
            w.create(NewBead { title: format!("n{n:03}"), labels, ..NewBead::default() })?;
        }
        Ok(())
    })
    .expect("filed");
    let with = |labels: &[&str], limit| Filter {
        labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        not_statuses: vec![Status::CLOSED],
        limit,
        ..Filter::default()
    };
    let titles = |filter: &Filter| {
        let found = t.store.read(|r| r.find(filter)).expect("found");
        found.into_iter().map(|bead| bead.title).collect::<Vec<_>>()
    };
    assert_eq!(titles(&with(&["rare"], None)).len(), 3);
    assert_eq!(titles(&with(&["rare", "common"], Some(2))).len(), 2);
    assert_eq!(titles(&with(&["common"], Some(250))).len(), 250);
    assert_eq!(titles(&with(&["common", "nobody's"], None)), Vec::<String>::new());
    assert_eq!(titles(&with(&["nobody's"], None)), Vec::<String>::new());
    let counted = |labels: &[&str]| t.store.read(|r| r.count(&with(labels, None))).expect("counted");
    assert_eq!((counted(&["rare"]), counted(&["common"]), counted(&["nobody's"])), (3, 300, 0));
    let by_status = |label: &str| t.store.read(|r| r.count_by(&with(&[label], None), Group::Status)).expect("counted");
    assert_eq!((by_status("rare"), by_status("nobody's")), (vec![("open".to_owned(), 3)], Vec::new()));
}

#[test]
fn every_statement_of_judging_and_counting_uses_an_index() {
    let t = Temp::new();
    let one = [rusqlite::types::Value::Text("gt-1".into())];
    for sql in [
        "SELECT 1 FROM deps WHERE live = 1 AND depends_on_id = ?1 AND kind = 'parent-child'",
        "SELECT 1 FROM deps WHERE live = 1 AND depends_on_id = ?1 AND kind IN ('blocks', 'conditional-blocks')",
        "SELECT 1 FROM deps WHERE live = 1 AND issue_id = ?1 AND kind = 'parent-child'",
        "SELECT 1 FROM deps WHERE live = 1 AND spawner = ?1 AND spawner IS NOT NULL",
        "SELECT num FROM beads INDEXED BY ready_later WHERE ready = 2 AND defer_ns <= ?1 ORDER BY defer_ns LIMIT 500",
        "SELECT 1 FROM events WHERE subject = ?1 ORDER BY seq",
        "SELECT 1 FROM hooks WHERE bead = ?1",
        "DELETE FROM deps WHERE issue_id = ?1",
    ] {
        let plan = plan(&t, sql, &one);
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("TEMP"), "{plan}\n{sql}");
    }
}

#[test]
fn deleting_a_bead_looks_at_its_own_edges_alone() {
    let t = Temp::new();
    let one = [rusqlite::types::Value::Text("gt-1".into())];
    let sql = format!("SELECT num FROM deps WHERE live = 1 AND {}", crate::store::write::delete::TOUCHING);
    let plan = plan(&t, &sql, &one);
    assert!(plan.contains("SEARCH deps USING INTEGER PRIMARY KEY") && !plan.contains("SCAN deps"), "{plan}");
    assert!(plan.contains("deps_target") && plan.contains("issue_id=?"), "{plan}");
    let plan = self::plan(&t, crate::store::write::delete::REMOVED_TO, &one);
    assert!(plan.contains("deps_removed (depends_on_id=?)") && !plan.contains("SCAN"), "{plan}");
}

#[test]
fn a_write_begins_with_two_looks_at_what_is_due_and_with_nothing_else() {
    let mut t = Temp::new();
    let now = [rusqlite::types::Value::Integer(0)];
    let plan = plan(&t, crate::store::write::BEGIN, &now);
    assert!(plan.contains("ready_later (defer_ns<?)") && plan.contains("gate_timers (opens_ns<?)"), "{plan}");
    assert!(!plan.contains("SCAN beads") && !plan.contains("TEMP"), "{plan}");
    let later = NewBead { defer_until: Some(Time::from_millis(t.now + 60_000)), ..NewBead::titled("later") };
    t.write(|w| w.create(later)).expect("create");
    assert!(t.ready().is_empty());
    t.now += 60_000;
    t.add("other");
    let ready = t.read(|r| r.ready(&ReadyQuery::default()));
    assert_eq!(ready.len(), 2, "the deferral that has passed was ended by the write");
}

#[test]
fn a_statement_is_compiled_once_whatever_its_parameters_are() {
    let t = Temp::new();
    let sql = "SELECT depends_on_id FROM deps WHERE issue_id = ?1 AND kind = ?2 AND live = 1 AND active = 1";
    let mut statement = t.store.connection().prepare(sql).expect("compiles");
    for (id, kind) in [("hq-1", "blocks"), ("hq-2", "parent-child"), ("hq-3", "blocks")] {
        assert!(!statement.exists((id, kind)).expect("runs"));
    }
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

#[test]
fn counts_read_the_index_of_their_type_and_common_words_are_not_sorted() {
    let t = Temp::new();
    let messages = Filter { types: vec![IssueType::MESSAGE], statuses: vec![Status::OPEN], ..Filter::default() };
    let (sql, values) = find::counting(&messages, Some(0));
    let counted = plan(&t, &sql, &values);
    assert!(counted.contains("SEARCH b USING INDEX open_type"), "{counted}\n{sql}");
    let few = Filter { limit: Some(50), sort: Sort::Best, ..Filter::default() };
    let (sql, values) = search::statement("\"bead\"*".to_owned(), &few, true);
    let searched = plan(&t, &sql, &values);
    assert!(searched.contains("SEARCH b USING INTEGER PRIMARY KEY") && !searched.contains("TEMP"), "{searched}\n{sql}");
}

#[test]
fn the_numbers_of_the_store_are_read_from_indexes_alone() {
    let t = Temp::new();
    let all = Filter { ephemeral: Some(false), ..Filter::default() };
    let ready = ReadyQuery { now: Some(Time::from_millis(0)), sort: ReadySort::Priority, ..ReadyQuery::default() };
    for scan in ready::scans(&ready, &[0]) {
        let plan = plan(&t, &scan.counting(), &scan.values);
        assert!(plan.contains("SEARCH b USING INDEX ready_") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    for (sql, values) in [
        find::counting(&all, Some(0)),
        find::counting(&Filter { statuses: vec![Status::CLOSED], ..all.clone() }, Some(0)),
        tally::by_status(Some("ada"), 0),
        tally::finished("b.closed_ns >= ?", Some("ada"), 0),
        (tally::lead(), Vec::new()),
    ] {
        let plan = plan(&t, &sql, &values);
        assert!(plan.contains("b USING COVERING INDEX"), "{plan}\n{sql}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}\n{sql}");
    }
}
