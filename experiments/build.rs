//! Tells the binaries which commit they are built from.

use std::process::Command;

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the binaries are made of.
const SOURCES: [&str; 9] = [
    "../crates",
    "src",
    "build.rs",
    "Cargo.toml",
    "../Cargo.toml",
    "../Cargo.lock",
    "../paper/claims.toml",
    "../paper/deviations.md",
    "../paper/reference.csv",
];

fn main() {
    let commit = git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let status = [&["status", "--porcelain", "--"], &SOURCES[..]].concat();
    let dirty = git(&status).is_some_and(|changes| !changes.is_empty());
    println!("cargo::rustc-env=I2FR_COMMIT={commit}");
    println!("cargo::rustc-env=I2FR_DIRTY={dirty}");
    let changes = if dirty { ", with changes" } else { "" };
    println!("cargo::rustc-env=I2FR_VERSION={} (commit {commit}{changes})", env!("CARGO_PKG_VERSION"));
    for path in ["HEAD", "index", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", path]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    for sources in SOURCES {
        println!("cargo::rerun-if-changed={sources}");
    }
}
