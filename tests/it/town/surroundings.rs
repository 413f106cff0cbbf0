//! What a person's environment is good for after their command has ended: gates, git and sessions get it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{TestTown, make_remote, write};
use crate::support::{Ran, eventually, finish};

/// `gt` of a person who has a key.
fn with_key(town: &TestTown, args: &[&str], ssh: &Path) -> Ran {
    let mut command = town.sandbox.command(env!("CARGO_BIN_EXE_gt"), &town.root);
    command.args(args).env("SECRET_KEY", "s3").env("GIT_SSH_COMMAND", ssh).env("TMUX", "/tmp/mine,1,0");
    finish(command, format!("gt {}", args.join(" ")))
}

#[test]
fn what_a_person_starts_the_town_with_reaches_gates_git_and_sessions_that_the_daemon_starts() {
    let town = TestTown::without_rig();
    let at = |name: &str| town.sandbox.path().join(name);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_default();
    let gate = format!("test:\n\tenv > {}\n", at("gate.env").display());
    let remote = make_remote(&town.sandbox, "keyed.git", &[("Makefile", &gate)]);
    let config = town.root.join("town.toml");
    let text = std::fs::read_to_string(&config).expect("town.toml");
    let keyed = format!(
        "[runtimes.keyed]\nprogram = \"/bin/sh\"\nprompt = \"none\"\ninherit = [\"SECRET_KEY\"]\n\
         args = [\"-c\", \"echo $SECRET_KEY >> {}; exec sleep 100000\"]\n",
        at("session.key").display()
    );
    write(&config, &format!("{text}\n{keyed}"));
    let ssh = at("ssh");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != -G ] || exit 1\necho \"$SECRET_KEY\" >> {}\n\
         for last; do :; done\nexec ${{last%% *}} {}\n",
        at("git.key").display(),
        remote.display()
    );
    write(&ssh, &script);
    town.sandbox.run("chmod", town.sandbox.path(), &["+x", "ssh"]).ok();

    let add = ["rig", "add", "app", &remote.display().to_string(), "--prefix", "gt", "--landing", "direct"];
    with_key(&town, &add, &ssh).ok();
    let first = read("gate.env");
    assert!(first.contains("CI=true\n") && first.contains("SECRET_KEY=s3\n") && !first.contains("TMUX"), "{first}");
    std::fs::remove_file(at("gate.env")).expect("removed");
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--no-start", "--runtime", "keyed"]).ok();
    eventually("the first session", || (read("session.key") == "\n").then_some(()));
    town.move_remote("ssh://nobody@nowhere/x.git");
    with_key(&town, &["start"], &ssh).ok();

    let kept = town.root.join(".runtime/environment.json");
    assert_eq!(std::fs::metadata(&kept).expect("kept").permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&kept).expect("kept");
    assert!(before.contains("SECRET_KEY") && !before.contains("TMUX"), "{before}");
    let mut agents = town.sandbox.command(env!("CARGO_BIN_EXE_gt"), &town.root);
    agents.arg("start").env("GT_SESSION_MARK", "x/tmux/y");
    let _ = finish(agents, "gt start in a session".to_owned()).ok();
    assert_eq!(std::fs::read_to_string(&kept).expect("kept"), before, "an agent's surroundings are not kept");

    let pid = town.agents()[0]["pid"].to_string();
    town.sandbox.run("kill", &town.root, &["-9", &pid]).ok();
    eventually("the session that the daemon starts has the key", || {
        read("session.key").ends_with("s3\n").then_some(())
    });
    town.commit("toast", "new.txt", "x\n");
    let _ = town.hand_in("toast");
    eventually("it lands", || (town.status_of(&bead) == "closed").then_some(()));
    let queue = read("gate.env");
    assert!(queue.contains("CI=true\n") && queue.contains("SECRET_KEY=s3\n"), "{queue}");
    assert!(read("git.key").lines().any(|line| line == "s3"), "git has it too");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_worker_hears_the_signals_that_whoever_slung_it_ignores() {
    let town = TestTown::new();
    let bead = town.bead("x");
    let sling = format!("trap '' HUP INT QUIT TERM; exec gt sling {bead} app --no-start");
    town.sandbox.run("sh", &town.root, &["-c", &sling]).ok();
    let pid = town.agents()[0]["pid"].as_i64().expect("a process");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask").trim();
    let ignored = u64::from_str_radix(ignored, 16).expect("hexadecimal");
    // Bit n - 1 stands for signal n: 1, 2, 3 and 15.
    assert_eq!(ignored & 0b0100_0000_0000_0111, 0, "{ignored:x}");
    town.gt(&["shutdown"]).ok();
}
