//! Clone, fetch and push against real remotes, with somebody else pushing in between.

use super::fixture::Fixture;
use super::program::NETWORK;
use super::{Cause, GitError, Oid, Push, Repo};

const MAIN: &str = "refs/heads/main";
const ORIGIN_MAIN: &str = "refs/remotes/origin/main";

fn origin_main(repo: &Repo) -> Oid {
    repo.oid_of(ORIGIN_MAIN).expect("read").expect("main")
}

fn somebody_pushes(f: &Fixture, text: &str) {
    f.write("seed/README.md", text);
    f.git("seed", &["commit", "-qam", text.trim()]);
    f.git("seed", &["push", "-q", "../remote.git", "main"]);
}

#[test]
fn a_clone_can_be_interrupted_and_has_our_settings() {
    let f = Fixture::new();
    let dest = f.at("rig/.repo.git");
    // Died after the folder was made.
    Repo::create(&dest).expect("create");
    let url = f.remote().to_str().expect("utf-8").to_owned();
    let mut lines = 0;
    let repo = Repo::clone(&url, &dest, &mut |_| lines += 1).expect("clone");
    assert!(lines > 0);
    let tip = origin_main(&repo);
    assert_eq!(repo.default_branch().expect("branch"), "main");
    assert_eq!(repo.refs("refs/heads/").expect("refs"), []);
    assert_eq!(f.git("rig/.repo.git", &["config", "gc.auto"]), "0");
    assert_eq!(f.git("rig/.repo.git", &["config", "remote.origin.fetch"]), "+refs/heads/*:refs/remotes/origin/*");
    assert_eq!(f.git("rig/.repo.git", &["symbolic-ref", "HEAD"]), MAIN);
    // Again: the same.
    assert_eq!(origin_main(&Repo::clone(&url, &dest, &mut |_| {}).expect("clone")), tip);
    assert!(matches!(Repo::clone("/elsewhere", &dest, &mut |_| {}), Err(GitError::PathTaken { .. })));
    f.write("full/notes.txt", "mine");
    assert!(matches!(Repo::create(&f.at("full")), Err(GitError::PathTaken { .. })));
}

#[test]
fn an_address_is_never_an_option_or_a_command() {
    let f = Fixture::new();
    for (n, bad) in ["--upload-pack=touch owned", "ext::sh -c touch% owned", "-c"].into_iter().enumerate() {
        let refused = Repo::clone(bad, &f.at(&format!("bad{n}.git")), &mut |_| {});
        assert!(matches!(refused, Err(GitError::Unreachable { .. })), "{bad}: {refused:?}");
        assert!(!f.at("owned").exists() && !f.at(&format!("bad{n}.git/owned")).exists());
    }
}

