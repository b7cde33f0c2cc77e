//! `s3://` as a source, with moto_server instead of S3.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use finops::storage::{Object, ReadRange, S3, S3Options, Store};
use finops_core::hint;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    program::{BUCKET, Finops, assert_names, each, month},
    tables::in_duckdb,
    tree::{Delivery, REPORT},
};

/// The secret of its access key `test`.
pub const SECRET: &str = "not-to-be-printed";

/// A moto_server with an empty bucket; dropping it ends it.
pub struct S3Server {
    process: Child,
    /// Where it listens.
    pub url: String,
    client: Client,
    log: Arc<Mutex<Vec<String>>>,
}

impl S3Server {
    /// Starts one.
    pub async fn start() -> Self {
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/moto/bin/moto_server");
        assert!(binary.exists(), "there is no {}: run `make servers`", binary.display());
        // The port is free when it is chosen; when another process takes it first, the server ends and the next is tried.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut process = Command::new(&binary)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
            // It prints this when it listens.
            if lines.any(|line| line.contains("Running on")) {
                let log = Arc::new(Mutex::new(Vec::new()));
                let written = Arc::clone(&log);
                thread::spawn(move || lines.for_each(|line| written.lock().unwrap().push(line)));
                let url = format!("http://127.0.0.1:{port}");
                let client = client(&url);
                client.create_bucket().bucket(BUCKET).send().await.unwrap();
                return Self { process, url, client, log };
            }
            process.wait().unwrap();
        }
        panic!("moto_server does not start on any of 20 ports");
    }

    /// Uploads an object.
    pub async fn put(&self, key: String, bytes: Vec<u8>) {
        self.client.put_object().bucket(BUCKET).key(key).body(bytes.into()).send().await.unwrap();
    }

    /// Deletes an object.
    pub async fn delete(&self, key: &str) {
        self.client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }

    /// Uploads the files of the folder, below `cur`.
    pub async fn upload(&self, folder: &Path) {
        for path in files(folder) {
            let key = format!("cur/{}", path.strip_prefix(folder).unwrap().to_str().unwrap());
            self.put(key, fs::read(&path).unwrap()).await;
        }
    }

    /// The program, from this server's bucket into a DuckDB file.
    pub fn finops(&self, database: &Path) -> Finops {
        finops(&self.url, database)
    }

    /// Takes the requests since the last call from the log, one line a request.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// The list requests in the log.
    fn listings(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains("list-type=2")).cloned().collect()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The test's bucket on the server at the URL.
pub async fn store(url: &str) -> Store {
    let options = S3Options {
        access_key_id: Some("test".to_owned()),
        secret_access_key: Some(SECRET.to_owned().into()),
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(url.to_owned()),
        ..S3Options::default()
    };
    Store::S3(Box::new(S3::connect(BUCKET, &options).await.unwrap()))
}

fn client(url: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .force_path_style(true)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", SECRET, None, None, "tests"));
    Client::from_conf(config.build())
}

fn finops(url: &str, database: &Path) -> Finops {
    Finops::local(Path::new(""), database)
        .with("AWS_SOURCE", &format!("s3://{BUCKET}/cur"))
        .with("AWS_ENDPOINT_URL", url)
        .with("AWS_ACCESS_KEY_ID", "test")
        .with("AWS_SECRET_ACCESS_KEY", SECRET)
}

/// All files of a folder, at any depth.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A server with the same answer to every request.
fn answering(answer: String) -> String {
    answering_first(answer.clone(), answer)
}

