//! Saving what a work tree holds, before anything may happen to it.
//!
//! Everything goes under one ref, `refs/gt/preserve/<agent>/<time>`: a commit whose tree is the work tree as it is
//! (tracked and untracked; not what the repository ignores), and whose parents are HEAD, what was staged, stashes
//! of the branch, and every commit that only the work tree's private files (its HEAD, reflog, a merge or rebase in
//! progress) still reach. The user's index, hooks and files are not touched. Repositories nested in the tree are
//! saved the same way and fetched.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::history::trailers;
use super::stack::message;
use super::worktree::WorktreeInfo;
use super::{Git, GitError, Ident, Oid, Repo};
use crate::base::Time;

/// Where saved work lives.
const ROOT: &str = "refs/gt/preserve/";

/// What saving a work tree found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preserved {
    /// HEAD at that moment; none before the first commit.
    pub head: Option<Oid>,
    /// The branch at that moment.
    pub branch: Option<String>,
    /// It was there, and no file of it differed from HEAD.
    pub clean: bool,
    /// Where it was saved; none if there was nothing that is not reachable from a ref anyway.
    pub saved: Option<Saved>,
}

/// One saved state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The ref that keeps it.
    pub refname: String,
    /// The commit it points at.
    pub commit: Oid,
    /// Files whose contents differ from HEAD, among them untracked ones.
    pub files: Vec<String>,
    /// Commits that nothing else would reach.
    pub commits: usize,
}

/// A saved state, as found later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedRef {
    /// The ref that keeps it.
    pub refname: String,
    /// The commit it points at.
    pub commit: Oid,
    /// The address of the agent whose work it was.
    pub agent: String,
    /// When it was saved.
    pub at: Option<Time>,
    /// Where the work tree was.
    pub worktree: Option<PathBuf>,
    /// Its branch.
    pub branch: Option<String>,
    /// Its HEAD.
    pub head: Option<Oid>,
    /// What was staged, when that was not HEAD.
    pub staged: Option<Oid>,
    /// Repositories that were nested in it: relative path, and the prefix of the refs that hold them now.
    pub nested: Vec<(String, String)>,
}

/// What a work tree holds, found without changing it.
pub(super) struct Holdings {
    pub head: Option<Oid>,
    pub branch: Option<String>,
    /// The files as they are.
    pub tree: Oid,
    /// The index as it is.
    pub staged: Oid,
    /// Commits named in the private folder.
    pub commits: Vec<Oid>,
    /// Stashes made on the branch, newest first.
    pub stashes: Vec<Oid>,
    /// Nested repositories, relative.
    pub nested: Vec<String>,
}

impl Repo {
    /// Saves all that the work tree at `worktree` holds and no ref reaches. Repeating it saves nothing twice.
    pub fn preserve(&self, worktree: &Path, agent: &str, now: Time) -> Result<Preserved, GitError> {
        let info = self.known(worktree)?;
        self.preserve_without(&info, agent, now, &[])
    }

    /// Keeps everything that `refname` reaches (and its reflog) under a preserve ref, so that it can be deleted.
    pub fn keep(&self, refname: &str, agent: &str, now: Time) -> Result<Option<Saved>, GitError> {
        let Some(tip) = self.oid_of(refname)? else { return Ok(None) };
        let lost = self.lost_without(&[refname], &self.with_reflog(refname, tip)?)?;
        if lost.is_empty() {
            return Ok(None);
        }
        let tree = self.tree_of(tip)?;
        let notes = vec![("Gt-Ref".to_owned(), refname.to_owned()), ("Gt-Head".to_owned(), tip.to_string())];
        self.save(agent, now, tree, Some(tip), &lost, &[], notes, vec![]).map(Some)
    }

