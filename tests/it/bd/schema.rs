//! The published schemas of `--json`: real answers of every verb hold to them, and a checker that is small enough to read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Repo;

/// Checks values against the schemas in `docs/schema`: the part of JSON Schema that they use, and nothing else.
struct Checker {
    dir: PathBuf,
    used: RefCell<BTreeSet<String>>,
}

impl Checker {
    fn new() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
        Self { dir, used: RefCell::default() }
    }

    fn load(&self, file: &str) -> Value {
        let text = std::fs::read_to_string(self.dir.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    #[track_caller]
    fn holds(&self, verb: &str, value: &Value) {
        self.used.borrow_mut().insert(verb.to_owned());
        if let Err(why) = self.check(&json!({ "$ref": format!("{verb}.json") }), value, "$") {
            panic!("`{verb}` does not hold to its schema: {why}\n{value:#}");
        }
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for (key, rule) in schema.as_object().unwrap_or_else(|| panic!("{at}: a schema is an object: {schema}")) {
            self.rule(schema, key, rule, value, at)?;
        }
        Ok(())
    }

    fn rule(&self, schema: &Value, key: &str, rule: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fails = |why: String| Err(format!("{at}: {why}"));
        let all = || rule.as_array().expect("an array").iter();
        match key {
            "$schema" | "title" | "description" => Ok(()),
            "$ref" => {
                let file = rule.as_str().expect("a file");
                self.used.borrow_mut().insert(file.trim_end_matches(".json").to_owned());
                self.check(&self.load(file), value, at)
            }
            "allOf" => all().try_for_each(|one| self.check(one, value, at)),
            "anyOf" => {
                let tried: Vec<String> = all().filter_map(|one| self.check(one, value, at).err()).collect();
                if tried.len() < all().count() { Ok(()) } else { fails(format!("none of: {}", tried.join(" | "))) }
            }
            "enum" if all().any(|one| one == value) => Ok(()),
            "const" if rule == value => Ok(()),
            "type" => {
                let good = match rule.as_str().expect("a type") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("unknown type {other}"),
                };
                if good { Ok(()) } else { fails(format!("{value} is no {rule}")) }
            }
            "required" => {
                let missing = all().find(|name| value.get(name.as_str().expect("a name")).is_none());
                missing.map_or(Ok(()), |name| fails(format!("{name} is missing")))
            }
            "properties" => {
                let named = rule.as_object().expect("properties").iter();
                named
                    .filter_map(|(name, schema)| Some((name, schema, value.get(name)?)))
                    .try_for_each(|(name, schema, value)| self.check(schema, value, &format!("{at}.{name}")))
            }
            "additionalProperties" => {
                let known = |name: &String| schema.get("properties").is_some_and(|all| all.get(name).is_some());
                let more = value.as_object().into_iter().flatten().filter(|(name, _)| !known(name));
                match rule {
                    Value::Bool(true) => Ok(()),
                    Value::Bool(false) => more
                        .map(|(name, _)| name)
                        .next()
                        .map_or(Ok(()), |name| fails(format!("`{name}` is not expected"))),
                    schema => more
                        .into_iter()
                        .try_for_each(|(name, value)| self.check(schema, value, &format!("{at}.{name}"))),
                }
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                items.into_iter().try_for_each(|(n, value)| self.check(rule, value, &format!("{at}[{n}]")))
            }
            "minimum" if value.as_f64() >= rule.as_f64() => Ok(()),
            "maximum" if value.as_f64() <= rule.as_f64() => Ok(()),
            "minLength" if value.as_str().map(str::len) >= rule.as_u64().map(|n| n as usize) => Ok(()),
            "maxLength" if value.as_str().map(str::len) <= rule.as_u64().map(|n| n as usize) => Ok(()),
            "pattern" => {
                let pattern = regex::Regex::new(rule.as_str().expect("a pattern")).expect("a good pattern");
                if value.as_str().is_none_or(|text| pattern.is_match(text)) {
                    Ok(())
                } else {
                    fails(format!("{value} against {rule}"))
                }
            }
            "enum" | "const" | "minimum" | "maximum" | "minLength" | "maxLength" => {
                fails(format!("{value} against {key} {rule}"))
            }
            other => panic!("{at}: the checker does not know `{other}`"),
        }
    }
}

