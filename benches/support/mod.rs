//! What the benches share: a throw-away place to run programs in, and figures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A folder to run programs in, with the HOME of a temporary root.
pub struct Place {
    pub root: PathBuf,
    pub cwd: PathBuf,
}

impl Place {
    pub fn command(&self, program: &str) -> Command {
        let gt = PathBuf::from(env!("CARGO_BIN_EXE_gt"));
        let path = format!("{}:{}", gt.parent().expect("folder").display(), std::env::var("PATH").unwrap_or_default());
        let program = match program {
            "gt" => gt,
            "bd" => PathBuf::from(env!("CARGO_BIN_EXE_bd")),
            other => PathBuf::from(other),
        };
        let mut command = Command::new(program);
        command
            .current_dir(&self.cwd)
            .env_clear()
            .env("HOME", self.root.join("home"))
            .env("PATH", path)
            .env("USER", "bench")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null());
        command
    }

    pub fn must(&self, program: &str, args: &[&str]) -> String {
        let out = self.command(program).args(args).output().expect("start");
        assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }
}

/// A town in a temporary folder; returns its root and the place of the town.
pub fn town(dir: &Path) -> Place {
    let town = dir.join("town");
    std::fs::create_dir_all(dir.join("home")).expect("home");
    std::fs::write(dir.join("home/.gitconfig"), "[user]\n\tname = Bench\n\temail = bench@example.org\n")
        .expect("config");
    let outside = Place { root: dir.to_owned(), cwd: dir.to_owned() };
    outside.must("gt", &["install", town.to_str().expect("utf-8"), "--runtime", "script", "--host", "headless"]);
    Place { root: dir.to_owned(), cwd: town }
}

/// Minimum, median, 99th percentile and maximum in milliseconds.
pub struct Figures {
    pub min: f64,
    pub median: f64,
    pub p99: f64,
    pub max: f64,
}

impl Figures {
    pub fn of(times: Vec<Duration>) -> Self {
        let mut ms: Vec<f64> = times.into_iter().map(|t| t.as_secs_f64() * 1000.0).collect();
        ms.sort_by(f64::total_cmp);
        let at = |share: f64| ms[((ms.len() - 1) as f64 * share).round() as usize];
        Self { min: at(0.0), median: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}
