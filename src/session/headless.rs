//! Sessions without tmux: each agent under a small process of its own, `gt session-host`, which owns its
//! terminal, writes its log and answers on a socket. It outlives the command and the daemon that started it and
//! ends with its agent.
//!
//! In `<runtime>/sessions`: `NAME.json`, the record of the last start and of how it ended; `NAME.screen`, what was
//! seen last; locks. The raw output goes to the log that the session names.

pub mod attach;
mod protocol;
mod record;
mod serve;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use self::protocol::{Ask, Line};
use self::record::{HostSpec, Ready, Record};
use super::delivery::{self, Pane};
use super::lock::lock;
use super::screen::tail;
use super::socket::socket_folder;
use super::stage::Stage;
use super::{Delivery, Host, Listed, MARK_VAR, Probe, SessionError, SessionName, SessionSpec, Signs, Started, mark};
use crate::base::Time;
use crate::base::process::{Cmd, ProcId, Survivors, kill_all, marked, pause, run};

pub use serve::{serve, spawn, wake_up};

const KIND: &str = "headless";
/// How long a new host may take until its agent runs.
const START: Duration = Duration::from_secs(20);
/// So much of a log is read to show the last screen of an agent whose host was killed.
const LOG_TAIL: u64 = 256 << 10;

/// Sessions each under its own host process.
#[derive(Debug, Clone)]
pub struct HeadlessHost {
    runtime_dir: PathBuf,
    gt: PathBuf,
    folder: PathBuf,
    sockets: PathBuf,
}

impl HeadlessHost {
    /// The hosts of the town whose runtime folder is `runtime_dir`. `gt` is this program's executable. Starts
    /// nothing.
    pub fn new(runtime_dir: &Path, gt: &Path) -> Result<Self, SessionError> {
        let folder = runtime_dir.join("sessions");
        let sockets = socket_folder(&folder, protocol::socket_name("x").len())?;
        Ok(Self { runtime_dir: runtime_dir.to_owned(), gt: gt.to_owned(), folder, sockets })
    }

    fn mark(&self, name: &str) -> String {
        mark::mark(&self.runtime_dir, KIND, name)
    }

    fn socket(&self, name: &SessionName) -> PathBuf {
        self.sockets.join(protocol::socket_name(name.as_str()))
    }

    fn file(&self, name: &SessionName, kind: &str) -> PathBuf {
        self.folder.join(format!("{name}.{kind}"))
    }

    fn record(&self, name: &SessionName) -> Result<Option<Record>, SessionError> {
        Record::read(&self.file(name, "json"))
    }

    /// The record for who starts or ends a session: one that cannot be read is none, and stands in nobody's way. The
    /// processes of such a session, its host (the second value) among them, are found by their marks.
    fn record_if_readable(&self, name: &SessionName) -> (Option<Record>, Vec<ProcId>) {
        match self.record(name) {
            Ok(record) => {
                let host = record.as_ref().map(|record| record.host.clone()).into_iter().collect();
                (record, host)
            }
            Err(error) => {
                tracing::warn!(%name, %error, "the record of a session cannot be read");
                (None, marked(&self.host_mark(name), false))
            }
        }
    }

    /// The mark of the host of this session.
    fn host_mark(&self, name: &SessionName) -> String {
        self.mark(&format!("{}/{name}", mark::OF_THE_HOST))
    }

    /// The record of a session that runs under a living host.
    fn running(&self, name: &SessionName) -> Result<Record, SessionError> {
        let record = self.record(name)?.filter(Record::runs);
        record.ok_or_else(|| SessionError::NotRunning(name.to_string()))
    }

    /// Ends an agent and its `hosts`.
    fn end(
        &self,
        name: &SessionName,
        record: Option<&Record>,
        hosts: &[ProcId],
        grace: Duration,
    ) -> Result<(), SessionError> {
        let survivors = |source| SessionError::Survivors { name: name.to_string(), source };
        let agent: Vec<ProcId> = record.map(|r| r.agent.clone()).into_iter().collect();
        kill_all(&agent, Some(&self.mark(name.as_str())), grace).map_err(survivors)?;
        for host in hosts {
            // It ends with its agent, after it has written down how that ended; later it would write over the next one's
            // record and take its socket away.
            let deadline = Instant::now() + Duration::from_secs(2);
            while host.alive() && Instant::now() < deadline {
                pause(Duration::from_millis(5));
            }
            crate::base::process::kill_tree(host, Duration::ZERO).map_err(survivors)?;
        }
        let _ = std::fs::remove_file(self.socket(name));
        Ok(())
    }

