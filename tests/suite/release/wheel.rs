//! The Python wheel, from this build instead of a release build, installed into empty environments.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::require::{Tool, output, skip};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script(name: &str) -> Command {
    Command::new(root().join("scripts").join(name))
}

/// The Pythons to try. Without one of them, the rest is tried.
fn pythons() -> Vec<PathBuf> {
    let versions = [("3.11", Tool::Python311), ("3.13", Tool::Python313)];
    let find = |(version, tool)| {
        let found = script("find-python.sh").arg(version).output().unwrap();
        if !found.status.success() {
            skip(tool, &format!("there is no Python {version} with venv and pip"));
            return None;
        }
        Some(PathBuf::from(String::from_utf8(found.stdout).unwrap().trim()))
    };
    versions.into_iter().filter_map(find).collect()
}

/// A `cargo` that builds nothing, and reports the program of this build. A real one would compile most dependencies again,
/// since the tests give them other features.
fn cargo_of_this_build(folder: &Path) -> PathBuf {
    let cargo = env!("CARGO");
    let metadata = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let metadata: Value =
        serde_json::from_str(&output(Command::new(cargo).args(metadata).current_dir(root()))).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "finops").unwrap();
    let mut targets = package["targets"].as_array().unwrap().iter();
    let target = targets.find(|target| target["kind"] == json!(["bin"])).unwrap();

    let program = folder.join("finops");
    output(Command::new("strip").arg("-o").arg(&program).arg(cargo_bin!("finops")));
    let artifact = json!({
        "reason": "compiler-artifact", "package_id": package["id"], "manifest_path": package["manifest_path"],
        "target": target, "features": [], "filenames": [program], "executable": program, "fresh": true,
        "profile": { "opt_level": "0", "debug_assertions": true, "overflow_checks": true, "test": false }
    });
    let artifacts = folder.join("artifacts.json");
    fs::write(&artifacts, format!("{artifact}\n{{\"reason\":\"build-finished\",\"success\":true}}\n")).unwrap();

    let stub = folder.join("cargo");
    let artifacts = artifacts.display();
    fs::write(&stub, format!("#!/bin/sh\n[ \"$1\" != rustc ] || exec cat '{artifacts}'\nexec '{cargo}' \"$@\"\n"))
        .unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    stub
}

/// Runs scripts/wheel.sh. Returns the path of the wheel.
fn build(folder: &Path) -> PathBuf {
    let stub = cargo_of_this_build(folder);
    let mut path = env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    path.insert(0, folder.to_owned());
    let mut wheel = script("wheel.sh");
    wheel.env("CARGO", stub).env("PATH", env::join_paths(path).unwrap()).arg("dev").arg(folder.join("dist"));
    PathBuf::from(output(&mut wheel).trim())
}

/// What Python prints about the wheel.
fn read(wheel: &Path, code: &str) -> String {
    let code = format!("import sys, zipfile\nwheel = zipfile.ZipFile(sys.argv[1])\n{code}");
    output(Command::new("python3").args(["-c", &code]).arg(wheel))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wheel_installs_a_working_program_into_an_empty_environment() {
    let folder = TempDir::new().unwrap();
    let wheel = build(folder.path());

    let files = read(&wheel, "print(*sorted(wheel.namelist()), sep='\\n')");
    let version = env!("CARGO_PKG_VERSION");
    let [data, info] = ["data", "dist-info"].map(|part| format!("finops_loader-{version}.{part}/"));
    let expected = [
        (&data, "data/lib/finops/LICENSE"),
        (&data, "data/lib/finops/libduckdb.so"),
        (&data, "scripts/finops"),
        (&info, "METADATA"),
        (&info, "RECORD"),
        (&info, "WHEEL"),
        (&info, "licenses/LICENSE"),
        (&info, "sboms/finops.cyclonedx.json"),
    ];
    assert_eq!(files, expected.map(|(folder, file)| format!("{folder}{file}\n")).concat());

    let metadata = read(&wheel, &format!("print(wheel.read('{info}METADATA').decode())"));
    let (fields, readme) = metadata.split_once("\n\n").unwrap();
    for field in [
        "Name: finops-loader",
        &format!("Version: {version}"),
        "Summary: Loads cloud billing exports into BigQuery or DuckDB, month by month, by manifest",
        "License: MIT",
        "License-File: LICENSE",
        "Requires-Python: >=3.9",
    ] {
        assert!(fields.lines().any(|line| line == field), "{field} is not in:\n{fields}");
    }
    assert_eq!(readme.trim(), fs::read_to_string(root().join("README.md")).unwrap().trim());

    let pythons = pythons();
    if !pythons.is_empty() {
        output(script("try-wheel.sh").arg(&wheel).args(&pythons));
    }
}
