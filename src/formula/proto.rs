//! The frozen template that cooking makes: flat, self-contained, named by its content.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A protomolecule. Needs no file and no library any more; pouring fills its variables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proto {
    /// `proto-` and twelve hex digits of the SHA-256 of everything below but `sources`, origins and paths.
    pub id: String,
    /// The name of the formula.
    pub formula: String,
    /// What the formula says of itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The formula's own version number.
    pub version: i64,
    /// `workflow`, `expansion`, `aspect`, `convoy` or `patrol`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `liquid` or `vapor`: what the formula would rather be poured as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// A wisp of it makes its steps too, not only the root.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pour: bool,
    /// Variables by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, Var>,
    /// The steps; parents before their children, otherwise in the order of the formula.
    pub steps: Vec<Step>,
    /// Places where other molecules can be bonded: `(id, description, step, before)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bond_points: Vec<Value>,
    /// The formula's `[squash]` table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub squash: Option<Value>,
    /// Whose policy runs it and when, for a patrol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patrol: Option<Patrol>,
    /// The keys of a convoy formula: `inputs`, `prompts`, `legs`, `synthesis`, `output`, `presets`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub convoy: Map<String, Value>,
    /// First rounds of loops that go on until a condition holds, as in `review.iter1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<String>,
    /// The formulas that `on_complete` of steps bonds, cooked too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bonds: Vec<Proto>,
    /// The two protomolecules that it was bonded of. It has no steps of its own then, and pouring it pours both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compound: Option<Box<Compound>>,
    /// The files that took part: formula name, path, layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<(String, String, String)>,
    /// The Lua aspects that took part, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub woven: Vec<Woven>,
}

/// What a compound consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compound {
    /// `sequential`, `parallel` or `conditional`.
    pub how: String,
    /// What comes first.
    pub first: Proto,
    /// What is bonded to it.
    pub second: Proto,
}

/// A Lua aspect as it was when the formula was cooked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Woven {
    /// Its name.
    pub aspect: String,
    /// The file.
    pub path: String,
    /// Twelve hex digits of the SHA-256 of its text.
    pub revision: String,
}

impl Proto {
    /// Two protomolecules as one, by the name of `title`. Of variables that both have, the first one's count for it.
    #[must_use]
    pub fn compound(title: String, how: &str, first: Self, second: Self) -> Self {
        // What is fixed in one part is nothing to the other.
        let open =
            |part: &Self| part.vars.clone().into_iter().filter(|(_, var)| !var.fixed).collect::<BTreeMap<_, _>>();
        let mut vars = open(&second);
        vars.extend(open(&first));
        let mut proto = Self {
            id: String::new(),
            formula: title,
            description: String::new(),
            version: 1,
            kind: "workflow".to_owned(),
            phase: None,
            pour: first.pour || second.pour,
            vars,
            steps: Vec::new(),
            bond_points: Vec::new(),
            squash: None,
            patrol: None,
            convoy: Map::new(),
            rounds: Vec::new(),
            bonds: Vec::new(),
            sources: Vec::new(),
            woven: Vec::new(),
            compound: Some(Box::new(Compound { how: how.to_owned(), first, second })),
        };
        proto.id = super::stage::freeze::id(&proto);
        proto
    }

    /// Those of the values that are for it as a part of a compound.
    pub fn own_values(&self, values: &super::Vars) -> super::Vars {
        values
            .iter()
            .filter(|(name, _)| self.fixed(name).is_none())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The value that a variable has once and for all, here or in each part that knows it.
    pub fn fixed(&self, name: &str) -> Option<&str> {
        match self.vars.get(name) {
            Some(var) => var.default.as_deref().filter(|_| var.fixed),
            None => self.parts().find_map(|part| part.fixed(name)),
        }
    }

    /// Whether its id is the one that its content gives it, and those of all that is in it are.
    pub fn is_named_by_content(&self) -> bool {
        let inside = self.bonds.iter().chain(self.parts());
        super::stage::freeze::id(self) == self.id && inside.into_iter().all(Self::is_named_by_content)
    }

    /// The two protomolecules that it was bonded of, if it was.
    pub fn parts(&self) -> impl Iterator<Item = &Self> {
        self.compound.iter().flat_map(|compound| [&compound.first, &compound.second])
    }

    /// How many steps it has, those of its parts too.
    pub fn size(&self) -> usize {
        self.steps.len() + self.parts().map(Self::size).sum::<usize>()
    }

    /// Whether there is something to pour: other types than workflows and patrols need not have steps.
    pub fn can_be_poured(&self) -> bool {
        !self.steps.is_empty() || !matches!(self.kind.as_str(), "aspect" | "expansion" | "convoy")
    }

    /// The step of that id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.id == id)
    }
}

