//! Verbs that trackers of this kind have elsewhere: what takes their place here.

const INSTEAD: &[(&[&str], &str)] = &[
    (&["hooks", "hook"], "nothing is put into git's hooks: `bd sync` exchanges beads, when you say so"),
    (&["daemon", "daemons"], "there is no daemon: each command reads and writes the database itself"),
    (&["migrate", "upgrade"], "nothing is to be migrated by hand: a newer program does it when it opens the database"),
    (&["repair", "resolve-conflicts", "validate"], "`bd doctor` says what is wrong, `bd doctor --fix` mends it"),
    (
        &["compact", "cleanup", "purge", "admin"],
        "nothing is to be cleaned up by hand: wisps go by themselves, and what was deleted leaves a tombstone",
    ),
    (&["merge", "federation", "branch", "vc", "dolt"], "`bd sync REMOTE` merges with any git repository"),
    (&["backup", "bootstrap"], "the ledger is the backup: `bd sync REMOTE` takes it elsewhere, `bd restore` reads it"),
    (&["diff", "log", "logs", "activity", "audit"], "`bd history ID` shows the transitions of a bead"),
    (&["lint", "orphans", "detect-pollution"], "`bd doctor` looks at the whole tracker"),
    (
        &["assign", "priority", "tag", "note"],
        "`bd update ID` changes a bead: --assignee, --priority, --add-label, --append-notes, --status",
    ),
    (&["state", "set-state"], "a state is a label: `bd label add ID DIMENSION:VALUE`, `bd list --label`"),
    (&["children"], "`bd list --parent ID` lists them, `bd show ID` shows them"),
    (&["swarm"], "`gt sling ID ID RIG` gives beads to workers, `gt convoy status` shows how far they are"),
    (&["agent", "slot", "merge-slot"], "hooks and the merge queue are the town's: `gt hook`, `gt queue`"),
    (&["setup", "quickstart", "human"], "`bd init` makes a tracker, `bd onboard` prints the lines for AGENTS.md"),
    (&["rename-prefix"], "a bead keeps its id; `bd config set issue_prefix NEW` is for those to come"),
    (
        &["move", "refile", "ship", "repo", "worktree"],
        "a bead stays where it was filed; `bd export` and `bd import` copy it",
    ),
];

/// What to do instead of `verb`, for one that is known elsewhere and is none here.
pub(super) fn instead(verb: &str) -> Option<&'static str> {
    INSTEAD.iter().find(|(verbs, _)| verbs.contains(&verb)).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn what_takes_the_place_of_a_verb_is_there_and_the_verb_is_not() {
        let (bd, gt) = (super::super::Cli::command(), crate::cli::gt::Cli::command());
        for (verbs, words) in INSTEAD {
            for verb in *verbs {
                assert!(bd.find_subcommand(verb).is_none(), "{verb} is a verb");
            }
            for line in words.split('`').skip(1).step_by(2) {
                let mut parts = line.split(' ');
                let program = if parts.next() == Some("gt") { &gt } else { &bd };
                let verb = parts.next().and_then(|verb| program.find_subcommand(verb));
                assert!(verb.is_some(), "{line} is no command");
            }
        }
    }
}
