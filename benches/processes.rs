//! Times commands as whole processes, each run paired with `git --version`, so that the machine's mood cancels out.
//!
//! `cargo bench --bench processes [RUNS]`. Prints minimum, median, 99th percentile and maximum in milliseconds,
//! the median above git, and the peak memory. Works in a throw-away town with 10 and with 10,000 beads.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Figures, Place};

fn main() {
    let runs: usize = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(200);
    let dir = tempfile::tempdir().expect("temporary folder");
    let town_at = support::town(dir.path());
    let town = town_at.cwd.clone();
    let first = town_at.must("bd", &["create", "first", "-q"]);
    for beads in [100, 10_000] {
        fill(&town, beads);
        println!("\n{beads} beads, {runs} runs each            min  median     p99     max   over git   peak MB");
        let reads: [&[&str]; 5] =
            [&["bd", "show", &first], &["bd", "ready"], &["bd", "list"], &["bd", "blocked"], &["bd", "search", "bead"]];
        for command in reads {
            measure(&town_at, command, runs, |_| Vec::new());
        }
        for command in [["gt", "hook"], ["gt", "prime"], ["gt", "status"]] {
            measure(&town_at, &command, runs, |_| Vec::new());
        }
        measure(&town_at, &["bd", "create", "timed", "-q"], runs, |_| Vec::new());
        let ids: Vec<String> = (0..runs).map(|_| town_at.must("bd", &["create", "to close", "-q"])).collect();
        measure(&town_at, &["bd", "update", "--priority", "1"], runs, |n| vec![ids[n].clone()]);
        measure(&town_at, &["bd", "close"], runs, |n| vec![ids[n].clone()]);
    }
    fsync_floor(dir.path(), runs);
}

/// Files beads until the town has `beads` of them.
fn fill(town: &Path, beads: usize) {
    use gastown::base::{Clock, SystemClock};
    use gastown::store::{NewBead, Stamp, Store, StoreError};
    let mut store = Store::open(&town.join(".beads")).expect("store");
    let by = Stamp { actor: "bench".into(), now: SystemClock.now() };
    let have = store.read(|r| Ok::<_, StoreError>(r.find(&gastown::store::Filter::default())?.len())).expect("read");
    for chunk in (have..beads).collect::<Vec<_>>().chunks(1000) {
        store
            .write(&by, |w| {
                for n in chunk {
                    w.create(NewBead { title: format!("bead number {n}"), ..NewBead::default() })?;
                }
                Ok::<_, StoreError>(())
            })
            .expect("write");
    }
}

fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("start");
    let took = start.elapsed();
    assert!(status.success(), "{command:?}");
    took
}

fn measure(place: &Place, command: &[&str], runs: usize, more: impl Fn(usize) -> Vec<String>) {
    let (mut ours, mut git) = (Vec::new(), Vec::new());
    for n in 0..runs {
        git.push(time(place.command("git").arg("--version")));
        ours.push(time(place.command(command[0]).args(&command[1..]).args(more(n))));
    }
    let peak = peak_memory(place, command, &more(0));
    let (ours, git) = (Figures::of(ours), Figures::of(git));
    let name: String = command.join(" ").chars().take(32).collect();
    println!(
        "{name:<32} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>+10.2} {:>9}",
        ours.min,
        ours.median,
        ours.p99,
        ours.max,
        ours.median - git.median,
        peak.map_or_else(|| "-".to_owned(), |kb| format!("{:.1}", kb / 1024.0))
    );
}

/// Peak resident memory in KB, by GNU time where it is installed.
fn peak_memory(place: &Place, command: &[&str], more: &[String]) -> Option<f64> {
    let program = place.command(command[0]).get_program().to_owned();
    let out = place
        .command("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(program)
        .args(&command[1..])
        .args(more)
        .stdout(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8_lossy(&out.stderr).lines().last()?.trim().parse().ok()
}

/// What one small append with `fdatasync` costs here: the floor under every durable write.
fn fsync_floor(dir: &Path, runs: usize) {
    use std::io::Write;
    let mut file = std::fs::File::create(dir.join("floor")).expect("file");
    let times = (0..runs)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).expect("write");
            start.elapsed()
        })
        .collect();
    let f = Figures::of(times);
    println!("\nfdatasync of 4 KB: {:.2} min, {:.2} median, {:.2} p99, {:.2} max ms", f.min, f.median, f.p99, f.max);
}
