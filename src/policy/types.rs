//! The `LuaCATS` stubs that editors read: written from the schema of facts and the table of builders.

use super::schema::{Class, EACH, Ty, classes, each_class, event_class};
use super::vm::{ADVICE, QUESTIONS, builder_types};
use super::{EventKind, builtin, builtin_roles};

/// The stub of the module `gt`, as checked in at `lua/types/gt.lua`.
pub fn types() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n-- FACTS ");
    out.push_str(&"-".repeat(90));
    out.push('\n');
    for class in classes() {
        class_stub(&mut out, class);
    }
    out.push_str(ALIASES);
    out.push_str("\n-- ROLES ");
    out.push_str(&"-".repeat(90));
    out.push('\n');
    roles(&mut out);
    out.push_str("\n-- BUILDING ");
    out.push_str(&"-".repeat(87));
    out.push('\n');
    out.push_str(BUILDING);
    for (name, ty) in builder_types() {
        line(&mut out, &format!("---@field {name} {ty}"));
    }
    for (name, ty) in ADVICE {
        line(&mut out, &format!("---@field {name} {ty}"));
    }
    out.push_str(SETTINGS);
    out.push_str("\nreturn gt\n");
    out
}

/// The fields of one kind of fact, for `gt policy facts`; `None` for an unknown name.
pub fn facts(name: &str) -> Option<String> {
    let class = classes().into_iter().find(|c| c.name == name)?;
    let mut out = String::new();
    for name in class.names() {
        let field = class.field(name)?;
        let doc = if field.doc.is_empty() { String::new() } else { format!("   {}", field.doc) };
        line(&mut out, format!("{name:<12} {:<28}{doc}", ty(field.ty)).trim_end());
    }
    Some(out)
}

/// The names that [`facts`] knows.
pub fn fact_names() -> Vec<&'static str> {
    classes().into_iter().map(|c| c.name).collect()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn ty(t: Ty) -> String {
    match t {
        Ty::String => "string".into(),
        Ty::OneOf(words) => words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join("|"),
        Ty::Integer => "integer".into(),
        Ty::Boolean => "boolean".into(),
        Ty::Span => "Span".into(),
        Ty::Any => "any".into(),
        Ty::Optional(inner) => format!("{}?", ty(*inner)),
        Ty::Record(class) => class.lua.into(),
        Ty::List(inner) => format!("{}[]", ty(*inner)),
        Ty::Map(inner) => format!("table<string, {}>", ty(*inner)),
        Ty::Method(signature) => format!("fun(self, {signature}"),
        Ty::Reads(text) => text.into(),
    }
}

fn class_stub(out: &mut String, class: &Class) {
    let parent = class.parent.map(|p| format!(": {}", p.lua)).unwrap_or_default();
    let doc = if class.doc.is_empty() { String::new() } else { format!(" {}", class.doc) };
    line(out, &format!("---@class {}{parent}{doc}", class.lua));
    for field in class.fields {
        let shown = match field.ty {
            Ty::Method(signature) => format!("fun(self: {}, {signature}", class.lua),
            other => ty(other),
        };
        let doc = if field.doc.is_empty() { String::new() } else { format!(" {}", field.doc) };
        line(out, &format!("---@field {} {shown}{doc}", field.name));
    }
}

fn roles(out: &mut String) {
    let overloads = |o: &str| {
        let one = |role| format!("---@overload fun(name: \"{role}\"{o}): {}", title(role));
        builtin_roles().map(one).collect::<Vec<_>>().join("\n")
    };
    let (role, extend) = (overloads(", o: table"), overloads(""));
    out.push_str(&ROLE.replace("ROLE_OVERLOADS", &role).replace("EXTEND_OVERLOADS", &extend));
    line(out, "---@class Each");
    for name in EACH {
        let class = each_class(name).map_or("any", |c| c.lua);
        line(out, &format!("---@field {name} fun(name: string, r: Rule<{class}>)"));
    }
    line(out, "---@class On");
    for kind in EventKind::ALL {
        let class = event_class(kind).lua;
        line(out, &format!("---@field {} fun(name: string, r: EventRule<{class}>)", kind.as_str()));
    }
    out.push_str(RULES);
    for role in builtin_roles() {
        role_class(out, role);
    }
}

