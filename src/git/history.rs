//! History and differences, read from the object database.

use super::{GitError, Oid, Repo};

/// What a change touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct DiffStat {
    /// Number of files.
    pub files: usize,
    /// Lines added.
    pub insertions: usize,
    /// Lines removed.
    pub deletions: usize,
    /// Each file, in order of path.
    pub each: Vec<FileStat>,
}

/// One file of a change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FileStat {
    /// The path; the new one after a rename.
    pub path: String,
    /// The old path of a renamed file.
    pub from: Option<String>,
    /// Lines added.
    pub insertions: usize,
    /// Lines removed.
    pub deletions: usize,
    /// Not text.
    pub binary: bool,
}

impl DiffStat {
    /// The paths touched, old names included.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.each.iter().flat_map(|f| f.from.as_deref().into_iter().chain([f.path.as_str()]))
    }
}

/// Why merging a commit into a target would add nothing to it. Only the first is a landing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// The target contains the commit.
    Landed,
    /// The commits together come to nothing: the last one has the files of where they left the target.
    Idle,
    /// The target got the same content from elsewhere, as by a cherry-pick.
    Same,
}

impl Nothing {
    /// To follow the name of a change: `main has it already`.
    pub fn words(self, target: &str) -> String {
        match self {
            Self::Landed => format!("{target} has it already"),
            Self::Idle => format!("changes nothing against {target}: its commits together come to nothing"),
            Self::Same => format!("changes nothing against {target}: {target} has the same content already"),
        }
    }
}

impl Repo {
    /// Whether `descendant` contains `ancestor` (a commit contains itself).
    pub fn is_ancestor(&self, ancestor: Oid, descendant: Oid) -> Result<bool, GitError> {
        Ok(ancestor == descendant || self.raw().graph_descendant_of(descendant, ancestor)?)
    }

    /// Commits of `tip` that `base` does not have.
    pub fn ahead(&self, tip: Oid, base: Oid) -> Result<usize, GitError> {
        Ok(self.ahead_behind(tip, base)?.0)
    }

    /// Commits that only `tip` has, and that only `base` has.
    pub fn ahead_behind(&self, tip: Oid, base: Oid) -> Result<(usize, usize), GitError> {
        Ok(self.raw().graph_ahead_behind(tip, base)?)
    }

