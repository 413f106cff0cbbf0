//! The sample project and its work: a tiny command line in POSIX shell, and four beads that change it.
//!
//! Two beads insert a line at the same place, so whichever lands second conflicts once. One needs another.
//! One files a further bead on the way. Each bead carries the shell blocks that its scripted worker runs. They need
//! nothing but the shell and git, so that the demo does the same everywhere.

use std::fs;
use std::path::Path;

use super::place::Place;
use crate::cli::CliError;

/// The beads of the demo by their role in the story.
pub(super) struct Beads {
    /// Inserts a line; its neighbour conflicts with it.
    pub(super) parser: String,
    /// Inserts a line at the same place.
    pub(super) errors: String,
    /// Needs `parser`.
    pub(super) docs: String,
    /// Stands alone; files the discovered bead.
    pub(super) flags: String,
}

/// Title of the bead that the worker of `flags` files.
pub(super) const DISCOVERED: &str = "tests: cover the loud greeting";

const CLI: &str = "#!/bin/sh\n# Says hello.\n\n# options\n\nname=${1:-world}\necho \"hello $name\"\n";
const RUN_TESTS: &str = "#!/bin/sh\n# Every test of the project.\nset -e\ncd \"${0%/*}/..\"\n\
    for file in src/*.sh tests/*.sh; do sh -n \"$file\"; done\n[ \"$(sh src/cli.sh gas)\" = \"hello gas\" ]\n\
    for file in tests/case-*.sh; do if [ -e \"$file\" ]; then sh \"$file\"; fi; done\n";
/// What the rig's gate runs: the tests, and a line of evidence that outlives the scratch worktree it runs in. While it
/// runs for the first time, somebody else lands a change on the target: what was tested may not be pushed then.
const GATE: &str = r#"#!/bin/sh
# The tests, and a note of the tree that passed.
set -e
sh tests/run.sh
git rev-parse 'HEAD^{tree}' >>"$(git rev-parse --git-common-dir)/tested-trees"

# Somebody else works on this project too, and lands a change while this gate runs on a merge for the first time.
git rev-parse -q --verify HEAD^2 >/dev/null || exit 0
remote=$(git config remote.origin.url)
cd "$remote"
git show-ref -q refs/demo/somebody && exit 0
export GIT_AUTHOR_NAME=Somebody GIT_AUTHOR_EMAIL=somebody@example.org
export GIT_COMMITTER_NAME=Somebody GIT_COMMITTER_EMAIL=somebody@example.org
export GIT_DIR="$remote" GIT_INDEX_FILE="$remote/somebody.index"
git read-tree main
git update-index --add --cacheinfo "100644,$(echo 'By somebody else.' | git hash-object -w --stdin),SOMEBODY.md"
commit=$(git commit-tree -p main -m 'A change by somebody else' "$(git write-tree)")
git update-ref refs/demo/somebody "$commit"
git update-ref refs/heads/main "$commit"
"#;

/// What the standard input has, line by line.
const COPY: &str = "while IFS= read -r line; do printf '%s\\n' \"$line\"; done";

/// The town's own layer of the Refinery: it decides what lands first.
pub(super) const POLICY: &str = r#"-- What is labelled `first` lands before everything else. Edit it while the town runs.
local gt = require "gt"
local refinery = gt.extend "refinery"

refinery.admit(function(mr, town, base)
  if not mr.bead:has "first" then
    for _, bead in ipairs(town.beads.find { label = "first" }) do
      if bead.status ~= "closed" then return false, bead.id .. " goes first" end
    end
  end
  return base(mr, town)
end)
"#;

/// Makes the remote: a bare repository with three commits on `main`.
pub(super) fn make_remote(place: &Place) -> Result<(), CliError> {
    let remote = place.remote();
    let seed = place.root().join("seed");
    let text = |path: &Path| path.display().to_string();
    place.git(place.root(), &["init", "-q", "--bare", "-b", "main", &text(&remote)])?;
    place.git(place.root(), &["clone", "-q", &text(&remote), &text(&seed)])?;
    let commits: [(&str, &[(&str, &str)]); 3] = [
        ("Say hello", &[("src/cli.sh", CLI)]),
        ("Test it", &[("tests/run.sh", RUN_TESTS), ("run-tests.sh", GATE)]),
        ("Describe it", &[("README.md", "# sample\n\nSays hello.\n"), ("design/README.md", "What is planned.\n")]),
    ];
    for (message, files) in commits {
        for (name, content) in files {
            let path = seed.join(name);
            let written =
                fs::create_dir_all(path.parent().expect("inside the seed")).and_then(|()| fs::write(&path, content));
            written.map_err(|e| CliError::user(format!("{} cannot be written: {e}", path.display())))?;
        }
        place.git(&seed, &["add", "-A"])?;
        place.git(&seed, &["commit", "-q", "-m", message])?;
    }
    place.git(&seed, &["push", "-q", "origin", "HEAD:main"])?;
    // The remote notes each push by itself, so that what moved the target can be checked without asking us.
    let hook = remote.join("hooks/post-receive");
    let noted = fs::create_dir_all(remote.join("hooks"))
        .and_then(|()| fs::write(&hook, format!("#!/bin/sh\n{COPY} >>'{}'\n", text(&place.root().join("pushes")))))
        .and_then(|()| fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)));
    noted.map_err(|e| CliError::user(format!("{} cannot be written: {e}", hook.display())))?;
    fs::remove_dir_all(&seed).map_err(|e| CliError::user(format!("{} cannot be removed: {e}", seed.display())))
}

