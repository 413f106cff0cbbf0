//! JSON with spans. `serde_json` keeps no places, and an error without one is of little use.

use std::sync::Arc;

use super::super::{At, Diagnostic, Report, Source, Text};
use super::node::{Node, Value};

const DEPTH: usize = 80;

/// A syntax error: where, and a fragment that says what.
struct Wrong(std::ops::Range<usize>, String);

pub(super) fn parse(source: &Arc<Source>, report: &mut Report) -> Option<Node> {
    let mut parser = Parser { source, text: source.text.as_bytes(), at: 0, depth: 0 };
    if source.text.starts_with('\u{feff}') {
        parser.at = 3;
    }
    let result = parser.value().and_then(|node| {
        parser.skip();
        if parser.at < parser.text.len() { Err(parser.wrong("the end of the file")) } else { Ok(node) }
    });
    match result {
        Ok(node) => Some(node),
        Err(Wrong(span, what)) => {
            let comment = ["//", "/*", "#"].iter().any(|mark| source.text[span.start..].starts_with(mark));
            report.push(
                Diagnostic::error("syntax", format!("this is not valid JSON: {what}"))
                    .at(&At::new(source, span), "here")
                    .maybe_help(comment.then(|| "JSON has no comments; a formula in TOML may have them".to_owned())),
            );
            None
        }
    }
}

struct Parser<'a> {
    source: &'a Arc<Source>,
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self) {
        while self.peek().is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        self.skip();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn wrong(&self, expected: &str) -> Wrong {
        let rest = self.source.text.get(self.at..).and_then(|t| t.chars().next());
        match rest {
            Some(c) => Wrong(self.at..self.at + c.len_utf8(), format!("expected {expected}, found `{c}`")),
            None => Wrong(self.text.len()..self.text.len(), format!("expected {expected}, found the end of the file")),
        }
    }

    fn value(&mut self) -> Result<Node, Wrong> {
        self.skip();
        let start = self.at;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Wrong(start..start + 1, format!("nested deeper than {DEPTH} levels")));
        }
        let value = match self.peek() {
            Some(b'{') => self.table()?,
            Some(b'[') => self.list()?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        self.depth -= 1;
        Ok(Node { value, at: At::new(self.source, start..self.at) })
    }

    fn word(&mut self) -> Result<Value, Wrong> {
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.wrong("a value"))
    }

    fn number(&mut self) -> Result<Value, Wrong> {
        let start = self.at;
        while self.peek().is_some_and(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let digits = &self.source.text[start..self.at];
        match serde_json::from_str::<serde_json::Number>(digits) {
            Ok(n) => Ok(n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Int)),
            Err(_) => Err(Wrong(start..self.at, format!("`{digits}` is not a number"))),
        }
    }

    fn string(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None | Some(b'\n') => return Err(Wrong(start..self.at, "a string without end".to_owned())),
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let span = start..self.at.min(self.text.len());
        let written = self.source.text.get(span.clone());
        written
            .and_then(|w| serde_json::from_str(w).ok())
            .ok_or_else(|| Wrong(span, "a string with an escape or character that JSON does not allow".to_owned()))
    }

    fn list(&mut self) -> Result<Value, Wrong> {
        self.at += 1;
        let mut items = Vec::new();
        if self.accept(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.accept(b']') {
                return Ok(Value::List(items));
            }
            if !self.accept(b',') {
                return Err(self.wrong("`,` or `]`"));
            }
        }
    }

    fn table(&mut self) -> Result<Value, Wrong> {
        self.at += 1;
        let mut entries: Vec<(Text, Node)> = Vec::new();
        if self.accept(b'}') {
            return Ok(Value::Table(entries));
        }
        loop {
            self.skip();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes"));
            }
            let start = self.at;
            let key = self.string()?;
            let key = Text::new(key, At::new(self.source, start..self.at));
            if !self.accept(b':') {
                return Err(self.wrong("`:`"));
            }
            let value = self.value()?;
            if entries.iter().any(|(k, _)| *k == key) {
                return Err(Wrong(start..start + key.at.len(), format!("the key `{key}` comes twice")));
            }
            entries.push((key, value));
            if self.accept(b'}') {
                return Ok(Value::Table(entries));
            }
            if !self.accept(b',') {
                return Err(self.wrong("`,` or `}`"));
            }
        }
    }
}
