//! Which of a month's many Azure runs is loaded, and what is reported about the others.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use billing_exports::{Delivered, Dialect, Export, Format, Layout, Run};
use serde_json::{Value, json};

use crate::support::{
    azure_job::{AzureJob, COST, TABLE, expected, id, in_each_warehouse},
    program::{BUCKET, Finops, Outcome, assert_names, each, month},
};

in_each_warehouse!(
    the_newest_complete_one_of_thirty_runs_is_loaded,
    a_newer_run_that_is_narrower_or_empty_is_left_out_and_named,
    a_month_with_only_empty_deliveries_is_skipped_with_a_warning,
    a_broken_manifest_among_thirty_is_named,
    a_manifest_that_comes_before_its_files_waits_for_files_of_its_sizes,
);

fn export() -> Export {
    Export { parts: 2, rows: 60, ..Export::new(Dialect::AzureActualEnterprise, Format::Csv) }
}

fn overwriting() -> Export {
    Export { layout: Layout::Overwritten, ..export() }
}

fn september(number: u32) -> Run {
    Run::again("2025-09".parse().unwrap(), number)
}

fn reason(report: &Value) -> &str {
    month(report, "2025-09")["reason"].as_str().unwrap()
}

/// A report with the one month: its status, its run and the reason for it.
#[track_caller]
fn assert_reported(report: &Value, status: &str, of: &Delivered, said: &[&str]) {
    assert_eq!(each(report, "status"), [status], "{report:#}");
    assert_eq!(month(report, "2025-09")["execution_id"], id(of), "{report:#}");
    assert_names(reason(report), said);
}

#[track_caller]
fn assert_has(job: &AzureJob, delivered: &Delivered) {
    assert_eq!(job.figures(TABLE, COST), expected([delivered]));
}

fn parsed(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap()
}

async fn deliver_daily(job: &AzureJob) -> Vec<Delivered> {
    let mut delivered = Vec::new();
    for run in Run::daily("2025-09".parse().unwrap()) {
        delivered.push(job.deliver(&export(), &run).await);
    }
    delivered
}

async fn the_newest_complete_one_of_thirty_runs_is_loaded(job: AzureJob) {
    let delivered = deliver_daily(&job).await;
    assert_eq!(delivered.len(), 30);
    let report = job.finops.report(0);
    assert_reported(&report, "loaded", &delivered[29], &[]);
    assert_eq!(reason(&report), "not loaded yet");
    assert_has(&job, &delivered[29]);
    assert_reported(&job.finops.report(0), "skipped", &delivered[29], &["already loaded"]);

    // The next run is not complete yet; the loaded month is the best delivery that is there.
    let next = job.deliver(&export(), &september(31)).await;
    let missing = &next.files[1].path;
    fs::remove_file(job.source().join(missing)).unwrap();
    if let Some(storage) = job.storage() {
        storage.delete(BUCKET, missing).await;
    }
    assert_reported(&job.finops.report(0), "waiting", &next, &["waiting for 1 of 2 files", "part_1_0001.csv"]);
    assert_has(&job, &delivered[29]);
}

async fn a_newer_run_that_is_narrower_or_empty_is_left_out_and_named(job: AzureJob) {
    let whole = job.deliver(&export(), &september(1)).await;
    let narrow = job.deliver(&export(), &september(2).until(10)).await;
    assert!(narrow.rows > 0);
    let left_out = format!("the newer {} is left out: it ends with 2025-09-10, not 2025-09-30", id(&narrow));
    assert_reported(&job.finops.report(0), "loaded", &whole, &["not loaded yet; ", &left_out]);
    assert_reported(&job.finops.report(0), "skipped", &whole, &["already loaded", &left_out]);

    let empty = job.deliver(&export(), &september(3).without_rows()).await;
    let left_out = format!("the newer {} is left out: it is empty", id(&empty));
    assert_reported(&job.finops.report(0), "skipped", &whole, &["already loaded", &left_out]);
    assert_has(&job, &whole);

    let next = job.deliver(&export(), &september(4)).await;
    assert_reported(&job.finops.report(0), "loaded", &next, &["new delivery, in place of ", id(&whole)]);
    assert_has(&job, &next);
}

async fn a_month_with_only_empty_deliveries_is_skipped_with_a_warning(job: AzureJob) {
    let empty = job.deliver(&export(), &september(1).without_rows()).await;
    // In words of the manifest, and of files whose manifest counts no rows.
    for said in ["its manifest counts no rows", "its 2 files have headers and no rows"] {
        let outcome = job.finops.run(&["run", "--output", "json"]);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_reported(&parsed(&outcome), "skipped", &empty, &["empty delivery: ", said]);
        assert_names(&outcome.stderr, &["WARN", "empty delivery", "2025-09", id(&empty)]);
        let silent = |manifest: &mut Value| {
            manifest.as_object_mut().unwrap().remove("dataRowCount");
            for blob in manifest["blobs"].as_array_mut().unwrap() {
                blob.as_object_mut().unwrap().remove("dataRowCount");
            }
        };
        job.change_manifest(&empty, silent).await;
    }
}