/// A server with another answer to the first request.
fn answering_first(first: String, answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let answers = std::iter::once(first).chain(std::iter::repeat(answer));
        for (mut stream, answer) in listener.incoming().map_while(Result::ok).zip(answers) {
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

fn answer(status: &str, header: &str, code: &str, message: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// The error of a run that fails before it has months. Asserts that no secret is printed.
fn error(finops: &Finops, code: i32) -> Value {
    let outcome = finops.run(&["run", "--output", "json"]);
    assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
    assert!(!outcome.stdout.contains(SECRET) && !outcome.stderr.contains(SECRET), "{}", outcome.stderr);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    report["pipelines"][0]["error"].clone()
}

fn assert_error(error: &Value, kind: &str, message: &[&str], hint: &str) {
    assert_eq!(error["kind"], kind, "{error:#}");
    assert_names(error["message"].as_str().unwrap(), message);
    assert_names(error["hint"].as_str().unwrap(), &[hint]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_exports_load_from_s3_into_duckdb_with_the_expected_figures() {
    let (server, folder) = (S3Server::start().await, TempDir::new().unwrap());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/aws");
    server.upload(&examples.join("first/cur")).await;
    let database = folder.path().join("finops.duckdb");
    let finops = server.finops(&database);

    let report = finops.report(0);
    let expected: Value = serde_json::from_slice(&fs::read(examples.join("first.expected.json")).unwrap()).unwrap();
    for (billing_period, expected) in expected.as_object().unwrap() {
        let month = month(&report, billing_period);
        assert_eq!(month["status"], "loaded", "{report:#}");
        for (key, other) in [("rows", "rows"), ("files", "files"), ("cost", "unblended_cost")] {
            assert_eq!(month[key], expected[other], "{key} of {billing_period}");
        }
        let (rows, cost) = in_duckdb(&database)[billing_period].clone();
        assert_eq!(
            (Value::from(rows), Value::from(cost)),
            (expected["rows"].clone(), expected["unblended_cost"]["USD"].clone())
        );
    }
    assert_eq!(each(&report, "status").len(), expected.as_object().unwrap().len());

    let again = finops.report(0);
    assert_eq!(again["pipelines"][0]["status"], "nothing_to_do");
    assert_eq!(each(&again, "status"), ["skipped"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_thousand_objects_are_listed_page_by_page_without_other_folders() {
    let (server, folder) = (S3Server::start().await, TempDir::new().unwrap());
    let source = folder.path().join("cur");
    Delivery::new("2025-09", "assembly", &["1.5", "2"]).write(&source);
    server.upload(&source).await;
    let month_folder = format!("cur/{REPORT}/20250901-20251001");
    // Before the report's own files in the order of a listing.
    let strangers = (0..1_005).map(|number| server.put(format!("{month_folder}/assembly/0-{number}"), vec![b'x']));
    stream::iter(strangers).buffer_unordered(8).collect::<Vec<()>>().await;
    server.put(format!("{month_folder}/older-assembly/{REPORT}-Manifest.json"), b"{}".to_vec()).await;

    let report = server.finops(&folder.path().join("finops.duckdb")).report(0);

    assert_eq!(month(&report, "2025-09")["status"], "loaded", "{report:#}");
    assert_eq!(month(&report, "2025-09")["cost"]["USD"], "3.5");
    let listings = server.listings();
    assert!(listings.iter().all(|line| line.contains("delimiter=/")), "{listings:#?}");
    assert!(!listings.iter().any(|line| line.contains("older-assembly")), "{listings:#?}");
    assert!(listings.iter().any(|line| line.contains("continuation-token=")), "{listings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_named() {
    let (server, folder) = (S3Server::start().await, TempDir::new().unwrap());
    let finops = server.finops(&folder.path().join("finops.duckdb")).with("AWS_SOURCE", "s3://biling/cur");
    assert_error(&error(&finops, 1), "not_found", &["s3://biling/cur", "NoSuchBucket"], "`biling`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_an_error_within_seconds() {
    let folder = TempDir::new().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let finops = finops(&format!("http://127.0.0.1:{port}"), &folder.path().join("finops.duckdb"));
    let start = Instant::now();
    assert_error(
        &error(&finops, 1),
        "storage",
        &[&format!("no answer for s3://{BUCKET}/cur: "), "refused"],
        hint::S3_UNREACHABLE,
    );
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_region_the_region_is_the_first_thing_to_set() {
    let folder = TempDir::new().unwrap();
    // No server is behind this proxy.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let without = finops("", &folder.path().join("finops.duckdb"))
        .without("AWS_ENDPOINT_URL")
        .with("HOME", folder.path().to_str().unwrap())
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .with("HTTPS_PROXY", &format!("http://{closed}"));
    let asked = format!("no answer for s3://{BUCKET}/cur: ");
    assert_error(&error(&without, 1), "storage", &[&asked], hint::S3_WITHOUT_REGION);
    assert_error(&error(&without.with("AWS_REGION", "eu-west-1"), 1), "storage", &[&asked], hint::S3_UNREACHABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_are_named_before_the_first_request() {
    let folder = TempDir::new().unwrap();
    let finops = finops("http://127.0.0.1:9", &folder.path().join("finops.duckdb"))
        .without("AWS_ACCESS_KEY_ID")
        .with("AWS_EC2_METADATA_DISABLED", "true");
    let outcome = finops.run(&["run"]);
    assert_eq!(outcome.code, 1);
    let tried = "AWS_ACCESS_KEY_ID is not set, the profile `default` gives none, and no role of this machine does";
    let said = format!("no usable AWS credentials for s3://{BUCKET}: {tried}; the last error: ");
    assert_names(&outcome.stderr, &[&said, hint::AWS_CREDENTIALS]);
    let outcome = finops.with("AWS_PROFILE", "no-such").run(&["run"]);
    assert_names(&outcome.stderr, &["the profile `no-such` (AWS_PROFILE) gives none"]);
    assert!(outcome.stderr.lines().all(|line| line.len() < 400), "{}", outcome.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_root_certificates_the_error_says_so() {
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("certificates.pem");
    fs::write(&empty, "").unwrap();
    let finops = finops("http://127.0.0.1:9", &folder.path().join("finops.duckdb"))
        .with("SSL_CERT_FILE", empty.to_str().unwrap())
        .with("SSL_CERT_DIR", folder.path().to_str().unwrap());
    let outcome = finops.run(&["run"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["no root certificates", hint::ROOT_CERTIFICATES]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_refused_as_one_without_a_header() {
    let (server, folder) = (S3Server::start().await, TempDir::new().unwrap());
    let source = folder.path().join("cur");
    let delivery = Delivery::new("2025-09", "assembly", &["1.5"]);
    delivery.write(&source);
    fs::write(delivery.data_path(&source, 0), "").unwrap();
    server.upload(&source).await;
    let report = server.finops(&folder.path().join("finops.duckdb")).report(1);
    assert_eq!(month(&report, "2025-09")["error"]["kind"], "data", "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_names_the_region_of_a_bucket_in_another_one() {
    let folder = TempDir::new().unwrap();
    let header = "x-amz-bucket-region: eu-west-1\r\n";
    let url = answering(answer("301 Moved Permanently", header, "PermanentRedirect", "use another endpoint"));
    let error = error(&finops(&url, &folder.path().join("finops.duckdb")), 2);
    assert_error(&error, "configuration", &["another region"], &hint::aws_region("eu-west-1"));
}

#[test]
fn a_refusal_of_s3_says_what_to_change() {
    let folder = TempDir::new().unwrap();
    for (status, code, exit, kind, hint) in [
        ("301 Moved Permanently", "PermanentRedirect", 2, "configuration", hint::AWS_REGION),
        ("403 Forbidden", "InvalidAccessKeyId", 1, "credentials", hint::RENEW_CREDENTIALS),
    ] {
        let url = answering(answer(status, "", code, "no"));
        assert_error(&error(&finops(&url, &folder.path().join("finops.duckdb")), exit), kind, &[code], hint);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_ranges_is_refused() {
    let head = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
    let store = store(&answering(format!("{head}0123456789"))).await;
    let (checksum, version) = (None, Some("e".to_owned()));
    let object = Object { key: "k".to_owned(), bytes: 10, updated: Timestamp::UNIX_EPOCH, checksum, version };
    let error = store.read(&object, ReadRange::First(4)).await.unwrap_err();
    assert_eq!(error.next_step(), Some(hint::NEEDS_RANGES), "{}", error.full_message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_repeated_after_too_many_requests() {
    let folder = TempDir::new().unwrap();
    let busy = answer("429 Too Many Requests", "", "", "");
    let url = answering_first(busy.clone(), answer("403 Forbidden", "", "AccessDenied", "Access Denied"));
    let database = folder.path().join("finops.duckdb");
    assert_error(&error(&finops(&url, &database), 1), "permission", &["AccessDenied"], "s3:ListBucket");
    let error = error(&finops(&answering(busy), &database), 1);
    assert_error(&error, "storage", &["returned status 429"], hint::RUN_AGAIN_LATER);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_names_the_missing_permission() {
    let folder = TempDir::new().unwrap();
    let url = answering(answer("403 Forbidden", "", "AccessDenied", "Access Denied"));
    let error = error(&finops(&url, &folder.path().join("finops.duckdb")), 1);
    assert_error(&error, "permission", &["s3://", "AccessDenied"], &hint::allow_s3(BUCKET));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_depends_on_the_code_of_the_refusal() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("finops.duckdb");
    for (code, message, kind, said, hint) in [
        (
            "AccessDenied",
            "not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111111111111:key/1",
            "permission",
            "no permission to decrypt",
            hint::ALLOW_DECRYPT,
        ),
        (
            "AccessDenied",
            "The ciphertext refers to a customer master key that does not exist",
            "permission",
            "no permission to decrypt",
            hint::ALLOW_DECRYPT,
        ),
        ("AccessDenied", "Access Denied", "permission", "no permission to read", "Requester Pays is off"),
        ("RequestTimeTooSkewed", "The difference is too large", "credentials", "the clock", hint::SET_CLOCK),
        ("ExpiredToken", "The provided token has expired.", "credentials", "are not accepted", hint::SIGN_IN),
        ("InvalidObjectState", "storage class", "archived", "is archived", hint::RESTORE_ARCHIVED),
    ] {
        let url = answering(answer("403 Forbidden", "", code, message));
        assert_error(&error(&finops(&url, &database), 1), kind, &[said, code], hint);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_an_expired_sign_in_has_the_command_that_renews_it() {
    let folder = TempDir::new().unwrap();
    let profile = "[profile billing]\nsso_session = s\nsso_account_id = 111111111111\nsso_role_name = r\nregion = us-east-1\n\
                   [sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.com/start\n";
    let path = folder.path().join("config");
    fs::write(&path, profile).unwrap();
    let finops = finops("http://127.0.0.1:9", &folder.path().join("finops.duckdb"))
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .with("HOME", folder.path().to_str().unwrap())
        .with("AWS_CONFIG_FILE", path.to_str().unwrap())
        .with("AWS_PROFILE", "billing");
    let outcome = finops.run(&["run"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["no usable AWS credentials for s3://", hint::SIGN_IN]);
}