#[test]
fn the_checker_refuses_what_breaks_a_schema() {
    let checker = Checker::new();
    let schema = json!({ "$ref": "bead.json" });
    let good = json!({ "id": "gt-a3f", "title": "x", "status": "open", "priority": 2, "issue_type": "task",
                       "created_at": "2026-01-11T10:33:47.827185-08:00", "updated_at": "2026-01-11T10:33:47Z", "own": 1 });
    assert_eq!(checker.check(&schema, &good, "$"), Ok(()));
    for (key, bad) in [
        ("priority", json!(5)),
        ("priority", json!("high")),
        ("id", json!("../x")),
        ("created_at", json!("yesterday")),
        ("labels", json!(["a", 1])),
        ("title", json!("x".repeat(501))),
    ] {
        let mut broken = good.clone();
        broken[key] = bad;
        assert!(checker.check(&schema, &broken, "$").is_err(), "{key}");
    }
    let mut broken = good;
    broken.as_object_mut().expect("object").remove("status");
    assert!(checker.check(&schema, &broken, "$").is_err());
    let count = json!({ "$ref": "count.json" });
    assert!(checker.check(&count, &json!({ "count": 1, "more": 1 }), "$").is_err());
    assert!(checker.check(&count, &json!({ "count": -1 }), "$").is_err());
}

/// Runs verbs and holds each answer to its schema.
struct Session {
    repo: Repo,
    checker: Checker,
    /// The command lines whose answers were held to a schema.
    ran: RefCell<Vec<String>>,
}

impl Session {
    #[track_caller]
    fn ok(&self, schema: &str, args: &[&str]) -> Value {
        let value = self.repo.bd(&[args, &["--json"]].concat()).json();
        self.checker.holds(schema, &value);
        self.ran.borrow_mut().push(args.join(" ") + " ");
        value
    }

    /// The verbs below `words` that do something themselves, as `--help` lists them.
    fn verbs(&self, words: &[&str]) -> Vec<String> {
        let help = self.repo.bd(&[words, &["--help"]].concat()).ok();
        let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
        let names = listed.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
        let names: Vec<&str> =
            names.filter(|line| !line.starts_with("   ")).filter_map(|l| l.split(' ').nth(2)).collect();
        if names.is_empty() {
            return vec![words.join(" ")];
        }
        names.into_iter().flat_map(|name| self.verbs(&[words, &[name]].concat())).collect()
    }

    /// Runs what does a part of what is asked, and says of the rest why not.
    #[track_caller]
    fn part(&self, schema: &str, args: &[&str], input: &str) {
        let ran = self.repo.bd_reads(&[args, &["--json"]].concat(), input);
        let value: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", ran.stdout));
        self.checker.holds(schema, &value);
        assert_ne!(ran.code, 0, "{args:?}");
        assert_eq!(value["error"]["code"], json!(ran.code), "{args:?}");
    }

    #[track_caller]
    fn fails(&self, args: &[&str]) {
        let ran = self.repo.bd(&[args, &["--json"]].concat());
        assert_ne!(ran.code, 0, "{args:?}");
        let value: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", ran.stdout));
        self.checker.holds("error", &value);
        assert_eq!(value["error"]["code"], json!(ran.code), "{args:?}");
    }
}

const FORMULA: &str = "formula = \"trip\"\n[[steps]]\nid = \"pack\"\n[[steps]]\nid = \"walk\"\nneeds = [\"pack\"]\n\
                       [[steps]]\nid = \"rest\"\nneeds = [\"pack\"]\n[steps.gate]\ntype = \"human\"\n";

