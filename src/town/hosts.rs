//! Which runtime and which session host an agent gets, and what its session is started with.

use super::agent::{AgentRow, HostKind, Told};
use super::around::Acting;
use super::error::TownError;
use crate::base::fault::{Point, pass};
use crate::base::{Address, Time, process};
use crate::config::HostChoice;
use crate::session::{
    HeadlessHost, Host, Launch, PromptChannel, Runtime, Runtimes, SessionName, SessionSpec, Started, TmuxHost,
    ready_for_words,
};

/// The first words to a model: everything else it reads itself.
const PROMPT: &str = "Run `gt prime` and do what it says. Work is on your hook: begin now, do not wait for a word.";

/// The name of an agent's session at its host: `app-polecats-toast`.
pub fn session_name(agent: &Address) -> String {
    SessionName::of_address(&agent.to_string()).map_or_else(|_| "agent".into(), |name| name.to_string())
}

/// A new id for a conversation, in the form of a UUID: made of the agent and the moment.
pub fn conversation(agent: &Address, now: Time) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(format!("{agent}\n{}", now.nanos()));
    let mut bytes: [u8; 16] = std::array::from_fn(|i| digest[i]);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The runtimes of the town: built in, and its own.
pub fn runtimes(cx: &Acting<'_>) -> Result<Runtimes, TownError> {
    Ok(Runtimes::load(cx.town.config()?.runtimes())?)
}

/// The runtime called `name`, if its program is installed; else an error that says which are.
pub fn require_runtime(cx: &Acting<'_>, name: &str) -> Result<Runtime, TownError> {
    installed(&runtimes(cx)?, &cx.around.path, name)
}

/// As [`require_runtime`], of runtimes that are known already; programs are looked for in `path`.
pub fn installed(all: &Runtimes, path: &str, name: &str) -> Result<Runtime, TownError> {
    let installed = all.installed(path);
    let list = if installed.is_empty() { "none".to_owned() } else { installed.join(", ") };
    let Some(runtime) = all.get(name) else {
        let error = TownError::not_found(format!("there is no runtime `{name}`"));
        let error = match all.similar(name) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        return Err(error.hint(format!("installed on this machine: {list}")));
    };
    if runtime.installed(path).is_none() {
        return Err(TownError::refused(format!(
            "{} is not installed: no `{}` on PATH",
            runtime.title, runtime.program
        ))
        .hint(format!("installed on this machine: {list}"))
        .hint("choose one with --runtime NAME, or with `runtime` in town.toml or rig.toml"));
    }
    Ok(runtime.clone())
}

/// The host for new sessions: tmux where it is there and wanted, else headless.
pub fn choose(cx: &Acting<'_>, wanted: HostChoice) -> Result<HostKind, TownError> {
    let tmux = process::find_program("tmux", &cx.around.path).is_some();
    match wanted {
        HostChoice::Auto | HostChoice::Tmux if tmux => Ok(HostKind::Tmux),
        HostChoice::Tmux => Err(TownError::refused("tmux is not installed")
            .hint("install it, or run without it: --host headless, or `host = \"headless\"` in town.toml")),
        HostChoice::Auto | HostChoice::Headless => Ok(HostKind::Headless),
    }
}

/// Opens a session host of the town. Starts nothing.
pub fn open(cx: &Acting<'_>, kind: HostKind) -> Result<Box<dyn Host>, TownError> {
    let dir = cx.town.runtime_dir();
    Ok(match kind {
        HostKind::Tmux => Box::new(TmuxHost::new(&dir, &cx.around.gt, &cx.around.path)?),
        HostKind::Headless => Box::new(HeadlessHost::new(&dir, &cx.around.gt)?),
    })
}

/// Opens a session host to end it; none when it cannot have sessions because it is not installed.
pub fn existing(cx: &Acting<'_>, kind: HostKind) -> Option<Box<dyn Host>> {
    if kind == HostKind::Tmux && process::find_program("tmux", &cx.around.path).is_none() {
        return None;
    }
    open(cx, kind).ok()
}

/// Starts an agent's session. A runtime whose first prompt is typed is told it once it is ready; what became of that
/// is the second value.
///
/// `note` is called directly before the first key is pressed, and keeps with the agent that it is not known what became
/// of it. What `row` says of the same process stands: nothing is typed to it a second time. A worker that was told
/// nothing is silent and spoken to; one that is told twice may begin twice.
pub fn begin(
    cx: &Acting<'_>,
    host: &dyn Host,
    row: &AgentRow,
    runtime: &Runtime,
    note: impl FnOnce(&Told) -> Result<(), TownError>,
) -> Result<(Started, Option<Told>), TownError> {
    let started = host.start(&spec(cx, row, runtime)?)?;
    match runtime.prompt {
        PromptChannel::Typed => {}
        PromptChannel::Argument | PromptChannel::None => return Ok((started, None)),
    }
    if let Some(told) = row.told.as_ref().filter(|told| told.to == started.proc) {
        let told = told.clone();
        return Ok((started, Some(told)));
    }
    let to = started.proc.clone();
    let lost = if ready_for_words(host, &row.session, &runtime.signs)? {
        let unknown = "whether it arrived is not known: who typed it ended meanwhile";
        note(&Told { to: to.clone(), lost: Some(unknown.to_owned()) })?;
        pass(Point::SpawnTelling);
        host.send(&row.session, PROMPT, &runtime.signs)?.why_not().map(str::to_owned)
    } else {
        Some("its program has ended".to_owned())
    };
    Ok((started, Some(Told { to, lost })))
}

/// What an agent's session is started with.
///
/// The environment is made, not inherited: PATH with the running `gt` first, what the runtime names, and who
/// the agent is. A scripted worker gets PATH alone and knows itself by its folder.
fn spec(cx: &Acting<'_>, row: &AgentRow, runtime: &Runtime) -> Result<SessionSpec, TownError> {
    let runtime_dir = cx.town.runtime_dir();
    if runtime.name == "script" {
        crate::session::write_script_worker(&runtime_dir)?;
    }
    let scripted = runtime.inherit.is_empty() && runtime.env.is_empty();
    let conversation = row.conversation.clone().unwrap_or_default();
    let dir = runtime_dir.display().to_string();
    let cwd = row.worktree.clone().unwrap_or_else(|| cx.town.root().to_owned());
    let folder = cwd.display().to_string();
    let launch = Launch {
        runtime_dir: &dir,
        prompt: Some(PROMPT),
        session: (!conversation.is_empty()).then_some(conversation.as_str()),
        folder: &folder,
        settings: None,
        resume: row.resumed,
    };
    let log = cx.town.session_log_path(&row.session);
    let mut spec = SessionSpec::new(row.session.clone(), runtime.argv(&launch), cwd, log);
    spec.env = vec![("PATH".into(), cx.around.session_path())];
    if !scripted {
        spec.env.extend(runtime.environment(cx.around.env.clone()));
        spec.env.push(("GT_TOWN".into(), cx.town.root().display().to_string()));
        spec.env.push(("GT_ROLE".into(), row.address.to_string()));
        spec.env.push(("BD_ACTOR".into(), row.address.to_string()));
    }
    spec.wake = Some(cx.town.wake_path());
    Ok(spec)
}
