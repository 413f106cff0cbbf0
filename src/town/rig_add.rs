//! `gt rig add`: clones a project, finds its gate, and makes it a rig of the town.
//!
//! Everything is made in a folder of its own and moved into place at the end, so that a failure or a crash
//! leaves no rig and no part of one. The user's repository is only read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::around::Acting;
use super::detect::{self, Detected};
use super::error::TownError;
use super::rig::{BrokenRig, Rig, Rigs};
use crate::base::{Prefix, RigName, atomic};
use crate::config::Landing;
use crate::git::{Oid, Repo};
use crate::queue::Verdict;
use crate::queue::bench::{Bench, Run};
use crate::store::Store;
use crate::store::interchange::{Imported, main_prefix};

/// Where a project tracks its issues.
const ISSUES: &str = ".beads/issues.jsonl";

/// How to add a rig.
#[derive(Debug, Clone)]
pub struct AddOpts {
    /// What its bead ids start with; derived from the name when left out.
    pub prefix: Option<Prefix>,
    /// The branch that changes land on; the remote's default when left out.
    pub target: Option<String>,
    /// The given path itself is the remote, even if it is a clone of something.
    pub local: bool,
    /// Run the gate that was found once on the target.
    pub try_gate: bool,
    /// What happens to changes that pass; `hold` when left out.
    pub landing: Option<Landing>,
    /// Read the issues that the project tracks into the town's tracker.
    pub adopt: bool,
}

impl Default for AddOpts {
    fn default() -> Self {
        Self { prefix: None, target: None, local: false, try_gate: true, landing: None, adopt: false }
    }
}