#[test]
fn every_answer_holds_to_its_published_schema() {
    let s = Session { repo: Repo::new(), checker: Checker::new(), ran: RefCell::default() };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    std::fs::create_dir_all(s.repo.dir.join(".beads/formulas")).expect("folder");
    std::fs::write(s.repo.dir.join(".beads/formulas/trip.formula.toml"), FORMULA).expect("formula");
    let other = s.repo.sandbox.folder("other");
    s.repo.sandbox.git(&other, &["init", "-q"]).ok();
    s.checker.holds("init", &s.repo.sandbox.bd(&other, &["init", "--json"]).json());

    beads(&s);
    let epic = text(&s.ok("create", &["create", "epic", "-t", "epic"])["id"]);
    let child = text(&s.ok("create", &["create", "child", "--parent", &epic])["id"]);
    s.ok("epic-status", &["epic", "status"]);
    s.ok("close", &["close", &child, "--continue"]);
    s.ok("epic-close-eligible", &["epic", "close-eligible", "--dry-run"]);
    s.ok("epic-close-eligible", &["epic", "close-eligible"]);
    gates(&s);
    formulas(&s);
    molecules(&s);
    machinery(&s);
    let verbs = s.verbs(&[]);
    assert!(verbs.len() > 60, "{verbs:?}");
    let ran = s.ran.borrow();
    // Two texts, and two verbs whose answers were held above because they need another place or stdin.
    let apart = ["completion", "help", "init", "batch"];
    let held =
        |verb: &String| apart.contains(&verb.as_str()) || ran.iter().any(|one| one.starts_with(&format!("{verb} ")));
    let missing: Vec<_> = verbs.iter().filter(|verb| !held(verb)).collect();
    assert!(missing.is_empty(), "no answer of these was held to a schema: {missing:?}");

    let published: BTreeSet<String> = std::fs::read_dir(&s.checker.dir)
        .expect("schemas")
        .map(|file| file.expect("file").path().file_stem().expect("name").to_string_lossy().into_owned())
        // The language of formulas is no answer: it has a test of its own.
        .filter(|name| name != "formula.schema")
        .collect();
    let used = s.checker.used.borrow();
    let idle: Vec<_> = published.difference(&used).collect();
    assert!(idle.is_empty(), "published and never held against an answer: {idle:?}");
}

