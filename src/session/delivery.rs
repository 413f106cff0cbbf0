//! Typing into a terminal, and saying honestly what became of it.
//!
//! The recipe was measured on real clients: clear the input, paste, wait until the text is seen, press Enter,
//! wait until the input is empty or says that the message is queued. Too early an Enter counts as part of the
//! paste; that, and not the paste, is how messages get lost.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Host, Screen, SessionError, Signs};
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
    /// Nothing was typed: a person is attached to the session.
    Attended,
}

impl Delivery {
    /// Why nobody may count on it that the program has it.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Lost(why) | Self::Refused(why) => Some(why),
            Self::Attended => Some("a person is attached to the session"),
            Self::Taken | Self::Queued | Self::Typed => None,
        }
    }

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
    match signs.read(&pane.look()?) {
        Screen::Dialog(name) => {
            return Ok(Delivery::Refused(format!("a dialog is open ({name}): what is typed would answer it")));
        }
        Screen::Limit(said) => return Ok(Delivery::Refused(format!("its provider refuses work: {said}"))),
        Screen::Ready | Screen::Busy | Screen::Unknown => {}
    }
    if signs.has_input() && !wait(LANDED, || Ok(signs.input(&pane.look()?).is_some()))? {
        return Ok(Delivery::Refused("its input line is not on the screen".to_owned()));
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

/// How long a program that was just started may take until it can be typed to.
const READY: Duration = Duration::from_secs(30);
/// A screen that has not changed for so long is done with its beginning, where no sign says more.
const STILL: Duration = Duration::from_secs(1);

/// Waits until a program that was just started can be typed to. One that shows nothing within half a minute is typed to
/// all the same. False when it has ended.
pub fn ready_for_words(host: &dyn Host, name: &str, signs: &Signs) -> Result<bool, SessionError> {
    let (mut last, mut since) = (String::new(), Instant::now());
    let mut gone = false;
    wait(READY, || {
        let screen = host.screen(name, 50)?;
        gone = !host.probe(name)?.alive;
        let known = match signs.read(&screen) {
            Screen::Ready | Screen::Dialog(_) | Screen::Limit(_) => true,
            Screen::Busy => false,
            Screen::Unknown => signs.ready.is_empty() && since.elapsed() >= STILL && !screen.trim().is_empty(),
        };
        if screen != last {
            (last, since) = (screen, Instant::now());
            return Ok(gone || (known && !signs.ready.is_empty()));
        }
        Ok(gone || known)
    })?;
    Ok(!gone)
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::session::Runtimes;

    /// A client that draws as measured: a ruled input line, pastes folded, Enter taken late.
    #[derive(Default)]
    struct Client {
        input: String,
        taken: Vec<String>,
        /// So many Enters are swallowed as a part of the paste.
        deaf: usize,
        busy: bool,
        dialog: bool,
        pastes_lost: bool,
        /// Presses of Enter.
        enters: usize,
    }

    struct Fake(RefCell<Client>);

    impl Pane for Fake {
        fn look(&self) -> Result<String, SessionError> {
            let c = self.0.borrow();
            if c.dialog {
                return Ok("Do you want to proceed?\n ❯ 1. Yes\n   2. No\n".to_owned());
            }
            let rule = "─".repeat(40);
            let input = match c.input.lines().count() {
                0 if c.busy && !c.taken.is_empty() => "Press up to edit queued messages".to_owned(),
                0 => "Try \"fix lint errors\"".to_owned(),
                n if n > 5 => format!("[Pasted text #1 +{} lines]", n - 1),
                _ => c.input.clone(),
            };
            let spinner = if c.busy { "✻ Crunching… (3s · ↓ 18 tokens)\n" } else { "" };
            Ok(format!(
                "❯\u{a0}an earlier prompt\n● done\n{spinner}{rule}\n❯\u{a0}{input}\n{rule}\n  ⏵⏵ bypass permissions on\n"
            ))
        }

        fn clear(&self) -> Result<(), SessionError> {
            let mut c = self.0.borrow_mut();
            let rest = c.input.rfind('\n').map_or(0, |at| at);
            c.input.truncate(rest);
            Ok(())
        }

        fn paste(&self, text: &str) -> Result<(), SessionError> {
            let mut c = self.0.borrow_mut();
            if !c.pastes_lost {
                c.input.push_str(text);
            }
            Ok(())
        }

        fn enter(&self) -> Result<(), SessionError> {
            let mut c = self.0.borrow_mut();
            c.enters += 1;
            if c.enters > c.deaf {
                let text = std::mem::take(&mut c.input);
                c.taken.push(text);
            }
            Ok(())
        }
    }

    fn send(client: Client, text: &str) -> (Delivery, Client) {
        let runtimes = Runtimes::built_in();
        let fake = Fake(RefCell::new(client));
        let delivery = deliver(&fake, text, &runtimes.get("claude").expect("built in").signs).expect("answered");
        (delivery, fake.0.into_inner())
    }

    #[test]
    fn a_message_is_taken_whole_and_once() {
        let long = (0..40).map(|n| format!("line {n} of `it`")).collect::<Vec<_>>().join("\n");
        for text in ["short", long.as_str(), "wide é ✓ 漢字"] {
            let (delivery, client) = send(Client::default(), text);
            assert_eq!((delivery, client.taken), (Delivery::Taken, vec![text.to_owned()]));
        }
    }

    #[test]
    fn enters_that_are_swallowed_are_repeated() {
        let (delivery, client) = send(Client { deaf: 2, ..Client::default() }, "hello there");
        assert_eq!((delivery, client.taken), (Delivery::Taken, vec!["hello there".to_owned()]));
    }

    #[test]
    fn what_was_left_in_the_input_is_not_glued_to_the_message() {
        let (delivery, client) = send(Client { input: "old\nrest".into(), ..Client::default() }, "new");
        assert_eq!((delivery, client.taken), (Delivery::Taken, vec!["new".to_owned()]));
    }

    #[test]
    fn a_busy_client_queues() {
        let (delivery, client) = send(Client { busy: true, ..Client::default() }, "when you can");
        assert_eq!((delivery, client.taken), (Delivery::Queued, vec!["when you can".to_owned()]));
    }

    #[test]
    fn a_dialog_is_never_answered_by_a_message() {
        let (delivery, client) = send(Client { dialog: true, ..Client::default() }, "y");
        assert!(matches!(delivery, Delivery::Refused(why) if why.contains("permission")));
        assert!(client.input.is_empty() && client.enters == 0);
    }

    #[test]
    fn nothing_is_called_delivered_that_was_not_seen() {
        let (delivery, _) = send(Client { pastes_lost: true, ..Client::default() }, "gone");
        assert!(matches!(delivery, Delivery::Lost(_)), "{delivery:?}");
        let (delivery, client) = send(Client { deaf: 99, ..Client::default() }, "stuck");
        assert!(matches!(delivery, Delivery::Lost(_)), "{delivery:?}");
        assert_eq!(client.enters, ENTERS);
        assert!(matches!(send(Client::default(), " \u{1b}\n").0, Delivery::Refused(_)));
    }

    #[test]
    fn escapes_do_not_get_out_of_the_paste() {
        let (_, client) = send(Client::default(), "a\u{1b}[201~b");
        assert_eq!(client.taken, ["a[201~b"]);
    }
}
