//! The scripted worker, with a small program in the place of `gt`.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use gastown::session::write_script_worker;

use crate::support::{Ran, Sandbox, finish};

/// A worktree, a worker, and a `gt` whose hook is a folder of files: `bead.id`, `bead.title`, `bead.description`,
/// `steps` (lines `id name`), and `said`, all that it was told.
struct Desk {
    sandbox: Sandbox,
    worker: PathBuf,
}

const FAKE_GT: &str = r#"#!/bin/sh
hook=$(dirname -- "$0")/hook
printf '%s\n' "$*" >> "$hook/said"
case $1 in
hook)
    if [ -e "$hook/broken" ]; then echo "the store cannot be read" >&2; exit 7; fi
    case $3 in
    step.id) head -n 1 "$hook/steps" | cut -d ' ' -f 1 ;;
    step.name) head -n 1 "$hook/steps" | cut -d ' ' -f 2 ;;
    *) cat "$hook/$3" ;;
    esac ;;
step) sed -i 1d "$hook/steps" ;;
done)
    if [ -e "$hook/refuse" ] && [ "$#" -eq 1 ]; then echo "nothing was changed" >&2; exit 5; fi
    : > "$hook/bead.id" ;;
esac
"#;

impl Desk {
    fn new(description: &str) -> Self {
        let sandbox = Sandbox::new();
        let bin = sandbox.folder("bin");
        let hook = sandbox.folder("bin/hook");
        let gt = bin.join("gt");
        std::fs::write(&gt, FAKE_GT).expect("written");
        std::fs::set_permissions(&gt, std::fs::Permissions::from_mode(0o755)).expect("executable");
        for (name, text) in [
            ("bead.id", "app-1\n"),
            ("bead.title", "Greet people\n"),
            ("bead.description", description),
            ("steps", "app-1.1 design\napp-1.10 implement\napp-1.2 test\n"),
            ("molecule.steps", "design implement test\n"),
            ("molecule.formula", "work\n"),
            ("molecule.grows", ""),
        ] {
            std::fs::write(hook.join(name), text).expect("written");
        }
        let work = sandbox.folder("max");
        sandbox.git(&work, &["init", "-q"]).ok();
        sandbox.git(&work, &["commit", "-q", "--allow-empty", "-m", "begin"]).ok();
        let worker = write_script_worker(&sandbox.folder("runtime")).expect("written");
        Self { sandbox, worker }
    }

    fn work(&self) -> PathBuf {
        self.sandbox.path().join("max")
    }

    /// Runs the worker with nothing but PATH.
    fn run(&self) -> Ran {
        let mut command = Command::new(&self.worker);
        let bin = self.sandbox.path().join("bin");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(self.work()).env_clear().env("PATH", path);
        finish(command, "script-worker".to_owned())
    }

    fn git(&self, args: &[&str]) -> String {
        self.sandbox.git(&self.work(), args).ok()
    }

    fn said(&self, what: &str) -> usize {
        let said = std::fs::read_to_string(self.sandbox.path().join("bin/hook/said")).expect("said");
        said.lines().filter(|l| l.starts_with(what)).count()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.work().join(name)).expect("file")
    }
}

#[test]
fn it_does_each_step_commits_and_hands_in() {
    let desk = Desk::new(
        "Say hello.\n\n```sh implement\nprintf '%s\\n' 'a \"b\" \\n $HOME' > hello.txt\necho \"$GT_STEP $GT_BEAD\" >> hello.txt\n```\n\n\
         ```text\nnot a block\n```\n```sh  test \ntest -s hello.txt\n```",
    );
    desk.run().ok();
    assert_eq!(desk.file("hello.txt"), "a \"b\" \\n $HOME\nimplement app-1\n");
    assert_eq!(
        desk.git(&["log", "--format=%an %s|%(trailers:key=Gt-Step,valueonly,separator=)", "-1"]),
        "max Greet people (implement)|app-1.10"
    );
    assert_eq!(desk.git(&["rev-list", "--count", "HEAD"]), "2");
    assert_eq!((desk.said("step done"), desk.said("done")), (3, 1));
    // Started once more, it finds nothing to do.
    assert!(desk.run().ok().contains("nothing on my hook"));
    assert_eq!(desk.said("done"), 1);
}

