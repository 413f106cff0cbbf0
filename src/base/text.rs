//! Small things about text: suggestions, safe output, one line out of many.

/// Reads and writes a type in serialized data as the text that it parses and prints.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use serde_as_text;

/// The candidate most like `given`, if one is like enough to be meant.
pub fn similar<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::jaro_winkler(&given, &c.to_lowercase()), c))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}

/// The candidate that `given` is a slip of: a letter wrong, missing, too many or two of them exchanged, in longer words two.
pub fn slip_of<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = match given.chars().count() {
        0..=2 => return None,
        3..=6 => 1,
        _ => 2,
    };
    let near = |c: &&str| strsim::damerau_levenshtein(&given.to_lowercase(), &c.to_lowercase());
    candidates.into_iter().filter(|c| *c != given && near(c) <= most).min_by_key(near)
}

/// A text that was read, without the mark of its encoding (U+FEFF) that some editors write before its first character.
pub fn unmarked(mut text: String) -> String {
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    text
}

/// `a` or `an`, as it stands before `word`.
pub fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// `text` without control characters, so that it cannot move a cursor or close a paste.
///
/// Line feeds and tabs stay; C0, DEL and C1 go.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

/// The first line of `text`, printable, at most `max` characters, with an ellipsis when cut.
pub fn headline(text: &str, max: usize) -> String {
    let line = printable(text.lines().next().unwrap_or_default()).replace('\t', " ");
    if line.chars().count() <= max {
        return line;
    }
    let cut: String = line.chars().take(max.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// The last `n` lines of `text` that say something, printable and not too long.
pub fn last_lines(text: &str, n: usize) -> Vec<String> {
    let telling = text.lines().rev().filter(|line| !line.trim().is_empty());
    let mut last: Vec<String> = telling.take(n).map(|line| headline(line.trim_end(), 160)).collect();
    last.reverse();
    last
}

/// `1 worker`, `2 workers`.
pub fn count(n: usize, one: &str) -> String {
    match one.strip_suffix('y') {
        _ if n == 1 => format!("{n} {one}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{n} {stem}ies"),
        _ => format!("{n} {one}s"),
    }
}

/// Several things in words: the first few, and how many more there are.
pub fn some<T: std::fmt::Display>(things: &[T]) -> String {
    const FEW: usize = 5;
    let mut named: Vec<String> = things.iter().take(FEW).map(ToString::to_string).collect();
    if things.len() > FEW {
        named.push(format!("and {} more", things.len() - FEW));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(similar("witnes", ["witness", "refinery"]), Some("witness"));
        assert_eq!(similar("zzz", ["witness", "refinery"]), None);
    }

    #[test]
    fn of_a_long_output_the_last_lines_that_say_something_are_shown() {
        assert_eq!(last_lines("one\n two\n\n  three\r\n \n", 2), [" two", "  three"]);
        assert_eq!(last_lines("\n \n", 2), Vec::<String>::new());
    }

    #[test]
    fn escapes_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{9b}c\nd"), "a[31mbc\nd");
        assert_eq!(headline("one two three\nfour", 8), "one two…");
    }
}
