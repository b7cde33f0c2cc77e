//! A bucket that Google's own client fills: what it uploads and lists is what the job finds.

use std::{collections::BTreeSet, path::Path};

use tempfile::TempDir;

use crate::{
    flow::figures::{example, expected, figures},
    support::{
        program::{BUCKET, Finops, each, month},
        require::{self, Tool},
        servers::{StorageServer, bigquery},
        tables::in_bigquery,
    },
};

/// The files below a folder, as their keys in the bucket.
fn keys(folder: &Path, key: &str) -> BTreeSet<String> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let below = |path: &Path| format!("{key}/{}", path.file_name().unwrap().to_str().unwrap());
    entries.flat_map(|path| if path.is_dir() { keys(&path, &below(&path)) } else { [below(&path)].into() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_loads_what_gcloud_storage_put_into_the_bucket() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir_all(folder.path().join("seed").join(BUCKET)).unwrap();
    let storage = StorageServer::start(&folder.path().join("seed"));
    let gcloud = |arguments: &[&str]| {
        let mut gcloud = require::cloud_sdk("gcloud", Tool::Gcloud, folder.path())?;
        gcloud.env("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", format!("{}/storage/v1/", storage.url()));
        gcloud.env("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true");
        Some(require::output(gcloud.arg("storage").args(arguments)))
    };
    let bucket = format!("gs://{BUCKET}");
    let upload = |name: &str| gcloud(&["cp", "-r", example(name).join("cur").to_str().unwrap(), &bucket]);

    if upload("first").is_none() {
        return;
    }
    let listed: BTreeSet<String> =
        gcloud(&["ls", &format!("{bucket}/**")]).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(listed, keys(&example("first"), &bucket));
    let emulator = bigquery(&storage).await;
    let finops = Finops::cloud(&storage, &emulator);
    assert_eq!(each(&finops.report(0), "status"), ["loaded"; 3]);
    assert_eq!(in_bigquery(&emulator), figures(&expected("first")));

    upload("redelivery").unwrap();
    let report = finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped", "loaded", "skipped"]);
    assert_eq!(month(&report, "2025-09")["cost"], expected("redelivery")["2025-09"]["unblended_cost"]);
}
