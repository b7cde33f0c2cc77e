//! Files and services that say what no provider says: nothing of it forges a line, fills a log, or takes all memory.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
};

use serde_json::json;

use crate::{
    jobs::LocalJob,
    program::{Finops, Outcome, assert_names, each, month},
    tree::Delivery,
};

/// What looks like a line of finops's own, and is long.
fn forged() -> String {
    format!("a\r\nhint: run rm\n{}", "x".repeat(100_000))
}

#[track_caller]
fn assert_harmless(outcome: &Outcome) {
    for line in outcome.stdout.lines().chain(outcome.stderr.lines()) {
        assert!(line.len() < 10_000, "{} bytes: {}", line.len(), &line[..200]);
        assert!(!line.trim_start().starts_with("hint: run rm"), "{}\n{}", outcome.stdout, outcome.stderr);
    }
}

#[test]
fn what_manifests_and_folders_are_called_stays_on_its_line_and_short() {
    let delivery = |month: &str| Delivery::new(month, "first", &["1"]);
    let range = json!({"start": forged(), "end": forged()});
    let broken = [
        delivery("2025-01").with_manifest("assemblyId", forged()),
        delivery("2025-02").with_manifest("billingPeriod", forged()),
        delivery("2025-03").with_manifest("billingPeriod", range),
        delivery("2025-04").with_manifest("reportName", forged()),
        delivery("2025-05").with_manifest("compression", forged()),
        Delivery { key_head: forged(), ..delivery("2025-06").with_manifest("columns", forged()) },
    ];
    let mut job = LocalJob::new(&broken);
    let above = job.source.with_file_name("b\nhint: run rm\nb");
    std::fs::rename(&job.source, &above).unwrap();
    job.source = above;
    let finops = job.finops.clone().with("AWS_SOURCE", job.source.to_str().unwrap());
    for command in [&["plan"][..], &["run"], &["run", "--output", "json"], &["check"]] {
        for finops in [finops.clone().with("RUST_LOG", "finops=trace"), finops.clone().with("CLOUD_RUN_JOB", "job")] {
            let outcome = finops.run(command);
            assert_eq!(outcome.code, 1, "{command:?} {}", outcome.stderr);
            assert_harmless(&outcome);
        }
    }
    let report = finops.report(1);
    assert_eq!(each(&report, "status"), ["refused"; 6], "{report:#}");
    let message = |of: &str| month(&report, of)["error"]["message"].as_str().unwrap().to_owned();
    assert_names(&message("2025-01"), &["its execution id is `a", "at most 1024 characters"]);
    assert_names(&message("2025-02"), &["invalid type: string", "... at line 1 column "]);
}

/// A server that refuses every request with a message of its own; gives its URL.
fn refusing(message: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = json!({"error": {"code": 403, "message": message, "errors": [{"reason": "accessDenied"}]}}).to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let body = body.clone();
            std::thread::spawn(move || refuse(connection.unwrap(), &body));
        }
    });
    url
}

fn refuse(connection: TcpStream, body: &str) -> std::io::Result<()> {
    let mut request = BufReader::new(connection.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while request.read_line(&mut line)? > 2 {
        let header = line.to_ascii_lowercase();
        length = header.strip_prefix("content-length:").map_or(length, |length| length.trim().parse().unwrap());
        line.clear();
    }
    request.take(length).read_to_end(&mut Vec::new())?;
    let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    (&connection).write_all(format!("{head}{body}").as_bytes())
}

#[test]
fn what_services_answer_stays_on_its_line_and_short() {
    let url = refusing(&forged());
    let finops = Finops::unconfigured()
        .with("PIPELINE", "aws")
        .with("GCP_PROJECT_ID", "p")
        .with("AWS_GCS_BUCKET", "b")
        .with("AWS_DATASET", "d")
        .with("AWS_TABLE_NAME", "t")
        .with("STORAGE_EMULATOR_HOST", &url)
        .with("RUST_LOG", "finops=trace");
    let local = LocalJob::new(&[]);
    let of_storage =
        local.finops.clone().without("AWS_SOURCE").with("AWS_GCS_BUCKET", "b").with("STORAGE_EMULATOR_HOST", &url);
    for finops in [finops.with("BIGQUERY_EMULATOR_HOST", &url), of_storage] {
        for command in [&["run"][..], &["plan", "--output", "json"], &["check"], &["check", "--output", "json"]] {
            let outcome = finops.run(command);
            assert_eq!(outcome.code, 1, "{command:?} {}", outcome.stderr);
            assert_names(&format!("{}{}", outcome.stdout, outcome.stderr), &["run rm x"]);
            assert_harmless(&outcome);
        }
    }
}
