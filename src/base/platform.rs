//! What differs between Linux and macOS: the process table, boot identity, and waiting for a process's end.
//!
//! Linux reads `/proc` and uses pidfds; macOS asks `ps` and `sysctl` and has no end-of-process descriptor
//! here, so callers fall back to short waits. The macOS half is not run by CI.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal};

/// One line of the process table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Process id.
    pub pid: u32,
    /// Parent's process id.
    pub parent: u32,
    /// Process group.
    pub group: u32,
    /// Session id: the pid of the session's leader.
    pub session: u32,
    /// Start of the process, in units that only compare within one boot.
    pub start: u64,
    /// Dead, and only waiting to be collected by its parent.
    pub zombie: bool,
}

fn pid_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

pub use imp::{boot_id, environment_has, exit_fd, lock_holder, process, processes, signal};

#[cfg(target_os = "linux")]
mod imp {
    use super::{OwnedFd, Row, Signal, pid_of};
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    use std::sync::OnceLock;

    /// Identifies this boot of the machine: pids of another boot mean nothing.
    pub fn boot_id() -> &'static str {
        static ID: OnceLock<String> = OnceLock::new();
        ID.get_or_init(|| {
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
        })
    }

    /// The process `pid`, if there is one.
    pub fn process(pid: u32) -> Option<Row> {
        parse(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Every process that can be seen.
    pub fn processes() -> Vec<Row> {
        let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
        folder.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter_map(process).collect()
    }

    // The name stands in parentheses and may itself hold parentheses and spaces: count from the last one.
    fn parse(pid: u32, line: &[u8]) -> Option<Row> {
        let end = line.iter().rposition(|b| *b == b')')?;
        let rest = std::str::from_utf8(line.get(end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let zombie = matches!(fields.next()?, "Z" | "X" | "x");
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let start = fields.nth(15)?.parse().ok()?;
        Some(Row { pid, parent, group, session, start, zombie })
    }

    /// Whether the environment that `pid` was started with holds `entry` (`NAME=value`, or its beginning with
    /// `prefix`). Unreadable environments hold nothing; `None` when there is none at all (yet).
    pub fn environment_has(pid: u32, entry: &str, prefix: bool) -> Option<bool> {
        let Ok(bytes) = std::fs::read(format!("/proc/{pid}/environ")) else { return Some(false) };
        if bytes.is_empty() {
            // The kernel's own threads never have one; they have no executable either.
            return std::fs::read_link(format!("/proc/{pid}/exe")).is_err().then_some(false);
        }
        let entry = entry.as_bytes();
        Some(bytes.split(|b| *b == 0).any(|e| if prefix { e.starts_with(entry) } else { e == entry }))
    }

    /// A descriptor that becomes readable when `pid` ends; `None` when it has ended or cannot be watched.
    pub fn exit_fd(pid: u32) -> Option<OwnedFd> {
        pidfd_open(pid_of(pid)?, PidfdFlags::empty()).ok()
    }

    /// The process that holds a lock on `file`.
    pub fn lock_holder(file: &std::fs::File) -> Option<u32> {
        use std::os::unix::fs::MetadataExt;
        let of = file.metadata().ok().map(|meta| (meta.dev(), meta.ino()))?;
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let holds = |line: &str| -> Option<u32> {
            let mut words = line.split_ascii_whitespace().skip(1);
            // An arrow stands before those who wait.
            words.next().filter(|kind| *kind == "FLOCK")?;
            let (pid, place) = (words.nth(2)?.parse().ok()?, words.next()?);
            (place.rsplit(':').next()?.parse::<u64>().ok()? == of.1).then_some(pid)
        };
        // Of the device, the list may have another number than the file: the process says whether it has the file open.
        let has_it = |pid: &u32| {
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            open.filter_map(|entry| std::fs::metadata(entry.path()).ok()).any(|meta| (meta.dev(), meta.ino()) == of)
        };
        locks.lines().filter_map(holds).find(has_it)
    }

    /// Sends `signal` to the process `pid` that started at `start`, and to no later owner of the number.
    pub fn signal(pid: u32, start: u64, signal: Signal) -> bool {
        let Some(fd) = exit_fd(pid) else { return false };
        // The descriptor pins the process: once the start matches, nobody else can be hit.
        process(pid).is_some_and(|row| row.start == start) && pidfd_send_signal(&fd, signal).is_ok()
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn a_name_with_parentheses_and_spaces_is_read() {
            let stat = b"7 (a) b (c) S 1 7 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 1";
            let row = super::parse(7, stat).expect("parsed");
            assert_eq!((row.parent, row.group, row.session, row.start, row.zombie), (1, 7, 6, 4242, false));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{OwnedFd, Row, Signal, pid_of};
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::process::Command;
    use std::sync::OnceLock;

    /// Identifies this boot of the machine: pids of another boot mean nothing.
    pub fn boot_id() -> &'static str {
        static ID: OnceLock<String> = OnceLock::new();
        ID.get_or_init(|| output("/usr/sbin/sysctl", &["-n", "kern.boottime"]).trim().to_owned())
    }

    fn output(program: &str, args: &[&str]) -> String {
        let done = Command::new(program).args(args).env_clear().env("LC_ALL", "C").output();
        done.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
    }

    const COLUMNS: &str = "pid=,ppid=,pgid=,sess=,stat=,lstart=";

    /// The process `pid`, if there is one.
    pub fn process(pid: u32) -> Option<Row> {
        output("/bin/ps", &["-o", COLUMNS, "-p", &pid.to_string()]).lines().find_map(parse)
    }

    /// Every process that can be seen.
    pub fn processes() -> Vec<Row> {
        output("/bin/ps", &["-A", "-o", COLUMNS]).lines().filter_map(parse).collect()
    }

    fn parse(line: &str) -> Option<Row> {
        let mut fields = line.split_ascii_whitespace();
        let pid = fields.next()?.parse().ok()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next().and_then(|s| s.parse().ok()).unwrap_or(0);
        let zombie = fields.next()?.starts_with('Z');
        let mut hash = DefaultHasher::new();
        fields.collect::<Vec<_>>().hash(&mut hash);
        Some(Row { pid, parent, group, session, start: hash.finish(), zombie })
    }

    /// Whether the environment of `pid` holds `entry`.
    pub fn environment_has(pid: u32, entry: &str, prefix: bool) -> Option<bool> {
        let line = output("/bin/ps", &["-E", "-ww", "-o", "command=", "-p", &pid.to_string()]);
        Some(line.split_ascii_whitespace().any(|e| if prefix { e.starts_with(entry) } else { e == entry }))
    }

    /// No descriptor tells of a process's end here: callers wait in short steps.
    pub fn exit_fd(_: u32) -> Option<OwnedFd> {
        None
    }

    /// The process that holds a lock on `file`; never known here.
    pub fn lock_holder(_file: &std::fs::File) -> Option<u32> {
        None
    }

    /// Sends `signal` to the process `pid` that started at `start`.
    pub fn signal(pid: u32, start: u64, signal: Signal) -> bool {
        process(pid).is_some_and(|row| row.start == start)
            && pid_of(pid).is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
    }
}
