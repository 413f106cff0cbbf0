//! Clones that read the same `issues.jsonl` and sync: what a line says is older than what was done after it.

use super::*;
use crate::store::interchange::Imported;

/// Two beads of a tracker that somebody used before, as its file has them: the second with all that a line can have.
fn file(updated: i64) -> String {
    let at = |ms: i64| Time::from_millis(START - ms).to_string();
    let (made, updated) = (at(40 * DAY), at(-updated));
    let parser = serde_json::json!({
        "id": "gt-1", "title": "parser", "status": "open", "priority": 2, "issue_type": "task",
        "created_at": made, "updated_at": updated, "labels": ["old"],
    });
    let docs = serde_json::json!({
        "id": "gt-2", "title": "docs", "status": "open", "priority": 2, "issue_type": "task", "assignee": "cyd",
        "created_at": made, "updated_at": updated, "labels": ["old", "text"],
        "dependencies": [{"issue_id": "gt-2", "depends_on_id": "gt-1", "type": "blocks", "created_at": made}],
        "comments": [
            {"id": 1, "issue_id": "gt-2", "author": "cyd", "text": "first", "created_at": made},
            {"id": 2, "issue_id": "gt-2", "author": "cyd", "text": "second", "created_at": at(39 * DAY)},
        ],
    });
    format!("{parser}\n{docs}\n")
}

impl Clones {
    fn import(&mut self, clone: usize, text: &str) -> Imported {
        let by = self.by(clone);
        self.stores[clone].import(&by, text.as_bytes()).expect("import")
    }

    /// Edits both beads of [`file`] in a clone.
    fn edit(&mut self, clone: usize) {
        let (a, b) = ids();
        self.write(clone, |w| w.close(&a, Close::because("done")).map(drop));
        let patch = Patch { title: Some("better".to_owned()), priority: Some(0), ..Patch::default() };
        self.write(clone, |w| w.update(&b, patch.with_assignee("ada")).map(drop));
        self.write(clone, |w| w.remove_label(&b, "old"));
        self.write(clone, |w| w.remove_dep(&b, &a, None).map(drop));
    }

    /// What [`Self::edit`] did stands in every clone.
    fn assert_edited(&mut self) {
        self.agreed();
        let (a, b) = ids();
        for clone in 0..self.stores.len() {
            let (a, b) = (self.bead(clone, &a), self.bead(clone, &b));
            assert_eq!((a.status.as_str(), a.close_reason.as_str()), ("closed", "done"));
            assert_eq!((b.title.as_str(), b.priority, b.assignee.as_str()), ("better", 0, "ada"));
            assert_eq!((b.labels, b.dependencies.len()), (vec!["text".to_owned()], 0));
            let said: Vec<&str> = b.comments.iter().map(|c| c.text.as_str()).collect();
            assert_eq!(said, ["first", "second"], "each comment once");
        }
    }
}

fn ids() -> (BeadId, BeadId) {
    let id = |text: &str| BeadId::new(text).expect("id");
    (id("gt-1"), id("gt-2"))
}

#[test]
fn a_clone_that_imports_the_same_file_later_takes_no_work_back() {
    let mut t = Clones::new(2);
    t.import(0, &file(-DAY));
    t.edit(0);
    t.sync(0);
    t.seconds += 3600;
    t.import(1, &file(-DAY));
    t.sync(1);
    t.assert_edited();
}

#[test]
fn a_newer_line_that_clones_read_one_after_the_other_takes_no_work_back() {
    let mut t = Clones::new(2);
    for clone in [0, 1] {
        t.import(clone, &file(-2 * DAY));
    }
    t.agreed();
    let newer = file(-DAY).replace("parser", "the parser").replace("\"text\"", "\"text\",\"more\"");
    assert_eq!(t.import(0, &newer).updated, 2);
    t.edit(0);
    t.write(0, |w| w.remove_label(&ids().1, "more"));
    t.sync(0);
    t.seconds += 3600;
    assert_eq!(t.import(1, &newer).updated, 2);
    t.assert_edited();
    assert_eq!(t.bead(1, &ids().0).title, "the parser");
}

#[test]
fn a_change_after_an_import_counts_also_where_the_clock_is_behind_the_line() {
    let mut t = Clones::new(2);
    // The file is of this hour, and the first clone's machine believes that it is yesterday.
    t.shift = vec![-DAY, 0];
    t.import(0, &file(0));
    t.edit(0);
    t.sync(0);
    t.seconds += 60;
    t.import(1, &file(0));
    t.sync(1);
    t.assert_edited();
}

#[test]
fn a_newer_line_wins_over_a_change_whose_clock_was_ahead_and_in_every_clone_alike() {
    let mut t = Clones::new(2);
    t.import(0, &file(-DAY));
    // A machine a day ahead drives the clocks of all on.
    t.sync(0);
    t.shift[1] = DAY;
    t.sync(1);
    t.title(1, &ids().1, "a day ahead");
    t.agreed();
    let newer = file(DAY + 3_600_000).replace("\"docs\"", "\"from the line\"");
    t.seconds += 2 * DAY / 1000;
    t.shift[1] = 0;
    assert_eq!((t.import(0, &newer).updated, t.import(1, &newer).updated), (2, 2));
    t.agreed();
    assert_eq!(
        (t.bead(0, &ids().1).title, t.bead(1, &ids().1).title),
        ("from the line".into(), "from the line".into())
    );
}

