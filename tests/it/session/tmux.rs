//! What only tmux hosts promise.

use std::process::Command;
use std::time::Duration;

use gastown::session::{Host, TmuxHost};
use rustix::process::Signal;

use super::ground::Ground;
use crate::support::{Sandbox, eventually};

fn tmux(ground: &Ground) -> TmuxHost {
    let gt = std::path::PathBuf::from(env!("CARGO_BIN_EXE_gt"));
    TmuxHost::new(&ground.runtime, &gt, &Sandbox::search_path()).expect("host")
}

#[test]
fn a_killed_server_means_dead_sessions_and_a_new_server() {
    let Some(ground) = Ground::tmux() else { return };
    let gemini = ground.start("a", "trap '' HUP TERM; echo up; while :; do sleep 1000; done");
    ground.start("b", "exec sleep 1000");
    ground.see("a", "up");
    let server = tmux(&ground).server().expect("a server");
    assert!(server.signal(Signal::KILL));
    eventually("the server's end", || (!server.alive()).then_some(()));
    assert!(!ground.alive("a") && !ground.alive("b"));
    assert!(ground.host.list().expect("list").is_empty());
    assert_eq!(ground.host.screen("a", 10).expect("screen"), "");
    // It ignored the hang-up: the successor starts only when it is gone.
    assert!(gemini.alive());
    let next = ground.start("a", "echo next; exec sleep 1000");
    assert!(!gemini.alive() && next.alive());
    ground.see("a", "next");
    assert_ne!(tmux(&ground).server().expect("a server"), server);
}

#[test]
fn a_persons_own_tmux_is_left_alone() {
    let Some(ground) = Ground::tmux() else { return };
    let theirs = ground.sandbox.folder("theirs");
    let own = |args: &[&str]| {
        let mut command = ground.sandbox.command("tmux", &theirs);
        command.args(["-S", "own.sock"]).args(args);
        crate::support::finish(command, format!("tmux {args:?}")).ok()
    };
    own(&["new-session", "-d", "-s", "a", "sleep 1000"]);
    let before = own(&["list-panes", "-a", "-F", "#{session_name} #{pane_pid}"]);
    ground.start("a", "exec sleep 1000");
    ground.host.stop("a", Duration::ZERO).expect("stopped");
    ground.host.shutdown_all(Duration::ZERO).expect("stopped");
    assert_eq!(own(&["list-panes", "-a", "-F", "#{session_name} #{pane_pid}"]), before);
    own(&["kill-server"]);
}

#[test]
fn a_server_that_hangs_is_ended_too() {
    let Some(ground) = Ground::tmux() else { return };
    let proc = ground.start("a", "exec sleep 1000");
    let server = tmux(&ground).server().expect("a server");
    assert!(server.signal(Signal::STOP));
    ground.host.shutdown_all(Duration::from_millis(50)).expect("stopped");
    assert!(!server.alive() && !proc.alive());
}

#[test]
fn a_town_deep_in_the_folders_has_a_server_too() {
    let Some(ground) = Ground::tmux() else { return };
    let deep = ground.sandbox.folder(&"d".repeat(60)).join("e".repeat(60)).join(".runtime");
    std::fs::create_dir_all(&deep).expect("folder");
    let host = TmuxHost::new(&deep, env!("CARGO_BIN_EXE_gt").as_ref(), &Sandbox::search_path()).expect("host");
    assert!(host.socket().as_os_str().len() < 100);
    host.start(&ground.sh("a", "exec sleep 1000")).expect("starts");
    let again = TmuxHost::new(&deep, env!("CARGO_BIN_EXE_gt").as_ref(), &Sandbox::search_path()).expect("host");
    assert!(again.probe("a").expect("probe").alive);
    host.shutdown_all(Duration::ZERO).expect("stopped");
    std::fs::remove_dir(host.socket().parent().expect("folder")).expect("nothing left in it");
}

#[test]
fn the_last_screen_outlives_its_program() {
    let Some(ground) = Ground::tmux() else { return };
    ground.start("a", "echo first; seq 1 60; exit 4");
    assert_eq!(ground.end("a"), 4);
    let screen = ground.host.screen("a", 100).expect("screen");
    assert!(screen.starts_with("first\n1\n2\n") && screen.ends_with("59\n60"), "{screen}");
}

#[test]
fn attaching_shows_the_session_and_typing_waits() {
    let Some(ground) = Ground::tmux() else { return };
    ground.start("a", "echo up; cat");
    ground.see("a", "up");
    let argv = ground.host.attach_argv("a").expect("argv");
    // A terminal for the client: `script` gives it one.
    if !crate::support::has("script") {
        return;
    }
    let mut client = Command::new("script")
        .args(["-qec", &argv.join(" "), "/dev/null"])
        .env("TERM", "xterm")
        .env("TMUX", "/somewhere/else,1,0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("script");
    eventually("the client", || ground.host.probe("a").expect("probe").attached.then_some(()));
    let delivery = ground.host.send("a", "x", &gastown::session::Signs::default()).expect("answered");
    assert_eq!(delivery, gastown::session::Delivery::Attended);
    client.kill().expect("killed");
    client.wait().expect("collected");
}

/// tmux 3.3a misses the signal of an end now and then: alone, some of these would never have a code.
#[test]
fn the_code_of_every_end_is_known_and_a_new_start_follows_at_once() {
    let Some(ground) = Ground::tmux() else { return };
    for code in 1..=40 {
        ground.start("a", &format!("exit {code}"));
        let exit = eventually("its exit code", || ground.host.probe("a").expect("probe").exit);
        assert_eq!(exit, code);
        ground.host.stop("a", Duration::ZERO).expect("stopped");
    }
}
