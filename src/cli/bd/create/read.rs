//! Several beads out of one text: Markdown with a heading for each, or a line for each.

use serde_json::Value;

use super::draft::{Draft, Problem, field};
use crate::base::Time;

/// The beads of a Markdown text. `## Title` begins one; what follows is its description, up to `### Field` sections
/// that set the other fields. Headings in fenced code are text. What stands before the first `##` is left out.
pub(super) fn markdown(text: &str, now: Time) -> Result<Vec<Draft>, Vec<Problem>> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut problems = Vec::new();
    // The section that is open: its field, the line it begins on, its text.
    let mut section: Option<(&'static str, usize, String)> = None;
    let mut fence: Option<&str> = None;
    let mut close = |drafts: &mut Vec<Draft>, section: Option<(&'static str, usize, String)>| {
        if let (Some(draft), Some((field, line, body))) = (drafts.last_mut(), section) {
            // Where the text begins, for the lines of a list.
            let skipped = body.len() - body.trim_start_matches('\n').len();
            let body = body.trim_matches('\n').trim_end();
            if body.trim().is_empty() {
                return;
            }
            if let Err(reason) = draft.set(field, line + 1 + skipped, body, now) {
                problems.push(Problem::new(line, format!("{field}: {reason}")));
            }
        }
    };
    let mut unknown = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let number = n + 1;
        let open = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        match (fence, open) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(mark), Some(other)) if mark == other => fence = None,
            _ => {}
        }
        let heading = |marks: &str| line.strip_prefix(marks).filter(|_| fence.is_none() && open.is_none());
        if let Some(title) = heading("## ") {
            close(&mut drafts, section.take());
            let mut draft = Draft { line: number, ..Draft::default() };
            title.trim().trim_end_matches('#').trim_end().clone_into(&mut draft.new.title);
            drafts.push(draft);
            section = Some(("description", number, String::new()));
        } else if let Some(name) = heading("### ").filter(|_| !drafts.is_empty()) {
            close(&mut drafts, section.take());
            match field(name) {
                Ok("title") => unknown.push(Problem::new(number, "the title is the heading of the bead")),
                Ok(field) => section = Some((field, number, String::new())),
                Err(reason) => {
                    unknown.push(Problem::new(number, format!("{reason} (headings inside a text begin with ####)")));
                }
            }
        } else if let Some((_, _, body)) = &mut section {
            body.push_str(line);
            body.push('\n');
        }
    }
    close(&mut drafts, section);
    problems.extend(unknown);
    if fence.is_some() {
        problems.push(Problem::new(text.lines().count(), "fenced code is not closed"));
    }
    if drafts.is_empty() && problems.is_empty() {
        problems.push(Problem::new(1, "there is no bead in it; `## Title` begins one"));
    }
    problems.sort_by_key(|problem| problem.line);
    if problems.is_empty() { Ok(drafts) } else { Err(problems) }
}

/// The beads of a text with one a line: a title, or a JSON object. Empty lines and lines that begin with `#` are left out.
pub(super) fn lines(text: &str, now: Time) -> Result<Vec<Draft>, Vec<Problem>> {
    let mut drafts = Vec::new();
    let mut problems = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let (number, line) = (n + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with('{') {
            let mut draft = Draft { line: number, ..Draft::default() };
            line.clone_into(&mut draft.new.title);
            drafts.push(draft);
            continue;
        }
        let draft = match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(object)) => Draft::from_json(number, object, now),
            Ok(_) => Err("this is no JSON object".to_owned()),
            Err(error) => Err(format!("this is no JSON: {error}")),
        };
        match draft {
            Ok(draft) => drafts.push(draft),
            Err(reason) => problems.push(Problem::new(number, reason)),
        }
    }
    if drafts.is_empty() && problems.is_empty() {
        problems.push(Problem::new(1, "there is no bead in it; write one title a line, or one JSON object"));
    }
    if problems.is_empty() { Ok(drafts) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Time {
        Time::from_millis(0)
    }

    #[test]
    fn a_heading_begins_a_bead_and_sections_set_its_fields() {
        let text = "# Plan\nprose\n\n## Parser\nreads\n\n```\n## no heading\n### Priority\n```\n\n### Priority\nP1\n### Labels\ncore, fast\n\
                    ### Dependencies\n\n- Lexer, the first\n- discovered-from:gt-1\n## Lexer, the first ##\n#### inside\n";
        let drafts = markdown(text, at()).expect("good");
        assert_eq!(
            drafts.iter().map(|d| (d.line, d.new.title.as_str())).collect::<Vec<_>>(),
            [(4, "Parser"), (20, "Lexer, the first")]
        );
        let first = &drafts[0];
        assert_eq!(first.new.description, "reads\n\n```\n## no heading\n### Priority\n```");
        assert_eq!(
            (first.new.priority, first.new.labels.as_slice()),
            (Some(1), &["core".to_owned(), "fast".to_owned()][..])
        );
        assert_eq!(first.deps, [(18, "Lexer, the first".to_owned()), (19, "discovered-from:gt-1".to_owned())]);
        assert_eq!(drafts[1].new.description, "#### inside");
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let problems =
            markdown("## A\n### Priorty\n1\n### Priority\n9\n## B\n### Due\nsoonish\n", at()).expect_err("bad");
        let told: Vec<_> = problems.iter().map(|p| (p.line, p.reason.split(';').next().unwrap_or_default())).collect();
        assert_eq!(told[0], (2, "there is no field `Priorty`"));
        assert_eq!((told[1].0, told[2]), (4, (7, "due_at: `soonish` is not a time")));
        assert_eq!(markdown("text\n", at()).expect_err("empty")[0].line, 1);
    }

    #[test]
    fn a_line_is_a_title_or_an_object() {
        let drafts =
            lines("one\n\n# two\n{\"title\":\"three\",\"priority\":0,\"deps\":[\"one\"],\"labels\":\"a,b\"}\n", at());
        let drafts = drafts.expect("good");
        assert_eq!((drafts.len(), drafts[1].line, drafts[1].new.priority), (2, 4, Some(0)));
        assert_eq!(drafts[1].deps, [(4, "one".to_owned())]);
        let problems =
            lines("{\n{\"titel\":\"x\"}\n[]\n{\"title\":\"x\",\"priority\":\"high\"}", at()).expect_err("bad");
        assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 2, 4]);
        assert!(problems[1].reason.contains("did you mean `title`"), "{}", problems[1].reason);
    }
}
