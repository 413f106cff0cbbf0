//! One line of `issues.jsonl`, both ways.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::members::{self, Guesses};
use super::{coerce, exact, salvage};
use crate::base::{BeadId, Time, text};
use crate::store::row::ODD_DEPENDENCIES;
use crate::store::{Bead, IssueType, Map, Status};

/// Where values are kept that fit their key in no way; written back where the key is free.
pub(super) const ODD_VALUES: &str = "~values";

/// A line that could be read, and what had to be mended to do so.
#[derive(Debug, Clone)]
pub struct ParsedLine {
    /// The bead with its labels, dependencies and comments.
    pub bead: Bead,
    /// What was mended, in words.
    pub repairs: Vec<String>,
    /// Whether the line says when the bead was made.
    pub dated: bool,
    /// What of its edges and comments the line does not state.
    pub guesses: Guesses,
}

/// Reads a line. Whatever can be kept is; the error says why nothing could.
///
/// A bead without an id that can be one gets one that follows from the line, after `prefix`.
pub fn parse_line(line: &str, prefix: &str) -> Result<ParsedLine, String> {
    let kept = exact::keep(line);
    let readable = kept.as_ref().filter(|kept| kept.unreadable).map_or(line, |kept| &kept.text);
    let mut parsed = if let Ok(bead) = serde_json::from_str::<Bead>(readable) {
        ParsedLine { bead, repairs: Vec::new(), dated: true, guesses: Guesses::default() }
    } else {
        let salvaged = salvage::object(readable)?;
        let mut parsed = piecewise(line, salvaged.object, prefix)?;
        let repairs = &mut parsed.repairs;
        repairs.splice(0..0, salvaged.repairs);
        let rest = salvaged.rest.trim_start_matches([',', ']']).trim();
        if !rest.is_empty() {
            repairs.push(format!("what follows the object was left out: {}", text::headline(rest, 40)));
        }
        parsed
    };
    if let Some(kept) = kept {
        exact::restore(&mut parsed.bead, &kept);
    }
    parsed.bead = mend(parsed.bead, &mut parsed.repairs);
    members::kinds(&mut parsed.bead.dependencies, &mut parsed.repairs);
    members::once(&mut parsed.bead.dependencies, &mut parsed.guesses, &mut parsed.repairs);
    Ok(parsed)
}

/// Reads key by key. What does not fit is read as what it was meant to be, or kept aside without effect.
fn piecewise(line: &str, mut all: Map, prefix: &str) -> Result<ParsedLine, String> {
    let mut repairs = Vec::new();
    lowered(&mut all, &mut repairs);
    let id = id_of(line, &mut all, prefix, &mut repairs)?;
    let mut time = |key: &str| {
        let value = all.get(key)?;
        if let Some(time) = value.as_str().and_then(|t| t.parse::<Time>().ok()) {
            return Some(time);
        }
        let meant = coerce::candidates(key, value);
        let meant = meant.iter().find_map(|v| v.as_str()?.parse::<Time>().ok())?;
        repairs.push(format!("{key} was no RFC 3339 time; read as {meant}"));
        all.insert(key.to_owned(), meant.to_string().into());
        Some(meant)
    };
    let (created, updated) = (time("created_at"), time("updated_at"));
    let fallback = created.or(updated).unwrap_or(Time::from_millis(0));
    for (key, value) in [("created_at", created), ("updated_at", updated)] {
        if value.is_none() {
            let wrong = match all.get(key) {
                None | Some(Value::Null) => format!("{key} was missing"),
                Some(given) => match given.as_str().map(str::parse::<Time>) {
                    Some(Err(error)) => format!("{key}: {error}"),
                    _ => format!("{key} was no time: {}", text::headline(&given.to_string(), 40)),
                },
            };
            repairs.push(format!("{wrong}; set to {fallback}"));
            all.insert(key.to_owned(), fallback.to_string().into());
        }
    }
    let guesses = members::complete(&id, fallback, &mut all, &mut repairs);
    let base: Map = ["id", "created_at", "updated_at"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), all.get(key)?.clone())))
        .collect();
    let fits = |key: &str, value: &Value| {
        let mut probe = base.clone();
        probe.insert(key.to_owned(), value.clone());
        serde_json::from_value::<Bead>(Value::Object(probe)).is_ok()
    };
    let (mut kept, mut odd) = (Map::new(), Map::new());
    for (key, value) in all {
        if fits(&key, &value) {
            kept.insert(key, value);
        } else if let Some(meant) = coerce::candidates(&key, &value).into_iter().find(|meant| fits(&key, meant)) {
            repairs.push(format!(
                "`{key}` had a value of the wrong kind; read as {}",
                text::headline(&meant.to_string(), 60)
            ));
            kept.insert(key, meant);
        } else if !value.is_null() {
            repairs.push(format!("`{key}` has a value of the wrong kind; kept without effect"));
            odd.insert(key, value);
        }
    }
    if odd.contains_key("priority") {
        kept.insert("priority".to_owned(), 2.into());
    }
    put_aside(&mut kept, odd);
    let bead = serde_json::from_value(Value::Object(kept)).map_err(|e| format!("{id}: {e}"))?;
    Ok(ParsedLine { bead, repairs, dated: created.is_some(), guesses })
}

