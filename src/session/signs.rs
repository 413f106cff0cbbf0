//! What a screen means, by patterns that are data.

use regex::Regex;

/// What the screen of an agent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    /// It waits for input.
    Ready,
    /// It works.
    Busy,
    /// It asks a question that a message must not answer; the name of the dialog.
    Dialog(String),
    /// The provider refuses more work; the matched text, which may hold the time of release.
    Limit(String),
    /// None of the known signs.
    Unknown,
}

/// A question that a program may put on the screen.
#[derive(Debug, Clone)]
pub struct DialogSign {
    /// What it is called in messages.
    pub name: String,
    /// How it is recognised.
    pub pattern: Regex,
}

/// The signs of one runtime. Empty signs know nothing and say so.
#[derive(Debug, Clone, Default)]
pub struct Signs {
    /// One of these: it waits for input.
    pub ready: Vec<Regex>,
    /// One of these: it works.
    pub busy: Vec<Regex>,
    /// Open questions.
    pub dialog: Vec<DialogSign>,
    /// Refusals of the provider.
    pub limit: Vec<Regex>,
    /// Where the input line begins; what follows on that line and below is its text.
    pub input: Option<Regex>,
    /// Where the input ends again, searched from the line after its beginning.
    pub input_end: Option<Regex>,
    /// Stands for a text that the program shows folded, as `[Pasted text #1 +39 lines]`.
    pub folded: Option<Regex>,
    /// The text of an input line that is in truth empty.
    pub placeholder: Option<Regex>,
    /// Shown in place of an empty input line when messages wait.
    pub queued: Option<Regex>,
}

impl Signs {
    /// What `screen` means. A dialog goes before a limit, a limit before busy, busy before ready.
    pub fn read(&self, screen: &str) -> Screen {
        if let Some(dialog) = self.dialog.iter().find(|d| d.pattern.is_match(screen)) {
            return Screen::Dialog(dialog.name.clone());
        }
        if let Some(hit) = self.limit.iter().find_map(|p| p.find(screen)) {
            return Screen::Limit(crate::base::text::headline(hit.as_str().trim(), 200));
        }
        if self.busy.iter().any(|p| p.is_match(screen)) {
            return Screen::Busy;
        }
        if self.ready.iter().any(|p| p.is_match(screen)) {
            return Screen::Ready;
        }
        Screen::Unknown
    }

    /// What `screen` and the terminal's `title` mean; the title is the quicker witness.
    pub fn read_with_title(&self, screen: &str, title: Option<&str>) -> Screen {
        match (self.read(screen), title) {
            (seen @ (Screen::Dialog(_) | Screen::Limit(_)), _) | (seen, None) => seen,
            (seen, Some(title)) => {
                let title = format!("title: {title}");
                match self.read(&title) {
                    Screen::Unknown => seen,
                    told => told,
                }
            }
        }
    }

    pub(super) fn has_input(&self) -> bool {
        self.input.is_some()
    }

    /// The text in the input line; `None` when no input line is seen.
    pub(super) fn input(&self, screen: &str) -> Option<String> {
        let start = self.input.as_ref()?.find_iter(screen).last()?;
        let rest = &screen[start.end()..];
        let first_end = rest.find('\n').unwrap_or(rest.len());
        let end = self.input_end.as_ref().and_then(|p| p.find_at(rest, first_end)).map_or(rest.len(), |m| m.start());
        let text = rest[..end].trim_matches(|c: char| c.is_whitespace() || c == '\u{a0}');
        let empty = [&self.placeholder, &self.queued].into_iter().flatten().any(|p| p.is_match(text));
        Some(if empty { String::new() } else { text.to_owned() })
    }

    /// Whether `message` stands in the input line, folded or as its last words.
    pub(super) fn landed(&self, screen: &str, message: &str) -> bool {
        let Some(input) = self.input(screen) else { return false };
        let squeeze = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let tail: Vec<char> = squeeze(message).chars().collect();
        let tail: String = tail[tail.len().saturating_sub(24)..].iter().collect();
        self.folded.as_ref().is_some_and(|p| p.is_match(&input)) || squeeze(&input).ends_with(&tail)
    }

    /// After Enter: `Some(true)` when the message waits in a queue, `Some(false)` when the input line is empty,
    /// `None` while it is neither.
    pub(super) fn taken(&self, screen: &str) -> Option<bool> {
        if let Some(start) = self.input.as_ref()?.find_iter(screen).last()
            && self.queued.as_ref().is_some_and(|p| p.is_match(&screen[start.start()..]))
        {
            return Some(true);
        }
        self.input(screen).filter(String::is_empty).map(|_| false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Runtimes;

    fn read(runtime: &str, screen: &str, title: Option<&str>) -> Screen {
        Runtimes::built_in().get(runtime).expect("built in").signs.read_with_title(screen, title)
    }

    const IDLE: &str = "✻ Baked for 0s\n────────────────────\n❯\u{a0}\n────────────────────\n  ? for shortcuts\n";

    #[test]
    fn claude_is_read_as_measured() {
        assert_eq!(read("claude", IDLE, None), Screen::Ready);
        assert_eq!(read("claude", IDLE, Some("✳ title")), Screen::Ready);
        // The footer shows a hint in place of "esc to interrupt": the title knows better.
        assert_eq!(read("claude", IDLE, Some("⠂ title")), Screen::Busy);
        let busy = IDLE.replace("✻ Baked for 0s", "✻ Crunching… (3s · ↓ 18 tokens)");
        assert_eq!(read("claude", &busy, None), Screen::Busy);
        let asks = "● Bash(rm x)\n Do you want to proceed?\n ❯ 1. Yes\n   2. Yes, and always allow\n   3. No\n";
        assert_eq!(read("claude", asks, Some("⠂ title")), Screen::Dialog("permission".into()));
        let unknown = " Some new question\n ❯ 1. First\n   2. Second\n";
        assert_eq!(read("claude", unknown, None), Screen::Dialog("choice".into()));
        assert_eq!(
            read("claude", "  5-hour session limit reached ∙ resets 3pm\n❯\u{a0}\n", None),
            Screen::Limit("session limit reached ∙ resets 3pm".into())
        );
        assert_eq!(read("claude", "", None), Screen::Unknown);
    }

    #[test]
    fn the_others_tell_by_their_titles() {
        assert_eq!(read("gemini", "", Some("✦  Working… (dir)")), Screen::Busy);
        assert_eq!(read("gemini", " *   Type your message", Some("◇  Ready (dir)")), Screen::Ready);
        assert_eq!(read("codex", "› \n", Some("⠋ dir")), Screen::Busy);
        assert_eq!(read("codex", "◦ Working (3s • esc to interrupt)\n› \n", None), Screen::Busy);
        assert_eq!(read("codex", "› \n", Some("dir")), Screen::Ready);
        assert_eq!(read("script", "anything", Some("⠋")), Screen::Unknown);
    }

    #[test]
    fn the_input_line_is_the_last_one() {
        let runtimes = Runtimes::built_in();
        let signs = &runtimes.get("claude").expect("built in").signs;
        let screen = "❯\u{a0}old prompt\n● answer\n──────────────\n❯\u{a0}new\n  text\n──────────────\n  hints\n";
        assert_eq!(signs.input(screen).as_deref(), Some("new\n  text"));
        assert!(signs.landed(screen, "new text") && !signs.landed(screen, "old prompt"));
        assert_eq!(signs.input(IDLE).as_deref(), Some(""));
        assert_eq!(signs.input("nothing"), None);
    }
}
