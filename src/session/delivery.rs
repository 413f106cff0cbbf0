//! Typing into a terminal, and saying honestly what became of it.
//!
//! The recipe was measured on real clients: clear the input, paste, wait until the text is seen, press Enter,
//! wait until the input is empty or says that the message is queued. Too early an Enter counts as part of the
//! paste; that, and not the paste, is how messages get lost.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Screen, SessionError, Signs};
use crate::base::process::pause;
use crate::base::text;

/// What became of a text that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum Delivery {
    /// The program took it from its input line.
    Taken,
    /// The program is busy and shows it as waiting.
    Queued,
    /// It was typed; this runtime has no sign by which more could be known.
    Typed,
    /// It was not, or not wholly, taken: nothing may be assumed.
    Lost(String),
    /// Nothing was typed, for the reason given.
    Refused(String),
}

impl Delivery {
    /// Whether the program is known to have it.
    pub fn certain(&self) -> bool {
        matches!(self, Self::Taken | Self::Queued)
    }
}

/// What a host offers for typing into one terminal.
pub(super) trait Pane {
    /// The visible screen, without escapes.
    fn look(&self) -> Result<String, SessionError>;
    /// Presses Ctrl-U.
    fn clear(&self) -> Result<(), SessionError>;
    /// Pastes `text` (bracketed where the program asked for it).
    fn paste(&self, text: &str) -> Result<(), SessionError>;
    /// Presses Enter.
    fn enter(&self) -> Result<(), SessionError>;
}

const STEP: Duration = Duration::from_millis(50);
const LANDED: Duration = Duration::from_secs(3);
const ENTERS: usize = 8;
const CLEARS: usize = 12;

/// Sends `message` by the recipe. One at a time per terminal: the caller serialises.
pub(super) fn deliver(pane: &dyn Pane, message: &str, signs: &Signs) -> Result<Delivery, SessionError> {
    let message = text::printable(message);
    let message = message.trim();
    if message.is_empty() {
        return Ok(Delivery::Refused("there is nothing to send".to_owned()));
    }
    let before = pane.look()?;
    if let Screen::Dialog(name) = signs.read(&before) {
        return Ok(Delivery::Refused(format!("a dialog is open ({name}): what is typed would answer it")));
    }
    pane.clear()?;
    if !signs.has_input() {
        return type_blind(pane, message);
    }
    if let Some(rest) = clear_input(pane, signs)? {
        return Ok(Delivery::Refused(format!("the input line cannot be cleared, it holds `{rest}`")));
    }
    pane.paste(message)?;
    if !wait(LANDED, || Ok(signs.landed(&pane.look()?, message)))? {
        return Ok(Delivery::Lost("the text did not show up in the input line".to_owned()));
    }
    for _ in 0..ENTERS {
        pane.enter()?;
        let mut seen = None;
        wait(STEP * 10, || {
            seen = signs.taken(&pane.look()?);
            Ok(seen.is_some())
        })?;
        match seen {
            Some(true) => return Ok(Delivery::Queued),
            Some(false) => return Ok(Delivery::Taken),
            None => {}
        }
    }
    Ok(Delivery::Lost("the text stays in the input line, whatever Enter".to_owned()))
}

fn clear_input(pane: &dyn Pane, signs: &Signs) -> Result<Option<String>, SessionError> {
    for _ in 0..CLEARS {
        let mut rest = signs.input(&pane.look()?);
        if rest.as_deref().is_some_and(|r| !r.is_empty()) {
            // The key may not have been worked off yet.
            wait(STEP * 4, || {
                rest = signs.input(&pane.look()?);
                Ok(rest.as_deref().is_none_or(str::is_empty))
            })?;
        }
        match rest {
            Some(rest) if !rest.is_empty() => pane.clear()?,
            _ => return Ok(None),
        }
    }
    Ok(signs.input(&pane.look()?).filter(|r| !r.is_empty()).map(|r| text::headline(&r, 60)))
}

/// Without signs only the echo can be watched; a program that does not echo is not waited for long.
fn type_blind(pane: &dyn Pane, message: &str) -> Result<Delivery, SessionError> {
    pane.paste(message)?;
    let tail: String = message.lines().last().unwrap_or_default().chars().rev().take(20).collect();
    let tail: String = tail.chars().rev().collect();
    wait(STEP * 10, || Ok(pane.look()?.contains(tail.trim())))?;
    pane.enter()?;
    Ok(Delivery::Typed)
}

fn wait(limit: Duration, mut reached: impl FnMut() -> Result<bool, SessionError>) -> Result<bool, SessionError> {
    let end = Instant::now() + limit;
    loop {
        if reached()? {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        pause(STEP);
    }
}