/// Keeps values without effect, beside those that are kept so already. What the line itself has under the key for them
/// and is no such object becomes one of them, so that it is written back as it was.
pub(super) fn put_aside(all: &mut Map, odd: Map) {
    let mut kept = match all.shift_remove(ODD_VALUES) {
        Some(Value::Object(kept)) => kept,
        Some(other) => Map::from_iter([(ODD_VALUES.to_owned(), other)]),
        None => Map::new(),
    };
    kept.extend(odd);
    if !kept.is_empty() {
        all.insert(ODD_VALUES.to_owned(), kept.into());
    }
}

/// Keys that every bead has, for those who write them in other letters.
const KEYS: [&str; 16] = [
    "id",
    "title",
    "description",
    "design",
    "notes",
    "status",
    "priority",
    "issue_type",
    "assignee",
    "labels",
    "dependencies",
    "comments",
    "created_at",
    "updated_at",
    "closed_at",
    "close_reason",
];

/// Lets keys in other letters than usual (`ID`, `Title`) be the usual ones, where those are not there.
fn lowered(all: &mut Map, repairs: &mut Vec<String>) {
    let usual = |key: &str| KEYS.into_iter().find(|usual| *usual != key && usual.eq_ignore_ascii_case(key));
    let others: Vec<(String, &str)> = all.keys().filter_map(|key| Some((key.clone(), usual(key)?))).collect();
    for (key, usual) in others {
        if !all.contains_key(usual)
            && let Some(value) = all.shift_remove(&key)
        {
            all.insert(usual.to_owned(), value);
            repairs.push(format!("`{key}` was read as `{usual}`"));
        }
    }
}

/// The id of the object; made when there is none that can be one.
fn id_of(line: &str, all: &mut Map, prefix: &str, repairs: &mut Vec<String>) -> Result<BeadId, String> {
    let given = match all.get("id") {
        Some(Value::String(id)) => Some(id.trim().to_owned()),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    let id = match given.as_deref().map(BeadId::new) {
        Some(Ok(id)) => {
            let written = all.get("id").and_then(Value::as_str);
            if let Some(written) = written.filter(|written| *written != id.as_str()) {
                repairs.push(format!("the id `{written}` was read as {id}"));
            }
            id
        }
        _ if all.get("title").is_none() => {
            return Err(given.map_or("it has no id", |_| "its id can be none, and it has no title").to_owned());
        }
        _ => {
            let id = made_id(prefix, given.as_deref().filter(|id| !id.is_empty()).unwrap_or(line))?;
            repairs.push(format!("it had no id that can be one; it is {id} now"));
            id
        }
    };
    all.insert("id".to_owned(), id.as_str().into());
    Ok(id)
}

/// An id that follows from `seed`.
pub(super) fn made_id(prefix: &str, seed: &str) -> Result<BeadId, String> {
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(seed)[..5]);
    BeadId::new(format!("{prefix}-{hash}")).map_err(|e| e.to_string())
}

