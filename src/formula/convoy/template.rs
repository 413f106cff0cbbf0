//! The texts of convoy formulas: `{{name}}`, `{{leg.focus}}`, `{{if x}} … {{else if y}} … {{else}} … {{end}}` and
//! `{{range files}} … {{else}} … {{end}}`. A dot in front of a name is allowed, as files written for other programs have it.

use serde_json::Value;

/// A text is nested at most this deep.
const DEEPEST: usize = 32;

enum Piece<'t> {
    Plain(&'t str),
    Tag(&'t str),
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// A fragment for a message.
    pub(crate) why: String,
    /// What it is about, as it is written in the text, without the braces.
    pub(crate) tag: String,
    /// The text cannot be cut into its parts; otherwise one of these is not understood.
    pub(crate) broken: bool,
}

impl Wrong {
    fn broken(tag: &str, why: impl Into<String>) -> Self {
        Self { why: why.into(), tag: tag.to_owned(), broken: true }
    }
}

/// A name that a text asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name<'t> {
    /// As in `leg.focus`, without a dot in front.
    pub(crate) path: &'t str,
    /// The tag that it is in.
    pub(crate) tag: &'t str,
    /// It may be the field of an item of the range around, which is over this.
    pub(crate) of_item: Option<&'t str>,
}

/// Fills a text. A name that nothing has gives nothing. The error says what is not understood.
pub(super) fn fill(text: &str, facts: &Value) -> Result<String, String> {
    let filling = Filling::of(text, facts);
    filling.wrong.into_iter().next().map_or(Ok(filling.out), |wrong| Err(wrong.why))
}

/// The names that a text asks for, and all that is wrong with it.
pub(crate) fn look_over(text: &str) -> (Vec<Name<'_>>, Vec<Wrong>) {
    let filling = Filling::of(text, &Value::Null);
    (filling.names, filling.wrong)
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Wrong> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let (mut plain, tag) = (&rest[..open], &rest[open + 2..]);
        let Some(close) = tag.find("}}") else {
            let line = tag.lines().next().unwrap_or_default();
            return Err(Wrong::broken(line, "a `{{` has no `}}`"));
        };
        let (mut inside, mut after) = (&tag[..close], &tag[close + 2..]);
        // `{{-` and `-}}` eat the white space beside them.
        if let Some(trimmed) = inside.strip_prefix("- ") {
            (plain, inside) = (plain.trim_end(), trimmed);
        }
        if let Some(trimmed) = inside.strip_suffix(" -") {
            (inside, after) = (trimmed, after.trim_start());
        }
        out.push(Piece::Plain(plain));
        out.push(Piece::Tag(inside.trim()));
        rest = after;
    }
    out.push(Piece::Plain(rest));
    Ok(out)
}

/// A text on the way through its pieces.
struct Filling<'t> {
    pieces: Vec<Piece<'t>>,
    at: usize,
    facts: &'t Value,
    out: String,
    names: Vec<Name<'t>>,
    wrong: Vec<Wrong>,
}

/// What holds for a block: the item of the range around, whether it is printed, how deep it is.
#[derive(Clone, Copy)]
struct Scope<'s, 't> {
    item: Option<&'s Value>,
    /// What the range around is over.
    over: Option<&'t str>,
    on: bool,
    depth: usize,
}

impl<'t> Filling<'t> {
    fn of(text: &'t str, facts: &'t Value) -> Self {
        let out = String::with_capacity(text.len());
        let mut this = Self { pieces: Vec::new(), at: 0, facts, out, names: Vec::new(), wrong: Vec::new() };
        let whole = pieces(text).and_then(|pieces| {
            this.pieces = pieces;
            match this.block("", Scope { item: None, over: None, on: true, depth: 0 })? {
                Some(tag) => Err(Wrong::broken(tag, format!("`{{{{{tag}}}}}` stands outside of an if or range"))),
                None => Ok(()),
            }
        });
        this.wrong.extend(whole.err());
        this
    }

