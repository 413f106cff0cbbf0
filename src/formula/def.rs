//! A formula between parsing and freezing: what was written, with places.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::syntax::Node;
use super::{At, RoundTexts, Source, Text, Var};

/// Templates' and rules' variables.
pub(crate) type TextVars = BTreeMap<String, Text>;

/// A whole formula.
#[derive(Debug, Clone)]
pub(crate) struct Formula {
    pub(crate) name: Text,
    pub(crate) description: Option<Text>,
    pub(crate) version: i64,
    pub(crate) kind: Kind,
    /// The file says its `type`; if not, a parent's counts.
    pub(crate) kind_given: bool,
    pub(crate) extends: Vec<Text>,
    pub(crate) vars: BTreeMap<String, VarDef>,
    pub(crate) steps: Vec<StepDef>,
    pub(crate) template: Vec<StepDef>,
    pub(crate) compose: Compose,
    pub(crate) advice: Vec<Rule>,
    pub(crate) pointcuts: Vec<Pointcut>,
    pub(crate) phase: Option<Text>,
    pub(crate) pour: Option<bool>,
    pub(crate) squash: Option<Value>,
    pub(crate) patrol: Option<PatrolDef>,
    /// The keys of a convoy, as they are written.
    pub(crate) convoy: Vec<(Text, Node)>,
    pub(crate) source: Arc<Source>,
}

impl Formula {
    /// The value of a key of a convoy.
    pub(crate) fn convoy(&self, key: &str) -> Option<&Node> {
        self.convoy.iter().find(|(name, _)| name.as_str() == key).map(|(_, node)| node)
    }
}

/// What a formula is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Workflow,
    Expansion,
    Aspect,
    Convoy,
    Patrol,
}

impl Kind {
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("workflow", Self::Workflow),
        ("expansion", Self::Expansion),
        ("aspect", Self::Aspect),
        ("convoy", Self::Convoy),
        ("patrol", Self::Patrol),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("workflow", |(word, _)| word)
    }
}

/// `[patrol]`: whose policy runs the steps, and when.
#[derive(Debug, Clone)]
pub(crate) struct PatrolDef {
    pub(crate) role: Option<Text>,
    pub(crate) every: Option<Text>,
    pub(crate) on: Option<Text>,
    pub(crate) digest: Option<Text>,
    pub(crate) at: At,
}

/// A variable and where it was declared.
#[derive(Debug, Clone)]
pub(crate) struct VarDef {
    pub(crate) var: Var,
    pub(crate) at: At,
    pub(crate) default_at: At,
}

/// A step as written, or as a stage made it. What most steps have not is boxed: there may be two million of them.
#[derive(Debug, Clone)]
pub(crate) struct StepDef {
    pub(crate) id: Text,
    pub(crate) title: Option<Text>,
    pub(crate) description: Option<Text>,
    pub(crate) notes: Option<Box<Text>>,
    pub(crate) kind: Option<Text>,
    pub(crate) priority: Option<u8>,
    pub(crate) labels: Vec<Text>,
    pub(crate) assignee: Option<Box<Text>>,
    pub(crate) depends_on: Vec<Text>,
    pub(crate) needs: Vec<Text>,
    pub(crate) waits_for: Option<Box<Text>>,
    pub(crate) condition: Vec<Text>,
    pub(crate) gate: Option<Arc<GateDef>>,
    /// Conditions of gate rules.
    pub(crate) held: Option<Arc<[Text]>>,
    pub(crate) expand: Option<Box<Text>>,
    pub(crate) expand_vars: Option<Arc<TextVars>>,
    pub(crate) repeat: Option<Arc<LoopDef>>,
    pub(crate) until: Option<Arc<UntilDef>>,
    /// What names the round, before the number of the first one was filled in.
    pub(crate) round: Option<Arc<RoundTexts>>,
    pub(crate) on_complete: Option<Arc<OnCompleteDef>>,
    pub(crate) run: Option<Box<Text>>,
    pub(crate) acceptance: Option<Box<Text>>,
    pub(crate) metadata: Option<Arc<Map<String, Value>>>,
    pub(crate) touches: Option<Arc<[Text]>>,
    pub(crate) children: Vec<StepDef>,
    /// The formula that holds the text.
    pub(crate) formula: Arc<str>,
    /// As in `steps[1].loop.body[0].iter3`.
    pub(crate) location: Arc<str>,
}