    /// The best common ancestor; none for unrelated histories.
    pub fn merge_base(&self, a: Oid, b: Oid) -> Result<Option<Oid>, GitError> {
        match self.raw().merge_base(a, b) {
            Ok(oid) => Ok(Some(oid)),
            Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Subjects of the commits that `tip` adds to `base`, newest first, at most `limit`.
    pub fn commits(&self, base: Oid, tip: Oid, limit: usize) -> Result<Vec<(Oid, String)>, GitError> {
        let mut walk = self.raw().revwalk()?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)?;
        walk.push(tip)?;
        walk.hide(base)?;
        walk.take(limit).map(|oid| oid.map_err(GitError::from).and_then(|oid| Ok((oid, self.subject(oid)?)))).collect()
    }

    /// What `tip` changes since it left `base` (their common ancestor, as a reviewer sees it).
    pub fn diff_stat(&self, base: Oid, tip: Oid) -> Result<DiffStat, GitError> {
        let diff = self.diff(base, tip)?;
        let mut stat = DiffStat::default();
        for (i, delta) in diff.deltas().enumerate() {
            let path = |file: git2::DiffFile<'_>| file.path_bytes().map(|b| String::from_utf8_lossy(b).into_owned());
            let new = path(delta.new_file()).or_else(|| path(delta.old_file())).unwrap_or_default();
            let from = path(delta.old_file()).filter(|old| *old != new && delta.status() == git2::Delta::Renamed);
            let mut file = FileStat { path: new, from, insertions: 0, deletions: 0, binary: false };
            match git2::Patch::from_diff(&diff, i)? {
                Some(lines) => {
                    (_, file.insertions, file.deletions) = lines.line_stats()?;
                    file.binary = lines.delta().flags().is_binary();
                }
                None => file.binary = true,
            }
            stat.insertions += file.insertions;
            stat.deletions += file.deletions;
            stat.each.push(file);
        }
        stat.files = stat.each.len();
        Ok(stat)
    }

    /// The same as a patch for people to read.
    pub fn diff_text(&self, base: Oid, tip: Oid) -> Result<String, GitError> {
        let mut text = Vec::new();
        self.diff(base, tip)?.print(git2::DiffFormat::Patch, |_, _, line| {
            if matches!(line.origin(), '+' | '-' | ' ') {
                text.push(line.origin() as u8);
            }
            text.extend_from_slice(line.content());
            true
        })?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// A name of what `tip` changes since it left `base`: the same for the same lines of the same files, whatever stands
    /// around them.
    pub fn change_id(&self, base: Oid, tip: Oid) -> Result<Oid, GitError> {
        let mut text = Vec::new();
        self.diff(base, tip)?.print(git2::DiffFormat::Patch, |delta, _, line| {
            match line.origin_value() {
                // The lines of a header name the whole files, which differ where the target is another.
                git2::DiffLineType::FileHeader => {
                    for file in [delta.old_file(), delta.new_file()] {
                        text.extend(format!("\n{:?} {:?}", file.mode(), file.path_bytes()).bytes());
                    }
                    text.extend(format!("\n{:?}\n", delta.status()).bytes());
                }
                git2::DiffLineType::Binary => text.extend(delta.new_file().id().as_bytes()),
                git2::DiffLineType::HunkHeader | git2::DiffLineType::Context => {}
                kind => {
                    text.extend(format!("{kind:?} ").bytes());
                    text.extend(line.content());
                }
            }
            true
        })?;
        Ok(Oid::hash_object(git2::ObjectType::Blob, &text)?)
    }

    fn diff(&self, base: Oid, tip: Oid) -> Result<git2::Diff<'_>, GitError> {
        let from = self.merge_base(base, tip)?.unwrap_or(base);
        let old = self.raw().find_commit(from)?.tree()?;
        let new = self.raw().find_commit(tip)?.tree()?;
        let mut diff = self.raw().diff_tree_to_tree(Some(&old), Some(&new), None)?;
        diff.find_similar(Some(git2::DiffFindOptions::new().renames(true)))?;
        Ok(diff)
    }

    /// Why merging `commit` into `target` would add nothing, if that is so; derived from git alone.
    pub fn adds_nothing(&self, commit: Oid, target: Oid) -> Result<Option<Nothing>, GitError> {
        if self.is_ancestor(commit, target)? {
            return Ok(Some(Nothing::Landed));
        }
        let (ours, theirs) = (self.raw().find_commit(target)?, self.raw().find_commit(commit)?);
        let mut index = self.raw().merge_commits(&ours, &theirs, None)?;
        if index.has_conflicts() || index.write_tree_to(self.raw())? != ours.tree_id() {
            return Ok(None);
        }
        Ok(Some(self.merged_nothing(commit, target)?))
    }

    /// Why the merge of `commit`, which `target` does not contain, has the files of `target`.
    pub(super) fn merged_nothing(&self, commit: Oid, target: Oid) -> Result<Nothing, GitError> {
        let left_at = self.merge_base(commit, target)?;
        let idle = left_at.map(|base| Ok::<_, GitError>(self.tree_of(base)? == self.tree_of(commit)?)).transpose()?;
        Ok(if idle == Some(true) { Nothing::Idle } else { Nothing::Same })
    }

    /// The newest commit of `tip` that carries the trailer `key: value`, looking no further back than `until`.
    ///
    /// `find_trailer(main, "Gt-MR", "hq-7f2", Some(base))` is how a merge is found after a crash.
    pub fn find_trailer(&self, tip: Oid, key: &str, value: &str, until: Option<Oid>) -> Result<Option<Oid>, GitError> {
        let mut walk = self.raw().revwalk()?;
        walk.set_sorting(git2::Sort::TIME)?;
        walk.push(tip)?;
        if let Some(until) = until {
            walk.hide(until)?;
        }
        for oid in walk {
            let oid = oid?;
            let commit = self.raw().find_commit(oid)?;
            let message = String::from_utf8_lossy(commit.message_bytes());
            // A cheap look before the parse: nearly all commits are not it.
            if message.contains(value) && trailers(&message).any(|(k, v)| k.eq_ignore_ascii_case(key) && v == value) {
                return Ok(Some(oid));
            }
        }
        Ok(None)
    }

    /// The value of a trailer of one commit.
    pub fn trailer(&self, commit: Oid, key: &str) -> Result<Option<String>, GitError> {
        let commit = self.raw().find_commit(commit)?;
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        Ok(trailers(&message).find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.to_owned()))
    }

