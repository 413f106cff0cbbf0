//! Measures a living town: how fast work moves through it, and what it costs when nothing moves.
//!
//! `cargo bench --bench town [ROUNDS]`. First, per round, two beads of which the second needs the first: from
//! handing in to the merge on the remote, and from the landing of the first to the session of the second. Then, for 60
//! seconds, ten workers that wait: CPU time and memory of daemon and supervisor, and whether the daemon had children.
//! Then a look of the daemon while a thousand beads are ready and no worker is free.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use gastown::daemon::client;
use gastown::store::{Event, NewBead, Stamp, Store};
use gastown::town::convoy::{self, ConvoyOpts};
use serde_json::Value;
use support::{Figures, Place};

const PATIENCE: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(60);
const CROWD: usize = 1000;
const LOOKS: u32 = 20;

fn main() {
    let rounds: usize = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(10);
    let dir = tempfile::tempdir().expect("temporary folder");
    let town = support::town(dir.path());
    rig(&town);
    town.must("gt", &["start"]);
    flow(&town, rounds);
    idle(&town);
    crowd(&town);
    town.must("gt", &["shutdown"]);
}

/// A rig whose gate does nothing and whose landings wait for nobody.
fn rig(town: &Place) {
    let remote = town.root.join("remote.git");
    let seed = town.root.join("seed");
    let (remote, seed) = (remote.to_str().expect("utf-8"), seed.to_str().expect("utf-8"));
    town.must("git", &["init", "-q", "--bare", "-b", "main", remote]);
    town.must("git", &["clone", "-q", remote, seed]);
    fs::write(format!("{seed}/run-tests"), "#!/bin/sh\ntrue\n").expect("write");
    let inside = Place { root: town.root.clone(), cwd: seed.into() };
    inside.must("git", &["add", "-A"]);
    inside.must("git", &["commit", "-q", "-m", "first"]);
    inside.must("git", &["push", "-q", "origin", "HEAD:main"]);
    town.must("gt", &["rig", "add", "bench", remote, "--prefix", "b", "--landing", "direct"]);
    let path = town.cwd.join("bench/rig.toml");
    let text = fs::read_to_string(&path).expect("rig.toml");
    fs::write(&path, format!("workers = 20\n{text}")).expect("write");
}

fn flow(town: &Place, rounds: usize) {
    let store = Store::open(&town.cwd.join(".beads")).expect("store");
    let (mut landing, mut dispatch) = (Vec::new(), Vec::new());
    for n in 0..rounds {
        let work = |name: &str| format!("```sh implement\necho {name} >{name}-{n}\n```");
        let first = town.must("bd", &["create", "first", "--rig", "bench", "-d", &work("first"), "-q"]);
        let second = town.must("bd", &["create", "second", "--rig", "bench", "-d", &work("second"), "-q"]);
        town.must("bd", &["dep", "add", &second, &first]);
        let seen = store.read(|r| r.last_event()).expect("store");
        town.must("gt", &["convoy", "create", "round", &first, &second]);
        town.must("gt", &["sling", &first, "bench"]);
        let event = |kind: &str, bead: &str| wait(&store, seen, kind, bead).at.millis();
        let (handed_in, landed) = (event("mr_queued", &first), event("mr_merged", &first));
        let begun = event("agent_started", &second);
        landing.push(Duration::from_millis((landed - handed_in).max(0) as u64));
        dispatch.push(Duration::from_millis((begun - landed).max(0) as u64));
        event("mr_merged", &second);
    }
    println!("                                              min  median     p99     max   ms, {rounds} rounds");
    for (what, times) in
        [("gt done to the merge on the remote", landing), ("blocker landed to its dependent's session", dispatch)]
    {
        let f = Figures::of(times);
        println!("{what:<42} {:>6.0} {:>7.0} {:>7.0} {:>7.0}", f.min, f.median, f.p99, f.max);
    }
}