fn beads(s: &Session) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let one = text(
        &s.ok("create", &["create", "a", "-d", "why", "-l", "red", "--due", "2030-01-01", "-e", "5", "-a", "ada"])["id"],
    );
    let two = text(&s.ok("q", &["q", "b"])["id"]);
    s.checker.holds("create", &s.repo.bd_reads(&["create", "--stdin", "--json"], "c\nd\n").json());
    s.ok("dep-add", &["dep", "add", &two, &one]);
    s.ok("relate", &["relate", &one, &two]);
    s.ok("dep-list", &["dep", "list", &two, "--direction", "both"]);
    s.ok("dep-tree", &["dep", "tree", &two]);
    s.ok("dep-cycles", &["dep", "cycles"]);
    s.ok("graph", &["graph", &two]);
    s.ok("blocked", &["blocked"]);
    s.ok("unrelate", &["unrelate", &one, &two]);
    s.ok("comments", &["comments", "add", &one, "hello"]);
    s.ok("comments", &["comments", &one]);
    s.ok("comments", &["comments", "list", &one]);
    s.ok("label-change", &["label", "add", &one, &two, "blue"]);
    s.ok("label-change", &["label", "remove", &two, "blue"]);
    s.ok("label-list", &["label", "list", &one]);
    s.ok("label-list-all", &["label", "list-all"]);
    s.ok("show", &["show", &one, &two]);
    s.ok("show", &["show", &one, "--refs"]);
    s.ok("list", &["list"]);
    s.ok("search", &["search", "why"]);
    s.ok("ready", &["ready"]);
    s.ok("count", &["count"]);
    s.ok("count", &["count", "--by-status"]);
    s.ok("stats", &["stats"]);
    s.ok("stale", &["stale", "--days", "0"]);
    s.ok("update", &["update", &one, "--status", "in_progress", "--meta", "k={\"x\":1}"]);
    s.ok("defer", &["defer", &two, "--until", "2099-01-01"]);
    s.ok("undefer", &["undefer", &two]);
    s.ok("close", &["close", &one, "--suggest-next"]);
    s.ok("reopen", &["reopen", &one]);
    s.ok("close", &["close", &one]);
    s.ok("dep-remove", &["dep", "remove", &two, &one]);
    let (three, four, five) = (s.repo.add("c", &[]), s.repo.add("d", &[]), s.repo.add("e", &[]));
    s.ok("duplicate", &["duplicate", &three, "--of", &four]);
    s.ok("supersede", &["supersede", &four, "--with", &five]);
    s.ok("delete", &["delete", &five, "--dry-run"]);
    s.ok("delete", &["delete", &five, "--force"]);
    s.ok("list", &["list", "--status", "tombstone"]);
    let (six, seven) = (s.repo.add("f", &[]), s.repo.add("g", &[]));
    s.part("close", &["close", &six, "nope"], "");
    s.part("close", &["close", &seven, "nope", "nada", "--suggest-next"], "");
    s.part("import", &["import", "-"], "no bead\n");
    s.fails(&["close", "nope", "nada"]);
    s.fails(&["reopen", &two, "nope"]);
    s.fails(&["show", "nope"]);
    s.fails(&["create", ""]);
    s.fails(&["creat"]);
    s.fails(&["dep", "add", &one, &one]);
}

fn gates(s: &Session) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let held = s.repo.add("held", &[]);
    let gate = text(&s.ok("gate-create", &["gate", "create", "--blocks", &held])["id"]);
    s.ok("gate-create", &["gate", "create", "--type", "timer", "--timeout", "2h"]);
    s.ok("gate-list", &["gate", "list"]);
    s.ok("gate-show", &["gate", "show", &gate]);
    s.ok("gate-check", &["gate", "check"]);
    s.ok("gate-resolve", &["gate", "resolve", &gate]);
}

