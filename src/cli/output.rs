//! Printing: data to stdout, everything else to stderr, a broken pipe ends quietly.

use std::io::{self, Write};

use crate::store::interchange;

/// How the answer of a command is printed. Made once from the global flags.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// `--json`: stdout carries one JSON value.
    pub json: bool,
    /// `--quiet`: no messages, only data.
    pub quiet: bool,
}

impl Output {
    /// Prints the answer: `value` as JSON with `--json`, else what `text` makes of it.
    ///
    /// Empty text prints nothing.
    pub fn print<T: serde::Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            self.print_json(&serde_json::to_string_pretty(value).expect("answers serialise"));
        } else {
            let text = text(value);
            if !text.is_empty() {
                line(text.trim_end_matches('\n'));
            }
        }
    }

    /// Prints the answer, which is JSON already.
    pub fn print_json(self, json: &str) {
        plain_line(&interchange::unwrapped(json));
    }

    /// As [`Self::print`], where making the value is dear and only wanted with `--json`.
    pub fn print_with<T: serde::Serialize>(self, value: impl FnOnce() -> T, text: impl FnOnce() -> String) {
        if self.json {
            self.print(&value(), |_| String::new());
        } else {
            self.print(&(), |()| text());
        }
    }

    /// As [`Self::print`], for an answer that only says that it is done: with `--quiet` the exit code says so.
    pub fn confirm<T: serde::Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) {
        self.print(value, |value| if self.quiet { String::new() } else { text(value) });
    }

    /// A message for the person, on stderr; silent with `--quiet` and `--json`.
    pub fn note(self, text: &str) {
        if !self.quiet && !self.json {
            message(text);
        }
    }
}

thread_local! {
    /// Where lines of data go while they are captured.
    static CAPTURED: std::cell::RefCell<Option<Vec<String>>> = const { std::cell::RefCell::new(None) };
}

/// Runs `f`; what it would have printed on stdout is given instead.
pub fn capture<T>(f: impl FnOnce() -> T) -> (T, Vec<String>) {
    CAPTURED.set(Some(Vec::new()));
    let answer = f();
    (answer, CAPTURED.take().unwrap_or_default())
}

/// Prints one line of data. A reader that has gone away ends the program with success.
pub fn line(text: &str) {
    if !captured(text) {
        let mut out = anstream::stdout().lock();
        ended(writeln!(out, "{text}").and_then(|()| out.flush()));
    }
}

/// As [`line`], for a text that has no colours: nothing looks for them.
fn plain_line(text: &str) {
    if !captured(text) {
        let mut out = io::stdout().lock();
        ended(out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()));
    }
}

/// Whether a line goes where lines are captured.
fn captured(text: &str) -> bool {
    CAPTURED.with_borrow_mut(|lines| lines.as_mut().map(|lines| lines.push(text.to_owned()))).is_some()
}

/// Prints one line of data; false when it could not be, for who has something to end first.
pub fn try_line(text: &str) -> bool {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Prints bytes as they are.
pub fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    ended(out.write_all(bytes).and_then(|()| out.flush()));
}

fn ended(written: io::Result<()>) {
    if let Err(error) = written {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        message(&format!("error: stdout cannot be written: {error}"));
        std::process::exit(74);
    }
}

/// Says what the fan-out of a closed step could not pour; also to those who want no notes, for work is missing.
pub fn not_poured(step: &str, failures: &[String]) {
    for failure in failures {
        message(&format!("warning: not all that {step} asks for was poured: {failure}"));
    }
}

/// Prints a message to stderr; if even that fails there is nobody to tell.
pub fn message(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
