# `just --list` shows these. `just ci` is what CI runs.

# everything CI checks
ci:
    bash .ci/run

# format Rust and Lua
fmt:
    cargo fmt
    stylua lua examples

# the demo with kills, 20 times on each session host
soak n="20":
    bash scripts/soak {{n}}

# break one promise of the product at a time; the demo's test must notice each
mutants:
    bash scripts/mutants

# whole-process figures beside `git --version`
bench:
    cargo bench --bench processes
    cargo bench --bench beads
    cargo bench --bench molecules
    cargo bench --bench town

# licences, advisories, duplicate crates
deny:
    cargo deny check

# what takes long: random cases that no run looked at before, SECONDS of each fuzz target (needs `cargo install cargo-fuzz`), the large figures
deep seconds="300":
    PROPTEST_RNG_SEED=$(date +%s) PROPTEST_CASES=300 cargo test --release --lib three_clones
    PROPTEST_RNG_SEED=$(date +%s) PROPTEST_CASES=2000 cargo test --release --lib -- counters_agree the_merge_is merged_is_reached
    PROPTEST_RNG_SEED=$(date +%s) PROPTEST_CASES=50000 cargo test --release --test it formula::bad_input::no_
    for target in issues merge ids formulas; do RUSTC_BOOTSTRAP=1 cargo fuzz run --release --debug-assertions --sanitizer none $target -- -max_total_time={{seconds}} || exit 1; done
    cargo bench --bench beads -- ready drain hanoi10 hanoi20
    cargo bench --bench molecules -- hanoi10 hanoi15 hanoi20
