//! Errors inside the VM, and how they become a [`Diagnostic`] with a place in a policy file.

use crate::policy::check::tokens;
use crate::policy::diagnostic::Diagnostic;

/// An error that our own functions raise.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(in crate::policy) struct PolicyError {
    pub message: String,
    /// The word in the source that it is about; gets the caret when it occurs once on the line.
    pub token: Option<String>,
    pub help: Option<String>,
}

impl PolicyError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), token: None, help: None }
    }

    #[must_use]
    pub fn about(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<PolicyError> for mlua::Error {
    fn from(error: PolicyError) -> Self {
        Self::external(error)
    }
}

/// A file that an error can point into.
#[derive(Debug, Clone)]
pub(in crate::policy) struct SourceFile {
    pub path: String,
    pub text: String,
}

/// Finds message, place and help of an error that came out of Lua.
pub(super) fn diagnose(error: &mlua::Error, files: &[SourceFile]) -> Diagnostic {
    let (raw, traceback) = flatten(error);
    let own = error.downcast_ref::<PolicyError>();
    let located = place(&raw, files);
    let message =
        own.map_or_else(|| located.map_or(raw.as_str(), |(_, _, rest)| rest).to_owned(), |e| e.message.clone());
    let at = located.map(|(file, line, _)| (file, line)).or_else(|| first_frame(&traceback, files));
    let native = own.is_none().then(|| recognise(&message)).flatten();
    let (message, token, help) = match (own, native) {
        (Some(e), _) => (message, e.token.clone(), e.help.clone()),
        (None, Some(native)) => native,
        (None, None) => (message, None, None),
    };
    let mut diagnostic = Diagnostic::bare(message);
    diagnostic.help = help;
    if let Some((file, line)) = at {
        diagnostic.file.clone_from(&file.path);
        diagnostic.line = line;
        diagnostic.excerpt = file.text.lines().nth(line as usize - 1).unwrap_or_default().into();
        diagnostic.column = token.and_then(|t| tokens::once_on_line(&file.text, line, &t));
    }
    diagnostic
}

/// The innermost message, and the traceback next to it.
fn flatten(error: &mlua::Error) -> (String, String) {
    match error {
        mlua::Error::CallbackError { traceback, cause } => {
            let (message, inner) = flatten(cause);
            (message, if inner.is_empty() { traceback.clone() } else { format!("{inner}\n{traceback}") })
        }
        mlua::Error::WithContext { cause, .. } => flatten(cause),
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => split(text),
        mlua::Error::SyntaxError { message, .. } => split(message),
        other => (other.to_string(), String::new()),
    }
}

fn split(text: &str) -> (String, String) {
    match text.split_once("\nstack traceback:") {
        Some((message, traceback)) => (message.into(), traceback.into()),
        None => match text.split_once('\n') {
            Some((message, traceback)) => (message.into(), traceback.into()),
            None => (text.into(), String::new()),
        },
    }
}

/// `path:line: message`, for a path that we know; the longest such path.
fn place<'a, 'f>(text: &'a str, files: &'f [SourceFile]) -> Option<(&'f SourceFile, u32, &'a str)> {
    files
        .iter()
        .filter_map(|file| {
            let rest = text.strip_prefix(file.path.as_str())?.strip_prefix(':')?;
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let line = rest[..digits].parse().ok().filter(|n| *n > 0)?;
            Some((file, line, rest[digits..].trim_start_matches(':').trim_start()))
        })
        .max_by_key(|(file, _, _)| file.path.len())
}

fn first_frame<'f>(traceback: &str, files: &'f [SourceFile]) -> Option<(&'f SourceFile, u32)> {
    traceback.lines().find_map(|frame| place(frame.trim(), files).map(|(file, line, _)| (file, line)))
}

/// Luau's own messages, in the words of this API.
fn recognise(message: &str) -> Option<(String, Option<String>, Option<String>)> {
    if let Some(rest) = message.strip_prefix("attempt to compare ") {
        let kinds: Vec<&str> = rest.split([' ', '<', '=']).filter(|w| !w.is_empty()).collect();
        if kinds.contains(&"span") && (kinds.contains(&"number") || kinds.contains(&"string")) {
            let other = if kinds.contains(&"number") { "number" } else { "string" };
            return Some((
                format!("a span is compared with a {other}"),
                None,
                Some("write the literal as gt.span \"5m\"".into()),
            ));
        }
    }
    if let Some(rest) = message.strip_prefix("attempt to perform arithmetic ")
        && rest.contains("span")
    {
        return Some((
            "a span is added to something that is no span".into(),
            None,
            Some("write the literal as gt.span \"5m\"; only * and / take a number".into()),
        ));
    }
    if message.starts_with("attempt to modify a readonly table") {
        return Some((
            "this table is read-only".into(),
            None,
            Some("a policy makes no globals and changes no library: local x = …".into()),
        ));
    }
    let quoted = message.rsplit_once(" with '").and_then(|(_, w)| w.strip_suffix('\''));
    if message.starts_with("attempt to index ") {
        return Some((message.into(), quoted.map(Into::into), None));
    }
    None
}
