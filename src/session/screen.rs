//! Lines of a screen.

/// The last `lines` lines of `text`, without blanks at the ends of lines and empty lines at the end. All of them
/// when `lines` is 0.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let text = text.trim_end();
    let all: Vec<&str> = text.lines().map(str::trim_end).collect();
    let from = if lines == 0 { 0 } else { all.len().saturating_sub(lines) };
    all[from..].join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_lines_are_what_is_written_not_what_is_empty() {
        assert_eq!(super::tail("a  \nb\nc\n\n  \n", 2), "b\nc");
        assert_eq!(super::tail("a\n\nb\n", 0), "a\n\nb");
        assert_eq!(super::tail("", 5), "");
    }
}