/// A rig that was added.
#[derive(Debug, Clone, Serialize)]
pub struct Added {
    /// Its name.
    pub rig: RigName,
    /// What its bead ids start with.
    pub prefix: Prefix,
    /// Its remote.
    pub remote: String,
    /// The branch that changes land on.
    pub target: String,
    /// How many milliseconds the clone took.
    pub cloned_ms: u64,
    /// The gate that was found: command and the file that says so.
    pub gate: Option<(String, &'static str)>,
    /// What the gate said of the target.
    pub tried: Option<Run>,
    /// Where what it printed is kept, when it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub printed: Option<PathBuf>,
    /// What happens to changes that pass.
    pub landing: Landing,
    /// Beads that the project tracks in `.beads/issues.jsonl`, and that were not read in.
    pub tracked_issues: usize,
    /// What came of reading them in.
    pub adopted: Option<Imported>,
    /// Things to know: a remote that will refuse pushes, and the like.
    pub warnings: Vec<String>,
}

/// Adds the rig `name` from `source`, an address or an absolute path.
pub fn add(
    cx: &Acting<'_>,
    store: &mut Store,
    name: &RigName,
    source: &str,
    opts: &AddOpts,
    progress: &mut dyn FnMut(&str),
) -> Result<Added, TownError> {
    let dir = cx.town.rig_dir(name);
    if dir.exists() {
        let error = TownError::refused(format!("{} exists", dir.display()));
        return Err(if dir.join("rig.toml").is_file() {
            error.hint(format!("`{name}` is a rig already: gt rig list"))
        } else {
            error.hint("choose another name, or move the folder away")
        });
    }
    let taken = Taken::look(cx)?;
    let prefix = taken.free(name, opts.prefix.clone())?;
    let (remote, mut warnings) = remote_of(source, opts.local);
    warnings.extend(taken.unknown.iter().map(|rig| {
        format!("rig.toml of {rig} cannot be read: whether its beads begin with `{prefix}-`, too, is not known")
    }));
    let site = Site::new(cx, name)?;
    let (mut added, issues) = site.build(cx, name, prefix, remote, warnings, opts, progress)?;
    std::fs::rename(&site.dir, &dir).map_err(|e| TownError::io("make", &dir, e))?;
    let noted = store.write(&cx.stamp(), |w| {
        let payload = json!({ "remote": added.remote, "prefix": added.prefix, "target": added.target });
        w.emit("rig_added", name.as_str(), payload).map_err(TownError::from)
    });
    if let Err(error) = noted {
        let _ = std::fs::remove_dir_all(&dir);
        return Err(error);
    }
    if let Some(issues) = issues.filter(|_| opts.adopt) {
        added.adopted = Some(store.import(&cx.stamp(), &issues)?);
        added.tracked_issues = 0;
    }
    super::wake(cx.town);
    Ok(added)
}

/// The folder in which a rig is made; removed when dropped, unless it was moved away.
struct Site {
    dir: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Site {
    fn new(cx: &Acting<'_>, name: &RigName) -> Result<Self, TownError> {
        let dir = cx.town.runtime_dir().join(format!("adding-{name}"));
        if dir.exists() {
            std::fs::remove_dir_all(&dir).map_err(|e| TownError::io("remove", &dir, e))?;
        }
        for folder in ["polecats", "crew", "refinery", "witness", "formulas", "lua/roles"] {
            let path = dir.join(folder);
            std::fs::create_dir_all(&path).map_err(|e| TownError::io("make", &path, e))?;
        }
        Ok(Self { dir })
    }

    #[expect(clippy::too_many_arguments, reason = "one call; the parts have nothing to do with each other")]
    fn build(
        &self,
        cx: &Acting<'_>,
        name: &RigName,
        mut prefix: Prefix,
        remote: String,
        warnings: Vec<String>,
        opts: &AddOpts,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(Added, Option<Vec<u8>>), TownError> {
        let begun = cx.now();
        let repo = Repo::clone(&remote, &self.dir.join(".repo.git"), progress)?;
        let cloned_ms = (cx.now().millis() - begun.millis()).max(0) as u64;
        exclude(&repo)?;
        let target = match &opts.target {
            Some(target) => target.clone(),
            None => repo.default_branch().map_err(|_| no_commits(&remote))?,
        };
        let tip = repo.oid_of(&format!("refs/remotes/origin/{target}"))?.ok_or_else(|| {
            TownError::not_found(format!("{remote} has no branch `{target}`")).hint("choose one with --target BRANCH")
        })?;
        let names = repo.top_level(tip)?;
        let issues = repo.file_at(tip, ISSUES)?;
        // Issues that are taken over and new ones belong together.
        if let Some(tracked) = issues.as_deref().filter(|_| opts.adopt).and_then(main_prefix) {
            if let Some(owner) = Taken::look(cx)?.owner(&tracked) {
                let error = format!("the issues that {remote} tracks begin with `{tracked}-`, as those of {owner} do");
                return Err(
                    TownError::refused(error).hint("add it without --adopt: they would be taken for work there")
                );
            }
            if opts.prefix.is_none() {
                prefix = tracked;
            }
        }
        let detected = detect::detect(&names, |path| {
            repo.file_at(tip, path).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok())
        });
        let tried = match &detected {
            Some(found) if opts.try_gate => Some(self.attempt(cx, &repo, tip, found)?),
            _ => None,
        };
        let printed = match &tried {
            Some(run) if !run.output.is_empty() => {
                let file = Path::new("refinery").join("first-run.txt");
                let path = self.dir.join(&file);
                atomic::write(&path, run.output.as_bytes()).map_err(|e| TownError::io("write", &path, e))?;
                // This folder is about to become the rig's.
                Some(cx.town.rig_dir(name).join(file))
            }
            _ => None,
        };
        let landing = opts.landing.unwrap_or(Landing::Hold);
        let toml = rig_toml(&remote, &prefix, &target, landing, detected.as_ref());
        let path = self.dir.join("rig.toml");
        atomic::write(&path, toml.as_bytes()).map_err(|e| TownError::io("write", &path, e))?;
        let added = Added {
            rig: name.clone(),
            prefix,
            remote,
            target,
            cloned_ms,
            gate: detected.map(|d| (d.gate.command.to_string(), d.because)),
            tried,
            printed,
            landing,
            tracked_issues: issues
                .as_deref()
                .map_or(0, |text| text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count()),
            adopted: None,
            warnings,
        };
        Ok((added, issues))
    }

    /// Runs the gate once on the target, in a scratch worktree that is gone afterwards.
    fn attempt(&self, cx: &Acting<'_>, repo: &Repo, tip: Oid, found: &Detected) -> Result<Run, TownError> {
        let scratch = self.dir.join("refinery").join("first-run");
        repo.worktree_add_detached(&scratch, tip)?;
        // As the queue will run it.
        let env = cx.around.gate_env();
        let bench =
            Bench { scratch: scratch.clone(), env, gates: Vec::new(), actor: cx.by.to_owned(), stop: Arc::default() };
        let run = bench.run("test", &found.gate);
        std::fs::remove_dir_all(&scratch).map_err(|e| TownError::io("remove", &scratch, e))?;
        let what = crate::git::Retire {
            worktree: &scratch,
            agent: "gate",
            now: cx.now(),
            delete_branch: false,
            dry_run: false,
        };
        repo.retire(&what)?;
        Ok(run)
    }
}

fn no_commits(remote: &str) -> TownError {
    TownError::refused(format!("{remote} has no commits, or does not say which branch is its default"))
        .hint("push a first commit to it, or name the branch with --target BRANCH")
}

/// Files of ours that may appear in worktrees are hidden through the clone's own exclude file.
fn exclude(repo: &Repo) -> Result<(), TownError> {
    let info = repo.path().join("info");
    std::fs::create_dir_all(&info).map_err(|e| TownError::io("make", &info, e))?;
    let path = info.join("exclude");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let ours = "# gt\n/.gt/\n/.claude/settings.local.json\n";
    if old.contains(ours) {
        return Ok(());
    }
    atomic::write(&path, format!("{old}{ours}").as_bytes()).map_err(|e| TownError::io("write", &path, e))
}

/// The remote to use. A path that is itself a clone stands for what it was cloned from: pushes to somebody's
/// checkout would be refused, or would surprise its owner.
fn remote_of(source: &str, local: bool) -> (String, Vec<String>) {
    let path = Path::new(source);
    if !path.is_dir() {
        return (source.to_owned(), Vec::new());
    }
    let Ok(repo) = Repo::open(path) else { return (source.to_owned(), Vec::new()) };
    let origin = repo.remote_url("origin").filter(|url| !url.is_empty());
    match origin {
        Some(url) if !local && path.join(".git").exists() => (
            url,
            vec![format!("{source} is a clone: its `origin` is the remote of this rig (--local: the folder itself)")],
        ),
        _ if path.join(".git").exists() => {
            let mut warning = format!("{source} itself is the remote of this rig: changes land in it");
            if let Some(branch) = repo.guarded_branch() {
                warning += &format!(
                    ", which git refuses while its branch `{branch}` is checked out. To let its files follow, as long \
                     as none of yours is changed: git -C {source} config receive.denyCurrentBranch updateInstead"
                );
            }
            (source.to_owned(), vec![warning])
        }
        _ => (source.to_owned(), Vec::new()),
    }
}

/// The prefixes that rigs of the town have.
struct Taken {
    by: Vec<(Prefix, RigName)>,
    /// Rigs that are broken so that theirs is not known.
    unknown: Vec<RigName>,
}

impl Taken {
    /// A rig whose configuration is broken stands in no other's way: its prefix is the one that its file names.
    fn look(cx: &Acting<'_>) -> Result<Self, TownError> {
        let Rigs { rigs, broken } = cx.town.rigs_apart()?;
        let mut taken =
            Self { by: rigs.iter().map(|rig| (rig.prefix().clone(), rig.name.clone())).collect(), unknown: Vec::new() };
        for BrokenRig { name, .. } in broken {
            let text = std::fs::read_to_string(cx.town.rig_config_path(&name)).unwrap_or_default();
            match text.lines().find_map(prefix_in) {
                Some(prefix) => taken.by.push((prefix, name)),
                None => taken.unknown.push(name),
            }
        }
        Ok(taken)
    }