    /// The saved states of an agent, or of all (`""`), oldest first.
    pub fn saved(&self, agent: &str) -> Result<Vec<SavedRef>, GitError> {
        let prefix = if agent.is_empty() { ROOT.to_owned() } else { format!("{ROOT}{}/", component(agent)) };
        let mut found = Vec::new();
        for (refname, commit) in self.refs(&prefix)? {
            let object = self.raw().find_commit(commit)?;
            let text = String::from_utf8_lossy(object.message_bytes()).into_owned();
            let one = |key: &str| trailers(&text).find(|(k, _)| *k == key).map(|(_, v)| v.to_owned());
            let pair = |v: &str| v.rsplit_once(' ').map(|(path, at)| (path.to_owned(), at.to_owned()));
            found.push(SavedRef {
                agent: one("Gt-Agent").unwrap_or_default(),
                at: one("Gt-At").and_then(|t| t.parse().ok()),
                worktree: one("Gt-Worktree").map(PathBuf::from),
                branch: one("Gt-Branch"),
                head: one("Gt-Head").and_then(|o| Oid::from_str(&o).ok()),
                staged: one("Gt-Staged").and_then(|o| Oid::from_str(&o).ok()),
                nested: trailers(&text).filter(|(k, _)| *k == "Gt-Nested").filter_map(|(_, v)| pair(v)).collect(),
                refname,
                commit,
            });
        }
        found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.refname.cmp(&b.refname)));
        Ok(found)
    }

    pub(super) fn known(&self, worktree: &Path) -> Result<WorktreeInfo, GitError> {
        let found = self.worktree_at(worktree)?;
        found.ok_or_else(|| GitError::NoSuch(format!("worktree of this rig at `{}`", worktree.display())))
    }

    /// Saves what would be lost if the work tree and the refs in `going` went away.
    pub(super) fn preserve_without(
        &self,
        info: &WorktreeInfo,
        agent: &str,
        now: Time,
        going: &[&str],
    ) -> Result<Preserved, GitError> {
        let mut holds = self.holdings(info)?;
        for refname in going {
            if let Some(tip) = self.oid_of(refname)? {
                holds.commits.extend(self.with_reflog(refname, tip)?);
            }
        }
        let (head, branch) = (holds.head, holds.branch.clone());
        let lost = self.lost_without(going, &holds.roots())?;
        let head_tree = self.tree_or_empty(head)?;
        let dirty = holds.tree != head_tree || holds.staged != head_tree && !self.has_tree(agent, &holds)?;
        let clean = !info.missing && holds.nested.is_empty() && holds.tree == head_tree && holds.staged == head_tree;
        if holds.nested.is_empty() && lost.is_empty() && (!dirty || self.has_tree(agent, &holds)?) {
            return Ok(Preserved { head, branch, clean, saved: None });
        }
        let mut notes = vec![("Gt-Worktree".to_owned(), info.path.display().to_string())];
        notes.extend(branch.iter().map(|b| ("Gt-Branch".to_owned(), b.clone())));
        notes.extend(head.iter().map(|h| ("Gt-Head".to_owned(), h.to_string())));
        notes.extend(holds.stashes.iter().map(|s| ("Gt-Stash".to_owned(), s.to_string())));
        for (n, path) in holds.nested.iter().enumerate() {
            let prefix = format!("refs/gt/nested/{}/{}/{n}", component(agent), stamp(now));
            self.swallow(&info.path.join(path), &prefix, agent, now)?;
            notes.push(("Gt-Nested".to_owned(), format!("{path} {prefix}")));
        }
        let mut extra = Vec::new();
        if holds.staged != head_tree {
            let parents: Vec<Oid> = head.into_iter().collect();
            let staged = self.commit_tree("what was staged\n", holds.staged, &parents, now)?;
            notes.push(("Gt-Staged".to_owned(), staged.to_string()));
            extra.push(staged);
        }
        extra.extend(&holds.stashes);
        let files = self.changed_files(head, holds.tree)?;
        self.save(agent, now, holds.tree, head, &lost, &extra, notes, files).map(|saved| Preserved {
            clean,
            head,
            branch,
            saved: Some(saved),
        })
    }

    /// Whether this agent's newest saved state is exactly this one.
    fn has_tree(&self, agent: &str, holds: &Holdings) -> Result<bool, GitError> {
        let Some(last) = self.saved(agent)?.pop() else { return Ok(false) };
        let head_tree = self.tree_or_empty(holds.head)?;
        let staged = match last.staged {
            Some(commit) => self.tree_of(commit)?,
            None => head_tree,
        };
        Ok(last.head == holds.head && self.tree_of(last.commit)? == holds.tree && staged == holds.staged)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one commit")]
    fn save(
        &self,
        agent: &str,
        now: Time,
        tree: Oid,
        head: Option<Oid>,
        lost: &[Oid],
        extra: &[Oid],
        mut notes: Vec<(String, String)>,
        files: Vec<String>,
    ) -> Result<Saved, GitError> {
        notes.splice(0..0, [("Gt-Agent".to_owned(), agent.to_owned()), ("Gt-At".to_owned(), now.to_string())]);
        let mut parents: Vec<Oid> = head.into_iter().collect();
        for oid in extra.iter().copied().chain(self.tips(lost)?) {
            if !parents.contains(&oid) {
                parents.push(oid);
            }
        }
        let title = format!("preserve {agent}: {}", crate::base::text::count(files.len(), "changed file"));
        let commit = self.commit_tree(&message(&title, &notes), tree, &parents, now)?;
        self.flush(commit)?;
        let base = format!("{ROOT}{}/{}", component(agent), stamp(now));
        let mut refname = base.clone();
        for n in 2.. {
            match self.set_ref(&refname, commit, None, "preserve") {
                Ok(()) => break,
                Err(GitError::Moved { .. }) => refname = format!("{base}-{n}"),
                Err(e) => return Err(e),
            }
        }
        Ok(Saved { refname, commit, files, commits: lost.len() })
    }

    /// Of a set of commits, those that are no parent of another one in it.
    fn tips(&self, set: &[Oid]) -> Result<Vec<Oid>, GitError> {
        let mut below = HashSet::new();
        for oid in set {
            below.extend(self.raw().find_commit(*oid)?.parent_ids());
        }
        Ok(set.iter().copied().filter(|oid| !below.contains(oid)).collect())
    }

    fn commit_tree(&self, text: &str, tree: Oid, parents: &[Oid], now: Time) -> Result<Oid, GitError> {
        let who = Ident::town().signature(now)?;
        let tree = self.raw().find_tree(tree)?;
        let parents = parents.iter().map(|p| self.raw().find_commit(*p)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.raw().commit(None, &who, &who, text, &tree, &parents.iter().collect::<Vec<_>>())?)
    }

    /// A commit that libgit2 has just written, on the disk and not only in a cache.
    fn flush(&self, commit: Oid) -> Result<(), GitError> {
        let hex = commit.to_string();
        let path = self.path().join("objects").join(&hex[..2]).join(&hex[2..]);
        let file = fs::File::open(&path).map_err(GitError::io("open", &path))?;
        file.sync_all().map_err(GitError::io("flush", &path))
    }

    fn tree_or_empty(&self, commit: Option<Oid>) -> Result<Oid, GitError> {
        match commit {
            Some(commit) => self.tree_of(commit),
            None => Ok(self.raw().treebuilder(None)?.write()?),
        }
    }

    fn changed_files(&self, head: Option<Oid>, tree: Oid) -> Result<Vec<String>, GitError> {
        let old = self.raw().find_tree(self.tree_or_empty(head)?)?;
        let new = self.raw().find_tree(tree)?;
        let diff = self.raw().diff_tree_to_tree(Some(&old), Some(&new), None)?;
        let path = |d: git2::DiffDelta<'_>| d.new_file().path_bytes().or(d.old_file().path_bytes()).map(<[u8]>::to_vec);
        Ok(diff.deltas().filter_map(path).map(|b| String::from_utf8_lossy(&b).into_owned()).collect())
    }

    /// Reads all that a work tree holds. Writes objects, and nothing else.
    pub(super) fn holdings(&self, info: &WorktreeInfo) -> Result<Holdings, GitError> {
        let mut named = Vec::new();
        named_commits(&info.admin, &mut named);
        let commits = self.commits_only(named.into_iter().chain(info.head));
        let mut stashes = Vec::new();
        if let Some(branch) = &info.branch
            && self.raw().reference_has_log("refs/stash")?
        {
            let (wip, on) = (format!("WIP on {branch}: "), format!("On {branch}: "));
            for entry in self.raw().reflog("refs/stash")?.iter() {
                let text = String::from_utf8_lossy(entry.message_bytes().unwrap_or_default()).into_owned();
                if text.starts_with(&wip) || text.starts_with(&on) {
                    stashes.push(entry.id_new());
                }
            }
        }
        let stashes = self.commits_only(stashes);
        let (tree, staged, nested) = self.snapshot(info)?;
        self.refresh()?;
        Ok(Holdings { head: info.head, branch: info.branch.clone(), tree, staged, commits, stashes, nested })
    }

    /// Trees of the files and of the index, made with a copy of the index.
    fn snapshot(&self, info: &WorktreeInfo) -> Result<(Oid, Oid, Vec<String>), GitError> {
        let head_tree = self.tree_or_empty(info.head)?;
        let real = info.admin.join("index");
        let dir = tempfile::Builder::new().prefix("gt-index-").tempdir_in(self.path());
        let dir = dir.map_err(GitError::io("create a folder in", self.path()))?;
        let copy = dir.path().join("index");
        if real.exists() {
            copy_index(&real, &copy)?;
        }
        let git = || Git::bare(&info.admin).env("GIT_INDEX_FILE", &copy);
        let parse = |text: String| Oid::from_str(text.trim()).map_err(GitError::from);
        // An index in the middle of a merge: our side stands for what both changed.
        let unmerged = git().args(["ls-files", "--unmerged", "-z"]).bytes()?;
        let staged = if unmerged.is_empty() {
            parse(git().args(["write-tree"]).ok()?)?
        } else {
            let settled = dir.path().join("settled");
            copy_index(&copy, &settled)?;
            let git = || Git::bare(&info.admin).env("GIT_INDEX_FILE", &settled);
            git().args(["update-index", "-z", "--index-info"]).stdin(settle(&unmerged)).ok()?;
            parse(git().args(["write-tree"]).ok()?)?
        };
        if info.missing {
            let staged = if real.exists() { staged } else { head_tree };
            return Ok((staged, staged, Vec::new()));
        }
        let tree = || Git::in_tree(&info.path).env("GIT_INDEX_FILE", &copy);
        let nested = nested(&info.path, &tree)?;
        let mut add =
            tree().args(["-c", "advice.addEmbeddedRepo=false", "-c", "core.safecrlf=false", "add", "--all", "--", "."]);
        for path in &nested {
            add = add.arg(format!(":(exclude,top,literal){path}"));
        }
        add.ok()?;
        Ok((parse(tree().args(["write-tree"]).ok()?)?, staged, nested))
    }

    /// Saves a nested repository into this one: its files and every ref of it, under `prefix`.
    fn swallow(&self, nested: &Path, prefix: &str, agent: &str, now: Time) -> Result<(), GitError> {
        let inner = git2::Repository::open(nested)?;
        let (common, admin) = (inner.commondir().to_owned(), inner.path().to_owned());
        let head = inner.head().ok();
        let branch = head
            .as_ref()
            .and_then(|h| h.is_branch().then(|| String::from_utf8_lossy(h.shorthand_bytes()).into_owned()));
        let head = head.and_then(|h| h.target());
        drop(inner);
        let repo = Repo::open(&common)?;
        let info = WorktreeInfo { path: nested.to_owned(), admin, branch, head, missing: false };
        repo.preserve_without(&info, agent, now, &[])?;
        let from = common.to_string_lossy().into_owned();
        self.program()
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
            .args(["--no-recurse-submodules", "--", &from, &format!("+refs/*:{prefix}/*")])
            .ok()?;
        self.refresh()
    }
}