    /// Prints until an `else` or `end` of the block that `opened` began, which it gives back.
    fn block(&mut self, opened: &str, scope: Scope<'_, 't>) -> Result<Option<&'t str>, Wrong> {
        if scope.depth > DEEPEST {
            return Err(Wrong::broken(opened, format!("it is nested deeper than {DEEPEST} levels")));
        }
        while let Some(piece) = self.pieces.get(self.at) {
            self.at += 1;
            let tag = match piece {
                Piece::Plain(text) => {
                    if scope.on {
                        self.out.push_str(text);
                    }
                    continue;
                }
                Piece::Tag(tag) => *tag,
            };
            let (word, rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
            match word {
                "end" | "else" => return Ok(Some(tag)),
                "if" => self.conditional(tag, rest, scope)?,
                "range" => self.repeated(tag, rest, scope)?,
                "with" | "block" | "define" if !rest.trim().is_empty() => self.foreign(tag, scope)?,
                _ => {
                    let value = self.look(tag, tag, scope).map(|value| shown(Some(value)));
                    if let Some(value) = value.filter(|_| scope.on) {
                        self.out.push_str(&value);
                    }
                }
            }
        }
        if scope.depth == 0 {
            return Ok(None);
        }
        Err(Wrong::broken(opened, format!("`{{{{{opened}}}}}` has no `{{{{end}}}}`")))
    }

    fn conditional(&mut self, opened: &'t str, condition: &'t str, scope: Scope<'_, 't>) -> Result<(), Wrong> {
        let mut condition = Some((opened, condition));
        let mut open = scope.on;
        loop {
            let holds = condition.is_none_or(|(tag, name)| truthy(self.look(tag, name, scope)));
            let inside = Scope { on: open && holds, depth: scope.depth + 1, ..scope };
            let stopped = self.block(opened, inside)?;
            open &= !holds;
            match stopped {
                Some("end") | None => return Ok(()),
                Some(tag) => {
                    let rest = tag.strip_prefix("else").unwrap_or(tag).trim();
                    if condition.is_none() {
                        return Err(Wrong::broken(opened, "an if has two `{{else}}`"));
                    }
                    condition = rest.strip_prefix("if ").map(|name| (tag, name.trim()));
                    if condition.is_none() && !rest.is_empty() {
                        return Err(Wrong::broken(tag, format!("`{{{{{tag}}}}}` is not understood")));
                    }
                }
            }
        }
    }

    fn repeated(&mut self, opened: &'t str, name: &'t str, scope: Scope<'_, 't>) -> Result<(), Wrong> {
        let items: Vec<Value> = match self.look(opened, name, scope) {
            Some(Value::Array(items)) => items.clone(),
            Some(Value::String(text)) if !text.is_empty() => vec![Value::String(text.clone())],
            _ => Vec::new(),
        };
        let start = self.at;
        // Without items the body is walked through once, silently, to find its end or what is printed instead.
        let nothing = Value::Null;
        let rounds: Vec<(&Value, bool)> = if items.is_empty() {
            vec![(&nothing, false)]
        } else {
            items.iter().map(|item| (item, scope.on)).collect()
        };
        let over = Some(name.trim().trim_start_matches('.'));
        let mut stopped = None;
        for (item, on) in rounds {
            self.at = start;
            let inside = Scope { item: Some(item), over, on, depth: scope.depth + 1 };
            stopped = self.block(opened, inside)?;
        }
        if stopped == Some("else") {
            let instead = Scope { on: scope.on && items.is_empty(), depth: scope.depth + 1, ..scope };
            stopped = self.block(opened, instead)?;
        }
        match stopped {
            Some("end") => Ok(()),
            _ => Err(Wrong::broken(opened, "a range has at most one `{{else}}`, and ends with `{{end}}`")),
        }
    }

    /// A block of Go's templates that is not understood: nothing of it is printed, but it has an end.
    fn foreign(&mut self, opened: &'t str, scope: Scope<'_, 't>) -> Result<(), Wrong> {
        self.not_understood(opened, opened);
        // Names in it may be fields of what it is about.
        let inside = Scope { item: Some(&Value::Null), over: Some(""), on: false, depth: scope.depth + 1 };
        while self.block(opened, inside)? != Some("end") {}
        Ok(())
    }

    fn not_understood(&mut self, tag: &str, what: &str) {
        let why = format!("`{{{{{what}}}}}` is not understood");
        self.wrong.push(Wrong { why, tag: tag.to_owned(), broken: false });
    }

