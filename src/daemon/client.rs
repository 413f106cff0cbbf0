//! Talking to a running daemon: one JSON line to its socket, one line back.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Time;
use crate::town::trouble::Troubles;

/// Where a town's daemon listens.
pub fn path(town: &Path) -> PathBuf {
    town.join(".runtime/daemon.sock")
}

/// What can be asked of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// How are you?
    Status,
    /// End, leaving the agents as they are.
    Stop,
    /// Look at everything now.
    Wake,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// When it started.
    pub started_at: Option<Time>,
    /// Passes over the rules since then.
    pub passes: u64,
    /// Actions that it carried out.
    pub actions: u64,
    /// The last event of the store that it has seen.
    pub seen_event: i64,
    /// When a rule wants to be looked at again.
    pub next: Option<Time>,
    /// What each rig's queue does, as text.
    pub queues: Vec<QueueStatus>,
    /// What is wrong now, by what it is about.
    #[serde(default)]
    pub troubles: Troubles,
}

/// The queue of one rig as its daemon sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// The rig.
    pub rig: String,
    /// The requests that it has in hand.
    pub in_hand: Vec<String>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Reply {
    /// Understood and done.
    Ok,
    /// The answer to [`Request::Status`].
    Status(Box<Status>),
    /// Not understood.
    Error {
        /// Why.
        message: String,
    },
}

/// Asks the daemon of `town`; an error of kind `NotFound` or `ConnectionRefused` means that there is none.
pub fn ask(town: &Path, request: &Request, patience: Duration) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(path(town))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}
