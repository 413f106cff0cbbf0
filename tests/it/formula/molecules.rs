//! Molecules on a real store, and the same story told by `bd` processes.

use gastown::base::{Prefix, Time};
use gastown::formula::{Library, Proto, Vars, cook};
use gastown::molecule::{self, Advance, MoleculeError, PourOpts, Worker};
use gastown::store::{Bead, Close, Stamp, Store};
use serde_json::Value;

use super::{cooked, vars};
use crate::support::Sandbox;

fn stamp(ms: i64) -> Stamp {
    Stamp::new("tester", Time::from_millis(1_700_000_000_000 + ms))
}

fn store(dir: &std::path::Path) -> Store {
    Store::create(&dir.join(".beads"), &Prefix::new("tt").expect("a prefix"), stamp(0).now).expect("a store")
}

fn name(bead: Option<&Bead>) -> String {
    bead.and_then(molecule::step_name).unwrap_or_default().to_owned()
}

fn poured(store: &mut Store, proto: &Proto, vars: &Vars, opts: &PourOpts) -> molecule::Poured {
    store.write::<_, MoleculeError>(&stamp(1), |w| molecule::pour(w, proto, vars, opts)).expect("pours")
}

#[test]
fn a_molecule_is_poured_advanced_and_finished() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cook(&Library::new([]), "shiny", &Vars::new()).expect("cooks");
    let root = poured(&mut store, &proto, &vars(&[("feature", "auth"), ("more", "x")]), &PourOpts::default()).root;
    let bead = store.read::<_, MoleculeError>(|r| Ok(r.need(&root)?)).expect("there");
    assert_eq!(
        (bead.issue_type.as_str(), bead.title.as_str(), bead.meta_str("formula")),
        ("molecule", "shiny", Some("shiny"))
    );
    let mut seen = Vec::new();
    for ms in 2.. {
        let done = store
            .write::<_, MoleculeError>(&stamp(ms), |w| {
                let Some(now) = molecule::current(w, &root)? else { return Ok(true) };
                seen.push(now.title.clone());
                let then = Advance { worker: Worker::Holder("nux"), touches: None, outside: None };
                let came = molecule::close_step(w, &root, &now.id, Close::because("done"), then)?;
                if let Some(next) = &came.next {
                    assert_eq!((next.status.as_str(), next.assignee.as_str()), ("in_progress", "nux"));
                }
                Ok(came.complete)
            })
            .expect("closes");
        if done {
            break;
        }
    }
    assert_eq!(seen, ["Design auth", "Implement auth", "Test auth", "Submit auth"]);
    let progress = store.read(|r| molecule::progress(r, &root)).expect("reads");
    assert_eq!((progress.total, progress.completed, progress.percent), (4, 4, Some(100.0)));
    let closed = store.write(&stamp(99), |w| molecule::finish(w, &root, "landed")).expect("finishes");
    assert_eq!(closed.len(), 1, "only the root was left");
}

#[test]
fn another_reader_after_a_crash_sees_the_same_next_step() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut first = store(dir.path());
    let proto = cook(&Library::new([]), "beads-release", &Vars::new()).expect("cooks");
    let root = poured(&mut first, &proto, &Vars::new(), &PourOpts::default()).root;
    for ms in 2..5 {
        let by = stamp(ms);
        first
            .write::<_, MoleculeError>(&by, |w| {
                let now = molecule::current(w, &root)?.expect("a step");
                molecule::close_step(w, &root, &now.id, Close::default(), Advance::default())
            })
            .expect("closes");
    }
    // The worker dies without a word, in the middle of a transaction.
    let gone: Result<(), MoleculeError> = first.write(&stamp(6), |w| {
        let now = molecule::current(w, &root)?.expect("a step");
        molecule::close_step(w, &root, &now.id, Close::default(), Advance::default())?;
        Err(MoleculeError::NotAMolecule(root.clone()))
    });
    assert!(gone.is_err());
    drop(first);
    let mut second = Store::open(&dir.path().join(".beads")).expect("opens");
    let next = second.read(|r| molecule::current(r, &root)).expect("reads");
    assert_eq!(name(next.as_ref()), "build-binaries");
    // Asking again for a step that is closed already changes nothing.
    let tests = second.read(|r| molecule::steps(r, &root)).expect("reads").remove(2);
    let again = second
        .write(&stamp(9), |w| molecule::close_step(w, &root, &tests.id, Close::default(), Advance::default()))
        .expect("no error");
    assert_eq!((again.closed.len(), name(again.next.as_ref())), (0, "build-binaries".to_owned()));
}

