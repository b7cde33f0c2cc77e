//! `finops init`, with answers from a pipe.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use finops::settings::env_line;
use finops_core::hint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    program::{Finops, Outcome, assert_names},
    tree::Delivery,
};

/// What `deploy/dotenv.py` reads in a file, and what `deploy/settings.py` has against it.
const READ: &str = "
import json, sys
sys.path.insert(0, 'deploy')
import dotenv, settings
values, problems = dotenv.read(sys.stdin.buffer.read())
print(json.dumps({'values': values, 'unreadable': problems, 'problems': settings.Settings(values).problems}))";

fn read_by_python(file: &str) -> Value {
    let mut python = Command::new("python3");
    python.args(["-c", READ]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = assert_cmd::Command::from_std(python).write_stdin(file).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Runs `finops init` in the folder.
fn init(folder: &Path, answers: &[&str]) -> Outcome {
    let mut command = Finops::unconfigured().within(folder).command(&["init"]);
    command.stderr(Stdio::piped());
    let lines: String = answers.iter().flat_map(|answer| [*answer, "\n"]).collect();
    let output = assert_cmd::Command::from_std(command).write_stdin(lines).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The file that `finops init` writes.
#[track_caller]
fn written(folder: &Path, answers: &[&str]) -> String {
    let outcome = init(folder, answers);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    fs::read_to_string(folder.join(".env")).unwrap()
}

#[test]
fn for_duckdb_it_writes_what_a_run_needs_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let source = "the exports";
    Delivery::new("2025-09", "first", &["1"]).write(&folder.path().join(source));
    let outcome = init(folder.path(), &["aws", "", source, "", "", ""]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    insta::assert_snapshot!("init_duckdb", format!("{}---- stderr\n{}", outcome.stdout, outcome.stderr));
    let path = folder.path().join(".env");
    insta::assert_snapshot!("init_duckdb_file", fs::read_to_string(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let values = read_by_python(&fs::read_to_string(&path).unwrap());
    assert_eq!((&values["values"]["AWS_SOURCE"], &values["unreadable"]), (&json!(source), &json!([])));
    let mut finops = Finops::unconfigured().within(folder.path()).with("PIPELINE", "all");
    for (name, value) in values["values"].as_object().unwrap() {
        finops = finops.with(name, value.as_str().unwrap());
    }
    assert_eq!(finops.report(0)["pipelines"][0]["months"][0]["status"], "loaded");
}

#[test]
fn a_pipeline_in_any_case_is_taken_and_a_signature_is_not_shown() {
    let folder = TempDir::new().unwrap();
    let outcome = init(folder.path(), &["AWS", "", "s3://bucket/cur?X-Amz-Signature=SIGNED", "", "", ""]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_names(&outcome.stdout, &["AWS_SOURCE="]);
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains("SIGNED"), "{}", outcome.stdout);
}

#[test]
fn for_bigquery_it_writes_what_a_deployment_needs() {
    let folder = TempDir::new().unwrap();
    let answers = ["all", "bigquery", "example-project", "EU", "gs://mirror/cur", "cost", "", ""];
    let file = written(folder.path(), &[&answers[..], &["gs://mirror/azure", "", "", "", "europe-west3"]].concat());
    insta::assert_snapshot!("init_bigquery_file", file);
    let found = read_by_python(&format!("PIPELINE=all\n{file}"));
    assert_eq!((&found["unreadable"], &found["problems"]), (&json!([]), &json!([])));
}

#[test]
fn a_wrong_answer_is_asked_for_again_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let answers: [(&[&str], &[&str]); 8] = [
        (&["gcp"], &["all"]),
        (&["postgres"], &["bigquery"]),
        (&["", "a project"], &["example-project", ""]),
        (&["", "s3://b/p", "./cur", "gs://b/\u{1b}[31m"], &["gs://b/p", ""]),
        (&["a-b"], &[""]),
        (&["finops_loads"], &["Costs", "gs://b/q", "", ""]),
        (&["costs"], &["azure_costs"]),
        (&["Europe"], &["europe-west3"]),
    ];
    let both: Vec<&str> = answers.iter().flat_map(|(wrong, right)| [*wrong, *right].concat()).collect();
    let right: Vec<&str> = answers.iter().flat_map(|(_, right)| *right).copied().collect();
    let outcome = init(folder.path(), &both);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    insta::assert_snapshot!("init_wrong_answers", outcome.stderr);
    let other = TempDir::new().unwrap();
    assert_eq!(fs::read_to_string(folder.path().join(".env")).unwrap(), written(other.path(), &right));
}

#[test]
fn a_file_that_exists_is_never_changed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(".env");
    fs::write(&path, "PIPELINE=aws\n").unwrap();
    let outcome = init(folder.path(), &["aws", "", "cur", "", "", ""]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert_names(&outcome.stderr, &[".env exists, and was not changed", hint::ENV_FILE_EXISTS]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "PIPELINE=aws\n");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert_eq!(init(folder.path(), &["aws", "", "cur", "", "", ""]).code, 2);
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn answers_that_end_too_early_write_nothing() {
    let answers = ["azure", "", "cur", "", ""];
    for known in 0..=answers.len() {
        let folder = TempDir::new().unwrap();
        let outcome = init(folder.path(), &answers[..known]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{known}: {}", outcome.stderr);
        assert_names(&outcome.stderr, &["nothing was written", hint::ANSWER_EACH]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{known}");
    }
}

#[test]
fn a_value_is_read_as_it_was_written_or_refused() {
    let odd =
        ["", "a", " ", "'", "\"", "$", "`", "\\", "#", "~", "=", ";", "*", "é", ":", "\t", "\n", "\u{85}", "\u{a0}"];
    let values = odd.iter().flat_map(|one| odd.map(|two| format!("x{one}{two}y"))).chain(odd.map(str::to_owned));
    let lines: Vec<(String, String)> = values.filter_map(|value| Some((env_line("A", &value).ok()?, value))).collect();
    assert!(lines.len() > 200, "{}", lines.len());
    let numbered = lines.iter().enumerate().map(|(at, (line, _))| line.replacen('A', &format!("A{at}"), 1) + "\n");
    let read = read_by_python(&numbered.collect::<String>());
    assert_eq!(read["unreadable"], json!([]));
    for (at, (line, value)) in lines.iter().enumerate() {
        assert_eq!(read["values"][format!("A{at}")], json!(value), "{line}");
    }
}