#[test]
fn killed_in_the_middle_of_a_step_it_begins_that_step_again() {
    let desk = Desk::new(
        "```sh implement\necho half >> f\nif [ ! -e ../crashed ]; then : > ../crashed; kill -9 $PPID; exit; fi\necho whole >> f\n```",
    );
    assert_eq!(desk.run().code, -1);
    assert_eq!((desk.said("step done"), desk.file("f").as_str()), (1, "half\n"));
    desk.run().ok();
    assert_eq!(desk.file("f"), "half\nwhole\n");
    assert_eq!((desk.said("step done"), desk.said("done")), (3, 1));
    // What the cut short step had written is kept.
    let kept = desk.git(&["for-each-ref", "--format=%(refname)", "refs/gt/preserve/script/max"]);
    assert_eq!(desk.git(&["show", &format!("{kept}:f")]), "half");
}

#[test]
fn a_rebase_that_was_begun_is_begun_again() {
    let desk = Desk::new(
        "```sh implement\necho mine > f; git add f; git commit -qm mine || true\n\
         if [ ! -e ../crashed ]; then : > ../crashed; git rebase -q other || kill -9 $PPID; exit; fi\n```",
    );
    desk.git(&["checkout", "-qb", "other"]);
    std::fs::write(desk.work().join("f"), "theirs\n").expect("file");
    desk.git(&["add", "f"]);
    desk.git(&["commit", "-qm", "theirs"]);
    desk.git(&["checkout", "-q", "-"]);
    assert_eq!(desk.run().code, -1);
    desk.run().ok();
    assert_eq!(desk.file("f"), "mine\n");
    assert_eq!(desk.git(&["log", "--format=%s", "-1"]), "mine", "on the branch that was to be rebased");
    assert_ne!(desk.git(&["symbolic-ref", "HEAD"]), "");
    assert_eq!(desk.said("done"), 1);
}

#[test]
fn killed_between_commit_and_close_it_only_closes() {
    let desk = Desk::new("```sh implement\necho once >> f\n```");
    // A commit of another step whose id begins alike is not ours.
    desk.git(&["commit", "-q", "--allow-empty", "-m", "x", "-m", "Gt-Step: app-1.100"]);
    desk.run().ok();
    let hook = desk.sandbox.path().join("bin/hook");
    std::fs::write(hook.join("steps"), "app-1.10 implement\napp-1.2 test\n").expect("written");
    std::fs::write(hook.join("bead.id"), "app-1\n").expect("written");
    assert!(desk.run().ok().contains("was committed before"));
    assert_eq!(desk.file("f"), "once\n");
}

#[test]
fn a_merge_that_was_begun_is_concluded_or_begun_again() {
    let desk = Desk::new(
        "```sh implement\ngit merge -q --no-commit --no-ff other || true\n\
         if [ ! -e ../crashed ]; then : > ../crashed; kill -9 $PPID; exit; fi\n```",
    );
    desk.git(&["switch", "-q", "-c", "other"]);
    desk.git(&["commit", "-q", "--allow-empty", "-m", "other work"]);
    desk.git(&["switch", "-q", "-"]);
    assert_eq!(desk.run().code, -1);
    assert!(desk.work().join(".git/MERGE_HEAD").exists());
    desk.run().ok();
    assert!(!desk.work().join(".git/MERGE_HEAD").exists());
    assert_eq!(desk.git(&["log", "-1", "--format=%p"]).split(' ').count(), 2);
}

#[test]
fn a_block_that_fails_ends_it_and_closes_nothing() {
    let desk = Desk::new("```sh design\necho wrong >&2; false; echo not reached\n```");
    let ran = desk.run();
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("the block of step design ended with status 1"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("not reached"));
    assert_eq!((desk.said("step done"), desk.said("done")), (0, 0));
}