    /// The record after the agent's end, when its host is just about to write it.
    fn settled(&self, name: &SessionName, record: Record) -> Result<Record, SessionError> {
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut record = record;
        while record.exit.is_none() && !record.agent.alive() && record.host.alive() && Instant::now() < deadline {
            pause(Duration::from_millis(2));
            record = self.record(name)?.unwrap_or(record);
        }
        if record.exit.is_none() && !record.agent.alive() {
            record = self.record(name)?.unwrap_or(record);
        }
        Ok(record)
    }

    fn probe_named(&self, name: &SessionName) -> Result<Probe, SessionError> {
        let Some(record) = self.record(name)? else { return Ok(Probe::default()) };
        let record = self.settled(name, record)?;
        let alive = record.runs();
        let status = if alive { protocol::ask(&self.socket(name), &Ask::Status).ok() } else { None };
        let (attached, title) = match status {
            Some(Line::Status { attached, title }) => (attached > 0, title),
            _ => (false, None),
        };
        let changed = written(&record.log);
        Ok(Probe { alive, pid: Some(record.agent), attached, exit: record.exit, changed, title })
    }
}

/// When `file` was last written to.
pub fn written(file: &Path) -> Option<Time> {
    let since = std::fs::metadata(file).ok()?.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Time::from_millis(i64::try_from(since.as_millis()).ok()?))
}

impl Host for HeadlessHost {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn start(&self, spec: &SessionSpec) -> Result<Started, SessionError> {
        let name = SessionName::new(&spec.name)?;
        let stage = Stage::new(spec, &self.mark(name.as_str()))?;
        let _lock = lock(&self.folder, &name, "start")?;
        let (record, hosts) = self.record_if_readable(&name);
        if let Some(record) = record.as_ref().filter(|r| r.runs()) {
            return Ok(Started { proc: record.agent.clone(), already: true });
        }
        // Whatever outlived an earlier session of this name, or its host.
        self.end(&name, record.as_ref(), &hosts, Duration::from_secs(1))?;
        let stage_file = self.file(&name, "stage");
        stage.write(&stage_file)?;
        let host = HostSpec {
            name: name.to_string(),
            mark: self.mark(name.as_str()),
            gt: self.gt.clone(),
            stage: stage_file.clone(),
            record: self.file(&name, "json"),
            screen: self.file(&name, "screen"),
            socket: self.socket(&name),
            log: spec.log.clone(),
            size: spec.size,
            wake: spec.wake.clone(),
        };
        let host_file = self.file(&name, "host");
        host.write(&host_file)?;
        let mark = self.host_mark(&name);
        let cmd = Cmd::new(&self.gt)
            .args(["session-host", "spawn"])
            .arg(&host_file)
            .cwd("/")
            .env_clear()
            .env(MARK_VAR, mark.split_once('=').map_or("", |(_, value)| value))
            .timeout(START)
            .keep_background();
        let done = run(&cmd)?;
        let _ = std::fs::remove_file(&host_file);
        // The agent's last stage reads its own file and removes it; it may not have come to that yet.
        let failed = |message| {
            let _ = std::fs::remove_file(&stage_file);
            SessionError::Start { name: name.to_string(), message }
        };
        match serde_json::from_slice::<Ready>(&done.stdout) {
            Ok(Ready { agent: Some(proc), .. }) => Ok(Started { proc, already: false }),
            Ok(Ready { error: Some(error), .. }) => Err(failed(error)),
            _ => Err(failed(format!("its host ended with {}: {}", done.ending(), done.stderr_text().trim()))),
        }
    }

    fn probe(&self, name: &str) -> Result<Probe, SessionError> {
        self.probe_named(&SessionName::new(name)?)
    }

    fn list(&self) -> Result<Vec<Listed>, SessionError> {
        let mut list = Vec::new();
        for name in record::names(&self.folder)? {
            list.push(Listed { name: name.to_string(), probe: self.probe_named(&name)? });
        }
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(list)
    }

