//! `gt policy`, without a town and in one.

use super::super::support::Sandbox;

#[test]
fn a_file_is_checked_and_tested_without_a_town() {
    let sandbox = Sandbox::new();
    let roles = sandbox.folder("mine/roles");
    let folder = roles.parent().expect("a folder");
    let policy = "local gt = require \"gt\"\nlocal witness = gt.extend \"witness\"\n\
                  witness.override(\"nudge-silent\", { when = function(w) return w.silent > 3 end })\n";
    std::fs::write(roles.join("witness.lua"), policy).expect("write");
    let checked = sandbox.gt(folder, &["policy", "check", "roles/witness.lua"]);
    assert_eq!(checked.code, 3);
    insta::assert_snapshot!(sandbox.tidy(&checked.stdout), @r#"
    error: `worker` has no field `silent`
     --> $BOX/mine/roles/witness.lua:3:64
    3 | witness.override("nudge-silent", { when = function(w) return w.silent > 3 end })
      |                                                                ^^^^^^
      = help: `silent_for`. All fields: gt policy facts worker
    "#);
    insta::assert_snapshot!(checked.stderr, @"1 error");

    let good = policy.replace("w.silent > 3", "w.silent_for > gt.span \"3m\"");
    std::fs::write(roles.join("witness.lua"), good).expect("write");
    sandbox.gt(folder, &["policy", "check", "roles/witness.lua"]).ok();
    let test = "local t = require \"gt.test\"\nt.rule(\"witness\", \"nudge-silent\")\n  :fires { silent_for = \"4m\" }\n  \
                :fires { silent_for = \"3m\" }\n";
    std::fs::write(roles.join("witness_test.lua"), test).expect("write");
    let tested = sandbox.gt(folder, &["policy", "test", "roles/witness_test.lua"]);
    assert_eq!(tested.code, 3);
    insta::assert_snapshot!(sandbox.tidy(&tested.stdout), @r#"
    ✓ nudge-silent fires, line 3
    ✗ nudge-silent fires, line 4
    error: `nudge-silent` holds: silent_for 3m > 3m is false
     --> $BOX/mine/roles/witness_test.lua:4
    4 |   :fires { silent_for = "3m" }
    2 cases, 1 failed
    "#);
}

#[test]
fn a_shipped_role_is_ejected_into_the_town_and_checked_there() {
    let sandbox = Sandbox::new();
    sandbox.gt(sandbox.path(), &["install", "town"]).ok();
    let town = sandbox.folder("town");
    sandbox.gt(&town, &["policy", "eject", "witness"]).ok();
    let again = sandbox.gt(&town, &["policy", "eject", "witness"]);
    assert_eq!(again.code, 5);
    insta::assert_snapshot!(sandbox.tidy(&again.fails()), @r"
    error: $BOX/town/lua/roles/witness.lua is there already
      hint: override single rules in it: gt.extend and role.override
    ");
    sandbox.gt(&town, &["policy", "check"]).ok();
    let shown = sandbox.gt(&town, &["policy", "show", "--json"]).json();
    let witness = shown.as_array().expect("a list").iter().find(|r| r["role"] == "witness").expect("listed");
    assert_eq!(witness["layers"].as_array().map(Vec::len), Some(2));

    sandbox.gt(&town, &["policy", "types", "--write"]).ok();
    assert!(town.join("lua/types/gt.lua").is_file() && town.join("lua/.luarc.json").is_file());

    std::fs::write(
        town.join("lua/roles/refinery.lua"),
        "local gt = require \"gt\"\nlocal r = gt.extend \"refinery\"\nr.order(",
    )
    .expect("write");
    let broken = sandbox.gt(&town, &["policy", "check"]);
    assert_eq!(broken.code, 3);
    insta::assert_snapshot!(sandbox.tidy(&broken.stdout), @r"
    error: Expected identifier when parsing expression, got <eof>
     --> $BOX/town/lua/roles/refinery.lua:3
    3 | r.order(
    ");
}

#[test]
fn facts_and_shipped_texts_are_printed() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.gt(sandbox.path(), &["policy", "facts", "mr_merged"]).ok(), @r"
    mr           Mr
    bead         Bead
    commit       string
    seq          integer
    actor        string
    ");
    insta::assert_snapshot!(sandbox.gt(sandbox.path(), &["policy", "facts", "wroker"]).fails(), @r"
    error: there are no facts about `wroker`
      hint: gt policy facts worker
    ");
    assert!(sandbox.gt(sandbox.path(), &["policy", "show", "witness"]).ok().contains("feed-convoy"));
    insta::assert_snapshot!(sandbox.gt(sandbox.path(), &["policy", "show", "mayor"]).fails(), @r"
    error: no role `mayor` is shipped
      hint: shipped are deacon, witness, refinery
    ");
}

#[test]
fn the_test_of_an_aspect_is_found_beside_it_and_is_no_aspect_itself() {
    let sandbox = Sandbox::new();
    sandbox.gt(sandbox.path(), &["install", "town"]).ok();
    let town = sandbox.folder("town");
    let formulas = sandbox.folder("town/.beads/formulas");
    let aspect = "local gt = require \"gt\"\nreturn gt.aspect { api = 1, doc = \"d\", advise = function(step)\n  \
                  if step.id == \"build\" then return gt.after { id = \"look\", title = \"Look\" } end\nend }\n";
    std::fs::write(formulas.join("look.lua"), aspect).expect("write");
    let test = "local t = require \"gt.test\"\nt.case(\"a build is looked at\", function()\n  \
                t.equal(t.weave({ { id = \"build\" } }):added(), { \"look-build\" })\nend)\n";
    std::fs::write(formulas.join("look_test.lua"), test).expect("write");
    for args in [&["policy", "test"][..], &["policy", "test", ".beads/formulas/look_test.lua"]] {
        let tested = sandbox.gt(&town, args);
        assert_eq!(tested.ok(), "✓ a build is looked at\n1 case, 0 failed");
    }
    let listed = sandbox.bd(&town, &["formula", "list", "--json"]).json();
    let names: Vec<_> = listed.as_array().expect("a list").iter().filter_map(|l| l["name"].as_str()).collect();
    assert!(names.contains(&"look") && !names.contains(&"look_test"), "{names:?}");
}
