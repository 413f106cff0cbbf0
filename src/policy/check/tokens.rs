//! A tokenizer for the common subset of Lua: enough to know where each word stands.
//!
//! Luau keeps lines and no columns, and no names of fields; the load check and the carets of run-time errors come
//! from here.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Kind {
    /// A name or a keyword.
    Name,
    Number,
    /// A string; `text` is what stands between the quotes, escapes unread.
    Text,
    Symbol,
}

/// One token with its place. Columns count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Token {
    pub kind: Kind,
    pub text: String,
    pub line: u32,
    pub column: u32,
    /// Columns from the first to the last character, quotes included.
    pub width: u32,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }
}

/// Words that are no names.
pub(in crate::policy) const KEYWORDS: [&str; 21] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not", "or",
    "repeat", "return", "then", "true", "until", "while",
];

struct Scanner<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
    column: u32,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn take_while(&mut self, into: &mut String, test: impl Fn(char) -> bool) {
        while let Some(c) = self.peek().filter(|c| test(*c)) {
            into.push(c);
            self.next();
        }
    }

    /// After `[`: the level of a long bracket, if this is one.
    fn long_level(&mut self) -> Option<usize> {
        let mut ahead = self.chars.clone();
        let mut level = 0;
        loop {
            match ahead.next() {
                Some('=') => level += 1,
                Some('[') => break,
                _ => return None,
            }
        }
        for _ in 0..=level {
            self.next();
        }
        Some(level)
    }

    fn long_text(&mut self, level: usize) -> String {
        let close = format!("]{}]", "=".repeat(level));
        let mut text = String::new();
        while let Some(c) = self.next() {
            text.push(c);
            if text.ends_with(&close) {
                text.truncate(text.len() - close.len());
                break;
            }
        }
        text
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        while let Some(c) = self.next() {
            if c == quote || c == '\n' {
                break;
            }
            text.push(c);
            if c == '\\' {
                text.extend(self.next());
            }
        }
        text
    }

    fn comment(&mut self) {
        if self.peek() == Some('[') {
            self.next();
            if let Some(level) = self.long_level() {
                self.long_text(level);
                return;
            }
        }
        while self.peek().is_some_and(|c| c != '\n') {
            self.next();
        }
    }
}

/// All tokens of a file; comments are left out, and an unfinished string ends with its line or the file.
pub(in crate::policy) fn tokens(text: &str) -> Vec<Token> {
    let mut s = Scanner { chars: text.chars().peekable(), line: 1, column: 1 };
    let mut all = Vec::new();
    while let Some(c) = s.peek() {
        let (line, column) = (s.line, s.column);
        s.next();
        let mut text = String::new();
        let kind = match c {
            c if c.is_whitespace() => continue,
            '-' if s.peek() == Some('-') => {
                s.next();
                s.comment();
                continue;
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                text.push(c);
                s.take_while(&mut text, |c| c.is_ascii_alphanumeric() || c == '_');
                Kind::Name
            }
            c if c.is_ascii_digit() => {
                text.push(c);
                s.take_while(&mut text, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
                Kind::Number
            }
            '"' | '\'' => {
                text = s.quoted(c);
                Kind::Text
            }
            '[' => {
                if let Some(level) = s.long_level() {
                    text = s.long_text(level);
                    Kind::Text
                } else {
                    text.push('[');
                    Kind::Symbol
                }
            }
            c => {
                text.push(c);
                let double = match (c, s.peek()) {
                    ('=' | '~' | '<' | '>' | '/' | '+' | '-' | '*' | '.' | '!', Some('=')) => Some('='),
                    ('.', Some('.')) => Some('.'),
                    (':', Some(':')) => Some(':'),
                    ('/', Some('/')) => Some('/'),
                    _ => None,
                };
                if double.is_some() {
                    text.extend(s.next());
                    if text == ".." && s.peek() == Some('.') {
                        text.extend(s.next());
                    }
                }
                Kind::Symbol
            }
        };
        let width = if s.line == line { s.column - column } else { 1 };
        all.push(Token { kind, text, line, column, width });
    }
    all
}

/// Column and width of the token with this text, if it occurs exactly once on the line.
pub(in crate::policy) fn once_on_line(source: &str, line: u32, text: &str) -> Option<(u32, u32)> {
    let all = tokens(source);
    let mut hits = all.iter().filter(|t| t.line == line && t.text == text);
    let hit = hits.next()?;
    hits.next().is_none().then_some((hit.column, hit.width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_strings_and_comments_have_their_places() {
        let all = tokens("local a = \"x{b}\" -- c\n--[[ long\n]] b.c >= [[d\ne]] .. 'f'");
        let got: Vec<_> = all.iter().map(|t| format!("{}@{}:{}", t.text, t.line, t.column)).collect();
        assert_eq!(
            got,
            [
                "local@1:1",
                "a@1:7",
                "=@1:9",
                "x{b}@1:11",
                "b@3:4",
                ".@3:5",
                "c@3:6",
                ">=@3:8",
                "d\ne@3:11",
                "..@4:5",
                "f@4:8"
            ]
        );
    }

    #[test]
    fn an_unfinished_string_does_not_swallow_the_file() {
        let all = tokens("x = \"a\ny = 1");
        assert!(all.iter().any(|t| t.is("y") && t.line == 2));
    }
}
