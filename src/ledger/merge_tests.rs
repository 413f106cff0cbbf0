//! The laws of the merge, on documents of a real store and on made-up ones.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::merge::{MergeError, merge};
use crate::base::{Prefix, Time};
use crate::store::{NewBead, Patch, Stamp, Store};

fn joined(a: &str, b: &str) -> String {
    merge(a, b).expect("merges")
}

fn doc(value: &Value) -> String {
    format!("{value}\n")
}

fn field(text: &str, path: &str) -> Value {
    let value: Value = serde_json::from_str(text).expect("json");
    value.pointer(path).cloned().unwrap_or(Value::Null)
}

#[test]
fn a_file_of_the_store_merged_with_itself_is_the_same_text() {
    let dir = tempfile::tempdir().expect("temp folder");
    let prefix = Prefix::new("gt").expect("prefix");
    let mut store = Store::create(&dir.path().join(".beads"), &prefix, Time::from_millis(0)).expect("store");
    let by = |n: i64| Stamp::new("tess", Time::from_millis(1_767_225_600_000 + n * 1000));
    let new = NewBead { labels: vec!["red".into(), "blue".into()], description: "d".into(), ..NewBead::titled("a") };
    let id = store.write(&by(1), |w| w.create(new)).expect("create").id;
    store.write(&by(2), |w| w.remove_label(&id, "red")).expect("label");
    store.write(&by(3), |w| w.add_comment(&id, "said")).expect("comment");
    store.write(&by(4), |w| w.update(&id, Patch::default().with_meta("a", "1").with_meta("b", "2"))).expect("meta");
    store.write(&by(5), |w| w.close(&id, crate::store::Close::because("done"))).expect("close");
    let rows = store.read(|r| r.outbox(0, 10)).expect("outbox");
    let newest = &rows[rows.len() - 1].doc;
    assert_eq!(&joined(newest, newest), newest);
    for row in &rows {
        assert_eq!(&joined(&row.doc, newest), newest, "{}: what is older adds nothing", row.summary);
        assert_eq!(&joined(newest, &row.doc), newest);
    }
}

#[test]
fn the_later_write_of_a_field_wins_and_other_fields_stay() {
    let base = json!({"id": "gt-a", "title": "t", "status": "open", "_v": {"clock": {"*": "1-a"}}});
    let a = json!({"id": "gt-a", "title": "ours", "status": "open", "_v": {"clock": {"*": "1-a", "title": "3-a"}}});
    let b = json!({"id": "gt-a", "title": "theirs", "status": "closed", "close_reason": "done", "x_new": [1],
                   "_v": {"clock": {"*": "1-a", "title": "2-b", "status": "2-b", "x_new": "2-b"}}});
    let m = joined(&joined(&doc(&base), &doc(&a)), &doc(&b));
    assert_eq!(field(&m, "/title"), "ours");
    assert_eq!((field(&m, "/status"), field(&m, "/close_reason")), (json!("closed"), json!("done")));
    assert_eq!(field(&m, "/x_new"), json!([1]));
    // An emptied field stays empty.
    let emptied = json!({"id": "gt-a", "status": "open", "_v": {"clock": {"*": "1-a", "title": "9-a"}}});
    assert_eq!(field(&joined(&m, &doc(&emptied)), "/title"), Value::Null);
}

#[test]
fn a_stamp_that_no_clock_can_pass_wins_nothing() {
    let far = json!({"id": "gt-a", "title": "far", "status": "open", "labels": ["x"],
                     "_v": {"clock": {"*": "1-a", "title": "ffffffffffff0000-x"}, "labels": {"x": ["1-a", "zz"]}}});
    let now = json!({"id": "gt-a", "title": "now", "status": "open",
                     "_v": {"clock": {"*": "1-a", "title": "5-a"}}});
    let m = joined(&doc(&far), &doc(&now));
    assert_eq!(m, joined(&doc(&now), &doc(&far)));
    assert_eq!((field(&m, "/title"), field(&m, "/labels")), (json!("now"), json!(["x"])));
    assert_eq!(field(&m, "/_v/clock/title"), "5-a");
}

#[test]
fn a_deleted_bead_stays_deleted() {
    let dead = json!({"id": "gt-a", "status": "tombstone", "delete_reason": "no", "_v": {"clock": {"*": "1-a", "status": "2-a"}}});
    let edited = json!({"id": "gt-a", "status": "in_progress", "_v": {"clock": {"*": "1-a", "status": "9-b"}}});
    let m = joined(&doc(&edited), &doc(&dead));
    assert_eq!((field(&m, "/status"), field(&m, "/delete_reason")), (json!("tombstone"), json!("no")));
}

