//! Patrols in a real town: the daemon does them when they are due, and leaves a digest or nothing.

use std::time::Duration;

use gastown::base::{Clock as _, SystemClock};
use gastown::daemon::client;
use serde_json::Value;

use super::daemon::Hall;
use super::support::eventually;

const GARDENER: &str = "local gardener = gt.role(\"gardener\", { api = 1, scope = \"rig\", doc = \"Tends\" })\n";

fn hall() -> Hall {
    Hall::new("command = [\"true\"]")
}

/// The row of a patrol in `gt patrol list`.
fn row(hall: &Hall, name: &str) -> Option<Value> {
    let rows: Value = serde_json::from_str(&hall.gt(&["patrol", "list", "--json"])).expect("JSON");
    rows.as_array()?.iter().find(|row| row["name"] == name).cloned()
}

fn cycles(hall: &Hall, name: &str) -> u64 {
    row(hall, name).and_then(|row| row["cycles"].as_u64()).unwrap_or(0)
}

/// Starts the town, and lets something happen in it once the daemon knows of the patrol.
fn begin(hall: &Hall, name: &str) {
    hall.gt(&["start"]);
    eventually("the patrol", || row(hall, name));
    hall.sandbox.bd(&hall.town(), &["create", "something", "--prefix", "app"]).ok();
}

fn show(hall: &Hall, id: &str) -> Value {
    let shown: Value = hall.sandbox.bd(&hall.town(), &["show", id, "--json"]).json();
    shown.as_array().and_then(|all| all.first()).cloned().unwrap_or(shown)
}

/// Until the daemon has nothing to do for a while: the shipped patrols come in an hour at the earliest.
fn quiet(hall: &Hall) {
    eventually("a daemon that waits", || {
        let answer = client::ask(&hall.town(), &client::Request::Status, Duration::from_secs(10)).ok()?;
        let client::Reply::Status(status) = answer else { return None };
        let soon = SystemClock.now().plus_millis(600_000);
        (status.passes > 0 && status.next.is_none_or(|next| next > soon)).then_some(())
    });
}

#[test]
fn a_patrol_in_lua_leaves_a_digest_when_it_acts_and_then_an_idle_town_starts_no_cycle() {
    let hall = hall();
    hall.role(
        "gardener",
        &format!(
            "{GARDENER}gardener.patrol(\"sweep\", {{ every = \"1s\", steps = {{\n\
               gt.step(\"look\", function(_, town) return town.memory.told and {{}} or {{ \"weed\" }} end),\n\
               gt.step(\"tell\", function(run, town)\n\
                 if #run.look == 0 then return nil end\n\
                 return {{ gt.mail(\"overseer\", \"Weeds\", \"1 found\"), gt.remember(town, {{ told = true }}) }}\n\
               end),\n\
             }} }})"
        ),
    );
    begin(&hall, "sweep");
    let digest = eventually("a digest", || row(&hall, "sweep")?["digest"].as_str().map(str::to_owned));
    let bead = show(&hall, &digest);
    assert_eq!(bead["title"], "Digest: sweep");
    assert_eq!(bead["status"], "closed");
    assert!(bead["description"].as_str().expect("text").contains("look: 1 found\ntell: mail overseer"), "{bead}");
    quiet(&hall);
    let before = cycles(&hall, "sweep");
    assert!(before <= 3, "{before} cycles: the patrol keeps itself going");
    let wisps = hall.sandbox.bd(&hall.town(), &["mol", "wisp", "list", "--all", "--json"]).json();
    assert_eq!(wisps["count"], 0, "the wisp of the cycle is gone");
    // The schedule is on disk: another daemon goes on with it.
    hall.kill_daemon();
    quiet(&hall);
    assert!(cycles(&hall, "sweep") >= before);
    let letters = hall.labelled("from:app/gardener");
    assert_eq!(letters, ["Weeds"], "told once");
    hall.gt(&["shutdown"]);
}

