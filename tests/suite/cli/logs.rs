//! The log of a run in a Cloud Run job: one JSON object a line for Cloud Logging, with labels to search for.

use std::{fs::File, io::Read, process::Command, time::SystemTime};

use bigquery_emulator::{Fault, FaultKind, When};
use finops_core::hint;
use serde_json::{Value, json};

use crate::support::{
    bigquery::until,
    jobs::{CloudJob, LocalJob},
    program::{Finops, Outcome, assert_names, month},
    tables::copy_jobs,
    tree::{Delivery, REPORT},
};

const LABELS: &str = "logging.googleapis.com/labels";

fn in_cloud_run(finops: &Finops) -> Finops {
    let finops = finops.clone().with("CLOUD_RUN_JOB", "finops-aws");
    finops.with("CLOUD_RUN_EXECUTION", "finops-aws-x7k2p").with("CLOUD_RUN_TASK_ATTEMPT", "0")
}

/// Each line, which must be an entry of Cloud Logging.
#[track_caller]
fn entries(stderr: &str) -> Vec<Value> {
    let entry = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(["INFO", "WARNING", "ERROR"].iter().any(|severity| entry["severity"] == *severity), "{line}");
        assert!(entry["message"].is_string() && entry["time"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(entry[LABELS].as_object().unwrap().values().all(Value::is_string), "{line}");
        entry
    };
    stderr.split_terminator('\n').map(entry).collect()
}

fn of<'a>(entries: &'a [Value], message: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["message"].as_str().unwrap().contains(message)).collect()
}

/// Asserts that each line of a run has the labels of the run and its pipeline.
#[track_caller]
fn assert_all_of(entries: &[Value], run_id: &Value) {
    for entry in entries {
        let labels = &entry[LABELS];
        assert_eq!((&labels["run_id"], &labels["pipeline"]), (run_id, &json!("aws")), "{entry}");
        assert_eq!((&labels["execution"], &labels["attempt"]), (&json!("finops-aws-x7k2p"), &json!("0")), "{entry}");
    }
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "1"])
}

