//! Runs a program to its end, within a time and an amount of output.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{ProcId, kill_tree, poll_until};

/// What to run. Built with [`Cmd::new`] and the methods; the fields are public to be read.
#[derive(Debug, Clone)]
pub struct Cmd {
    /// Path, or a name looked up in `PATH`.
    pub program: OsString,
    /// Arguments, without the program.
    pub args: Vec<OsString>,
    /// Working directory; the caller's when `None`.
    pub cwd: Option<PathBuf>,
    /// Variables to set, or with `None` to unset, on top of the inherited ones.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Start from an empty environment.
    pub env_clear: bool,
    /// What the program reads; nothing when empty.
    pub stdin: Vec<u8>,
    /// After this the whole tree is ended. One minute unless told.
    pub timeout: Duration,
    /// How long the tree may take to end by itself at the timeout. Half a second unless told.
    pub grace: Duration,
    /// At most so many bytes of each of stdout and stderr are kept, beginning and end. 16 MiB unless told.
    pub cap: usize,
    /// Leave processes of its group alone that outlive it. They are ended unless told.
    pub keep_background: bool,
}

impl Cmd {
    /// `program` without arguments, with the defaults above.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            cwd: None,
            env: Vec::new(),
            env_clear: false,
            stdin: Vec::new(),
            timeout: Duration::from_secs(60),
            grace: Duration::from_millis(500),
            cap: 16 << 20,
            keep_background: false,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_owned());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Sets several variables.
    #[must_use]
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, vars: impl IntoIterator<Item = (N, V)>) -> Self {
        for (name, value) in vars {
            self = self.env(name, value);
        }
        self
    }

    /// Unsets a variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Starts from an empty environment.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.env_clear = true;
        self
    }

    /// Gives the program something to read.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets the time after which the tree is ended.
    #[must_use]
    pub fn timeout(mut self, after: Duration) -> Self {
        self.timeout = after;
        self
    }

    /// Sets how much of each output is kept, in bytes.
    #[must_use]
    pub fn cap(mut self, bytes: usize) -> Self {
        self.cap = bytes;
        self
    }

    /// Leaves background processes of its group alone.
    #[must_use]
    pub fn keep_background(mut self) -> Self {
        self.keep_background = true;
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).process_group(0);
        command.stdin(if self.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(dir) = &self.cwd {
            command.current_dir(dir);
        }
        if self.env_clear {
            command.env_clear();
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}

/// How it ended.
#[derive(Debug, Clone)]
pub struct Done {
    /// Exit code; `None` when a signal ended it.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to stdout, at most `cap` bytes.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr, at most `cap` bytes.
    pub stderr: Vec<u8>,
    /// From start to end.
    pub elapsed: Duration,
    /// It was ended because its time was over.
    pub timed_out: bool,
    /// Something in the middle of stdout or stderr is missing.
    pub truncated: bool,
}

impl Done {
    /// Exit code 0, in time.
    pub fn success(&self) -> bool {
        self.status == Some(0) && !self.timed_out
    }

    /// stdout as text, broken UTF-8 replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// stderr as text, broken UTF-8 replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The ending in words: `exit code 1`, `signal 9`, `timed out after 3.0 s`.
    pub fn ending(&self) -> String {
        match (self.timed_out, self.status, self.signal) {
            (true, ..) => format!("timed out after {:.1} s", self.elapsed.as_secs_f64()),
            (_, Some(code), _) => format!("exit code {code}"),
            (_, _, Some(signal)) => format!("signal {signal}"),
            _ => "an unknown status".to_owned(),
        }
    }
}

/// Why a program could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such program.
    #[error("the program `{0}` was not found")]
    NotFound(String),
    /// The working directory is not there.
    #[error("the folder {0} does not exist")]
    NoFolder(PathBuf),
    /// The system refused.
    #[error("`{program}` could not be run")]
    Io {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs `cmd` to its end in a process group of its own.
///
/// At the timeout the tree is ended. Processes of its group that outlive it are ended too, unless
/// `keep_background`; nobody waits for them.
pub fn run(cmd: &Cmd) -> Result<Done, RunError> {
    run_watching(cmd, &mut |_| {})
}

/// As [`run`]; hands `watch` what comes on stderr, as it comes.
pub fn run_watching(cmd: &Cmd, watch: &mut dyn FnMut(&[u8])) -> Result<Done, RunError> {
    let io = |source: io::Error| RunError::Io { program: cmd.program.to_string_lossy().into_owned(), source };
    if let Some(dir) = cmd.cwd.as_ref().filter(|d| !d.is_dir()) {
        return Err(RunError::NoFolder(dir.clone()));
    }
    let started = Instant::now();
    let mut child = cmd.command().spawn().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => RunError::NotFound(cmd.program.to_string_lossy().into_owned()),
        _ => io(e),
    })?;
    let result = Pump::new(cmd, &mut child, watch).and_then(|pump| pump.drive(cmd, &mut child, started));
    result.map_err(|e| {
        end_group(&child);
        let _ = child.kill();
        let _ = child.wait();
        io(e)
    })
}

