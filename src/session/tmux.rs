//! Sessions on a tmux server that belongs to one town.
//!
//! The server has its own socket and no configuration file, and never sees the caller's `TMUX`: a person's own
//! tmux is neither read nor touched. A pane stays after its program has ended, with the exit code and the last
//! screen, until the session is stopped or started again.

mod server;

use std::path::Path;
use std::time::Duration;

use self::server::{Pane as Row, Server};
use super::delivery::{self, Pane};
use super::lock::lock;
use super::screen::tail;
use super::stage::Stage;
use super::{Delivery, Host, Listed, Probe, SessionError, SessionName, SessionSpec, Signs, Started, mark};
use crate::base::process::{ProcId, kill_all, marked, pause};

const KIND: &str = "tmux";
/// How often a session is asked for while an earlier server is still on its way out.
const SERVER_TRIES: usize = 50;

/// The town's own tmux server.
#[derive(Debug, Clone)]
pub struct TmuxHost {
    server: Server,
}

impl TmuxHost {
    /// The server of the town whose runtime folder is `runtime_dir`. `gt` is this program's executable, `path` the
    /// `PATH` in which tmux is looked for. Starts nothing; an error when there is no tmux.
    pub fn new(runtime_dir: &Path, gt: &Path, path: &str) -> Result<Self, SessionError> {
        Ok(Self { server: Server::new(runtime_dir, gt, path)? })
    }

    /// The socket of the server, for `tmux -S`.
    pub fn socket(&self) -> &Path {
        &self.server.socket
    }

    /// The server's own process, while there is one.
    pub fn server(&self) -> Option<ProcId> {
        self.server.process()
    }

    fn mark(&self, name: &str) -> String {
        mark::mark(&self.server.runtime_dir, KIND, name)
    }

    fn pane(&self, name: &SessionName) -> Result<Row, SessionError> {
        let missing = || SessionError::NotRunning(name.to_string());
        self.server.panes()?.into_iter().find(|p| p.session == name.as_str()).ok_or_else(missing)
    }

    /// A new session. A server that is about to end, since its last session has, may take the request and answer
    /// nothing: the next one starts anew.
    fn new_session(
        &self,
        name: &SessionName,
        spec: &SessionSpec,
        stage: &Stage,
        file: &Path,
    ) -> Result<u32, SessionError> {
        let mut tries = 0;
        loop {
            stage.write(file)?;
            match self.server.new_session(name, spec, file) {
                Err(SessionError::Tmux { message, .. }) if server::is_missing(&message) && tries < SERVER_TRIES => {
                    tries += 1;
                    pause(Duration::from_millis(20));
                }
                answer => return answer.inspect_err(|_| drop(std::fs::remove_file(file))),
            }
        }
    }
}

impl Host for TmuxHost {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn start(&self, spec: &SessionSpec) -> Result<Started, SessionError> {
        let name = SessionName::new(&spec.name)?;
        let stage = Stage::new(spec, &self.mark(name.as_str()))?;
        self.server.check_version()?;
        let folder = self.server.sessions();
        let _lock = lock(&folder, &name, "start")?;
        if let Some(pane) = self.server.panes()?.iter().find(|p| p.session == name.as_str()) {
            if let Some(proc) = pane.leader() {
                return Ok(Started { proc, already: true });
            }
            self.server.forget(&name)?;
        }
        // Whatever outlived an earlier session of this name, or the server itself.
        end(&name, &[], Some(&self.mark(name.as_str())), Duration::from_secs(1))?;
        let pid = self.new_session(&name, spec, &stage, &folder.join(format!("{name}.stage")))?;
        match ProcId::of(pid) {
            Some(proc) => Ok(Started { proc, already: false }),
            None => Ok(Started { proc: ProcId::ended(pid), already: false }),
        }
    }

    fn probe(&self, name: &str) -> Result<Probe, SessionError> {
        let name = SessionName::new(name)?;
        let panes = self.server.panes()?;
        Ok(panes.iter().find(|p| p.session == name.as_str()).map(Row::probe).unwrap_or_default())
    }

    fn list(&self) -> Result<Vec<Listed>, SessionError> {
        let panes = self.server.panes()?;
        let mut list: Vec<Listed> = panes
            .iter()
            .filter(|p| SessionName::new(&p.session).is_ok())
            .map(|p| Listed { name: p.session.clone(), probe: p.probe() })
            .collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(list)
    }

