//! Pouring large molecules: the same beads as small ones, all at once or not at all, and never in anybody's way.

use std::fmt::Write as _;
use std::path::Path;

use gastown::base::{BeadId, Prefix, Time};
use gastown::formula::{Proto, Vars};
use gastown::molecule::{self, Bond, BondType, MoleculeError, Partner, PourOpts};
use gastown::store::{Filter, NewBead, Read, Sort, Stamp, Store, StoreError};
use serde_json::Value;

use super::{cooked, vars};
use crate::support::eventually;

pub(super) fn stamp(ms: i64) -> Stamp {
    Stamp::new("tester", Time::from_millis(1_700_000_000_000 + ms))
}

pub(super) fn store(dir: &Path) -> Store {
    Store::create(&dir.join(".beads"), &Prefix::new("tt").expect("a prefix"), stamp(0).now).expect("a store")
}

/// Of everything a formula can say: groups, gates, waiting for children, conditions, labels, edges to later steps.
fn everything() -> Proto {
    cooked(EVERYTHING).expect("cooks")
}

const EVERYTHING: &str = r#"formula = "f"
        [vars]
        docs = "no"
        [[steps]]
        id = "late"
        needs = ["l"]
        waits_for = "children-of(group)"
        [[steps]]
        id = "group"
        labels = ["b", "a"]
        metadata = { team = "core" }
        [[steps.children]]
        id = "one"
        priority = 0
        [[steps.children]]
        id = "two"
        needs = ["one"]
        [steps.children.gate]
        type = "timer"
        timeout = "1h"
        [[steps.children.children]]
        id = "deep"
        [[steps]]
        id = "docs"
        condition = "{{docs}}"
        needs = ["group"]
        [[steps]]
        id = "any"
        needs = ["docs"]
        waits_for = "any-children"
        [[steps]]
        id = "l"
        assignee = "{{who}}"
        [steps.loop]
        count = 250
        [[steps.loop.body]]
        id = "x"
        title = "for {{who}}""#;

/// Two of them as one, without the deepest step: ids have no more levels.
fn twice() -> Proto {
    let part = |name: &str| {
        let text = EVERYTHING.replace("[[steps.children.children]]\n        id = \"deep\"\n", "");
        cooked(&text.replace("\"f\"", &format!("\"{name}\""))).expect("cooks")
    };
    Proto::compound("both".to_owned(), "conditional", part("one"), part("two"))
}

/// All beads of the molecule with what holds them, the root's id taken out.
fn picture(r: &Read<'_>, root: &BeadId) -> Result<String, MoleculeError> {
    let mut out = String::new();
    let below = r.find(&Filter { under: Some(root.clone()), sort: Sort::Id, ..Filter::default() })?;
    for bead in below.iter().chain(&[r.need(root)?]) {
        let mut deps: Vec<String> =
            r.deps(&bead.id)?.iter().map(|d| format!("{} {} {}", d.kind, d.depends_on_id, d.metadata)).collect();
        deps.sort();
        let count = r.epic_count(&bead.id)?;
        let json = serde_json::to_string(bead).expect("serialises");
        let held = (r.blockers(&bead.id)?, r.is_blocked(&bead.id)?);
        let _ = writeln!(out, "{json} {deps:?} {held:?} {}/{}", count.closed, count.total);
    }
    // The ledger's files too, the last of each bead; the clock's values are not the same in both.
    let mut docs: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
    let own = |id: &BeadId| id == root || id.as_str().starts_with(&format!("{root}."));
    for row in r.outbox(0, usize::MAX >> 1)?.into_iter().filter(|row| own(&row.bead)) {
        docs.insert(row.bead.to_string(), serde_json::from_str(&row.doc).expect("JSON"));
    }
    let stamps = regex::Regex::new("[0-9a-f]{16}-[0-9a-z]+").expect("a pattern");
    for (bead, doc) in docs {
        let _ = writeln!(out, "{bead} {}", stamps.replace_all(&doc.to_string(), "CLOCK"));
    }
    Ok(out.replace(root.as_str(), "ROOT"))
}

