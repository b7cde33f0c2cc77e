//! The files that finops owns in its folders: which runs may use them, what is read again, and what is removed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use billing_exports::{Dialect, Export, Format};
use finops_core::hint;
use serde_json::Value;

use crate::{
    staging::steps::{Pipeline, statuses},
    support::{
        program::{DATASET, assert_names},
        servers::{PROJECT, bigquery_alone},
        tree::change_unseen,
    },
};

const SKIPPED: [&str; 2] = ["skipped", "skipped"];

fn pipeline() -> Pipeline {
    Pipeline::new(Export { parts: 2, rows: 20, ..Export::new(Dialect::AwsCur, Format::CsvGzip) })
}

fn ending(files: &[PathBuf], ending: &str) -> Vec<PathBuf> {
    files.iter().filter(|path| path.to_str().unwrap().ends_with(ending)).cloned().collect()
}

fn without_written(manifest: &Path) {
    let mut json: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    assert!(json.as_object_mut().unwrap().remove("written").is_some(), "{json:#}");
    fs::write(manifest, json.to_string()).unwrap();
}

/// The size and the time of a file decide whether it is read again. A change that keeps both is not noticed.
#[test]
fn a_run_with_nothing_to_do_does_not_read_the_files_that_finops_wrote() {
    let pipeline = pipeline();
    pipeline.deliver(1);
    pipeline.report("run-pipeline");
    let staged = ending(&pipeline.files("data/staging"), ".csv.gz");
    assert_eq!(staged.len(), 4);
    for path in &staged {
        change_unseen(path);
    }
    assert_eq!(statuses(&pipeline.report("load-billing-local")), [SKIPPED]);

    // A file with another time is read.
    fs::File::options().write(true).open(&staged[0]).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    let outcome = pipeline.run("load-billing-local");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let months = report["pipelines"][0]["months"].as_array().unwrap();
    let changed: Vec<_> = months.iter().filter(|month| month["action"] != "skip").collect();
    assert_eq!(changed.len(), 1, "{report:#}");
    assert_names(changed[0]["reason"].as_str().unwrap(), &["changed in place"]);
}

#[test]
fn manifests_of_older_versions_without_checksums_count_as_before() {
    let pipeline = pipeline();
    pipeline.deliver(1);
    pipeline.report("run-pipeline");
    let manifests = ending(&pipeline.files("data"), ".manifest.json");
    assert_eq!(manifests.len(), 4, "{manifests:?}");
    for path in &manifests {
        without_written(path);
    }
    assert_eq!(statuses(&pipeline.report("run-pipeline")), [SKIPPED; 3]);
}

#[test]
fn what_an_older_version_recorded_by_the_path_of_its_staged_manifest_counts_as_before() {
    let pipeline = pipeline();
    pipeline.deliver(1);
    pipeline.report("run-pipeline");
    let database = duckdb::Connection::open(pipeline.folder.path().join("data/finops.duckdb")).unwrap();
    for manifest in ending(&pipeline.files("data/staging"), ".manifest.json") {
        let path = manifest.strip_prefix(pipeline.folder.path()).unwrap();
        let month = path.iter().nth(2).unwrap().to_str().unwrap();
        let sql = format!(
            "UPDATE finops_loads SET manifest_uri = './{}' WHERE billing_period = '{month}-01'",
            path.display()
        );
        assert_eq!(database.execute(&sql, []).unwrap(), 1);
    }
    drop(database);
    for path in ending(&pipeline.files("data/staging"), ".csv.gz") {
        change_unseen(&path);
    }
    assert_eq!(statuses(&pipeline.report("run-pipeline")), [SKIPPED; 3]);
}

#[test]
fn the_rest_of_an_unfinished_delivery_is_removed_with_the_next_and_nothing_else() {
    let pipeline = pipeline();
    let [_, september] = pipeline.deliver(1);
    let names: Vec<String> = september
        .files
        .iter()
        .map(|file| Path::new(&file.path).file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let month = pipeline.folder.path().join("data/staging/2025-09");
    let begun = month.join(september.execution_id.as_deref().unwrap());
    let strangers = [month.join("mine/notes.txt"), month.join("mine/report.csv.gz.part")];
    fs::create_dir_all(&begun).unwrap();
    fs::create_dir_all(month.join("mine")).unwrap();
    for path in &strangers {
        fs::write(path, "mine").unwrap();
    }
    // A download that ends on a full disk.
    symlink("/dev/full", begun.join(format!("{}.part", names[1]))).unwrap();
    assert_eq!(pipeline.run("extract-billing").code, 1);
    assert!(begun.join(&names[0]).exists(), "{:?}", pipeline.files("data/staging"));

    let later = pipeline.deliver(2);
    pipeline.report("run-pipeline");
    assert!(!begun.exists(), "{:?}", pipeline.files("data/staging"));
    assert!(strangers.iter().all(|path| path.exists()));
    pipeline.assert_has(&later);
}

#[test]
fn a_moved_or_copied_folder_loses_no_file_of_the_delivery_that_counts() {
    for copy in [false, true] {
        let pipeline = pipeline();
        let delivered = pipeline.deliver(1);
        pipeline.report("extract-billing");
        let folder =
            pipeline.folder.path().join("data/staging/2025-09").join(delivered[1].execution_id.as_ref().unwrap());
        let aside = folder.with_extension("bak");
        if copy {
            fs::create_dir(&aside).unwrap();
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                fs::copy(&path, aside.join(path.file_name().unwrap())).unwrap();
            }
        } else {
            fs::rename(&folder, &aside).unwrap();
        }
        pipeline.report("run-pipeline");
        assert_eq!(ending(&pipeline.files("data/staging"), ".csv.gz").len(), 6);
        pipeline.assert_has(&delivered);
    }
}

