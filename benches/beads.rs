//! Measures the tracker at sizes that no test waits for: `cargo bench --bench beads -- SECTION… [COUNT]`.
//!
//! Sections: `import` (import, export and the whole list, 10,000 beads without edges and with one each), `writers` (30
//! processes at once, some killed), `ready` (three shapes of a million beads), `drain` (200,000 transitions), `hanoi10`
//! (a process for each of 1,025 steps) and `hanoi20` (1,048,577 steps, made, closed one transaction each and burnt, beside a process that closes
//! beads all the time). Without a section the two short ones run. COUNT takes the place of the number of beads.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gastown::base::{BeadId, Clock, Prefix, SystemClock};
use gastown::ledger;
use gastown::store::interchange::format_line;
use gastown::store::{
    Bead, Close, DepKind, Filter, IssueType, NewBead, NewDep, Patch, ReadyQuery, Stamp, Store, StoreError, Write,
};
use support::{Figures, Place};

/// Beads that are made in one transaction.
const CHUNK: usize = 1_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [role, dir] = args.as_slice()
        && role == "closer"
    {
        return closer(Path::new(dir));
    }
    let count = args.iter().find_map(|a| a.parse().ok());
    let mut sections: Vec<&str> = args.iter().map(String::as_str).filter(|a| a.parse::<usize>().is_err()).collect();
    if sections.is_empty() {
        sections = vec!["import", "writers"];
    }
    for section in sections {
        let dir = tempfile::tempdir().expect("temporary folder");
        let begun = Instant::now();
        println!("\n== {section}, load {}", load());
        match section {
            "import" => import(dir.path(), count.unwrap_or(10_000)),
            "writers" => writers(dir.path(), count.unwrap_or(10_000)),
            "ready" => ready(count.unwrap_or(1_000_000)),
            "drain" => drain(dir.path(), count.unwrap_or(200_000)),
            "hanoi10" => hanoi_processes(dir.path(), count.unwrap_or(1_025)),
            "hanoi20" => hanoi(dir.path(), count.unwrap_or(1_048_577)),
            other => panic!("there is no section `{other}`"),
        }
        println!("{section} took {:.1} s; peak of this process so far {:.0} MB", begun.elapsed().as_secs_f64(), peak());
    }
}

fn by() -> Stamp {
    Stamp::new("bench", SystemClock.now())
}

fn store(dir: &Path) -> Store {
    Store::create(&dir.join(".beads"), &Prefix::new("b").expect("prefix"), SystemClock.now()).expect("store")
}

