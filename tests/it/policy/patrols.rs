//! Patrols on the public interface: Lua that becomes a formula, formulas that run Lua, and what goes wrong.

use std::sync::Arc;

use gastown::formula::{Layer as FormulaLayer, Library, NoAspects};
use gastown::policy::{Cycle, Engine, Layer, LayerSource, NoReads, Plan, Plans, Snapshot, plans};

use super::facts::*;

const HEAD: &str = "local gt = require 'gt'\nlocal r = gt.role('gardener', { api = 1, scope = 'rig', doc = 'x' })\n";

fn gardener(body: &str) -> Engine {
    load("gardener", &[town(&format!("{HEAD}{body}"))]).unwrap_or_else(|e| panic!("{e}"))
}

fn layered(body: &str, above: &str) -> Engine {
    let above = format!("local gt = require 'gt'\nlocal r = gt.extend 'gardener'\n{above}");
    let layers = [town(&format!("{HEAD}{body}")), LayerSource::new(Layer::Rig, "rig/gardener.lua", above)];
    load("gardener", &layers).unwrap_or_else(|e| panic!("{e}"))
}

fn planned(engine: &Engine, formulas: &[(&str, &str)]) -> Plans {
    let mut library = Library::empty();
    for (name, text) in formulas {
        library.add(FormulaLayer::Town, &format!("{name}.formula.toml"), text);
    }
    plans(&library, &[(engine.role().to_owned(), engine)].into(), &NoAspects).over(&[])
}

fn plan(engine: &Engine, formulas: &[(&str, &str)]) -> Arc<Plan> {
    let found = planned(engine, formulas);
    assert_eq!(found.wrong, []);
    let [plan] = <[Arc<Plan>; 1]>::try_from(found.plans).expect("one patrol");
    plan
}

fn cycle(engine: &mut Engine, plan: &Plan) -> Cycle {
    engine.cycle(plan, &Arc::new(Snapshot::default()), &NoReads)
}

fn verbs(cycle: &Cycle) -> Vec<String> {
    cycle.decisions.iter().flat_map(|d| d.actions.iter().map(|a| format!("{}: {a}", d.origin.rule))).collect()
}

