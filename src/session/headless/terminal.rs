//! The terminal that an agent sees: keeps the picture, answers its questions, knows its title.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use vt100::{Callbacks, Parser, Screen};

/// Lines kept above the screen.
const SCROLLBACK: usize = 300;

/// A terminal's picture.
pub(super) struct Terminal {
    parser: Parser<Side>,
}

/// What does not show in the picture.
#[derive(Debug, Default)]
struct Side {
    title: Option<String>,
    answers: Vec<u8>,
}

impl Callbacks for Side {
    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        let title = crate::base::text::headline(&String::from_utf8_lossy(title), 200);
        self.title = Some(title).filter(|t| !t.is_empty());
    }

    /// The questions that programs wait for an answer to: where the cursor is, and what we are.
    fn unhandled_csi(&mut self, screen: &mut Screen, i1: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        let first = params.first().and_then(|p| p.first()).copied().unwrap_or(0);
        match (i1, c, first) {
            (None, 'n', 6) => {
                let (row, column) = screen.cursor_position();
                self.answers.extend(format!("\x1b[{};{}R", row + 1, column + 1).bytes());
            }
            (None, 'n', 5) => self.answers.extend(b"\x1b[0n"),
            (None, 'c', 0) => self.answers.extend(b"\x1b[?62;22c"),
            _ => {}
        }
    }
}

impl Terminal {
    pub(super) fn new((columns, rows): (u16, u16)) -> Self {
        Self { parser: Parser::new_with_callbacks(rows.max(1), columns.max(1), SCROLLBACK, Side::default()) }
    }

    /// Takes what the program wrote; gives what the terminal says to it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.parser.process(bytes);
        std::mem::take(&mut self.parser.callbacks_mut().answers)
    }

    pub(super) fn resize(&mut self, (columns, rows): (u16, u16)) {
        self.parser.screen_mut().set_size(rows.max(1), columns.max(1));
    }

    pub(super) fn title(&self) -> Option<String> {
        self.parser.callbacks().title.clone()
    }

    /// `text` as a paste: marked as one where the program asked for that, lines ended as by Enter.
    pub(super) fn paste(&self, text: &str) -> Vec<u8> {
        let text = text.replace("\r\n", "\n").replace('\n', "\r");
        if self.parser.screen().bracketed_paste() {
            format!("\x1b[200~{text}\x1b[201~").into_bytes()
        } else {
            text.into_bytes()
        }
    }

    /// What makes another terminal look like this one.
    pub(super) fn redraw(&self) -> Vec<u8> {
        let mut bytes = b"\x1b[H\x1b[2J".to_vec();
        bytes.extend(self.parser.screen().state_formatted());
        bytes
    }

    /// What is seen, with what was above it when `lines` is more than the screen has.
    pub(super) fn text(&mut self, lines: usize) -> String {
        let (rows, columns) = self.parser.screen().size();
        let seen: Vec<String> = self.parser.screen().rows(0, columns).collect();
        if lines <= usize::from(rows) || self.parser.screen().alternate_screen() {
            return seen.join("\n");
        }
        let screen = self.parser.screen_mut();
        screen.set_scrollback(usize::MAX);
        let mut above = screen.scrollback();
        let mut all = Vec::with_capacity(above + seen.len());
        while above > 0 {
            screen.set_scrollback(above);
            let part = above.min(usize::from(rows));
            all.extend(screen.rows(0, columns).take(part));
            above -= part;
        }
        screen.set_scrollback(0);
        all.extend(seen);
        all.join("\n")
    }
}

/// The picture that the last `bytes` bytes of `log` leave behind.
pub(super) fn replay(log: &Path, size: (u16, u16), bytes: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut tail = Vec::new();
        file.take(bytes).read_to_end(&mut tail)?;
        Ok(tail)
    };
    let mut terminal = Terminal::new(size);
    terminal.take(&read().unwrap_or_default());
    terminal.text(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_what_a_person_would_see() {
        let mut terminal = Terminal::new((20, 3));
        terminal.take(b"old\r\n\x1b[31mred\x1b[0m\r\n\x1b]2;busy\x07\x1b[2;1Hnew\r\nx\r\ny\r\nz");
        assert_eq!(terminal.title().as_deref(), Some("busy"));
        assert_eq!(terminal.text(0), "x\ny\nz");
        assert_eq!(terminal.text(100), "old\nnew\nx\ny\nz");
        assert_eq!(terminal.text(0), "x\ny\nz");
    }

    #[test]
    fn questions_are_answered_and_pastes_marked_where_wanted() {
        let mut terminal = Terminal::new((20, 3));
        assert_eq!(terminal.take(b"ab\x1b[6n"), b"\x1b[1;3R");
        assert_eq!(terminal.paste("a\nb"), b"a\rb");
        terminal.take(b"\x1b[?2004h");
        assert_eq!(terminal.paste("a\nb"), b"\x1b[200~a\rb\x1b[201~");
    }
}
