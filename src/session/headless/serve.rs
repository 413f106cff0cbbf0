//! The host process of one agent: terminal, log, socket. Sleeps until one of them has something to say.

mod client;
mod log;

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use self::client::Client;
use self::log::Log;
use super::protocol::{Ask, Line};
use super::record::{HostSpec, Ready, Record};
use super::terminal::Terminal;
use crate::base::atomic;
use crate::base::process::{ProcId, kill_all, poll_until};

/// How long processes that outlive their agent may take to end by themselves.
const LEFTOVERS: Duration = Duration::from_secs(1);
/// So much is read of what an agent wrote before it ended: more than a terminal holds back, and no end of it where
/// something that it left behind goes on writing.
const LAST_WORDS: usize = 1 << 20;
/// At most so many connections at once.
const CLIENTS: usize = 32;

/// Starts the host that `file` describes and waits until its agent runs; gives the line it said. The host belongs
/// to nobody afterwards: it is the calling process that has to end.
pub fn spawn(file: &Path, gt: &Path) -> io::Result<String> {
    let mut child = Command::new(gt)
        .args(["session-host", "run"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    if line.is_empty() {
        let status = child.wait()?;
        return Err(io::Error::other(format!("the host ended with {status}")));
    }
    Ok(line)
}

/// Is the host that `file` describes, from the start of its agent to its end. Says on `out`, in one line, whether
/// the agent runs.
pub fn serve(file: &Path, mut out: impl Write) -> io::Result<()> {
    let (ready, served) = match Served::start(file) {
        Ok(served) => (Ready { agent: Some(served.agent.clone()), error: None }, Ok(served)),
        Err(e) => (Ready { agent: None, error: Some(e.to_string()) }, Err(e)),
    };
    writeln!(out, "{}", serde_json::to_string(&ready)?)?;
    out.flush()?;
    drop(out);
    served?.run()
}

struct Served {
    spec: HostSpec,
    agent: ProcId,
    child: Child,
    exit: Option<OwnedFd>,
    /// The terminal; closed once the last program on it has gone.
    master: Option<OwnedFd>,
    to_agent: VecDeque<u8>,
    terminal: Terminal,
    log: Log,
    listener: UnixListener,
    clients: Vec<Client>,
}

impl Served {
    fn start(file: &Path) -> io::Result<Self> {
        let spec = HostSpec::read(file)?;
        rustix::process::setsid()?;
        let log = Log::open(&spec.log)?;
        let _ = std::fs::remove_file(&spec.socket);
        let listener = UnixListener::bind(&spec.socket)?;
        std::fs::set_permissions(&spec.socket, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let (master, slave) = open_terminal(spec.size)?;
        let mut child = Command::new(&spec.gt)
            .args(["session-host", "stage", "--own-terminal"])
            .arg(&spec.stage)
            .env_clear()
            .env("TERM", "xterm-256color")
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave)
            .spawn()?;
        // One that has ended by now was a session all the same: how it ended is written down as of any other.
        let agent = ProcId::of_child(&child);
        let record =
            Record { host: ProcId::own(), agent: agent.clone(), log: spec.log.clone(), size: spec.size, exit: None };
        record.write(&spec.record).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        Ok(Self {
            exit: agent.exit_fd(),
            terminal: Terminal::new(spec.size),
            agent,
            child,
            master: Some(master),
            to_agent: VecDeque::new(),
            log,
            listener,
            clients: Vec::new(),
            spec,
        })
    }

    fn run(mut self) -> io::Result<()> {
        while !self.agent_ended() {
            self.turn();
        }
        self.finish()
    }

    fn agent_ended(&self) -> bool {
        match &self.exit {
            Some(fd) => crate::base::process::wait_readable(&[fd.as_fd()], Some(Instant::now()))[0],
            None => !self.agent.alive(),
        }
    }

    /// Waits for something to do and does it.
    fn turn(&mut self) {
        let mut polled = vec![PollFd::new(&self.listener, PollFlags::IN)];
        if let Some(fd) = &self.exit {
            polled.push(PollFd::new(fd, PollFlags::IN));
        }
        if let Some(fd) = &self.master {
            let write = if self.to_agent.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            polled.push(PollFd::new(fd, PollFlags::IN | write));
        }
        for client in &self.clients {
            polled.push(PollFd::new(&client.stream, client.interest()));
        }
        // Without a descriptor for the agent's end there is nothing for it but to look.
        let deadline = self.exit.is_none().then(|| Instant::now() + Duration::from_millis(500));
        poll_until(&mut polled, deadline);
        drop(polled);
        self.accept();
        self.read_terminal(1 << 16);
        self.serve_clients();
        self.write_terminal();
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.len() < CLIENTS && stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client::new(stream));
            }
        }
    }

    /// Takes at most `limit` bytes of what the agent wrote.
    fn read_terminal(&mut self, limit: usize) {
        let mut buffer = [0_u8; 8192];
        let mut taken = 0;
        while taken < limit {
            let Some(master) = &self.master else { return };
            match rustix::io::read(master, &mut buffer) {
                Ok(n) if n > 0 => {
                    taken += n;
                    self.log.write(&buffer[..n]);
                    let answer = self.terminal.take(&buffer[..n]);
                    // A person's own terminal answers for itself.
                    if !self.clients.iter().any(Client::attached) {
                        self.to_agent.extend(answer);
                    }
                    for client in self.clients.iter_mut().filter(|c| c.attached()) {
                        client.send(&buffer[..n]);
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                // EIO: the last program on the terminal has closed it.
                Ok(_) | Err(_) => self.master = None,
            }
        }
    }

    fn write_terminal(&mut self) {
        let Some(master) = &self.master else {
            self.to_agent.clear();
            return;
        };
        while !self.to_agent.is_empty() {
            match rustix::io::write(master, self.to_agent.as_slices().0) {
                Ok(n) => drop(self.to_agent.drain(..n)),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn serve_clients(&mut self) {
        let watched = self.attached();
        let mut clients = std::mem::take(&mut self.clients);
        for i in 0..clients.len() {
            if clients[i].attached() {
                let typed = clients[i].take_bytes();
                self.to_agent.extend(typed);
                continue;
            }
            while let Some(line) = clients[i].take_line() {
                let attached = clients.iter().filter(|c| c.present()).count();
                match super::protocol::parse(&line) {
                    Ok(Ask::Attach) => {
                        clients[i].attach(&self.terminal.redraw());
                        break;
                    }
                    Ok(ask) => {
                        let answer = self.answer(ask, attached);
                        clients[i].answer(&answer);
                    }
                    Err(answer) => clients[i].answer(&answer),
                }
            }
        }
        for client in &mut clients {
            client.flush();
        }
        clients.retain(Client::open);
        self.clients = clients;
        if watched > 0 && self.attached() == 0 {
            self.resize(self.spec.size);
        }
    }

    fn attached(&self) -> usize {
        self.clients.iter().filter(|c| c.attached()).count()
    }

    fn answer(&mut self, ask: Ask, attached: usize) -> Line {
        match ask {
            Ask::Status => Line::Status { attached, title: self.terminal.title() },
            Ask::Screen { lines } => Line::Screen { text: self.terminal.text(lines) },
            Ask::Type { text } => {
                self.to_agent.extend(text.into_bytes());
                Line::Done
            }
            Ask::Paste { text } => {
                self.to_agent.extend(self.terminal.paste(&text));
                Line::Done
            }
            Ask::Resize { columns, rows } => {
                self.resize((columns, rows));
                Line::Done
            }
            Ask::Attach => Line::Error { message: "nothing to attach to".to_owned() },
        }
    }

    fn resize(&mut self, size: (u16, u16)) {
        self.terminal.resize(size);
        if let Some(master) = &self.master {
            let _ = tcsetwinsize(master, winsize(size));
        }
    }

    /// Writes down how the agent ended, ends what it left behind, tells the town.
    fn finish(mut self) -> io::Result<()> {
        self.read_terminal(LAST_WORDS);
        let exit = exit_code(&self.child);
        let screen = self.terminal.text(usize::MAX);
        let saved = atomic::write(&self.spec.screen, screen.as_bytes());
        let record = Record {
            host: ProcId::own(),
            agent: self.agent.clone(),
            log: self.spec.log.clone(),
            size: self.spec.size,
            exit,
        };
        // A full disk is told at the end: what follows matters more.
        let saved = record.write(&self.spec.record).and(saved);
        // Before the agent is collected: until then its number leads to its terminal session. Whoever cannot be
        // ended here is found by the mark when the session is stopped or started again.
        let _ = kill_all(std::slice::from_ref(&self.agent), Some(&self.spec.mark), LEFTOVERS);
        let _ = self.child.wait();
        self.read_terminal(LAST_WORDS);
        for client in &mut self.clients {
            client.flush();
        }
        let _ = std::fs::remove_file(&self.spec.socket);
        if let Some(wake) = &self.spec.wake {
            wake_up(wake);
        }
        saved
    }
}

/// Sends the datagram `1` to `path`; nobody there is no error.
pub fn wake_up(path: &Path) {
    if let Ok(socket) = UnixDatagram::unbound() {
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to(b"1", path);
    }
}

/// The exit code of a child that has ended and is not yet collected, or 128 + signal.
fn exit_code(child: &Child) -> Option<i32> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(Pid::from_child(child)), options).ok()??;
    status.exit_status().or_else(|| status.terminating_signal().map(|s| 128 + s))
}

fn winsize((columns, rows): (u16, u16)) -> Winsize {
    Winsize { ws_row: rows.max(1), ws_col: columns.max(1), ws_xpixel: 0, ws_ypixel: 0 }
}

/// A new terminal: our end, which never waits, and the agent's.
fn open_terminal(size: (u16, u16)) -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = std::ffi::OsString::from_vec(ptsname(&master, Vec::new())?.into_bytes());
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let slave = rustix::fs::open(Path::new(&name), flags, rustix::fs::Mode::empty())?;
    tcsetwinsize(&master, winsize(size))?;
    rustix::io::ioctl_fionbio(&master, true)?;
    Ok((master, slave))
}