/// One class per shipped role: its rules by name, so that a misspelt one is seen in the editor.
fn role_class(out: &mut String, role: &str) {
    line(out, &format!("---@class {}: Role", title(role)));
    let rules = builtin(role).map(|source| super::check::rules(&source)).unwrap_or_default();
    let mut by_class: Vec<(&str, Vec<String>)> = Vec::new();
    for (rule, class) in rules {
        match by_class.iter_mut().find(|(c, _)| *c == class) {
            Some((_, all)) => all.push(format!("\"{rule}\"")),
            None => by_class.push((class, vec![format!("\"{rule}\"")])),
        }
    }
    let one =
        |(class, rules): &(&str, Vec<String>)| format!("fun(rule: {}, fields: Override<{class}>)", rules.join("|"));
    if !by_class.is_empty() {
        let all: Vec<String> = by_class.iter().map(one).collect();
        line(out, &format!("---@field override {}", all.join("|")));
    }
    if role == "refinery" {
        for (name, ty) in QUESTIONS.iter().zip(QUESTION_TYPES) {
            line(out, &format!("---@field {name} fun(f: {ty})"));
        }
    }
}

fn title(role: &str) -> String {
    let mut chars = role.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The types of the Refinery's questions, in their order.
const QUESTION_TYPES: [&str; 7] = [
    "fun(mr: Mr, town: Town, base: function): (boolean, string?)",
    "fun(mr: Mr, town: Town, base: function): number",
    "fun(queue: Queue, town: Town, base: function): Mr[]",
    "fun(batch: Mr[], town: Town, base: function): string[]?",
    "fun(mr: Mr, town: Town, base: function): Done",
    "fun(mr: Mr, town: Town, base: function): Done",
    "fun(mr: Mr, town: Town, base: function): Done",
];

const HEAD: &str = r#"---@meta gt
-- Generated by `gt policy types`; api = 1. One law: what you READ comes in as an argument or a setting; what you BUILD
-- comes from gt.* and does nothing until the core has checked it. Records are read-only, lists are fresh arrays of
-- your own, every read is journaled. A read that fails raises `unreadable` (the rule is undecided): it never looks
-- like an empty list.

---@class Span                     A length of time. < > compare with a Span only; an age compared with a Span tells
---@operator mul(number): Span     the engine when the answer will flip: no polling. Multiply, add and subtract keep
---@operator div(Span): number     that; a quotient is a mere number and loses it.
---@operator add(Span): Span
---@operator sub(Span): Span
---@alias SpanLike Span|string     "5m", "7d", "1h30m"
---@alias Text string|Filled       "{bead.id} silent for {silent_for}": filled from the rule's subject; an unknown field
--                                 is a load error; {{x}} is left to formulas
---@class Filled                   a finished text (gt.list): its braces are not read again
---@operator concat(string): Filled
"#;

const ALIASES: &str = r"---@class Queue: Mr[]              never empty
---@field [1] Mr
---@alias BeadQuery { label?: string, status?: string, type?: string, epic?: string, found_in?: Bead } a nil is no condition
";

const ROLE: &str = r#"---@class gt
local gt = {}
---@param name string              a new name; an existing one is an error that says gt.extend
---@param o { api: 1, scope: "town"|"rig", doc: string, agent?: string }
---@return Role
ROLE_OVERLOADS
function gt.role(name, o) end
EXTEND_OVERLOADS
---@param name string              next layer over an existing role (built-in < town < rig)
---@return Role
function gt.extend(name) end

---@class Role
---@field each Each                rules on things as they are
---@field on On                    rules on events; each event is acted upon once, also after a crash
---@field override fun(rule: string, fields: table) the part you give replaces the part below; `act` and `ladder` are one
local Role = {} --                 part; functions get `base` as last argument
---@generic T
---@param t T                      read back as values; [roles.NAME] in TOML sets them in every layer
---@return T
function Role.settings(t) end
---@param rule string              a lower layer must have it
---@param why string
function Role.drop(rule, why) end
---@param name string              the name of a formula, too: `bd formula show`, extends and aspects work
---@param p Patrol
function Role.patrol(name, p) end
---@param name string              what a step of a patrol formula says with run = "name"; a layer above answers anew
---@param f PatrolFunction         with a function of the same name, and gets the one below as last argument
function Role.run(name, f) end
"#;

const RULES: &str = r#"---@alias Done Action|Action[]|nil
---@class Parts<S>                 no sequence, no schedule: judged when a fact it read changes or an age crosses a span.
---@field ladder? Rung<S>[]        Acts once, again only after `when` was false. One disruptive action per subject and
---@field per? "bead"|"agent"|"mr" pass: `beats` decides. A ladder's place is kept on disk, per bead, until progress
---@field reset? "progress"|"never"|SpanLike (commit, closed step, a person's word) unless you say otherwise
---@field beats? string[]
---@class Rung<S>
---@field act fun(s: S, town: Town): Done
---@field times? integer
---@field wait? SpanLike           before the next time, or the next rung
---@class Rule<S>: Parts<S>
---@field when fun(s: S, town: Town): boolean
---@field act? fun(s: S, town: Town): Done
---@class Override<S>: Parts<S>
---@field when? fun(s: S, town: Town, base: fun(s: S, town: Town): boolean): boolean
---@field act? fun(s: S, town: Town, base: fun(s: S, town: Town): Done): Done
---@class EventRule<E>
---@field when? fun(e: E, town: Town): boolean
---@field act fun(e: E, town: Town): Done
---@alias PatrolFunction fun(run: table<string, any>, town: Town, base?: function): any, (Action|Action[])?
---@class Patrol                   a procedure: steps in order on one snapshot, on a schedule; a town in which nothing
---@field every? SpanLike          happens starts no cycle
---@field on? string               or an event name, as in role.on
---@field steps PatrolStep[]
---@field digest? fun(run: table<string, any>, town: Town): string? what the cycle is remembered by; nil leaves no record
---@field doc? string
---@class PatrolStep               made by gt.step: f sees earlier results as run.ID; it returns a result, or actions, or
--                                 a result and then actions

-- One class per role with the rules that lower layers have.
"#;

const BUILDING: &str = r#"---@class Action                   opaque, has no fields; may stand where its result is wanted: gt.sling(gt.create{…}).
--- A decision's ledger actions are one transaction; session actions follow and are checked again.
---@alias NewBead { title: Text, type?: string, labels?: string[], priority?: integer, epic?: string, description?: Text, found_in?: Bead }
---@class Advice                   opaque
---@alias NewStep { id: string, title: Text, type?: string, description?: Text, labels?: string[], gates?: boolean, only_if?: { touches: string[] }, run?: string }
--- only_if is decided when the step comes up, from the molecule's real diff; else closed as `skipped`
---@alias BeadChange { title?: string, description?: string, priority?: integer, labels?: string[], status?: string, assignee?: string }
---@alias Question { name: string, to: "model"|"overseer", text: Text, choices: string[], tokens?: integer }
---@class gt
"#;

const SETTINGS: &str = r"---@field aspect fun(a: { api: 1, doc: string, advise: fun(step: FormulaStep): Advice|Advice[]|nil }): table
---@field step fun(id: string, f: PatrolFunction): PatrolStep one step of a patrol
---@field take fun(queue: Mr[], keep: fun(mr: Mr): (boolean, string?)): Mr[] skips the refused; the reason shows in `gt why`
---@field list fun(items: table[], line: Text): Filled one line per item, filled from the item
---@field span fun(s: string): Span for a literal in a comparison
---@field duration fun(default: string, doc: string): Span settings: type, default, meaning
---@field integer fun(default: integer, doc: string, o?: { min?: integer, max?: integer }): integer
---@field most_restarts integer the most restarts of one bead's worker between two closed steps, whatever a policy says
---@field string fun(default: string, doc: string, o?: { one_of: string[] }): string
---@field flag fun(default: boolean, doc: string): boolean
---@field globs fun(default: string[], doc: string): string[]
";
