//! What only headless hosts promise.

use std::io::Write;
use std::time::Duration;

use gastown::base::process::ProcId;
use gastown::session::{HeadlessHost, Host};
use rustix::process::Signal;

use super::ground::Ground;
use crate::support::eventually;

/// The host process of the agent `proc`.
fn host_of(ground: &Ground, name: &str) -> ProcId {
    let text = std::fs::read(ground.runtime.join(format!("sessions/{name}.json"))).expect("record");
    let record: serde_json::Value = serde_json::from_slice(&text).expect("json");
    serde_json::from_value(record["host"].clone()).expect("a process")
}

#[test]
fn a_killed_host_means_a_dead_session_that_starts_anew() {
    let ground = Ground::headless();
    let agent = ground.start("a", "trap '' HUP TERM; echo up; while :; do sleep 1000; done");
    ground.see("a", "up");
    let host = host_of(&ground, "a");
    assert!(host.signal(Signal::KILL));
    eventually("the host's end", || (!host.alive()).then_some(()));
    assert!(!ground.alive("a"));
    // What was seen last comes from the log.
    assert_eq!(ground.host.screen("a", 10).expect("screen"), "up");
    assert!(agent.alive());
    let next = ground.start("a", "echo next; exec sleep 1000");
    assert!(!agent.alive() && next.alive());
    ground.see("a", "next");
}

#[test]
fn a_killed_host_takes_a_polite_agent_with_it() {
    let ground = Ground::headless();
    let agent = ground.start("a", "echo up; exec sleep 1000");
    ground.see("a", "up");
    assert!(host_of(&ground, "a").signal(Signal::KILL));
    eventually("the agent's end", || (!agent.alive()).then_some(()));
    assert_eq!(ground.host.probe("a").expect("probe").exit, None);
}

#[test]
fn a_host_belongs_to_nobody() {
    let ground = Ground::headless();
    ground.start("a", "exec sleep 1000");
    let own = ProcId::own().tree();
    assert!(!own.contains(&host_of(&ground, "a")));
}

#[test]
fn a_host_ends_with_its_agent_and_ends_what_the_agent_left() {
    let ground = Ground::headless();
    ground.start(
        "a",
        "nohup setsid sh -c 'trap \"\" TERM; echo $$ > left; while :; do sleep 1000; done' >/dev/null 2>&1 & \
        while [ ! -s left ]; do sleep 0.01; done; exit 0",
    );
    let host = host_of(&ground, "a");
    assert_eq!(ground.end("a"), 0);
    eventually("the host's end", || (!host.alive()).then_some(()));
    assert!(ground.living().is_empty());
}

#[test]
fn a_host_ends_although_what_the_agent_left_writes_without_end() {
    let ground = Ground::headless();
    ground.start("a", "(trap '' HUP; exec yes) & exit 3");
    let host = host_of(&ground, "a");
    assert_eq!(ground.end("a"), 3);
    eventually("the host's end", || (!host.alive()).then_some(()));
    assert!(ground.living().is_empty());
}

#[test]
fn a_record_that_cannot_be_read_stands_in_nobodys_way() {
    let ground = Ground::headless();
    let agent = ground.start("a", "exec sleep 1000");
    let record = ground.runtime.join("sessions/a.json");
    std::fs::write(&record, "").expect("written");
    ground.host.stop("a", Duration::from_secs(5)).expect("stopped");
    assert!(!agent.alive());
    ground.start("a", "exec sleep 1000");
    std::fs::write(&record, "{").expect("written");
    ground.host.shutdown_all(Duration::from_secs(5)).expect("all ended");
    assert!(ground.living().is_empty());
}