#[test]
fn a_large_molecule_has_the_same_beads_as_one_that_is_poured_step_by_step() {
    let (a, b) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (mut small, mut large) = (store(a.path()), store(b.path()));
    let (whole, both, given) = (everything(), twice(), vars(&[("who", "ada")]));
    let named = Some(BeadId::new("tt-mine").expect("an id"));
    for (proto, ephemeral, id) in [
        (&whole, false, None),
        (&whole, true, None),
        (&whole, false, named.clone()),
        (&both, false, None),
        (&both, true, None),
        (&both, false, Some(BeadId::new("tt-our").expect("an id"))),
    ] {
        let opts = PourOpts { ephemeral, id, assignee: Some("nux".into()), ..PourOpts::default() };
        let one = small.write(&stamp(1), |w| molecule::pour(w, proto, &given, &opts)).expect("pours");
        let other = molecule::pour_large(&mut large, &stamp(1), proto, &given, &opts).expect("pours");
        assert_eq!((one.steps.len(), one.work, &one.skipped), (other.steps.len(), other.work, &other.skipped));
        let same = |p: &molecule::Poured| {
            p.steps.iter().map(|(s, b)| format!("{s} {b}").replace(p.root.as_str(), "ROOT")).collect::<Vec<_>>()
        };
        assert_eq!(same(&one), same(&other));
        let (one, other) = (
            small.read(|r| picture(r, &one.root)).expect("reads"),
            large.read(|r| picture(r, &other.root)).expect("reads"),
        );
        for (one, other) in one.lines().zip(other.lines()) {
            assert_eq!(one, other);
        }
        assert_eq!(one.lines().count(), other.lines().count());
    }
    assert_eq!(large.check().expect("checks"), Vec::<String>::new());
}

#[test]
fn what_is_large_is_bonded_as_what_is_poured_step_by_step() {
    let (a, b) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (mut small, mut large) = (store(a.path()), store(b.path()));
    let live = cooked(
        "formula = \"live\"\n[[steps]]\nid = \"a\"\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\n\
         [[compose.bond_points]]\nid = \"between\"\nafter_step = \"a\"\n",
    );
    let (live, proto, given) = (live.expect("cooks"), everything(), vars(&[("who", "ada")]));
    let seen = |w: &mut gastown::store::Write<'_>| molecule::pour(w, &live, &Vars::new(), &PourOpts::default());
    for (how, point, id) in [
        (BondType::Sequential, None, None),
        (BondType::Conditional, None, Some("arm")),
        (BondType::Sequential, Some("between"), None),
    ] {
        let to = [&mut small, &mut large].map(|store| store.write(&stamp(1), seen).expect("pours").root);
        let opts = |root: &BeadId| {
            let id = id.map(|name| BeadId::new(format!("{root}.{name}")).expect("an id"));
            PourOpts { id, ..PourOpts::default() }
        };
        let bond = Bond { how, point, ephemeral: None, title: None };
        let [onto, other] = [0, 1].map(|i| Partner::Molecule(to[i].clone()));
        let what = Partner::Proto(&proto);
        let one =
            small.write(&stamp(2), |w| molecule::bond(w, &onto, &what, &given, &opts(&to[0]), bond)).expect("bonds");
        let two = molecule::bond_large(&mut large, &stamp(2), (&other, &what), &given, &opts(&to[1]), bond);
        let two = two.expect("bonds");
        assert_eq!((one.spawned, one.result_type, one.bond_type), (two.spawned, two.result_type, two.bond_type));
        let root =
            |bonded: &molecule::Bonded| BeadId::new(bonded.id_mapping["f"].as_str().expect("an id")).expect("an id");
        let (one, two) = (root(&one), root(&two));
        assert_eq!(
            small.read(|r| picture(r, &one)).expect("reads"),
            large.read(|r| picture(r, &two)).expect("reads").replace(to[1].as_str(), to[0].as_str())
        );
    }
    assert_eq!(large.check().expect("checks"), Vec::<String>::new());
    // An id that somebody has is theirs.
    let root = large.write(&stamp(3), seen).expect("pours").root;
    let taken = BeadId::new(format!("{root}.arm.l.iter5.x")).expect("an id");
    let new = NewBead { id: Some(taken.clone()), ..NewBead::titled("mine") };
    large.write::<_, MoleculeError>(&stamp(3), |w| Ok(w.create(new)?)).expect("filed");
    let opts = PourOpts { id: Some(BeadId::new(format!("{root}.arm")).expect("an id")), ..PourOpts::default() };
    let bond = Bond { how: BondType::Sequential, point: None, ephemeral: None, title: None };
    let told = molecule::bond_large(
        &mut large,
        &stamp(4),
        (&Partner::Molecule(root), &Partner::Proto(&proto)),
        &given,
        &opts,
        bond,
    );
    assert!(matches!(&told, Err(MoleculeError::Store(StoreError::Exists(id))) if *id == taken), "{told:?}");
    // What does not fit is told, and nothing of it stays.
    let before = large.read(|r| r.count(&Filter::default())).expect("reads");
    let root = large.write(&stamp(3), seen).expect("pours").root;
    let bond = Bond { how: BondType::Sequential, point: Some("nowhere"), ephemeral: None, title: None };
    let sides = (&Partner::Molecule(root), &Partner::Proto(&proto));
    let told = molecule::bond_large(&mut large, &stamp(4), sides, &given, &PourOpts::default(), bond);
    assert!(matches!(told, Err(MoleculeError::UnknownBondPoint { .. })), "{told:?}");
    assert_eq!(large.read(|r| r.count(&Filter::default())).expect("reads"), before + 3);
}

