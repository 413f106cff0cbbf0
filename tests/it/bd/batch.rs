//! Many commands out of stdin.

use serde_json::json;

use super::Repo;

#[test]
fn a_batch_is_one_transaction_and_says_what_came_of_each_command() {
    let repo = Repo::new();
    let text = "# a plan\ncreate \"the first\" -p 0\nbd create 'the second' --deps @2\n\nupdate @3 --notes \"two\\nlines\"\nclose @2 -r done\n";
    let ran = repo.bd_reads(&["batch", "--json"], text).json();
    let lines: Vec<_> =
        ran.as_array().expect("rows").iter().map(|row| (row["line"].clone(), row["ok"].clone())).collect();
    assert_eq!(lines, [2, 3, 5, 6].map(|n| (json!(n), json!(true))));
    assert_eq!(ran[2]["value"][0]["notes"], "two\nlines");
    assert_eq!(repo.titles(&["ready"]), ["the second"]);
    let told = repo.bd_reads(&["batch"], "create third\n").ok();
    assert!(told.starts_with("✓ 1  create third  app-"), "{told}");
}

#[test]
fn one_command_that_fails_undoes_the_whole_batch() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    for (last, code, words) in [
        ("close nope", 4, "line 3: there is no bead `nope`; nothing was changed"),
        ("create ''", 1, "line 3: title: it is empty; nothing was changed"),
        ("creat x", 2, "line 3: unrecognized subcommand 'creat'"),
        ("close 'x", 1, "line 3: a ' is not closed"),
        ("close @1", 1, "line 3: `@1`: no command on line 1"),
        ("close nope nada", 4, "line 3: there is no bead `nope`"),
        ("batch", 1, "line 3: `bd batch` cannot be part of a batch"),
        ("gate check", 1, "line 3: `bd gate` cannot be part of a batch"),
        ("-C / list", 1, "line 3: a command of a batch works where the batch does"),
    ] {
        let ran = repo.bd_reads(&["batch"], &format!("# x\nclose {a}\n{last}\ncreate more\n"));
        assert_eq!(ran.code, code, "{last}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(words), "{last}: {} {}", ran.stdout, ran.stderr);
    }
    assert_eq!(repo.titles(&["list", "--all"]), ["a"]);
    assert_eq!(repo.bd(&["show", &a, "--json"]).json()[0]["status"], "open");
    assert_eq!(repo.bd_reads(&["batch"], &"create x\n".repeat(201)).code, 1);
}

#[test]
fn what_takes_the_tracker_away_or_waits_for_others_is_no_part_of_a_batch() {
    let repo = Repo::new();
    let kept = repo.add("kept", &[]);
    repo.bd(&["history", &kept]).ok();
    for flag in ["--readonly", "--lock-timeout 1s"] {
        let refused = repo.bd_reads(&["batch"], &format!("{flag} create x\n")).fails();
        assert!(refused.contains("as a whole"), "{flag}: {refused}");
    }
    for verb in ["uninstall --force", "restore --force", "init", "import", "export", "sync", "doctor", "history @9"] {
        for each in [false, true] {
            let args: &[&str] = if each { &["batch", "--each"] } else { &["batch"] };
            // The reference to line 9 is not known when the lines are read.
            let ran = repo.bd_reads(args, &format!("{verb}\nupdate nope -p 1\n"));
            let told = ran.stdout.clone() + &ran.stderr;
            let name = verb.split(' ').next().expect("a verb");
            let refused = format!("`bd {name}` cannot be part of a batch");
            assert!(ran.code == 1 && (told.contains(&refused) || told.contains("`@9`")), "{verb}: {told}");
        }
    }
    assert_eq!(repo.titles(&["list"]), ["kept"]);
    let history = repo.bd_reads(&["batch"], &format!("update {kept} -p 1\nhistory @1\n"));
    assert!(history.stderr.contains("`bd history` cannot be part of a batch"), "{}", history.stderr);
    assert_eq!(repo.bd(&["show", &kept, "--json"]).json()[0]["priority"], 2, "nothing was changed");
}

