//! Getting a JSON object out of a text that is none, as far as it goes.

use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::{Deserializer, Value};

use crate::base::text;
use crate::store::Map;

/// An object that was read, what had to be done for it, and the text that follows it.
#[derive(Debug)]
pub(super) struct Salvaged<'l> {
    pub(super) object: Map,
    pub(super) repairs: Vec<String>,
    pub(super) rest: &'l str,
}

/// What may stand before an object beside spaces and control characters: a mark of a file's or an array's beginning, of
/// a line that a diff adds, of a quotation.
const BEFORE: [char; 5] = ['\u{feff}', '[', ',', '+', '>'];

/// Reads the object at the start of `line`; the error says why there is none.
///
/// After anything else an object is none of the line's own: where the head of a line is cut off, it is one in the
/// middle of a bead, and where a diff takes a line away, the bead is to be there no more.
pub(super) fn object(line: &str) -> Result<Salvaged<'_>, String> {
    let line = line.trim_start();
    let start = &line[line.find('{').unwrap_or(0)..];
    let before = &line[..line.len() - start.len()];
    if !before.chars().all(|c| BEFORE.contains(&c) || c.is_whitespace() || c.is_control()) {
        return Err(format!("it does not begin with an object: {}", text::headline(before, 20)));
    }
    let mut found = at_start(start)?;
    let before = before.trim_matches(|c: char| c == '[' || c.is_whitespace());
    if !before.is_empty() {
        let before = text::headline(before, 20);
        found.repairs.insert(0, format!("what stands before the object was left out: {before}"));
    }
    Ok(found)
}

fn at_start(start: &str) -> Result<Salvaged<'_>, String> {
    let mut stream = Deserializer::from_str(start).into_iter::<Value>();
    match stream.next() {
        Some(Ok(Value::Object(object))) => {
            return Ok(Salvaged { object, repairs: Vec::new(), rest: start[stream.byte_offset()..].trim() });
        }
        Some(Ok(_)) | None => return Err("no JSON object".to_owned()),
        Some(Err(_)) if !start.starts_with('{') => return Err("no JSON object".to_owned()),
        Some(Err(_)) => {}
    }
    let tidied = tidy(start);
    let mut stream = Deserializer::from_str(&tidied).into_iter::<Value>();
    if let Some(Ok(Value::Object(object))) = stream.next()
        && tidied[stream.byte_offset()..].trim().is_empty()
    {
        let repairs =
            vec!["control characters, wrong escapes or words that JSON does not know were put right".to_owned()];
        return Ok(Salvaged { object, repairs, rest: "" });
    }
    let mut object = Map::new();
    let error = Deserializer::from_str(&tidied).deserialize_map(Pairs(&mut object)).err();
    let why = error.map_or_else(String::new, |e| format!(" ({e})"));
    if object.is_empty() {
        return Err(format!("no JSON object{why}"));
    }
    Ok(Salvaged { object, repairs: vec![format!("the line is damaged; what stands before was read{why}")], rest: "" })
}

/// Collects pairs until the text ends or is wrong; what was collected stays.
struct Pairs<'m>(&'m mut Map);

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            self.0.insert(key, value);
        }
        Ok(())
    }
}

/// `text` with raw control characters inside of strings written as escapes, escapes that JSON does not know (half a
/// surrogate pair among them) replaced, and the words of other languages for nothing, true and false as JSON's.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_string = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' if in_string => {
                let (good, len) = escape(rest);
                out.push_str(good);
                used = len;
            }
            c if in_string && (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if !in_string && c.is_ascii_alphabetic() => {
                let word = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())];
                let (meant, signed) = match word {
                    "NaN" | "Infinity" | "None" | "undefined" | "nil" => ("null", true),
                    "True" => ("true", false),
                    "False" => ("false", false),
                    other => (other, false),
                };
                if signed && out.ends_with('-') {
                    out.pop();
                }
                out.push_str(meant);
                used = word.len();
            }
            c => out.push(c),
        }
        rest = &rest[used..];
    }
    out
}

/// What the escape at the start of `rest` becomes, and how long it is.
fn escape(rest: &str) -> (&str, usize) {
    let unit = |at: usize| {
        let hex = rest.get(at..at + 6)?.strip_prefix("\\u")?;
        if hex.bytes().all(|b| b.is_ascii_hexdigit()) { u32::from_str_radix(hex, 16).ok() } else { None }
    };
    match rest.as_bytes().get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (&rest[..2], 2),
        Some(b'u') => match (unit(0), unit(6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (&rest[..12], 12),
            (Some(0xd800..=0xdfff), _) => ("\\ufffd", 6),
            (Some(_), _) => (&rest[..6], 6),
            (None, _) => ("\\\\", 1),
        },
        _ => ("\\\\", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(line: &str) -> String {
        object(line).expect("an object").object["title"].as_str().expect("text").to_owned()
    }

    #[test]
    fn what_json_forbids_in_a_string_is_put_right() {
        assert_eq!(title("{\"title\":\"a\tb\u{1}\"}"), "a\tb\u{1}");
        assert_eq!(title(r#"{"title":"x\ud800y"}"#), "x\u{fffd}y");
        assert_eq!(title(r#"{"title":"\ud83d\ude00 \' \q \u12"}"#), "\u{1f600} \\' \\q \\u12");
    }

    #[test]
    fn a_line_that_ends_early_gives_what_it_has() {
        let cut = object(r#"{"id":"a-1","title":"whole","description":"beg"#).expect("an object");
        assert_eq!((cut.object.len(), cut.object["title"].as_str()), (2, Some("whole")));
        assert_eq!(cut.repairs.len(), 1);
        for nothing in ["", "nonsense", "[1]", "{", "{\"id", "<<<<<<< HEAD"] {
            assert!(object(nothing).is_err(), "{nothing}");
        }
    }

    #[test]
    fn words_of_other_languages_are_read_outside_of_strings() {
        let read = object(r#"{"a":NaN,"b":-Infinity,"c":[True,None,False],"title":"NaN is None"}"#).expect("an object");
        assert_eq!(
            Value::Object(read.object).to_string(),
            r#"{"a":null,"b":null,"c":[true,null,false],"title":"NaN is None"}"#
        );
        assert!(object("{nonsense}").is_err());
    }

    #[test]
    fn what_stands_before_an_object_is_told() {
        for (line, before) in [("+{\"a\":1}", "+"), ("> {\"a\":1}", ">"), ("\u{feff}{\"a\":1}", "\u{feff}")] {
            let read = object(line).expect("an object");
            assert_eq!((read.object.len(), read.repairs.len()), (1, 1), "{before}: {:?}", read.repairs);
        }
        assert!(object("[{\"a\":1}]").expect("an object").repairs.is_empty());
    }

    #[test]
    fn an_object_in_the_middle_of_a_line_is_not_taken_for_the_lines_own() {
        for line in [
            r#"ion":"x","comments":[{"id":1,"author":"a","text":"b"}]}"#,
            r#"}],"metadata":{"id":"a-1","title":"t"}}"#,
            r#"-{"id":"a-1","title":"t"}"#,
            r#"see {"id":"a-1","title":"t"}"#,
        ] {
            assert!(object(line).expect_err(line).starts_with("it does not begin with an object"), "{line}");
        }
    }

    #[test]
    fn what_follows_an_object_is_told() {
        assert_eq!(object("{\"a\":1} , ").expect("an object").rest, ",");
        assert_eq!(object("{\"a\":1}{\"b\":2}").expect("an object").rest, "{\"b\":2}");
    }
}