#[test]
fn a_step_that_waits_cannot_be_closed_and_says_for_what() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cook(&Library::new([]), "shiny", &Vars::new()).expect("cooks");
    let made = poured(&mut store, &proto, &Vars::new(), &PourOpts::default());
    let error = store
        .write(&stamp(3), |w| {
            molecule::close_step(w, &made.root, &made.steps[1].1, Close::default(), Advance::default())
        })
        .expect_err("it waits");
    assert_eq!(error.to_string(), format!("step {} waits for {}", made.steps[1].1, made.steps[0].1));
}

#[test]
fn conditions_leave_steps_out_and_keep_the_order_of_the_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cooked(
        r#"formula = "f"
        [vars]
        docs = "yes"
        [[steps]]
        id = "a"
        [[steps]]
        id = "b"
        needs = ["a"]
        condition = "{{docs}}"
        [[steps.children]]
        id = "b1"
        [[steps]]
        id = "c"
        needs = ["b"]"#,
    )
    .expect("cooks");
    let all = poured(&mut store, &proto, &Vars::new(), &PourOpts::default());
    assert_eq!(all.steps.len(), 4);
    let some = poured(&mut store, &proto, &vars(&[("docs", "off")]), &PourOpts::default());
    assert_eq!(some.skipped, ["b", "b1"]);
    let (a, c) = (&some.steps[0].1, &some.steps[1].1);
    let blockers = store.read::<_, MoleculeError>(|r| Ok(r.blockers(c)?)).expect("reads");
    assert_eq!(blockers.as_slice(), std::slice::from_ref(a));
}

#[test]
fn groups_close_with_their_last_child() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cooked(
        r#"formula = "f"
        [[steps]]
        id = "g"
        [[steps.children]]
        id = "g1"
        [[steps.children]]
        id = "g2"
        [[steps]]
        id = "z"
        needs = ["g"]"#,
    )
    .expect("cooks");
    let root = poured(&mut store, &proto, &Vars::new(), &PourOpts::default()).root;
    let mut order = Vec::new();
    while let Some(now) = store.read(|r| molecule::current(r, &root)).expect("reads") {
        order.push(name(Some(&now)));
        store
            .write(&stamp(5), |w| molecule::close_step(w, &root, &now.id, Close::default(), Advance::default()))
            .expect("closes");
    }
    assert_eq!(order, ["g1", "g2", "z"]);
}

#[test]
fn a_gate_holds_its_step_until_it_is_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cooked(
        "formula = \"f\"\n[[steps]]\nid = \"a\"\n[steps.gate]\ntype = \"human\"\nid = \"{{who}}\"\ntimeout = \"1h30m\"\n",
    )
    .expect("cooks");
    let made = poured(&mut store, &proto, &vars(&[("who", "ada")]), &PourOpts::default());
    let gate = made.steps[0].1.clone();
    assert_eq!(store.read(|r| molecule::current(r, &made.root)).expect("reads"), None);
    let bead = store.read::<_, MoleculeError>(|r| Ok(r.need(&gate)?)).expect("there");
    assert_eq!((bead.await_type.as_str(), bead.await_id.as_str(), bead.timeout), ("human", "ada", 5_400_000_000_000));
    store.write::<_, MoleculeError>(&stamp(5), |w| Ok(w.close(&gate, Close::default())?)).expect("closes");
    let now = store.read(|r| molecule::current(r, &made.root)).expect("reads");
    assert_eq!(name(now.as_ref()), "a");
}

#[test]
fn a_review_appears_only_where_its_paths_were_touched() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cooked(
        r#"formula = "f"
        [[steps]]
        id = "build"
        [[steps]]
        id = "review"
        needs = ["build"]
        only_if = { touches = ["**/auth/**"] }
        [[steps]]
        id = "submit"
        needs = ["review"]"#,
    )
    .expect("cooks");
    for (touched, expected) in [(false, "submit"), (true, "review")] {
        let made = poured(&mut store, &proto, &Vars::new(), &PourOpts::default());
        let touches = move |_: &[String]| Ok(touched);
        let then = Advance { worker: Worker::Holder("nux"), touches: Some(&touches), outside: None };
        let came = store
            .write(&stamp(5), |w| molecule::close_step(w, &made.root, &made.steps[0].1, Close::default(), then))
            .expect("closes");
        assert_eq!(name(came.next.as_ref()), expected);
    }
}

