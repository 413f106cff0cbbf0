//! Fetching from an address that is no configured remote.

use std::time::Duration;

use super::{GitError, Repo};

impl Repo {
    /// Fetches what `refspec` names from `url`, within `limit`. Refs on its right side that the remote no longer has are dropped:
    /// they are what the remote has, and nothing of ours.
    pub fn fetch_from(&self, url: &str, refspec: &str, limit: Duration) -> Result<(), GitError> {
        let done = self
            .program()
            .args(["fetch", "--quiet", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"])
            .args(["--no-tags", "--prune", "--", url, refspec])
            .limit(limit)
            .run()?;
        if done.code != 0 {
            return Err(GitError::unreachable(url, &done.stderr));
        }
        self.refresh()
    }
}
