//! What only reads starts no process and no thread, and talks to no network.

use super::TestTown;
use crate::support::has;

#[test]
fn what_only_reads_starts_no_process_and_opens_no_network() {
    if !has("strace") {
        return;
    }
    let town = TestTown::new();
    let bead = town.bead("x");
    town.sling(&bead);
    let reads: [&[&str]; 11] = [
        &["status"],
        &["hook"],
        &["prime"],
        &["agents"],
        &["convoy", "list"],
        &["convoy", "status"],
        &["queue"],
        &["review"],
        &["why", &bead],
        &["why", "toast"],
        &["rig", "list"],
    ];
    for args in reads {
        town.sandbox.only_reads("gt", &town.root, args);
    }
    for args in [["prime"], ["hook"]] {
        town.sandbox.only_reads("gt", &town.worktree("toast"), &args);
    }
    let reads: [&[&str]; 8] = [
        &["show", &bead],
        &["list"],
        &["ready"],
        &["blocked"],
        &["search", "x"],
        &["count"],
        &["stats"],
        &["history", &bead],
    ];
    for args in reads {
        town.sandbox.only_reads("bd", &town.root, args);
    }
}