    /// The value of a path in `tag`; `.` is the item of the range around.
    fn look<'v>(&mut self, tag: &'t str, path: &'t str, scope: Scope<'v, 't>) -> Option<&'v Value>
    where
        't: 'v,
    {
        let path = path.trim();
        if path == "." {
            return scope.item.or(Some(self.facts));
        }
        let names = path.strip_prefix('.').unwrap_or(path);
        let is_name = |w: &str| {
            w.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !names.split('.').all(is_name) {
            self.not_understood(tag, path);
            return None;
        }
        self.names.push(Name { path: names, tag, of_item: scope.over.filter(|_| path.starts_with('.')) });
        let walk = |from: &'v Value| names.split('.').try_fold(from, |value, name| value.get(name));
        scope.item.and_then(walk).or_else(|| walk(self.facts))
    }
}

fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => super::super::truthy(text),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Bool(b)) => *b,
        Some(_) => true,
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().map(|i| shown(Some(i))).collect::<Vec<_>>().join(", "),
        // A leg is called by its id.
        Some(Value::Object(keys)) if keys.contains_key("id") => shown(keys.get("id")),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{fill, look_over};

    #[test]
    fn texts_are_filled_with_and_without_dots() {
        let facts = json!({ "pr": "7", "leg": { "focus": "speed" }, "files": ["a", "b"], "empty": "" });
        let all = "{{pr}} {{.leg.focus}} {{leg.nothing}}|{{if .empty -}} no {{- else if pr}}yes{{else}}no{{end}}|\
                   {{range .files -}} {{.}}; {{end -}} |{{range empty}}{{.}}{{end}}{{files}}";
        assert_eq!(fill(all, &facts).expect("fills"), "7 speed |yes|a; b; |a, b");
        assert_eq!(fill("{{.path}}", &json!({})).expect("fills"), "", "what nothing has is empty");
    }

    #[test]
    fn a_range_prints_its_else_only_where_there_is_nothing() {
        let facts = json!({ "files": ["a", "b"], "none": [], "pr": "7" });
        let all = "{{range files}}{{.}},{{else}}no files of {{pr}}{{end}}|{{range none}}{{.}}{{else}}none of {{pr}}{{end}}|\
                   {{range .files}}{{range none}}{{.}}{{else}}{{.}};{{end}}{{end}}|{{if none}}{{range none}}{{else}}x{{end}}{{end}}";
        assert_eq!(fill(all, &facts).expect("fills"), "a,b,|none of 7|a;b;|");
    }

    #[test]
    fn blocks_that_are_not_understood_end_where_they_end() {
        let text = "{{with .pr}}{{.number}}{{else}}none{{end}}{{define \"x\"}}{{if a}}b{{end}}{{end}}{{block \"y\" .}}{{end}}{{c}}";
        let (names, wrong) = look_over(text);
        let wrong: Vec<(&str, bool)> = wrong.iter().map(|w| (w.tag.as_str(), w.broken)).collect();
        assert_eq!(wrong, [("with .pr", false), ("define \"x\"", false), ("block \"y\" .", false)]);
        let names: Vec<(&str, bool)> = names.iter().map(|n| (n.path, n.of_item.is_some())).collect();
        assert_eq!(names, [("number", true), ("a", false), ("c", false)]);
        assert_eq!(
            fill("{{with}} {{block}}", &json!({ "with": "1", "block": "2" })).expect("fills"),
            "1 2",
            "as names"
        );
        let open: Vec<_> = look_over("{{with .a}}").1.into_iter().map(|w| w.broken).collect();
        assert_eq!(open, [false, true]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [
            "{{",
            "{{if x}}",
            "{{end}}",
            "{{x | upper}}",
            "{{range a}}{{else}}{{else}}{{end}}",
            "{{range a}}{{else}}",
            "{{with a}}{{.b}}{{end}}",
            "{{with a}}",
            "{{if a}}{{else}}{{else}}{{end}}",
        ] {
            assert!(fill(text, &json!({})).is_err(), "{text}");
        }
    }

    #[test]
    fn the_names_of_a_text_and_all_that_it_is_wrong_about_are_told() {
        let (names, wrong) = look_over("{{if .a}}{{leg.id}}{{x | up}}{{range b}}{{.path}}{{c}}{{end}}{{len d}}{{end}}");
        let names: Vec<(&str, &str, bool)> = names.iter().map(|n| (n.path, n.tag, n.of_item.is_some())).collect();
        let plain = |path: &'static str, tag| (path, tag, false);
        let all = [plain("a", "if .a"), plain("leg.id", "leg.id"), plain("b", "range b"), ("path", ".path", true)];
        assert_eq!(names, [&all[..], &[plain("c", "c")]].concat());
        let wrong: Vec<(&str, bool)> = wrong.iter().map(|w| (w.tag.as_str(), w.broken)).collect();
        assert_eq!(wrong, [("x | up", false), ("len d", false)]);
        let open: Vec<_> = look_over("{{if a}}{{range b}}{{end}}").1.into_iter().map(|w| (w.tag, w.broken)).collect();
        assert_eq!(open, [("if a".to_owned(), true)]);
    }

    #[test]
    fn values_are_not_read_again() {
        assert_eq!(fill("{{x}}", &json!({ "x": "{{y}}", "y": "1" })).expect("fills"), "{{y}}");
        assert!(fill(&"{{if x}}".repeat(40), &json!({})).is_err());
    }
}
