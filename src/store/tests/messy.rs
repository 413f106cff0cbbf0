//! Files that break the rules: nothing is refused, nothing that can be read is lost, each line is told of.

use super::*;

const TIMES: &str = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-02T00:00:00Z""#;

pub(super) fn line(id: &str, more: &str) -> String {
    format!(r#"{{"id":"{id}","title":"t {id}","status":"open","priority":2,"issue_type":"task",{TIMES}{more}}}"#)
}

pub(super) fn import(t: &mut Temp, file: &[u8]) -> interchange::Imported {
    t.now += 1_000;
    t.store.import(&Stamp::new("tester", Time::from_millis(t.now)), file).expect("no file is refused")
}

pub(super) fn told(report: &interchange::Imported) -> Vec<(usize, bool)> {
    report.findings.iter().map(|f| (f.line, f.lost)).collect()
}

#[test]
fn unchanged_lines_are_written_back_byte_for_byte_whatever_is_wrong_with_them() {
    let mut t = Temp::new();
    let file = [
        line("a-1", r#","x":[ 1 ]"#).into_bytes(),
        [line("a-2", "").as_bytes(), b"\r"].concat(),
        line("a-3", "").replace("t a-3", "t \u{7}\\ud800").into_bytes(),
        [b"{\"title\":\"\xff\xfe\",".as_slice(), &line("a-4", "").as_bytes()[1..]].concat(),
        line("a-5", "").replace("\"priority\":2", "\"priority\":\"1\"").into_bytes(),
        format!("{} trailing", line("a-6", "")).into_bytes(),
        line("a-7", r#","status":"Closed""#).into_bytes(),
        line("a-8", r#","description":"cut"#).trim_end_matches(['"', '}']).as_bytes().to_vec(),
    ]
    .join(&b"\n"[..]);
    let file = [&file[..], b"\n"].concat();
    let report = import(&mut t, &file);
    assert_eq!(report.created, 8, "{:?}", report.findings);
    assert!(report.findings.iter().all(|f| !f.lost), "{:?}", report.findings);
    let back = t.read(|r| r.export());
    assert_eq!(String::from_utf8_lossy(&back), String::from_utf8_lossy(&file));
    assert_eq!(back, file);
    let again = import(&mut t, &file);
    assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 8));
    assert_eq!(t.read(|r| r.need(&id("a-5"))).priority, 1);
    assert_eq!(t.read(|r| r.need(&id("a-7"))).status, Status::CLOSED);
    assert_eq!(t.read(|r| r.need(&id("a-8"))).title, "t a-8");
}

#[test]
fn the_marks_of_a_conflict_and_blank_lines_are_no_beads() {
    let mut t = Temp::new();
    let (ours, theirs) = (line("a-1", ""), line("a-1", "").replace("t a-1", "theirs").replace("01-02", "01-03"));
    let file = format!("\u{feff}\n<<<<<<< HEAD\n{ours}\n=======\n{theirs}\n>>>>>>> other\n\n   \n");
    let report = import(&mut t, file.as_bytes());
    assert_eq!((report.created, told(&report)), (1, vec![(2, false), (2, false), (4, false), (5, false), (6, false)]));
    assert_eq!(t.read(|r| r.need(&id("a-1"))).title, "theirs");
}

#[test]
fn two_beads_with_one_id_are_both_kept() {
    let mut t = Temp::new();
    let other = line("a-1", "").replace("t a-1", "another").replace("2026-01-01", "2025-12-31");
    let file = format!("{}\n{other}\n", line("a-1", ""));
    let report = import(&mut t, file.as_bytes());
    assert_eq!(report.created, 2);
    let titles: Vec<String> = t.read(|r| r.all_whole()).into_iter().map(|b| b.title).collect();
    assert!(titles.contains(&"t a-1".to_owned()) && titles.contains(&"another".to_owned()));
    assert_eq!(import(&mut t, file.as_bytes()).created, 0, "the other id is the same each time");
}

#[test]
fn a_bead_of_another_project_with_an_id_of_ours_gets_its_own_and_takes_its_edges_along() {
    let mut t = Temp::new();
    import(&mut t, line("a-1", "").as_bytes());
    let theirs = line("a-1", "").replace("t a-1", "theirs").replace("2026-01-01", "2025-03-01");
    let edge = r#","dependencies":[{"issue_id":"a-2","depends_on_id":"a-1","type":"blocks","created_at":"2026-01-01T00:00:00Z"}]"#;
    let file = format!("{theirs}\n{}\n", line("a-2", edge));
    let report = import(&mut t, file.as_bytes());
    assert_eq!((report.created, told(&report)), (2, vec![(1, false)]));
    assert_eq!(t.read(|r| r.need(&id("a-1"))).title, "t a-1");
    let target = t.read(|r| r.deps(&id("a-2")))[0].depends_on_id.clone();
    assert_eq!(t.read(|r| r.need(&target)).title, "theirs");
    let again = import(&mut t, file.as_bytes());
    assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 2), "the other id is the same each time");
    // Another title alone, or a line that does not say when it was made, is the same bead.
    for same in [
        line("a-1", "").replace("t a-1", "a new title").replace("01-02", "01-05"),
        r#"{"id":"a-1","title":"and another","updated_at":"2026-01-07T00:00:00Z"}"#.to_owned(),
    ] {
        let report = import(&mut t, same.as_bytes());
        assert_eq!((report.created, report.updated), (0, 1), "{same}");
    }
}

