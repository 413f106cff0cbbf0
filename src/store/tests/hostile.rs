//! A file of lines as they are met: of old trackers, of other languages, cut, glued, and of people with an editor.

use std::collections::BTreeSet;

use super::messy::{import, line, told};
use super::*;

const FILE: &[u8] = include_bytes!("hostile.jsonl");

/// Lines in which no bead is: Python's quotes, a bead in another object, YAML, nothing, a line without its head, one
/// that a diff takes away.
const NO_BEADS: [usize; 6] = [37, 45, 67, 68, 78, 79];
/// Lines that are not written back as they are: they hold several beads, none, or the older half of a conflict.
const NOT_ALONE: [usize; 8] = [3, 40, 46, 47, 48, 49, 51, 71];

fn bead(t: &Temp, of: &str) -> Bead {
    t.read(|r| r.whole(&id(of)))
}

fn exported(t: &Temp) -> Vec<u8> {
    t.read(|r| r.export())
}

#[test]
fn of_a_hostile_file_each_bead_comes_in_and_each_line_goes_out_as_it_came() {
    let mut t = Temp::new();
    let report = import(&mut t, FILE);
    let lost: Vec<usize> = told(&report).into_iter().filter(|(_, lost)| *lost).map(|(line, _)| line).collect();
    assert_eq!(lost, NO_BEADS, "{:?}", report.findings);
    assert_eq!(report.created, 71, "{:?}", report.findings);
    let out = exported(&t);
    let written: BTreeSet<&[u8]> = out.split(|b| *b == b'\n').collect();
    for (number, line) in (1..).zip(FILE.split(|b| *b == b'\n')) {
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        if !NO_BEADS.contains(&number) && !NOT_ALONE.contains(&number) {
            assert!(written.contains(line), "line {number}: {}", String::from_utf8_lossy(line));
        }
    }
    let again = import(&mut t, FILE);
    // One of them is a tombstone.
    assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 70));
    // What was written is read as the same beads by the next one.
    let mut other = Temp::new();
    let report = import(&mut other, &out);
    assert_eq!((report.created, report.findings.iter().filter(|f| f.lost).count()), (71, 0));
    assert_eq!(String::from_utf8_lossy(&exported(&other)), String::from_utf8_lossy(&out));
}

#[test]
fn what_a_hostile_line_says_is_understood_and_told_of() {
    let mut t = Temp::new();
    let found = import(&mut t, FILE).findings;
    for (number, words) in [
        (1, "a byte order mark"),
        (2, "a byte order mark"),
        (3, "2 objects stand on one line"),
        (4, "what stands before the object was left out: +"),
        (12, "read as 0"),
        (19, "of another bead"),
        (36, "read as [\"ok\",\"3\",\"x y\",\"\",\"ok\"]"),
        (42, "words that JSON does not know"),
        (44, "`ID` was read as `id`"),
        (65, "2 dependencies completed"),
        (71, "2 objects stand on one line"),
        (77, "`_v` is a key of the ledger"),
        (78, "it does not begin with an object: ion"),
        (79, "it does not begin with an object: -"),
    ] {
        assert!(found.iter().any(|f| f.line == number && f.text.contains(words)), "{number} {words}: {found:?}");
    }
    for of in ["h-01", "h-02", "h-03a", "h-03b", "h-04", "h-05", "h-06", "h-08", "h-09", "h-43", "h-44", "h-66", "h-67"]
    {
        assert_eq!(bead(&t, of).title, format!("t {of}"));
    }
    assert_eq!(bead(&t, "h-45").title, "caps");
    // All four are of one instant: they are listed by their numbers, of which one is -5.
    assert_eq!(bead(&t, "h-21").comments.iter().map(|c| c.text.as_str()).collect::<Vec<_>>(), ["y", "x", "z", "zz"]);
    assert_eq!(bead(&t, "h-36").labels, ["3", "ok", "x y"]);
    for of in ["h-60", "h-61"] {
        assert_eq!(bead(&t, of).dependencies[0].depends_on_id, id("h-01"), "{of}");
    }
    assert_eq!(bead(&t, "h-19").dependencies[0].issue_id, id("h-19"));
    assert_eq!(bead(&t, "h-47").title, "theirs");
    let ready = t.ready();
    assert!(!ready.contains(&"t h-17".to_owned()), "what waits for itself is not ready");
    assert!(!ready.contains(&"t h-19".to_owned()) && ready.contains(&"t h-18".to_owned()), "{ready:?}");
}

