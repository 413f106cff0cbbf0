//! Says what is missing on this machine before the long part of the build, in words that help.
//!
//! `SQLite`, libgit2 and the Lua VM are compiled from C and C++. Without this, the first sign of a missing compiler
//! would be an error in the middle of somebody else's build script.
//!
//! Also sees to it that the C and C++ libraries that we need are linked into the programs where they can be, and that
//! the programs lie where they were linked: an agent starts these hundreds of times an hour, and finding the symbols of a
//! shared libstdc++, or moving every pointer of a large program, takes a large part of a start.
//! `GT_PIE=1` in the environment of the build gives position-independent programs, for who must ship such.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const GIT: (u32, u32) = (2, 38);

fn main() {
    // Not when PATH changes: what was found once is there, and all of this package would be built again.
    println!("cargo::rerun-if-changed=build.rs");
    for (variable, program, what) in [("CC", "cc", "a C compiler"), ("CXX", "c++", "a C++ compiler")] {
        let chosen = std::env::var(variable).unwrap_or_else(|_| program.to_owned());
        if output(&chosen, "--version").is_none() {
            println!(
                "cargo::error={what} is missing (`{chosen}`): install one and run again, as in \
                 `apt-get install gcc g++` or `xcode-select --install`"
            );
        }
    }
    match output("git", "--version") {
        None => println!("cargo::error=git is missing: install git {}.{} or newer and run again", GIT.0, GIT.1),
        Some(text) => match version(&text) {
            Some(found) if found < GIT => println!(
                "cargo::error=git {}.{} is too old: install git {}.{} or newer and run again",
                found.0, found.1, GIT.0, GIT.1
            ),
            Some(_) => {}
            None => {
                println!("cargo::warning=`git --version` printed {text:?}; git {}.{} or newer is needed", GIT.0, GIT.1);
            }
        },
    }
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux")
        && std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu")
        && std::env::var("HOST") == std::env::var("TARGET")
    {
        link_archives();
        println!("cargo::rerun-if-env-changed=GT_PIE");
        if std::env::var_os("GT_PIE").is_none() && !target_has("crt-static") {
            // The price: who finds a hole in one of the C libraries knows the addresses of this program. Stack, heap
            // and shared libraries lie at random places as ever.
            println!("cargo::rustc-link-arg-bins=-no-pie");
        }
    }
}

fn target_has(feature: &str) -> bool {
    std::env::var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|all| all.split(',').any(|has| has == feature))
}

/// Libraries as the linker asks for them, and the archive that the compiler has of each.
const ARCHIVES: [(&str, &str); 3] =
    [("libstdc++.a", "libstdc++.a"), ("libgcc_s.a", "libgcc_eh.a"), ("libz.a", "libz.a")];

/// Puts the archives into a folder in which the linker looks first. One that is not installed is linked as ever.
fn link_archives() {
    let Some(out) = std::env::var_os("OUT_DIR").map(PathBuf::from) else { return };
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let folder = out.join("archives");
    let made = std::fs::create_dir_all(&folder).is_ok();
    for (name, archive) in ARCHIVES {
        let link = folder.join(name);
        let _ = std::fs::remove_file(&link);
        // A compiler that does not have it gives the name back.
        let found = output(&compiler, &format!("-print-file-name={archive}")).map(|text| PathBuf::from(text.trim()));
        if let Some(file) = found.filter(|file| made && file.is_absolute() && file.is_file()) {
            let _ = place(&file, &link);
        }
    }
    println!("cargo::rustc-link-search=native={}", folder.display());
}

#[cfg(unix)]
fn place(file: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(file, link)
}

#[cfg(not(unix))]
fn place(file: &Path, link: &Path) -> std::io::Result<()> {
    std::fs::copy(file, link).map(drop)
}

/// What a program prints, if it can be run.
fn output(program: &str, argument: &str) -> Option<String> {
    let mut words = program.split_ascii_whitespace();
    let out = Command::new(words.next()?).args(words).arg(argument).stdin(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The first two numbers of `git version 2.47.3`.
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_ascii_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
