//! `.env` of the working directory, names that may be misspelt, and what programs read if the configuration is wrong.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Finops, assert_names};

const WORKING: &str = "\
# finops
GCP_PROJECT_ID=example-project
AWS_GCS_BUCKET=billing-mirror # the mirror
AWS_GCS_PREFIX='a b'
export AWS_DATASET=billing
AWS_TABLE_NAME=aws_cur
GCP_REGION=us-central1
AWS_SCHEDULE=\"0 6 * * *\"
";

/// A folder with this `.env`, and the program in it.
fn with_file(text: &[u8]) -> (TempDir, Finops) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), text).unwrap();
    let finops = Finops::unconfigured().within(folder.path());
    (folder, finops)
}

/// The value and the origin of a setting in `finops config`.
fn setting(finops: &Finops, name: &str) -> [String; 2] {
    let settings = finops.report_of(&["config", "--output", "json"], 0);
    let found = settings.as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap();
    ["value", "origin"].map(|key| found[key].as_str().unwrap().to_owned())
}

#[test]
fn the_environment_replaces_the_file_and_the_file_the_default() {
    let (_folder, finops) = with_file(format!("{WORKING}WAIT_MAX_HOURS=12\nFINOPS_AWS_BUCKET=b\n").as_bytes());
    assert_eq!(setting(&finops, "AWS_GCS_BUCKET"), ["billing-mirror", ".env"]);
    assert_eq!(setting(&finops, "AWS_GCS_PREFIX"), ["a b", ".env"]);
    assert_eq!(setting(&finops, "aws.bucket"), ["b", ".env"]);
    assert_eq!(setting(&finops, "LOAD_CONCURRENCY"), ["24", "default"]);
    let finops = finops.with("AWS_GCS_BUCKET", "other").with("WAIT_MAX_HOURS", "").with("FINOPS_AWS_BUCKET", "c");
    assert_eq!(setting(&finops, "AWS_GCS_BUCKET"), ["other", "environment"]);
    assert_eq!(setting(&finops, "WAIT_MAX_HOURS"), ["48", "default"]);
    assert_eq!(setting(&finops, "aws.bucket"), ["c", "environment"]);
    assert_names(&finops.prints(&["config"]), &["  a b ", " .env\n"]);
}

#[test]
fn a_cloud_run_job_does_not_read_the_file() {
    let (_folder, finops) = with_file(WORKING.as_bytes());
    let stderr = finops.with("CLOUD_RUN_JOB", "finops-aws").run(&["plan"]).stderr;
    assert_names(&stderr, &["PIPELINE is not set", "(looked in: command line, environment)"]);
}

#[test]
fn a_broken_file_is_an_error_that_names_the_line_and_not_the_value() {
    for (text, line) in [
        (&b"A=1\nAWS_TABLE_NAME=SECRET SECRET\n"[..], ".env line 2: AWS_TABLE_NAME: contains spaces"),
        (b"AWS_TABLE_NAME=\"$SECRET\"", ".env line 1: AWS_TABLE_NAME: contains $, which a shell would change"),
        (b"# a\n\nSECRET\n", ".env line 3: expected KEY=value"),
        (b"A=1\nA=SECRET\n", ".env line 2: A is already set in line 1"),
        (b"A=1\nB=SECRET\xff\n", ".env line 2: is not UTF-8 text"),
    ] {
        let (_folder, finops) = with_file(text);
        for command in ["run", "plan", "status", "check", "config"] {
            let outcome = finops.run(&[command]);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
            assert_names(&outcome.stderr, &[line, "(looked in: .env)"]);
            assert!(!outcome.stderr.contains("SECRET"), "{}", outcome.stderr);
        }
        assert_eq!(finops.run(&["completions", "bash"]).code, 0);
    }
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join(".env")).unwrap();
    let outcome = Finops::unconfigured().within(folder.path()).run(&["run"]);
    assert_names(&outcome.stderr, &["PIPELINE is not set"]);
    assert!(!outcome.stderr.contains("cannot be read"), "{}", outcome.stderr);
}

