//! Keys that no folder can have, and objects that are listed but cannot be read.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    storage::{
        s3::{S3Server, SECRET},
        store_requests::archiving,
    },
    support::{
        program::{BUCKET, Finops, assert_names, each, month},
        tree::{Delivery, REPORT},
    },
};

fn finops(url: &str, source: &str, folder: &Path) -> Finops {
    Finops::local(Path::new(""), &folder.join("finops.duckdb"))
        .with("AWS_SOURCE", &format!("s3://{BUCKET}/{source}"))
        .with("AWS_ENDPOINT_URL", url)
        .with("AWS_ACCESS_KEY_ID", "test")
        .with("AWS_SECRET_ACCESS_KEY", SECRET)
}

async fn put(server: &S3Server, above: &str, delivery: &Delivery) {
    for (path, bytes) in delivery.files() {
        server.put(format!("{above}{REPORT}/{path}"), bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_prefix_that_ends_with_a_slash_means_an_empty_folder_that_is_listed() {
    let delivery = Delivery::new("2025-09", "assembly", &["1.5", "2"]);
    for (above, sources) in [("/", &["", "/"][..]), ("cur//", &["cur", "cur/"])] {
        let server = S3Server::start().await;
        put(&server, above, &delivery).await;
        for source in sources {
            let folder = TempDir::new().unwrap();
            let finops = finops(&server.url, source, folder.path());
            let report = finops.report(0);
            assert_eq!(month(&report, "2025-09")["cost"], json!({"USD": "3.5"}), "{above} {source}: {report:#}");
            assert_eq!(each(&finops.report(0), "status"), ["skipped"], "{above} {source}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_is_not_listed_if_the_export_is_found_without_it() {
    let (server, folder) = (S3Server::start().await, TempDir::new().unwrap());
    put(&server, "cur/", &Delivery::new("2025-09", "assembly", &["1.5"])).await;
    server.take_log();
    finops(&server.url, "cur", folder.path()).report(0);
    let log = server.take_log();
    assert!(log.iter().any(|line| line.contains("prefix=cur%2F&") || line.contains("prefix=cur/")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("%2F%2F") || line.contains("cur//")), "{log:#?}");
}

fn said(month: &Value) -> String {
    format!("{} {}", month["error"]["message"].as_str().unwrap(), month["error"]["hint"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_month_is_reported_and_is_unchanged_once_it_is_loaded() {
    let (server, folder) = (S3Server::start().await, TempDir::new().unwrap());
    for month in ["2024-01", "2025-09"] {
        put(&server, "cur/", &Delivery::new(month, "assembly", &["1.5"])).await;
    }
    // The data files alone, and with them the manifest.
    for part in ["csv", "20240101-20240201"] {
        let archived = archiving(&server.url, part).await;
        let folder = TempDir::new().unwrap();
        let report = finops(&archived, "cur", folder.path()).report(1);
        let january = month(&report, "2024-01");
        assert!(["failed", "refused"].contains(&january["status"].as_str().unwrap()), "{report:#}");
        assert_names(&said(january), &["archived", "restore", "AWS_LEAVE_OUT"]);
        assert!(!said(january).contains("s3:GetObject"), "{january:#}");
    }
    assert_eq!(each(&finops(&server.url, "cur", folder.path()).report(0), "status"), ["loaded", "loaded"]);
    for part in ["csv", "20240101-20240201"] {
        let archived = archiving(&server.url, part).await;
        let report = finops(&archived, "cur", folder.path()).report(0);
        assert_eq!(each(&report, "status"), ["skipped", "skipped"], "{report:#}");
        assert_names(month(&report, "2024-01")["reason"].as_str().unwrap(), &["already loaded on"]);
    }
}