#[test]
fn a_formula_that_extends_the_shipped_patrol_takes_its_place_and_does_its_work() {
    let hall = hall();
    let formulas = hall.town().join(".beads/formulas");
    std::fs::create_dir_all(&formulas).expect("folder");
    let often = "formula = \"often\"\nextends = [\"deacon-patrol\"]\n[patrol]\nevery = \"1s\"\n";
    std::fs::write(formulas.join("often.formula.toml"), often).expect("written");
    let config = hall.town().join("town.toml");
    let text = std::fs::read_to_string(&config).expect("town.toml");
    std::fs::write(&config, format!("{text}\n[roles.deacon]\nwisps = \"1s\"\n")).expect("written");
    hall.sandbox.bd(&hall.town(), &["mol", "wisp", "shiny", "--var", "feature=x"]).ok();
    begin(&hall, "often");
    let digest = eventually("a digest", || row(&hall, "often")?["digest"].as_str().map(str::to_owned));
    assert!(show(&hall, &digest)["description"].as_str().expect("text").contains("burn-wisps: burn "), "{digest}");
    let wisps = hall.sandbox.bd(&hall.town(), &["mol", "wisp", "list", "--all", "--json"]).json();
    assert_eq!(wisps["count"], 0);
    assert_eq!(row(&hall, "deacon-patrol"), None, "it is a part of the other one now");
    let shipped = row(&hall, "witness-patrol").expect("each rig has the shipped ones");
    assert_eq!((&shipped["rig"], &shipped["every"]), (&"app".into(), &"6h".into()));
    hall.gt(&["shutdown"]);
}

#[test]
fn aspects_in_toml_and_in_lua_weave_steps_into_a_patrol_that_extends_one_in_lua() {
    let hall = hall();
    hall.role(
        "gardener",
        &format!(
            "{GARDENER}gardener.patrol(\"sweep\", {{ every = \"6h\", steps = {{\n\
               gt.step(\"look\", function(_, town) return town.memory.told and {{}} or {{ \"weed\" }} end),\n\
             }} }})\n\
             gardener.run(\"tally\", function(run) return #run.look .. \" in all\" end)\n\
             gardener.run(\"tell\", function(run, town)\n\
               if #run.look == 0 then return nil end\n\
               return {{ gt.mail(\"overseer\", \"Weeds\", run[\"look-tally\"]), gt.remember(town, {{ told = true }}) }}\n\
             end)"
        ),
    );
    let formulas = hall.town().join(".beads/formulas");
    std::fs::create_dir_all(&formulas).expect("folder");
    let files = [
        (
            "nightly.formula.toml",
            "formula = \"nightly\"\nextends = [\"sweep\"]\n[patrol]\nevery = \"1s\"\n[compose]\naspects = [\"tallied\", \"told\"]\n",
        ),
        (
            "tallied.formula.toml",
            "formula = \"tallied\"\ntype = \"aspect\"\n[[advice]]\ntarget = \"look\"\n[advice.after]\n\
             id = \"{step.id}-tally\"\nrun = \"tally\"\n",
        ),
        (
            "told.lua",
            "local gt = require \"gt\"\nreturn gt.aspect {\n  api = 1,\n  doc = \"Tells what was counted\",\n\
               advise = function(step)\n    if step.id ~= \"look-tally\" then return nil end\n\
                 return gt.after { id = \"tell\", title = \"Tell\", run = \"tell\" }\n  end,\n}\n",
        ),
    ];
    for (file, text) in files {
        std::fs::write(formulas.join(file), text).expect("written");
    }
    begin(&hall, "nightly");
    let digest = eventually("a digest", || row(&hall, "nightly")?["digest"].as_str().map(str::to_owned));
    let text = show(&hall, &digest)["description"].as_str().expect("text").to_owned();
    assert!(text.contains("look: 1 found\nlook-tally: 1 in all\ntell-look-tally: mail overseer"), "{text}");
    assert_eq!(row(&hall, "sweep"), None, "it is a part of the other one now");
    // The letter has reset nothing: the next cycle finds no weeds, and leaves nothing.
    quiet(&hall);
    hall.gt(&["patrol", "run", "nightly"]);
    eventually("an idle cycle", || (row(&hall, "nightly")?["outcome"] == "nothing to do").then_some(()));
    assert_eq!(hall.labelled("digest"), ["Digest: nightly"], "there is one digest and not two");
    let wisps = hall.sandbox.bd(&hall.town(), &["mol", "wisp", "list", "--all", "--json"]).json();
    assert_eq!(wisps["count"], 0, "the wisps of both cycles are gone");
    hall.gt(&["shutdown"]);
}

