//! What screens show of a town in which something is wrong, or nobody works.

use gastown::base::{BeadId, Clock as _, SystemClock};
use gastown::store::Stamp;

use super::{TestTown, hints, write};

#[test]
fn one_wrong_word_in_a_file_of_configuration_hides_nothing_that_does_not_hang_on_it() {
    let town = TestTown::new();
    let (bead, other) = (town.bead("x"), town.bead("y"));
    town.sling(&bead);
    town.sling(&other);
    town.commit("nux", "new.txt", "x\n");
    let (mr, _) = town.hand_in("nux");
    town.fail(&mr);
    for file in ["app/rig.toml", "town.toml"] {
        let path = town.root.join(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        write(&path, &format!("lnading = \"hold\"\n{text}"));
        let said = town.gt(&["status"]).ok();
        for told in ["its configuration cannot be used", "toast     working", &bead, "gate test: exit code 1"] {
            assert!(said.contains(told), "{file}, {told}: {said}");
        }
        assert!(said.contains(&format!("{}:1:1: unknown key `lnading`", path.display())), "{file}: {said}");
        assert!(said.contains("did you mean `landing`?"), "{file}: {said}");
        let json = town.gt(&["status", "--json"]).json();
        assert_eq!(json["rigs"][0]["agents"].as_array().map(Vec::len), Some(2), "{file}: {json}");
        assert!(json["rigs"][0]["landing"].is_null() && json["broken"][0] == "app", "{file}: {json}");
        write(&path, &text);
    }
    assert!(town.gt(&["status"]).ok().contains("landing hold"));
}

#[test]
fn a_key_that_belongs_elsewhere_now_is_told_with_its_place() {
    let town = TestTown::new();
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    write(&path, &format!("restarts = 3\n{text}"));
    let said = town.gt(&["status"]).ok();
    assert!(said.contains("it is set as `restarts` under [roles.witness]"), "{said}");
    let error = town.gt(&["start"]).fails();
    assert!(hints(&error)[0].contains("[roles.witness]"), "{error}");
}

#[test]
fn a_convoy_says_of_whoever_does_not_work_that_they_do_not() {
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let shown = || town.gt(&["convoy", "status"]).ok();
    let tracked = || town.gt(&["convoy", "status", "--json"]).json()["tracked"][0].clone();
    assert!(shown().contains("▶") && shown().contains("@toast") && !shown().contains("working"), "{}", shown());
    assert_eq!((&tracked()["worker_state"], &tracked()["worked_on"]), (&"working".into(), &true.into()));
    assert!(town.gt(&["convoy", "list"]).ok().contains("1 worker"));
    town.gt(&["shutdown"]).ok();
    assert!(shown().contains("○") && shown().contains("@toast stopped, "), "{}", shown());
    assert_eq!((&tracked()["worker_state"], &tracked()["worked_on"]), (&"stopped".into(), &false.into()));
    assert!(town.gt(&["convoy", "list"]).ok().contains("0 workers"));
}

#[test]
fn who_gives_work_is_offered_none_that_waits_for_a_person() {
    let town = TestTown::new();
    let (free, stuck, held) = (town.bead("free"), town.bead("stuck"), town.bead("held"));
    let id = BeadId::new(stuck.as_str()).expect("an id");
    let by = Stamp::new("test", SystemClock.now());
    town.store().write(&by, |w| gastown::town::budget::quarantine(w, &id, "it died again")).expect("written");
    town.sling(&held);
    town.gt(&["unsling", &held]).ok();
    let prime = town.gt(&["prime", "--text"]).ok();
    assert!(prime.contains(&format!("  {free} free")), "{prime}");
    assert!(!prime.contains(&stuck) && !prime.contains(&held), "{prime}");
    let ready = town.gt(&["prime", "--json"]).json()["ready"].clone();
    assert_eq!(ready, serde_json::json!([{ "id": free, "title": "free" }]));
    // The tracker lists what is open, and says what is labelled.
    let line = town.bd(&["ready"]).ok();
    let line = line.lines().find(|line| line.contains(&stuck)).expect("listed");
    assert!(line.contains("[quarantine]"), "{line}");
}

#[test]
fn convoys_are_found_and_filled_without_guessing() {
    let town = TestTown::new();
    let made = town.gt(&["convoy", "create", "Log In"]).ok();
    let id = town.gt(&["convoy", "list", "--json"]).json()[0]["id"].as_str().expect("an id").to_owned();
    assert!(made.contains(&format!("gt convoy add {id} BEAD…")), "{made}");
    assert!(town.gt(&["convoy", "status", "log in"]).ok().contains(&id));
    let other = town.gt(&["convoy", "create", "log in", "--json"]).json()["id"].as_str().expect("an id").to_owned();
    assert!(town.gt(&["convoy", "status", "log in"]).ok().contains(&other), "the exact title comes first");
    assert!(town.gt(&["convoy", "status", "LOG IN"]).fails().contains("2 convoys are called"));
}

#[test]
fn a_town_comes_and_goes_without_a_word_when_none_is_wanted() {
    let town = TestTown::new();
    for verb in ["start", "shutdown"] {
        let ran = town.gt(&[verb, "-q"]);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{verb}");
        ran.ok();
    }
    let said = town.gt(&["queue", "retry", "-r", "app"]).ok();
    assert!(said.starts_with("app  0 merge requests"), "{said}");
    assert!(town.gt(&["queue", "retry", "-r", "apq"]).fails().contains("no rig `apq`"));
}