#[test]
fn a_removed_label_comes_back_only_when_it_is_added_again() {
    let with = json!({"id": "gt-a", "labels": ["x"], "_v": {"labels": {"x": ["1-a"]}}});
    let without = json!({"id": "gt-a", "_v": {"labels": {"x": ["1-a", "2-a"]}}});
    let again = json!({"id": "gt-a", "labels": ["x"], "_v": {"labels": {"x": ["3-b", "2-a"]}}});
    let removed = joined(&doc(&with), &doc(&without));
    assert_eq!(field(&removed, "/labels"), Value::Null);
    assert_eq!(field(&joined(&doc(&again), &removed), "/labels"), json!(["x"]));
}

#[test]
fn what_cannot_be_merged_is_an_error() {
    let (a, b) = (doc(&json!({"id": "gt-a"})), doc(&json!({"id": "gt-b"})));
    assert!(matches!(merge(&a, &b), Err(MergeError::Different(..))));
    for bad in ["", "[]", "{}", "{\"id\": 1}", "\u{0}"] {
        assert!(matches!(merge(bad, &a), Err(MergeError::Unreadable(_))), "{bad:?}");
    }
}

fn stamp() -> impl Strategy<Value = String> {
    (0..6_u8, 0..3_u8).prop_map(|(tick, replica)| format!("{tick:04x}-{replica}"))
}

fn object(
    keys: &'static [&'static str],
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::btree_map(proptest::sample::select(keys), value, 0..4)
        .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

prop_compose! {
    fn any_doc()(
        mut file in object(&["title", "notes", "priority", "x_future", "updated_at"], any::<u8>().prop_map(|n| json!(n.to_string()))),
        status in proptest::sample::select(vec!["open", "closed", "tombstone"]),
        reason in proptest::option::of("[a-c]"),
        meta in object(&["k", "l"], any::<bool>().prop_map(Value::from)),
        base in stamp(),
        clock in object(&["title", "notes", "status", "x_future", "metadata.k"], stamp().prop_map(Value::from)),
        labels in object(&["red", "blue"], (stamp(), proptest::option::of(stamp())).prop_map(|(a, r)| json!([Some(a), r].into_iter().flatten().collect::<Vec<_>>()))),
        deps in object(&["gt-b|blocks", "gt-c|related"], (stamp(), proptest::option::of(stamp())).prop_map(|(a, r)| json!([Some(a), r].into_iter().flatten().collect::<Vec<_>>()))),
        other in object(&["x_v"], any::<u8>().prop_map(Value::from)),
    ) -> String {
        let live = |pair: &Value| pair.get(1).and_then(Value::as_str).is_none_or(|r| pair[0].as_str() > Some(r));
        file.insert("id".into(), "gt-a".into());
        file.insert("status".into(), status.into());
        if let Some(reason) = reason {
            file.insert("close_reason".into(), reason.into());
        }
        file.insert("metadata".into(), meta.into());
        let names: Vec<&String> = labels.iter().filter(|(_, p)| live(p)).map(|(l, _)| l).collect();
        file.insert("labels".into(), json!(names));
        let edges: Vec<Value> = deps.iter().filter(|(_, p)| live(p)).map(|(name, pair)| {
            let (target, kind) = name.split_once('|').expect("two parts");
            json!({"issue_id": "gt-a", "depends_on_id": target, "type": kind, "created_by": pair[0]})
        }).collect();
        file.insert("dependencies".into(), edges.into());
        let mut clock = clock;
        clock.insert("*".into(), base.into());
        let mut stamps = other;
        stamps.insert("clock".into(), clock.into());
        stamps.insert("labels".into(), labels.into());
        stamps.insert("deps".into(), deps.into());
        file.insert("_v".into(), stamps.into());
        doc(&Value::Object(file))
    }
}

proptest! {
    #[test]
    fn the_merge_is_commutative(a in any_doc(), b in any_doc()) {
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
    }

    #[test]
    fn the_merge_is_associative(a in any_doc(), b in any_doc(), c in any_doc()) {
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
    }

    #[test]
    fn the_merge_is_idempotent(a in any_doc(), b in any_doc()) {
        let m = joined(&a, &b);
        prop_assert_eq!(&joined(&m, &m), &m);
        prop_assert_eq!(&joined(&m, &a), &m);
        prop_assert_eq!(&joined(&b, &m), &m);
    }

    #[test]
    fn deletions_stay_deleted_and_unknown_fields_survive(a in any_doc(), b in any_doc()) {
        let m = joined(&a, &b);
        if [&a, &b].iter().any(|d| field(d, "/status") == "tombstone") {
            prop_assert_eq!(field(&m, "/status"), "tombstone");
        }
        if field(&a, "/x_future") == field(&b, "/x_future") {
            prop_assert_eq!(field(&m, "/x_future"), field(&a, "/x_future"));
        }
    }

    #[test]
    fn any_text_is_an_error_or_a_document(text in ".{0,60}") {
        drop(merge(&text, "{\"id\":\"gt-a\"}"));
    }
}