    /// The prefix asked for, or one made of the name, that no other rig has.
    fn free(&self, name: &RigName, wanted: Option<Prefix>) -> Result<Prefix, TownError> {
        if let Some(prefix) = wanted {
            return match self.owner(&prefix) {
                Some(owner) => Err(TownError::refused(format!("the prefix `{prefix}` is taken by {owner}"))
                    .hint("choose another: --prefix P")),
                None => Ok(prefix),
            };
        }
        let base = derive_prefix(name.as_str());
        (1..=self.by.len() + 2)
            .map(|n| if n == 1 { base.clone() } else { format!("{base}{n}") })
            .filter_map(|candidate| Prefix::new(candidate).ok())
            .find(|prefix| self.owner(prefix).is_none())
            .ok_or_else(|| TownError::user("no prefix is left").hint("choose one: --prefix P"))
    }

    /// Whose beads have this prefix, in words.
    fn owner(&self, prefix: &Prefix) -> Option<String> {
        if prefix.as_str() == "hq" {
            return Some("the town itself".to_owned());
        }
        self.by.iter().find(|(taken, _)| taken == prefix).map(|(_, rig)| format!("the rig `{rig}`"))
    }
}

/// The prefix that a line of a file sets, whatever is wrong with the rest of the file.
fn prefix_in(line: &str) -> Option<Prefix> {
    let table: toml::Table = toml::from_str(line).ok()?;
    Prefix::new(table.get("prefix")?.as_str()?).ok()
}

/// `my-project` gives `mp`, `app` stays, `gastown` gives `ga`.
fn derive_prefix(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix("-py").or_else(|| name.strip_suffix("-go")).unwrap_or(&name);
    let parts: Vec<&str> = name.split(['-', '_']).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => "rig".into(),
        [one] if one.len() <= 3 => (*one).to_owned(),
        [one] => one.chars().take(2).collect(),
        many => many.iter().filter_map(|part| part.chars().next()).collect(),
    }
}

fn rig_toml(remote: &str, prefix: &Prefix, target: &str, landing: Landing, detected: Option<&Detected>) -> String {
    let quote = |s: &str| toml::Value::String(s.to_owned()).to_string();
    let text = format!(
        "# A rig of the town: what is set here wins over town.toml.\n\n\
         # The remote, the branch that changes land on, and what bead ids start with.\n\
         url = {}\ntarget = {}\nprefix = {}\n\n\
         # hold: each change waits for `gt review`; direct: it is pushed when its gates pass.\n\
         landing = {}\n\n\
         # Also here, as in town.toml: runtime, host, formula, workers, [roles.NAME], [components].\n\n\
         # What must pass on the merged tree. Add as many [gates.NAME] as you need.\n",
        quote(remote),
        quote(target),
        quote(prefix.as_str()),
        quote(&landing.to_string()),
    );
    let gate = match detected {
        Some(found) => {
            let argv: Vec<toml::Value> = found.gate.command.argv().into_iter().map(toml::Value::String).collect();
            format!("[gates.test]\ncommand = {}\ntimeout = \"{}\"\n", toml::Value::Array(argv), found.gate.timeout)
        }
        None => {
            "# None was found, and without one nothing lands.\n#[gates.test]\n#command = [\"make\", \"test\"]\n".into()
        }
    };
    text + &gate
}

/// One line of `gt rig list`.
#[derive(Debug, Clone, Serialize)]
pub struct RigLine {
    /// Its name.
    pub rig: RigName,
    /// What its bead ids start with.
    pub prefix: Prefix,
    /// Its remote.
    pub remote: String,
    /// The branch that changes land on.
    pub target: String,
    /// What happens to changes that pass.
    pub landing: Landing,
    /// Its gates: name and command.
    pub gates: Vec<(String, String)>,
    /// The runtime of its workers.
    pub runtime: String,
}

/// The rigs of a town, and those that cannot be listed since their configuration is broken.
pub fn list(cx: &Acting<'_>) -> Result<(Vec<RigLine>, Vec<BrokenRig>), TownError> {
    let line = |rig: Rig| RigLine {
        prefix: rig.prefix().clone(),
        remote: rig.config.url.clone(),
        target: rig.config.target.clone(),
        landing: rig.config.landing,
        gates: rig.config.gates.iter().map(|(name, gate)| (name.clone(), gate.command.to_string())).collect(),
        runtime: rig.config.runtime.clone(),
        rig: rig.name,
    };
    let Rigs { rigs, broken } = cx.town.rigs_apart()?;
    Ok((rigs.into_iter().map(line).collect(), broken))
}

/// What the first run of a gate came to, in words.
pub fn first_run(run: &Run) -> String {
    let took = format!("{:.1} s", run.ms as f64 / 1000.0);
    match &run.verdict {
        Verdict::Pass => format!("PASS, {took}"),
        Verdict::Fail(why) => format!("FAIL ({why}), {took}"),
        Verdict::CouldNotRun(why) => format!("could not run: {why}"),
        Verdict::NotApplicable => "not applicable".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn a_prefix_is_made_of_the_name() {
        for (name, prefix) in
            [("my-project", "mp"), ("app", "app"), ("gastown", "ga"), ("web_site-go", "ws"), ("tool-py", "to")]
        {
            assert_eq!(derive_prefix(name), prefix, "{name}");
        }
    }

    #[test]
    fn the_file_that_is_written_can_be_read() {
        let town = crate::config::TownConfig::parse(Path::new("town.toml"), "").expect("town");
        let gate = crate::config::Gate::new(crate::config::Command::Argv(vec!["make".into(), "te\"st".into()]));
        let found = Detected { gate, because: "Makefile" };
        for detected in [None, Some(&found)] {
            let text = rig_toml("/a \"b\"", &Prefix::new("gt").expect("prefix"), "main", Landing::Hold, detected);
            let rig = crate::config::RigConfig::parse(&town, Path::new("rig.toml"), &text, &Overrides::default())
                .unwrap_or_else(|e| panic!("{e}\n{text}"));
            assert_eq!((rig.url.as_str(), rig.landing), ("/a \"b\"", Landing::Hold));
            assert_eq!(rig.gates.len(), usize::from(detected.is_some()));
        }
    }
}
