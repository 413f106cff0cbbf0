//! Every command that README shows, run as written in a fresh place (with another folder for `~`).

use std::path::Path;

use crate::support::{Sandbox, eventually};

/// The fenced `sh` blocks of README, one command a line, comments cut.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README");
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                let command = line.split(" #").next().unwrap_or_default().trim();
                if !command.is_empty() {
                    found.push(command.to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

/// A stand-in for the program of the default runtime: it waits for its end as a person's terminal would.
const FAKE_CLAUDE: &str =
    "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '2.1.197 (Claude Code)'; exit 0; fi\nexec sleep 600\n";

fn place() -> Sandbox {
    let sandbox = Sandbox::new();
    let (project, origin) = (sandbox.folder("home/src/myproject"), sandbox.folder("home/origin.git"));
    let bin = sandbox.folder("home/bin");
    std::fs::write(bin.join("claude"), FAKE_CLAUDE).expect("write");
    std::fs::set_permissions(bin.join("claude"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    sandbox.git(&project, &["init", "-q", "-b", "main"]).ok();
    std::fs::write(project.join("Makefile"), "test:\n\ttrue\n").expect("write");
    sandbox.git(&project, &["add", "-A"]).ok();
    sandbox.git(&project, &["commit", "-q", "-m", "first"]).ok();
    sandbox.git(&origin, &["init", "-q", "--bare", "-b", "main"]).ok();
    sandbox.git(&project, &["remote", "add", "origin", &origin.display().to_string()]).ok();
    sandbox.git(&project, &["push", "-q", "origin", "main"]).ok();
    sandbox
}

#[test]
fn every_command_of_the_readme_works_as_shown() {
    let sandbox = place();
    let path = format!("{}:{}", sandbox.home().join("bin").display(), Sandbox::search_path());
    let mut cwd = sandbox.home();
    let mut beads: Vec<String> = Vec::new();
    let mut ran = 0;
    for command in commands() {
        if command.starts_with("cargo ") {
            // These are the build, the demo and this very suite; CI types them.
            assert!(
                ["cargo run --release --bin gt -- demo", "cargo test --release", "cargo install --path . --locked"]
                    .contains(&command.as_str()),
                "README shows a cargo command that nobody runs: {command}"
            );
            continue;
        }
        if let Some(dir) = command.strip_prefix("cd ") {
            cwd = dir.replacen('~', &sandbox.home().display().to_string(), 1).into();
            continue;
        }
        // The id that README shows is one that it cannot know.
        let known = ["my-7f", "my-9c"].iter().zip(&beads);
        let line = known.fold(command.clone(), |line, (shown, bead)| line.replace(shown, bead));
        if let Some(bead) = line.strip_prefix("gt review accept ") {
            eventually("its gates have passed", || {
                let all = sandbox.gt(&cwd, &["review", "--json"]).json();
                let waits = all.as_array()?.iter().any(|r| r["bead"] == bead && r["waits_for_you"] == true);
                waits.then_some(())
            });
        }
        let mut shell = sandbox.command("/bin/sh", &cwd);
        shell.env("PATH", &path).arg("-c").arg(&line);
        let out = crate::support::finish(shell, line.clone()).ok();
        if line.starts_with("bd create") {
            let id = out.split_whitespace().find(|word| word.starts_with("my-")).expect("the id is printed");
            beads.push(id.trim_end_matches(':').to_owned());
        }
        if line.starts_with("gt sling") {
            eventually("the worker to have a session", || {
                let agents = sandbox.gt(&cwd, &["agents", "--json"]).json();
                agents.as_array().filter(|a| a.iter().any(|a| a["state"] == "working")).map(drop)
            });
        }
        if line.starts_with("gt review accept") {
            let origin = sandbox.home().join("origin.git");
            eventually("what was accepted is on the remote", || {
                (sandbox.git(&origin, &["show", "main:hello.txt"]).stdout == "hello\n").then_some(())
            });
        }
        assert!(!out.contains("panicked"), "{line}: {out}");
        ran += 1;
    }
    assert_eq!(beads.len(), 2, "{beads:?}");
    assert!(ran >= 18, "README shows {ran} commands only");
}
