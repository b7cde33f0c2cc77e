//! Links DuckDB as the emulator does, when the `duckdb` feature is on, and finds out which commit a release is built from.

use std::{env, path::Path, process::Command};

#[path = "emulator/build.rs"]
mod duckdb_library;

/// What the program is built from. Cargo runs this script again when one of them changes.
const INPUTS: [&str; 8] =
    [".cargo", "Cargo.lock", "Cargo.toml", "build.rs", "core", "emulator/build.rs", "generator", "src"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_DUCKDB").is_some() {
        duckdb_library::main();
    }
    println!("cargo::rerun-if-env-changed=FINOPS_REVISION");
    // Only for releases: else each commit would compile every test again.
    let release = env::var("PROFILE").as_deref() == Ok("release");
    if release && env::var("FINOPS_REVISION").unwrap_or_default().is_empty() {
        revision();
    }
}

/// Sets `FINOPS_REVISION` to the commit, with `-dirty` if an input differs from it. Without git it is not set.
fn revision() {
    // Without this check, git would name the commit of another repository around this folder.
    if !Path::new(".git").exists() {
        return;
    }
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return;
    };
    // Each commit adds a line to this log; `HEAD` itself has only the name of the branch.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    let status = git(&[&["status", "--porcelain", "--"], &INPUTS[..]].concat());
    let dirty = if status.is_some_and(|changes| changes.is_empty()) { "" } else { "-dirty" };
    println!("cargo::rustc-env=FINOPS_REVISION={commit}{dirty}");
}

/// What git prints, if it succeeds.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