    /// `git log --graph` of the given tips for people: one line per commit, at most `limit`.
    pub fn log_graph(&self, tips: &[&str], limit: usize) -> Result<String, GitError> {
        self.program()
            .args(["log", "--graph", "--no-color", "--decorate=short", "--decorate-refs=refs/heads/"])
            .args(["--decorate-refs=refs/remotes/", "--date=relative", "--format=%h%d %s (%an)"])
            .arg(format!("--max-count={limit}"))
            .arg("--end-of-options")
            .args(tips)
            .arg("--")
            .ok()
    }

    /// Contents of a file at a commit; none if it is not there.
    pub fn file_at(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        let tree = self.raw().find_commit(commit)?.tree()?;
        match tree.get_path(std::path::Path::new(path)) {
            Ok(entry) if entry.kind() == Some(git2::ObjectType::Blob) => {
                Ok(Some(self.raw().find_blob(entry.id())?.content().to_vec()))
            }
            Ok(_) => Ok(None),
            Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The files right in a folder at a commit, of at most `most` bytes each, with their contents; none if it is not there.
    pub fn files_in(&self, commit: Oid, folder: &str, most: u64) -> Result<Vec<(String, Vec<u8>)>, GitError> {
        let tree = self.raw().find_commit(commit)?.tree()?;
        let folder = match tree.get_path(std::path::Path::new(folder)) {
            Ok(entry) if entry.kind() == Some(git2::ObjectType::Tree) => self.raw().find_tree(entry.id())?,
            Ok(_) => return Ok(Vec::new()),
            Err(e) if e.code() == git2::ErrorCode::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e.into()),
        };
        let mut files = Vec::new();
        for entry in folder.iter().filter(|entry| entry.kind() == Some(git2::ObjectType::Blob)) {
            let blob = self.raw().find_blob(entry.id())?;
            if blob.size() as u64 <= most {
                files.push((String::from_utf8_lossy(entry.name_bytes()).into_owned(), blob.content().to_vec()));
            }
        }
        Ok(files)
    }

    /// Names at the top of the tree of a commit, folders with a trailing `/`.
    pub fn top_level(&self, commit: Oid) -> Result<Vec<String>, GitError> {
        let tree = self.raw().find_commit(commit)?.tree()?;
        let name = |e: git2::TreeEntry<'_>| {
            let slash = if e.kind() == Some(git2::ObjectType::Tree) { "/" } else { "" };
            format!("{}{slash}", String::from_utf8_lossy(e.name_bytes()))
        };
        Ok(tree.iter().map(name).collect())
    }
}

/// The trailers of a message: `Key: value` lines of its last paragraph.
pub(crate) fn trailers(message: &str) -> impl Iterator<Item = (&str, &str)> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().filter_map(|line| {
        let (key, value) = line.split_once(": ")?;
        let fine = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        fine.then(|| (key, value.trim()))
    })
}
