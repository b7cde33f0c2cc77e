//! Files and services with hostile texts: they forge no line, fill no log, and do not use all memory.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

use crate::support::{
    jobs::LocalJob,
    program::{Finops, Outcome, assert_names, each, month},
    tree::{Delivery, gzip, write},
};

/// A long text that looks like a line of finops.
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
fn names_of_manifests_and_folders_are_cut_and_have_one_line() {
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

/// A server that refuses every request with a message of its own. Returns its URL.
pub fn refusing(message: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = json!({"error": {"code": 403, "message": message, "errors": [{"reason": "accessDenied"}]}}).to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let body = body.clone();
            std::thread::spawn(move || refuse(&connection.unwrap(), &body));
        }
    });
    url
}

fn refuse(connection: &TcpStream, body: &str) -> std::io::Result<()> {
    let mut request = BufReader::new(connection.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while request.read_line(&mut line)? > 2 {
        let header = line.to_ascii_lowercase();
        length = header.strip_prefix("content-length:").map_or(length, |length| length.trim().parse().unwrap());
        line.clear();
    }
    request.take(length).read_to_end(&mut Vec::new())?;
    let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let mut connection = connection;
    connection.write_all(format!("{head}{body}").as_bytes())
}

#[test]
fn answers_of_services_are_cut_and_have_one_line() {
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

/// The report of a run, and its peak memory.
fn report_and_memory(finops: &Finops) -> (Value, u64) {
    const WAIT: &str = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); \
                        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)";
    let mut python = Command::new("python3");
    python.args(["-c", WAIT]).arg(cargo_bin!("finops")).args(["run", "--output", "json"]);
    let output = python.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(finops.environment()).output();
    let output = output.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let kilobytes: u64 = stderr.lines().last().unwrap().parse().unwrap_or_else(|_| panic!("{stderr}"));
    (serde_json::from_slice(&output.stdout).unwrap(), kilobytes << 10)
}

#[test]
fn headers_that_inflate_without_end_fail_their_month_alone_and_need_little_memory() {
    for (bomb, what) in
        [(",", "its header has more than 10000 columns"), ("x", "its header is longer than 4194304 bytes")]
    {
        let broken = Delivery::new("2025-09", "first", &["1"; 8]).in_parts(8);
        let job = LocalJob::new(&[broken.clone(), Delivery::new("2025-08", "first", &["2"])]);
        let bomb = gzip(bomb.repeat(9 << 20).as_bytes());
        assert!(bomb.len() < 64 << 10, "it is read at once");
        (0..8).for_each(|part| write(&broken.data_path(&job.source, part), &bomb));
        let (report, memory) = report_and_memory(&job.finops);
        assert_eq!(each(&report, "status"), ["failed", "loaded"], "{report:#}");
        let error = &month(&report, "2025-09")["error"];
        assert_eq!(error["kind"], "data");
        assert_names(error["message"].as_str().unwrap(), &["report-0000", what]);
        assert!(memory < 200_000_000, "{memory} bytes");
    }
}
