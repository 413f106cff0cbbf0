//! Measures cooking and pouring, from a small formula to one of a million steps.
//!
//! `cargo bench --bench molecules [DISKS…]`. Cooks 1,000 formulas of real size; then hanoi with each number of disks
//! (10 and 15 unless told otherwise; 20 are 1,048,577 steps), as whole processes: seconds and peak memory of cooking and
//! pouring, what one step costs, how long other processes waited for `bd close` meanwhile, and what draining the
//! ledger took afterwards.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gastown::formula::{Layer, Library, Vars, cook};
use support::{Figures, Place};

const HANOI: &str = r#"formula = "towers"
description = "Move {{disks}} disks"
[vars]
disks = "3"
[[steps]]
id = "setup"
[[steps]]
id = "moves"
needs = ["setup"]
[steps.loop]
range = "1..2^{disks}-1"
var = "n"
[[steps.loop.body]]
id = "move"
title = "Move {n}"
description = "Make the legal move number {n}"
[[steps]]
id = "verify"
needs = ["moves"]
"#;

fn main() {
    let mut disks: Vec<u32> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    if disks.is_empty() {
        disks = vec![10, 15];
    }
    thousand();
    whole_process();
    println!("\nhanoi        steps      s   µs/step  peak MB   close p99 ms   max   drained s");
    for disks in disks {
        hanoi(disks);
    }
}

/// The shipped formulas and those of the corpus, a thousand cooks.
fn thousand() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formulas/seed");
    let library = Library::new([(Layer::Repository, corpus)]);
    let names: Vec<String> =
        library.names().into_iter().filter(|name| cook(&library, name, &Vars::new()).is_ok()).collect();
    let times: Vec<Duration> = (0..1000)
        .map(|n| {
            let start = Instant::now();
            cook(&library, &names[n % names.len()], &Vars::new()).expect("cooks");
            start.elapsed()
        })
        .collect();
    let all: Duration = times.iter().sum();
    let f = Figures::of(times);
    println!(
        "1,000 formulas ({} different): {:.0} ms; one: {:.2} median, {:.2} p99, {:.2} max ms",
        names.len(),
        all.as_secs_f64() * 1000.0,
        f.median,
        f.p99,
        f.max
    );
}

/// A town with the formula of the towers.
fn tracker(dir: &Path) -> Place {
    let place = support::town(dir);
    std::fs::create_dir_all(place.cwd.join(".beads/formulas")).expect("folder");
    std::fs::write(place.cwd.join(".beads/formulas/towers.formula.toml"), HANOI).expect("formula");
    place
}

fn whole_process() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let place = tracker(dir.path());
    place.must("bd", &["cook", "shiny", "-q"]);
    let times = (0..200)
        .map(|_| {
            let start = Instant::now();
            place.must("bd", &["cook", "shiny", "-q"]);
            start.elapsed()
        })
        .collect();
    let f = Figures::of(times);
    println!(
        "bd cook shiny as a process: {:.2} min, {:.2} median, {:.2} p99, {:.2} max ms",
        f.min, f.median, f.p99, f.max
    );
}

fn hanoi(disks: u32) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let place = tracker(dir.path());
    let given = format!("disks={disks}");
    let done = AtomicBool::new(false);
    let (took, peak, waits) = std::thread::scope(|scope| {
        let closer = scope.spawn(|| closing(&place, &done));
        let start = Instant::now();
        let bd = place.command("bd").get_program().to_owned();
        let out = place
            .command("/usr/bin/time")
            .args(["-f", "%M"])
            .arg(bd)
            .args(["mol", "pour", "towers", "-q", "--var", &given])
            .stdout(Stdio::null())
            .output()
            .expect("start");
        let took = start.elapsed();
        done.store(true, Ordering::Relaxed);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let peak = String::from_utf8_lossy(&out.stderr).lines().last().and_then(|l| l.trim().parse::<f64>().ok());
        (took, peak.unwrap_or_default() / 1024.0, closer.join().expect("closes"))
    });
    let steps = 2_u64.pow(disks) + 1;
    let start = Instant::now();
    place.must("bd", &["export", "-o", "out.jsonl", "-q"]);
    let drained = start.elapsed();
    let waits = Figures::of(waits);
    println!(
        "{disks:<5} {steps:>12} {:>6.1} {:>9.1} {peak:>8.0} {:>14.1} {:>5.0} {:>11.1}",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / steps as f64,
        waits.p99,
        waits.max,
        drained.as_secs_f64(),
    );
}

/// Closes beads until the pour is done; how long each took as a process.
fn closing(place: &Place, done: &AtomicBool) -> Vec<Duration> {
    let ids: Vec<String> = (0..40).map(|n| place.must("bd", &["create", &format!("to close {n}"), "-q"])).collect();
    let mut times = Vec::new();
    for id in ids.iter().cycle() {
        let start = Instant::now();
        place.must("bd", &["close", id, "-q"]);
        times.push(start.elapsed());
        if done.load(Ordering::Relaxed) {
            return times;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    times
}
