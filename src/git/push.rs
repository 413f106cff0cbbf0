//! Pushing by compare-and-swap: the remote's branch moves only from the commit that was tested against.

use std::time::Duration;

use super::fetch::complaint;
use super::program::NETWORK;
use super::{GitError, Oid, Repo};

/// How a push ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// The remote's ref is at the new commit (also when it already was: repeating is harmless).
    Pushed,
    /// The branch is not where it was expected but here, or nowhere: fetch, rebuild, try again.
    Moved(Option<Oid>),
    /// The branch is where it was expected, and the remote did not take the commit.
    Refused {
        /// Its own rules (a protected branch, a hook) declined this commit, and trying again is useless. Otherwise it
        /// could not move the branch, whatever the commit: the ref is locked, say.
        by_rule: bool,
        /// What the remote said.
        reason: String,
    },
    /// The remote could not be reached; nothing is known about it.
    Unreachable(String),
}

impl Repo {
    /// Moves `refname` (full name) on `remote` from `expected` to `new`; the zero id for `expected` means that the
    /// ref must not exist there yet.
    ///
    /// Never overwrites: `new` must contain `expected`, else this is [`GitError::WouldLose`].
    pub fn push_cas(&self, remote: &str, refname: &str, new: Oid, expected: Oid) -> Result<Push, GitError> {
        self.push_within(remote, refname, new, expected, NETWORK)
    }

    /// Pushes as [`Repo::push_cas`] does, and gives up after `limit`: nothing is known then about the remote.
    pub fn push_within(
        &self,
        remote: &str,
        refname: &str,
        new: Oid,
        expected: Oid,
        limit: Duration,
    ) -> Result<Push, GitError> {
        if !expected.is_zero() && expected != new && !self.is_ancestor(expected, new)? {
            let what = format!("pushing {new} over {refname} of {}", self.shown(remote));
            return Err(GitError::WouldLose { what, lost: vec![expected] });
        }
        let lease = if expected.is_zero() { String::new() } else { expected.to_string() };
        let done = self
            .program()
            .args(["push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"])
            .arg(format!("--force-with-lease={refname}:{lease}"))
            .args(["--", remote, &format!("{new}:{refname}")])
            .limit(limit)
            .run();
        let done = match done {
            Err(error @ GitError::Timeout { .. }) => return Ok(Push::Unreachable(error.to_string())),
            done => done?,
        };
        let report = String::from_utf8_lossy(&done.stdout);
        let reason = match judge(&report, refname, done.code, &done.stderr) {
            Push::Refused { by_rule: false, reason } => reason,
            judged => return Ok(judged),
        };
        // Words alone do not tell a branch that moved from one that nobody can move: the remote says where it is.
        let tip = match self.refs_at(remote, refname, limit) {
            Ok(refs) => refs.get(refname).copied(),
            Err(error @ GitError::Unreachable { .. }) => return Ok(Push::Unreachable(error.to_string())),
            Err(error) => return Err(error),
        };
        Ok(match tip {
            Some(tip) if tip == new => Push::Pushed,
            tip if tip.unwrap_or(Oid::ZERO_SHA1) == expected => Push::Refused { by_rule: false, reason },
            tip => Push::Moved(tip),
        })
    }
}

/// Reads the porcelain report: `<flag> TAB <from>:<to> TAB <summary>`. What may be a lost race is no rule of the remote.
fn judge(report: &str, refname: &str, code: i32, stderr: &str) -> Push {
    for line in report.lines() {
        let mut parts = line.split('\t');
        let (Some(flag), Some(refs), Some(summary)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if refs.rsplit(':').next() != Some(refname) {
            continue;
        }
        if flag != "!" {
            return Push::Pushed;
        }
        // A race is lost either before sending (our view is stale) or at the remote's own lock.
        let races = [
            "stale info",
            "fetch first",
            "non-fast-forward",
            "failed to lock",
            "cannot lock ref",
            "reference already exists",
            "failed to update ref",
        ];
        let race = races.iter().any(|r| summary.contains(r));
        if summary.contains("branch is currently checked out") {
            // What git advises here fills a screen.
            let reason = "it is checked out there, and git changes no branch under its work tree; \
                          there, let its files follow (git config receive.denyCurrentBranch updateInstead) or go to \
                          another branch: git switch --detach";
            return Push::Refused { by_rule: true, reason: reason.to_owned() };
        }
        // What git advises about a lock fills a screen, too.
        let remote_says = match stderr.lines().find_map(|line| line.strip_prefix("remote: error: ")).map(str::trim) {
            Some(error) if race => crate::base::text::printable(error),
            _ if race => String::new(),
            _ => complaint(stderr),
        };
        let reason = if remote_says.is_empty() { summary.to_owned() } else { format!("{summary}: {remote_says}") };
        return Push::Refused { by_rule: !race, reason };
    }
    if code == 0 { Push::Pushed } else { Push::Unreachable(complaint(stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_decides_and_not_the_exit_code() {
        let main = "refs/heads/main";
        let ok = "To /r\n \tabc:refs/heads/main\t1..2\nDone\n";
        assert_eq!(judge(ok, main, 0, ""), Push::Pushed);
        let up_to_date = "To /r\n=\tabc:refs/heads/main\t[up to date]\nDone\n";
        assert_eq!(judge(up_to_date, main, 0, ""), Push::Pushed);
        let stale = "To /r\n!\tabc:refs/heads/main\t[rejected] (stale info)\nDone\n";
        assert!(matches!(judge(stale, main, 1, ""), Push::Refused { by_rule: false, .. }));
        let locked = "To /r\n!\tabc:refs/heads/main\t[remote rejected] (failed to update ref)\nDone\n";
        let says = "remote: error: cannot lock ref 'x': File exists.        \nremote: \nremote: Another git process";
        let Push::Refused { by_rule: false, reason } = judge(locked, main, 1, says) else { panic!("locked") };
        assert_eq!(reason, "[remote rejected] (failed to update ref): cannot lock ref 'x': File exists.");
        let hook = "To /r\n!\tabc:refs/heads/main\t[remote rejected] (pre-receive hook declined)\nDone\n";
        let says = "remote: no pushes on Friday\nerror: failed to push some refs";
        let Push::Refused { by_rule: true, reason } = judge(hook, main, 1, says) else { panic!("declined") };
        assert!(reason.contains("no pushes on Friday"), "{reason}");
        let busy = "To /r\n!\tabc:refs/heads/main\t[remote rejected] (branch is currently checked out)\nDone\n";
        let Push::Refused { by_rule: true, reason } = judge(busy, main, 1, says) else { panic!("checked out") };
        assert!(reason.ends_with("go to another branch: git switch --detach"), "{reason}");
        assert!(matches!(judge("", main, 128, "fatal: unable to access"), Push::Unreachable(_)));
    }
}