#[test]
fn wisps_are_squashed_to_a_digest_or_burnt_without_a_trace() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cook(&Library::new([]), "shiny", &Vars::new()).expect("cooks");
    let wisp = PourOpts { ephemeral: true, ..PourOpts::default() };
    let (a, b) = (poured(&mut store, &proto, &Vars::new(), &wisp), poured(&mut store, &proto, &Vars::new(), &wisp));
    assert!(store.read(|r| molecule::current(r, &a.root)).expect("reads").is_some(), "steps of wisps can be begun");
    let squashed = store.write(&stamp(4), |w| molecule::squash(w, &a.root, None, false)).expect("squashes");
    let digest = store.read::<_, MoleculeError>(|r| Ok(r.need(&squashed.digest_id)?)).expect("there");
    assert!(!digest.ephemeral && digest.is_over());
    assert!(digest.description.contains("**Completed**: 0/4"), "{}", digest.description);
    store.write(&stamp(5), |w| molecule::burn(w, &b.root, false)).expect("burns");
    let left = store.read::<_, MoleculeError>(|r| Ok(molecule::wisps(r, true)?)).expect("reads");
    assert_eq!(left, []);
    let lasting = poured(&mut store, &proto, &Vars::new(), &PourOpts::default());
    assert!(store.write(&stamp(6), |w| molecule::burn(w, &lasting.root, false)).is_err(), "only with force");
}

#[test]
fn protos_freeze_once_and_thaw_as_they_were() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cook(&Library::new([]), "release", &vars(&[("version", "1.0.0")])).expect("cooks");
    assert!(store.write(&stamp(1), |w| molecule::freeze(w, &proto)).expect("kept"));
    assert!(!store.write(&stamp(2), |w| molecule::freeze(w, &proto)).expect("kept"));
    assert_eq!(store.read(|r| molecule::thaw(r, &proto.id)).expect("reads"), Some(proto.clone()));
    let missing = store.write(&stamp(3), |w| molecule::pour(w, &proto, &Vars::new(), &PourOpts::default()));
    assert_eq!(missing.expect_err("no version").to_string(), "missing required variables: version");
    let bad = store.write(&stamp(3), |w| molecule::pour(w, &proto, &vars(&[("version", "new")]), &PourOpts::default()));
    assert!(matches!(bad, Err(MoleculeError::Value { .. })));
}

#[test]
fn a_large_molecule_appears_at_once_and_is_worked_step_by_step() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let text = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 600\n[[steps.loop.body]]\nid = \"x\"\n";
    let proto = cooked(text).expect("cooks");
    let other = Store::open(&dir.path().join(".beads")).expect("opens");
    let count = |store: &Store| {
        store.read::<_, MoleculeError>(|r| Ok(r.count(&gastown::store::Filter::default())?)).expect("reads")
    };
    // A pour that fails near its end leaves nothing.
    let mut broken = proto.clone();
    broken.steps[599].priority = Some(9);
    let failed = molecule::pour_large(&mut store, &stamp(1), &broken, &Vars::new(), &PourOpts::default());
    assert!(failed.is_err());
    assert_eq!(count(&other), 0);
    let made = molecule::pour_large(&mut store, &stamp(2), &proto, &Vars::new(), &PourOpts::default()).expect("pours");
    assert_eq!((made.steps.len(), count(&other)), (600, 601));
    for (ms, expected) in [(3, "l.iter1.x"), (4, "l.iter2.x"), (5, "l.iter3.x")] {
        let now = other.read(|r| molecule::current(r, &made.root)).expect("reads").expect("a step");
        assert_eq!(name(Some(&now)), expected);
        store
            .write(&stamp(ms), |w| molecule::close_step(w, &made.root, &now.id, Close::default(), Advance::default()))
            .expect("closes");
    }
    assert_eq!(store.read(|r| molecule::progress(r, &made.root)).expect("reads").completed, 3);
}

#[test]
fn steps_may_stand_before_those_they_need() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let text = "formula = \"f\"\n[[steps]]\nid = \"z\"\nneeds = [\"a\"]\n[[steps]]\nid = \"a\"\n";
    let made = poured(&mut store, &cooked(text).expect("cooks"), &Vars::new(), &PourOpts::default());
    let now = store.read(|r| molecule::current(r, &made.root)).expect("reads");
    assert_eq!(name(now.as_ref()), "a");
    let steps = store.read(|r| molecule::steps(r, &made.root)).expect("reads");
    assert_eq!(steps.iter().map(|s| name(Some(s))).collect::<Vec<_>>(), ["z", "a"], "in the order of the formula");
}