/// The word among `known` that is meant by one in other letters.
pub(super) fn usual<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let meant = word.trim().to_lowercase().replace(['_', ' '], "-");
    known.iter().find(|known| **known == meant && **known != word).copied()
}

/// Mends values that break the rules of the format.
fn mend(mut bead: Bead, repairs: &mut Vec<String>) -> Bead {
    let known = bead.status.as_str().trim().to_lowercase().replace(['-', ' '], "_");
    if known.is_empty() {
        bead.status = Status::OPEN;
    } else if !bead.status.is_known() {
        let status = Status::new(&known);
        if status.is_known() {
            repairs.push(format!("status `{}` became {status}", bead.status));
            bead.status = status;
        } else {
            repairs.push(format!("status `{}` is none that bd knows; kept", text::headline(bead.status.as_str(), 40)));
        }
    }
    if bead.issue_type.as_str().is_empty() {
        bead.issue_type = IssueType::TASK;
    }
    if let Some(usual) = usual(bead.issue_type.as_str(), IssueType::KNOWN) {
        repairs.push(format!("type `{}` became {usual}", bead.issue_type));
        bead.issue_type = IssueType::new(usual);
    }
    if bead.priority > 4 {
        repairs.push(format!("priority {} became 4", bead.priority));
        bead.priority = 4;
    }
    let later = bead.created_at.max(bead.updated_at).plus_millis(1_000);
    if bead.status == "closed" && bead.closed_at.is_none() {
        repairs.push("closed without a time; set".to_owned());
        bead.closed_at = Some(later);
    }
    if !bead.is_over() && bead.closed_at.is_some() {
        repairs.push(format!("{} with a closing time; removed", bead.status));
        bead.closed_at = None;
    }
    if bead.status == "tombstone" && bead.deleted_at.is_none() {
        repairs.push("deleted without a time; set".to_owned());
        bead.deleted_at = Some(later);
    }
    if bead.id.as_str().contains("-wisp-") {
        bead.ephemeral = true;
    }
    if bead.title.is_empty() {
        repairs.push("it has no title".to_owned());
    }
    // The ledger keeps its stamps under this key.
    let stamps = bead.extra.shift_remove("_v");
    if stamps.is_some() {
        repairs.push("`_v` is a key of the ledger; kept without effect".to_owned());
    }
    let mut odd: Map = stamps.into_iter().map(|stamps| ("_v".to_owned(), stamps)).collect();
    if let Some(minutes) = bead.estimated_minutes.take_if(|minutes| *minutes < 0) {
        repairs.push(format!("estimated_minutes {minutes} is less than nothing; kept without effect"));
        odd.insert("estimated_minutes".to_owned(), minutes.into());
    }
    put_aside(&mut bead.extra, odd);
    let others = bead.dependencies.iter().filter(|dep| dep.issue_id != bead.id).count()
        + bead.comments.iter().filter(|comment| comment.issue_id != bead.id).count();
    if others > 0 {
        repairs.push(format!("{} of another bead; taken as its own", text::count(others, "dependency or comment")));
        bead.dependencies.iter_mut().for_each(|dep| dep.issue_id.clone_from(&bead.id));
        bead.comments.iter_mut().for_each(|comment| comment.issue_id.clone_from(&bead.id));
    }
    let labels = bead.labels.len();
    bead.labels.retain(|label| !label.is_empty() && !label.contains(char::is_control));
    if bead.labels.len() < labels {
        repairs.push("labels that are empty or have control characters were left out".to_owned());
    }
    bead.labels.sort();
    bead.labels.dedup();
    bead
}