#[test]
fn the_library_of_aws_reads_its_variables_from_the_file() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let request = std::thread::spawn(move || {
        let (mut connection, _) = server.accept().unwrap();
        let mut request = [0; 4096];
        let length = connection.read(&mut request).unwrap();
        connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let (_folder, finops) = with_file(
        "WAREHOUSE=duckdb\nAWS_SOURCE=S3A://bucket/cur\nAWS_DATASET=billing\nAWS_TABLE_NAME=aws_cur\n\
         AWS_REGION=eu-west-1\nAWS_SECRET_ACCESS_KEY=secret\nAWS_ACCESS_KEY_ID=AKIAFROMFILE\n"
            .as_bytes(),
    );
    let finops = finops.with("AWS_REGION", "eu-central-1").with("AWS_ENDPOINT_URL", &format!("http://{address}"));
    let outcome = finops.run(&["plan"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert_names(&request.join().unwrap(), &["AKIAFROMFILE/", "/eu-central-1/s3"]);
}

#[test]
fn the_file_chooses_no_server_and_no_program_for_credentials() {
    let (folder, finops) = with_file(
        "WAREHOUSE=duckdb\nAWS_SOURCE=s3://bucket/cur\nAWS_DATASET=billing\nAWS_TABLE_NAME=aws_cur\nAWS_REGION=eu-west-1\n\
         AWS_CONFIG_FILE=config\nAWS_PROFILE=evil\n"
            .as_bytes(),
    );
    // A free port: nothing answers.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = "[profile evil]\ncredential_process = touch ran\n";
    fs::write(folder.path().join("config"), config).unwrap();
    let nowhere =
        finops.with("AWS_ENDPOINT_URL", &format!("http://{address}")).with("AWS_EC2_METADATA_DISABLED", "true");
    assert_eq!(nowhere.run(&["plan"]).code, 1);
    assert!(!folder.path().join("ran").exists());
    nowhere.with("AWS_CONFIG_FILE", "config").run(&["plan"]);
    assert!(folder.path().join("ran").exists(), "the test has no program that could run");
}

/// The `.env` of the original in Python. The variables are those of its Makefile.
const ORIGINAL: &str = "\
# GCP
GCP_PROJECT_ID=acme-billing
GCP_REGION=us-central1
ARTIFACT_REGISTRY_REPO=finops-pipelines
IMAGE_NAME=billing-pipeline
IMAGE_TAG=latest

AWS_GCS_BUCKET=acme-billing-mirror
AWS_GCS_PREFIX=aws
AWS_EXPORT_NAME=daily
AWS_DATASET=billing
AWS_TABLE_NAME=aws_billing
AWS_SCHEDULE=\"0 2 * * *\"

AZURE_GCS_BUCKET=acme-billing-mirror
AZURE_GCS_PREFIX=azure
AZURE_EXPORT_NAME=focus
AZURE_DATASET=billing
AZURE_TABLE_NAME=azure_billing
AZURE_SCHEDULE=\"0 3 * * *\"

MEMORY=2Gi
CPU=1
TIMEOUT=1h
MAX_RETRIES=2
";

#[test]
fn the_file_of_the_original_works_untouched() {
    let (folder, finops) = with_file(ORIGINAL.as_bytes());
    let settings = finops.prints(&["config", "--output", "json"]);
    assert!(!settings.contains("IMAGE_TAG"), "{settings}");
    assert_eq!(setting(&finops, "AZURE_TABLE_NAME"), ["azure_billing", ".env"]);
    let file = folder.path().join(".env");
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/render.py");
    let mut render = std::process::Command::new("python3");
    render.env("PYTHONDONTWRITEBYTECODE", "1").arg(deploy).arg(file).arg("shell");
    let output = render.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    assert_names(&stdout, &["pipelines='aws azure'\n", "unused=''\n", "image_name=billing-pipeline\n"]);
    let half = ORIGINAL.replace("AZURE_DATASET=billing\n", "");
    let (_folder, finops) = with_file(half.as_bytes());
    let outcome = finops.run(&["plan"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stderr, &["has 1 problem:\n", "AZURE_DATASET is not set"]);
}

#[test]
fn without_any_export_one_error_lists_what_is_required() {
    let outcome = Finops::unconfigured().run(&["run"]);
    assert_eq!(outcome.code, 2);
    let aws = "AWS_GCS_BUCKET (or AWS_SOURCE), AWS_DATASET and AWS_TABLE_NAME";
    let required = ["GCP_PROJECT_ID is not set", "PIPELINE is not set", aws, &aws.replace("AWS", "AZURE")];
    assert_names(&outcome.stderr, &[&required[..], &["`finops init`", ".env.example", "has 2 problems:"]].concat());
}

#[test]
fn a_misspelt_name_is_reported_whatever_else_is_wrong() {
    let named = "AWS_TABLE is not read: did you mean AWS_TABLE_NAME?";
    let (_folder, missing) = with_file(WORKING.replace("AWS_TABLE_NAME=", "AWS_TABLE=").as_bytes());
    for command in ["run", "plan", "status", "check", "config"] {
        let outcome = missing.run(&[command]);
        assert_eq!(outcome.code, 2);
        assert_names(&outcome.stderr, &["has 2 problems:", "AWS_TABLE_NAME is not set", named]);
    }
    let (_folder, complete) = with_file(WORKING.as_bytes());
    let complete = complete.with("MAX_AGE", "72").with("AWS_PROFILE", "billing").with("AWS_TABLE", "t");
    let outcome = complete.run(&["config"]);
    assert_eq!((outcome.code, outcome.stderr.trim()), (0, "WARN MAX_AGE is not read: did you mean MAX_AGE_HOURS?"));
    let staged = Finops::unconfigured().with("FINOPS_AWS_BUKET", "b").run(&["aws", "discover-manifests"]);
    assert_names(&staged.stderr, &["FINOPS_AWS_BUKET is not read: did you mean FINOPS_AWS_BUCKET?"]);
}

#[test]
fn placeholders_of_the_example_are_refused() {
    let example = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    let (_folder, finops) = with_file(&example);
    for command in ["run", "plan", "check"] {
        let outcome = finops.run(&[command]);
        assert_eq!(outcome.code, 2);
        let placeholders = [
            "GCP_PROJECT_ID is `your-project-id`, the placeholder of .env.example",
            "AWS_GCS_BUCKET is `your-billing-bucket`, the placeholder of .env.example",
        ];
        assert_names(&outcome.stderr, &[&placeholders[..], &["has 2 problems:"]].concat());
    }
}

#[test]
fn programs_read_the_problems_as_json() {
    let finops = Finops::unconfigured().with("AWS_SOURCE", "gs://b/p").with("GCP_PROJECT_ID", "p");
    let error = finops.with("AWS_TABLE_NAME", "t").report_of(&["run", "--output", "json"], 2);
    let expected = json!({
        "schema_version": 1,
        "error": {
            "kind": "configuration",
            "message": "the configuration has 1 problem",
            "hint": finops_core::hint::SHOW_CONFIG,
            "problems": [{
                "setting": "AWS_DATASET",
                "problem": "is not set: the BigQuery dataset, or DuckDB schema",
                "looked_in": ["environment", ".env"],
            }],
        },
    });
    assert_eq!(error, expected);
    let kind = |arguments: &[&str]| {
        let error: Value = Finops::unconfigured().report_of(arguments, 2);
        assert_eq!((&error["schema_version"], &error["error"]["problems"]), (&json!(1), &json!([])), "{error}");
        error["error"]["kind"].clone()
    };
    assert_eq!(kind(&["run", "--no-such-flag", "--output=json"]), "usage");
    assert_eq!(kind(&["aws", "discover-manifests", "--output", "json", "--config", "nowhere.toml"]), "configuration");
}

#[test]
fn the_case_of_a_pipeline_does_not_matter() {
    let (_folder, finops) = with_file(WORKING.as_bytes());
    assert_eq!(finops.with("PIPELINE", "AWS").run(&["config"]).code, 0);
}
