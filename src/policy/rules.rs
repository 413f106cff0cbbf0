//! Rules as they stand after all layers: for each rule, what it is with the layers up to a height.

use mlua::{Function, Lua, Value};

use super::vm::{Body, Part, Per, Reset, Says};

/// A rule of a role.
#[derive(Debug)]
pub(super) struct Rule {
    pub name: String,
    pub on: Says,
    /// With the lowest layer, with one more, …: the last is in charge, the ones before are what it falls back to.
    pub heights: Vec<Height>,
}

/// A rule with the layers up to one.
#[derive(Debug, Clone)]
pub(super) struct Height {
    pub layer: usize,
    pub file: String,
    pub line: u32,
    pub when: Option<Call>,
    pub body: Body,
    /// What `act` gets as `base`.
    pub act_base: Option<Function>,
    pub per: Option<Per>,
    pub reset: Reset,
    pub beats: Vec<String>,
}

impl Height {
    /// Layer, file and line.
    pub fn at(&self) -> (usize, &str, u32) {
        (self.layer, &self.file, self.line)
    }
}

/// A function and the one of the layer below.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub function: Function,
    pub base: Option<Function>,
}

/// Composes the rules out of the parts that the layers declared.
pub(super) fn compose(lua: &Lua, parts: &[Part]) -> mlua::Result<Vec<Rule>> {
    let mut rules: Vec<Rule> = Vec::new();
    for part in parts {
        match part.says {
            Says::Each(_) | Says::On(_) => {
                let Some(body) = part.body.clone() else { continue };
                let height = Height {
                    layer: part.layer,
                    file: part.file.clone(),
                    line: part.line,
                    when: part.when.clone().map(|function| Call { function, base: None }),
                    body,
                    act_base: None,
                    per: part.per,
                    reset: part.reset.unwrap_or(Reset::Progress),
                    beats: part.beats.clone().unwrap_or_default(),
                };
                rules.push(Rule { name: part.rule.clone(), on: part.says, heights: vec![height] });
            }
            Says::Drop => rules.retain(|r| r.name != part.rule),
            Says::Override => {
                let Some(rule) = rules.iter_mut().find(|r| r.name == part.rule) else { continue };
                let Some(below) = rule.heights.last() else { continue };
                let above = over(lua, below, part)?;
                rule.heights.push(above);
            }
        }
    }
    Ok(rules)
}

fn over(lua: &Lua, below: &Height, part: &Part) -> mlua::Result<Height> {
    let mut above = Height { layer: part.layer, file: part.file.clone(), line: part.line, ..below.clone() };
    if let Some(function) = &part.when {
        let base = below.when.as_ref().map(|when| base(lua, &when.function, when.base.as_ref())).transpose()?;
        above.when = Some(Call { function: function.clone(), base });
    }
    if let Some(body) = &part.body {
        above.act_base = match &below.body {
            Body::Act(act) => Some(base(lua, act, below.act_base.as_ref())?),
            Body::Ladder(_) => None,
        };
        above.body = body.clone();
    }
    above.per = part.per.or(below.per);
    above.reset = part.reset.unwrap_or(below.reset);
    if let Some(beats) = &part.beats {
        above.beats.clone_from(beats);
    }
    Ok(above)
}

/// What a layer gets as `base`: the function below, with its own base.
pub(super) fn base(lua: &Lua, below: &Function, its_base: Option<&Function>) -> mlua::Result<Function> {
    let (below, its_base) = (below.clone(), its_base.cloned());
    lua.create_function(move |_, (subject, town): (Value, Value)| {
        below.call::<mlua::MultiValue>((subject, town, its_base.clone()))
    })
}