#[test]
fn what_is_wrong_with_a_time_is_said() {
    let mut t = Temp::new();
    let file = [
        r#"{"id":"a-1","title":"t","created_at":"9999-12-31T23:59:59Z","updated_at":"2026-01-02T00:00:00Z"}"#,
        r#"{"id":"a-2","title":"t","created_at":"soon","updated_at":"2026-01-02T00:00:00Z"}"#,
        r#"{"id":"a-3","title":"t","updated_at":"2026-01-02T00:00:00Z"}"#,
    ]
    .join("\n");
    let found = import(&mut t, file.as_bytes()).findings;
    for (line, words) in [(1, "beyond the times that can be kept"), (2, "not a time"), (3, "created_at was missing")] {
        assert!(found.iter().any(|f| f.line == line && f.text.contains(words)), "{line} {words}: {found:?}");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_comes_in() {
    let mut t = Temp::new();
    let big = line("a-2", "").replace("t a-2", &"x".repeat(1 << 20));
    let file = format!("{}\n[1,2]\n{big}\n{{\"nothing\":1}}\n\u{0}\n{}\n", line("a-1", ""), line("a-3", ""));
    let report = import(&mut t, file.as_bytes());
    assert_eq!((report.created, told(&report)), (3, vec![(2, true), (4, true), (5, true)]));
    assert_eq!(t.read(|r| r.need(&id("a-2"))).title.len(), 1 << 20);
}

#[test]
fn an_array_of_objects_over_many_lines_is_read() {
    let mut t = Temp::new();
    let pretty = |id: &str| {
        let value: serde_json::Value = serde_json::from_str(&line(id, "")).expect("json");
        serde_json::to_string_pretty(&value).expect("text")
    };
    let report = import(&mut t, format!("[\n{},\n{}\n]\n", pretty("a-1"), pretty("a-2")).as_bytes());
    assert_eq!(report.created, 2, "{:?}", report.findings);
    let report = import(&mut t, format!("{}{}, {}\n", line("b-1", ""), line("b-2", ""), line("b-3", "")).as_bytes());
    assert_eq!((report.created, told(&report)), (3, vec![(1, false)]));
}

#[test]
fn an_import_that_was_killed_is_done_again() {
    use crate::base::fault::tests::cut_off;
    let mut t = Temp::new();
    let file: String = (0..900).map(|n| line(&format!("a-{n}"), "") + "\n").collect();
    for n in 0..24 {
        let by = Stamp::new("tester", Time::from_millis(t.now));
        let _ = cut_off(n, || t.store.import(&by, file.as_bytes()).expect("import"));
        let dir = t.store.beads_dir().to_owned();
        t.store = Store::open(&dir).expect("open");
        let seen = t.read(|r| r.count(&Filter::default()));
        assert!([0, 900].contains(&seen), "all or nothing: {seen}");
    }
    import(&mut t, file.as_bytes());
    assert_eq!(t.read(|r| r.export()).len(), file.len());
}

proptest::proptest! {
    #[test]
    fn any_damage_to_a_line_is_told_of_and_what_is_read_is_written_and_read_again(
        at in 0..400_usize, cut in 0..40_usize, with in ".{0,12}", twice in proptest::bool::ANY,
    ) {
        let whole = line("a-1", r#","description":"d","labels":["x"],"dependencies":[{"issue_id":"a-1","depends_on_id":"a-2","type":"blocks","created_at":"2026-01-01T00:00:00Z"}],"comments":[{"id":1,"issue_id":"a-1","author":"a","text":"t","created_at":"2026-01-01T00:00:00Z"}]"#);
        let at = at.min(whole.len());
        let damaged = format!("{}{with}{}", &whole[..at], &whole[(at + cut).min(whole.len())..]);
        let file = if twice { format!("{damaged}\n{whole}\n") } else { damaged };
        let (beads, findings) = interchange::read_file(file.as_bytes(), "gt");
        proptest::prop_assert!(!beads.is_empty() || !findings.is_empty() || file.trim().is_empty());
        for bead in beads {
            let written = interchange::format_line(&bead);
            let again = interchange::parse_line(&written, "gt").expect("what is written is read");
            proptest::prop_assert_eq!(interchange::format_line(&again.bead), written);
        }
    }
}

#[test]
fn what_is_not_known_of_an_edge_or_a_comment_outlives_changes_the_ledger_and_a_restore() {
    let mut t = Temp::new();
    let at = r#""created_at":"2026-01-01T00:00:00Z""#;
    let members = format!(
        r#","dependencies":[{{"issue_id":"a-1","depends_on_id":"a-2","type":"blocks",{at},"weight":{{"z":1,"a":[2]}}}}],"comments":[{{"id":1,"issue_id":"a-1","author":"ann","text":"hm",{at},"reactions":["+1"],"uid":"foreign"}}]"#
    );
    import(&mut t, format!("{}\n{}\n", line("a-1", &members), line("a-2", "")).as_bytes());
    let id = BeadId::new("a-1").expect("id");
    t.write(|w| w.update(&id, Patch { title: Some("changed".to_owned()), ..Patch::default() })).expect("updates");
    let kept = |export: Vec<u8>| {
        let text = String::from_utf8(export).expect("text");
        let line = text.lines().next().expect("a line");
        assert!(line.contains("changed") && line.contains(r#""weight":{"z":1,"a":[2]}"#), "{line}");
        assert!(line.contains(r#""reactions":["+1"]"#), "{line}");
    };
    kept(t.read(|r| r.export()));
    // The same bead in another copy, out of its ledger file alone.
    let doc = t.read(|r| r.ledger_doc(&id)).expect("a ledger file");
    let mut other = Temp::new();
    other.write(|w| w.adopt(&[crate::store::LedgerDoc::parse(&doc).expect("reads")])).expect("adopts");
    kept(other.read(|r| r.export()));
    assert_eq!(other.read(|r| r.ledger_doc(&id)), Some(doc));
}

#[test]
fn what_a_newer_line_says_of_an_edge_or_a_comment_that_is_here_is_taken_over_and_synced() {
    let at = r#""created_at":"2026-01-01T00:00:00Z""#;
    let whole = |updated: &str, edge: &str, child: &str, comment: u8, said: &str| {
        let deps = format!(
            r#"{{"issue_id":"a-1","depends_on_id":"a-2","type":"waits-for",{at},"metadata":"{{\"gate\":\"all-children\"}}"{edge}}}"#
        );
        let members = format!(
            r#","dependencies":[{deps}],"comments":[{{"id":{comment},"issue_id":"a-1","author":"ann","text":"hm",{at}{said}}}]"#
        );
        let members = members.replace("all-children", child);
        line("a-1", &members).replace("2026-01-02", updated)
    };
    let child = |id: &str| {
        let up = format!(r#","dependencies":[{{"issue_id":"{id}","depends_on_id":"a-2","type":"parent-child",{at}}}]"#);
        line(id, &up)
    };
    let (old, new) = (
        whole("2026-01-02", r#","weight":1"#, "all-children", 1, ""),
        whole("2026-01-03", r#","weight":{"z":2},"note":"n""#, "any-children", 7, r#","up":["bob"]"#),
    );
    let mut t = Temp::new();
    let others = [line("a-2", ""), child("a-3"), child("a-4")].join("\n");
    import(&mut t, format!("{old}\n{others}\n").as_bytes());
    let mut copy = Temp::new();
    let adopt = |from: &Temp, to: &mut Temp| {
        for bead in ["a-1", "a-2", "a-3", "a-4"] {
            let theirs = from.read(|r| r.ledger_doc(&id(bead))).expect("a ledger file");
            to.write(|w| w.adopt(&[crate::store::LedgerDoc::parse(&theirs).expect("reads")])).expect("adopts");
        }
    };
    adopt(&t, &mut copy);
    t.close(&id("a-3"), "done");
    assert!(!t.ready().contains(&"t a-1".to_owned()), "it waits for all children");
    import(&mut t, format!("{new}\n{others}\n").as_bytes());
    assert!(t.ready().contains(&"t a-1".to_owned()), "one closed child is enough now");
    adopt(&t, &mut copy);
    for t in [&t, &copy] {
        let text = String::from_utf8(t.read(|r| r.export())).expect("text");
        assert_eq!(text.lines().next(), Some(new.as_str()));
    }
}

#[test]
fn a_newer_line_that_says_less_of_an_edge_or_a_comment_takes_nothing_away() {
    let at = r#""created_at":"2026-01-01T00:00:00Z""#;
    let edge = format!(
        r#"{{"issue_id":"a-1","depends_on_id":"a-2","type":"waits-for",{at},"created_by":"ann","metadata":"{{\"gate\":\"any-children\"}}","weight":5}}"#
    );
    let said = format!(r#"{{"id":4,"issue_id":"a-1","author":"ann","text":"hm",{at},"up":["bob"]}}"#);
    let old = line("a-1", &format!(r#","dependencies":[{edge}],"comments":[{said}]"#));
    let edges = [
        r#"{"id":"a-2","title":"t a-2","notes":"only here","dependency_type":"waits-for"}"#,
        r#"{"depends_on":"a-2","type":"waits-for"}"#,
        r#""a-2""#,
    ];
    let comments = [
        format!(r#"{{"author":"ann","text":"hm",{at}}}"#),
        r#"{"author":"ann","text":"hm"}"#.to_owned(),
        r#""hm""#.to_owned(),
    ];
    for (less, hm) in edges.iter().zip(&comments) {
        let mut t = Temp::new();
        import(&mut t, format!("{old}\n{}\n", line("a-2", "")).as_bytes());
        let more = format!(r#","dependencies":[{less}],"comments":[{hm},{{"author":"bob","text":"yes"}}]"#);
        let newer = line("a-1", &more).replace("2026-01-02", "2026-01-03");
        assert_eq!(import(&mut t, newer.as_bytes()).updated, 1);
        let text = String::from_utf8(t.read(|r| r.export())).expect("text");
        assert!(text.contains(&format!("[{edge}]")) && text.contains(&said), "{less} {hm}: {text}");
        let (all, new) = (t.read(|r| r.comments(&id("a-1"))), "yes".to_owned());
        assert_eq!((all.len(), &all[1].text), (2, &new), "{hm}");
        assert_ne!(all[1].id, 4);
    }
}

#[test]
fn newer_lines_come_in_a_few_at_a_time_each_of_them_whole() {
    use crate::base::fault::tests::cut_off;
    let mut t = Temp::new();
    let file = |text: &str, day: &str| -> String {
        let more = |n: usize| {
            let at = r#""created_at":"2026-01-01T00:00:00Z""#;
            let edge = format!(r#"{{"issue_id":"a-{n}","depends_on_id":"a-{}","type":"{text}",{at}}}"#, (n + 1) % 120);
            format!(r#","labels":["{text}"],"dependencies":[{edge}]"#)
        };
        let whole = |n: usize| {
            line(&format!("a-{n}"), &more(n)).replace("2026-01-02", day).replace("\"t a", &format!("\"{text} a"))
        };
        (0..120).map(|n| whole(n) + "\n").collect()
    };
    import(&mut t, file("related", "2026-01-02").as_bytes());
    let mut some = false;
    for n in 0..24 {
        let by = Stamp::new("tester", Time::from_millis(t.now));
        let _ = cut_off(n, || t.store.import(&by, file("tracks", "2026-01-03").as_bytes()).expect("import"));
        let dir = t.store.beads_dir().to_owned();
        t.store = Store::open(&dir).expect("open");
        let all = t.read(|r| r.all_whole());
        let newer = |bead: &&Bead| bead.title.starts_with("tracks");
        for bead in &all {
            let (edges, word) = (1, if newer(&bead) { "tracks" } else { "related" });
            assert_eq!((bead.dependencies.len(), bead.labels.join(" ").as_str()), (edges, word), "{}", bead.id);
        }
        let count = all.iter().filter(newer).count();
        some |= (1..120).contains(&count);
    }
    assert!(some, "never only some of them");
    import(&mut t, file("tracks", "2026-01-03").as_bytes());
    assert!(t.read(|r| r.all_whole()).iter().all(|bead| bead.title.starts_with("tracks")));
}

#[test]
fn an_imported_bead_with_edges_is_written_for_the_ledger_once() {
    let mut t = Temp::new();
    let edge = |to: &str| {
        format!(
            r#","dependencies":[{{"issue_id":"a-1","depends_on_id":"{to}","type":"blocks","created_at":"2026-01-01T00:00:00Z"}}]"#
        )
    };
    let file = [line("a-1", &edge("a-2")), line("a-2", &edge("a-3")), line("a-3", "")].join("\n");
    import(&mut t, file.as_bytes());
    let rows = t.read(|r| r.outbox(0, 99));
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, [1, 2, 3], "no row was written to be dropped again");
    assert!(rows[0].doc.contains("\"depends_on_id\":\"a-2\""), "{}", rows[0].doc);
}

#[test]
fn equal_comments_stay_two_when_a_newer_line_has_both() {
    let mut t = Temp::new();
    let said = |n: u8, more: &str| {
        format!(
            r#"{{"id":{n},"issue_id":"a-1","author":"ann","text":"hm","created_at":"2026-01-0{n}T00:00:00Z"{more}}}"#
        )
    };
    let whole = |a: &str, b: &str| line("a-1", &format!(r#","comments":[{a},{b}]"#));
    import(&mut t, whole(&said(1, ""), &said(2, "")).as_bytes());
    let untimed = r#"{"author":"ann","text":"hm","up":["bob"]}"#;
    let newer = whole(untimed, &said(1, "")).replace("updated_at\":\"2026-01-02", "updated_at\":\"2026-01-03");
    import(&mut t, newer.as_bytes());
    let text = String::from_utf8(t.read(|r| r.export())).expect("text");
    assert!(text.contains(&format!("[{},{}]", said(1, ""), said(2, r#","up":["bob"]"#))), "{text}");
}

#[test]
fn a_number_that_is_not_known_does_not_drift_however_often_it_is_written() {
    let digits = format!("1{}", "7".repeat(62));
    for (number, shown) in [
        (digits.as_str(), digits.as_str()),
        ("1.767777777777778e+62", "1.767777777777778e+62"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("123456789.123456789", "123456789.123456789"),
        ("5e-324", "5e-324"),
        ("1.50", "1.5"),
    ] {
        let mut written = line("a-1", &format!(r#","x":{number},"y":null"#));
        let read = |text: &str| interchange::format_line(&interchange::parse_line(text, "gt").expect("reads").bead);
        written = read(&written);
        assert!(written.ends_with(&format!(r#","x":{shown},"y":null}}"#)), "{number}: {written}");
        assert_eq!(read(&written), written);
    }
}

#[test]
fn edges_follow_a_bead_whose_id_could_be_none_and_kinds_in_other_letters_hold() {
    let mut t = Temp::new();
    let to = |id: &str, kind: &str| {
        format!(r#","dependencies":[{{"issue_id":"x","depends_on_id":"{id}","type":"{kind}"}}]"#)
    };
    let file = [
        line("gt 5", ""),
        line("gt-6", &to("gt 5", "blocks")),
        line("gt-7", &to(" gt-6", "Blocks")),
        line("gt-8", &to("gt-7", "")),
        line("gt-9", &to("nothing at all", "blocks")),
    ];
    let report = import(&mut t, (file.join("\n") + "\n").as_bytes());
    assert!(report.findings.iter().all(|f| !f.lost), "{:?}", report.findings);
    let said: Vec<&str> = report.findings.iter().map(|f| f.text.as_str()).collect();
    for text in [
        "1 dependency to a bead that has another id now",
        "the edge to gt-7 of the kind `` is one of the kind `blocks`",
        "1 dependency kept without effect: no bead id",
    ] {
        assert!(said.contains(&text), "{said:?}");
    }
    let held: Vec<(String, usize)> =
        t.read(|r| r.blocked(None)).into_iter().map(|one| (one.bead.id.to_string(), one.blocked_by_count)).collect();
    assert_eq!(held, [("gt-6".to_owned(), 1), ("gt-7".to_owned(), 1), ("gt-8".to_owned(), 1)]);
    let mut back: Vec<String> =
        String::from_utf8(t.read(|r| r.export())).expect("text").lines().map(str::to_owned).collect();
    back.sort();
    assert_eq!(back, file, "each line as it came");
    let again = import(&mut t, (file.join("\n") + "\n").as_bytes());
    assert_eq!((again.created, again.updated), (0, 0));
}

#[test]
fn edges_follow_a_bead_that_came_in_before_or_comes_in_later() {
    let waits = line("gt-6", r#","dependencies":[{"issue_id":"gt-6","depends_on_id":"gt 5","type":"blocks"}]"#) + "\n";
    let other = line("gt 5", "") + "\n";
    let held = |t: &Temp| t.read(|r| r.blocked(None)).len();
    let mut t = Temp::new();
    import(&mut t, other.as_bytes());
    import(&mut t, waits.as_bytes());
    assert_eq!(held(&t), 1, "it was here");
    let mut t = Temp::new();
    import(&mut t, waits.as_bytes());
    assert_eq!(held(&t), 0, "there is no such bead");
    let both = import(&mut t, (other + &waits).as_bytes());
    assert_eq!((both.created, both.updated, held(&t)), (1, 1, 1), "{:?}", both.findings);
    let file = t.read(|r| r.export());
    let again = import(&mut t, &file);
    assert_eq!((again.created, again.updated, held(&t)), (0, 0, 1), "{:?}", again.findings);
}
