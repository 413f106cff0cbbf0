//! Any bytes as a file of issues: read or told of, and what was read is read again from what is written.
#![no_main]

use gastown::store::interchange::{format_line, parse_line, read_file};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let (beads, _) = read_file(file, "gt");
    for bead in beads {
        let line = format_line(&bead);
        let again = parse_line(&line, "gt").expect("what we write we read");
        assert_eq!(format_line(&again.bead), line);
    }
});
