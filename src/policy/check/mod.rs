//! Mistakes that can be seen in a policy file without running it: unknown fields, settings and globals, lengths of
//! time compared with numbers, words that a state never is.
//!
//! Luau checks no types here, and much of this would be silently false when a rule is judged. What is looked at is
//! only what stands in plain sight: the first parameters of `when`, `act` and the questions, literals, `cfg.…`.

mod chains;
mod globals;
mod outline;
pub(in crate::policy) mod tokens;

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::layer::LayerSource;
use super::schema::Class;
use super::vm::syntax;
use outline::Outline;
use tokens::Token;

/// Everything wrong in plain sight with the files of a role, lowest layer first.
pub(in crate::policy) fn sources(layers: &[LayerSource]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    // What the rules of lower layers are about, for `override`.
    let mut rules: BTreeMap<String, &'static Class> = BTreeMap::new();
    for source in layers {
        let file = File::new(&source.path, &source.text);
        let outline = Outline::read(&file, &mut rules);
        chains::check(&file, &outline, &mut found);
        globals::check(&file, &mut found);
        for (path, text) in source.modules.values() {
            globals::check(&File::new(path, text), &mut found);
        }
    }
    if !found.is_empty() {
        // What is guessed from a file that Lua cannot read is noise beside the reason.
        let broken = syntax(layers);
        found.retain(|f| broken.iter().all(|b| b.file != f.file));
        found.extend(broken);
    }
    found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    found.dedup();
    found
}

/// The rules that a file declares, with the class of their subjects as stubs name it.
pub(in crate::policy) fn rules(source: &LayerSource) -> Vec<(String, &'static str)> {
    let mut rules = BTreeMap::new();
    Outline::read(&File::new(&source.path, &source.text), &mut rules);
    rules.into_iter().map(|(rule, class)| (rule, class.lua)).collect()
}

/// A file as tokens, with the ends of its brackets and blocks.
struct File<'a> {
    path: &'a str,
    lines: Vec<&'a str>,
    tokens: Vec<Token>,
    /// For each opening bracket and each `function`, the index of what closes it.
    close: Vec<usize>,
}

impl<'a> File<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        let tokens = tokens::tokens(text);
        let mut close = vec![usize::MAX; tokens.len()];
        let mut open: Vec<usize> = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            if token.kind == tokens::Kind::Text {
                continue;
            }
            match token.text.as_str() {
                "(" | "{" | "[" | "function" | "if" | "do" | "repeat" => open.push(i),
                ")" | "}" | "]" | "end" | "until" => {
                    if let Some(start) = open.pop() {
                        close[start] = i;
                    }
                }
                _ => {}
            }
        }
        Self { path, lines: text.lines().collect(), tokens, close }
    }

    fn get(&self, i: usize) -> Option<&Token> {
        self.tokens.get(i)
    }

    /// Whether the token at `i` is this symbol, name or keyword.
    fn is(&self, i: usize, text: &str) -> bool {
        self.get(i).is_some_and(|t| t.is(text))
    }

    fn name(&self, i: usize) -> Option<&str> {
        let token = self.get(i).filter(|t| t.kind == tokens::Kind::Name)?;
        (!tokens::KEYWORDS.contains(&token.text.as_str())).then_some(token.text.as_str())
    }

    fn text(&self, i: usize) -> Option<&str> {
        self.get(i).filter(|t| t.kind == tokens::Kind::Text).map(|t| t.text.as_str())
    }

    /// Where the bracket or block that opens at `i` closes; the end of the file if it never does.
    fn end(&self, i: usize) -> usize {
        self.close.get(i).copied().unwrap_or(usize::MAX).min(self.tokens.len())
    }

    fn error(&self, i: usize, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        let token = &self.tokens[i];
        self.error_at((token.line, token.column, token.width), message, help)
    }

    fn error_at(&self, at: (u32, u32, u32), message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        let (line, column, width) = at;
        let help = help.into();
        Diagnostic {
            message: message.into(),
            file: self.path.to_owned(),
            line,
            column: Some((column, width)),
            excerpt: self.lines.get(line as usize - 1).copied().unwrap_or_default().to_owned(),
            help: (!help.is_empty()).then_some(help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::tokens::{Kind, tokens};

    fn lua_files(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                lua_files(&path, into);
            } else if path.extension().is_some_and(|e| e == "lua") {
                into.push(path);
            }
        }
    }

    #[test]
    fn shipped_files_keep_to_the_lua_that_editors_understand() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        lua_files(&root.join("lua"), &mut files);
        lua_files(&root.join("examples"), &mut files);
        assert!(files.len() > 5);
        for path in files {
            let text = std::fs::read_to_string(&path).expect("readable");
            let all = tokens(&text);
            for (i, token) in all.iter().enumerate().filter(|(_, t)| t.kind != Kind::Text) {
                let statement = i == 0 || all[i - 1].line < token.line;
                let luau = matches!(token.text.as_str(), "+=" | "-=" | "*=" | "/=" | "..=" | "//" | "::" | "!=" | "`")
                    || (statement && matches!(token.text.as_str(), "continue" | "export" | "goto"));
                assert!(!luau, "{}:{}: `{}` is no Lua 5.1", path.display(), token.line, token.text);
            }
        }
    }
}
