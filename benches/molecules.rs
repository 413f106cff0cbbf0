//! Measures cooking and pouring, from a small formula to one of a million steps.
//!
//! `cargo bench --bench molecules [SECTION…]`, where a section is `formulas` (cooks 1,000 formulas of real size), `shiny`
//! (`bd cook shiny` as a whole process), `hanoi10`, `hanoi15`, `hanoi17` or `hanoi20` (1,048,577 steps, as whole
//! processes: seconds and peak memory of cooking, and of cooking and pouring, what one step costs, how long another
//! process waited for `bd close` meanwhile, what draining the ledger took afterwards, of `hanoi20` only with `drain`, and
//! the same of burning such a molecule as a wisp).
//! Without a section: all but `hanoi17` and `hanoi20`, which takes a few seconds.

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
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let asked = |section: &str, usual: bool| if asked.is_empty() { usual } else { asked.iter().any(|a| a == section) };
    if asked("formulas", true) {
        thousand();
    }
    if asked("shiny", true) {
        whole_process();
    }
    let disks: Vec<(u32, bool)> = [(10, true), (15, true), (17, false), (20, false)]
        .into_iter()
        .filter(|(disks, usual)| asked(&format!("hanoi{disks}"), *usual))
        .collect();
    if disks.is_empty() {
        return;
    }
    println!(
        "\nhanoi        steps  cook s  peak MB  cook and pour s  µs/step  peak MB  close: n   p99 ms   max  drained s"
    );
    for (disks, _) in disks {
        // Draining a million commits takes some minutes.
        hanoi(disks, disks < 20 || asked("drain", false));
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

fn hanoi(disks: u32, drain: bool) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let place = tracker(dir.path());
    let given = format!("disks={disks}");
    let cooked = measured(&place, &["cook", "towers", "-q", "--var", &given]);
    // Poured into a store that has no proto of it yet.
    let dir = tempfile::tempdir().expect("temporary folder");
    let place = tracker(dir.path());
    let ids: Vec<String> = (0..40).map(|n| place.must("bd", &["create", &format!("to close {n}"), "-q"])).collect();
    let beside = |args: &[&str]| {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let closer = scope.spawn(|| closing(&place, &ids, &done));
            let took = measured(&place, args);
            done.store(true, Ordering::Relaxed);
            (took, closer.join().expect("closes"))
        })
    };
    let (poured, waits) = beside(&["mol", "pour", "towers", "-q", "--var", &given]);
    let steps = 2_u64.pow(disks) + 1;
    let drained = if drain {
        let start = Instant::now();
        place.must("bd", &["export", "-o", "out.jsonl", "-q"]);
        format!("{:.1}", start.elapsed().as_secs_f64())
    } else {
        "-".to_owned()
    };
    let n = waits.len();
    let waits = Figures::of(waits);
    println!(
        "{disks:<5} {steps:>12} {:>7.2} {:>8.0} {:>16.2} {:>8.1} {:>8.0} {n:>9} {:>8.1} {:>5.0} {drained:>10}",
        cooked.0.as_secs_f64(),
        cooked.1,
        poured.0.as_secs_f64(),
        poured.0.as_secs_f64() * 1e6 / steps as f64,
        poured.1,
        waits.p99,
        waits.max,
    );
    let wisp = place.must("bd", &["mol", "wisp", "towers", "-q", "--var", &given]);
    let (burnt, waits) = beside(&["mol", "burn", &wisp, "-q"]);
    let (n, waits) = (waits.len(), Figures::of(waits));
    println!(
        "      burnt as a wisp {:>24.2} {:>8.1} {:>8.0} {n:>9} {:>8.1} {:>5.0}",
        burnt.0.as_secs_f64(),
        burnt.0.as_secs_f64() * 1e6 / steps as f64,
        burnt.1,
        waits.p99,
        waits.max,
    );
}

/// How long a command took, and its peak memory in megabytes.
fn measured(place: &Place, args: &[&str]) -> (Duration, f64) {
    let bd = place.command("bd").get_program().to_owned();
    let start = Instant::now();
    let out = place
        .command("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(bd)
        .args(args)
        .stdout(Stdio::null())
        .output()
        .expect("/usr/bin/time is there");
    let took = start.elapsed();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let peak = String::from_utf8_lossy(&out.stderr).lines().last().and_then(|l| l.trim().parse::<f64>().ok());
    (took, peak.unwrap_or_default() / 1024.0)
}

/// Closes beads until it is done; how long each took as a process.
fn closing(place: &Place, ids: &[String], done: &AtomicBool) -> Vec<Duration> {
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