#[test]
fn the_lines_of_the_readme_run() {
    let sandbox = Sandbox::new();
    let repo = sandbox.folder("repo");
    sandbox.git(&repo, &["init", "-q"]).ok();
    sandbox.bd(&repo, &["init", "--prefix", "tt"]).ok();
    let list = sandbox.bd(&repo, &["formula", "list", "--json"]).json();
    assert!(list.as_array().is_some_and(|l| l.iter().any(|f| f["name"] == "shiny")), "{list}");
    let cooked = sandbox.bd(&repo, &["cook", "shiny", "--json"]).json();
    assert_eq!((&cooked["steps"][1]["needs"][0], &cooked["frozen"]), (&Value::from("design"), &Value::from(true)));
    let poured = sandbox.bd(&repo, &["mol", "pour", "shiny", "--var", "feature=auth", "--json"]).json();
    assert_eq!((&poured["phase"], &poured["created"]), (&Value::from("liquid"), &Value::from(5)));
    let root = poured["new_epic_id"].as_str().expect("an id");
    let current = sandbox.bd(&repo, &["mol", "current", root, "--json"]).json();
    assert_eq!(current[0]["current_step"]["title"], "Design auth");
    let step = current[0]["current_step"]["id"].as_str().expect("an id");
    sandbox.bd(&repo, &["close", step]).ok();
    let progress = sandbox.bd(&repo, &["mol", "progress", root, "--json"]).json();
    assert_eq!((&progress["completed"], &progress["total"]), (&Value::from(1), &Value::from(4)));
    let refused = sandbox.bd(&repo, &["mol", "squash", root]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("is unfinished: 1 of 4 steps are closed"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("bd mol squash {root} --force")), "{}", refused.stderr);
    let squash = sandbox.bd(&repo, &["mol", "squash", root, "--force", "--summary", "all well", "--json"]).json();
    let digest = squash["digest_id"].as_str().expect("an id");
    let shown = sandbox.bd(&repo, &["show", digest, "--json"]).json();
    assert_eq!(shown[0]["description"], "all well");
}