/// Files the four beads. With `hold`, the implement steps of `parser` and `errors` wait until the demo lets
/// them go, so that something can be killed in the middle of them.
pub(super) fn file_beads(place: &Place, hold: bool) -> Result<Beads, CliError> {
    let evidence = place.evidence().display().to_string();
    let create = |title: &str, about: &str, work: &Work<'_>| -> Result<String, CliError> {
        place.bd(&["create", title, "--rig", "sample", "-d", &description(&evidence, about, work), "-q"])
    };
    let held = |name: &str| {
        if hold { format!("until [ -e '{evidence}/go-{name}' ]; do sleep 0.05; done\n") } else { String::new() }
    };
    // The lines of a file, changed on their way; they are written back when all of them were read.
    let edit = |change: &str| {
        format!("text=$(while IFS= read -r line; do {change}; done <src/cli.sh)\nprintf '%s\\n' \"$text\" >src/cli.sh")
    };
    let insert = |line: &str| {
        edit(&format!("printf '%s\\n' \"$line\"; [ \"$line\" != '# options' ] || printf '%s\\n' '{line}'"))
    };
    // Both sides of the conflict are wanted: take the target's changes in and keep every line.
    let keep = "case $line in '<<<<<<<'*|'======='*|'>>>>>>>'*) ;; *) printf '%s\\n' \"$line\" ;; esac";
    let rework = &format!("git merge -q --no-commit origin/main || true\n{}", edit(keep));
    let parser = create(
        "parser: a line for options",
        "Add the line that reads options.",
        &Work { slug: "parser", implement: &(held("parser") + &insert("verbose=${VERBOSE:-no}")), rework },
    )?;
    let errors = create(
        "errors: refuse what is unknown",
        "Add the line that refuses unknown options.",
        &Work { slug: "errors", implement: &(held("errors") + &insert("strict=${STRICT:-yes}")), rework },
    )?;
    let docs = create(
        "docs: describe the options",
        "Describe what the parser reads. It has to be there first.",
        &Work {
            slug: "docs",
            implement: "git grep -q verbose -- src/cli.sh\necho 'Set VERBOSE=yes to hear more.' >>README.md",
            rework,
        },
    )?;
    place.bd(&["dep", "add", &docs, &parser])?;
    let discovered = description(
        &evidence,
        "The loud greeting has no test.",
        &Work {
            slug: "loud-test",
            implement: "printf '%s\\n' '[ \"$(sh src/loud.sh gas)\" = \"hello gas!\" ]' >tests/case-loud.sh",
            rework,
        },
    );
    let file = place.evidence().join("discovered.md");
    fs::write(&file, discovered).map_err(|e| CliError::user(format!("{} cannot be written: {e}", file.display())))?;
    let find = [
        "sh src/cli.sh x >/dev/null".to_owned(),
        "printf '%s\\n' '#!/bin/sh' 'echo \"$(sh src/cli.sh \"$@\")!\"' >src/loud.sh".to_owned(),
        "me=$(gt hook --field bead.id)".to_owned(),
        format!("case $(bd list --all) in *'{DISCOVERED}'*) ;; *)"),
        format!(
            "  bd create '{DISCOVERED}' --body-file '{}' --deps \"discovered-from:$me,blocks:$me\" -q ;;",
            file.display()
        ),
        "esac".to_owned(),
    ]
    .join("\n");
    let flags = create("flags: greet loudly", "Add src/loud.sh.", &Work { slug: "flags", implement: &find, rework })?;
    place.bd(&["label", "add", &flags, "first"])?;
    Ok(Beads { parser, errors, docs, flags })
}

struct Work<'a> {
    slug: &'a str,
    implement: &'a str,
    rework: &'a str,
}

/// What a scripted worker runs, one fenced block for each step; each leaves a line of evidence when it is done.
fn description(evidence: &str, about: &str, work: &Work<'_>) -> String {
    let Work { slug, implement, rework } = work;
    let ran = |step: &str| format!("echo \"{slug} {step}\" >>'{evidence}/steps'");
    let blocks = [
        ("design", format!("echo '{about}' >design/{slug}.md")),
        ("implement", (*implement).to_owned()),
        ("test", "sh tests/run.sh".to_owned()),
        ("submit", "git diff --quiet".to_owned()),
        ("rework", (*rework).to_owned()),
    ];
    let mut text = format!("{about}\n");
    for (step, body) in blocks {
        text.push_str(&format!("\n```sh {step}\n{body}\n{}\n```\n", ran(step)));
    }
    text
}