    fn screen(&self, name: &str, lines: usize) -> Result<String, SessionError> {
        let name = SessionName::new(name)?;
        let Some(record) = self.record(&name)? else { return Ok(String::new()) };
        if record.runs()
            && let Ok(Line::Screen { text }) = protocol::ask(&self.socket(&name), &Ask::Screen { lines })
        {
            return Ok(tail(&text, lines));
        }
        let record = self.settled(&name, record)?;
        if record.exit.is_some()
            && let Ok(text) = std::fs::read_to_string(self.file(&name, "screen"))
        {
            return Ok(tail(&text, lines));
        }
        Ok(tail(&terminal::replay(&record.log, record.size, LOG_TAIL), lines))
    }

    fn send(&self, name: &str, text: &str, signs: &Signs) -> Result<Delivery, SessionError> {
        let name = SessionName::new(name)?;
        let _lock = lock(&self.folder, &name, "send")?;
        self.running(&name)?;
        let socket = self.socket(&name);
        let typist = Typist { socket: &socket, name: &name };
        match typist.ask(&Ask::Status)? {
            Line::Status { attached, .. } if attached > 0 => Ok(Delivery::Attended),
            _ => delivery::deliver(&typist, text, signs),
        }
    }

    fn stop(&self, name: &str, grace: Duration) -> Result<(), SessionError> {
        let name = SessionName::new(name)?;
        let _lock = lock(&self.folder, &name, "start")?;
        let (record, hosts) = self.record_if_readable(&name);
        self.end(&name, record.as_ref(), &hosts, grace)?;
        for kind in ["json", "screen", "stage", "host"] {
            let _ = std::fs::remove_file(self.file(&name, kind));
        }
        Ok(())
    }

    fn attach_argv(&self, name: &str) -> Result<Vec<String>, SessionError> {
        let name = SessionName::new(name)?;
        self.running(&name)?;
        let gt = self.gt.display().to_string();
        let socket = self.socket(&name).display().to_string();
        Ok(vec![gt, "session-host".to_owned(), "attach".to_owned(), socket])
    }

    fn shutdown_all(&self, grace: Duration) -> Result<(), SessionError> {
        let prefix = mark::kind_prefix(&self.runtime_dir, KIND);
        let survivors = |source| SessionError::Survivors { name: "all".to_owned(), source };
        let mut agents = Vec::new();
        for name in record::names(&self.folder)? {
            agents.extend(self.record_if_readable(&name).0.filter(|r| r.agent.alive()).map(|r| r.agent));
        }
        kill_all(&agents, None, grace).map_err(survivors)?;
        for _ in 0..5 {
            let left = marked(&prefix, true);
            if left.is_empty() {
                for name in record::names(&self.folder)? {
                    self.stop(name.as_str(), Duration::ZERO)?;
                }
                return Ok(());
            }
            kill_all(&left, None, grace.min(Duration::from_secs(1))).map_err(survivors)?;
        }
        Err(survivors(Survivors(marked(&prefix, true))))
    }
}

struct Typist<'a> {
    socket: &'a Path,
    name: &'a SessionName,
}

impl Typist<'_> {
    fn ask(&self, ask: &Ask) -> Result<Line, SessionError> {
        let unreachable = |message| SessionError::Unreachable { name: self.name.to_string(), message };
        match protocol::ask(self.socket, ask) {
            Ok(Line::Error { message }) => Err(unreachable(message)),
            Ok(line) => Ok(line),
            Err(e) => Err(unreachable(e.to_string())),
        }
    }
}

impl Pane for Typist<'_> {
    fn look(&self) -> Result<String, SessionError> {
        match self.ask(&Ask::Screen { lines: 0 })? {
            Line::Screen { text } => Ok(text),
            _ => Ok(String::new()),
        }
    }

    fn clear(&self) -> Result<(), SessionError> {
        self.ask(&Ask::Type { text: "\u{15}".to_owned() }).map(drop)
    }

    fn paste(&self, text: &str) -> Result<(), SessionError> {
        self.ask(&Ask::Paste { text: text.to_owned() }).map(drop)
    }

    fn enter(&self) -> Result<(), SessionError> {
        self.ask(&Ask::Type { text: "\r".to_owned() }).map(drop)
    }
}