#[test]
fn a_batch_that_cannot_be_understood_waits_for_nobody() {
    let repo = Repo::new();
    let lock = std::fs::File::open(repo.dir.join(".beads/write.lock")).expect("the lock of writers");
    lock.lock().expect("another writer");
    let ran = repo.bd_reads(&["batch"], "create a\ncreat b\n");
    assert!(ran.code == 2 && ran.stderr.contains("line 2: unrecognized subcommand 'creat'"), "{}", ran.stderr);
    lock.unlock().expect("free again");
    assert_eq!(repo.bd(&["count", "--json"]).json()["count"], 0);
}

#[test]
fn each_on_its_own_goes_on_after_a_failure_and_the_code_says_so() {
    let repo = Repo::new();
    let ran = repo.bd_reads(&["batch", "--each"], "create a\nclose nope\n--actor bob create b\n");
    assert_eq!(ran.code, 4);
    assert!(ran.stdout.contains("✗ 2  close nope\n    error: there is no bead `nope`"), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 command failed, the first on line 2"), "{}", ran.stderr);
    assert_eq!(repo.titles(&["list"]), ["a", "b"]);
    assert_eq!(repo.bd(&["list", "--json"]).json()[1]["created_by"], "bob");
}

#[test]
fn other_writers_wait_for_a_batch_and_see_all_of_it() {
    let repo = Repo::new();
    let text: String = (0..150).map(|n| format!("create \"bead {n}\"\n")).collect();
    let counts = std::thread::scope(|scope| {
        let batch = scope.spawn(|| repo.bd_reads(&["batch"], &text).ok());
        let mut counts = Vec::new();
        while !batch.is_finished() {
            counts.push(repo.bd(&["count", "--json"]).json()["count"].as_u64().expect("count"));
        }
        batch.join().expect("batch");
        counts
    });
    assert!(counts.iter().all(|n| *n == 0 || *n == 150), "{counts:?}");
    assert_eq!(repo.bd(&["count", "--json"]).json()["count"], 150);
}

#[test]
fn a_line_that_would_read_stdin_is_refused_and_changes_nothing() {
    let repo = Repo::new();
    let kept = repo.add("kept", &["-d", "precious"]);
    let lines = [
        format!("update {kept} -d -"),
        format!("update {kept} --body-file -"),
        format!("comments add {kept} -"),
        format!("comments add {kept} -f -"),
        "create x -d -".to_owned(),
        "create --body-file - x".to_owned(),
        "create --stdin".to_owned(),
        "create --file -".to_owned(),
        "delete --from-file - --force".to_owned(),
        "gate create -d -".to_owned(),
    ];
    for line in &lines {
        for flags in [&[][..], &["--each"], &["--json"], &["--each", "--json"]] {
            let ran = repo.bd_reads(&[&["batch"], flags].concat(), &format!("# x\n{line}\n"));
            let told = ran.stdout.clone() + &ran.stderr;
            assert!(ran.code == 1 && told.contains("a line of a batch cannot read stdin"), "{line}: {told}");
            assert!(told.contains("name a file instead"), "{line}: {told}");
            let number = if flags.contains(&"--each") { "2" } else { "line 2: " };
            assert!(told.contains(number), "{line}: {told}");
        }
    }
    let all = repo.bd(&["list", "--all", "--json"]).json();
    assert_eq!((all.as_array().map(Vec::len), &all[0]["description"]), (Some(1), &json!("precious")));
    assert_eq!(repo.bd(&["comments", &kept, "--json"]).json(), json!([]));
    // In double quotes a line has several, and a file is no stdin.
    std::fs::write(repo.dir.join("text"), "out of a file").expect("write");
    repo.bd_reads(&["batch"], "create x --body-file text\ncreate y -d \"two\\nlines\"\n").ok();
    let texts = repo.bd(&["list", "--all", "--json"]).json().to_string();
    assert!(texts.contains("out of a file") && texts.contains("two\\nlines"), "{texts}");
}

#[test]
fn a_line_that_does_only_a_part_fails_with_its_reason() {
    let repo = Repo::new();
    let a = repo.add("a", &[]);
    let ran = repo.bd_reads(&["batch", "--json"], &format!("close {a} nope\n"));
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("json");
    assert_eq!(told["error"]["message"], "line 1: there is no bead `nope`; nothing was changed");
    assert_eq!((ran.code, ran.stderr.as_str()), (4, ""));
    assert_eq!(repo.bd(&["show", &a, "--json"]).json()[0]["status"], "open");
}
