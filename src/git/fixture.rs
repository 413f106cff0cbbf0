//! Real repositories for the tests of this layer: a remote, a rig's bare clone, and the `git` program beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Oid, Repo};
use crate::base::Time;

pub(crate) struct Fixture {
    pub dir: tempfile::TempDir,
    pub now: Time,
}

impl Fixture {
    /// A folder with a remote (`remote.git`, branch main, one commit) and its bare clone (`.repo.git`).
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp folder");
        let now = "2026-01-31T09:30:00.25Z".parse().expect("valid");
        let f = Self { dir, now };
        f.git("", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        f.git("", &["init", "-q", "-b", "main", "seed"]);
        f.write("seed/README.md", "hello\n");
        f.write("seed/.gitignore", "ignored/\n");
        f.git("seed", &["add", "-A"]);
        f.git("seed", &["commit", "-qm", "first"]);
        f.git("seed", &["push", "-q", "../remote.git", "main"]);
        Repo::clone(f.remote().to_str().expect("utf-8"), &f.at(".repo.git"), &mut |_| {}).expect("clone");
        f
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn remote(&self) -> PathBuf {
        self.at("remote.git")
    }

    pub fn repo(&self) -> Repo {
        Repo::open(&self.at(".repo.git")).expect("open")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        std::fs::write(path, text).expect("write");
    }

    /// Runs git in a folder of the fixture, apart from the user's configuration; must succeed.
    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let out = isolated(&self.at(folder)).args(args).output().expect("git runs");
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "git {args:?}: {err}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// Runs git and lets it fail.
    pub fn try_git(&self, folder: &str, args: &[&str]) -> bool {
        isolated(&self.at(folder)).args(args).output().expect("git runs").status.success()
    }

    /// A commit with exactly these files, and `refname` at it.
    pub fn commit_on(&self, refname: &str, parent: Option<Oid>, files: &[(&str, &str)]) -> Oid {
        let repo = git2::Repository::open(self.at(".repo.git")).expect("open");
        let mut tree = repo.treebuilder(None).expect("tree");
        for (name, text) in files {
            tree.insert(*name, repo.blob(text.as_bytes()).expect("blob"), 0o100_644).expect("insert");
        }
        let tree = repo.find_tree(tree.write().expect("write")).expect("tree");
        let who = git2::Signature::new("t", "t@t", &git2::Time::new(1_700_000_000, 0)).expect("signature");
        let parent = parent.map(|p| repo.find_commit(p).expect("parent"));
        let parents: Vec<_> = parent.iter().collect();
        let commit = repo.commit(None, &who, &who, refname, &tree, &parents).expect("commit");
        repo.reference(refname, commit, true, "test").expect("ref");
        commit
    }
}

fn isolated(cwd: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(cwd)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", cwd)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env("GIT_AUTHOR_NAME", "Tess")
        .env("GIT_AUTHOR_EMAIL", "tess@example.org")
        .env("GIT_COMMITTER_NAME", "Tess")
        .env("GIT_COMMITTER_EMAIL", "tess@example.org");
    command
}
