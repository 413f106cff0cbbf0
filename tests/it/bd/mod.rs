//! `bd` as a whole process, in repositories of its own.

mod advance;
mod batch;
mod commands;
mod create;
mod crowd;
mod discovery;
mod disk;
mod errors;
mod faults;
mod flags;
mod gates;
mod ledger;
mod odd;
mod schema;
mod uninstall;
mod verbs;
mod waiting;

use std::path::PathBuf;

use crate::support::Sandbox;

/// A repository with a tracker, and what it takes to type `bd` in it.
pub(crate) struct Repo {
    pub(crate) sandbox: Sandbox,
    pub(crate) dir: PathBuf,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        let dir = sandbox.folder("app");
        sandbox.git(&dir, &["init", "-q"]).ok();
        sandbox.bd(&dir, &["init"]).ok();
        Self { sandbox, dir }
    }

    pub(crate) fn bd(&self, args: &[&str]) -> crate::support::Ran {
        self.sandbox.bd(&self.dir, args)
    }

    /// Runs `bd` with something to read.
    pub(crate) fn bd_reads(&self, args: &[&str], input: &str) -> crate::support::Ran {
        self.sandbox.run_with_input("bd", &self.dir, args, input)
    }

    /// Files a bead, gives its id.
    pub(crate) fn add(&self, title: &str, more: &[&str]) -> String {
        self.bd(&[&["create", title, "-q"], more].concat()).ok()
    }

    pub(crate) fn titles(&self, args: &[&str]) -> Vec<String> {
        let list = self.bd(&[args, &["--json"]].concat()).json();
        list.as_array().expect("an array").iter().map(|b| b["title"].as_str().expect("a title").to_owned()).collect()
    }
}
