//! Disks that cannot be written, and disks that are full: real ones, mounted in a namespace of the test's own.

use std::io::Write as _;

use super::Repo;
use crate::support::{Ran, finish, has};

/// Runs a script as `sh` does, with mounts of its own; `$BD` and `$GT` are the programs. None where that is not allowed.
fn mounted(repo: &Repo, script: &str) -> Option<Ran> {
    if !has("unshare") {
        return None;
    }
    let disk = repo.sandbox.folder("disk");
    let run = |script: &str| {
        let mut command = repo.sandbox.command("unshare", &repo.dir);
        command.args(["-rm", "sh", "-c", script]).env("APP", &repo.dir).env("DISK", &disk);
        command.env("BD", env!("CARGO_BIN_EXE_bd")).env("GT", env!("CARGO_BIN_EXE_gt"));
        finish(command, "a script with mounts of its own".to_owned())
    };
    let allowed = run("mount -t tmpfs -o size=1m none \"$DISK\"");
    if allowed.code != 0 {
        let _ = writeln!(std::io::stderr(), "skipped: mounts are not allowed here: {}", allowed.stderr.trim());
        return None;
    }
    Some(run(script))
}

/// The exit code that the script printed after `name`.
#[track_caller]
fn code(ran: &Ran, name: &str) -> i32 {
    let line = ran.stdout.lines().find_map(|line| line.strip_prefix(&format!("code of {name}: ")));
    let code = line.unwrap_or_else(|| panic!("{name} did not run\n{}\n{}", ran.stdout, ran.stderr));
    code.parse().expect("a number")
}

/// What a script does to run a command and print its exit code.
fn tell(name: &str, command: &str) -> String {
    format!("echo \"[{name}]\" >&2; {command}; echo \"code of {name}: $?\"\n")
}

/// What was said on stderr by `name`.
fn said<'r>(ran: &'r Ran, name: &str) -> &'r str {
    let rest = ran.stderr.split_once(&format!("[{name}]\n")).map_or("", |(_, rest)| rest);
    rest.split_once("\n[").map_or(rest, |(own, _)| own)
}

/// A tracker with two beads, one of them with an edge, that knows a remote; the ids.
fn tracker() -> (Repo, String, String) {
    let repo = Repo::new();
    let (a, b) = (repo.add("one", &[]), repo.add("two", &[]));
    repo.bd(&["dep", "add", &b, &a]).ok();
    let remote = repo.sandbox.folder("remote.git");
    repo.sandbox.git(&remote, &["init", "-q", "--bare"]).ok();
    repo.bd(&["config", "set", "sync.remote", &remote.display().to_string()]).ok();
    repo.bd(&["sync"]).ok();
    let line = |n: usize| {
        let (text, at) = ("x".repeat(3_000), "2026-01-01T00:00:00Z");
        format!(
            "{{\"id\":\"app-m{n}\",\"title\":\"t\",\"description\":\"{text}\",\"created_at\":\"{at}\",\"updated_at\":\"{at}\"}}\n"
        )
    };
    std::fs::write(repo.sandbox.path().join("many.jsonl"), (0..900).map(line).collect::<String>()).expect("a file");
    (repo, a, b)
}

const WRITES: [(&str, &str); 5] = [
    ("create", "\"$BD\" create three"),
    ("close", "\"$BD\" close one"),
    ("import", "\"$BD\" import ../many.jsonl"),
    ("sync", "\"$BD\" sync"),
    ("comment", "\"$BD\" comments add one hello"),
];

#[test]
fn a_disk_that_cannot_be_written_is_read_and_each_write_says_why_it_is_not_done() {
    let (repo, a, _) = tracker();
    let before = repo.bd(&["export"]).ok();
    let mut script = "mount --bind \"$APP\" \"$APP\" && mount -o remount,ro,bind \"$APP\" && cd \"$APP\"\n".to_owned();
    for (name, command) in WRITES {
        script += &tell(name, &command.replace("one", &a));
    }
    for name in ["list", "ready", "stats", "export"] {
        script += &tell(name, &format!("\"$BD\" {name}"));
    }
    script += &tell("uninstall", "\"$BD\" uninstall --force");
    let Some(ran) = mounted(&repo, &script) else { return };
    for name in WRITES.iter().map(|(name, _)| *name).chain(["uninstall"]) {
        assert_eq!(code(&ran, name), 7, "{name}: {}", ran.stderr);
        let said = said(&ran, name);
        assert!(said.contains("Read-only file system") && said.contains("hint:"), "{name}: {said}");
    }
    let said = said(&ran, "uninstall");
    assert!(said.contains("check the permissions of the folder; nothing was changed"), "{said}");
    for name in ["list", "ready", "stats", "export"] {
        assert_eq!(code(&ran, name), 0, "{name}: {}", ran.stderr);
    }
    assert!(ran.stdout.contains(&before), "{}", ran.stdout);
    assert_eq!(repo.bd(&["export"]).ok(), before);
}

