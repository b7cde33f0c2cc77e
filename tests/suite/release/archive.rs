//! The archive of a release, from this build, and the checksums.

use std::{env, fs, path::Path, process::Command};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

use crate::support::require::output;

fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name))
}

/// Packs this build, stripped. Returns the path of the archive.
fn pack(folder: &Path) -> String {
    let program = folder.join("finops");
    output(Command::new("strip").arg("-o").arg(&program).arg(cargo_bin!("finops")));
    let libraries = env::var("DUCKDB_LIB_DIR").unwrap();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/archive.py");
    let mut pack = Command::new("python3");
    output(pack.arg(archive).arg(program).arg(libraries).arg(folder.join("dist"))).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_equal_for_equal_files_and_its_program_runs_from_its_folder() {
    let folder = TempDir::new().unwrap();
    let path = pack(folder.path());
    let first = fs::read(&path).unwrap();
    pack(folder.path());
    assert!(first == fs::read(&path).unwrap(), "the second archive differs");
    let dist = folder.path().join("dist");
    output(script("checksums.sh").arg(&dist));
    let checked = output(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&dist));
    assert!(checked.ends_with(".tar.gz: OK\n"), "{checked}");

    let listed = output(Command::new("tar").args(["--list", "--file", &path]));
    let top = listed.split_once('/').unwrap().0;
    let shells = ["bash", "elvish", "fish", "powershell", "zsh"].map(|shell| format!("completions/finops.{shell}"));
    let files = ["LICENSE", "LICENSE-DuckDB", "README.md"].map(str::to_owned).into_iter().chain(shells);
    let files = files.chain(["finops", "libduckdb.so"].map(str::to_owned));
    assert_eq!(listed.lines().collect::<Vec<_>>(), files.map(|file| format!("{top}/{file}")).collect::<Vec<_>>());
    output(Command::new("tar").args(["--extract", "--file", &path]).current_dir(folder.path()));
    let extracted = folder.path().join(top);
    let version = output(Command::new(extracted.join("finops")).env_clear().arg("--version"));
    assert_eq!(version.trim(), format!("finops {}", env!("CARGO_PKG_VERSION")));
    let loaded = output(Command::new(extracted.join("finops")).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1"));
    let library = extracted.join("libduckdb.so");
    assert!(loaded.contains(library.to_str().unwrap()), "{loaded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_must_name_the_version() {
    let version = env!("CARGO_PKG_VERSION");
    output(script("check-tag.sh").arg(format!("v{version}")));
    for tag in [version, "v9.9.9"] {
        let checked = script("check-tag.sh").arg(tag).output().unwrap();
        let message = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(checked.status.code(), Some(1), "{message}");
        assert!(message.contains(&format!("expected the tag v{version}")), "{message}");
    }
}