#[test]
fn a_large_molecule_hangs_below_the_bead_that_it_is_to_be_a_child_of() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let epic = gastown::store::NewBead {
        issue_type: Some(gastown::store::IssueType::EPIC),
        ..gastown::store::NewBead::titled("all")
    };
    let epic = store.write::<_, MoleculeError>(&stamp(1), |w| Ok(w.create(epic)?)).expect("filed").id;
    let opts = PourOpts { parent: Some(epic.clone()), ..PourOpts::default() };
    let made =
        molecule::pour_large(&mut store, &stamp(2), &everything(), &vars(&[("who", "x")]), &opts).expect("pours");
    assert_eq!(made.root.parent().as_ref(), Some(&epic));
    let count = store.read::<_, MoleculeError>(|r| Ok(r.epic_count(&epic)?)).expect("reads");
    assert_eq!((count.total, count.closed), (1, 0));
}

/// How much is written in the database and its log, in bytes.
fn size(beads: &Path) -> u64 {
    ["beads.db", "beads.db-wal"].iter().filter_map(|f| std::fs::metadata(beads.join(f)).ok()).map(|m| m.len()).sum()
}

#[test]
fn a_pour_that_is_killed_leaves_nothing_that_anybody_sees() {
    let (sandbox, repo) = super::molecules::repo();
    let text =
        "formula = \"big\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 100000\n[[steps.loop.body]]\nid = \"x\"\n";
    let beads = repo.join(".beads");
    std::fs::create_dir_all(beads.join("formulas")).expect("folder");
    std::fs::write(beads.join("formulas/big.formula.toml"), text).expect("written");
    let store = Store::open(&beads).expect("opens");
    let far = Time::from_millis(32_000_000_000_000);
    let staged = |store: &Store| store.read::<_, MoleculeError>(|r| Ok(r.staged_before(far)?)).expect("reads").len();
    let size = || size(&beads);
    let kill_in_the_middle = |grown: u64| {
        let before = size();
        let mut child = sandbox
            .command(env!("CARGO_BIN_EXE_bd"), &repo)
            .args(["mol", "pour", "big", "-q"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        eventually("the pour to be in the middle", || (staged(&store) == 1 && size() >= before + grown).then_some(()));
        // What is being staged is nobody's to drop.
        sandbox.bd(&repo, &["config", "set", "status.custom", "waiting"]).ok();
        assert_eq!((staged(&store), store.left("pour").expect("reads").len()), (1, 0));
        child.kill().expect("killed");
        let _ = child.wait().expect("ended");
        assert_eq!(store.read::<_, MoleculeError>(|r| Ok(r.count(&Filter::default())?)).expect("reads"), 0);
        assert_eq!((staged(&store), store.left("pour").expect("reads").len()), (1, 1));
    };
    kill_in_the_middle(0);
    assert_eq!(sandbox.bd(&repo, &["list", "--all", "--json"]).ok(), "[]");
    assert_eq!(sandbox.bd(&repo, &["ready", "--json"]).ok(), "[]");
    let doctor = sandbox.bd(&repo, &["doctor"]);
    assert!(doctor.stdout.contains("1 unseen batch of bulk work that did not end"), "{}", doctor.stdout);
    // Whatever is written next drops what was left, a part each time.
    eventually("what was left to be dropped", || {
        sandbox.bd(&repo, &["config", "set", "status.custom", "waiting"]).ok();
        (staged(&store) == 0).then_some(())
    });
    kill_in_the_middle(1 << 20);
    sandbox.bd(&repo, &["doctor", "--fix"]).ok();
    assert_eq!(staged(&store), 0);
    kill_in_the_middle(1 << 20);
    // So does the next large pour, at once.
    let few = cooked(&text.replace("100000", "300")).expect("cooks");
    molecule::pour_large(&mut Store::open(&beads).expect("opens"), &stamp(1), &few, &Vars::new(), &PourOpts::default())
        .expect("pours");
    assert_eq!(staged(&store), 0);
    assert_eq!(store.read::<_, MoleculeError>(|r| Ok(r.count(&Filter::default())?)).expect("reads"), 301);
    assert_eq!(store.check().expect("checks"), Vec::<String>::new());
}

#[test]
fn what_is_bonded_is_free_when_what_it_waits_for_is_closed_while_it_is_poured() {
    let (sandbox, repo) = super::molecules::repo();
    let text =
        "formula = \"big\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 10000\n[[steps.loop.body]]\nid = \"x\"\n";
    std::fs::create_dir_all(repo.join(".beads/formulas")).expect("a folder");
    std::fs::write(repo.join(".beads/formulas/big.formula.toml"), text).expect("written");
    let live = sandbox.bd(&repo, &["mol", "pour", "shiny", "--var", "feature=x", "-q"]).ok();
    let live = BeadId::new(live.trim()).expect("an id");
    let store = Store::open(&repo.join(".beads")).expect("opens");
    let far = Time::from_millis(32_000_000_000_000);
    let staged = |store: &Store| store.read::<_, MoleculeError>(|r| Ok(r.staged_before(far)?)).expect("reads").len();
    let before = size(&repo.join(".beads"));
    let mut child = sandbox
        .command(env!("CARGO_BIN_EXE_bd"), &repo)
        .args(["mol", "bond", live.as_str(), "big", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    eventually("the bond to be in the middle", || {
        let some = staged(&store) == 1 && size(&repo.join(".beads")) > before + (1 << 19);
        (some || child.try_wait().expect("asked").is_some()).then_some(())
    });
    let closed = sandbox.bd(&repo, &["close", live.as_str(), "--force", "--json"]).json();
    assert_eq!(closed[0]["id"], live.as_str(), "what nobody sees yet is not told: {closed}");
    let out = child.wait_with_output().expect("ended");
    let bonded: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let root = BeadId::new(bonded["id_mapping"]["big"].as_str().expect("an id")).expect("an id");
    let held = |id: &BeadId| store.read::<_, MoleculeError>(|r| Ok(r.held_by(id)?)).expect("reads");
    assert_eq!(held(&root), []);
    let steps = store.read(|r| molecule::steps(r, &root)).expect("reads");
    assert_eq!(steps.len(), 10_000);
    assert_eq!(steps.iter().filter(|step| held(&step.id).contains(&root)).count(), 0);
    assert_eq!(steps.iter().filter(|step| held(&step.id).is_empty()).count(), 1, "the first one");
}

#[test]
fn protos_are_kept_small() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let proto = everything();
    assert!(store.write(&stamp(1), |w| molecule::freeze(w, &proto)).expect("kept"));
    let kept = store.read::<_, MoleculeError>(|r| Ok(r.proto(&proto.id)?)).expect("reads").expect("there");
    let plain = serde_json::to_vec(&proto).expect("serialises").len();
    assert!(kept.len() * 8 < plain, "{} of {plain}", kept.len());
    assert_eq!(store.read(|r| molecule::thaw(r, &proto.id)).expect("reads"), Some(proto.clone()));
    let listed = store.read::<_, MoleculeError>(|r| Ok(molecule::protos(r)?)).expect("reads");
    assert_eq!(listed, [(proto.id, "f".to_owned())]);
}

#[test]
fn what_the_ledger_has_of_a_large_molecule_goes_out_of_the_outbox_part_by_part() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    molecule::pour_large(&mut store, &stamp(1), &everything(), &vars(&[("who", "x")]), &PourOpts::default())
        .expect("pours");
    let waiting = |store: &Store| store.read::<_, MoleculeError>(|r| Ok(r.outbox(0, usize::MAX >> 1)?)).expect("reads");
    let all = waiting(&store);
    assert!(all.is_sorted_by_key(|row| row.seq) && all.len() > 250, "{}", all.len());
    let backlog = |store: &Store| store.read::<_, MoleculeError>(|r| Ok(r.outbox_backlog()?)).expect("reads").0;
    assert_eq!(backlog(&store), all.len());
    let some = store.read::<_, MoleculeError>(|r| Ok(r.outbox(all[9].seq, 130)?)).expect("reads");
    assert_eq!(some, all[10..140]);
    // Across the ends of packs, and in the middle of one.
    for upto in [1, 37, 150, 151, all.len()] {
        let seqs: Vec<i64> =
            waiting(&store).iter().map(|row| row.seq).filter(|seq| *seq <= all[upto - 1].seq).collect();
        store.write::<_, MoleculeError>(&stamp(2), |w| Ok(w.ack_outbox_rows(&seqs)?)).expect("acknowledged");
        assert_eq!(waiting(&store), all[upto..], "after {upto}");
        assert_eq!(backlog(&store), all.len() - upto);
    }
}

#[test]
fn groups_may_be_nested_as_deep_as_the_language_lets_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let mut text = "formula = \"deep\"\n[[steps]]\nid = \"s0\"\n".to_owned();
    for level in 1..12 {
        let _ = writeln!(text, "[[steps{}]]\nid = \"s{level}\"\ntitle = \"same\"", ".children".repeat(level));
    }
    for ephemeral in [false, true] {
        let opts = PourOpts { ephemeral, ..PourOpts::default() };
        let proto = cooked(&text).expect("cooks");
        let made = store
            .write::<_, MoleculeError>(&stamp(1), |w| molecule::pour(w, &proto, &Vars::new(), &opts))
            .expect("pours");
        assert_eq!(made.steps.len(), 12);
        let under = Filter { under: Some(made.root.clone()), ..Filter::default() };
        assert_eq!(store.read::<_, MoleculeError>(|r| Ok(r.count(&under)?)).expect("reads"), 12);
        let deepest = &made.steps[11].1;
        let root = store.read(|r| molecule::root_of(r, deepest)).expect("reads").expect("a root");
        assert_eq!(root.id, made.root);
        // Closing the only step closes all the groups around it.
        let came = store
            .write(&stamp(2), |w| {
                molecule::close_step(
                    w,
                    &made.root,
                    deepest,
                    gastown::store::Close::default(),
                    molecule::Advance::default(),
                )
            })
            .expect("closes");
        assert!(came.complete && came.closed.len() == 12, "{}", came.closed.len());
    }
}

#[test]
fn a_large_molecule_may_be_a_part_of_one_transaction_with_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    for keep in [false, true] {
        store.begin_group().expect("begins");
        molecule::pour_large(&mut store, &stamp(1), &everything(), &vars(&[("who", "x")]), &PourOpts::default())
            .expect("pours");
        store.end_group(keep).expect("ends");
        let count = store.read::<_, MoleculeError>(|r| Ok(r.count(&Filter::default())?)).expect("reads");
        assert_eq!(count > 250, keep, "{count}");
    }
    assert_eq!(store.check().expect("checks"), Vec::<String>::new());
}