#[test]
fn what_json_readers_lose_outlives_changes_the_ledger_and_other_copies() {
    let mut t = Temp::new();
    import(&mut t, FILE);
    let edge = r#","dependencies":[{"issue_id":"h-80","depends_on_id":"h-01","type":"blocks","created_at":"2026-01-01T00:00:00Z","weight":0.12345678901234567890123}]"#;
    let more = r#","metadata":{"n":98765432109876543210987},"comments":[{"id":1,"issue_id":"h-80","author":"a","text":"b","created_at":"2026-01-01T00:00:00Z","score":1e400}]"#;
    import(&mut t, line("h-80", &format!("{edge}{more}")).as_bytes());
    // Two edges to one bead, and members under keys in other letters.
    let edge = |kind: &str, weight: &str| {
        format!(
            r#"{{"issue_id":"h-81","depends_on_id":"h-01","type":"{kind}","created_at":"2026-01-01T00:00:00Z","weight":{weight}}}"#
        )
    };
    let edges = [edge("blocks", "0.11111111111111111111111"), edge("related", "0.22222222222222222222222")];
    let capital = r#"[{"id":1,"issue_id":"h-81","author":"a","text":"b","created_at":"2026-01-01T00:00:00Z","score":0.33333333333333333333333}]"#;
    let more = format!(r#","Dependencies":[{}],"Comments":{capital}"#, edges.join(","));
    import(&mut t, line("h-81", &more).replacen("\"id\"", "\"ID\"", 1).as_bytes());
    let deep = format!("\"x\":{}{}", "[".repeat(300), "]".repeat(300));
    let kept = [
        ("h-07", r#""x":12345678901234567890123,"y":{"z":[0.12345678901234567890123]}"#),
        ("h-08", r#""x":1e400"#),
        ("h-09", deep.as_str()),
        ("h-62", r#""_v":{"clock":{"*":"zzz"}}"#),
        ("h-80", r#""metadata":{"n":98765432109876543210987}"#),
        ("h-80", r#""weight":0.12345678901234567890123"#),
        ("h-80", r#""score":1e400"#),
        ("h-77", r#""~values":"x""#),
        ("h-77", r#""_v":1"#),
        ("h-81", r#""blocks","created_at":"2026-01-01T00:00:00Z","weight":0.11111111111111111111111"#),
        ("h-81", r#""related","created_at":"2026-01-01T00:00:00Z","weight":0.22222222222222222222222"#),
        ("h-81", r#""score":0.33333333333333333333333"#),
    ];
    for (of, _) in kept {
        t.write(|w| w.update(&id(of), Patch { notes: Some("changed".to_owned()), ..Patch::default() }))
            .expect("update");
    }
    let holds = |t: &Temp| {
        let out = String::from_utf8_lossy(&exported(t)).into_owned();
        for (of, value) in kept {
            let line = out.lines().find(|line| line.starts_with(&format!("{{\"id\":\"{of}\""))).expect("a line");
            assert!(line.contains("changed") && line.contains(value), "{of} {value}: {line}");
        }
    };
    holds(&t);
    let mut copy = Temp::new();
    for (of, _) in kept {
        let doc = t.read(|r| r.ledger_doc(&id(of))).expect("a ledger file");
        copy.write(|w| w.adopt(&[crate::store::LedgerDoc::parse(&doc).expect("reads")])).expect("adopts");
    }
    holds(&copy);
}

#[test]
fn an_edge_that_a_file_has_shown_goes_when_a_newer_line_has_it_no_more() {
    let edge = |from: &str, to: &str, kind: &str| {
        format!(r#"{{"issue_id":"{from}","depends_on_id":"{to}","type":"{kind}","created_at":"2026-01-01T00:00:00Z"}}"#)
    };
    let of = |edges: &[String]| {
        if edges.is_empty() { String::new() } else { format!(",\"dependencies\":[{}]", edges.join(",")) }
    };
    let a = |edges: &[String], day: &str| line("a-1", &of(edges)).replace("01-02", day);
    let (to_2, to_3) = (edge("a-1", "a-2", "blocks"), edge("a-1", "a-3", "related"));
    let others = [line("a-2", &of(&[edge("a-2", "a-3", "related")])), line("a-3", ""), line("a-4", "")].join("\n");
    let targets = |t: &Temp| -> Vec<String> {
        t.read(|r| r.deps(&id("a-1"))).into_iter().map(|dep| dep.depends_on_id.to_string()).collect()
    };
    let mut t = Temp::new();
    import(&mut t, format!("{}\n{others}\n", a(&[to_2.clone(), to_3.clone()], "01-02")).as_bytes());
    t.write(|w| w.add_dep(&id("a-1"), NewDep::new(DepKind::BLOCKS, id("a-4")))).expect("drawn here");
    // Another copy took one of the two away and does not know what was drawn here.
    let newer = a(&[to_3.clone()], "02-01");
    let report = import(&mut t, format!("{newer}\n{others}\n").as_bytes());
    assert_eq!((report.updated, targets(&t)), (1, vec!["a-3".to_owned(), "a-4".to_owned()]));
    assert!(report.findings.iter().any(|f| f.line == 1 && f.text.contains("no dependency blocks a-2 any more")));
    // A file that says nothing of dependencies takes none away, one that has some in other lines does.
    let silent = a(&[], "02-02");
    import(&mut t, silent.as_bytes());
    assert_eq!(targets(&t), ["a-3", "a-4"]);
    import(&mut t, format!("{}\n{others}\n", a(&[], "02-03")).as_bytes());
    assert_eq!(targets(&t), ["a-4"], "drawn here, in no file yet");
    // Once the file has shown it, the file may take it away.
    let written = exported(&t);
    assert_eq!(import(&mut t, &written).updated, 0);
    import(&mut t, format!("{}\n{others}\n", a(&[], "02-05")).as_bytes());
    assert_eq!(targets(&t), Vec::<String>::new());
}

#[test]
fn neither_side_of_a_conflict_takes_an_edge_away_that_the_other_shows() {
    let edge = r#","dependencies":[{"issue_id":"a-1","depends_on_id":"a-2","type":"blocks","created_at":"2026-01-01T00:00:00Z"}]"#;
    let related = r#","dependencies":[{"issue_id":"a-2","depends_on_id":"a-3","type":"related","created_at":"2026-01-01T00:00:00Z"}]"#;
    let others = [line("a-2", related), line("a-3", "")].join("\n");
    let a = |more: &str, day: &str| line("a-1", more).replace("01-02", day);
    let blocked = |t: &Temp| !t.read(|r| r.deps(&id("a-1"))).is_empty();
    let mut t = Temp::new();
    import(&mut t, format!("{}\n{others}\n", a(edge, "01-02")).as_bytes());
    for (ours, theirs) in [(a(edge, "02-01"), a("", "02-02")), (a("", "02-04"), a(edge, "02-03"))] {
        let file = format!("<<<<<<< HEAD\n{ours}\n=======\n{theirs}\n>>>>>>> other\n{others}\n");
        let report = import(&mut t, file.as_bytes());
        assert_eq!((report.updated, blocked(&t)), (1, true), "{:?}", report.findings);
    }
    // The file has shown it, so one in which the conflict is settled may take it away.
    import(&mut t, format!("{}\n{others}\n", a("", "02-05")).as_bytes());
    assert!(!blocked(&t));
}

#[test]
fn neither_side_of_a_conflict_takes_a_comment_away_or_brings_a_deleted_bead_back() {
    let said = |who: &str| {
        format!(
            r#","comments":[{{"id":1,"issue_id":"a-1","author":"{who}","text":"by {who}","created_at":"2026-01-01T00:00:00Z"}}]"#
        )
    };
    let ours = [
        line("a-1", &said("ann")).replace("01-02", "01-04"),
        line("a-4", r#","deleted_at":"2026-01-02T00:00:00Z""#).replace("\"open\"", "\"tombstone\""),
    ];
    let theirs =
        [line("a-1", r#","comments":[{"author":"bob","text":"by bob"}]"#), line("a-4", "").replace("01-02", "01-03")];
    for (first, second) in [(&ours, &theirs), (&theirs, &ours)] {
        let mut t = Temp::new();
        let file = format!("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", first.join("\n"), second.join("\n"));
        let report = import(&mut t, file.as_bytes());
        assert_eq!(report.created, 2, "{:?}", report.findings);
        let comments = bead(&t, "a-1").comments;
        let mut said: Vec<(i64, &str)> = comments.iter().map(|c| (c.id, c.author.as_str())).collect();
        said.sort_by_key(|(_, who)| *who);
        assert_eq!((said[0].1, said[1].1, said.len()), ("ann", "bob", 2), "{said:?}");
        assert_ne!(said[0].0, said[1].0, "each has a number of its own");
        assert_eq!((bead(&t, "a-4").status, t.ready()), (Status::TOMBSTONE, vec!["t a-1".to_owned()]));
        let again = import(&mut t, file.as_bytes());
        assert_eq!((again.created, again.updated, bead(&t, "a-1").comments.len()), (0, 0, 2));
    }
}

#[test]
fn an_edge_that_stands_in_its_line_twice_is_one_and_the_line_stays_as_it_is() {
    let edge = |more: &str| {
        format!(r#"{{"issue_id":"a-1","depends_on_id":"a-2","type":"blocks","created_at":"2026-01-0{more}}}"#)
    };
    for (first, second, who) in [
        (r#"1T00:00:00Z","created_by":"ann""#, r#"3T00:00:00Z","created_by":"bob""#, "bob"),
        (r#"3T00:00:00Z","created_by":"ann""#, r#"1T00:00:00Z","x":1e400"#, ""),
        (r#"1T00:00:00Z""#, r#"1T00:00:00Z""#, ""),
    ] {
        let mut t = Temp::new();
        let deps = format!(r#","dependencies":[{},{}]"#, edge(first), edge(second));
        let file = format!("{}\n{}\n", line("a-1", &deps), line("a-2", ""));
        let report = import(&mut t, file.as_bytes());
        assert!(report.findings.iter().any(|f| f.line == 1 && f.text.contains("twice")), "{:?}", report.findings);
        assert_eq!(String::from_utf8_lossy(&exported(&t)), file);
        assert_eq!((bead(&t, "a-1").dependencies.len(), bead(&t, "a-1").dependencies[0].created_by.as_str()), (1, who));
        // A newer line with it twice leaves it as it was.
        let newer = file.replace("01-02", "01-05");
        assert_eq!(import(&mut t, newer.as_bytes()).updated, 2);
        assert_eq!(String::from_utf8_lossy(&exported(&t)), newer);
    }
}

#[test]
fn an_estimate_below_nothing_keeps_nobody_from_changing_the_bead() {
    let mut t = Temp::new();
    let file = format!("{}\n", line("a-1", r#","estimated_minutes":-5,"x":[ 1 ]"#));
    let report = import(&mut t, file.as_bytes());
    assert!(report.findings.iter().any(|f| f.text.contains("less than nothing")), "{:?}", report.findings);
    assert_eq!(String::from_utf8_lossy(&exported(&t)), file);
    t.write(|w| w.update(&id("a-1"), Patch { priority: Some(1), ..Patch::default() })).expect("changed");
    assert!(String::from_utf8_lossy(&exported(&t)).contains("\"estimated_minutes\":-5"), "it is kept");
    t.write(|w| w.update(&id("a-1"), Patch { estimated_minutes: Some(Some(5)), ..Patch::default() })).expect("changed");
    assert!(String::from_utf8_lossy(&exported(&t)).contains("\"estimated_minutes\":5"), "it is replaced");
}
