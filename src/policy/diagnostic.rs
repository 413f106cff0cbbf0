//! Errors of policy files: `file:line:col`, the line itself, a caret and a hint.

use std::fmt::{self, Write as _};

/// An error in a policy file, found when it was loaded or when a rule was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, a lower-case fragment.
    pub message: String,
    /// The file, as its layer named it; empty when no file is to blame.
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column, from 1, and how many columns; `None` when only the line is known.
    pub column: Option<(u32, u32)>,
    /// The text of that line.
    pub excerpt: String,
    /// What to do instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error that no place in a file is to blame for.
    pub fn bare(message: impl Into<String>) -> Self {
        Self { message: message.into(), file: String::new(), line: 0, column: None, excerpt: String::new(), help: None }
    }

    /// As a warning about a role that goes on in another way.
    pub fn warning(&self, role: &str) -> String {
        self.to_string().replacen("error: ", &format!("warning: {role}: "), 1)
    }

    /// `file:line:col`, as far as known.
    pub fn place(&self) -> String {
        match (self.line, self.column) {
            (0, _) => self.file.clone(),
            (line, None) => format!("{}:{line}", self.file),
            (line, Some((col, _))) => format!("{}:{line}:{col}", self.file),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        let digits = self.line.to_string();
        let pad = " ".repeat(digits.len());
        if !self.file.is_empty() {
            write!(f, "\n{pad}--> {}", self.place())?;
        }
        if self.line > 0 && !self.excerpt.is_empty() {
            write!(f, "\n{digits} | {}", self.excerpt.replace('\t', " "))?;
            if let Some((col, width)) = self.column {
                let lead = " ".repeat(col.saturating_sub(1) as usize);
                let mut carets = String::new();
                (0..width.max(1)).try_for_each(|_| carets.write_char('^'))?;
                write!(f, "\n{pad} | {lead}{carets}")?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n{pad} = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