/// The first event of `kind` about `bead` after `seen`.
fn wait(store: &Store, seen: i64, kind: &str, bead: &str) -> Event {
    let start = Instant::now();
    loop {
        let events = store.read(|r| r.events_after(seen, 10_000)).expect("store");
        let about = |e: &Event| e.subject == bead || e.payload.get("bead").and_then(Value::as_str) == Some(bead);
        if let Some(event) = events.into_iter().find(|e| e.kind == kind && about(e)) {
            return event;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {kind} of {bead}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// CPU time and resident KB of a process, and the page faults of children that it has waited for: none, no child.
fn cost(pid: u32) -> (Duration, u64, u64) {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    let faults = fields.get(8).and_then(|f| f.parse().ok()).unwrap_or(0);
    let status = read("status");
    let rss =
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok()).unwrap_or(0);
    let mut ran = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        ran += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    (Duration::from_nanos(ran), rss, faults)
}

fn daemon(town: &Place) -> u32 {
    let text = fs::read_to_string(town.cwd.join(".runtime/daemon.lock")).expect("lock");
    text.trim().parse().expect("pid")
}

fn idle(town: &Place) {
    let store = Store::open(&town.cwd.join(".beads")).expect("store");
    let seen = store.read(|r| r.last_event()).expect("store");
    for n in 0..10 {
        let wait_here = "```sh design\nexec sleep 600\n```";
        let bead = town.must("bd", &["create", &format!("idle {n}"), "--rig", "bench", "-d", wait_here, "-q"]);
        town.must("gt", &["sling", &bead, "bench"]);
        wait(&store, seen, "agent_started", &bead);
    }
    let daemon = daemon(town);
    let parent = gastown::base::process::ProcId::of(daemon).and_then(|p| p.parent()).map_or(0, |p| p.pid);
    // What slinging set in motion comes to rest first.
    std::thread::sleep(Duration::from_secs(10));
    let ((before, _, had), parent_before) = (cost(daemon), cost(parent).0);
    std::thread::sleep(IDLE);
    let ((after, rss, has), (parent_after, parent_rss, _)) = (cost(daemon), cost(parent));
    let used = after.saturating_sub(before).as_secs_f64();
    println!(
        "\nidle for {} s with 10 waiting workers: daemon {used:.3} s CPU ({:.3} % of a core), {:.1} MB, children: {}; \
         supervisor {:.3} s, {:.1} MB",
        IDLE.as_secs(),
        used / IDLE.as_secs_f64() * 100.0,
        rss as f64 / 1024.0,
        if has == had { "none" } else { "some" },
        parent_after.saturating_sub(parent_before).as_secs_f64(),
        parent_rss as f64 / 1024.0,
    );
}

/// A thousand beads are ready, their convoy has begun, and every place of the rig is taken.
fn crowd(town: &Place) {
    let path = town.cwd.join("bench/rig.toml");
    let text = fs::read_to_string(&path).expect("rig.toml");
    fs::write(&path, text.replacen("workers = 20", "workers = 10", 1)).expect("write");
    let mut store = Store::open(&town.cwd.join(".beads")).expect("store");
    let by = Stamp::new("bench", gastown::base::Time::from_millis(1));
    let made = store.write(&by, |w| {
        let prefix = gastown::base::Prefix::new("b").expect("prefix");
        let mut ids = Vec::new();
        for n in 0..CROWD {
            let new = NewBead { prefix: Some(prefix.clone()), ..NewBead::titled(format!("waits {n}")) };
            ids.push(w.create(new)?.id);
        }
        let opts = ConvoyOpts { active: true, ..ConvoyOpts::default() };
        convoy::create(w, "Crowd", &ids, &opts)
    });
    made.expect("beads");
    let look = || {
        let reply = client::ask(&town.cwd, &client::Request::Wake, PATIENCE).expect("an answer");
        assert_eq!(reply, client::Reply::Ok);
    };
    let daemon = daemon(town);
    let before = cost(daemon).0;
    look();
    let first = cost(daemon).0.saturating_sub(before).as_secs_f64() * 1000.0;
    // The ledger catches up.
    std::thread::sleep(Duration::from_secs(5));
    let before = cost(daemon).0;
    for _ in 0..LOOKS {
        look();
    }
    let each = cost(daemon).0.saturating_sub(before).as_secs_f64() * 1000.0 / f64::from(LOOKS);
    println!("\na look at {CROWD} ready beads, no worker free: {each:.1} ms CPU (the first {first:.1} ms)");
}
