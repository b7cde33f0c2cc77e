//! The staged pipeline from an S3 server to the BigQuery emulator.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    thread,
};

use billing_exports::{Delivered, Dialect, Export, Format, Run};
use finops_core::Amount;
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    flow::figures,
    staging::zones::make_older,
    storage::{
        s3::{S3Server, SECRET},
        store_requests::encrypting,
    },
    support::{
        program::{BUCKET, DATASET, Finops, TABLE, assert_names, each},
        servers::{BigQueryServer, PROJECT, bigquery_alone, call},
        tables::{in_bigquery, in_duckdb},
    },
};

struct Everything {
    folder: TempDir,
    s3: S3Server,
    bigquery: BigQueryServer,
    export: Export,
}

impl Everything {
    async fn new(export: Export) -> Self {
        let folder = TempDir::new().unwrap();
        let (s3, bigquery) = (S3Server::start().await, bigquery_alone().await);
        let config = format!(
            "[aws]\nbucket = \"{BUCKET}\"\nprefix = \"cur\"\nexport_name = \"{}\"\nendpoint_url = \"{}\"\n\
             aws_access_key_id = \"test\"\naws_secret_access_key = \"{SECRET}\"\nregion = \"us-east-1\"\n\
             table_id = \"{TABLE}\"\n[database.duckdb]\nschema = \"{DATASET}\"\n\
             [database.bigquery]\nproject_id = \"{PROJECT}\"\ndataset_id = \"{DATASET}\"\ntable_id = \"{TABLE}\"\n",
            export.name, s3.url
        );
        fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { folder, s3, bigquery, export }
    }

    fn finops(&self) -> Finops {
        Finops::unconfigured().within(self.folder.path()).with("BIGQUERY_EMULATOR_HOST", &self.bigquery.url())
    }

    /// Two months in the bucket, of the second the run of that number.
    async fn deliver(&self, number: u32) -> [Delivered; 2] {
        let to = self.folder.path().join(format!("delivered-{number}"));
        let [august, september] = ["2025-08", "2025-09"].map(|month| month.parse().unwrap());
        let delivered =
            [Run::of(august), Run::again(september, number)].map(|run| self.export.deliver(&to, &run).unwrap());
        self.s3.upload(&to).await;
        delivered
    }

    /// Each step's months, newest first.
    #[track_caller]
    fn run(&self) -> Vec<Vec<String>> {
        let outcome = self.finops().run(&["aws", "run-pipeline", "--output", "json"]);
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        assert!(!outcome.stdout.contains(SECRET) && !outcome.stderr.contains(SECRET));
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let status = |month: &Value| month["status"].as_str().unwrap().to_owned();
        let months = |step: &Value| step["months"].as_array().unwrap().iter().map(status).collect();
        report["pipelines"].as_array().unwrap().iter().map(months).collect()
    }

    /// What each step would do with each month, newest first.
    #[track_caller]
    fn planned(&self) -> Vec<[String; 4]> {
        let outcome = self.finops().run(&["aws", "run-pipeline", "--dry-run", "--output", "json"]);
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        let months: Vec<Value> = serde_json::from_str(&outcome.stdout).unwrap();
        let steps = ["extract-billing", "load-billing-local", "export-parquet", "load-billing-remote"];
        months.iter().map(|month| steps.map(|step| month["steps"][step].as_str().unwrap().to_owned())).collect()
    }

    fn assert_has(&self, delivered: &[Delivered; 2]) {
        let expected: BTreeMap<_, _> = delivered
            .iter()
            .map(|d| {
                let rows = u64::try_from(d.rows).unwrap();
                ((d.billing_period.clone(), d.execution_id.clone().unwrap()), (rows, d.cost["USD"].clone()))
            })
            .collect();
        assert_eq!(self.figures(), expected);
    }

    /// Month and execution id to rows and cost in USD, in BigQuery.
    fn figures(&self) -> BTreeMap<(String, String), (u64, String)> {
        let sql = format!(
            "SELECT CAST(bill_billing_period_start_date AS VARCHAR)[:7], execution_id, CAST(count(*) AS VARCHAR), \
             CAST(sum(CAST(bq_bignumeric_text(line_item_unblended_cost) AS DECIMAL(38,18))) AS VARCHAR) \
             FROM \"{PROJECT}:{DATASET}\".\"{TABLE}\" GROUP BY 1, 2"
        );
        let rows = self.bigquery.query(&sql).unwrap().into_iter();
        let figure = |row: Vec<Option<String>>| {
            let [month, id, count, cost] = <[_; 4]>::try_from(row).unwrap().map(Option::unwrap);
            ((month, id), (count.parse().unwrap(), cost.parse::<Amount>().unwrap().to_string()))
        };
        rows.map(figure).collect()
    }