#[test]
fn a_patrol_in_lua_is_a_formula_whose_steps_follow_each_other() {
    let mut engine = gardener(
        "r.patrol('sweep', { every = '90m', doc = 'Sweeps', steps = {\n\
           gt.step('look', function() return { 'a', 'b' } end),\n\
           gt.step('tell', function(run) return gt.mail('overseer', 'Found', #run.look .. ' things') end),\n\
         } })",
    );
    insta::assert_snapshot!(engine.declared_patrols()[0].text, @r#"
    description = "Sweeps"
    formula = "sweep"
    type = "patrol"

    [patrol]
    every = "1h30m"
    role = "gardener"

    [[steps]]
    id = "look"
    run = "sweep.look"

    [[steps]]
    id = "tell"
    needs = ["look"]
    run = "sweep.tell"
    "#);
    let plan = plan(&engine, &[]);
    let cycle = cycle(&mut engine, &plan);
    assert_eq!(verbs(&cycle), ["sweep/tell: mail overseer"]);
    assert_eq!(cycle.decisions[0].origin.line, 5, "it came from its gt.step");
    assert_eq!(cycle.digest.as_deref(), Some("look: 2 found\ntell: mail overseer"));
}

#[test]
fn a_cycle_in_which_nothing_happened_leaves_nothing() {
    let mut engine =
        gardener("r.patrol('sweep', { every = '1h', steps = { gt.step('look', function() return {} end) } })");
    let plan = plan(&engine, &[]);
    let cycle = cycle(&mut engine, &plan);
    assert!(!cycle.did_something(), "{cycle:?}");
}

#[test]
fn the_digest_of_the_policy_is_the_last_word() {
    let mut engine = gardener(
        "r.patrol('sweep', { on = 'mr_merged', steps = { gt.step('act', function() return gt.repack() end) },\n\
         digest = function(run) return run.act == nil and 'packed' or nil end })",
    );
    let packed = plan(&engine, &[]);
    assert_eq!(cycle(&mut engine, &packed).digest.as_deref(), Some("packed"));
    let mut silent = layered(
        "r.patrol('sweep', { on = 'mr_merged', steps = { gt.step('act', function() return gt.repack() end) },\n\
         digest = function() return 'never said' end })",
        "r.run('sweep.digest', function() return nil end)",
    );
    let plan = plan(&silent, &[]);
    let cycle = cycle(&mut silent, &plan);
    assert_eq!((cycle.digest, cycle.decisions.len()), (None, 1), "it acts, and leaves no record");
}

const RUNS: &str = "r.run('look', function() return 2 end)\n\
                    r.run('tell', function(run) return gt.mail('overseer', 'Found', tostring(run.look or run.peek)) end)";

const PATROL: &str = "formula = 'sweep'\ntype = 'patrol'\n[patrol]\nrole = 'gardener'\nevery = '1h'\n\
                      [[steps]]\nid = 'tell'\nneeds = ['look']\nrun = 'tell'\n\
                      [[steps]]\nid = 'look'\nrun = 'look'\n";

#[test]
fn a_formula_runs_functions_of_its_role_in_the_order_of_its_needs() {
    let mut engine = gardener(RUNS);
    let plan = plan(&engine, &[("sweep", PATROL)]);
    assert_eq!(plan.steps.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["look", "tell"]);
    assert_eq!(verbs(&cycle(&mut engine, &plan)), ["sweep/tell: mail overseer"]);
}

#[test]
fn a_patrol_that_extends_another_takes_its_place_and_an_aspect_weaves_into_it() {
    let mut engine = gardener(&format!("{RUNS}\nr.run('count', function() return 'counted' end)"));
    let child =
        "formula = 'my-sweep'\nextends = ['sweep']\n[patrol]\nevery = '2h'\n[compose]\naspects = ['counting']\n";
    let aspect = "formula = 'counting'\ntype = 'aspect'\n[[advice]]\ntarget = 'tell'\n\
                  [advice.after]\nid = '{step.id}-count'\nrun = 'count'\n";
    let plan = plan(&engine, &[("sweep", PATROL), ("my-sweep", child), ("counting", aspect)]);
    assert_eq!(plan.name, "my-sweep");
    assert_eq!(plan.every.map(|e| e.to_string()).as_deref(), Some("2h"));
    let ids: Vec<&str> = plan.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["look", "tell", "tell-count"]);
    let cycle = cycle(&mut engine, &plan);
    assert_eq!(cycle.steps[2].outcome, "counted");
}

#[test]
fn a_layer_above_answers_a_step_anew_and_can_ask_the_one_below() {
    let above = "r.run('look', function(run, town, base) return base(run, town) + 40 end)";
    let mut engine = layered(RUNS, above);
    let plan = plan(&engine, &[("sweep", PATROL)]);
    let first = cycle(&mut engine, &plan);
    assert_eq!(first.steps[0].outcome, "42");
    // One that fails leaves the answer to the layer below, and says so.
    let mut engine = layered(RUNS, "r.run('look', function() return nil + 1 end)");
    let second = cycle(&mut engine, &plan);
    assert_eq!((second.steps[0].outcome.as_str(), second.warnings.len()), ("2", 1));
    assert!(second.failure.is_none());
}

#[test]
fn a_step_that_fails_ends_the_cycle_and_the_digest_says_so() {
    let mut engine = gardener(
        "r.run('look', function() return gt.repack() end)\nr.run('tell', function(run) return run.look.nothing end)",
    );
    let plan = plan(&engine, &[("sweep", PATROL)]);
    let cycle = cycle(&mut engine, &plan);
    let (step, why) = cycle.failure.as_ref().expect("it failed");
    assert_eq!((step.as_str(), why.line), ("tell", 4));
    assert_eq!(verbs(&cycle), ["sweep/look: repack"], "what came before it counts");
    let digest = cycle.digest.as_deref().expect("a digest");
    assert!(digest.starts_with("ended at step tell: ") && digest.ends_with("look: repack"), "{digest}");
}