#[test]
fn one_bead_gets_one_molecule_also_while_a_large_one_is_poured_for_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let bead =
        store.write::<_, MoleculeError>(&stamp(1), |w| Ok(w.create(NewBead::titled("work"))?)).expect("filed").id;
    let text = "formula = \"f\"\n[[steps]]\nid = \"l\"\n[steps.loop]\ncount = 10000\n[[steps.loop.body]]\nid = \"x\"\n";
    let (large, small) = (cooked(text).expect("cooks"), cooked(&text.replace("5000", "2")).expect("cooks"));
    let opts = PourOpts { for_bead: Some(bead.clone()), ..PourOpts::default() };
    let (first, second) = std::thread::scope(|scope| {
        let between = scope.spawn(|| {
            let mut other = Store::open(&dir.path().join(".beads")).expect("opens");
            let begun = || other.read::<_, StoreError>(|r| r.has_batches()).expect("reads").then_some(());
            crate::support::eventually("the large one is begun", begun);
            molecule::pour_large(&mut other, &stamp(3), &small, &Vars::new(), &opts).map(|poured| poured.root)
        });
        let first = molecule::pour_large(&mut store, &stamp(2), &large, &Vars::new(), &opts).map(|poured| poured.root);
        (first, between.join().expect("pours"))
    });
    let has =
        store.read::<_, StoreError>(|r| Ok(r.need(&bead)?.meta_str("molecule").map(str::to_owned))).expect("reads");
    let (one, other) = if first.is_ok() { (first, second) } else { (second, first) };
    assert_eq!(one.expect("one of them").to_string(), has.expect("a molecule"));
    assert!(matches!(other, Err(MoleculeError::HasMolecule { .. })), "{other:?}");
    let roots = Filter { types: vec![gastown::store::IssueType::MOLECULE], ..Filter::default() };
    assert_eq!(store.read::<_, StoreError>(|r| r.count(&roots)).expect("reads"), 1, "nothing is left of the other");
}

#[test]
fn a_label_that_comes_to_nothing_is_left_out() {
    let toml = r#"formula = "f"
        [vars]
        team = ""
        [[steps]]
        id = "a"
        labels = ["{{team}}", "x", " {{team}} "]"#;
    let proto = cooked(toml).expect("cooks");
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = store(dir.path());
    let made = store
        .write::<_, MoleculeError>(&stamp(1), |w| molecule::pour(w, &proto, &Vars::new(), &PourOpts::default()))
        .expect("pours");
    let under = Filter { under: Some(made.root.clone()), ..Filter::default() };
    let beads = store.read::<_, MoleculeError>(|r| Ok(r.find(&under)?)).expect("reads");
    assert_eq!(beads.last().map(|bead| bead.labels.clone()), Some(vec!["x".to_owned()]));
}