impl Holdings {
    pub(super) fn roots(&self) -> Vec<Oid> {
        self.commits.iter().chain(&self.stashes).copied().collect()
    }
}

/// Repositories inside the work tree, relative to it: submodules that are checked out, and untracked ones.
fn nested(path: &Path, tree: &dyn Fn() -> Git<'static>) -> Result<Vec<String>, GitError> {
    let mut found = Vec::new();
    let staged = tree().args(["ls-files", "--stage", "-z"]).bytes()?;
    for record in staged.split(|b| *b == 0) {
        let record = String::from_utf8_lossy(record);
        if let (true, Some((_, name))) = (record.starts_with("160000 "), record.split_once('\t'))
            && path.join(name).join(".git").exists()
        {
            found.push(name.to_owned());
        }
    }
    let others = tree().args(["ls-files", "--others", "--exclude-standard", "-z"]).bytes()?;
    for name in others.split(|b| *b == 0).map(String::from_utf8_lossy) {
        if let Some(name) = name.strip_suffix('/') {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

/// Copies an index with its time: git compares that with the times of files to know which cached sizes and times
/// cannot be trusted, and would miss an edit made in the moment of the last checkout.
fn copy_index(from: &Path, to: &Path) -> Result<(), GitError> {
    let time = fs::metadata(from).and_then(|m| m.modified()).map_err(GitError::io("read", from))?;
    fs::copy(from, to).map_err(GitError::io("copy", from))?;
    let file = fs::File::options().write(true).open(to).map_err(GitError::io("open", to))?;
    file.set_modified(time).map_err(GitError::io("set the time of", to))
}

/// Input for `update-index --index-info` that replaces all stages of a path by our side, or their side without one.
fn settle(unmerged: &[u8]) -> Vec<u8> {
    let mut sides: std::collections::BTreeMap<Vec<u8>, Vec<u8>> = std::collections::BTreeMap::new();
    for record in unmerged.split(|b| *b == 0).filter(|r| !r.is_empty()) {
        let Some(tab) = record.iter().position(|b| *b == b'\t') else { continue };
        let (head, path) = (String::from_utf8_lossy(&record[..tab]).into_owned(), record[tab + 1..].to_vec());
        let mut fields = head.split(' ');
        let (Some(mode), Some(oid), Some(stage)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let entry = sides.entry(path).or_default();
        if stage == "2" || entry.is_empty() && stage == "3" {
            *entry = format!("{mode} {oid} 0").into_bytes();
        }
    }
    let mut out = Vec::new();
    for (path, side) in sides {
        let mut line = |entry: &[u8]| {
            out.extend_from_slice(entry);
            out.push(b'\t');
            out.extend_from_slice(&path);
            out.push(0);
        };
        line(format!("0 {}", Oid::ZERO_SHA1).as_bytes());
        if !side.is_empty() {
            line(&side);
        }
    }
    out
}

/// Every object id written in a private folder: HEAD and its reflog, `ORIG_HEAD`, the state of a merge, rebase,
/// bisect or the like. Files git may add later are covered, because it looks for ids and not for names.
fn named_commits(folder: &Path, into: &mut Vec<Oid>) {
    const NOT_STATE: [&str; 12] = [
        "index",
        "modules",
        "objects",
        "lfs",
        "gitdir",
        "commondir",
        "refs",
        "logs",
        "hooks",
        "info",
        "packed-refs",
        "worktrees",
    ];
    let linked = folder.join("commondir").exists();
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some(name) = name.to_str() else { continue };
        // In a linked work tree refs and logs are private, too.
        let private = linked && matches!(name, "refs" | "logs");
        if path.extension().is_some_and(|e| e == "lock") || NOT_STATE.contains(&name) && !private {
            continue;
        }
        ids_in(&path, into);
    }
    ids_in(&folder.join("logs/HEAD"), into);
}

fn ids_in(path: &Path, into: &mut Vec<Oid>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            ids_in(&entry.path(), into);
        }
    } else if let Ok(bytes) = fs::read(path) {
        let words = bytes.split(|b| !b.is_ascii_hexdigit()).filter(|w| w.len() == 40);
        into.extend(words.filter_map(|w| Oid::from_str(std::str::from_utf8(w).ok()?).ok()));
    }
}

/// An address as the middle of a ref name; the address itself is in the commit.
fn component(agent: &str) -> String {
    let safe: String = agent
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_') { c } else { '-' })
        .collect();
    let parts: Vec<&str> = safe.split('/').filter(|p| !p.is_empty()).collect();
    if parts.is_empty() { "unknown".to_owned() } else { parts.join("/") }
}

/// A time as the end of a ref name: 20260131T093000.250000Z.
fn stamp(now: Time) -> String {
    let utc = Time::utc(now.instant()).to_string();
    utc.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}
