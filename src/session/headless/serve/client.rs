//! One connection to a session host. Nothing here ever waits for the other side.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;

use super::super::protocol::Line;

/// What a connection may have unread or unsent; more ends it.
const LIMIT: usize = 8 << 20;

pub(super) struct Client {
    pub(super) stream: UnixStream,
    input: Vec<u8>,
    output: VecDeque<u8>,
    attached: bool,
    /// The other side sends no more.
    ended: bool,
    broken: bool,
}

impl Client {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, input: Vec::new(), output: VecDeque::new(), attached: false, ended: false, broken: false }
    }

    /// What to wait for.
    pub(super) fn interest(&self) -> PollFlags {
        let read = if self.ended { PollFlags::empty() } else { PollFlags::IN };
        if self.output.is_empty() { read } else { read | PollFlags::OUT }
    }

    pub(super) fn attached(&self) -> bool {
        self.attached
    }

    /// Attached, and not gone: one whose end is read and not worked off yet counts no more.
    pub(super) fn present(&self) -> bool {
        self.attached && !self.ended && !self.broken
    }

    /// Worth keeping: not broken, and something may still come or has to go.
    pub(super) fn open(&self) -> bool {
        !self.broken && (!self.ended || !self.output.is_empty())
    }

    pub(super) fn attach(&mut self, picture: &[u8]) {
        self.answer(&Line::Done);
        self.attached = true;
        self.send(picture);
    }

    pub(super) fn answer(&mut self, line: &Line) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            self.send(&text);
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
        if self.output.len() > LIMIT {
            self.broken = true;
        }
    }

    /// Writes what can be written now.
    pub(super) fn flush(&mut self) {
        while !self.output.is_empty() && !self.broken {
            match self.stream.write(self.output.as_slices().0) {
                Ok(n) => drop(self.output.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.broken = true,
            }
        }
    }

    /// The next whole line, without its end.
    pub(super) fn take_line(&mut self) -> Option<Vec<u8>> {
        self.read();
        let end = self.input.iter().position(|b| *b == b'\n')?;
        let mut line: Vec<u8> = self.input.drain(..=end).collect();
        line.pop();
        Some(line)
    }

    /// All that has come.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        self.read();
        std::mem::take(&mut self.input)
    }

    fn read(&mut self) {
        let mut buffer = [0_u8; 8192];
        while !self.ended && !self.broken {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    self.input.extend_from_slice(&buffer[..n]);
                    self.broken = self.input.len() > LIMIT;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.broken = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_let_go_is_not_there_any_more_though_its_picture_is_still_to_be_sent() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("set");
        let mut client = Client::new(ours);
        client.attach(b"picture");
        assert!(client.attached() && client.present());
        drop(theirs);
        assert_eq!(client.take_bytes(), b"");
        assert!(client.attached() && !client.present());
    }
}