async fn a_broken_manifest_among_thirty_is_named(job: AzureJob) {
    let delivered = deliver_daily(&job).await;
    job.write(&delivered[29].manifest, "{\"blobs\": [").await;
    let named = |of: &Delivered, more: &str| {
        format!(
            "{}: it is not a manifest of a billing export: EOF while parsing a list at line 1 column 11{more}",
            of.manifest
        )
    };
    let report = job.finops.report(0);
    assert_reported(
        &report,
        "loaded",
        &delivered[28],
        &["not loaded yet; left out: manifest ", &named(&delivered[29], "")],
    );
    assert_has(&job, &delivered[28]);

    for older in &delivered[..20] {
        job.write(&older.manifest, "{\"blobs\": [").await;
    }
    let named = named(&delivered[29], " (and 20 more that cannot be used)");
    assert_reported(&job.finops.report(0), "skipped", &delivered[28], &["already loaded", &named]);
    assert_names(&job.finops.run(&["run"]).stdout, &["left out: manifest"]);
}

/// The first run, loaded from files that came days before, and the export that delivers the second in the same folder.
async fn loaded_in_place(job: &AzureJob) -> (Delivered, Export) {
    let export = overwriting();
    let first = job.deliver(&export, &september(1)).await;
    for path in first.files.iter().map(|file| &file.path).chain([&first.manifest]) {
        let days_ago = SystemTime::now() - Duration::from_hours(240);
        File::options().write(true).open(job.source().join(path)).unwrap().set_modified(days_ago).unwrap();
    }
    assert_reported(&job.finops.report(0), "loaded", &first, &[]);
    (first, export)
}

/// Delivers some of the files of September's second run.
async fn bring(job: &AzureJob, export: &Export, wanted: impl Fn(&str) -> bool) -> Delivered {
    let aside = tempfile::tempdir().unwrap();
    let second = export.deliver(aside.path(), &september(2)).unwrap();
    for path in second.files.iter().map(|file| &file.path).chain([&second.manifest]).filter(|path| wanted(path)) {
        job.write(path, &fs::read_to_string(aside.path().join(path)).unwrap()).await;
    }
    second
}

async fn a_manifest_that_comes_before_its_files_waits_for_files_of_its_sizes(job: AzureJob) {
    let (first, export) = loaded_in_place(&job).await;
    for (come, waits_for) in [
        (0, "waiting for 2 of 2 files (2 there in another size) for "),
        (1, "waiting for 1 of 2 files (1 there in another size) for "),
    ] {
        let parts: Vec<String> = first.files[..come].iter().map(|file| file.path.clone()).collect();
        let second =
            bring(&job, &export, |path| path.ends_with("/manifest.json") || parts.iter().any(|part| part == path))
                .await;
        assert_eq!(id(&first), id(&second), "runs of one id");
        assert!(first.files.iter().zip(&second.files).all(|(old, new)| old.bytes != new.bytes));
        assert_reported(&job.finops.report(0), "waiting", &second, &[waits_for, "/part_1_0001.csv"]);
        assert_has(&job, &first);
    }
    let second = bring(&job, &export, |_| true).await;
    assert_reported(&job.finops.report(0), "loaded", &second, &["its files changed in place"]);
    assert_has(&job, &second);
}

// A bucket gives its objects times of its own, of the very second in which the test begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_partly_replaced_month_waits() {
    let job = AzureJob::local();
    let (first, export) = loaded_in_place(&job).await;
    // Older manifests have no sizes.
    let second = bring(&job, &export, |path| !path.ends_with("part_1_0001.csv")).await;
    let sizeless = |manifest: &mut Value| {
        manifest["blobs"].as_array_mut().unwrap().iter_mut().for_each(|blob| blob["byteCount"] = json!(null));
    };
    job.change_manifest(&second, sizeless).await;
    let waits = ["waiting for 1 of 2 files to be replaced: ", "/part_1_0001.csv, unchanged since the load of "];
    assert_reported(&job.finops.report(0), "waiting", &second, &waits);
    assert_has(&job, &first);
    let second = bring(&job, &export, |path| path.ends_with("part_1_0001.csv")).await;
    assert_reported(&job.finops.report(0), "loaded", &second, &["its files changed in place"]);
    assert_has(&job, &second);
}

#[test]
fn an_export_whose_folder_is_the_source_itself_is_called_as_its_manifest_says() {
    let folder = tempfile::TempDir::new().unwrap();
    let delivered = export().deliver(folder.path(), &september(1)).unwrap();
    let finops = Finops::unconfigured()
        .with("PIPELINE", "azure")
        .with("WAREHOUSE", "duckdb")
        .with("DUCKDB_PATH", folder.path().join("f.duckdb").to_str().unwrap())
        .with("AZURE_SOURCE", folder.path().join(export().name).to_str().unwrap())
        .with("AZURE_DATASET", "billing")
        .with("AZURE_TABLE_NAME", "azure");
    let report = finops.report(0);
    assert_eq!(report["pipelines"][0]["export"], "daily", "{report:#}");
    assert_reported(&report, "loaded", &delivered, &["not loaded yet"]);
    let manifest = folder.path().join(&delivered.manifest);
    fs::write(&manifest, "broken").unwrap();
    let report = finops.report(1);
    assert_eq!(each(&report, "status"), ["refused"], "a broken manifest is named all the same: {report:#}");
}