fn formulas(s: &Session) {
    let folder = s.repo.dir.join(".beads/formulas");
    std::fs::write(folder.join("old.formula.json"), r#"{"formula":"old","steps":[{"id":"a"}]}"#).expect("formula");
    std::fs::write(folder.join("odd.formula.toml"), "formula = \"odd\"\n[[steps]]\nid = 1\n").expect("formula");
    s.ok("cook", &["cook", "trip"]);
    s.ok("cook", &["cook", "trip", "--dry-run"]);
    s.ok("cook", &["cook", "shiny", "--persist"]);
    s.ok("formula-list", &["formula", "list"]);
    s.ok("formula-show", &["formula", "show", "trip"]);
    s.ok("formula-show", &["formula", "show", "docs-check"]);
    s.ok("formula-check", &["formula", "check", "trip"]);
    let broken = s.repo.bd(&["formula", "check", "odd", "--json"]);
    assert_eq!(broken.code, 3, "{}", broken.stderr);
    s.checker.holds("formula-check", &serde_json::from_str(&broken.stdout).expect("json"));
    std::fs::remove_file(folder.join("odd.formula.toml")).expect("remove");
    s.ok("formula-explain", &["formula", "explain", "shiny-secure"]);
    s.ok("formula-graph", &["formula", "graph", "trip"]);
    s.ok("formula-convert", &["formula", "convert", "old", "--stdout"]);
    s.ok("formula-convert", &["formula", "convert", "old"]);
}

fn molecules(s: &Session) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let poured = s.ok("mol-pour", &["mol", "pour", "trip"]);
    let root = text(&poured["new_epic_id"]);
    let pack = text(&poured["id_mapping"]["trip.pack"]);
    s.ok("mol-list", &["mol", "list"]);
    s.ok("mol-show", &["mol", "show", &root, "--parallel"]);
    s.ok("mol-current", &["mol", "current", &root]);
    s.ok("mol-progress", &["mol", "progress", &root]);
    s.ok("mol-ready", &["mol", "ready", &root]);
    s.ok("close", &["close", &pack, "--continue"]);
    let gate = text(
        &s.ok("gate-list", &["gate", "list", "--all"])
            .as_array()
            .expect("gates")
            .iter()
            .find(|g| g["metadata"]["gate_of"] == "rest")
            .expect("the gate")["id"],
    );
    s.ok("gate-resolve", &["gate", "resolve", &gate]);
    let free = s.ok("ready", &["ready", "--gated"]);
    assert_eq!(free["count"], 1, "{free:#}");
    s.ok("mol-ready", &["mol", "ready", "--gated"]);
    s.ok("mol-stale", &["mol", "stale"]);
    let wisp = text(&s.ok("mol-wisp", &["mol", "wisp", "trip"])["new_epic_id"]);
    s.ok("mol-wisp", &["mol", "wisp", "create", "trip"]);
    s.ok("mol-wisp-list", &["mol", "wisp", "list"]);
    s.ok("mol-wisp-gc", &["mol", "wisp", "gc", "--dry-run"]);
    s.ok("mol-squash", &["mol", "squash", &wisp]);
    let wisp = text(&s.ok("mol-wisp", &["mol", "wisp", "trip"])["new_epic_id"]);
    s.ok("mol-burn", &["mol", "burn", &wisp]);
    s.ok("mol-bond", &["mol", "bond", "trip", "trip"]);
    s.ok("mol-bond", &["mol", "bond", "trip", "trip", "--pour"]);
    let bonded = text(&s.ok("mol-bond", &["mol", "bond", &root, "trip"])["result_id"]);
    s.ok("mol-show", &["mol", "show", &bonded]);
    s.ok("mol-distill", &["mol", "distill", &root, "--force"]);
}

fn machinery(s: &Session) {
    s.ok("config-value", &["config", "set", "team.board", "x"]);
    s.ok("config-value", &["config", "get", "team.board"]);
    s.ok("config-list", &["config", "list"]);
    s.ok("config-value", &["config", "unset", "team.board"]);
    ledger(s);
    s.ok("info", &["info"]);
    s.ok("where", &["where"]);
    s.ok("prime", &["prime"]);
    s.ok("onboard", &["onboard"]);
    s.ok("version", &["version"]);
    s.ok("export", &["export", "-o", "all.jsonl"]);
    s.ok("import", &["import", "all.jsonl"]);
    s.checker.holds("batch", &s.repo.bd_reads(&["batch", "--json"], "create x\nupdate @1 -p 0\n").json());
    let each = s.repo.bd_reads(&["batch", "--each", "--json"], "show nope\ncreate y\n");
    s.checker.holds("batch", &serde_json::from_str(&each.stdout).expect("json"));
}

fn ledger(s: &Session) {
    let id = s.repo.add("recorded", &[]);
    s.ok("history", &["history", &id, "--full"]);
    s.repo.sandbox.git(s.repo.sandbox.path(), &["init", "-q", "--bare", "beads.git"]).ok();
    s.fails(&["sync"]);
    s.ok("sync", &["sync", "--remote", "../beads.git", "--dry-run"]);
    s.ok("sync", &["sync", "--remote", "../beads.git"]);
    s.ok("sync-status", &["sync", "--status"]);
    s.ok("doctor", &["doctor"]);
    s.ok("uninstall", &["uninstall", "--dry-run"]);
    s.ok("restore", &["restore", "--force"]);
}
