//! Reading the ledger: its beads as they are, and the transitions of one.

use std::path::Path;

use super::{LedgerError, layout};
use crate::base::{BeadId, Time};
use crate::git::{Oid, Repo, trailers};

/// The ledger of a store, opened for reading.
#[derive(Debug)]
pub struct Ledger {
    repo: Repo,
}

/// One transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its commit.
    pub commit: Oid,
    /// Who made it.
    pub actor: String,
    /// When, to the second.
    pub at: Time,
    /// What happened.
    pub summary: String,
    /// The bead.
    pub bead: BeadId,
}

impl Ledger {
    /// Opens the ledger beside the store in `beads_dir`; none if nothing was ever drained.
    pub fn open(beads_dir: &Path) -> Result<Option<Self>, LedgerError> {
        let path = beads_dir.join(layout::FOLDER);
        if !path.join("HEAD").exists() {
            return Ok(None);
        }
        Ok(Some(Self { repo: Repo::open(&path)? }))
    }

    /// Its repository.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// The prefixes that it has beads of, sorted. A branch that cannot be read is an error: it is not one that is empty.
    pub fn prefixes(&self) -> Result<Vec<String>, LedgerError> {
        let refs = self.repo.refs_whole("refs/heads/beads/")?;
        let name = |full: &str| {
            let name = full.strip_prefix("refs/heads/beads/").unwrap_or_default();
            name.strip_suffix(".lock-").map_or_else(|| name.to_owned(), |n| format!("{n}.lock"))
        };
        Ok(refs.iter().map(|(full, _)| name(full)).collect())
    }

    /// Every bead of a prefix with its ledger file, in no particular order. Files are read one at a time.
    pub fn read_all(
        &self,
        prefix: &str,
    ) -> Result<impl Iterator<Item = Result<(BeadId, String), LedgerError>> + '_, LedgerError> {
        let files = match self.repo.oid_of(&layout::branch(prefix))? {
            Some(tip) => self.files(tip)?,
            None => Vec::new(),
        };
        Ok(files.into_iter().map(|(path, id, blob)| Ok((id, self.text(&path, blob)?))))
    }

    /// The ledger file of one bead as it is now.
    pub fn doc(&self, id: &BeadId) -> Result<Option<String>, LedgerError> {
        match self.repo.oid_of(&layout::branch(id.prefix()))? {
            Some(tip) => self.doc_at(id, tip),
            None => Ok(None),
        }
    }

    /// The ledger file of one bead as it was after a transition.
    pub fn doc_at(&self, id: &BeadId, commit: Oid) -> Result<Option<String>, LedgerError> {
        let (outer, inner, name) = layout::path(id);
        let bytes = self.repo.file_at(commit, &format!("{outer}/{inner}/{name}"))?;
        Ok(bytes.map(|b| String::from_utf8_lossy(&b).into_owned()))
    }

    /// The transitions of a bead, oldest first; those too that it went through under the ids it had before.
    pub fn history(&self, id: &BeadId) -> Result<Vec<Entry>, LedgerError> {
        let mut found = self.entries(id.prefix(), |bead| bead == id.as_str())?;
        let mut seen = vec![id.clone()];
        while let Some((from, birth)) = seen.last().map(|id| self.renamed_from(id)).transpose()?.flatten() {
            if seen.contains(&from) {
                break;
            }
            // Another bead kept that id; the two were made at different instants.
            let mut before = Vec::new();
            for entry in self.entries(from.prefix(), |bead| bead == from.as_str())? {
                if self.doc_at(&from, entry.commit)?.and_then(|doc| born(&parsed(&doc))) == Some(birth) {
                    before.push(entry);
                }
            }
            before.append(&mut found);
            found = before;
            seen.push(from);
        }
        Ok(found)
    }

    /// The id that a bead had before a sync gave it this one, and when the bead was made.
    fn renamed_from(&self, id: &BeadId) -> Result<Option<(BeadId, Time)>, LedgerError> {
        let Some(doc) = self.doc(id)? else { return Ok(None) };
        let doc = parsed(&doc);
        let from = doc["metadata"]["renamed_from"].as_str().and_then(|from| BeadId::new(from).ok());
        Ok(from.zip(born(&doc)))
    }

    /// All transitions of a prefix, oldest first.
    pub fn log(&self, prefix: &str) -> Result<Vec<Entry>, LedgerError> {
        self.entries(prefix, |_| true)
    }

    fn entries(&self, prefix: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Entry>, LedgerError> {
        let Some(tip) = self.repo.oid_of(&layout::branch(prefix))? else { return Ok(Vec::new()) };
        let git = self.repo.raw();
        let mut walk = git.revwalk()?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME | git2::Sort::REVERSE)?;
        walk.push(tip)?;
        let mut found = Vec::new();
        for oid in walk {
            let commit = git.find_commit(oid?)?;
            let message = String::from_utf8_lossy(commit.message_bytes());
            let Some((_, bead)) = trailers(&message).find(|(key, _)| *key == layout::BEAD) else { continue };
            if !wanted(bead) {
                continue;
            }
            let Ok(bead) = BeadId::new(bead) else { continue };
            found.push(Entry {
                commit: commit.id(),
                actor: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
                at: Time::from_millis(commit.author().when().seconds().saturating_mul(1000)),
                summary: message.lines().next().unwrap_or_default().to_owned(),
                bead,
            });
        }
        Ok(found)
    }

    fn files(&self, tip: Oid) -> Result<Vec<(String, BeadId, Oid)>, LedgerError> {
        let git = self.repo.raw();
        let mut found = Vec::new();
        let mut odd = None;
        git.find_commit(tip)?
            .tree()?
            .walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
                if entry.kind() != Some(git2::ObjectType::Blob) {
                    return git2::TreeWalkResult::Ok;
                }
                let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
                let path = format!("{folder}{name}");
                let id = name.strip_suffix(".json").ok_or_else(|| "no .json file".to_owned());
                match id.and_then(|id| BeadId::new(id).map_err(|e| e.to_string())) {
                    Ok(id) => found.push((path, id, entry.id())),
                    Err(reason) => {
                        odd = Some(LedgerError::Odd { path, reason });
                        return git2::TreeWalkResult::Abort;
                    }
                }
                git2::TreeWalkResult::Ok
            })
            .or_else(|e| if odd.is_some() { Ok(()) } else { Err(e) })?;
        odd.map_or(Ok(found), Err)
    }

    fn text(&self, path: &str, blob: Oid) -> Result<String, LedgerError> {
        let blob = self.repo.raw().find_blob(blob)?;
        let bytes = blob.content().to_vec();
        String::from_utf8(bytes).map_err(|e| LedgerError::Odd { path: path.to_owned(), reason: e.to_string() })
    }
}

fn parsed(doc: &str) -> serde_json::Value {
    serde_json::from_str(doc).unwrap_or_default()
}

/// When the bead of a ledger file was made.
fn born(doc: &serde_json::Value) -> Option<Time> {
    doc["created_at"].as_str()?.parse().ok()
}