    /// The number of data files that were requested from the S3 server since then.
    fn fetched(&self) -> usize {
        let is_data = |line: &&String| line.contains("GET") && (line.contains(".csv.gz") || line.contains(".parquet"));
        self.s3.take_log().iter().filter(|line| is_data(line) && !line.contains("list-type")).count()
    }

    fn uploads(&self) -> usize {
        self.bigquery.requests().iter().filter(|request| request.path.contains("/upload/")).count()
    }
}

async fn walks(dialect: Dialect, format: Format) {
    let all = Everything::new(Export { parts: 2, ..Export::new(dialect, format) }).await;
    let first = all.deliver(1).await;
    assert_eq!(all.planned(), [["load"; 4]; 2]);
    assert_eq!(all.run(), [["loaded", "loaded"]; 4]);
    all.assert_has(&first);
    assert!(all.fetched() >= 4 && all.uploads() > 0);

    let uploads = all.uploads();
    assert_eq!(all.planned(), [["skip"; 4]; 2]);
    assert_eq!(all.run(), [["skipped", "skipped"]; 4]);
    assert_eq!((all.fetched(), all.uploads()), (0, uploads), "the second run moves no data");

    let later = all.deliver(2).await;
    assert_eq!(all.planned(), [["reload"; 4], ["skip"; 4]]);
    assert_eq!(all.run(), [["loaded", "skipped"]; 4]);
    all.assert_has(&later);
    let recorded =
        all.bigquery.query(&format!("SELECT manifest_uri FROM \"{PROJECT}:{DATASET}\".finops_loads")).unwrap();
    assert_eq!(recorded.len(), 3);
    for uri in recorded.into_iter().flatten().flatten() {
        assert!(uri.starts_with(&format!("s3://{BUCKET}/cur/")) && uri.ends_with("Manifest.json"), "{uri}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_of_a_legacy_report_goes_from_s3_to_bigquery() {
    walks(Dialect::AwsCur, Format::CsvGzip).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_of_a_data_export_goes_from_s3_to_bigquery() {
    walks(Dialect::AwsCur2, Format::Parquet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_older_version_and_of_this_one_are_the_same_timestamps_in_bigquery() {
    let all = Everything::new(Export::new(Dialect::AwsCur, Format::CsvGzip)).await;
    let delivered = all.deliver(1).await;
    all.run();
    let exports = all.folder.path().join("data/exports");
    let starts = "SELECT DISTINCT CAST(line_item_usage_start_date AS VARCHAR) FROM";
    let starts = format!("{starts} \"{PROJECT}:{DATASET}\".\"{TABLE}\" ORDER BY 1");
    let of_new = all.bigquery.query(&starts).unwrap();
    for month in ["2025-08", "2025-09"] {
        make_older(&exports, month);
    }
    for (step, expected) in [("load-billing-remote", "loaded"), ("run-pipeline", "loaded"), ("run-pipeline", "skipped")]
    {
        let outcome = all.finops().run(&["aws", step, "--output", "json"]);
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let remote = report["pipelines"].as_array().unwrap().last().unwrap();
        assert_eq!([0, 1].map(|at| &remote["months"][at]["status"]), [expected; 2], "{report:#}");
        all.assert_has(&delivered);
        assert_eq!(all.bigquery.query(&starts).unwrap(), of_new, "{step}");
    }
    let table = call(&all.bigquery, Method::GET, &format!("/datasets/{DATASET}/tables/{TABLE}"), Value::Null).await;
    let fields = table["schema"]["fields"].as_array().unwrap();
    for name in ["bill_billing_period_start_date", "line_item_usage_start_date"] {
        assert_eq!(fields.iter().find(|field| field["name"] == name).unwrap()["type"], "TIMESTAMP", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_report_goes_from_s3_to_bigquery_and_so_does_its_redelivery() {
    let sample = Export { name: "cost-and-usage".to_owned(), ..Export::new(Dialect::AwsCur, Format::CsvGzip) };
    let all = Everything::new(sample).await;
    let mut figures = figures::figures(&figures::expected("first"));
    all.s3.upload(&figures::example("first/cur")).await;
    assert_eq!(all.run(), [["loaded", "loaded", "loaded"]; 4]);
    assert_eq!(in_bigquery(&all.bigquery), figures);
    all.s3.upload(&figures::example("redelivery/cur")).await;
    assert_eq!(all.run(), [["skipped", "loaded", "skipped"]; 4]);
    figures.extend(figures::figures(&figures::expected("redelivery")));
    assert_eq!(in_bigquery(&all.bigquery), figures);
    assert_eq!(in_duckdb(&all.folder.path().join("data/finops.duckdb")), figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_was_killed_is_finished_by_the_next_run() {
    let all = Everything::new(Export { parts: 4, ..Export::new(Dialect::AwsCur, Format::CsvGzip) }).await;
    let delivered = all.deliver(1).await;
    let staged = |delivered: &Delivered| {
        let id = delivered.execution_id.as_deref().unwrap();
        all.folder.path().join("data/staging").join(&delivered.billing_period).join(id)
    };
    // What a killed run leaves: some files whole, one cut, no manifest.
    let september = staged(&delivered[1]);
    fs::create_dir_all(&september).unwrap();
    let delivered_file = |at: usize| all.folder.path().join("delivered-1").join(&delivered[1].files[at].path);
    let name = |path: &Path| path.file_name().unwrap().to_owned();
    fs::copy(delivered_file(0), september.join(name(&delivered_file(0)))).unwrap();
    let half = fs::read(delivered_file(1)).unwrap();
    fs::write(september.join(name(&delivered_file(1))).with_extension("gz.part"), &half[..half.len() / 2]).unwrap();
    all.fetched();
    assert_eq!(all.run(), [["loaded", "loaded"]; 4]);
    all.assert_has(&delivered);
    assert_eq!(all.fetched_of(&delivered[1]), 3, "the file that was whole is not fetched again");
    let left: Vec<_> = fs::read_dir(&september).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 5, "four files and the manifest: {left:?}");
}

impl Everything {
    /// The number of whole files of the delivery that were fetched since then, without the beginnings that discovery reads.
    fn fetched_of(&self, delivered: &Delivered) -> usize {
        let names: Vec<String> = delivered.files.iter().map(|file| file.path.clone()).collect();
        let log = self.s3.take_log();
        names.iter().filter(|name| log.iter().any(|line| line.contains("GET") && line.contains(name.as_str()))).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_a_bucket_that_is_not_there_are_named() {
    let all = Everything::new(Export::new(Dialect::AwsCur, Format::CsvGzip)).await;
    for step in [&["extract-billing"][..], &["discover-manifests", "--bucket", "no-such-bucket"]] {
        let finops = all.finops().with("FINOPS_AWS_BUCKET", "no-such-bucket");
        let outcome = finops.run(&[&["aws"], step].concat());
        assert_eq!(outcome.code, 1);
        assert_names(&outcome.stderr, &["there is no s3://no-such-bucket/cur: ", "check the bucket's name"]);
    }
    let outcome = all.finops().with("FINOPS_AWS_ENDPOINT_URL", "http://127.0.0.1:1").run(&["aws", "extract-billing"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &[&format!("no answer for s3://{BUCKET}/cur: ")]);
}

/// A server in front of the S3 server. It answers requests for objects whose names end with `ending` as if they were deleted.
fn without(s3: &str, ending: &'static str) -> String {
    let (listener, s3) = (TcpListener::bind("127.0.0.1:0").unwrap(), s3.trim_start_matches("http://").to_owned());
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|connection| pass_on(connection.unwrap(), &s3, ending)));
    url
}

/// Answers one request of a connection.
fn pass_on(mut connection: TcpStream, s3: &str, ending: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match connection.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split([' ', '?']).nth(1).unwrap();
    let mut answer = Vec::new();
    if path.ends_with(ending) {
        let body = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
        let length = body.len();
        write!(answer, "HTTP/1.1 404 Not Found\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .unwrap();
    } else {
        let mut server = TcpStream::connect(s3).unwrap();
        server.write_all(head.as_bytes()).unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        server.read_to_end(&mut answer).unwrap();
    }
    let _ = connection.write_all(&answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_vanishes_after_it_was_listed_is_named_and_its_month_has_no_manifest() {
    let all = Everything::new(Export { parts: 2, ..Export::new(Dialect::AwsCur, Format::CsvGzip) }).await;
    let delivered = all.deliver(1).await;
    let url = without(&all.s3.url, "-00002.csv.gz");
    let outcome = all.finops().with("FINOPS_AWS_ENDPOINT_URL", &url).run(&["aws", "extract-billing"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_names(&outcome.stderr, &["-00002.csv.gz", "hint: "]);
    for delivered in &delivered {
        let folder = all.folder.path().join("data/staging").join(&delivered.billing_period);
        let folder = folder.join(delivered.execution_id.as_deref().unwrap());
        let left = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = left
            .filter(|name| ["manifest.json", "-00002.csv.gz"].iter().any(|ending| name.ends_with(ending)))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    assert_eq!(all.run(), [["loaded", "loaded"]; 4]);
    all.assert_has(&delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_whose_etag_is_no_md5_are_staged_and_kept() {
    let all = Everything::new(Export { parts: 2, ..Export::new(Dialect::AwsCur, Format::CsvGzip) }).await;
    all.deliver(1).await;
    let finops = all.finops().with("FINOPS_AWS_ENDPOINT_URL", &encrypting(&all.s3.url).await);
    for (status, fetched) in [("loaded", 4), ("skipped", 0)] {
        let report = finops.report_of(&["aws", "extract-billing", "--output", "json"], 0);
        assert_eq!(each(&report, "status"), [status, status], "{report:#}");
        assert_eq!(all.fetched(), fetched);
    }
}
