//! Shows a headless session on the caller's terminal and passes the keys on.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::protocol::{self, Ask, Line};
use crate::base::process::wait_readable;

/// Ctrl-]: lets go of the session and leaves it running.
pub const DETACH: u8 = 0x1d;

/// How an attachment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By the detach key, or because there are no more keys.
    Detached,
    /// The session ended.
    Gone,
}

/// Attaches the terminal `keys` / `screen` to the session behind `socket`.
pub fn attach(socket: &Path, keys: BorrowedFd<'_>, screen: &mut dyn Write) -> io::Result<Ended> {
    if !isatty(keys) {
        return Err(io::Error::other("standard input is not a terminal"));
    }
    let mut stream = UnixStream::connect(socket)?;
    let mut size = pass_size(socket, keys, (0, 0));
    // First this: keys that came before it are dropped, and who is attached loses none.
    let _raw = Raw::enter(keys)?;
    protocol::send(&mut stream, &Ask::Attach)?;
    let mut from_host = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    from_host.read_line(&mut line)?;
    if let Ok(Line::Error { message }) = serde_json::from_str(&line) {
        return Err(io::Error::other(message));
    }
    screen.write_all(from_host.buffer())?;
    screen.flush()?;
    let mut buffer = [0_u8; 8192];
    loop {
        // There is no signal to catch here; a changed size is seen within half a second, only while attached.
        let ready = wait_readable(&[keys, stream.as_fd()], Some(Instant::now() + Duration::from_millis(500)));
        if ready[1] {
            let n = stream.read(&mut buffer)?;
            if n == 0 {
                return Ok(Ended::Gone);
            }
            screen.write_all(&buffer[..n])?;
            screen.flush()?;
        }
        if ready[0] {
            let n = rustix::io::read(keys, &mut buffer)?;
            let typed = &buffer[..n];
            let end = typed.iter().position(|b| *b == DETACH);
            stream.write_all(&typed[..end.unwrap_or(n)])?;
            if n == 0 || end.is_some() {
                return Ok(Ended::Detached);
            }
        }
        size = pass_size(socket, keys, size);
    }
}

/// Tells the host the size of the terminal when it is not `known`.
fn pass_size(socket: &Path, keys: BorrowedFd<'_>, known: (u16, u16)) -> (u16, u16) {
    let Ok(size) = tcgetwinsize(keys) else { return known };
    let size = (size.ws_col, size.ws_row);
    if size != known && size != (0, 0) {
        let _ = protocol::ask(socket, &Ask::Resize { columns: size.0, rows: size.1 });
    }
    size
}

/// A terminal that passes every key on unchanged, until dropped.
struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Raw<'a> {
    fn enter(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(terminal, OptionalActions::Flush, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