#[test]
fn the_rest_of_a_withdrawn_delivery_is_removed_although_the_month_is_skipped() {
    let pipeline = pipeline();
    pipeline.deliver(1);
    pipeline.report("extract-billing");
    let staged = pipeline.files("data/staging");
    let delivered = pipeline.folder.path().join("delivered");
    let [_, september] = pipeline.deliver(2);
    let month = pipeline.folder.path().join("data/staging/2025-09");
    let begun = month.join(september.execution_id.as_deref().unwrap());
    fs::create_dir_all(&begun).unwrap();
    let name = Path::new(&september.files[1].path).file_name().unwrap().to_str().unwrap().to_owned();
    symlink("/dev/full", begun.join(format!("{name}.part"))).unwrap();
    assert_eq!(pipeline.run("extract-billing").code, 1);
    // As after a crash during a new write of the manifest.
    let manifest = ending(&pipeline.files("data/staging"), ".manifest.json.part").pop().unwrap();
    fs::write(format!("{}.part", manifest.display()), "{").unwrap();

    fs::remove_dir_all(delivered).unwrap();
    pipeline.deliver(1);
    assert_eq!(pipeline.finops.run(&["aws", "run-pipeline", "--dry-run"]).code, 0);
    assert!(begun.exists(), "a dry run removes nothing");
    assert_eq!(statuses(&pipeline.report("extract-billing")), [SKIPPED]);
    assert_eq!(pipeline.files("data/staging"), staged);
    assert!(!begun.exists());
}

#[test]
fn a_file_of_somebody_else_in_an_unfinished_folder_is_kept() {
    let pipeline = pipeline();
    let [_, september] = pipeline.deliver(1);
    let begun = pipeline.folder.path().join("data/staging/2025-09").join(september.execution_id.as_deref().unwrap());
    fs::create_dir_all(&begun).unwrap();
    let name = Path::new(&september.files[1].path).file_name().unwrap().to_str().unwrap().to_owned();
    symlink("/dev/full", begun.join(format!("{name}.part"))).unwrap();
    assert_eq!(pipeline.run("extract-billing").code, 1);
    fs::write(begun.join("notes.txt"), "mine").unwrap();
    pipeline.deliver(2);
    pipeline.report("extract-billing");
    let left: Vec<_> = fs::read_dir(&begun).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_locks_a_folder_for_itself_and_readers_share_it() {
    let (mut pipeline, bigquery) = (pipeline(), bigquery_alone().await);
    for (name, value) in [
        ("FINOPS_DATABASE_BIGQUERY_PROJECT_ID", PROJECT),
        ("FINOPS_DATABASE_BIGQUERY_DATASET_ID", DATASET),
        ("BIGQUERY_EMULATOR_HOST", &bigquery.url()),
    ] {
        pipeline.finops = pipeline.finops.with(name, value);
    }
    pipeline.deliver(1);
    pipeline.report("run-pipeline");
    for (folder, writer, reader) in [
        ("data/staging", "extract-billing", "load-billing-local"),
        ("data/exports", "export-parquet", "load-billing-remote"),
    ] {
        let other = fs::File::open(pipeline.folder.path().join(folder)).unwrap();
        let busy = |step: &str, does: &str| {
            let outcome = pipeline.run(step);
            assert_eq!(outcome.code, 1, "{}", outcome.stdout);
            assert_names(&outcome.stderr, &[&format!("another run {does} the folder ./{folder}"), hint::WAIT_FOR_RUN]);
            let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
            assert_eq!(report["pipelines"][0]["error"]["kind"], "busy");
        };
        other.lock().unwrap();
        busy(writer, "uses");
        busy(reader, "writes to");
        // A reader does not wait.
        for arguments in [&["aws", "run-pipeline", "--dry-run"][..], &["aws", "discover-manifests"]] {
            assert_eq!(pipeline.finops.run(arguments).code, 0);
        }
        other.unlock().unwrap();
        other.lock_shared().unwrap();
        busy(writer, "uses");
        assert_eq!(statuses(&pipeline.report(reader)), [SKIPPED]);
    }
}
