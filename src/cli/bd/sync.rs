//! `bd sync`: exchanges the ledger with a git repository that the user named.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Context;
use super::place::{git_common_dir, main_work_tree};
use crate::base::span::Span;
use crate::base::{process, text};
use crate::cli::{CliError, output, signals};
use crate::git::Repo;
use crate::ledger::{self, Remote, SyncStatus, Synced};

/// The setting that names the remote.
const SETTING: &str = "sync.remote";
/// The setting that says how long a fetch or a push may take.
pub(super) const TIMEOUT: &str = "sync.timeout";

/// How long git has to end by itself when we are ended.
const GRACE: Duration = Duration::from_millis(500);

/// Exchanges all beads with a git repository that you name: fetch, merge bead by bead, push. Two clones may change
/// the same beads at the same time; of one field the later change stays.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address or path of a bare repository, or a remote of this repository by its name; the setting
    /// `sync.remote` when left out.
    #[arg(long, value_name = "URL|NAME")]
    remote: Option<String>,
    /// Say where this copy stands, without asking the remote.
    #[arg(long, conflicts_with = "dry_run")]
    status: bool,
    /// Fetch, and say what would be received and sent.
    #[arg(long)]
    dry_run: bool,
    // Of trackers that keep all in issues.jsonl: write it, or read it, and ask no remote.
    #[arg(long, hide = true, conflicts_with_all = ["remote", "status", "dry_run"])]
    flush_only: bool,
    #[arg(long, hide = true, conflicts_with_all = ["remote", "status", "dry_run", "flush_only"])]
    import_only: bool,
}

impl Args {
    /// Whether nothing is written at all.
    pub(super) fn only_looks(&self) -> bool {
        self.status
    }
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    if args.flush_only {
        return super::export::run(cx, super::export::Args::to(cx.place().beads_dir.join("issues.jsonl")));
    }
    if args.import_only {
        return super::import::run(cx, super::import::Args::default());
    }
    // What is typed is meant from here, what was set from where the tracker is.
    let here = args.remote.is_some();
    let named = match args.remote {
        Some(named) => Some(named),
        None => cx.read(|r| Ok(r.setting(SETTING)?))?,
    };
    if args.status {
        return status(cx, named);
    }
    let named = named.ok_or_else(|| {
        CliError::refused("no remote is named to exchange beads with")
            .hint(format!("`bd config set {SETTING} URL` names one for good, `bd sync --remote URL` for once"))
    })?;
    let beside = cx.place().beads_dir.parent().filter(|_| !here).unwrap_or(&cx.env.cwd);
    let url = address(cx, &named, beside)?;
    if args.dry_run {
        let would = with_remote(cx, url, |remote| cx.with_store(|store| Ok(ledger::rehearse(store, remote)?)))?;
        cx.out.print(&would, |would| format!("would receive {} and send {}", beads(would), sent(would)));
        return Ok(());
    }
    let stamp = cx.stamp();
    let done = with_remote(cx, url, |remote| cx.change_store(|store| Ok(ledger::sync(store, remote, &stamp)?)))?;
    cx.out.print(&done, |done| format!("✓ received {}, sent {}", beads(done), sent(done)));
    if !cx.out.json {
        for (from, to) in &done.renamed {
            output::message(&format!("two clones had made {from}: the later one is {to} now"));
        }
        done.left_out.iter().for_each(|line| output::message(&format!("left in the ledger: {line}")));
    }
    Ok(())
}

/// Runs `f` with the repository at `url` and the time that the settings give it. Meanwhile git ends with this program, and
/// so does whatever git has started.
fn with_remote<T>(cx: &Context, url: String, f: impl FnOnce(&Remote) -> Result<T, CliError>) -> Result<T, CliError> {
    let set = cx.read(|r| Ok(r.setting(TIMEOUT)?))?;
    let mut remote = Remote::at(url);
    if let Some(span) = set.as_deref().and_then(|text| text.parse::<Span>().ok()) {
        remote.limit = Duration::from_millis(span.as_millis().max(0).cast_unsigned());
    }
    let dir = cx.place().beads_dir.canonicalize().unwrap_or_else(|_| cx.place().beads_dir.clone());
    let ending = Arc::new(Mutex::new(()));
    let theirs = Arc::clone(&ending);
    signals::listen(move |number| {
        let _ending = theirs.lock();
        for run in crate::git::running_below(&dir) {
            let _ = process::kill_tree(&run, GRACE);
        }
        std::process::exit(128 + number);
    })?;
    let done = f(&remote);
    // When git was ended because we are, this waits for our own end.
    drop(ending.lock());
    done
}

/// A remote that was asked whether it has all that this copy has.
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) has_all: Result<bool, CliError>,
}

/// Asks the remote that is named by the setting, or was met last; none when there was never one.
pub(super) fn ask(cx: &Context) -> Result<Option<Asked>, CliError> {
    let named = cx.read(|r| Ok(r.setting(SETTING)?))?;
    let beside = cx.place().beads_dir.parent().unwrap_or(&cx.env.cwd);
    let url = match named {
        Some(named) => Some(address(cx, &named, beside)?),
        None => cx.with_store(|store| Ok(ledger::status(store)?))?.last_url,
    };
    let Some(url) = url else { return Ok(None) };
    let asked = with_remote(cx, url.clone(), |remote| cx.with_store(|store| Ok(ledger::rehearse(store, remote)?)));
    Ok(Some(Asked { url, has_all: asked.map(|would| would.sent == 0) }))
}

fn status(cx: &Context, remote: Option<String>) -> Result<(), CliError> {
    let status = cx.with_store(|store| Ok(ledger::status(store)?))?;
    let mut value = serde_json::to_value(&status).unwrap_or_default();
    value["remote"] = remote.clone().into();
    cx.out.print(&value, |_| {
        let remote = remote.unwrap_or_else(|| format!("none is named: bd config set {SETTING} URL"));
        let SyncStatus { last, unfinished, backlog, ahead, behind, .. } = &status;
        let last = last.map_or("never".to_owned(), |at| at.to_string());
        let cut = unfinished.map_or(String::new(), |at| format!("\n  one that began at {at} did not end; `bd sync` ends it"));
        format!(
            "remote  {remote}\n  last sync {last}\n  {ahead} to send, {backlog} of the outbox not counted, {behind} fetched and not merged{cut}"
        )
    });
    Ok(())
}

fn beads(done: &Synced) -> String {
    text::count(done.received, "bead")
}

fn sent(done: &Synced) -> String {
    text::count(done.sent, "transition")
}

/// The address that a name means: a remote of the repository around here, a path from `base`, or the address itself.
fn address(cx: &Context, named: &str, base: &Path) -> Result<String, CliError> {
    let root = main_work_tree(&cx.env.cwd);
    let repo = root.as_deref().and_then(git_common_dir).and_then(|dir| Repo::open(&dir).ok());
    if let Some(url) = repo.and_then(|repo| repo.remote_url(named)) {
        return Ok(from(root.as_deref().unwrap_or(&cx.env.cwd), &url));
    }
    if !named.contains(['/', ':']) && !base.join(named).exists() {
        return Err(CliError::not_found(format!("`{named}` is no remote of this repository, no path and no address"))
            .hint("`git remote -v` lists the remotes; --remote takes an address too"));
    }
    Ok(from(base, named))
}

/// A relative path made absolute from `base`; anything else as it is.
fn from(base: &Path, named: &str) -> String {
    let path = Path::new(named);
    let has_host = named.split('/').next().is_some_and(|first| first.contains(':'));
    if path.is_absolute() || has_host { named.to_owned() } else { base.join(path).display().to_string() }
}