#[test]
fn a_step_that_never_ends_is_cut_off_and_rests() {
    let mut engine = gardener("r.run('look', function() while true do end end)\nr.run('tell', function() end)");
    let plan = plan(&engine, &[("sweep", PATROL)]);
    let first = cycle(&mut engine, &plan);
    assert!(first.failure.is_some() && first.warnings.len() == 1, "{first:?}");
    let second = cycle(&mut engine, &plan);
    assert!(second.failure.expect("still").1.message.contains("rests until its file changes"));
}

#[test]
fn a_fact_that_cannot_be_read_leaves_the_whole_cycle_undecided() {
    let mut engine = gardener(
        "r.run('look', function() return gt.repack() end)\n\
         r.run('tell', function(_, town) return #town.git.branches {} end)",
    );
    let plan = plan(&engine, &[("sweep", PATROL)]);
    let cycle = cycle(&mut engine, &plan);
    assert!(cycle.undecided.is_some() && cycle.decisions.is_empty() && cycle.digest.is_none(), "{cycle:?}");
}

#[test]
fn a_function_that_is_not_there_is_named_with_its_place_and_a_suggestion() {
    let engine = gardener("r.run('looks', function() end)\nr.run('tell', function() end)");
    let found = planned(&engine, &[("sweep", PATROL)]);
    assert_eq!(found.plans.len(), 0);
    let [wrong] = found.wrong.as_slice() else { panic!("{:?}", found.wrong) };
    assert_eq!((wrong.name.as_str(), wrong.role.as_str()), ("sweep", "gardener"));
    // Until it is mended, the last good one stays.
    let good = plan(&gardener(RUNS), &[("sweep", PATROL)]);
    assert_eq!(found.clone().over(std::slice::from_ref(&good)).plans, [good]);
    insta::assert_snapshot!(wrong.error, @r"
    error: step `look` of patrol `sweep` runs `look`, and the role `gardener` has no such function
      --> town:sweep.formula.toml:11
       = help: `looks`
    ");
}

#[test]
fn a_patrol_that_is_written_wrong_is_an_error_with_its_line() {
    let fails = |body: &str| {
        let errors = load("gardener", &[town(&format!("{HEAD}{body}"))]).expect_err("it is wrong");
        errors.lines().take(1).chain(errors.lines().filter(|l| l.contains("help"))).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(
        [
            fails("r.patrol('sweep', { steps = { gt.step('a', function() end) } })"),
            fails("r.patrol('sweep', { every = '1h', steps = {} })"),
            fails("r.patrol('sweep', { every = '1h', stepps = {} })"),
            fails("r.patrol('sweep', { on = 'mr_merge', steps = { gt.step('a', function() end) } })"),
            fails("r.patrol('sweep', { every = '1h', steps = { function() end } })"),
            fails("r.run('a b', function() end)"),
            fails("r.patrol('s', { every = '1h', steps = { gt.step('a', function(_, town) return town.bead end) } })"),
        ]
        .join("\n\n"),
        @r#"
    error: patrol `sweep` never starts
      = help: every = "1h", or on = "mr_merged"

    error: patrol `sweep` has no steps
      = help: steps = { gt.step("survey", function(run, town) … end) }

    error: a patrol has no part `stepps`
      = help: `steps`

    error: there is no event `mr_merge`
      = help: `mr_merged`

    error: a step of a patrol is made by gt.step, not a function
      = help: steps = { gt.step("survey", function(run, town) … end) }

    error: the name of a function is made of letters, digits, - and _, not `a b`

    error: `town` has no field `bead`
      = help: `beads`. All fields: gt policy facts town
    "#
    );
}