#[test]
fn formulas_are_explained_drawn_checked_and_converted() {
    let sandbox = Sandbox::new();
    let repo = sandbox.folder("repo");
    let explained = sandbox.bd(&repo, &["formula", "explain", "shiny-enterprise"]).ok();
    assert!(explained.contains("  + implement-audit"), "{explained}");
    assert!(explained.contains("security-audit@advice[0].around.after[0]"), "{explained}");
    insta::assert_snapshot!(sandbox.bd(&repo, &["formula", "graph", "beads-release"]).ok(), @r"
    beads-release (6 steps)
    ● bump-version
      ● update-deps  ← bump-version
        ● run-tests  ← update-deps
          ● build-binaries  ← run-tests
            ● create-tag  ← build-binaries
              ● publish-release  ← create-tag
    ");
    let drawn = sandbox.bd(&repo, &["formula", "graph", "shiny", "--mermaid"]).ok();
    assert!(drawn.contains("s0 --> s1"), "{drawn}");
    sandbox.bd(&repo, &["formula", "check"]).ok();
    let waits = "formula = \"w\"\n[[steps]]\nid = \"g\"\n[[steps.children]]\nid = \"k\"\n[[steps]]\nid = \"all\"\n\
        waits_for = \"children-of(g)\"\n[[steps]]\nid = \"any\"\nneeds = [\"g\"]\nwaits_for = \"any-children\"\n";
    std::fs::write(repo.join("w.formula.toml"), waits).expect("written");
    insta::assert_snapshot!(sandbox.bd(&repo, &["formula", "graph", "./w.formula.toml"]).ok(), @r"
    w (4 steps)
    ● g
      ● k
      ● all  ⇠ children of g
      ● any  ← g  ⇠ any child of g
    ");
    let graph = sandbox.bd(&repo, &["formula", "graph", "./w.formula.toml", "--json"]).json();
    assert_eq!(graph["steps"][2]["waits_for"], serde_json::json!({ "mode": "all-children", "of": "g" }));
    let drawn = graph["mermaid"].as_str().expect("a flowchart");
    assert!(drawn.contains("s0 -. children .-> s2\n") && drawn.contains("s0 -. any child .-> s3\n"), "{drawn}");
    for flags in [&["--dry-run"][..], &[]] {
        let told = sandbox.bd(&repo, &[&["cook", "./w.formula.toml"], flags].concat()).ok();
        assert!(told.contains("all [waits_for: children-of(g)]"), "{told}");
        assert!(told.contains("any [needs: g, waits_for: any-children]"), "{told}");
    }
    let null = |steps: &str| format!(r#"{{"formula": "j", "steps": [{steps}], "vars": {{"v": "1"}}, "pour": null}}"#);
    std::fs::write(repo.join("n.formula.json"), null(r#"{"id": "a"}, null"#)).expect("written");
    let said = sandbox.bd(&repo, &["formula", "convert", "./n.formula.json"]).fails();
    assert!(said.contains("n.formula.json:1:41") && said.contains("take it out of the list"), "{said}");
    std::fs::write(repo.join("j.formula.json"), null(r#"{"id": "a", "title": null}"#)).expect("written");
    sandbox.bd(&repo, &["formula", "convert", "./j.formula.json"]).ok();
    let proto = |file: &str| sandbox.bd(&repo, &["cook", file, "--json"]).json()["proto_id"].clone();
    assert_eq!(proto("./j.formula.toml"), proto("./j.formula.json"));
    let hanoi = "formula = \"h\"\n[vars]\nn = \"3\"\n[[steps]]\nid = \"m\"\n[steps.loop]\nrange = \"1..2^{n}-1\"\n[[steps.loop.body]]\nid = \"x\"\n";
    std::fs::write(repo.join("h.formula.toml"), hanoi).expect("written");
    let cooked = sandbox.bd(&repo, &["cook", "./h.formula.toml", "--var", "n=5", "--json"]).json();
    assert_eq!(cooked["steps"].as_array().map(Vec::len), Some(31));
}

#[test]
fn a_formula_with_mistakes_ends_with_code_3_and_the_excerpts() {
    let sandbox = Sandbox::new();
    let repo = sandbox.folder("repo");
    sandbox.git(&repo, &["init", "-q"]).ok();
    std::fs::create_dir_all(repo.join(".beads/formulas")).expect("a folder");
    std::fs::write(
        repo.join(".beads/formulas/mine.formula.toml"),
        "formula = \"mine\"\n[[steps]]\nid = \"a\"\nneeds = [\"b\"]\n",
    )
    .expect("written");
    let ran = sandbox.bd(&repo, &["cook", "mine"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""));
    insta::assert_snapshot!(sandbox.tidy(&ran.stderr), @r#"
    formula::unknown-need

      × step `a` names `b`, which is no step
       ╭─[$BOX/repo/.beads/formulas/mine.formula.toml:4:10]
     3 │ id = "a"
     4 │ needs = ["b"]
       ·          ─┬─
       ·           ╰── no step of that id
       ╰────
    error: `mine` cannot be cooked: 1 error
    "#);
}

/// A repository with a tracker.
/// A repository with a tracker.
pub(super) fn repo() -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::new();
    let repo = sandbox.folder("repo");
    sandbox.git(&repo, &["init", "-q"]).ok();
    sandbox.bd(&repo, &["init", "--prefix", "tt"]).ok();
    (sandbox, repo)
}

#[test]
fn a_formula_that_was_written_as_beads_is_written_anew_over_the_old_ones() {
    let (sandbox, repo) = repo();
    let file = repo.join(".beads/formulas/mine.formula.toml");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    write("formula = \"mine\"\n[[steps]]\nid = \"a\"\nlabels = [\"old\"]\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n");
    sandbox.bd(&repo, &["cook", "mine", "--persist"]).ok();
    let refused = sandbox.bd(&repo, &["cook", "mine", "--persist"]).fails();
    assert!(refused.contains("--force"), "{refused}");
    write(
        "formula = \"mine\"\n[[steps]]\nid = \"a\"\ntitle = \"A\"\nlabels = [\"new\"]\n[[steps]]\nid = \"c\"\nneeds = [\"a\"]\n",
    );
    for _ in 0..2 {
        let made = sandbox.bd(&repo, &["cook", "mine", "--persist", "--force", "--json"]).json();
        assert_eq!((&made["proto_id"], &made["created"]), (&"mine".into(), &3.into()));
    }
    let show = |id: &str| sandbox.bd(&repo, &["show", id, "--json"]).json()[0].clone();
    let (a, c) = (show("mine.a"), show("mine.c"));
    assert_eq!((&a["title"], &a["status"], &a["is_template"]), (&"A".into(), &"open".into(), &true.into()));
    assert_eq!((&a["labels"], &a["parent"]), (&serde_json::json!(["new"]), &"mine".into()));
    let needs: Vec<&str> =
        c["dependencies"].as_array().expect("edges").iter().filter_map(|d| d["id"].as_str()).collect();
    assert_eq!((c["status"].as_str(), needs), (Some("open"), vec!["mine", "mine.a"]));
    assert_eq!(show("mine.b")["status"], "tombstone", "the step is gone");
}

#[test]
fn steps_that_are_called_by_a_number_are_children_of_what_they_are_in_and_of_no_bead_before_the_dot() {
    let (sandbox, repo) = repo();
    let file = repo.join(".beads/formulas/mine.formula.toml");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    let text = "formula = \"mine\"\n[[steps]]\nid = \"draft.1\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 2\n\
        [[steps.loop.body]]\nid = \"1\"\n[[steps]]\nid = \"7\"\n";
    std::fs::write(&file, text).expect("written");
    sandbox.bd(&repo, &["cook", "mine", "--persist"]).ok();
    let parent = |id: &str| sandbox.bd(&repo, &["show", id, "--json"]).json()[0]["parent"].clone();
    for id in ["mine.draft.1", "mine.l.iter1.1", "mine.l.iter2.1", "mine.7"] {
        assert_eq!(parent(id), "mine", "{id}");
    }
    let root = sandbox.bd(&repo, &["mol", "pour", "shiny", "--var", "feature=x", "-q"]).ok();
    sandbox.bd(&repo, &["mol", "bond", &root, "mine", "--ref", "arm"]).ok();
    assert_eq!(parent(&format!("{root}.arm.draft.1")), format!("{root}.arm"));
    // Where nothing else is named, an id of that form is a child of the bead that it begins with.
    let refused = sandbox.bd(&repo, &["create", "x", "--id", "tt-none.1"]).fails();
    assert!(refused.contains("tt-none"), "{refused}");
}

#[test]
fn templates_written_anew_stay_so_in_every_clone_and_deleted_ones_stay_deleted() {
    let (sandbox, repo) = repo();
    let other = sandbox.folder("other");
    sandbox.git(&other, &["init", "-q"]).ok();
    sandbox.bd(&other, &["init", "--prefix", "tt"]).ok();
    sandbox.git(sandbox.path(), &["init", "-q", "--bare", "beads.git"]).ok();
    let url = sandbox.path().join("beads.git").display().to_string();
    let sync = || {
        for dir in [&repo, &other, &repo] {
            sandbox.bd(dir, &["sync", "--remote", &url]).ok();
        }
    };
    let file = repo.join(".beads/formulas/mine.formula.toml");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    let write = |steps: &str| std::fs::write(&file, format!("formula = \"mine\"\n{steps}")).expect("written");
    let cook = |more: &[&str]| sandbox.bd(&repo, &[&["cook", "mine", "--persist"], more].concat());
    let first = "[[steps]]\nid = \"a\"\nneeds = [\"b\"]\n[[steps]]\nid = \"b\"\n[[steps]]\nid = \"gone\"\n";
    write(first);
    cook(&[]).ok();
    sync();
    // What waited for the other is now waited for.
    write("[[steps]]\nid = \"a\"\ntitle = \"A\"\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n[[steps]]\nid = \"c\"\n");
    cook(&["--force"]).ok();
    sync();
    sandbox.bd(&other, &["label", "add", "mine.c", "seen"]).ok();
    cook(&["--force"]).ok();
    sync();
    for dir in [&repo, &other] {
        let show = |id: &str| sandbox.bd(dir, &["show", id, "--json"]).json()[0].clone();
        let status = ["mine", "mine.a", "mine.b", "mine.c", "mine.gone"].map(|id| show(id)["status"].clone());
        assert_eq!(status, ["open", "open", "open", "open", "tombstone"]);
        let needs = |id: &str| -> Vec<String> {
            let all = show(id)["dependencies"].as_array().cloned().unwrap_or_default();
            let mut ids: Vec<_> = all.iter().filter_map(|d| d["id"].as_str().map(str::to_owned)).collect();
            ids.sort();
            ids
        };
        assert_eq!((needs("mine.a"), needs("mine.b")), (vec!["mine".into()], vec!["mine".into(), "mine.a".into()]));
        assert_eq!((&show("mine.a")["title"], &show("mine.c")["labels"]), (&"A".into(), &serde_json::json!(["seen"])));
    }
    // The other clone knows the step as deleted, and would delete it again.
    write(first);
    let refused = cook(&["--force"]).fails();
    assert!(refused.contains("mine.gone was deleted") && refused.contains("--prefix"), "{refused}");
    assert_eq!(sandbox.bd(&repo, &["show", "mine.a", "--json"]).json()[0]["title"], "A", "nothing was changed");
    cook(&["--prefix", "new"]).ok();
    sandbox.bd(&other, &["delete", "mine", "--force"]).ok();
    sync();
    let refused = cook(&[]).fails();
    assert!(refused.contains("mine was deleted"), "{refused}");
}

#[test]
fn a_rehearsed_bond_changes_nothing_and_what_is_to_last_lasts_on_a_wisp_too() {
    let (sandbox, repo) = repo();
    let wisp = sandbox.bd(&repo, &["mol", "wisp", "shiny", "--json"]).json();
    let wisp = wisp["new_epic_id"].as_str().expect("id").to_owned();
    let before = sandbox.bd(&repo, &["mol", "show", &wisp, "--json"]).ok();
    let said = sandbox.bd(&repo, &["mol", "bond", &wisp, "shiny", "--dry-run"]).ok();
    assert_eq!(said, format!("would bond (sequential): {wisp}, with 5 new beads for it"));
    let count = || sandbox.bd(&repo, &["count"]).ok();
    assert_eq!((sandbox.bd(&repo, &["mol", "show", &wisp, "--json"]).ok(), count()), (before, "0".to_owned()));
    let poured = |flags: &[&str]| {
        let bonded = sandbox.bd(&repo, &[&["mol", "bond", &wisp, "shiny", "--json"], flags].concat()).json();
        let root = bonded["id_mapping"]["shiny"].as_str().expect("id").to_owned();
        sandbox.bd(&repo, &["show", &root, "--json"]).json()[0]["ephemeral"] == true
    };
    assert!(poured(&[]) && poured(&["--wisp"]), "as the wisp that it is bonded to");
    assert!(!poured(&["--pour"]));
}

#[test]
fn who_needed_a_child_of_a_group_that_is_left_out_needs_what_the_group_needed() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = cooked(
        "formula = \"f\"\n[vars]\ngo = \"\"\n[[steps]]\nid = \"a\"\n[[steps]]\nid = \"g\"\nneeds = [\"a\"]\n\
         condition = \"{{go}}\"\n[[steps.children]]\nid = \"c\"\n[[steps.children]]\nid = \"d\"\nneeds = [\"c\"]\n\
         [[steps]]\nid = \"z\"\nneeds = [\"d\"]\n",
    )
    .expect("cooks");
    let made = poured(&mut store, &proto, &Vars::new(), &PourOpts::default());
    assert_eq!(made.skipped, ["g", "c", "d"]);
    let (a, z) = (&made.steps[0].1, &made.steps[1].1);
    let blockers = store.read::<_, MoleculeError>(|r| Ok(r.blockers(z)?)).expect("reads");
    assert_eq!(blockers, [a.clone()]);
}

#[test]
fn a_template_says_all_that_its_formula_does_and_is_poured_by_its_id() {
    let (sandbox, repo) = repo();
    let text = "formula = \"mine\"\n[vars.title]\nrequired = true\n[vars]\nx = \"1\"\n[[steps]]\nid = \"a\"\nnotes = \"n {{x}}\"\n\
        acceptance = \"ok {{x}}\"\nassignee = \"ann\"\ngate = { type = \"mail\", id = \"m-{{x}}\" }\n[[steps]]\nid = \"b\"\n\
        needs = [\"a\"]\nwaits_for = \"any-children\"\n";
    std::fs::create_dir_all(repo.join(".beads/formulas")).expect("a folder");
    std::fs::write(repo.join(".beads/formulas/mine.formula.toml"), text).expect("written");
    for more in [&[][..], &["--force"]] {
        let made =
            sandbox.bd(&repo, &[&["cook", "mine", "--persist", "--prefix", "new", "--json"], more].concat()).json();
        assert_eq!((&made["proto_id"], &made["created"]), (&"new-mine".into(), &4.into()), "{made}");
    }
    let show = |id: &str| sandbox.bd(&repo, &["show", id, "--json"]).json()[0].clone();
    let (root, a, gate) = (show("new-mine"), show("new-mine.a"), show("new-mine.gate-a"));
    let texts = |bead: &Value, keys: &[&str]| {
        keys.iter().map(|k| bead[*k].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(root["title"], "{{title}}");
    assert_eq!(texts(&a, &["notes", "acceptance_criteria", "assignee"]), ["n {{x}}", "ok {{x}}", "ann"]);
    assert_eq!(texts(&gate, &["issue_type", "await_type", "await_id"]), ["gate", "mail", "m-{{x}}"]);
    let kinds = |bead: &Value| {
        let deps = bead["dependencies"].as_array().expect("edges").iter();
        let mut kinds: Vec<String> = deps.map(|d| format!("{} {}", d["dependency_type"], d["id"])).collect();
        kinds.sort();
        kinds.join(", ").replace('"', "")
    };
    assert_eq!(kinds(&a), "blocks new-mine.gate-a, parent-child new-mine");
    assert_eq!(kinds(&show("new-mine.b")), "blocks new-mine.a, parent-child new-mine, waits-for new-mine.a");
    assert_eq!(sandbox.bd(&repo, &["gate", "list", "--json"]).json(), serde_json::json!([]), "a template holds nobody");
    std::fs::remove_file(repo.join(".beads/formulas/mine.formula.toml")).expect("removed");
    let poured = sandbox.bd(&repo, &["mol", "pour", "new-mine", "--var", "title=Mine", "--json"]).json();
    assert_eq!(show(poured["new_epic_id"].as_str().expect("an id"))["title"], "Mine");
}

#[test]
fn the_gate_of_a_step_gives_way_to_a_step_of_its_name() {
    let (sandbox, repo) = repo();
    let text = "formula = \"tt-f\"\n[[steps]]\nid = \"gate-b\"\n[[steps]]\nid = \"b\"\nneeds = [\"gate-b\"]\n\
        gate = { type = \"human\" }\n";
    std::fs::write(repo.join("f.formula.toml"), text).expect("written");
    sandbox.bd(&repo, &["cook", "./f.formula.toml", "--persist"]).ok();
    let kind = |id: &str| sandbox.bd(&repo, &["show", id, "--json"]).json()[0]["issue_type"].clone();
    assert_eq!((kind("tt-f.gate-b"), kind("tt-f.gate-b-2")), (Value::from("task"), Value::from("gate")));
    let poured = sandbox.bd(&repo, &["mol", "pour", "./f.formula.toml", "--json"]).json();
    assert_eq!(poured["created"], 4);
    let mapped = poured["id_mapping"].as_object().expect("ids").values().collect::<std::collections::HashSet<_>>();
    assert_eq!(mapped.len(), 4, "{poured}");
}

#[test]
fn a_second_gate_gives_way_to_the_first_gate_of_another_step() {
    let (sandbox, repo) = repo();
    let text = "formula = \"tt-f\"\n[[steps]]\nid = \"a\"\n[[steps]]\nid = \"b\"\ngate = { type = \"human\" }\n\
        [[steps]]\nid = \"b-2\"\ngate = { type = \"human\" }\n\
        [[compose.gate]]\nbefore = \"b\"\ncondition = \"a.status == 'complete'\"\n";
    std::fs::write(repo.join("f.formula.toml"), text).expect("written");
    sandbox.bd(&repo, &["cook", "./f.formula.toml", "--persist"]).ok();
    let holds = |id: &str| sandbox.bd(&repo, &["show", id, "--json"]).json()[0]["metadata"]["gate_of"].clone();
    for (gate, step) in [("gate-b", "b"), ("gate-b-2", "b-2"), ("gate-b-3", "b")] {
        assert_eq!(holds(&format!("tt-f.{gate}")), step, "{gate}");
    }
}

#[test]
fn what_would_be_a_part_of_a_molecule_and_wait_for_it_is_refused() {
    let (sandbox, repo) = repo();
    let pour = || sandbox.bd(&repo, &["mol", "pour", "shiny", "--var", "feature=x", "-q"]).ok().trim().to_owned();
    let (a, b) = (pour(), pour());
    sandbox.bd(&repo, &["mol", "bond", &a, &b]).ok();
    let told = sandbox.bd(&repo, &["mol", "bond", &a, &b, "--type", "parallel"]).fails();
    assert!(told.contains("neither would end") && told.contains(&format!("bd dep remove {b} {a}")), "{told}");
    sandbox.bd(&repo, &["dep", "remove", &b, &a]).ok();
    sandbox.bd(&repo, &["mol", "bond", &a, &b, "--type", "parallel"]).ok();
}

#[test]
fn what_a_step_bonds_goes_with_its_molecule_to_where_nothing_was_cooked() {
    let (sandbox, repo) = repo();
    let files = [
        (
            "many",
            "formula = \"many\"\n[[steps]]\nid = \"s\"\n[steps.on_complete]\nfor_each = \"output.l\"\nbond = \"one\"\nvars = { p = \"{item}\" }\n",
        ),
        ("one", "formula = \"one\"\nvars.p = { required = true }\n[[steps]]\nid = \"t\"\ntitle = \"for {{p}}\"\n"),
    ];
    std::fs::create_dir_all(repo.join(".beads/formulas")).expect("a folder");
    for (name, text) in files {
        std::fs::write(repo.join(format!(".beads/formulas/{name}.formula.toml")), text).expect("written");
    }
    let root = sandbox.bd(&repo, &["mol", "pour", "many", "-q"]).ok().trim().to_owned();
    let proto = sandbox.bd(&repo, &["show", &root, "--json"]).json()[0]["metadata"]["proto"].clone();
    sandbox.bd(&repo, &["restore", "--force"]).ok();
    let told = sandbox.bd(&repo, &["mol", "pour", proto.as_str().expect("an id")]).fails();
    assert!(told.contains("is kept here") && told.contains("`bd cook`"), "{told}");
    let step = format!("{root}.1");
    sandbox.bd(&repo, &["update", &step, "--meta", "output={\"l\":[\"x\",\"y\"]}"]).ok();
    let closed = sandbox.bd(&repo, &["close", &step]);
    assert!(!closed.stderr.contains("not all"), "{}", closed.stderr);
    let titles = |words: &str| sandbox.bd(&repo, &["search", words, "--json"]).json()[0]["title"].clone();
    assert_eq!((titles("for x"), titles("for y")), (Value::from("for x"), Value::from("for y")));
}

#[test]
fn the_help_of_a_bond_shows_a_variable_as_it_is_written() {
    let sandbox = Sandbox::new();
    let said = sandbox.bd(&sandbox.folder("repo"), &["mol", "bond", "--help"]).ok();
    assert!(said.contains("arm-{{who}}"), "{said}");
}