#[test]
fn another_default_branch_is_found() {
    let f = Fixture::new();
    f.git("seed", &["push", "-q", "../remote.git", "main:trunk", "main:main2"]);
    f.git("remote.git", &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let repo = Repo::clone(f.remote().to_str().expect("utf-8"), &f.at("other.git"), &mut |_| {}).expect("clone");
    assert_eq!(repo.default_branch().expect("branch"), "trunk");
}

#[test]
fn an_empty_remote_has_no_default_branch_yet() {
    let f = Fixture::new();
    f.git("", &["init", "-q", "--bare", "empty.git"]);
    let url = f.at("empty.git");
    let repo = Repo::clone(url.to_str().expect("utf-8"), &f.at("e.git"), &mut |_| {}).expect("clone");
    assert!(matches!(repo.default_branch(), Err(GitError::NoSuch(_))));
}

#[test]
fn a_push_race_is_lost_by_the_second() {
    let f = Fixture::new();
    let repo = f.repo();
    let base = origin_main(&repo);
    let ours = f.commit_on("refs/heads/ours", Some(base), &[("a.txt", "ours")]);
    somebody_pushes(&f, "theirs\n");
    let lost = repo.push_cas("origin", MAIN, ours, base).expect("push");
    assert!(matches!(lost, Push::Moved(Some(tip)) if tip != base), "{lost:?}");
    let fetched = repo.fetch().expect("fetch");
    assert_eq!((fetched.changed.len(), fetched.changed[0].rewritten), (1, false));
    let base = origin_main(&repo);
    let rebuilt = f.commit_on("refs/heads/rebuilt", Some(base), &[("a.txt", "ours")]);
    assert_eq!(repo.push_cas("origin", MAIN, rebuilt, base).expect("push"), Push::Pushed);
    assert_eq!(f.git("remote.git", &["rev-parse", "main"]), rebuilt.to_string());
    assert_eq!(origin_main(&repo), rebuilt, "what we pushed is known without a fetch");
    // Repeated after a crash: still fine.
    assert_eq!(repo.push_cas("origin", MAIN, rebuilt, base).expect("push"), Push::Pushed);
}

#[test]
fn a_push_never_overwrites() {
    let f = Fixture::new();
    let repo = f.repo();
    let unrelated = f.commit_on("refs/heads/unrelated", None, &[("a.txt", "x")]);
    let refused = repo.push_cas("origin", MAIN, unrelated, origin_main(&repo));
    assert!(matches!(refused, Err(GitError::WouldLose { .. })), "{refused:?}");
    let taken = repo.push_cas("origin", MAIN, unrelated, Oid::ZERO_SHA1).expect("push");
    assert_eq!(taken, Push::Moved(Some(origin_main(&repo))));
    assert_eq!(repo.push_cas("origin", "refs/heads/new", unrelated, Oid::ZERO_SHA1).expect("push"), Push::Pushed);
}

#[test]
fn a_remote_that_declines_is_not_a_race_and_one_that_is_gone_is_neither() {
    use std::os::unix::fs::PermissionsExt;
    let f = Fixture::new();
    let repo = f.repo();
    let base = origin_main(&repo);
    let ours = f.commit_on("refs/heads/ours", Some(base), &[("a.txt", "ours")]);
    f.write("remote.git/hooks/pre-receive", "#!/bin/sh\necho no pushes on Friday\nexit 1\n");
    let hook = f.at("remote.git/hooks/pre-receive");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let declined = repo.push_cas("origin", MAIN, ours, base).expect("push");
    let Push::Refused { by_rule: true, reason } = declined else { panic!("{declined:?}") };
    assert!(reason.contains("no pushes on Friday"), "{reason}");
    std::fs::rename(f.remote(), f.at("moved.git")).expect("rename");
    assert!(matches!(repo.push_cas("origin", MAIN, ours, base).expect("push"), Push::Unreachable(_)));
    let gone = repo.fetch();
    let Err(error @ GitError::Unreachable { cause: Cause::NoRepository, .. }) = gone else { panic!("{gone:?}") };
    assert!(error.to_string().starts_with("no repository at") && error.hint().is_some_and(|h| h.contains("ls-remote")));
}

#[test]
fn a_branch_that_nobody_can_move_and_one_that_is_gone_have_not_moved_to_another_commit() {
    let f = Fixture::new();
    let repo = f.repo();
    let base = origin_main(&repo);
    let ours = f.commit_on("refs/heads/ours", Some(base), &[("a.txt", "ours")]);
    f.write("remote.git/refs/heads/main.lock", "");
    let locked = repo.push_cas("origin", MAIN, ours, base).expect("push");
    let Push::Refused { by_rule: false, reason } = locked else { panic!("{locked:?}") };
    assert!(reason.contains("main.lock': File exists") && !reason.contains("Another git process"), "{reason}");
    std::fs::remove_file(f.at("remote.git/refs/heads/main.lock")).expect("unlocked");
    f.git("remote.git", &["branch", "-m", "main", "trunk"]);
    assert_eq!(repo.push_cas("origin", MAIN, ours, base).expect("push"), Push::Moved(None));
    assert_eq!(repo.branches_at("origin").expect("asked"), ["trunk"]);
}

#[test]
fn what_keeps_a_remote_from_being_read_is_told_apart() {
    use std::os::unix::fs::PermissionsExt;
    let f = Fixture::new();
    let repo = f.repo();
    // A stand-in for ssh that says what ssh and servers say.
    let ssh = f.at("ssh");
    let folder = repo.path().display().to_string();
    f.git(&folder, &["config", "remote.origin.url", "ssh://git@example.invalid/x.git"]);
    f.git(&folder, &["config", "core.sshCommand", &ssh.display().to_string()]);
    for (said, cause, hint) in [
        ("git@example.invalid: Permission denied (publickey).", Cause::Denied, "a key or a token"),
        ("Host key verification failed.", Cause::Denied, "a key or a token"),
        ("ERROR: Repository not found.", Cause::NoRepository, "the address is right"),
        ("ssh: Could not resolve hostname example.invalid: Name or service not known", Cause::Network, "ls-remote"),
        ("fatal: write error: No space left on device", Cause::DiskFull, "df -h"),
    ] {
        f.write("ssh", &format!("#!/bin/sh\necho '{said}' >&2\nexit 255\n"));
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let fetched = repo.fetch();
        let Err(error @ GitError::Unreachable { .. }) = fetched else { panic!("{fetched:?}") };
        assert!(matches!(error, GitError::Unreachable { cause: c, .. } if c == cause), "{said}: {error:?}");
        assert!(error.hint().is_some_and(|h| h.contains(hint)), "{said}: {:?}", error.hint());
    }
    let absent = repo.fetch_from(&f.remote().display().to_string(), "refs/heads/absent", NETWORK);
    assert!(matches!(absent, Err(GitError::Unreachable { cause: Cause::NoRef, .. })), "{absent:?}");
}

#[test]
fn a_branch_that_another_fetch_has_moved_meanwhile_is_no_failure() {
    use std::os::unix::fs::PermissionsExt;
    let f = Fixture::new();
    let repo = f.repo();
    let first = origin_main(&repo).to_string();
    somebody_pushes(&f, "second\n");
    // Between the look of our fetch at its refs and its write another fetch, once, is done.
    let mirror = repo.path().display().to_string();
    let hook = f.at("answer");
    let fetch = format!("git --git-dir={mirror} fetch -q {} +main:refs/remotes/origin/main", f.remote().display());
    let once = format!("[ -e \"$0.done\" ] || {{ : >\"$0.done\"; {fetch}; }}");
    f.write("answer", &format!("#!/bin/sh\ngit-upload-pack \"$@\"\n{once}\nexit 0\n"));
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    f.git(&mirror, &["config", "remote.origin.uploadpack", &hook.display().to_string()]);
    let fetched = repo.fetch().expect("the remote was reached");
    assert!(f.at("answer.done").exists());
    assert_eq!((fetched.changed.len(), origin_main(&repo).to_string() == first), (1, false));
}

#[test]
fn a_rewritten_remote_branch_keeps_its_old_tip() {
    let f = Fixture::new();
    let repo = f.repo();
    somebody_pushes(&f, "first try\n");
    repo.fetch().expect("fetch");
    let old = origin_main(&repo);
    f.write("seed/README.md", "second try\n");
    f.git("seed", &["commit", "-qa", "--amend", "-m", "second"]);
    f.git("seed", &["push", "-qf", "../remote.git", "main"]);
    let fetched = repo.fetch().expect("fetch");
    assert!(fetched.changed[0].rewritten);
    let kept = repo.refs("refs/gt/rewritten/").expect("refs");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].1, old);
}