fn broken_october() -> Delivery {
    let mut broken = Delivery::new("2025-10", "second", &["1"]);
    "free".clone_into(&mut broken.rows[0][7]);
    broken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_a_failed_month_is_logged_with_labels_and_ends_with_a_summary_of_severity_error() {
    let job = CloudJob::new(&[september(), broken_october()]).await;
    let outcome = in_cloud_run(&job.finops).run(&["run", "--output", "json"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let (report, entries) = (report(&outcome), entries(&outcome.stderr));
    assert_all_of(&entries, &report["run_id"]);

    let done = of(&entries, "month replaced");
    assert_eq!(done.len(), 1, "{}", outcome.stderr);
    let labels = json!({
        "run_id": report["run_id"], "pipeline": "aws", "export": REPORT, "billing_period": "2025-09",
        "execution_id": "first", "job_id": "finops-billing-aws_cur-202509-1",
        "execution": "finops-aws-x7k2p", "attempt": "0",
    });
    assert_eq!((&done[0][LABELS], &done[0]["rows"]), (&labels, &json!(2)));

    let errors: Vec<&Value> = entries.iter().filter(|entry| entry["severity"] == "ERROR").collect();
    assert_eq!(errors.len(), 2, "{}", outcome.stderr);
    let (failed, error) = (errors[0], &month(&report, "2025-10")["error"]);
    for key in ["message", "kind", "hint"] {
        assert_eq!(failed[key], error[key], "{key}");
    }
    let labels = &failed[LABELS];
    assert_eq!((&labels["billing_period"], &labels["execution_id"]), (&json!("2025-10"), &json!("second")));
    assert_eq!((&labels["export"], &labels["job_id"]), (&json!(REPORT), &month(&report, "2025-10")["job_id"]));
    assert!(labels["job_id"].as_str().unwrap().starts_with("finops-billing-aws_cur-202510-"), "{failed}");

    let last = entries.last().unwrap();
    assert_eq!(last, errors[1]);
    let message = last["message"].as_str().unwrap();
    assert_names(message, &["run failed after ", "aws report: months: 1 loaded, 1 failed; 2 rows, 4.5 USD"]);
    assert_eq!((&last["loaded"], &last["failed"], &last["skipped"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!((&last["rows"], &last["cost"], last["seconds"].is_u64()), (&json!(2), &json!("4.5 USD"), true));
    assert!(last["kind"].is_string(), "{last}");
    assert_eq!(last["hint"], hint::SEE_LINES_BEFORE);
}

#[test]
fn a_stale_export_is_logged_as_its_alert_searches_for_it() {
    let job = LocalJob::new(&[september()]);
    for (key, _) in september().files() {
        let file = File::options().write(true).open(job.source.join(REPORT).join(key)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    let outcome = in_cloud_run(&job.finops.clone().with("MAX_AGE_HOURS", "72")).run(&["run", "--output", "json"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let entries = entries(&outcome.stderr);
    let stale = of(&entries, "the newest delivery is of ");
    assert_eq!((&stale[0]["severity"], &stale[0]["kind"]), (&json!("ERROR"), &json!("stale")), "{}", outcome.stderr);
    let alert = include_str!("../../../deploy/alert-stale.json");
    assert_names(alert, &[r#"severity = ERROR AND jsonPayload.kind = \"stale\""#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successful_run_ends_with_a_summary_of_severity_info() {
    let job = CloudJob::new(&[september()]).await;
    let finops = in_cloud_run(&job.finops);
    for (summary, loaded, skipped) in
        [("aws report: months: 1 loaded; 2 rows, 4.5 USD", 1, 0), ("aws report: months: 1 skipped", 0, 1)]
    {
        let outcome = finops.run(&["run", "--output", "json"]);
        let entries = entries(&outcome.stderr);
        assert_all_of(&entries, &report(&outcome)["run_id"]);
        let last = entries.last().unwrap();
        assert_eq!((outcome.code, &last["severity"]), (0, &json!("INFO")), "{}", outcome.stderr);
        assert!(last["message"].as_str().unwrap().ends_with(summary), "{last}");
        assert_eq!((&last["loaded"], &last["skipped"]), (&json!(loaded), &json!(skipped)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_requests_for_a_month_are_logged_with_that_month() {
    let job = CloudJob::new(&[september()]).await;
    job.emulator.add_fault(Fault {
        method: "POST".to_owned(),
        path_contains: "/jobs".to_owned(),
        // After the dry run of the record.
        after: 1,
        times: 1,
        kind: FaultKind::Status(503, "backendError".to_owned()),
        when: When::BeforeEffect,
    });
    let outcome = in_cloud_run(&job.finops).run(&["run"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let entries = entries(&outcome.stderr);
    let again = of(&entries, "sent again");
    assert_eq!(again.len(), 1, "{}", outcome.stderr);
    assert_eq!((&again[0]["method"], &again[0][LABELS]["billing_period"]), (&json!("jobs.insert"), &json!("2025-09")));
    assert_names(again[0]["failure"].as_str().unwrap(), &["503 backendError"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stopped_by_a_signal_logs_its_run_id_and_the_jobs_that_it_began() {
    let (swap, job) = ("finops-billing-aws_cur-202509-1", CloudJob::new(&[september()]).await);
    job.emulator.hold_jobs(swap);
    let mut run = in_cloud_run(&job.finops).spawn();
    until(|| !copy_jobs(&job.emulator).is_empty()).await;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let status = tokio::task::block_in_place(|| {
        let mut log = run.stderr.take().unwrap();
        // The answer to the insert may still be on its way.
        let mut byte = [0];
        while !stderr.contains(&format!("{swap}\"")) && log.read(&mut byte).unwrap() > 0 {
            stderr.push(char::from(byte[0]));
        }
        assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
        log.read_to_string(&mut stderr).unwrap();
        run.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        run.wait().unwrap()
    });
    assert_eq!((status.code(), stdout.as_str()), (Some(143), ""), "{stderr}");
    let entries = entries(&stderr);
    let (began, last) = (of(&entries, "job started"), entries.last().unwrap());
    assert!(began.iter().all(|entry| entry[LABELS]["billing_period"] == "2025-09"), "{began:?}");
    let [staged, swapped] = [0, 1].map(|at| began[at][LABELS]["job_id"].as_str().unwrap());
    assert!(staged.starts_with("finops-billing-aws_cur-202509-finops_staging_202509_"), "{staged}");
    assert_eq!((swapped, began.len()), (swap, 2));
    assert_names(last["message"].as_str().unwrap(), &["stopped by a signal"]);
    assert_eq!(last["severity"], "WARNING");
    assert!(last[LABELS]["run_id"].is_string());
    assert_all_of(&entries, &last[LABELS]["run_id"]);
    job.emulator.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_from_outside_do_not_break_lines_and_are_cut() {
    let said = format!("no\r\n{{\"severity\":\"INFO\"}}\u{2028}\u{85}\u{1b}[31m {}", "x".repeat(500_000));
    let body = json!({"error": {"code": 403, "message": said, "errors": [{"reason": "accessDenied"}]}});
    // The load of the files, and the swap, after the dry run of the record.
    for (after, doing) in [(1, "staging the files of 2025-09 for"), (2, "loading 2025-09 into")] {
        let job = CloudJob::new(&[september()]).await;
        job.emulator.add_fault(Fault {
            method: "POST".to_owned(),
            path_contains: "/jobs".to_owned(),
            after,
            times: 1,
            kind: FaultKind::Answer { status: 403, headers: Vec::new(), body: body.to_string() },
            when: When::BeforeEffect,
        });
        let outcome = in_cloud_run(&job.finops).run(&["run"]);
        assert_eq!(outcome.code, 1);
        let entries = entries(&outcome.stderr);
        let error = of(&entries, &format!("{doing} demo.billing.aws_cur failed: no"))[0];
        let message = error["message"].as_str().unwrap();
        assert!(message.chars().count() < 10_000 && message.ends_with("..."), "{}", message.len());
        assert!(!outcome.stderr.contains(['\r', '\u{2028}', '\u{85}', '\u{1b}']));
        assert_eq!((&error["severity"], &error["kind"]), (&json!("ERROR"), &json!("permission")));
    }
}

#[test]
fn any_filter_keeps_the_labels() {
    let job = LocalJob::new(&[september(), broken_october()]);
    let outcome = in_cloud_run(&job.finops).with("RUST_LOG", "error").run(&["run", "--output", "json"]);
    let entries = entries(&outcome.stderr);
    assert_eq!((outcome.code, entries.len()), (1, 2), "{}", outcome.stderr);
    assert_all_of(&entries, &report(&outcome)["run_id"]);
    assert_eq!(entries[0][LABELS]["billing_period"], "2025-10");
}

#[test]
fn an_empty_or_invalid_filter_keeps_the_summary_and_that_of_a_plan() {
    let job = LocalJob::new(&[september()]);
    for filter in ["", "[", "info"] {
        let outcome = in_cloud_run(&job.finops).with("RUST_LOG", filter).run(&["plan"]);
        let entries = entries(&outcome.stderr);
        assert_eq!(of(&entries, "months: 1 to load").len(), 1, "{filter}: {}", outcome.stderr);
    }
}

#[test]
fn a_lost_log_does_not_end_a_run_and_a_lost_report_does() {
    let job = LocalJob::new(&[september()]);
    let finops = job.finops.clone().with("RUST_LOG", "info");
    for finops in [finops.clone(), in_cloud_run(&finops)] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(finops.command(&["run"]).stderr(full).status().unwrap().code(), Some(0));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = finops.command(&["run"]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_names(&String::from_utf8_lossy(&output.stderr), &[hint::OUTPUT_FULL]);
    }
}

#[test]
fn problems_of_the_configuration_and_of_the_command_line_are_logged() {
    let finops = in_cloud_run(&Finops::unconfigured());
    for (arguments, kind, says, hint) in [
        (&["run"][..], "configuration", "PIPELINE is not set", hint::SHOW_CONFIG),
        (&["run", "--al"], "usage", "'--al'", hint::SHOW_HELP),
    ] {
        let outcome = finops.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
        let entries = entries(&outcome.stderr);
        assert_eq!((entries.len(), &entries[0]["severity"], &entries[0]["kind"]), (1, &json!("ERROR"), &json!(kind)));
        assert_names(entries[0]["message"].as_str().unwrap(), &[says]);
        assert_eq!(entries[0]["hint"], hint);
    }
    assert_names(&finops.run(&["--help"]).stdout, &["Usage: finops"]);
}
