//! Names of workers: short, easy to say, the first free one of a fixed list.

use std::collections::BTreeSet;

use crate::base::WorkerName;

/// In the order in which they are given out.
const POOL: [&str; 50] = [
    "toast",
    "nux",
    "slit",
    "furiosa",
    "dag",
    "capable",
    "cheedo",
    "valkyrie",
    "rictus",
    "ace",
    "morsov",
    "keeper",
    "miss",
    "doof",
    "corpus",
    "organic",
    "prime",
    "maadi",
    "splendid",
    "angharad",
    "glory",
    "hope",
    "rover",
    "mack",
    "goose",
    "jessie",
    "sprog",
    "cundalini",
    "toecutter",
    "bubba",
    "johnny",
    "nightrider",
    "fifi",
    "roop",
    "charlie",
    "papagallo",
    "wez",
    "humungus",
    "feral",
    "gyro",
    "warrior",
    "zetta",
    "savannah",
    "auntie",
    "master",
    "blaster",
    "pigkiller",
    "ironbar",
    "scrooloose",
    "collector",
];

/// The first name that is not taken; after the list come `worker-51`, `worker-52` and so on.
pub fn first_free(taken: &BTreeSet<WorkerName>) -> WorkerName {
    let listed = POOL.iter().map(|name| (*name).to_owned());
    // One more than are taken is enough: one of them is free.
    let numbered = (POOL.len() + 1..=POOL.len() + 1 + taken.len()).map(|n| format!("worker-{n}"));
    listed
        .chain(numbered)
        .filter_map(|name| WorkerName::new(name).ok())
        .find(|name| !taken.contains(name))
        .expect("more names than are taken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_name_is_given_also_after_the_list() {
        let mut taken = BTreeSet::new();
        let mut seen = Vec::new();
        for _ in 0..53 {
            let name = first_free(&taken);
            seen.push(name.to_string());
            assert!(taken.insert(name), "names are unique");
        }
        assert_eq!(&seen[..4], ["toast", "nux", "slit", "furiosa"]);
        assert_eq!(&seen[50..], ["worker-51", "worker-52", "worker-53"]);
        taken.remove("nux");
        assert_eq!(first_free(&taken).as_str(), "nux");
    }
}
