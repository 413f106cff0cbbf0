//! What listens for the dispatcher: wake datagrams, the socket, signals, file changes.
//!
//! Each component only turns what it hears into a [`Wake`]; none reads or writes the store.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixDatagram, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::bus::{Sender, Wake};
use super::client::{self, Reply, Request};

/// A request is one line of at most this many bytes.
const LINE_LIMIT: u64 = 4096;
/// After a failure to listen, the next attempt comes after this.
const PAUSE: Duration = Duration::from_secs(1);
/// Who connects and says nothing, or does not read, is let go after this.
const LONGEST_TALK: Duration = Duration::from_secs(60);

/// Where a town's daemon hears of writes.
pub fn wake_path(town: &Path) -> PathBuf {
    town.join(".runtime/wake")
}

/// Binds the wake socket, in place of one that a dead daemon left.
pub fn bind_wake(town: &Path) -> io::Result<UnixDatagram> {
    let path = wake_path(town);
    remove_stale(&path)?;
    let socket = UnixDatagram::bind(&path)?;
    private(&path)?;
    Ok(socket)
}

/// Binds the request socket, in place of one that a dead daemon left.
pub fn bind_requests(town: &Path) -> io::Result<UnixListener> {
    let path = client::path(town);
    remove_stale(&path)?;
    let listener = UnixListener::bind(&path)?;
    private(&path)?;
    Ok(listener)
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn private(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// Turns datagrams into wakes, as long as somebody listens.
pub async fn listen_wake(socket: UnixDatagram, bus: Sender) {
    let mut buffer = [0_u8; 64];
    loop {
        if let Err(error) = socket.recv(&mut buffer).await {
            tracing::warn!(%error, "a wake was not received");
            tokio::time::sleep(PAUSE).await;
        }
        while socket.try_recv(&mut buffer).is_ok() {}
        if bus.send(Wake::Store).is_err() {
            return;
        }
    }
}

/// Serves requests, one connection after the other: answers are quick.
pub async fn listen_requests(listener: UnixListener, bus: Sender) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // No descriptor is free, perhaps: that passes.
            Err(error) => {
                tracing::warn!(%error, "a request was not taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let bus = bus.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(LONGEST_TALK, answer(stream, bus)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a request was not answered"),
                Err(_) => tracing::debug!("a request took too long and is dropped"),
            }
        });
    }
}

async fn answer(mut stream: UnixStream, bus: Sender) -> io::Result<()> {
    let mut line = String::new();
    let (read, mut write) = stream.split();
    BufReader::new(read.take(LINE_LIMIT)).read_line(&mut line).await?;
    let reply = match serde_json::from_str::<Request>(&line) {
        Err(e) => Reply::Error { message: format!("not a request: {e}") },
        Ok(request) => {
            let (send, receive) = oneshot::channel();
            let gone = || Reply::Error { message: "the daemon is ending".into() };
            match bus.send(Wake::Ask(request, send)) {
                Ok(()) => receive.await.unwrap_or_else(|_| gone()),
                Err(_) => gone(),
            }
        }
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await?;
    write.shutdown().await
}

/// Turns the signals that ask a daemon to end into a stop.
pub async fn listen_signals(bus: Sender) -> io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    loop {
        let why = tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
            _ = hup.recv() => {
                if bus.send(Wake::Config).is_err() {
                    return Ok(());
                }
                continue;
            }
        };
        if bus.send(Wake::Stop(why)).is_err() {
            return Ok(());
        }
    }
}

/// Watches folders and files of policy and configuration. Dropping it ends the watch.
pub struct FileWatch {
    /// None where the system has no watch to give; then changes are seen when the daemon looks for itself.
    watcher: Option<notify::RecommendedWatcher>,
    /// What is watched, each with device and number: another folder of the same name is another place.
    watched: Vec<(PathBuf, (u64, u64))>,
}

/// What tells a folder from a later one of the same name.
fn identity(place: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(place).ok().map(|meta| (meta.dev(), meta.ino()))
}

impl std::fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileWatch").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl FileWatch {
    /// A watch on nothing yet; changes become [`Wake::Config`].
    pub fn new(bus: Sender) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let matters = match &event {
                Ok(event) => !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|p| concerns(p)),
                Err(_) => true,
            };
            if matters {
                let _ = bus.send(Wake::Config);
            }
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "no file can be watched")).ok();
        Self { watcher, watched: Vec::new() }
    }

    /// Watches exactly these places, each with or without what is below; those that are missing are
    /// left out. Returns how many are watched.
    pub fn set(&mut self, places: &[(PathBuf, bool)]) -> usize {
        let Some(watcher) = &mut self.watcher else { return 0 };
        self.watched.retain(|(old, id)| {
            let keep = places.iter().any(|(p, _)| p == old) && identity(old) == Some(*id);
            if !keep {
                let _ = watcher.unwatch(old);
            }
            keep
        });
        for (place, below) in places {
            let Some(id) = identity(place).filter(|id| !self.watched.contains(&(place.clone(), *id))) else { continue };
            let mode = if *below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match watcher.watch(place, mode) {
                Ok(()) => self.watched.push((place.clone(), id)),
                Err(error) => tracing::warn!(place = %place.display(), %error, "cannot watch"),
            }
        }
        self.watched.len()
    }
}

/// Files that mean something: policies, formulas, configuration, and folders that come or go.
fn concerns(path: &Path) -> bool {
    match path.extension().and_then(|e| e.to_str()) {
        Some("lua" | "toml") => true,
        Some(_) => false,
        None => !path.file_name().is_some_and(|n| n.to_string_lossy().ends_with('~')),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn an_edited_policy_wakes_and_a_worktree_does_not() {
        let dir = tempfile::tempdir().expect("tempdir");
        let lua = dir.path().join("lua");
        std::fs::create_dir_all(lua.join("roles")).expect("mkdir");
        let (send, recv) = mpsc::channel();
        let mut watch = FileWatch::new(send);
        assert_eq!(watch.set(&[(lua.clone(), true), (dir.path().join("missing"), true)]), 1);
        std::fs::write(dir.path().join("elsewhere.lua"), "x").expect("write");
        std::fs::write(lua.join("roles/witness.lua"), "return 1").expect("write");
        let wake = recv.recv_timeout(Duration::from_secs(10)).expect("woken");
        assert!(matches!(wake, Wake::Config));
        std::fs::write(lua.join("roles/witness.lua.swp"), "x").expect("write");
        assert_eq!(watch.set(&[]), 0);
    }

    #[test]
    fn a_request_gets_one_line_back() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir(dir.path().join(".runtime")).expect("mkdir");
        let (send, recv) = mpsc::channel();
        let town = dir.path().to_path_buf();
        let client = std::thread::spawn({
            let town = town.clone();
            move || {
                let patience = Duration::from_secs(10);
                while !client::path(&town).exists() {
                    std::thread::yield_now();
                }
                client::ask(&town, &Request::Stop, patience)
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let listener = bind_requests(&town).expect("bind");
            tokio::spawn(listen_requests(listener, send));
            let ask = tokio::task::spawn_blocking(move || recv.recv().expect("asked")).await.expect("joined");
            let Wake::Ask(Request::Stop, reply) = ask else { panic!("{ask:?}") };
            reply.send(Reply::Ok).expect("heard");
            let answer = tokio::task::spawn_blocking(|| client.join().expect("joined")).await.expect("joined");
            assert_eq!(answer.expect("answered"), Reply::Ok);
        });
    }
}