impl StepDef {
    /// A step of nothing but an id.
    pub(crate) fn new(id: Text, formula: Arc<str>, location: Arc<str>) -> Self {
        Self {
            id,
            title: None,
            description: None,
            notes: None,
            kind: None,
            priority: None,
            labels: Vec::new(),
            assignee: None,
            depends_on: Vec::new(),
            needs: Vec::new(),
            waits_for: None,
            condition: Vec::new(),
            gate: None,
            held: None,
            expand: None,
            expand_vars: None,
            repeat: None,
            until: None,
            round: None,
            on_complete: None,
            run: None,
            acceptance: None,
            metadata: None,
            touches: None,
            children: Vec::new(),
            formula,
            location,
        }
    }

    /// The title, or the id.
    pub(crate) fn title(&self) -> &str {
        self.title.as_ref().map_or(self.id.as_str(), Text::as_str)
    }

    /// The step whose children it waits for by name.
    pub(crate) fn children_of(&self) -> Option<Text> {
        let text = self.waits_for.as_deref()?;
        Some(text.with(children_of(text.as_str())?))
    }

    /// Whether none of these steps must come before it.
    pub(crate) fn begins(&self, among: &HashSet<Arc<str>>) -> bool {
        self.needs.iter().chain(&self.depends_on).all(|id| !among.contains(&id.value))
    }

    /// Adds conditions of gate rules, each once.
    pub(crate) fn hold(&mut self, conditions: &[Text]) {
        let mut all: Vec<Text> = self.held.iter().flat_map(|held| held.iter()).cloned().collect();
        for condition in conditions {
            if !all.contains(condition) {
                all.push(condition.clone());
            }
        }
        self.held = (!all.is_empty()).then(|| all.into());
    }

    /// Adds an edge, once.
    pub(crate) fn need(&mut self, id: &Text) {
        if !self.needs.contains(id) && !self.depends_on.contains(id) {
            self.needs.push(id.clone());
        }
    }
}

/// The step in `children-of(STEP)`.
pub(crate) fn children_of(waits_for: &str) -> Option<&str> {
    Some(waits_for.strip_prefix("children-of(")?.strip_suffix(')')?.trim())
}

/// Calls `f` on each step, parents before children.
pub(crate) fn walk<'a>(steps: &'a [StepDef], f: &mut impl FnMut(&'a StepDef)) {
    for step in steps {
        f(step);
        walk(&step.children, f);
    }
}

/// Calls `f` on each step, parents before children.
pub(crate) fn walk_mut(steps: &mut [StepDef], f: &mut impl FnMut(&mut StepDef)) {
    for step in steps {
        f(step);
        walk_mut(&mut step.children, f);
    }
}

/// How many bytes of text the steps may come to when their placeholders are filled with texts of at most `longest`
/// bytes: what is said about a formula before it is expanded.
pub(crate) fn text_bound(steps: &[StepDef], longest: usize) -> u64 {
    let bound = |text: &str| (text.len() + text.matches('{').count().saturating_mul(longest)) as u64;
    let of = |texts: &[Text]| texts.iter().map(|t| bound(t.as_str())).fold(0, u64::saturating_add);
    let one = |step: &StepDef| {
        let plain = [Some(&step.id), step.title.as_ref(), step.description.as_ref()];
        let boxed = [&step.notes, &step.assignee, &step.acceptance];
        let texts = plain.into_iter().chain(boxed.map(|t| t.as_deref())).flatten();
        let lists = [&step.labels, &step.needs, &step.depends_on, &step.condition];
        let given = step.on_complete.iter().flat_map(|on| on.vars.values()).map(|text| text.as_str().to_owned());
        let free = step.metadata.iter().flat_map(|metadata| metadata.values()).map(Value::to_string);
        // All copies of the step share these where nothing in them is filled.
        let shared = given.chain(free).filter(|text| text.contains('{'));
        let own = texts.map(|t| bound(t.as_str())).fold(0, u64::saturating_add);
        let lists = lists.into_iter().map(|l| of(l)).fold(0, u64::saturating_add);
        let shared = shared.map(|text| bound(&text)).fold(0, u64::saturating_add);
        own.saturating_add(lists).saturating_add(shared).saturating_add(text_bound(&step.children, longest))
    };
    steps.iter().map(one).fold(0, u64::saturating_add)
}