#[test]
fn work_that_changes_nothing_is_handed_in_as_such() {
    let desk = Desk::new("```sh test\ntrue\n```");
    std::fs::write(desk.sandbox.path().join("bin/hook/refuse"), "").expect("written");
    desk.run().ok();
    assert_eq!(desk.said("done --no-change"), 1);
}

#[test]
fn work_without_a_block_for_it_is_not_called_done() {
    let desk = Desk::new("Nothing to do here.");
    std::fs::write(desk.sandbox.path().join("bin/hook/refuse"), "").expect("written");
    let ran = desk.run();
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let why = "the description has no block to run for a step of work (steps: design implement test): begin one with ```sh STEP";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    assert_eq!((desk.said("step done"), desk.said("done")), (0, 0));
}

#[test]
fn a_hook_that_cannot_be_read_is_neither_empty_nor_at_another_step() {
    let desk = Desk::new("```sh\ntouch ../bin/hook/broken\n```");
    let ran = desk.run();
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("gt hook --field step.id failed"), "{}", ran.stderr);
    assert_eq!((desk.said("step done"), desk.said("done")), (1, 0), "only the step before it");
    let ran = desk.run();
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(!ran.stdout.contains("nothing on my hook"), "{}", ran.stdout);
}

#[test]
fn outside_a_worktree_it_says_so() {
    let desk = Desk::new("");
    std::fs::remove_dir_all(desk.work().join(".git")).expect("removed");
    let ran = desk.run();
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("is not in a git worktree"), "{}", ran.stderr);
}

#[test]
fn a_block_without_a_name_is_that_of_implement() {
    let desk = Desk::new(
        "```sh\necho hello > greeting.txt\n```\n\n```sh test\ntest -s greeting.txt && echo ok > tested.txt\n```\n",
    );
    let _ = desk.run().ok();
    let log = desk.sandbox.git(&desk.work(), &["log", "--reverse", "--format=%s", "--name-only"]).ok();
    assert!(log.contains("greeting.txt") && log.contains("tested.txt"), "{log}");
}

#[test]
fn blocks_that_are_for_no_step_of_the_work_are_refused_and_named() {
    let desk = Desk::new("```sh build\nmake\n```\n");
    let ran = desk.run();
    assert_eq!(ran.code, 3);
    let why = "no block of the description names a step of work (steps: design implement test)";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    assert_eq!((desk.said("step done"), desk.said("done")), (0, 0));
}

#[test]
fn a_block_with_a_misspelt_step_is_refused_also_beside_one_that_is_right() {
    let desk = Desk::new("```sh implement\necho x > f\n```\n```sh tset\ntrue\n```\n");
    let bd = desk.sandbox.path().join("bin/bd");
    std::fs::write(&bd, "#!/bin/sh\nprintf '%s\\n' \"$*\" >> \"${0%/*}/hook/said\"\n").expect("written");
    std::fs::set_permissions(&bd, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let ran = desk.run();
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let why = "the block ```sh tset of the description names no step of work (steps: design implement test)";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    assert_eq!((desk.said("step done"), desk.said("done")), (0, 0));
    assert_eq!(desk.said(&format!("comments add app-1 {why}")), 1);
}

#[test]
fn a_block_named_after_the_body_of_a_loop_is_run_in_each_round() {
    let desk = Desk::new("```sh polish\necho any >> f\n```\n```sh loop.iter2.polish\necho second >> f\n```\n");
    let hook = desk.sandbox.path().join("bin/hook");
    let steps = "app-1.1 loop.iter1.polish\napp-1.2 loop.iter2.polish\napp-1.3 loop.iter3.polish\n";
    std::fs::write(hook.join("steps"), steps).expect("written");
    // What rounds there will be is known as they come.
    std::fs::write(hook.join("molecule.steps"), "loop.iter1.polish\n").expect("written");
    desk.run().ok();
    assert_eq!(desk.file("f"), "any\nsecond\nany\n");
}
