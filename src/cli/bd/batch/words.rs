//! A line in words, quoted as in a shell.

/// The words of a line: separated by blanks; `'…'` as it stands, `"…"` with `\"`, `\\` and `\n`, and a backslash before any
/// other character stands for that character.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err("a ' is not closed".to_owned()),
                        Some('\'') => break,
                        Some(c) => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err("a \" is not closed".to_owned()),
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\')) => word.push(c),
                            Some('n') => word.push('\n'),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err("a \" is not closed".to_owned()),
                        },
                        Some(c) => word.push(c),
                    }
                }
            }
            '\\' => match chars.next() {
                None => return Err("nothing follows the last \\".to_owned()),
                Some(c) => word.get_or_insert_default().push(c),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_quoted_as_in_a_shell() {
        let words = |line: &str| split(line).expect("words");
        assert_eq!(
            words(r#"create "fix \"login\"" -d 'a b'c  '' x\ y"#),
            ["create", "fix \"login\"", "-d", "a bc", "", "x y"]
        );
        assert_eq!(words(r#""two\nlines \d""#), ["two\nlines \\d"]);
        assert!(words("  ").is_empty());
        for bad in ["'x", "\"x", "x\\"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