#[test]
fn a_patrol_on_an_event_runs_once_for_it_also_when_the_daemon_dies() {
    let hall = hall();
    hall.role(
        "gardener",
        &format!(
            "{GARDENER}gardener.patrol(\"after-landing\", {{ on = \"mr_merged\", steps = {{\n\
               gt.step(\"file\", function() return gt.create {{ title = \"Rake\", labels = {{ \"raked\" }} }} end),\n\
             }} }})"
        ),
    );
    hall.gt(&["start"]);
    eventually("the patrol", || row(&hall, "after-landing"));
    let a = hall.file("a");
    hall.wait_merged(std::slice::from_ref(&a));
    eventually("the cycle", || (hall.labelled("raked").len() == 1).then_some(()));
    hall.kill_daemon();
    quiet(&hall);
    let b = hall.file("b");
    hall.wait_merged(std::slice::from_ref(&b));
    eventually("the next cycle", || (hall.labelled("raked").len() == 2).then_some(()));
    quiet(&hall);
    assert_eq!((hall.labelled("raked").len(), cycles(&hall, "after-landing")), (2, 2));
    // A person can have one at any time.
    hall.gt(&["patrol", "run", "after-landing"]);
    eventually("the cycle that was asked for", || (cycles(&hall, "after-landing") == 3).then_some(()));
    hall.gt(&["shutdown"]);
    let refused = hall.sandbox.gt(&hall.town(), &["patrol", "run", "after-landing"]).fails();
    assert!(refused.contains("no daemon runs this town") && refused.contains("gt start"), "{refused}");
}

#[test]
fn a_step_that_fails_is_told_once_and_in_the_status() {
    let hall = hall();
    hall.role(
        "gardener",
        &format!(
            "{GARDENER}gardener.patrol(\"sweep\", {{ every = \"1s\", steps = {{\n\
               gt.step(\"look\", function(run) return run.nothing.there end),\n\
             }} }})"
        ),
    );
    begin(&hall, "sweep");
    eventually("a first failure", || (cycles(&hall, "sweep") >= 1).then_some(()));
    let first = row(&hall, "sweep").expect("there");
    assert!(first["outcome"].as_str().expect("text").starts_with("failed: look: "), "{first}");
    let digest = first["digest"].as_str().expect("a digest").to_owned();
    assert!(show(&hall, &digest)["description"].as_str().expect("text").starts_with("ended at step look: "));
    eventually("it in the warnings", || hall.warnings().contains("gardener.lua:4").then_some(()));
    hall.gt(&["patrol", "run", "sweep"]);
    eventually("a second failure", || (cycles(&hall, "sweep") >= 2).then_some(()));
    quiet(&hall);
    assert_eq!(row(&hall, "sweep").expect("there")["digest"], digest.as_str(), "the same failure is told once");
    assert_eq!(hall.labelled("digest"), ["Digest: sweep"], "there is one digest and not two");
    // Mended: the next cycle is well again, without a restart.
    hall.role(
        "gardener",
        &format!(
            "{GARDENER}gardener.patrol(\"sweep\", {{ every = \"1s\", steps = {{\n\
               gt.step(\"look\", function() return {{}} end),\n\
             }} }})"
        ),
    );
    eventually("the warning to go", || (hall.warnings() == "[]").then_some(()));
    hall.gt(&["patrol", "run", "sweep"]);
    eventually("a good cycle", || (row(&hall, "sweep")?["outcome"] == "nothing to do").then_some(()));
    hall.gt(&["shutdown"]);
}

#[test]
fn a_patrol_in_lua_can_be_looked_at_as_a_formula_and_tested() {
    let hall = hall();
    let example = |file: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies/roles").join(file);
        std::fs::read_to_string(path).expect("readable")
    };
    let roles = hall.town().join("lua/roles");
    std::fs::create_dir_all(&roles).expect("folder");
    for file in ["gardener.lua", "gardener_test.lua"] {
        std::fs::write(roles.join(file), example(file)).expect("written");
    }
    let shown = hall.sandbox.bd(&hall.town(), &["formula", "show", "branch-sweep"]).ok();
    assert!(shown.contains("run = \"branch-sweep.survey\"") && shown.contains("every = \"12h\""), "{shown}");
    let cooked = hall.sandbox.bd(&hall.town(), &["cook", "branch-sweep", "--json"]).json();
    assert_eq!(cooked["patrol"]["role"], "gardener");
    let tested = hall.gt(&["policy", "test"]);
    assert!(tested.contains("2 cases, 0 failed"), "{tested}");
}