#[test]
fn on_a_disk_that_is_full_nothing_is_lost_and_all_goes_on_once_there_is_room() {
    let (repo, a, b) = tracker();
    let before = repo.bd(&["export"]).ok();
    // As much as is there, and not enough for the file of issues.
    let mut script =
        "mount -t tmpfs -o size=4m none \"$DISK\" && cp -a \"$APP/.\" \"$DISK\" && cd \"$DISK\"\n".to_owned();
    script += "head -c 1000000 /dev/zero > room\ncat /dev/zero > filler 2>/dev/null\n";
    for (name, command) in WRITES {
        script += &tell(name, &command.replace("one", &a));
    }
    script += &tell("list", "\"$BD\" list");
    script += "\"$BD\" export > ../when-full\nrm filler\n";
    // It may leave room that small writes have from then on, however full the disk is.
    script += &tell("large import", "\"$BD\" import ../many.jsonl");
    script += "\"$BD\" export > ../after-import\nrm room\n";
    for name in ["doctor", "create-again", "close-again", "sync-again"] {
        let command = name.trim_end_matches("-again");
        let more = match command {
            "create" => " three -q",
            "close" => &format!(" {a}"),
            _ => "",
        };
        script += &tell(name, &format!("\"$BD\" {command}{more}"));
    }
    script += "\"$BD\" list --json > ../at-last\n";
    let Some(ran) = mounted(&repo, &script) else { return };
    for name in ["large import", "create", "close", "import", "sync", "comment"] {
        assert_eq!(code(&ran, name), 7, "{name}: {}\n{}", ran.stdout, ran.stderr);
        let said = said(&ran, name);
        assert!(said.contains("disk is full") && said.contains("hint:"), "{name}: {said}");
    }
    let read = |name: &str| std::fs::read_to_string(repo.sandbox.path().join(name)).expect("a file");
    assert_eq!(read("when-full").trim_end(), before);
    assert_eq!(read("after-import").trim_end(), before, "an import is in as a whole or not at all");
    for name in ["list", "doctor", "create-again", "close-again", "sync-again"] {
        assert_eq!(code(&ran, name), 0, "{name}: {}", ran.stderr);
    }
    let listed: serde_json::Value = serde_json::from_str(&read("at-last")).expect("json");
    let titles: Vec<&str> = listed.as_array().expect("array").iter().filter_map(|b| b["title"].as_str()).collect();
    assert_eq!(titles, ["two", "three"], "{b} is no longer held back");
}

#[test]
fn the_status_of_a_town_says_that_its_disk_is_full() {
    let repo = Repo::new();
    let mut script =
        "mount -t tmpfs -o size=24m none \"$DISK\" && cd \"$DISK\" && \"$GT\" install town >/dev/null\n".to_owned();
    script += "cd town; \"$GT\" status > ../../before; cat /dev/zero > filler 2>/dev/null\n";
    script += &tell("status", "\"$GT\" status > ../../when-full");
    script += "rm filler; \"$GT\" status > ../../at-last\n";
    let Some(ran) = mounted(&repo, &script) else { return };
    assert_eq!(code(&ran, "status"), 0, "{}", ran.stderr);
    let read = |name: &str| std::fs::read_to_string(repo.sandbox.path().join(name)).expect("a file");
    let (before, full, at_last) = (read("before"), read("when-full"), read("at-last"));
    assert!(full.contains("warning: the disk of the town is full (0 KiB left)") && full.contains("df -h"), "{full}");
    assert!(before.contains("the town is down") && before == at_last, "{before}\n{at_last}");
    assert!(!before.contains("warning"), "{before}");
}