fn write<T>(store: &mut Store, f: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> T {
    store.write(&by(), f).expect("write")
}

/// Makes `count` beads, a thousand in a transaction; `keep` leaves them to the ledger.
fn fill(store: &mut Store, count: usize, keep: bool, make: impl Fn(usize) -> NewBead) -> Vec<BeadId> {
    let mut ids = Vec::with_capacity(count);
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(CHUNK) {
        ids.extend(write(store, |w| {
            let made = chunk.iter().map(|n| Ok(w.create(make(*n))?.id)).collect::<Result<Vec<_>, StoreError>>();
            if !keep {
                let rows: Vec<i64> = w.outbox(0, usize::MAX >> 1)?.iter().map(|row| row.seq).collect();
                w.ack_outbox_rows(&rows)?;
            }
            made
        }));
    }
    ids
}

fn figures(what: &str, times: Vec<Duration>) {
    let n = times.len();
    let f = Figures::of(times);
    println!(
        "{what:<44} {:>8.2} {:>8.2} {:>8.2} {:>8.2}  ms (min, median, p99, max of {n})",
        f.min, f.median, f.p99, f.max
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed(), done)
}

fn import(dir: &Path, count: usize) {
    for edges in [false, true] {
        import_of(&dir.join(format!("edges-{edges}")), count, edges);
    }
}

/// Import, export and list of beads of which, with `edges`, each waits for the one before.
fn import_of(dir: &Path, count: usize, edges: bool) {
    let mut made = store(&dir.join("source"));
    let ids = fill(&mut made, count, true, |n| NewBead {
        description: "so many words ".repeat(10),
        ..NewBead::titled(format!("bead {n}"))
    });
    if edges {
        let pairs: Vec<&[BeadId]> = ids.windows(2).collect();
        for chunk in pairs.chunks(CHUNK) {
            write(&mut made, |w| {
                // Each target has no edge yet, so that the search for a circle ends at once.
                chunk
                    .iter()
                    .try_for_each(|pair| w.add_dep(&pair[0], NewDep::new(DepKind::BLOCKS, pair[1].clone())).map(drop))
            });
        }
    }
    let text = made.read(|r| r.export()).expect("export");
    let newer = made.read(|r| r.all_whole()).expect("beads");
    let newer: String = newer
        .into_iter()
        .map(|bead| format_line(&Bead { updated_at: bead.updated_at.plus_millis(1), ..bead }) + "\n")
        .collect();
    let (file, newer_file) = (dir.join("issues.jsonl"), dir.join("newer.jsonl"));
    std::fs::write(&file, text).expect("file");
    std::fs::write(&newer_file, newer).expect("file");
    let (mut imports, mut again, mut exports, mut lists) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut waits = Vec::new();
    for n in 0..5 {
        let home = support::town(&dir.join(n.to_string()));
        let process = |args: &[&str]| timed(|| home.must("bd", args)).0;
        imports.push(process(&["import", file.to_str().expect("utf-8"), "-q"]));
        let out = dir.join(format!("out{n}.jsonl"));
        exports.push(process(&["export", "-o", out.to_str().expect("utf-8")]));
        lists.push(process(&["list", "--limit", "0", "--json"]));
        let mut reimport = home.command("bd");
        let begun = Instant::now();
        let mut child = reimport.args(["import", newer_file.to_str().expect("utf-8"), "-q"]).spawn().expect("start");
        while child.try_wait().expect("wait").is_none() {
            waits.push(process(&["create", "meanwhile", "-q"]));
        }
        again.push(begun.elapsed());
    }
    let of = if edges { format!("{count} with edges") } else { count.to_string() };
    figures(&format!("bd import of {of}, a process"), imports);
    figures(&format!("bd import of {of}, newer"), again);
    figures("meanwhile, bd create, a process", waits);
    figures(&format!("bd export of {of}, a process"), exports);
    figures("bd list --limit 0 --json, a process", lists);
}

/// 30 processes that write at once; each tenth write is killed at a moment of its own, and its place taken again.
fn writers(dir: &Path, count: usize) {
    let home = support::town(dir);
    let each = count.div_ceil(30);
    let threads: Vec<_> = (0..30)
        .map(|worker| {
            let home = Place { root: home.root.clone(), cwd: home.cwd.clone() };
            std::thread::spawn(move || one_writer(&home, worker, each))
        })
        .collect();
    let (mut said, mut waits, mut busy, mut killed) = (Vec::new(), Vec::new(), 0, 0);
    for thread in threads {
        let one = thread.join().expect("a writer");
        said.extend(one.said);
        waits.extend(one.waits);
        busy += one.busy;
        killed += one.killed;
    }
    let (opening, store) = timed(|| Store::open(&home.cwd.join(".beads")).expect("open"));
    let reading = Instant::now();
    let there = store.read(|r| r.find(&Filter::default())).expect("read");
    let there: std::collections::HashSet<String> = there.into_iter().map(|b| b.id.to_string()).collect();
    let lost = said.iter().filter(|id| !there.contains(*id)).count();
    println!(
        "{} writes acknowledged, {killed} processes killed; lost {lost}, busy shown {busy}, corrupt: {:?}; opened in {:.2} ms, \
         all read in {:.0} ms",
        said.len(),
        store.check().expect("check"),
        opening.as_secs_f64() * 1000.0,
        reading.elapsed().as_secs_f64() * 1000.0
    );
    figures("bd create among 30, a process", waits);
}

#[derive(Default)]
struct Written {
    said: Vec<String>,
    waits: Vec<Duration>,
    busy: usize,
    killed: usize,
}

fn one_writer(home: &Place, worker: usize, each: usize) -> Written {
    let mut done = Written::default();
    for n in 0..each {
        let begun = Instant::now();
        let mut child = home
            .command("bd")
            .args(["create", &format!("of {worker}, number {n}"), "-q"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start");
        if n % 10 == 9 {
            // Somewhere between its start and its end, in another place each time.
            std::thread::sleep(Duration::from_micros(((worker * 977 + n * 331) % 20_000) as u64));
            let _ = child.kill();
            done.killed += 1;
        }
        let out = child.wait_with_output().expect("wait");
        let complaint = String::from_utf8_lossy(&out.stderr).to_lowercase();
        done.busy += usize::from(complaint.contains("busy") || complaint.contains("locked"));
        let id = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        if !id.is_empty() {
            done.said.push(id);
        }
        if out.status.success() {
            done.waits.push(begun.elapsed());
        }
    }
    done
}

fn ready(count: usize) {
    let later = SystemClock.now().plus_millis(1_000 * 86_400_000);
    let few = count / 1_000;
    let shape = |name: &str, make: &dyn Fn(usize, &BeadId) -> NewBead, query: ReadyQuery| {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut store = store(dir.path());
        let first = write(&mut store, |w| Ok(w.create(NewBead::titled("first"))?.id));
        let (filled, _) = timed(|| fill(&mut store, count, false, |n| make(n, &first)));
        let mut times = Vec::new();
        for _ in 0..200 {
            let query = ReadyQuery { now: Some(SystemClock.now()), limit: Some(10), ..query.clone() };
            let (took, found) = timed(|| store.read(|r| r.ready(&query)).expect("ready"));
            assert!(!found.is_empty(), "{name}");
            times.push(took);
        }
        figures(&format!("ready of {count}: {name}"), times);
        println!("   (made in {:.0} s)", filled.as_secs_f64());
    };
    let numbered = |n: usize| NewBead { priority: Some((n % 5) as u8), ..NewBead::titled(format!("bead {n}")) };
    shape("all are", &|n, _| numbered(n), ReadyQuery::default());
    shape(
        "one is",
        &|n, first| NewBead { deps: vec![NewDep::new(DepKind::BLOCKS, first.clone())], ..numbered(n) },
        ReadyQuery::default(),
    );
    shape(
        "most deferred or others'",
        &|n, _| match n % 2 {
            _ if n < few => numbered(n),
            0 => NewBead { defer_until: Some(later), ..numbered(n) },
            _ => NewBead { assignee: "other".into(), ..numbered(n) },
        },
        ReadyQuery { unassigned: true, ..ReadyQuery::default() },
    );
}

fn drain(dir: &Path, count: usize) {
    let mut store = store(dir);
    let (mut done, mut times) = (0, Vec::new());
    let step = 20_000.min(count);
    while done < count {
        let ids = fill(&mut store, step / 2, true, |n| NewBead::titled(format!("bead {done} and {n}")));
        for chunk in ids.chunks(CHUNK) {
            write(&mut store, |w| {
                chunk.iter().try_for_each(|id| w.update(id, Patch { priority: Some(1), ..Patch::default() }).map(drop))
            });
        }
        let (took, made) = timed(|| ledger::drain(&mut store, None).expect("drain"));
        times.push(took / u32::try_from(made.commits).expect("a number"));
        done += made.commits;
        if ledger::wants_repack(&dir.join(".beads")) {
            ledger::repack(&dir.join(".beads"), false).expect("repack");
        }
    }
    figures(&format!("drain, a transition, up to {count}"), times);
    let one = write(&mut store, |w| Ok(w.create(NewBead::titled("alone"))?.id));
    let mut short = vec![timed(|| ledger::drain(&mut store, None).expect("drain")).0];
    for n in 0..50 {
        write(&mut store, |w| w.update(&one, Patch { priority: Some(n % 5), ..Patch::default() }));
        short.push(timed(|| ledger::drain(&mut store, None).expect("drain")).0);
    }
    figures("drain of one transition", short);
    let (took, packed) = timed(|| ledger::repack(&dir.join(".beads"), true).expect("repack").expect("a ledger"));
    println!(
        "repack: {:.1} s; {:.0} bytes of disk a transition before, {:.0} after",
        took.as_secs_f64(),
        packed.before as f64 / done as f64,
        packed.after as f64 / done as f64
    );
}

/// Steps of which each waits for the one before, below a root.
fn tower(
    w: &mut Write<'_>,
    root: &BeadId,
    last: Option<&BeadId>,
    n: usize,
    ephemeral: bool,
) -> Result<BeadId, StoreError> {
    let deps = last.map(|last| NewDep::new(DepKind::BLOCKS, last.clone())).into_iter().collect();
    Ok(w.create(NewBead { parent: Some(root.clone()), deps, ephemeral, ..NewBead::titled(format!("move {n}")) })?.id)
}

fn build(store: &mut Store, count: usize, ephemeral: bool) -> (BeadId, Vec<BeadId>) {
    let root = write(store, |w| {
        Ok(w.create(NewBead {
            ephemeral,
            issue_type: Some(IssueType::MOLECULE),
            ..NewBead::titled("towers of Hanoi")
        })?
        .id)
    });
    let mut steps: Vec<BeadId> = Vec::with_capacity(count);
    while steps.len() < count {
        write(store, |w| {
            // Others are to write in between.
            for n in steps.len()..(steps.len() + CHUNK / 10).min(count) {
                let step = tower(w, &root, steps.last(), n, ephemeral)?;
                steps.push(step);
            }
            Ok(())
        });
    }
    (root, steps)
}

fn hanoi_processes(dir: &Path, count: usize) {
    let home = support::town(dir);
    let mut store = Store::open(&home.cwd.join(".beads")).expect("open");
    let (made, (_, steps)) = timed(|| build(&mut store, count, false));
    drop(store);
    let (all, times) =
        timed(|| steps.iter().map(|id| timed(|| home.must("bd", &["close", id.as_str()])).0).collect::<Vec<_>>());
    figures("bd close of a step, a process", times);
    println!("{count} steps made in {:.2} s and closed in {:.2} s", made.as_secs_f64(), all.as_secs_f64());
}

fn hanoi(dir: &Path, count: usize) {
    let mut store = store(dir);
    let mut other = Other::start(dir);
    let (made, (root, steps)) = timed(|| build(&mut store, count, true));
    let (closed, times) = timed(|| {
        let close = |id: &BeadId| timed(|| write(&mut store, |w| w.close(id, Close::because("moved")).map(drop))).0;
        steps.iter().map(close).collect::<Vec<_>>()
    });
    figures("close of a step, durable, in this process", times);
    let (burnt, ()) = timed(|| {
        gastown::molecule::burn_all(&mut store, &by(), std::slice::from_ref(&root), false).expect("burnt");
    });
    let others = other.stop();
    let seconds = |d: Duration| d.as_secs_f64();
    println!(
        "{count} steps: made in {:.1} s, closed in {:.1} s, burnt in {:.1} s; in all {:.1} s",
        seconds(made),
        seconds(closed),
        seconds(burnt),
        seconds(made + closed + burnt)
    );
    figures("meanwhile, a close by the other process", others);
}

/// The process that closes beads all the time; it prints how long each took, in microseconds.
struct Other {
    child: Child,
}

impl Other {
    fn start(dir: &Path) -> Self {
        let me = std::env::current_exe().expect("own program");
        let child = Command::new(me).arg("closer").arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self { child: child.expect("start") }
    }

    fn stop(&mut self) -> Vec<Duration> {
        drop(self.child.stdin.take());
        let lines = BufReader::new(self.child.stdout.take().expect("stdout")).lines();
        let times = lines.map(|line| Duration::from_micros(line.expect("line").parse().expect("number"))).collect();
        self.child.wait().expect("wait");
        times
    }
}

fn closer(dir: &Path) {
    let mut store = Store::open(&dir.join(".beads")).expect("open");
    let (stop, stopped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop.send(())
    });
    let mut times = Vec::new();
    while stopped.recv_timeout(Duration::from_millis(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        let id = write(&mut store, |w| Ok(w.create(NewBead::titled("of the other"))?.id));
        times.push(timed(|| write(&mut store, |w| w.close(&id, Close::because("done")).map(drop))).0);
    }
    for time in times {
        println!("{}", time.as_micros());
    }
}

/// The peak of resident memory in MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
