//! Edges and comments of a line whose particulars are missing or written otherwise.

use std::collections::HashSet;

use serde_json::Value;

use super::coerce;
use super::line::{made_id, put_aside};
use crate::base::{BeadId, Time, text};
use crate::store::row::ODD_DEPENDENCIES;
use crate::store::{Bead, Comment, Dep, DepKind, Map};

/// Lets the dependencies of a line that lead to no bead id lead to the bead that got another one in its place, if that is
/// `there`. Says how many do, and how many are kept aside.
pub(super) fn rejoin<E>(
    bead: &mut Bead,
    guesses: &mut Guesses,
    prefix: &str,
    there: impl Fn(&BeadId) -> Result<bool, E>,
) -> Result<Vec<String>, E> {
    let Some(Value::Array(odd)) = bead.extra.get_mut(ODD_DEPENDENCIES) else { return Ok(Vec::new()) };
    let odd = std::mem::take(odd);
    let filling = Filling { id: &bead.id.clone(), at: bead.created_at.to_string().into() };
    let (mut rest, mut joined, mut said) = (Vec::new(), 0, Vec::new());
    for dep in odd {
        let whole = match meant_by(&dep, prefix, &there)? {
            Some(dep) => filling.edge(&dep),
            None => None,
        };
        let edge = whole.and_then(|whole| Some((serde_json::from_value::<Dep>(whole.value).ok()?, whole.guessed)));
        let Some((mut edge, guessed)) = edge else {
            rest.push(dep);
            continue;
        };
        kinds(std::slice::from_mut(&mut edge), &mut said);
        guesses.edges.resize(bead.dependencies.len(), Vec::new());
        guesses.edges.push(guessed);
        bead.dependencies.push(edge);
        joined += 1;
    }
    if joined > 0 {
        said.push(format!("{} to a bead that has another id now", text::count(joined, "dependency")));
        once(&mut bead.dependencies, guesses, &mut said);
    }
    if rest.is_empty() {
        bead.extra.shift_remove(ODD_DEPENDENCIES);
    } else {
        said.push(format!("{} kept without effect: no bead id", text::count(rest.len(), "dependency")));
        bead.extra.insert(ODD_DEPENDENCIES.to_owned(), rest.into());
    }
    Ok(said)
}

/// A dependency whose target is no bead id, with the one that it means.
fn meant_by<E>(dep: &Value, prefix: &str, there: impl Fn(&BeadId) -> Result<bool, E>) -> Result<Option<Value>, E> {
    let keys = TARGETS.iter().map(|key| (*key, dep.get(key))).chain([(TARGETS[0], Some(dep))]);
    for (key, text) in keys.filter_map(|(key, value)| Some((key, value?.as_str()?.trim()))) {
        let target = match BeadId::new(text) {
            Ok(target) => target,
            // An id that can be none is the seed of the one that its bead got.
            Err(_) => match made_id(prefix, text) {
                Ok(made) if there(&made)? => made,
                _ => continue,
            },
        };
        let mut meant = if dep.is_object() { dep.clone() } else { Value::Object(Map::new()) };
        meant[key] = target.as_str().into();
        return Ok(Some(meant));
    }
    Ok(None)
}

/// Under which keys an edge may name what it leads to, best first.
const TARGETS: [&str; 5] = ["depends_on_id", "depends_on", "target_id", "target", "to"];

/// What an edge may leave out, a text each.
const OPTIONAL: [&str; 3] = ["created_by", "metadata", "thread_id"];

/// Reads what stands in place of a list as one.
type AsList = fn(&Value) -> Option<Value>;

/// Which particulars of its edges and comments a line does not state: they were filled in so that it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guesses {
    edges: Vec<Vec<&'static str>>,
    comments: Vec<Vec<&'static str>>,
}

impl Guesses {
    /// Whether `key` of the edge at place `n` is a guess.
    pub fn edge(&self, n: usize, key: &str) -> bool {
        self.edges.get(n).is_some_and(|keys| keys.contains(&key))
    }

