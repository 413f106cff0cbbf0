//! From the bytes of a file to the lines that may be beads, whatever the file went through.

use std::borrow::Cow;

/// One line, or what stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'f> {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Its text, without its end.
    pub(super) text: Cow<'f, str>,
    /// Its bytes as they are in the file, with a carriage return but without the line feed; none when the bead does
    /// not stand on a line of its own.
    pub(super) bytes: Option<&'f [u8]>,
    /// What was done to get it.
    pub(super) notes: Vec<String>,
}

/// Objects over more lines than this are not looked for.
const TALL: usize = 2000;

/// The lines of a file that are not blank.
pub(super) fn split(file: &[u8]) -> Vec<Line<'_>> {
    if let Some(text) = utf16(file) {
        let number = |(n, text): (usize, &str)| Line {
            number: n + 1,
            text: Cow::Owned(text.trim_end_matches('\r').to_owned()),
            bytes: None,
            notes: if n == 0 { vec!["the file was UTF-16".to_owned()] } else { Vec::new() },
        };
        return text.lines().enumerate().map(number).filter(|line| !line.text.trim().is_empty()).collect();
    }
    let mut lines = Vec::new();
    let mut marked = false;
    for (number, bytes) in (1..).zip(file.split(|b| *b == b'\n')) {
        let mut notes = Vec::new();
        // Files that were put together have such marks in their middle.
        let unmarked = bytes.strip_prefix("\u{feff}".as_bytes());
        marked |= unmarked.is_some();
        let bytes = unmarked.unwrap_or(bytes);
        if std::str::from_utf8(bytes).is_err() {
            notes.push("bytes that are no UTF-8 became U+FFFD".to_owned());
        }
        let text = match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches('\r')),
            Cow::Owned(text) => Cow::Owned(text.trim_end_matches('\r').to_owned()),
        };
        if !text.trim().is_empty() {
            if std::mem::take(&mut marked) {
                notes.push("a byte order mark stands before it; left out".to_owned());
            }
            lines.push(Line { number, text, bytes: Some(bytes), notes });
        }
    }
    if lines.iter().any(|line| opens(&line.text)) { joined(lines) } else { lines }
}

/// Whether an object or an array of objects begins on this line and ends on another.
fn opens(text: &str) -> bool {
    matches!(text.trim(), "[" | "{" | "[{")
}

/// Lines that only together are an object, as one; the brackets and commas of an array around objects are left out.
fn joined(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let text = lines[at].text.trim();
        if matches!(text, "[" | "]" | "," | "],") {
            at += 1;
            continue;
        }
        let tall = matches!(text, "{" | "[{").then(|| tall(&lines[at..])).flatten();
        if let Some((object, used)) = tall {
            let notes = vec![format!("the object stood on {used} lines")];
            out.push(Line { number: lines[at].number, text: Cow::Owned(object), bytes: None, notes });
            at += used;
        } else {
            out.push(lines[at].clone());
            at += 1;
        }
    }
    out
}

/// The object that begins on the first of `lines`, on one line, and how many lines it took.
fn tall(lines: &[Line<'_>]) -> Option<(String, usize)> {
    let mut text = String::new();
    for (used, line) in (1..).zip(lines.iter().take(TALL)) {
        text.push_str(if used == 1 { line.text.trim_start_matches('[') } else { &line.text });
        text.push('\n');
        // Only where it may be over is it worth a look.
        if line.text.trim().starts_with('}')
            && let Ok(value) =
                serde_json::from_str::<serde_json::Value>(text.trim().trim_end_matches([',', ']']).trim_end())
        {
            return Some((value.to_string(), used));
        }
    }
    None
}

/// The text of a file with the byte order mark of UTF-16.
fn utf16(file: &[u8]) -> Option<String> {
    let read: fn([u8; 2]) -> u16 = match file.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let units: Vec<u16> = file[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}

/// Whether a line is what git leaves in a file with conflicts.
pub(super) fn is_conflict_marker(text: &str) -> bool {
    text.trim() == "=======" || ["<<<<<<<", "|||||||", ">>>>>>>"].iter().any(|mark| text.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(file: &[u8]) -> Vec<String> {
        split(file).into_iter().map(|line| line.text.into_owned()).collect()
    }

    #[test]
    fn lines_are_found_whatever_the_file_went_through() {
        assert_eq!(texts("\u{feff}{\"a\":1}\r\n\r\n  \n{\"b\":2}".as_bytes()), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(texts(b"\xff\xfe{\0}\0\r\0\n\0{\0}\0"), ["{}", "{}"]);
        assert_eq!(
            texts(b"[\n  {\n    \"a\": 1\n  },\n  {\n    \"b\": {\n    }\n  }\n]\n"),
            ["{\"a\":1}", "{\"b\":{}}"]
        );
        assert_eq!(texts(b"{\"a\xff\":1}"), ["{\"a\u{fffd}\":1}"]);
        assert_eq!(split(b"\n\n{}\n")[0].number, 3);
    }

    #[test]
    fn conflict_markers_are_told_from_beads() {
        for mark in ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| base"] {
            assert!(is_conflict_marker(mark), "{mark}");
        }
        assert!(!is_conflict_marker("{\"id\":\"=======\"}"));
    }
}
