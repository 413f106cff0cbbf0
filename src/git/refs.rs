//! Refs: read, compare-and-swap, delete only what stays reachable.

use super::{GitError, Oid, Repo, dead};

impl Repo {
    /// Where a ref (full name, symbolic refs followed) points; none if it does not exist.
    pub fn oid_of(&self, refname: &str) -> Result<Option<Oid>, GitError> {
        match self.raw().refname_to_id(refname) {
            Ok(oid) => Ok(Some(oid)),
            Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// All refs whose full name starts with `prefix`, in order of name.
    pub fn refs(&self, prefix: &str) -> Result<Vec<(String, Oid)>, GitError> {
        let mut found = Vec::new();
        for reference in self.raw().references()? {
            let reference = reference?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            if name.starts_with(prefix)
                && let Some(oid) = reference.resolve().ok().and_then(|r| r.target())
            {
                found.push((name, oid));
            }
        }
        found.sort();
        Ok(found)
    }

    /// As [`Repo::refs`] of a whole folder of refs (`refs/heads/x/`), but one that is there and cannot be read is
    /// [`GitError::BrokenRef`]: [`Repo::refs`] passes it over, as git does.
    pub fn refs_whole(&self, folder: &str) -> Result<Vec<(String, Oid)>, GitError> {
        let found = self.refs(folder)?;
        let mut folders = vec![folder.trim_end_matches('/').to_owned()];
        while let Some(folder) = folders.pop() {
            let path = self.path().join(&folder);
            let entries = match std::fs::read_dir(&path) {
                // All of them are packed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.map_err(GitError::io("list", &path))?,
            };
            for entry in entries {
                let entry = entry.map_err(GitError::io("list", &path))?;
                let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() {
                    folders.push(name);
                } else if !name.ends_with(".lock")
                    && found.binary_search_by(|(there, _)| there.as_str().cmp(&name)).is_err()
                {
                    self.proven_readable(name)?;
                }
            }
        }
        Ok(found)
    }

    /// A ref that has a file and was not among those that could be read: it was made since, or is broken.
    fn proven_readable(&self, refname: String) -> Result<(), GitError> {
        match self.raw().refname_to_id(&refname) {
            Ok(_) => Ok(()),
            Err(error) if error.class() == git2::ErrorClass::Os => Err(error.into()),
            Err(_) if !self.path().join(&refname).exists() => Ok(()),
            Err(error) => {
                Err(GitError::BrokenRef { refname, path: self.path().to_owned(), reason: error.message().to_owned() })
            }
        }
    }

    /// Moves a ref from `expected` to `new`; `expected` none means that it must not exist yet.
    ///
    /// Already being at `new` is success, so the step can be repeated. Anything else is [`GitError::Moved`]. A lock that a
    /// killed process left is waited for a while, and taken away.
    pub fn set_ref(&self, refname: &str, new: Oid, expected: Option<Oid>, message: &str) -> Result<(), GitError> {
        let message = message.replace(['\n', '\0'], " ");
        let set = || match expected {
            Some(old) => self.raw().reference_matching(refname, new, true, old, &message),
            None => self.raw().reference(refname, new, false, &message),
        };
        let locked = |error: &git2::Error| error.code() == git2::ErrorCode::Locked;
        let mut result = set();
        if result.as_ref().is_err_and(locked)
            && dead::outlived(self.path(), &self.path().join(format!("{refname}.lock")))
        {
            result = set();
        }
        let Err(error) = result else { return Ok(()) };
        let found = self.oid_of(refname)?;
        match error.code() {
            _ if found == Some(new) => Ok(()),
            git2::ErrorCode::Modified | git2::ErrorCode::Exists | git2::ErrorCode::NotFound if found != expected => {
                Err(GitError::Moved { refname: refname.to_owned(), expected, found })
            }
            _ => Err(error.into()),
        }
    }

    /// Deletes a ref that is still at `old`, if every commit it reaches is reached by another ref that stays.
    ///
    /// An absent ref is success. A ref whose commits would be lost is [`GitError::WouldLose`]: keep them first
    /// with [`Repo::keep`].
    pub fn delete_ref_if(&self, refname: &str, old: Oid) -> Result<(), GitError> {
        let Some(found) = self.oid_of(refname)? else { return Ok(()) };
        if found != old {
            return Err(GitError::Moved { refname: refname.to_owned(), expected: Some(old), found: Some(found) });
        }
        let lost = self.lost_without(&[refname], &self.with_reflog(refname, old)?)?;
        if !lost.is_empty() {
            return Err(GitError::WouldLose { what: format!("deleting {refname}"), lost });
        }
        self.drop_ref(refname, old)
    }

    /// Deletes a ref by compare-and-swap, unproven. Callers have proven it.
    pub(super) fn drop_ref(&self, refname: &str, old: Oid) -> Result<(), GitError> {
        // The program takes the ref's lock, compares, and removes loose and packed forms as one step.
        let done = self.program().args(["update-ref", "-d", refname, &old.to_string()]).run()?;
        match self.oid_of(refname)? {
            None => Ok(()),
            Some(found) if found != old => {
                Err(GitError::Moved { refname: refname.to_owned(), expected: Some(old), found: Some(found) })
            }
            Some(_) => Err(GitError::Failed { what: format!("update-ref -d {refname}"), message: done.stderr }),
        }
    }

    /// `tip` and all commits in the reflog of `refname`: what deleting the ref would let go.
    pub(super) fn with_reflog(&self, refname: &str, tip: Oid) -> Result<Vec<Oid>, GitError> {
        let mut all = vec![tip];
        if self.raw().reference_has_log(refname)? {
            let log = self.raw().reflog(refname)?;
            all.extend(log.iter().flat_map(|entry| [entry.id_old(), entry.id_new()]));
        }
        Ok(self.commits_only(all))
    }

    /// Those of `oids` that are commits here, each once, in the given order.
    pub(super) fn commits_only(&self, oids: impl IntoIterator<Item = Oid>) -> Vec<Oid> {
        let mut seen = std::collections::HashSet::new();
        oids.into_iter()
            .filter(|oid| !oid.is_zero() && seen.insert(*oid) && self.raw().find_commit(*oid).is_ok())
            .collect()
    }

    /// Of the commits reachable from `roots`, those that no ref but the `going` ones reaches.
    ///
    /// This is the proof behind every deletion. Heads of worktrees do not count as refs.
    pub(super) fn lost_without(&self, going: &[&str], roots: &[Oid]) -> Result<Vec<Oid>, GitError> {
        let mut walk = self.raw().revwalk()?;
        for root in roots {
            walk.push(*root)?;
        }
        for reference in self.raw().references()? {
            let reference = reference?;
            if going.iter().any(|name| name.as_bytes() == reference.name_bytes()) {
                continue;
            }
            // A symbolic ref keeps nothing by itself.
            if let Some(target) = reference.target()
                && let Ok(commit) = self.raw().find_object(target, None).and_then(|o| o.peel_to_commit())
            {
                walk.hide(commit.id())?;
            }
        }
        walk.map(|oid| oid.map_err(GitError::from)).collect()
    }
}
