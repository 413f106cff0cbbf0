//! What every session host promises, checked on each.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use gastown::base::process::ProcId;
use gastown::session::{Delivery, SessionError, Signs};
use rustix::process::Signal;

use super::ground::Ground;
use crate::support::{PATIENCE, eventually};

/// Processes with their command lines.
fn told(ids: &[ProcId]) -> String {
    let line = |id: &ProcId| {
        let text = std::fs::read_to_string(format!("/proc/{}/cmdline", id.pid)).unwrap_or_default();
        format!("{} {}\n", id.pid, text.replace('\0', " "))
    };
    ids.iter().map(line).collect()
}

macro_rules! on_each_host {
    ($($(#[$doc:meta])* fn $name:ident($ground:ident) $body:block)*) => {
        mod on_tmux {
            $(#[test] fn $name() { if let Some(ground) = super::Ground::tmux() { super::$name(&ground) } })*
        }
        mod on_headless {
            $(#[test] fn $name() { super::$name(&super::Ground::headless()) })*
        }
        $($(#[$doc])* fn $name($ground: &Ground) $body)*
    };
}

on_each_host! {
    fn a_session_runs_shows_and_ends_with_its_code(ground) {
        let proc = ground.start("a", "echo hello; read line; echo \"got $line\"; exit 7");
        ground.see("a", "hello");
        let probe = ground.host.probe("a").expect("probe");
        assert!(probe.alive && !probe.attached && probe.exit.is_none());
        assert_eq!(probe.pid, Some(proc.clone()));
        assert!(probe.changed.is_some());
        assert_eq!(ground.host.send("a", "some words", &Signs::default()).expect("sent"), Delivery::Typed);
        assert_eq!(ground.end("a"), 7);
        assert!(!proc.alive());
        // The last picture stays until the session is stopped. The end may be known before the last words are shown.
        ground.see("a", "got some words");
        let screen = ground.host.screen("a", 50).expect("screen");
        assert!(screen.contains("hello") && screen.contains("got some words"), "{screen}");
        assert_eq!(ground.host.screen("a", 1).expect("screen"), "got some words");
        ground.host.stop("a", Duration::ZERO).expect("stopped");
        assert_eq!(ground.host.probe("a").expect("probe"), gastown::session::Probe::default());
        assert_eq!(ground.host.screen("a", 50).expect("screen"), "");
    }

    fn starting_twice_gives_the_session_that_runs(ground) {
        let proc = ground.start("a", "exec sleep 1000");
        let again = ground.host.start(&ground.sh("a", "exit 1")).expect("starts");
        assert!(again.already);
        assert_eq!(again.proc, proc);
        assert_eq!(ground.host.list().expect("list").len(), 1);
    }

    fn ten_starts_at_once_make_one_session(ground) {
        let started: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..10)
                .map(|_| scope.spawn(|| ground.host.start(&ground.sh("a", "exec sleep 1000")).expect("starts")))
                .collect();
            threads.into_iter().map(|t| t.join().expect("joined")).collect()
        });
        assert_eq!(started.iter().filter(|s| !s.already).count(), 1);
        assert!(started.iter().all(|s| s.proc == started[0].proc));
    }

    fn an_ended_session_starts_anew(ground) {
        let first = ground.start("a", "exit 3");
        assert_eq!(ground.end("a"), 3);
        let second = ground.start("a", "echo again; exec sleep 1000");
        assert_ne!(first, second);
        assert!(ground.see("a", "again").starts_with("again"));
        assert!(ground.host.probe("a").expect("probe").exit.is_none());
    }

    fn names_are_exact(ground) {
        ground.start("worker", "exec sleep 1000");
        assert!(ground.alive("worker"));
        assert!(!ground.alive("work"));
        ground.host.stop("work", Duration::ZERO).expect("nothing to stop");
        assert!(ground.alive("worker"));
        for odd in ["", "a.b", "a:1", "=worker", "../x", "-t", "a b", "$0", "a\nb"] {
            assert!(matches!(ground.host.start(&ground.sh(odd, "true")), Err(SessionError::BadName(_))), "{odd:?}");
            assert!(matches!(ground.host.probe(odd), Err(SessionError::BadName(_))), "{odd:?}");
            assert!(matches!(ground.host.stop(odd, Duration::ZERO), Err(SessionError::BadName(_))), "{odd:?}");
        }
    }

    fn what_cannot_start_says_why_and_leaves_nothing(ground) {
        let missing = ground.host.start(&ground.argv("a", &["no-such-agent"])).expect_err("missing");
        assert!(missing.to_string().contains("`no-such-agent` was not found"), "{missing}");
        let mut spec = ground.sh("a", "true");
        spec.cwd = "/no/such/folder".into();
        assert!(matches!(ground.host.start(&spec), Err(SessionError::NoFolder(_))));
        assert!(ground.host.list().expect("list").is_empty());
        assert!(ground.living().is_empty());
    }

    /// Arguments and variables arrive as they are, whatever a shell would make of them; nothing else arrives.
    fn the_environment_is_what_was_given(ground) {
        let odd = "a b'c\"$HOME`id`;|\\ é";
        let mut spec = ground.argv("a", &["sh", "-c", "printf '<%s>\\n' \"$1\" \"$ODD\" > got; env -0 >> got; echo done; read x", "sh", odd]);
        spec.env.push(("ODD".to_owned(), odd.to_owned()));
        ground.host.start(&spec).expect("starts");
        ground.see("a", "done");
        let got = std::fs::read_to_string(ground.sandbox.path().join("work/got")).expect("written");
        let rest = got.strip_prefix(&format!("<{odd}>\n<{odd}>\n")).unwrap_or_else(|| panic!("{got}"));
        for line in rest.split_terminator('\0') {
            let name = line.split('=').next().unwrap_or_default();
            let known = ["ODD", "PATH", "PWD", "OLDPWD", "SHLVL", "_", "TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION",
                "TMUX", "TMUX_PANE", "COLORTERM", "GT_SESSION_MARK"];
            assert!(known.contains(&name), "{line}");
        }
    }

    fn a_terminal_is_a_terminal(ground) {
        ground.start("a", "[ -t 0 ] && [ -t 1 ] && stty size && ps -o tty= -p $$ && (: < /dev/tty) && echo fine; read x");
        let screen = ground.see("a", "fine");
        assert!(screen.contains("50 200"), "{screen}");
    }

    /// Processes that ignore every polite signal, one in the background, one in a terminal session of its own.
    fn stopping_ends_stubborn_grandchildren(ground) {
        let stubborn = "trap '' TERM HUP INT; (trap '' TERM HUP; echo one; while :; do sleep 1000; done) & \
            setsid sh -c 'trap \"\" TERM HUP; echo two; while :; do sleep 1000; done' & \
            (nohup setsid sh -c 'echo three > three; exec sleep 1000' > /dev/null 2>&1 &) ; while :; do sleep 1000; done";
        let proc = ground.start("a", stubborn);
        ground.see("a", "one");
        ground.see("a", "two");
        eventually("the third", || ground.sandbox.path().join("work/three").exists().then_some(()));
        assert!(ground.host.probe("a").expect("probed").alive);
        // At least three shells and their sleeps; and the host's own process.
        let before = ground.living();
        assert!(before.len() >= 6, "{before:?}");
        ground.host.stop("a", Duration::from_millis(50)).expect("stopped");
        assert!(!proc.alive());
        assert!(ground.host.list().expect("list").is_empty());
        // A tmux server ends by itself after its last session, a moment later.
        eventually("the end of all", || before.iter().all(|p| !p.alive()).then_some(()));
        assert!(ground.living().is_empty(), "{}", told(&ground.living()));
    }

    fn a_polite_program_may_tidy_up(ground) {
        ground.start("a", "trap 'echo bye > bye; exit 0' TERM; echo up; while :; do sleep 0.01; done");
        ground.see("a", "up");
        ground.host.stop("a", Duration::from_secs(20)).expect("stopped");
        assert!(ground.sandbox.path().join("work/bye").exists());
    }

    fn a_killed_agent_is_seen_as_killed(ground) {
        let proc = ground.start("a", "echo up; exec sleep 1000");
        ground.see("a", "up");
        assert!(proc.signal(Signal::KILL));
        // The kernel knows of the end a moment before the host does.
        assert_eq!(eventually("its exit code", || ground.host.probe("a").expect("probe").exit), 137);
    }

    fn the_town_is_told_of_an_agents_end(ground) {
        let wake = ground.runtime.join("wake");
        let socket = UnixDatagram::bind(&wake).expect("socket");
        socket.set_read_timeout(Some(PATIENCE / 30)).expect("timeout");
        let mut spec = ground.sh("a", "exit 5");
        spec.wake = Some(wake);
        ground.host.start(&spec).expect("starts");
        let mut buffer = [0; 8];
        // tmux 3.3a loses the word of an end now and then; whoever looks at the session, as a daemon does, tells it again.
        let length = eventually("the town to be told", || {
            let told = socket.recv(&mut buffer);
            let looked = ground.host.probe("a").expect("probe");
            assert_eq!(looked.exit.unwrap_or(5), 5);
            told.ok()
        });
        assert_eq!(length, 1);
        assert_eq!(&buffer[..1], b"1");
        assert_eq!(ground.host.probe("a").expect("probe").exit, Some(5));
    }

    fn shutdown_leaves_nothing(ground) {
        let procs: Vec<ProcId> = (0..4)
            .map(|n| ground.start(&format!("a{n}"), "trap '' TERM HUP; echo up; while :; do sleep 1000; done"))
            .collect();
        ground.see("a3", "up");
        ground.host.shutdown_all(Duration::from_millis(50)).expect("stopped");
        assert!(procs.iter().all(|p| !p.alive()));
        assert!(ground.living().is_empty(), "{}", told(&ground.living()));
        assert!(ground.host.list().expect("list").is_empty());
        // And once more, on nothing.
        ground.host.shutdown_all(Duration::ZERO).expect("stopped");
    }

    fn long_text_arrives_whole(ground) {
        ground.start("a", "echo up; cat > got");
        ground.see("a", "up");
        let text: String = (0..400).map(|n| format!("line {n} 'quoted' `tick` é ✓\n")).collect();
        assert_eq!(ground.host.send("a", &text, &Signs::default()).expect("sent"), Delivery::Typed);
        let path = ground.sandbox.path().join("work/got");
        let got = eventually("the last line", || {
            std::fs::read_to_string(&path).ok().filter(|t| t.contains("line 399") && t.ends_with('\n'))
        });
        assert_eq!(got.trim_end(), text.trim_end());
    }

    fn sending_to_nobody_is_an_error(ground) {
        assert!(matches!(ground.host.send("a", "x", &Signs::default()), Err(SessionError::NotRunning(_))));
        assert!(matches!(ground.host.attach_argv("a"), Err(SessionError::NotRunning(_))));
        ground.start("a", "exit 0");
        ground.end("a");
        assert!(matches!(ground.host.send("a", "x", &Signs::default()), Err(SessionError::NotRunning(_))));
    }

    fn a_title_is_known(ground) {
        ground.start("a", "printf '\\033]2;busy with it\\007'; echo up; exec sleep 1000");
        ground.see("a", "up");
        eventually("the title", || ground.host.probe("a").expect("probe").title.filter(|t| t == "busy with it"));
    }
}