#[test]
fn refs_move_by_compare_and_swap() {
    let f = Fixture::new();
    let repo = f.repo();
    let (base, name) = (origin_main(&repo), "refs/gt/mr/hq-1");
    let next = f.commit_on("refs/heads/next", Some(base), &[("a.txt", "x")]);
    repo.set_ref(name, base, None, "first").expect("create");
    repo.set_ref(name, base, None, "first").expect("repeat");
    assert!(matches!(repo.set_ref(name, next, None, "again"), Err(GitError::Moved { found: Some(_), .. })));
    assert!(matches!(
        repo.set_ref(name, next, Some(next), "wrong").map(|()| repo.oid_of(name)),
        Err(GitError::Moved { .. })
    ));
    repo.set_ref(name, next, Some(base), "move").expect("move");
    repo.set_ref(name, next, Some(base), "move").expect("repeat");
    let none = repo.set_ref("refs/gt/mr/hq-2", next, Some(base), "absent");
    assert!(matches!(none, Err(GitError::Moved { found: None, .. })), "{none:?}");
}

#[test]
fn history_and_differences_are_read() {
    let f = Fixture::new();
    let repo = f.repo();
    let base = f.commit_on("refs/heads/base", None, &[("a.txt", "1\n2\n"), ("gone.bin", "\0")]);
    let ahead = f.commit_on("refs/heads/ahead", Some(base), &[("a.txt", "1\n2\n3\n"), ("new.txt", "n\n")]);
    let other = f.commit_on("refs/heads/other", Some(base), &[("a.txt", "1\n2\n"), ("gone.bin", "\0"), ("o", "o")]);
    assert_eq!(repo.ahead_behind(ahead, other).expect("count"), (1, 1));
    let stat = repo.diff_stat(other, ahead).expect("diff");
    assert_eq!((stat.files, stat.insertions, stat.deletions), (3, 2, 0));
    assert_eq!(stat.paths().collect::<Vec<_>>(), ["a.txt", "gone.bin", "new.txt"]);
    assert!(stat.each[1].binary);
    let text = repo.diff_text(base, ahead).expect("diff");
    assert!(text.contains("+++ b/new.txt\n@@ -0,0 +1 @@\n+n\n"), "{text}");
    assert_eq!(repo.commits(base, ahead, 10).expect("log"), [(ahead, repo.subject(ahead).expect("subject"))]);
    assert!(repo.log_graph(&["refs/heads/ahead", "refs/heads/other"], 10).expect("log").contains("|/"));
    assert_eq!(repo.resolve(&ahead.to_string()[..12]).expect("short"), ahead);
    assert!(matches!(repo.resolve("nothing"), Err(GitError::NoSuch(_))));
}