#[test]
fn the_host_of_a_session_whose_record_cannot_be_read_has_ended_when_that_is_stopped() {
    let ground = Ground::headless();
    let agent = ground.start("a", "exec sleep 1000");
    let host = host_of(&ground, "a");
    std::fs::write(ground.runtime.join("sessions/a.json"), "").expect("written");
    // One that is slow would write over the record of the next, and take its socket away.
    assert!(host.signal(Signal::STOP));
    ground.host.stop("a", Duration::from_millis(50)).expect("stopped");
    assert!(!host.alive() && !agent.alive());
}

#[test]
fn a_host_that_hangs_is_ended_too() {
    let ground = Ground::headless();
    let agent = ground.start("a", "exec sleep 1000");
    let host = host_of(&ground, "a");
    assert!(host.signal(Signal::STOP));
    ground.host.stop("a", Duration::from_millis(50)).expect("stopped");
    assert!(!host.alive() && !agent.alive());
}

#[test]
fn a_town_deep_in_the_folders_has_hosts_too() {
    let ground = Ground::headless();
    let deep = ground.sandbox.folder(&"d".repeat(60)).join("e".repeat(60)).join(".runtime");
    std::fs::create_dir_all(&deep).expect("folder");
    let host = HeadlessHost::new(&deep, env!("CARGO_BIN_EXE_gt").as_ref()).expect("host");
    host.start(&ground.sh("a", "echo deep; exec sleep 1000")).expect("starts");
    eventually("the screen", || host.screen("a", 5).expect("screen").contains("deep").then_some(()));
    host.shutdown_all(Duration::ZERO).expect("stopped");
    let short = std::fs::read_to_string(deep.join("sessions/sockets")).expect("recorded");
    std::fs::remove_dir(short.trim_end()).expect("nothing left in it");
}

#[test]
fn a_host_is_quiet_while_nothing_happens() {
    let ground = Ground::headless();
    ground.start("a", "echo up; exec sleep 1000");
    ground.see("a", "up");
    let host = host_of(&ground, "a");
    let numbers = || -> (u64, u64) {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.pid)).expect("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks = fields[11].parse::<u64>().expect("user") + fields[12].parse::<u64>().expect("system");
        let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid)).expect("status");
        let wakes = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")).expect("wakes");
        (ticks, wakes.trim().parse().expect("a number"))
    };
    let (ticks, wakes) = numbers();
    std::thread::sleep(Duration::from_millis(400));
    let (ticks_after, wakes_after) = numbers();
    // The answer to the last look may still be on its way out at the first reading.
    assert!(ticks_after == ticks && wakes_after <= wakes + 2, "{ticks} {wakes} -> {ticks_after} {wakes_after}");
}

#[test]
fn attaching_passes_keys_and_a_key_lets_go() {
    // A terminal for the client: `script` gives it one.
    if !crate::support::has("script") {
        return;
    }
    let ground = Ground::headless();
    let agent = ground.start("a", "echo before; while read line; do echo \"got $line\"; stty size; done");
    ground.see("a", "before");
    let argv = ground.host.attach_argv("a").expect("argv");
    let mut client = ground.sandbox.command("script", &ground.sandbox.folder("work"));
    client.args(["-qec", &argv.join(" "), "/dev/null"]).env("SHELL", "/bin/sh").env("TERM", "xterm");
    client.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut client = client.spawn().expect("script");
    eventually("the client", || ground.host.probe("a").expect("probe").attached.then_some(()));
    // While a person is there nobody else types.
    let delivery = ground.host.send("a", "x", &gastown::session::Signs::default()).expect("answered");
    assert_eq!(delivery, gastown::session::Delivery::Attended);
    let mut keys = client.stdin.take().expect("keys");
    keys.write_all(b"by hand\r").expect("typed");
    ground.see("a", "got by hand");
    keys.write_all(&[gastown::session::headless::attach::DETACH]).expect("typed");
    drop(keys);
    let out = client.wait_with_output().expect("ended");
    assert!(String::from_utf8_lossy(&out.stdout).contains("before"), "{out:?}");
    assert!(agent.alive());
    assert!(!ground.host.probe("a").expect("probe").attached);
}