/// Writes a bead as a line, without the line feed: keys in the order of the format, `<`, `>`, `&` and the two
/// line separators of Unicode as escapes, as the format's other writers do.
pub fn format_line(bead: &Bead) -> String {
    let plain = [ODD_DEPENDENCIES, ODD_VALUES].iter().all(|key| !bead.extra.contains_key(*key));
    let text = if plain { serde_json::to_string(bead).unwrap_or_default() } else { with_odd(bead).to_string() };
    let text = exact::unwrapped(&text);
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// A bead with what was kept without effect in its place.
fn with_odd(bead: &Bead) -> Value {
    let mut bead = bead.clone();
    let deps = bead.extra.shift_remove(ODD_DEPENDENCIES);
    let values = bead.extra.shift_remove(ODD_VALUES);
    let mut all = match serde_json::to_value(&bead) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    };
    if let Some(more) = deps.and_then(|odd| odd.as_array().cloned()) {
        match all.get_mut("dependencies").and_then(Value::as_array_mut) {
            Some(deps) => deps.extend(more),
            None => _ = all.insert("dependencies".to_owned(), more.into()),
        }
    }
    for (key, value) in values.and_then(|odd| odd.as_object().cloned()).unwrap_or_default() {
        match all.get_mut(&key) {
            // What of a list was odd, or stood in place of it, stands beside what it has now.
            Some(Value::Array(list)) => match value {
                Value::Array(more) => list.extend(more),
                other => list.push(other),
            },
            Some(_) => {}
            None => _ = all.insert(key, value),
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_and_writes_the_same_bytes() {
        let line = r#"{"id":"bd-1","title":"a \u003c b \u0026 c","status":"open","priority":0,"issue_type":"bug","created_at":"2026-01-11T10:33:47.827185-08:00","updated_at":"2026-01-11T10:33:47.827185-08:00","labels":["x"],"dependencies":[{"issue_id":"bd-1","depends_on_id":"bd-2","type":"blocks","created_at":"2026-01-11T10:33:47.827185-08:00"}],"from_later":{"a":1.5}}"#;
        let parsed = parse_line(line, "bd").expect("parse");
        assert!(parsed.repairs.is_empty());
        assert_eq!(format_line(&parsed.bead), line);
    }

    #[test]
    fn what_does_not_fit_is_kept_aside_alone() {
        let line = r#"{"id":"bd-1","title":"t","priority":[1],"created_at":"2026-01-01T00:00:00Z","dependencies":[{"issue_id":"bd-1","depends_on_id":"external:p:c","type":"blocks","created_at":"2026-01-01T00:00:00Z"}],"crystallizes":0.5,"new":[1]}"#;
        let parsed = parse_line(line, "bd").expect("parse");
        assert_eq!(parsed.repairs.len(), 2, "{:?}", parsed.repairs);
        assert_eq!((parsed.bead.title.as_str(), parsed.bead.priority), ("t", 2));
        let back = format_line(&parsed.bead);
        assert!(
            back.contains("external:p:c") && back.contains("\"new\":[1]") && back.contains("\"crystallizes\":0.5"),
            "{back}"
        );
        for bad in ["", "[]", "{}", "{\"id\":\"../x\"}", "{\"id\":null}", "nonsense"] {
            assert!(parse_line(bad, "bd").is_err(), "{bad}");
        }
    }

    #[test]
    fn values_of_the_wrong_kind_are_read_as_what_they_were_meant_to_be() {
        let line = r#"{"id":7,"title":12,"status":"In-Progress","priority":"P1","issue_type":"bug","estimated_minutes":"30","pinned":"true","labels":"b, a","description":["one","two"],"created_at":1767225600,"updated_at":"2026-01-02 10:00:00","due_at":"2026-02-01","assignee":null,"dependencies":["bd-2",{"depends_on_id":"bd-3"}],"comments":["said",{"id":"x","author":"a","text":"t","created_at":"2026-01-01T00:00:00Z"}]}"#;
        let parsed = parse_line(line, "bd").expect("parse");
        let bead = parsed.bead;
        assert_eq!(
            (bead.id.as_str(), bead.title.as_str(), bead.status.as_str(), bead.priority),
            ("7", "12", "in_progress", 1)
        );
        assert_eq!((bead.estimated_minutes, bead.pinned, bead.labels.join(" ").as_str()), (Some(30), true, "a b"));
        assert_eq!(
            (bead.description.as_str(), bead.created_at.to_string().as_str()),
            ("one\ntwo", "2026-01-01T00:00:00Z")
        );
        assert_eq!(bead.due_at.map(|t| t.to_string()).as_deref(), Some("2026-02-01T00:00:00Z"));
        let targets: Vec<&str> = bead.dependencies.iter().map(|d| d.depends_on_id.as_str()).collect();
        assert_eq!((targets, bead.dependencies[0].kind.as_str()), (vec!["bd-2", "bd-3"], "blocks"));
        let said: Vec<(i64, &str)> = bead.comments.iter().map(|c| (c.id, c.text.as_str())).collect();
        assert_eq!(said, [(1, "said"), (2, "t")]);
    }

    #[test]
    fn edges_as_other_trackers_show_them_are_read_with_their_kind() {
        let line = r#"{"id":"bd-1","title":"t","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","dependencies":[{"id":"bd-2","title":"shown whole","created_at":"2020-01-01T00:00:00Z","dependency_type":"parent-child"},{"depends_on_id":"bd-3","dependency_type":"related"}]}"#;
        let parsed = parse_line(line, "bd").expect("reads");
        let edges: Vec<(&str, &str)> =
            parsed.bead.dependencies.iter().map(|d| (d.depends_on_id.as_str(), d.kind.as_str())).collect();
        assert_eq!(edges, [("bd-2", "parent-child"), ("bd-3", "related")]);
        assert!(parsed.bead.dependencies.iter().all(|d| d.extra.is_empty()), "nothing of the other bead");
        let left = "of a dependency, what it shows of bd-2: title, created_at was left out";
        assert_eq!(parsed.repairs, ["2 dependencies completed", left]);
    }

    #[test]
    fn what_an_edge_or_a_comment_says_otherwise_is_kept_or_told_of() {
        let line = r#"{"id":"bd-1","title":"t","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","dependencies":[{"id":"edge-1","issue_id":"bd-1","depends_on":"bd-2","dependency_type":"blocks"},{"depends_on_id":"bd-3","type":"related","dependency_type":"mine"},{"id":"edge-2","dependency_type":"blocks"},{"depends_on_id":"bd-4","type":[1]}],"comments":[{"id":"4","author":7,"text":"t","created_at":"never"}]}"#;
        let parsed = parse_line(line, "bd").expect("reads");
        let edges: Vec<String> = parsed
            .bead
            .dependencies
            .iter()
            .map(|d| format!("{} {} {}", d.depends_on_id, d.kind, Value::from(d.extra.clone())))
            .collect();
        let kept = [r#"bd-2 blocks {"id":"edge-1"}"#, r#"bd-3 related {"dependency_type":"mine"}"#, "bd-4 [1] {}"];
        assert_eq!(edges, kept);
        assert!(
            format_line(&parsed.bead).contains(r#"{"id":"edge-2","dependency_type":"blocks"}"#),
            "it names no target"
        );
        let comment = &parsed.bead.comments[0];
        assert_eq!((comment.id, comment.author.as_str()), (4, "7"));
        assert_eq!(
            parsed.repairs.last().map(String::as_str),
            Some("of a comment, `created_at` \"never\" was left out")
        );
        assert!(parsed.guesses.comment(0, "created_at") && !parsed.guesses.comment(0, "id"));
    }

    #[test]
    fn what_is_odd_among_comments_and_labels_takes_nothing_away_and_outlives_what_is_added() {
        const AT: &str = r#""created_at":"2026-01-01T00:00:00Z""#;
        let whole = format!(r#"{{"id":1,"issue_id":"bd-1","author":"ann","text":"precious",{AT}}}"#);
        for (key, value, said, labels, left) in [
            ("comments", format!("[{whole},null,[7]]"), "precious", "", "null,[7]"),
            ("comments", r#""hello""#.to_owned(), "hello", "", ""),
            ("comments", whole.clone(), "precious", "", ""),
            ("comments", "5".to_owned(), "", "", "5"),
            ("labels", r#"["a",{"name":"b"},["c"]]"#.to_owned(), "", "a", r#"{"name":"b"},["c"]"#),
            ("labels", r#"{"name":"b"}"#.to_owned(), "", "", r#"{"name":"b"}"#),
        ] {
            let line =
                format!(r#"{{"id":"bd-1","title":"t",{AT},"updated_at":"2026-01-02T00:00:00Z","{key}":{value}}}"#);
            let parsed = parse_line(&line, "bd").expect("reads");
            let mut bead = parsed.bead;
            let texts: Vec<&str> = bead.comments.iter().map(|c| c.text.as_str()).collect();
            assert_eq!((texts.join(" ").as_str(), bead.labels.join(" ").as_str()), (said, labels), "{value}");
            assert!(!parsed.repairs.is_empty(), "{value} is told of");
            bead.labels.push("new".to_owned());
            bead.comments.extend(
                parse_line(r#"{"id":"bd-1","title":"t","comments":["new"]}"#, "bd").expect("reads").bead.comments,
            );
            let written = format_line(&bead);
            assert!(left.is_empty() || written.contains(left), "{written}");
            let again = parse_line(&written, "bd").expect("reads").bead;
            assert_eq!((again.labels, again.comments), (bead.labels, bead.comments), "{written}");
        }
    }

    #[test]
    fn an_edge_whose_optional_keys_are_of_another_kind_holds_back_all_the_same() {
        let edges = |deps: &str| {
            let line = format!(
                r#"{{"id":"bd-1","title":"t","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","dependencies":{deps}}}"#
            );
            let parsed = parse_line(&line, "bd").expect("reads");
            let edge = |d: &crate::store::Dep| format!("{} {} {}{}", d.depends_on_id, d.kind, d.created_by, d.metadata);
            (parsed.bead.dependencies.iter().map(edge).collect::<Vec<_>>(), parsed.repairs)
        };
        for (more, kept) in [
            (r#""thread_id":null"#, ""),
            (r#""metadata":null"#, ""),
            (r#""created_by":null,"created_at":"2026-01-01T00:00:00Z""#, ""),
            (r#""metadata":{}"#, "{}"),
            (r#""created_by":5"#, "5"),
            (r#""metadata":{"gate":"any-children"}"#, r#"{"gate":"any-children"}"#),
        ] {
            let (found, repairs) = edges(&format!(r#"[{{"depends_on_id":"bd-2","type":"blocks",{more}}}]"#));
            assert_eq!(found, [format!("bd-2 blocks {kept}")], "{more}");
            assert_eq!(repairs, ["1 dependency completed"], "{more}");
        }
        for alone in [r#"{"depends_on_id":"bd-2","type":"related"}"#, r#"{"to":"bd-2","dependency_type":"related"}"#] {
            assert_eq!(edges(alone).0, ["bd-2 related "], "{alone}");
        }
        assert_eq!(edges(r#"{"bd-2":"blocks","bd-3":"related"}"#).0, ["bd-2 blocks ", "bd-3 related "]);
    }

    #[test]
    fn a_bead_without_a_good_id_gets_one_that_is_always_the_same() {
        let line = r#"{"id":"no id / at all","title":"t","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;
        let (a, b) = (parse_line(line, "bd").expect("parse"), parse_line(line, "bd").expect("parse"));
        assert_eq!(a.bead.id, b.bead.id);
        assert!(a.bead.id.as_str().starts_with("bd-") && a.repairs.len() == 1, "{:?}", a.repairs);
    }
}