#[test]
fn a_remote_that_hangs_is_one_that_cannot_be_reached() {
    let f = Fixture::new();
    let repo = Repo::clone(f.remote().to_str().expect("utf-8"), &f.at("hangs.git"), &mut |_| {}).expect("clone");
    let tip = origin_main(&repo);
    f.git("hangs.git", &["config", "remote.origin.url", "ssh://nowhere.invalid/app"]);
    // The other end says nothing.
    f.git("hangs.git", &["config", "core.sshCommand", "sleep 60 #"]);
    f.git("hangs.git", &["config", "ssh.variant", "ssh"]);
    let soon = std::time::Duration::from_millis(300);
    let fetched = repo.fetch_within("origin", soon, &mut |_| {});
    let Err(GitError::Unreachable { message, .. }) = fetched else { panic!("{fetched:?}") };
    assert!(message.contains("did not end within"), "{message}");
    let pushed = repo.push_within("origin", MAIN, tip, tip, soon).expect("an answer");
    assert!(matches!(&pushed, Push::Unreachable(why) if why.contains("did not end within")), "{pushed:?}");
}

#[test]
fn a_branch_whose_name_became_a_folder_at_the_remote_makes_room_and_keeps_its_tip() {
    let f = Fixture::new();
    let repo = Repo::clone(f.remote().to_str().expect("utf-8"), &f.at("c.git"), &mut |_| {}).expect("clone");
    let git = |args: &[&str]| f.git("remote.git", args);
    let old = origin_main(&repo);
    git(&["branch", "feature", "main"]);
    git(&["branch", "dir/sub", "main"]);
    repo.fetch().expect("fetch");
    somebody_pushes(&f, "more");
    git(&["branch", "-D", "feature", "dir/sub"]);
    git(&["branch", "feature/x", "main"]);
    git(&["branch", "dir", "main"]);
    repo.fetch().expect("fetch");
    let new = origin_main(&repo);
    assert_ne!(old, new);
    let at = |name: &str| repo.oid_of(name).expect("ref");
    for (name, tip) in [("feature/x", Some(new)), ("dir", Some(new)), ("feature", None), ("dir/sub", None)] {
        assert_eq!(at(&format!("refs/remotes/origin/{name}")), tip, "{name}");
    }
    let short = &old.to_string()[..10];
    for name in ["feature", "dir/sub"] {
        assert_eq!(at(&format!("refs/gt/rewritten/origin/{name}/{short}")), Some(old), "{name}");
    }
}
