//! Who is silent: a worker that writes to its terminal is heard, whichever host it runs on.

use std::time::Duration;

use gastown::base::{FixedClock, Time};
use gastown::daemon::client;
use gastown::session::{HeadlessHost, Host, TmuxHost};
use gastown::town::roles::evidence::{Looker, QUIET_MS};
use gastown::town::{Acting, AgentState, Surroundings, Town, agent};

use super::{TestTown, write};
use crate::support::{Sandbox, eventually, has};

fn a_worker_that_writes_is_heard_on(kind: &str) {
    let town = TestTown::new();
    let config = town.root.join("town.toml");
    let text = std::fs::read_to_string(&config).expect("town.toml");
    let says = "[runtimes.slow]\nprogram = \"/bin/sh\"\nprompt = \"none\"\n\
                args = [\"-c\", \"echo first; until [ -e go ]; do sleep 0.1; done; echo second; exec sleep 100000\"]\n";
    write(&config, &format!("{text}\n{says}"));
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--no-start", "--runtime", "slow", "--host", kind]).ok();
    let address = "app/polecats/toast".parse().expect("an address");
    let mut row = town.store().read(|r| agent::get(r, &address)).expect("read").expect("a row");
    // Long ago, as far as the store knows.
    (row.started_at, row.last_progress_at) = (Some(Time::from_millis(1)), None);

    let gt = Sandbox::bin().join("gt");
    let dir = town.root.join(".runtime");
    let host: Box<dyn Host> = match kind {
        "tmux" => Box::new(TmuxHost::new(&dir, &gt, &Sandbox::search_path()).expect("host")),
        _ => Box::new(HeadlessHost::new(&dir, &gt).expect("host")),
    };
    let shows = |word: &str| {
        let screen = || host.screen(&row.session, 50).ok().filter(|text| text.contains(word));
        eventually(&format!("`{word}` on its screen"), screen);
    };
    shows("first");
    let began = host.probe(&row.session).expect("probe").changed.expect("written to").millis();
    let place = Town::at(&town.root).expect("a town");
    let around = Surroundings { gt, path: Sandbox::search_path(), ..Surroundings::default() };
    let mut looker = Looker::new(Time::from_millis(began));
    let mut heard = |at: i64| {
        let clock = FixedClock(Time::from_millis(at));
        let cx = Acting { town: &place, by: "deacon", clock: &clock, around: &around };
        let seen = looker.look(&cx, None, std::slice::from_ref(&row)).remove(&row.address).expect("seen");
        seen.heard.expect("heard").millis()
    };
    let quiet = began + QUIET_MS + 1_000;
    assert!(heard(quiet) < quiet - QUIET_MS, "nothing was written for so long");
    // The hosts tell the time to the second.
    eventually("another second", || {
        let now = gastown::base::Clock::now(&gastown::base::SystemClock).millis();
        (now / 1000 > began / 1000 + 1).then_some(())
    });
    write(&town.worktree("toast").join("go"), "");
    shows("second");
    assert!(heard(quiet + 5_000) > began, "{kind}: what it wrote after the first look was not heard");
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_worker_at_a_dialog_waits_on_while_it_writes_and_until_its_screen_shows_none() {
    let town = TestTown::new();
    let config = town.root.join("town.toml");
    let before = std::fs::read_to_string(&config).expect("town.toml");
    let asks = "[runtimes.asks]\nprogram = \"/bin/sh\"\nprompt = \"none\"\n\
                args = [\"-c\", \"echo Do you trust this; until [ -e go ]; do sleep 0.1; done; echo written below; exec sleep 100000\"]\n\
                [[runtimes.asks.signs.dialog]]\nname = \"trust\"\npattern = \"Do you trust\"\n";
    write(&config, &format!("{before}\n{asks}"));
    town.gt(&["start"]).ok();
    let bead = town.bead("x");
    town.gt(&["sling", &bead, "app", "--runtime", "asks", "--host", "headless"]).ok();
    let address = "app/polecats/toast".parse().expect("an address");
    let row = || town.store().read(|r| agent::get(r, &address)).expect("read").expect("a row");
    let looked = || match client::ask(&town.root, &client::Request::Status, Duration::from_secs(10)) {
        Ok(client::Reply::Status(status)) => Some(status.passes),
        _ => None,
    };
    let look = || {
        let before = eventually("a daemon", looked);
        eventually("another look", || {
            let _ = client::ask(&town.root, &client::Request::Wake, Duration::from_secs(10));
            looked().filter(|passes| *passes > before + 1)
        })
    };
    let waits = |at: &str| {
        eventually(&format!("it to wait at {at}"), || {
            look();
            let row = row();
            (row.state == AgentState::Waiting && row.dialog.as_deref() == Some(at)).then_some(())
        });
    };
    waits("trust");
    // What it writes is heard, and the dialog stands as before.
    let host = HeadlessHost::new(&town.root.join(".runtime"), &Sandbox::bin().join("gt")).expect("host");
    write(&town.worktree("toast").join("go"), "");
    eventually("its word", || host.screen(&row().session, 50).ok().filter(|text| text.contains("written below")));
    look();
    assert_eq!((row().state, row().dialog.as_deref()), (AgentState::Waiting, Some("trust")));
    // Another name of the sign, and a screen that stands still is read again.
    write(&config, &format!("{before}\n{}", asks.replace("\"trust\"", "\"faith\"")));
    waits("faith");
    // None of its signs is on the screen any more.
    write(&config, &format!("{before}\n{}", asks.replace("pattern = \"Do", "pattern = \"Who")));
    eventually("it to go on", || {
        look();
        (row().state == AgentState::Working).then_some(())
    });
    town.gt(&["shutdown"]).ok();
}

#[test]
fn a_worker_that_writes_after_a_close_look_is_heard_headless() {
    a_worker_that_writes_is_heard_on("headless");
}

#[test]
fn a_worker_that_writes_after_a_close_look_is_heard_on_tmux() {
    if has("tmux") {
        a_worker_that_writes_is_heard_on("tmux");
    }
}