    fn screen(&self, name: &str, lines: usize) -> Result<String, SessionError> {
        let name = SessionName::new(name)?;
        if !self.server.answers() {
            return Ok(String::new());
        }
        match self.server.capture(&format!("={name}:0.0"), lines) {
            Ok(text) => Ok(tail(&text, lines)),
            Err(SessionError::Tmux { message, .. }) if server::is_missing(&message) => Ok(String::new()),
            Err(e) => Err(e),
        }
    }

    fn send(&self, name: &str, text: &str, signs: &Signs) -> Result<Delivery, SessionError> {
        let name = SessionName::new(name)?;
        let _lock = lock(&self.server.sessions(), &name, "send")?;
        let pane = self.pane(&name)?;
        if pane.leader().is_none() {
            return Err(SessionError::NotRunning(name.to_string()));
        }
        if pane.attached {
            return Ok(Delivery::Attended);
        }
        delivery::deliver(&Typist { server: &self.server, pane: pane.id, name: &name }, text, signs)
    }

    fn stop(&self, name: &str, grace: Duration) -> Result<(), SessionError> {
        let name = SessionName::new(name)?;
        let _lock = lock(&self.server.sessions(), &name, "start")?;
        let panes = self.server.panes_of(&name)?;
        let roots: Vec<ProcId> = panes.iter().filter_map(Row::leader).collect();
        end(&name, &roots, Some(&self.mark(name.as_str())), grace)?;
        if panes.is_empty() { Ok(()) } else { self.server.forget(&name) }
    }

    fn attach_argv(&self, name: &str) -> Result<Vec<String>, SessionError> {
        let name = SessionName::new(name)?;
        if self.pane(&name)?.leader().is_none() {
            return Err(SessionError::NotRunning(name.to_string()));
        }
        let mut argv: Vec<String> = ["/usr/bin/env", "-u", "TMUX"].map(str::to_owned).to_vec();
        argv.push(self.server.tmux.display().to_string());
        argv.extend(["-u".to_owned(), "-S".to_owned(), self.server.socket.display().to_string()]);
        argv.extend(["attach-session".to_owned(), "-t".to_owned(), format!("={name}")]);
        Ok(argv)
    }

    fn shutdown_all(&self, grace: Duration) -> Result<(), SessionError> {
        let prefix = mark::kind_prefix(&self.server.runtime_dir, KIND);
        let all = SessionName::new("all")?;
        // The agents first, while their terminal is there; then the server; then whoever appeared meanwhile.
        // Nothing is asked of the server: it may hang.
        let server = self.server.process();
        let is_server = |id: &ProcId| server.as_ref() == Some(id);
        let mut agents = marked(&prefix, true);
        agents.extend(server.iter().flat_map(ProcId::tree));
        agents.retain(|id| !is_server(id));
        end(&all, &agents, None, grace)?;
        for _ in 0..5 {
            let mut left = marked(&prefix, true);
            left.extend(server.iter().filter(|s| s.alive()).cloned());
            if left.is_empty() {
                let _ = std::fs::remove_file(&self.server.socket);
                return Ok(());
            }
            end(&all, &left, None, grace.min(Duration::from_secs(1)))?;
        }
        let survivors = crate::base::process::Survivors(marked(&prefix, true));
        Err(SessionError::Survivors { name: "all".to_owned(), source: survivors })
    }
}

fn end(name: &SessionName, roots: &[ProcId], mark: Option<&str>, grace: Duration) -> Result<(), SessionError> {
    kill_all(roots, mark, grace).map_err(|source| SessionError::Survivors { name: name.to_string(), source })
}

struct Typist<'a> {
    server: &'a Server,
    pane: String,
    name: &'a SessionName,
}

impl Pane for Typist<'_> {
    fn look(&self) -> Result<String, SessionError> {
        self.server.capture(&self.pane, 0)
    }

    fn clear(&self) -> Result<(), SessionError> {
        self.server.run(&["send-keys", "-t", &self.pane, "C-u"], &[]).map(drop)
    }

    fn paste(&self, text: &str) -> Result<(), SessionError> {
        let buffer = format!("gt-{}", self.name);
        self.server.run(&["load-buffer", "-b", &buffer, "-"], text.as_bytes())?;
        self.server.run(&["paste-buffer", "-p", "-d", "-b", &buffer, "-t", &self.pane], &[]).map(drop)
    }

    fn enter(&self) -> Result<(), SessionError> {
        // A literal carriage return: the key named Enter is not one for every tmux and client.
        self.server.run(&["send-keys", "-t", &self.pane, "-H", "0d"], &[]).map(drop)
    }
}