/// How many steps there are with their children.
pub(crate) fn count(steps: &[StepDef]) -> u64 {
    steps.iter().map(|s| 1 + count(&s.children)).sum()
}

#[derive(Debug, Clone)]
pub(crate) struct GateDef {
    pub(crate) kind: Text,
    pub(crate) id: Option<Text>,
    pub(crate) timeout: Option<Text>,
    /// Of a loop that has rounds until a condition holds: the first of them alone waits for it.
    pub(crate) once: bool,
}

/// `[steps.loop]`.
#[derive(Debug, Clone)]
pub(crate) struct LoopDef {
    pub(crate) times: Times,
    pub(crate) var: Option<Text>,
    pub(crate) body: Vec<StepDef>,
    pub(crate) at: At,
}

/// How often a loop runs.
#[derive(Debug, Clone)]
pub(crate) enum Times {
    Count(u64),
    Range(Text),
    Until(UntilDef),
}

#[derive(Debug, Clone)]
pub(crate) struct UntilDef {
    pub(crate) condition: Text,
    pub(crate) max: u32,
    /// What the number of the round is called.
    pub(crate) var: Option<Arc<str>>,
    /// The step of the first round for which those wait that need the loop; known when all stages are done.
    pub(crate) end: Option<Arc<str>>,
}

#[derive(Debug, Clone)]
pub(crate) struct OnCompleteDef {
    pub(crate) for_each: Text,
    pub(crate) bond: Text,
    pub(crate) vars: TextVars,
    pub(crate) sequential: bool,
}

/// `[compose]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Compose {
    pub(crate) bond_points: Vec<BondPoint>,
    pub(crate) hooks: Vec<Value>,
    pub(crate) expand: Vec<ExpandRule>,
    pub(crate) map: Vec<ExpandRule>,
    pub(crate) branch: Vec<Branch>,
    pub(crate) gate: Vec<GateRule>,
    pub(crate) aspects: Vec<Text>,
}

#[derive(Debug, Clone)]
pub(crate) struct BondPoint {
    pub(crate) id: Text,
    pub(crate) description: Option<Text>,
    pub(crate) after: Option<Text>,
    pub(crate) before: Option<Text>,
    /// What else begins what came in the place of the step before which it is.
    pub(crate) also_before: Vec<Text>,
    pub(crate) parallel: bool,
}

/// `compose.expand` (one target) or `compose.map` (a glob).
#[derive(Debug, Clone)]
pub(crate) struct ExpandRule {
    pub(crate) target: Text,
    pub(crate) with: Text,
    pub(crate) vars: TextVars,
}

#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) from: Text,
    pub(crate) steps: Vec<Text>,
    pub(crate) join: Option<Text>,
}

#[derive(Debug, Clone)]
pub(crate) struct GateRule {
    pub(crate) before: Text,
    pub(crate) condition: Text,
}

/// One `[[advice]]`.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) target: Option<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) label: Option<Text>,
    pub(crate) before: Vec<StepDef>,
    pub(crate) after: Vec<StepDef>,
    /// `after` steps hold the dependents of the target.
    pub(crate) gates: bool,
    /// As in `before` and `after`, the parts under `around`, which come after them.
    pub(crate) around_before: Vec<StepDef>,
    pub(crate) around_after: Vec<StepDef>,
}

impl Rule {
    /// What it weaves in, wherever that stands.
    pub(crate) fn sides(&self) -> [&[StepDef]; 4] {
        [&self.before, &self.after, &self.around_before, &self.around_after]
    }

    /// The first of its texts, which says where it stands.
    pub(crate) fn first(&self) -> Option<&Text> {
        let step = || self.sides().into_iter().find_map(|side| side.first()).map(|step| &step.id);
        self.target.as_ref().or(self.kind.as_ref()).or(self.label.as_ref()).or_else(step)
    }
}

/// One `[[pointcuts]]`: all that is given must hold.
#[derive(Debug, Clone)]
pub(crate) struct Pointcut {
    pub(crate) glob: Option<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) label: Option<Text>,
}