/// The group's number is safe from reuse as long as the child has not been waited for.
fn end_group(child: &Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

struct Pump<'a> {
    stdin: Option<std::process::ChildStdin>,
    unwritten: &'a [u8],
    outputs: [(Option<OwnedFd>, Capped); 2],
    exit: Option<OwnedFd>,
    watch: &'a mut dyn FnMut(&[u8]),
}

impl<'a> Pump<'a> {
    fn new(cmd: &'a Cmd, child: &mut Child, watch: &'a mut dyn FnMut(&[u8])) -> io::Result<Self> {
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        if let Some(fd) = &stdin {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        for fd in [&stdout, &stderr].into_iter().flatten() {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        Ok(Self {
            stdin,
            unwritten: &cmd.stdin,
            outputs: [(stdout, Capped::new(cmd.cap)), (stderr, Capped::new(cmd.cap))],
            exit: crate::base::platform::exit_fd(child.id()),
            watch,
        })
    }

    fn drive(mut self, cmd: &Cmd, child: &mut Child, started: Instant) -> io::Result<Done> {
        let deadline = started + cmd.timeout;
        let mut timed_out = false;
        let status = loop {
            if let Some(status) = self.ended(cmd, child)? {
                break status;
            }
            if Instant::now() >= deadline {
                timed_out = true;
                break self.stop(cmd, child)?;
            }
            self.turn(deadline)?;
        };
        self.read()?;
        let [(_, stdout), (_, stderr)] = self.outputs;
        Ok(Done {
            status: status.code(),
            signal: status.signal(),
            truncated: stdout.dropped + stderr.dropped > 0,
            stdout: stdout.into_bytes(),
            stderr: stderr.into_bytes(),
            elapsed: started.elapsed(),
            timed_out,
        })
    }

    /// The status once the child has ended; leftovers of its group are ended before it is collected.
    fn ended(&self, cmd: &Cmd, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let Some(fd) = &self.exit else {
            return child.try_wait();
        };
        if !super::wait_readable(&[fd.as_fd()], Some(Instant::now()))[0] {
            return Ok(None);
        }
        if !cmd.keep_background {
            end_group(child);
        }
        child.wait().map(Some)
    }

    fn stop(&mut self, cmd: &Cmd, child: &mut Child) -> io::Result<ExitStatus> {
        self.stdin = None;
        if let Some(id) = ProcId::of(child.id()) {
            // Who survives even SIGKILL (uninterruptible in the kernel) must not hold us up.
            let _ = kill_tree(&id, cmd.grace);
        }
        end_group(child);
        child.wait()
    }

    /// One wait and one exchange of whatever is ready.
    fn turn(&mut self, deadline: Instant) -> io::Result<()> {
        let mut polled = Vec::with_capacity(4);
        if let Some(fd) = &self.exit {
            polled.push(PollFd::new(fd, PollFlags::IN));
        }
        if let Some(fd) = &self.stdin {
            polled.push(PollFd::new(fd, PollFlags::OUT));
        }
        for (fd, _) in &self.outputs {
            if let Some(fd) = fd {
                polled.push(PollFd::new(fd, PollFlags::IN));
            }
        }
        let step = if self.exit.is_some() { deadline } else { deadline.min(Instant::now() + Duration::from_millis(5)) };
        poll_until(&mut polled, Some(step));
        drop(polled);
        self.write()?;
        self.read()
    }

    fn read(&mut self) -> io::Result<()> {
        let [(stdout, out), (stderr, err)] = &mut self.outputs;
        let ended = |fd: &Option<OwnedFd>, kept: &mut Capped, watch: &mut dyn FnMut(&[u8])| match fd {
            Some(fd) => read_all(fd, kept, watch),
            None => Ok(false),
        };
        if ended(stdout, out, &mut |_| {})? {
            *stdout = None;
        }
        if ended(stderr, err, self.watch)? {
            *stderr = None;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.stdin else { return Ok(()) };
        while !self.unwritten.is_empty() {
            match pipe.write(self.unwritten) {
                Ok(n) => self.unwritten = &self.unwritten[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // It does not want to read the rest: its business.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => break,
                Err(e) => return Err(e),
            }
        }
        self.stdin = None;
        Ok(())
    }
}

/// Reads what is there; true at the end of the stream.
fn read_all(fd: &OwnedFd, kept: &mut Capped, watch: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
    let mut buffer = [0_u8; 16384];
    loop {
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) => return Ok(true),
            Ok(n) => {
                kept.push(&buffer[..n]);
                watch(&buffer[..n]);
            }
            Err(rustix::io::Errno::AGAIN) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// The beginning and the end of a stream.
struct Capped {
    cap: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Capped {
    fn new(cap: usize) -> Self {
        Self { cap, head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        let room = (self.cap / 2).saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        bytes = &bytes[room..];
        self.tail.extend(bytes);
        let excess = self.tail.len().saturating_sub(self.cap - self.cap / 2);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut out = self.head;
        if self.dropped > 0 {
            let _ = write!(out, "\n[… {} bytes left out …]\n", self.dropped);
        }
        out.extend(self.tail);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Cmd {
        Cmd::new("sh").args(["-c", script])
    }

    #[test]
    fn output_code_and_input_pass_through() {
        let done = run(&sh("cat; echo err >&2; exit 3").stdin("in\n")).expect("runs");
        assert_eq!((done.status, done.stdout_text(), done.stderr_text()), (Some(3), "in\n".into(), "err\n".into()));
        assert!(!done.success() && !done.timed_out && !done.truncated);
        assert_eq!(done.ending(), "exit code 3");
    }

    #[test]
    fn much_input_and_output_at_once_do_not_block() {
        let big = vec![b'x'; 3 << 20];
        let done = run(&sh("tee /dev/stderr").stdin(big.clone())).expect("runs");
        assert_eq!((done.stdout.len(), done.stderr.len()), (big.len(), big.len()));
    }

    #[test]
    fn a_program_that_does_not_read_is_no_error() {
        assert!(run(&sh("exit 0").stdin(vec![b'x'; 1 << 20])).expect("runs").success());
    }

    #[test]
    fn the_tree_is_gone_at_the_timeout() {
        let script = "trap '' TERM; (trap '' TERM; echo $$; while :; do sleep 1000; done) & wait; wait";
        let mut cmd = sh(script).timeout(Duration::from_millis(300));
        cmd.grace = Duration::from_millis(50);
        let mark = format!("GT_TEST_MARK={}-timeout", std::process::id());
        let (name, value) = mark.split_once('=').expect("pair");
        let done = run(&cmd.env(name, value)).expect("runs");
        assert!(done.timed_out && !done.success());
        assert!(super::super::marked(&mark, false).is_empty());
    }

    #[test]
    fn a_background_process_neither_delays_nor_survives() {
        let mark = format!("GT_TEST_MARK={}-background", std::process::id());
        let (name, value) = mark.split_once('=').expect("pair");
        let done = run(&sh("sleep 1000 & echo out").env(name, value)).expect("runs");
        assert_eq!(done.stdout_text(), "out\n");
        super::super::kill_all(&[], Some(&mark), Duration::ZERO).expect("collected");
        assert!(done.elapsed < Duration::from_secs(30));
    }

    #[test]
    fn the_middle_of_too_much_output_is_left_out_and_said() {
        let done = run(&sh("echo begin; head -c 100000 /dev/zero; echo end").cap(1000)).expect("runs");
        assert!(done.truncated);
        let text = done.stdout_text();
        assert!(text.starts_with("begin\n") && text.ends_with("end\n") && text.contains("bytes left out"));
        assert!(done.stdout.len() < 1100);
    }

    #[test]
    fn a_missing_program_or_folder_is_named() {
        assert_eq!(
            run(&Cmd::new("no-such-program")).expect_err("missing").to_string(),
            "the program `no-such-program` was not found"
        );
        assert!(matches!(run(&sh("true").cwd("/no/such")), Err(RunError::NoFolder(_))));
    }

    #[test]
    fn the_environment_can_be_emptied() {
        let done =
            run(&Cmd::new("/usr/bin/env").env_clear().env("A", "1").env("B", "2").env_remove("B")).expect("runs");
        assert_eq!(done.stdout_text(), "A=1\n");
    }
}
