//! A mirror that copies an export whose deliveries overwrite each other: a month is loaded when all its files are new.

use std::{
    fs::File,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::support::{
    jobs::LocalJob,
    program::{assert_names, each, month},
    tree::{Delivery, REPORT, write},
};

/// September in two files of one row each.
fn september(assembly_id: &str, costs: [&str; 2]) -> Delivery {
    Delivery::new("2025-09", assembly_id, &costs).in_parts(2).overwriting()
}

fn written_at(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// A job that has loaded September from files that came days before.
fn loaded() -> LocalJob {
    let (first, days) = (september("first", ["3.5", "1"]), Duration::from_hours(240));
    let job = LocalJob::new(std::slice::from_ref(&first));
    for (key, _) in first.files() {
        written_at(&job.source.join(REPORT).join(key), SystemTime::now() - days);
    }
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
    job
}

/// Replaces some files of the delivery before by those of this one.
fn mirror(job: &LocalJob, delivery: &Delivery, files: &[&str]) {
    for (key, bytes) in delivery.files() {
        if files.iter().any(|file| key.ends_with(file)) {
            write(&job.source.join(REPORT).join(key), &bytes);
        }
    }
}

const MANIFEST: &str = "-Manifest.json";
const ONE: &str = "00001.csv.gz";
const TWO: &str = "00002.csv.gz";

fn reason(report: &Value) -> &str {
    month(report, "2025-09")["reason"].as_str().unwrap()
}

#[test]
fn a_month_waits_until_a_mirror_has_replaced_all_of_its_files() {
    let second = september("second", ["7", "8"]);
    for first_to_come in [&[MANIFEST, ONE][..], &[ONE], &[TWO]] {
        let job = loaded();
        let before = job.figures();
        mirror(&job, &second, first_to_come);
        let waiting = job.finops.report(0);
        assert_eq!(each(&waiting, "status"), ["waiting"]);
        assert_names(reason(&waiting), &["waiting for 1 of 2 files to be replaced", "20250901-20251001/report-0000"]);
        assert_eq!(job.figures(), before);
        mirror(&job, &second, &[MANIFEST, ONE, TWO]);
        assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
        assert_eq!(job.figures()["2025-09"], (2, "15".to_owned()));
    }
}

#[test]
fn a_manifest_that_comes_before_any_of_its_files_changes_nothing() {
    let job = loaded();
    let before = job.figures();
    let second = september("second", ["7", "8"]);
    // Of the same files, and of fewer.
    for (delivery, status) in [(second.clone(), "skipped"), (second.in_parts(1), "waiting")] {
        mirror(&job, &delivery, &[MANIFEST]);
        assert_eq!(each(&job.finops.report(0), "status"), [status]);
        assert_eq!(job.figures(), before);
    }
}

#[test]
fn a_month_that_waited_long_enough_is_loaded_and_names_the_files_that_did_not_change() {
    let job = loaded();
    mirror(&job, &september("second", ["7", "8"]), &[MANIFEST, ONE]);
    let report = job.finops.clone().with("WAIT_MAX_HOURS", "0").report(0);
    assert_eq!(each(&report, "status"), ["loaded"]);
    let named = "except 1 of 2 files: 20250901-20251001/report-00002.csv.gz, unchanged since the load of";
    assert_names(reason(&report), &["new delivery, in place of first", named, "moved by +3.5 USD"]);
    assert_eq!(job.figures()["2025-09"], (2, "8".to_owned()));
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
}

#[test]
fn a_forced_run_does_not_wait_for_a_mirror() {
    let job = loaded();
    mirror(&job, &september("second", ["7", "8"]), &[MANIFEST, ONE]);
    let report = job.finops.report_of(&["run", "--force", "--output", "json"], 0);
    assert_eq!(reason(&report), "reload asked for; 2025-09 moved by +3.5 USD");
}

#[test]
fn files_that_a_mirror_replaced_during_a_load_count_as_new() {
    let job = LocalJob::new(&[]);
    let first = september("first", ["3.5", "1"]);
    first.write(&job.source);
    for number in 0..2 {
        written_at(&first.data_path(&job.source, number), SystemTime::now() - Duration::from_hours(240));
    }
    let report = job.finops.report(0);
    let second = september("second", ["7", "8"]);
    mirror(&job, &second, &[MANIFEST, ONE, TWO]);
    let began = finops_core::model::run_id::started_at(report["run_id"].as_str().unwrap()).unwrap();
    written_at(&second.data_path(&job.source, 0), began.into());
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
    assert_eq!(job.figures()["2025-09"], (2, "15".to_owned()));
}
