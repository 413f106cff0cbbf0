//! Finding and ending every process that belongs to a folder.

use std::path::Path;
use std::time::{Duration, Instant};

/// Kills every process of `folder` and waits until none is left; gives those that stayed.
pub(super) fn end_all_in(folder: &Path, patience: Duration) -> Vec<String> {
    let start = Instant::now();
    loop {
        let found = all_in(folder);
        if found.is_empty() || start.elapsed() > patience {
            return found.into_iter().map(|(_, what)| what).collect();
        }
        for (pid, _) in &found {
            let _ = rustix::process::kill_process(*pid, rustix::process::Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes whose working directory, command line or environment names `folder`; zombies do not count.
pub(super) fn all_in(folder: &Path) -> Vec<(rustix::process::Pid, String)> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        if u32::try_from(pid) == Ok(std::process::id()) {
            continue;
        }
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let command = read("cmdline");
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if command.is_empty() || !(cwd.starts_with(folder) || holds(&command) || holds(&read("environ"))) {
            continue;
        }
        let Some(pid) = rustix::process::Pid::from_raw(pid) else { continue };
        found.push((pid, format!("{} {}", pid, String::from_utf8_lossy(&command).replace('\0', " "))));
    }
    found
}