    /// Whether `key` of the comment at place `n` is a guess.
    pub fn comment(&self, n: usize, key: &str) -> bool {
        self.comments.get(n).is_some_and(|keys| keys.contains(&key))
    }

    /// Lets the comment at place `n` be guessed in what the one at place `m` of `other` is.
    pub(super) fn guess_comment(&mut self, n: usize, other: &Self, m: usize) {
        if let Some(keys) = other.comments.get(m) {
            self.comments.resize(n, Vec::new());
            self.comments.push(keys.clone());
        }
    }
}

/// A member with nothing missing, what of it is a guess, and what of the line it could not keep.
struct Whole {
    value: Value,
    guessed: Vec<&'static str>,
    lost: Vec<String>,
}

/// What is filled in of the members of one bead.
struct Filling<'a> {
    id: &'a BeadId,
    at: Value,
}

impl Filling<'_> {
    /// Completes `value`, whose text alone would be its `first` key, by the defaults in `more`.
    fn whole(&self, value: &Value, first: &str, more: &[(&'static str, &Value)]) -> Option<Whole> {
        let mut value = match value {
            Value::String(text) => Map::from_iter([(first.to_owned(), text.as_str().into())]),
            Value::Object(map) => map.clone(),
            _ => return None,
        };
        let (mut guessed, mut lost) = (Vec::new(), Vec::new());
        value.insert("issue_id".to_owned(), self.id.as_str().into());
        for (key, default) in more.iter().copied() {
            let fits = |v: &Value| {
                std::mem::discriminant(v) == std::mem::discriminant(default)
                    && (key != "id" || v.is_i64())
                    && (key != "created_at" || v.as_str().is_some_and(|t| t.parse::<Time>().is_ok()))
            };
            let there = value.get(key).filter(|v| !v.is_null());
            if there.is_some_and(fits) {
                continue;
            }
            let meant = there.map(|v| coerce::candidates(key, v)).unwrap_or_default().into_iter().find(fits);
            if meant.is_none() {
                guessed.push(key);
                lost.extend(there.map(|v| format!("`{key}` {}", text::headline(&v.to_string(), 40))));
            }
            value.insert(key.to_owned(), meant.unwrap_or_else(|| default.clone()));
        }
        Some(Whole { value: value.into(), guessed, lost })
    }

    fn edge(&self, dep: &Value) -> Option<Whole> {
        let (mut dep, lost) = meant(dep);
        for key in OPTIONAL {
            match dep.get(key) {
                None | Some(Value::String(_)) => {}
                Some(Value::Null) => _ = dep.as_object_mut().and_then(|dep| dep.shift_remove(key)),
                Some(other) => dep[key] = other.to_string().into(),
            }
        }
        let more = [("type", &Value::from("blocks")), ("created_at", &self.at)];
        let mut whole = self.whole(&dep, "depends_on_id", &more)?;
        whole.lost.extend(lost);
        fits_edge(&whole.value).then_some(whole)
    }

    fn comment(&self, n: i64, comment: &Value) -> Option<Whole> {
        let mut comment = comment.clone();
        if let Some(map) = comment.as_object_mut().filter(|map| !map.contains_key("text"))
            && let Some(body) = map.get("body").filter(|body| body.is_string()).cloned()
        {
            map.insert("text".to_owned(), body);
        }
        let (nobody, nothing) = (Value::from("unknown"), Value::from(""));
        let more = [("id", &Value::from(n)), ("author", &nobody), ("text", &nothing), ("created_at", &self.at)];
        self.whole(&comment, "text", &more)
    }
}

fn fits_edge(dep: &Value) -> bool {
    serde_json::from_value::<Dep>(dep.clone()).is_ok()
}

/// An edge as other trackers write it: its target and its kind under other keys, or the whole bead that it leads to
/// with the kind beside. What else is shown of that bead is the other bead's, and not kept here.
fn meant(dep: &Value) -> (Value, Option<String>) {
    let Some(map) = dep.as_object() else { return (dep.clone(), None) };
    let kind = map.get("dependency_type").filter(|kind| kind.is_string());
    let is_id = |key: &&str| map.get(*key).and_then(Value::as_str).is_some_and(|id| BeadId::new(id).is_ok());
    let Some(named) = TARGETS.into_iter().find(is_id) else {
        let shown = ["title", "status"].iter().any(|key| map.contains_key(*key));
        return match (map.get("id"), kind) {
            (Some(target), Some(kind)) if shown && !TARGETS.iter().any(|key| map.contains_key(*key)) => {
                let others: Vec<&str> =
                    map.keys().map(String::as_str).filter(|key| !["id", "dependency_type"].contains(key)).collect();
                let lost = format!("what it shows of {}: {}", target.as_str().unwrap_or_default(), others.join(", "));
                (serde_json::json!({ "depends_on_id": target, "type": kind }), Some(lost))
            }
            _ => (dep.clone(), None),
        };
    };
    let mut meant = map.clone();
    // A target that is named by its own key alone is moved there; one beside it stays, as whatever it means.
    if named != TARGETS[0]
        && !map.contains_key(TARGETS[0])
        && let Some(target) = meant.shift_remove(named)
    {
        meant.insert(TARGETS[0].to_owned(), target);
    }
    if !map.contains_key("type")
        && let Some(kind) = meant.shift_remove("dependency_type").filter(Value::is_string)
    {
        meant.insert("type".to_owned(), kind);
    }
    (meant.into(), None)
}

/// Dependencies that are no list as one: ids in a text, separated by commas, one edge alone, or an object of ids and
/// kinds.
fn as_list(deps: &Value) -> Option<Value> {
    let is_id = |id: &&str| BeadId::new(*id).is_ok();
    match deps {
        Value::Object(map) if TARGETS.iter().chain(&["dependency_type"]).any(|key| map.contains_key(*key)) => {
            Some(vec![deps.clone()].into())
        }
        Value::String(text) => {
            let ids: Vec<&str> = text.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
            ids.iter().all(is_id).then(|| ids.into())
        }
        Value::Object(map)
            if !map.is_empty() && map.iter().all(|(id, kind)| is_id(&id.as_str()) && kind.is_string()) =>
        {
            let edge = |(id, kind): (&String, &Value)| serde_json::json!({ "depends_on_id": id, "type": kind });
            Some(map.iter().map(edge).collect())
        }
        _ => None,
    }
}

/// A comment, or the text of one, that stands in place of a list, as one.
fn lone_comment(value: &Value) -> Option<Value> {
    let alone = value.as_str().is_some_and(|text| !text.trim().is_empty())
        || value.get("text").or_else(|| value.get("body")).is_some();
    alone.then(|| vec![value.clone()].into())
}

/// What an edge as it stands in a line leads to.
pub(super) fn target(dep: &Value) -> Option<&str> {
    dep.as_str().or_else(|| TARGETS.iter().chain(&["id"]).find_map(|key| dep.get(*key)?.as_str()))
}

/// The kind of an edge as it stands in a line; none when it states none that is a text.
pub(super) fn kind(dep: &Value) -> Option<&str> {
    dep.get("type").or_else(|| dep.get("dependency_type"))?.as_str()
}

/// Lets an edge be one that stands in its line twice, as it is in the store: what stands there last counts.
pub(super) fn once(deps: &mut Vec<Dep>, guesses: &mut Guesses, repairs: &mut Vec<String>) {
    if deps.len() < 2 {
        return;
    }
    let mut seen = HashSet::new();
    let last = |dep: &Dep| seen.insert((dep.depends_on_id.clone(), dep.kind.clone()));
    let mut counts: Vec<bool> = deps.iter().rev().map(last).collect();
    counts.reverse();
    let twice = counts.iter().filter(|counts| !**counts).count();
    if twice > 0 {
        let (mut of_dep, mut of_guess) = (counts.iter(), counts.iter());
        deps.retain(|_| of_dep.next() == Some(&true));
        guesses.edges.retain(|_| of_guess.next() == Some(&true));
        repairs.push(format!("{} stood there twice; what stands there last counts", text::count(twice, "dependency")));
    }
}

/// Lets edges of no kind be those that hold, as where the kind is left out, and kinds in other letters the usual ones.
pub(super) fn kinds(deps: &mut [Dep], repairs: &mut Vec<String>) {
    for dep in deps {
        let kind = match dep.kind.as_str().trim() {
            "" => DepKind::BLOCKS,
            word => match super::line::usual(word, DepKind::KNOWN) {
                Some(usual) => DepKind::new(usual),
                None => continue,
            },
        };
        repairs
            .push(format!("the edge to {} of the kind `{}` is one of the kind `{kind}`", dep.depends_on_id, dep.kind));
        dep.kind = kind;
    }
}

/// Whether an element of a line's comments can be one.
pub(super) fn is_comment(value: &Value) -> bool {
    value.is_string() || value.is_object()
}

/// Moves what does not `fit` out of a list, so that it takes the rest of it along nowhere.
fn set_aside(what: &str, fit: fn(&Value) -> bool, list: &mut Vec<Value>, odd: &mut Map, repairs: &mut Vec<String>) {
    let (good, bad): (Vec<Value>, Vec<Value>) = std::mem::take(list).into_iter().partition(fit);
    *list = good;
    if !bad.is_empty() {
        repairs.push(format!("{} kept without effect: of the wrong kind", text::count(bad.len(), what)));
        odd.insert(format!("{what}s"), bad.into());
    }
}

/// Completes dependencies and comments whose particulars are missing; those that cannot be are kept aside.
pub(super) fn complete(id: &BeadId, fallback: Time, all: &mut Map, repairs: &mut Vec<String>) -> Guesses {
    let filling = Filling { id, at: fallback.to_string().into() };
    let mut guesses = Guesses::default();
    let mut lost = Vec::new();
    let listed: [(&str, AsList); 2] = [("dependencies", as_list), ("comments", lone_comment)];
    for (key, as_list) in listed {
        if let Some(list) = all.get(key).and_then(as_list) {
            repairs.push(format!("`{key}` was no list; read as one"));
            all.insert(key.to_owned(), list);
        }
    }
    if let Some(Value::Array(deps)) = all.get_mut("dependencies") {
        let (mut good, mut odd, mut mended) = (Vec::new(), Vec::new(), 0);
        for dep in std::mem::take(deps) {
            if fits_edge(&dep) {
                good.push(dep);
                guesses.edges.push(Vec::new());
            } else if let Some(whole) = filling.edge(&dep) {
                mended += 1;
                good.push(whole.value);
                guesses.edges.push(whole.guessed);
                lost.extend(whole.lost.into_iter().map(|what| format!("of a dependency, {what} was left out")));
            } else {
                odd.push(dep);
            }
        }
        *deps = good;
        if mended > 0 {
            repairs.push(format!("{} completed", text::count(mended, "dependency")));
        }
        if !odd.is_empty() {
            all.insert(ODD_DEPENDENCIES.to_owned(), odd.into());
        }
    }
    let mut odd = Map::new();
    if let Some(Value::Array(comments)) = all.get_mut("comments") {
        let mut mended = 0;
        set_aside("comment", is_comment, comments, &mut odd, repairs);
        for (n, comment) in (1_i64..).zip(comments.iter_mut()) {
            let mut guessed = Vec::new();
            if serde_json::from_value::<Comment>(comment.clone()).is_err()
                && let Some(whole) = filling.comment(n, comment)
            {
                (*comment, guessed) = (whole.value, whole.guessed);
                mended += 1;
                lost.extend(whole.lost.into_iter().map(|what| format!("of a comment, {what} was left out")));
            }
            guesses.comments.push(guessed);
        }
        if mended > 0 {
            repairs.push(format!("{} completed", text::count(mended, "comment")));
        }
    }
    if let Some(Value::Array(labels)) = all.get_mut("labels") {
        set_aside("label", |label| !label.is_array() && !label.is_object(), labels, &mut odd, repairs);
    }
    put_aside(all, odd);
    repairs.append(&mut lost);
    guesses
}
