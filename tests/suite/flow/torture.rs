//! A slice of `make torture`: runs that are killed, paused, or many at once.

use std::{path::Path, process::Command};

use assert_cmd::cargo::cargo_bin;

/// Runs every `slice`-th point of one kind, from the one after `seed`, with the programs of this build.
#[track_caller]
fn assert_ends_right(kind: &str, slice: &str, seed: &str) {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/torture.py");
    let programs = cargo_bin!("finops").parent().unwrap();
    let mut command = Command::new("python3");
    command.arg("-B").arg(driver).args(["--only", kind, "--slice", slice, "--seed", seed]).arg("--bin").arg(programs);
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
}

#[test]
fn after_a_run_killed_at_any_request_the_next_run_ends_right() {
    assert_ends_right("kill", "80", "45");
}

#[test]
fn with_a_run_held_at_any_request_the_newer_delivery_remains() {
    // The first of them while the run reads manifests: what it knows of deliveries is then outdated.
    assert_ends_right("hold", "60", "15");
}

#[test]
fn many_runs_at_once_write_each_month_once() {
    assert_ends_right("many", "6", "1");
}
