//! Workers whose program keeps its conversation under an id, as Claude Code does.

use super::{TestTown, write};
use crate::support::eventually;

/// An agent program that writes down how it was started, and keeps a conversation only once somebody has allowed it
/// to. It begins none that is there, and takes up none that is not.
const AGENT: &str = "#!/bin/sh
here=$(dirname \"$0\")
echo \"$1 $2\" >> \"$here/starts\"
case $1 in
    --new) [ ! -e \"$here/kept.$2\" ] || { echo 'that conversation is there'; exit 1; } ;;
    --again) [ -e \"$here/kept.$2\" ] || { echo 'no such conversation'; exit 1; } ;;
esac
[ ! -e \"$here/allowed\" ] || : > \"$here/kept.$2\"
exec sleep 100000
";

fn town() -> TestTown {
    let town = TestTown::new();
    let program = town.sandbox.path().join("agent");
    write(&program, AGENT);
    town.sandbox.run("chmod", town.sandbox.path(), &["+x", "agent"]).ok();
    let path = town.root.join("town.toml");
    let text = std::fs::read_to_string(&path).expect("town.toml");
    let runtime = format!(
        "[runtimes.talker]\nprogram = \"{}\"\nprompt = \"none\"\nwith_session = [\"--new\", \"{{session}}\"]\n\
         resume_args = [\"--again\", \"{{session}}\"]\n",
        program.display()
    );
    write(&path, &format!("{text}\n{runtime}"));
    town
}

/// How the program was started so far: the flag, and which of the conversations, in the order of their beginning.
fn starts(town: &TestTown) -> Vec<(String, usize)> {
    let text = std::fs::read_to_string(town.sandbox.path().join("starts")).unwrap_or_default();
    let mut ids: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for (flag, id) in text.lines().filter_map(|line| line.split_once(' ')) {
        let n = ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            ids.push(id);
            ids.len() - 1
        });
        found.push((flag.to_owned(), n));
    }
    found
}

fn is_back(town: &TestTown, n: usize) {
    eventually("the worker is back", || {
        (starts(town).len() >= n && town.agents()[0]["running"] == true && town.agents()[0]["state"] == "working")
            .then_some(())
    });
}

#[test]
fn a_conversation_that_cannot_be_taken_up_is_begun_anew_under_another_id() {
    let town = town();
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--runtime", "talker"]).ok();
    town.gt(&["shutdown"]).ok();
    town.gt(&["start"]).ok();
    is_back(&town, 3);
    let named = |flag: &str, n: usize| (flag.to_owned(), n);
    assert_eq!(starts(&town), [named("--new", 0), named("--again", 0), named("--new", 1)]);
    assert_eq!(town.agents()[0]["restarts"], 1);
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_conversation_that_was_kept_is_taken_up() {
    let town = town();
    write(&town.sandbox.path().join("allowed"), "");
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--runtime", "talker"]).ok();
    eventually("the conversation to be kept", || {
        let mut files = std::fs::read_dir(town.sandbox.path()).expect("readable").flatten();
        files.any(|file| file.file_name().to_string_lossy().starts_with("kept.")).then_some(())
    });
    for n in 2..4 {
        town.gt(&["shutdown"]).ok();
        town.gt(&["start"]).ok();
        is_back(&town, n);
    }
    // Whoever is killed as soon as it is back has its conversation all the same.
    let pid = town.agents()[0]["pid"].to_string();
    town.sandbox.run("kill", &town.root, &["-9", &pid]).ok();
    is_back(&town, 4);
    let again = ("--again".to_owned(), 0);
    assert_eq!(starts(&town), [("--new".to_owned(), 0), again.clone(), again.clone(), again]);
    town.gt(&["shutdown"]).ok();
}
