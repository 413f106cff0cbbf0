//! `gt why` and `gt status` say whose word it was: the layer, the file and the line that really answered.

use super::daemon::Hall;
use super::support::eventually;

/// A layer of the town over the shipped Refinery; its first line is line 3 of the file.
fn refinery(hall: &Hall, text: &str) {
    hall.role("refinery", &format!("local refinery = gt.extend(\"refinery\")\n{text}"));
}

/// The lines of `gt why` about a subject that contain `word`.
fn lines(hall: &Hall, subject: &str, word: &str) -> Vec<String> {
    let why = hall.gt(&["why", subject]);
    why.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}

#[test]
fn a_request_that_a_rule_of_the_town_keeps_out_says_by_which_line_and_remembers_it() {
    let hall = Hall::new("command = [\"true\"]");
    refinery(&hall, "refinery.admit(function(mr) return false, \"closed for today\" end)");
    hall.gt(&["start"]);
    let mr = hall.file("a");
    let place = format!("{}:3", hall.town().join("lua/roles/refinery.lua").display());
    let status = eventually("the reason", || {
        Some(hall.gt(&["status"])).filter(|status| status.contains("not admitted: closed for today"))
    });
    assert!(status.contains(&format!("waits: not admitted: closed for today ({place}, town layer)")), "{status}");
    // More looks bring no more rows.
    for name in ["b", "c"] {
        let other = hall.file(name);
        eventually("a look", || (!lines(&hall, other.as_str(), "not admitted").is_empty()).then_some(()));
    }
    let why = hall.gt(&["why", mr.as_str()]);
    assert!(why.contains("not admitted: closed for today  admit   (town layer)"), "{why}");
    assert!(why.contains(&format!("  rule     {place}, revision ")), "{why}");
    assert!(why.contains(&format!("  now      not admitted: closed for today ({place}, town layer)")), "{why}");
    let told = |word: &str| lines(&hall, mr.as_str(), word).iter().filter(|l| l.contains("  admit ")).count();
    assert_eq!(told("admitted"), 1, "{why}");
    // Another reason is another answer; and being let in is told, too.
    refinery(&hall, "\nrefinery.admit(function(mr) return false, \"until the release is out\" end)");
    eventually("the other reason", || (told("until the release is out") == 1).then_some(()));
    refinery(&hall, "");
    hall.wait_merged(std::slice::from_ref(&mr));
    let why = hall.gt(&["why", mr.as_str()]);
    for said in ["not admitted: closed for today", "not admitted: until the release is out", " admitted  admit "] {
        assert!(why.contains(said), "{said}: {why}");
    }
    assert!(why.contains(&place), "{why}");
    assert!(!hall.gt(&["status"]).contains("not admitted"));
}

#[test]
fn a_rule_that_lets_a_request_in_after_a_while_is_asked_again_then() {
    let hall = Hall::new("command = [\"true\"]");
    refinery(
        &hall,
        "refinery.admit(function(mr) if mr.waiting < gt.span \"4s\" then return false, \"too young\" end return true end)",
    );
    hall.gt(&["start"]);
    let mr = hall.file("a");
    hall.wait_merged(std::slice::from_ref(&mr));
    assert_eq!(lines(&hall, mr.as_str(), "not admitted: too young").len(), 1);
}

#[test]
fn a_batch_names_the_layer_and_line_of_each_question_that_led_to_it() {
    let hall = Hall::new("command = [\"true\"]");
    refinery(&hall, "\nrefinery.order(function(mr) return 7 end)");
    hall.gt(&["start"]);
    let mr = hall.file("a");
    hall.wait_merged(std::slice::from_ref(&mr));
    let why = hall.gt(&["why", mr.as_str()]);
    let file = hall.town().join("lua/roles/refinery.lua");
    assert!(why.contains(&format!("  order    {}:4 (town layer)", file.display())), "{why}");
    assert!(why.contains("  batch    built-in lua/roles/refinery.lua:"), "{why}");
}

#[test]
fn a_rule_that_fails_is_told_where_the_layer_below_answers_for_it() {
    let hall = Hall::new("command = [\"true\"]");
    refinery(&hall, "refinery.order(function(mr)\n  return mr.lines < 0 or \"first\"\nend)");
    hall.gt(&["start"]);
    let file = hall.town().join("lua/roles/refinery.lua");
    // The second one is told of, too, although its warning was said before.
    for name in ["a", "b"] {
        let mr = hall.file(name);
        hall.wait_merged(std::slice::from_ref(&mr));
        let why = hall.gt(&["why", mr.as_str()]);
        assert!(why.contains("  order    built-in lua/roles/refinery.lua:"), "{why}");
        assert!(why.contains(&format!("  failed   {}:3 (town layer): order ", file.display())), "{why}");
    }
    let status = hall.gt(&["status"]);
    assert!(status.contains("warning: refinery: order must answer a number, not a string"), "{status}");
    assert!(!status.contains("error:"), "{status}");
    // One that may not be passed over keeps the request out, and says what is wrong with it.
    refinery(&hall, "refinery.admit(function(mr)\n  return mr.bead.labels.x.y\nend)");
    let mr = hall.file("c");
    let why = eventually("the refusal", || {
        Some(hall.gt(&["why", mr.as_str()])).filter(|why| why.contains("not admitted: the rule failed: "))
    });
    assert!(why.contains(&format!("  failed   {}:4 (town layer): ", file.display())), "{why}");
}