/// What a patrol formula says of its schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patrol {
    /// The role whose policy has the functions that the steps name.
    pub role: String,
    /// A cycle is due this long after the last one, as written: `12h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// The kind of event that makes a cycle due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The function that says what the cycle is remembered by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A variable that a formula declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Var {
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Must be given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The values it may have; any when empty.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// A regular expression that the whole value must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// `string`, `int` or `bool`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The texts were filled with its default when the formula was cooked: it has no other value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
}

impl Var {
    /// Why the variable cannot have that value, if it cannot.
    pub fn refuses(&self, value: &str) -> Option<String> {
        super::stage::check::wrong(self, value)
    }
}

/// One step of a protomolecule. What few steps have is boxed: there may be two million of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique within the protomolecule.
    pub id: String,
    /// The id, if the formula gave none.
    pub title: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Remarks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// `task`, `bug`, `feature`, `epic` or `chore`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 0 to 4; 2 when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Labels of the step's bead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Who is to do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// The step that this one is a child of; the root when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Ids of the steps that must be closed before: `needs` and `depends_on` together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Waits for the children of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Box<Waits>>,
    /// Waits for something outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Box<Gate>>,
    /// Conditions of gate rules on the running molecule; the step is held until all have held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// Conditions on variables; the step is left out at pour unless all hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub condition: Vec<String>,
    /// Decided when the step comes up; closed as skipped unless it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if: Option<Box<OnlyIf>>,
    /// Repeats its group until a condition holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Box<Until>>,
    /// Its texts that name the round, of a loop that goes on until a condition holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Box<RoundTexts>>,
    /// What to bond when the step is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_complete: Option<Box<OnComplete>>,
    /// The function of the owning role's policy that does the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// When the step counts as done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<String>,
    /// Free keys, copied to the bead.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Where the step came from.
    pub origin: Origin,
}

impl Step {
    /// All texts in which pouring fills variables.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let gate = self.gate.iter().flat_map(|gate| [&gate.id, &gate.timeout]).flatten();
        let single = self.acceptance.iter().chain(&self.assignee).chain(gate);
        let until = self.until.iter().map(|until| &until.until);
        let globs = self.only_if.iter().flat_map(|only_if| &only_if.touches);
        let given = self.on_complete.iter().flat_map(|on| on.vars.values());
        let lists = self.labels.iter().chain(&self.held).chain(globs).chain(given);
        [&self.title, &self.description, &self.notes]
            .into_iter()
            .chain(single)
            .chain(until)
            .chain(lists)
            .map(String::as_str)
    }
}

/// `waits_for`: which children, all or any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// `all-children` or `any-children`.
    pub mode: String,
    /// The step whose children are meant; none means nobody's, which holds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// An event outside the molecule that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// `human`, `timer`, `bead`, `mail`, `gh:run`, `gh:pr` or any other word.
    #[serde(rename = "type")]
    pub kind: String,
    /// What to wait for, in the terms of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How long, as written: `1h30m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Of a loop that has rounds until a condition holds: the first of them alone waits for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

/// A condition on the work itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlyIf {
    /// Globs of paths; holds if the molecule's changes touch one of them.
    pub touches: Vec<String>,
}

/// The end condition of a loop that is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// The condition, as in `step.status == 'complete'`.
    pub until: String,
    /// At most that many times.
    pub max: u32,
    /// What the number of the round is called in the condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub var: Option<String>,
    /// The step of the first round for which those wait that need the loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// What each round of a loop fills anew of a step: what has `{var}` in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoundTexts {
    /// What the number of the round is called.
    pub var: String,
    /// Variables of the formula in these texts, with their values: they are filled after the number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// By the key of the step: `title`, `description`, `notes`, `acceptance`, `assignee`; of its gate `gate_id` and
    /// `gate_timeout`.
    pub texts: BTreeMap<String, String>,
    /// All labels, if one of them has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// By the key of the bead's metadata: free keys, and `on_complete` and `only_if` as [`OnComplete`] and [`OnlyIf`].
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// Fan-out at the end of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnComplete {
    /// The list in the step's output, as in `output.items`.
    pub for_each: String,
    /// The formula that is bonded for each item.
    pub bond: String,
    /// Its variables; `{item}`, `{item.field}` and `{index}` are filled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// One after the other instead of side by side.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sequential: bool,
}

/// Where a step came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The formula, expansion or aspect that holds the text.
    pub formula: Arc<str>,
    /// As in `steps[1].loop.body[0].iter3`, `template[2]` or `advice[0].after`.
    pub location: Arc<str>,
    /// The line in its file.
    #[serde(default)]
    pub line: u32,
}
