//! What is said on the socket of a session host: one JSON object per line, question and answer.
//!
//! After the answer to `attach` the connection carries the bytes of the terminal in both directions.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of the protocol; a host of another version answers with an error.
pub(super) const VERSION: u32 = 1;
/// A host answers within microseconds; one that is stopped or hung does not hold its caller up for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Ask {
    /// Who is attached, and the terminal's title.
    Status,
    /// What is seen, and for more lines than the screen has, what was seen before.
    Screen {
        /// How many lines.
        lines: usize,
    },
    /// Type these characters.
    Type {
        /// The characters.
        text: String,
    },
    /// Type this text as a paste, bracketed if the program asked for it.
    Paste {
        /// The text.
        text: String,
    },
    /// Change the size of the terminal.
    Resize {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// Show the terminal here and type what comes in.
    Attach,
}

/// A question with the version of the protocol.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Versioned {
    pub(super) v: u32,
    pub(super) body: Ask,
}

/// The version alone, of a question that may be of any version.
#[derive(Debug, Deserialize)]
struct Version {
    v: u32,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    /// To `status`.
    Status {
        /// How many are attached.
        attached: usize,
        /// The title that the program gave its terminal.
        title: Option<String>,
    },
    /// To `screen`.
    Screen {
        /// The text, lines separated by line feeds.
        text: String,
    },
    /// Done.
    Done,
    /// Not done.
    Error {
        /// Why.
        message: String,
    },
}

/// The file name of the socket of session `name`: short, whatever the name.
pub(super) fn socket_name(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    format!("{}.sock", data_encoding::HEXLOWER.encode(&digest[..6]))
}

/// Asks and waits for the answer.
pub(super) fn ask(socket: &Path, ask: &Ask) -> io::Result<Line> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    send(&mut stream, ask)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}

/// Sends a question.
pub(super) fn send(stream: &mut UnixStream, ask: &Ask) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Versioned { v: VERSION, body: ask.clone() })?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Reads a question; the answer to give when it is none.
pub(super) fn parse(line: &[u8]) -> Result<Ask, Line> {
    let error = |message: String| Line::Error { message };
    let version: Version = serde_json::from_slice(line).map_err(|e| error(e.to_string()))?;
    if version.v != VERSION {
        return Err(error(format!("this host speaks version {VERSION}, not {}", version.v)));
    }
    serde_json::from_slice::<Versioned>(line).map(|v| v.body).map_err(|e| error(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_refused_in_words() {
        let Err(Line::Error { message }) = parse(br#"{"v":2,"body":{"ask":"new"}}"#) else { panic!("accepted") };
        assert_eq!(message, "this host speaks version 1, not 2");
        assert_eq!(parse(br#"{"v":1,"body":{"ask":"screen","lines":3}}"#), Ok(Ask::Screen { lines: 3 }));
        assert!(parse(br#"{"v":1,"body":{"ask":"screen","lines":3,"x":1}}"#).is_err());
    }
}