#[test]
fn a_comment_that_came_by_file_and_by_sync_is_one() {
    let mut t = Clones::new(2);
    let id = t.add(0, "talked about", None);
    t.write(0, |w| w.add_comment(&id, "said"));
    t.write(0, |w| Ok((w.add_comment(&id, "again")?, w.add_comment(&id, "again")?)));
    let text = t.stores[0].read::<_, StoreError>(|r| r.export()).expect("export");
    t.import(1, &String::from_utf8(text).expect("text"));
    t.agreed();
    for clone in [0, 1] {
        let said: Vec<String> = t.bead(clone, &id).comments.into_iter().map(|c| c.text).collect();
        assert_eq!(said, ["said", "again", "again"]);
    }
}

#[test]
fn of_two_beads_that_files_gave_one_id_each_keeps_the_edges_of_its_file() {
    let file = |made: i64, title: &str, other: &str| {
        let at = Time::from_millis(START - made).to_string();
        let one =
            serde_json::json!({"id": "gt-1", "title": title, "status": "open", "created_at": at, "updated_at": at});
        let needs = serde_json::json!({
            "id": other, "title": format!("needs {title}"), "status": "open", "created_at": at, "updated_at": at,
            "dependencies": [{"issue_id": other, "depends_on_id": "gt-1", "type": "blocks", "created_at": at}],
        });
        format!("{one}\n{needs}\n")
    };
    for first in [0, 1] {
        let mut t = Clones::new(2);
        t.import(first, &file(3 * DAY, "older", "gt-5"));
        t.import(1 - first, &file(2 * DAY, "younger", "gt-6"));
        let drawn = t.add(1 - first, "needs younger too", None);
        t.write(1 - first, |w| w.add_dep(&drawn, NewDep::new(DepKind::BLOCKS, ids().0)).map(drop));
        t.agreed();
        let target = |id: &BeadId| t.bead(0, &t.bead(0, id).dependencies[0].depends_on_id).title;
        assert_eq!(target(&BeadId::new("gt-5").expect("id")), "older");
        assert_eq!(target(&BeadId::new("gt-6").expect("id")), "younger");
        assert_eq!(target(&drawn), "younger");
    }
}

#[test]
fn clones_in_the_same_state_list_comments_and_edges_alike() {
    let mut t = Clones::new(2);
    let id = t.add(0, "talked about", None);
    let others: Vec<BeadId> = (0..6).map(|n| t.add(0, &format!("other {n}"), None)).collect();
    t.sync_all();
    let words = ["one", "two", "three", "four", "five", "six"];
    for (n, word) in words.iter().enumerate() {
        t.write(n % 2, |w| w.add_comment(&id, word).map(drop));
        t.write(n % 2, |w| w.add_dep(&id, NewDep::new(DepKind::BLOCKS, others[5 - n].clone())).map(drop));
    }
    t.agreed();
    let restored = t.dir.path().join("restored");
    let copied = Command::new("cp").arg("-r").arg(t.stores[0].beads_dir()).arg(&restored).status();
    assert!(copied.expect("cp runs").success());
    crate::ledger::restore(&restored, None, true, Time::from_millis(START)).expect("restore");
    t.stores.push(Store::open(&restored).expect("open"));
    let exports: Vec<Vec<u8>> =
        t.stores.iter().map(|store| store.read::<_, StoreError>(|r| r.export()).expect("export")).collect();
    assert!(exports.iter().all(|text| *text == exports[0]));
    let bead = t.bead(2, &id);
    let said: Vec<&str> = bead.comments.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(said, words);
    let numbers: std::collections::BTreeSet<i64> = bead.comments.iter().map(|c| c.id).collect();
    assert_eq!(numbers.len(), words.len());
    let drawn: Vec<&BeadId> = bead.dependencies.iter().map(|d| &d.depends_on_id).collect();
    assert_eq!(drawn, others.iter().rev().collect::<Vec<_>>());
    // The next comment's number is none of those that are shown.
    let next = t.write(1, |w| w.add_comment(&id, "seven"));
    assert!(!numbers.contains(&next.id), "{} in {numbers:?}", next.id);
}

#[test]
fn a_line_whose_edges_and_comments_stand_in_another_order_is_written_back_as_it_was() {
    let mut t = Clones::new(1);
    let (made, later) = (Time::from_millis(START - DAY), Time::from_millis(START - DAY / 2));
    let edge = |to: &str, at: Time| {
        format!(r#"{{"issue_id":"gt-2","depends_on_id":"{to}","type":"blocks","created_at":"{at}"}}"#)
    };
    let said = |id: i64, at: Time| {
        format!(r#"{{"id":{id},"issue_id":"gt-2","author":"cyd","text":"said at {at}","created_at":"{at}"}}"#)
    };
    let line = format!(
        r#"{{"id":"gt-2","title":"docs","status":"open","priority":2,"issue_type":"task","created_at":"{made}","updated_at":"{later}","dependencies":[{},{}],"comments":[{},{},{}]}}"#,
        edge("gt-9", later),
        edge("gt-8", made),
        said(4, later),
        said(4, made),
        said(4, made),
    );
    t.import(0, &format!("{line}\n"));
    let text = t.stores[0].read::<_, StoreError>(|r| r.export()).expect("export");
    assert_eq!(String::from_utf8(text).expect("text").trim_end(), line);
    let said: Vec<(i64, Time)> = t.bead(0, &ids().1).comments.iter().map(|c| (c.id, c.created_at)).collect();
    assert_eq!(said, [(4, made), (5, later)], "the same words at the same instant are one");
}
