//! Deliveries that the settings leave out: a folder that can never be loaded does not fail every run.

use std::{fs, path::Path};

use billing_exports::{Delivered, Dialect, Export, Format, Layout, Run};
use finops_core::hint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    staging::steps::{Pipeline, statuses},
    support::{
        azure_job::{AzureJob, COST, TABLE, expected, id, in_each_warehouse},
        jobs::LocalJob,
        program::{BUCKET, Finops, assert_names, each, month},
        tree::{Delivery, REPORT},
    },
};

in_each_warehouse!(
    a_delivery_is_left_out_by_the_entry_that_its_refusal_names,
    a_run_that_is_left_out_neither_loads_nor_waits_nor_counts,
);

fn export() -> Export {
    Export { parts: 2, rows: 60, ..Export::new(Dialect::AzureActualEnterprise, Format::Csv) }
}

fn run(month: &str, number: u32) -> Run {
    Run::again(month.parse().unwrap(), number)
}

/// What the error's hint says to add to the setting.
fn entry(report: &Value, billing_period: &str, setting: &str) -> String {
    let hint = month(report, billing_period)["error"]["hint"].as_str().unwrap_or_else(|| panic!("{report:#}"));
    let (_, rest) = hint.split_once("add `").unwrap_or_else(|| panic!("{hint}"));
    let (entry, of) = rest.split_once("` to ").unwrap();
    assert_eq!(of, setting, "{hint}");
    entry.to_owned()
}

fn from_15th(manifest: &mut Value, month: &str) {
    manifest["runInfo"]["startDate"] = json!(format!("{month}-15T00:00:00"));
}

async fn a_delivery_is_left_out_by_the_entry_that_its_refusal_names(job: AzureJob) {
    let august = job.deliver(&export(), &run("2025-08", 1)).await;
    let july = job.deliver(&export(), &run("2025-07", 1)).await;
    job.change_manifest(&july, |manifest| from_15th(manifest, "2025-07")).await;
    let left_out = |entries: &str| job.finops.clone().with("AZURE_LEAVE_OUT", entries);
    let entry = entry(&job.finops.report(1), "2025-07", "AZURE_LEAVE_OUT");
    assert!(july.manifest.contains(&format!("{entry}/")), "{entry}");
    for entries in [&entry, "20250701-20250731", "daily/202507*-*", &format!("none, {}", entry.to_uppercase())] {
        assert_eq!(each(&left_out(entries).report(0), "billing_period"), ["2025-08"], "{entries}");
    }
    assert_eq!(each(&left_out("none,20250801-20250831/none").report(1), "billing_period"), ["2025-08", "2025-07"]);

    // The same for a delivery whose files are wrong.
    let september = job.deliver(&export(), &run("2025-09", 1)).await;
    let rows = |manifest: &mut Value| manifest["dataRowCount"] = json!(1);
    job.change_manifest(&september, rows).await;
    let both = format!("{entry},{}", self::entry(&left_out(&entry).report(1), "2025-09", "AZURE_LEAVE_OUT"));
    assert_eq!(each(&left_out(&both).report(0), "status"), ["skipped"]);
    assert_eq!(job.figures(TABLE, COST), expected([&august]));
}

async fn a_run_that_is_left_out_neither_loads_nor_waits_nor_counts(job: AzureJob) {
    // No folder is named after the run: only its manifest has the id.
    let export = Export { layout: Layout::ByMinute, ..export() };
    let august = job.deliver(&export, &run("2025-08", 1)).await;
    let first = job.deliver(&export, &run("2025-09", 1)).await;
    let second = job.deliver(&export, &run("2025-09", 2)).await;
    let third = job.deliver(&export, &run("2025-09", 3)).await;
    let missing = &third.files[1].path;
    fs::remove_file(job.source().join(missing)).unwrap();
    if let Some(storage) = job.storage() {
        storage.delete(BUCKET, missing).await;
    }
    let left_out = |runs: &[&Delivered]| {
        let ids: Vec<String> = runs.iter().map(|run| id(run).to_uppercase()).collect();
        job.finops.clone().with("AZURE_LEAVE_OUT", &ids.join(","))
    };
    let newest = |report: &Value| report["pipelines"][0]["newest_delivery_at"].clone();
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded", "loaded"]);
    assert_names(month(&job.finops.report(0), "2025-09")["reason"].as_str().unwrap(), &["waiting for 1 of 2 files"]);

    let report = left_out(&[&third]).report(0);
    assert_eq!(month(&report, "2025-09")["reason"].as_str().unwrap().split(" on ").next(), Some("already loaded"));
    let of_second = newest(&report);
    let report = left_out(&[&third, &second]).report(0);
    assert_eq!(each(&report, "execution_id")[0], id(&first));
    assert_eq!(each(&report, "status")[0], "loaded");
    let of_first = newest(&report);
    assert!(of_first.as_str().unwrap() < of_second.as_str().unwrap());
    assert_eq!(job.figures(TABLE, COST), expected([&august, &first]));

    // They are not counted among the months that are not requested either.
    let later = |finops: Finops| newest(&finops.with("START_DATE", "2025-10").report(0));
    assert_eq!(later(left_out(&[&third])), of_second);
    assert_eq!(later(left_out(&[&third, &second])), of_first);

    // What is loaded stays, though none of its deliveries counts.
    for entries in ["20250801-*", "*"] {
        let finops = job.finops.clone().with("AZURE_LEAVE_OUT", entries).with("END_DATE", "2025-08");
        let report = finops.report(0);
        assert_eq!(report["pipelines"][0]["status"], "nothing_to_do", "{report:#}");
        let checked = finops.run(&["check"]);
        assert_eq!(checked.code, 0, "{}", checked.stdout);
        assert_names(&checked.stdout, &["none of the months asked for is there", "And AZURE_LEAVE_OUT?"]);
    }
    let checked = left_out(&[&august]).with("END_DATE", "2025-08").run(&["check"]);
    let hint = hint::names_nothing_else("AZURE_LEAVE_OUT");
    assert_names(&checked.stdout, &["AZURE_LEAVE_OUT leaves out all deliveries of its newest month", &hint]);
    assert_eq!(job.figures(TABLE, COST), expected([&august, &first]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assembly_of_a_cost_and_usage_report_is_left_out_by_id_or_by_the_folder_of_its_files() {
    let july = Delivery::new("2025-07", "20250803T000000Z", &["1"]);
    let august = Delivery::new("2025-08", "20250903T000000Z", &["3.5"]);
    let job = LocalJob::new(&[july, august.clone()]);
    let manifest = job.source.join(REPORT).join(august.manifest_key());
    for (entries, months) in [
        ("20250903T000000Z", 1),
        ("20250801-20250901/20250903T*", 1),
        ("report/20250801-20250901", 1),
        ("Report", 2),
        ("20250903t000000z", 2),
        ("*T*Z", 0),
    ] {
        let report = job.finops.clone().with("AWS_LEAVE_OUT", entries).report_of(&["plan", "--output", "json"], 0);
        assert_eq!(each(&report, "action"), vec!["load"; months], "{entries}: {report:#}");
    }
    fs::write(&manifest, "{}").unwrap();
    let finops = job
        .finops
        .clone()
        .with("AWS_EXPORTS", "old-cur")
        .with("AWS_OLD_CUR_TABLE_NAME", "old")
        .with("AWS_OLD_CUR_SOURCE", job.source.to_str().unwrap())
        .without("AWS_SOURCE");
    let entry = entry(&finops.report(1), "2025-08", "AWS_OLD_CUR_LEAVE_OUT");
    assert_eq!(entry, "20250801-20250901");
    assert_eq!(each(&finops.with("AWS_OLD_CUR_LEAVE_OUT", &entry).report(0), "status"), ["skipped"]);
}

/// An AWS job with a folder of exports.
fn aws(source: &Path) -> Finops {
    Finops::local(source, &source.join("finops.duckdb"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_execution_of_a_data_export_that_is_not_left_out_is_loaded() {
    let folder = TempDir::new().unwrap();
    let export = Export::new(Dialect::AwsCur2, Format::CsvGzip);
    let executions = [1, 2, 3].map(|number| export.deliver(folder.path(), &run("2025-09", number)).unwrap());
    let ids = executions.each_ref().map(id);
    let finops = aws(folder.path());
    for (entries, expected) in [(ids[2].to_owned(), ids[1]), (format!("{},{}", ids[1], ids[2]), ids[0])] {
        let report = finops.clone().with("AWS_LEAVE_OUT", &entries).report(0);
        assert_eq!((each(&report, "execution_id"), each(&report, "status")), (vec![expected], vec!["loaded"]));
    }
    assert_eq!(each(&finops.report(0), "execution_id"), [ids[2]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_staged_pipeline_leaves_out_what_its_configuration_names() {
    let pipeline = Pipeline::new(export());
    let delivered = pipeline.deliver(1);
    let path = pipeline.folder.path().join("delivered").join(&delivered[0].manifest);
    let manifest = fs::read_to_string(&path).unwrap();
    let mut broken: Value = serde_json::from_str(&manifest).unwrap();
    from_15th(&mut broken, "2025-08");
    fs::write(&path, broken.to_string()).unwrap();
    let refused = pipeline.run("extract-billing");
    assert_eq!(refused.code, 1);
    let report: Value = serde_json::from_str(&refused.stdout).unwrap();
    let entry = entry(&report, "2025-08", "azure.leave_out");
    let config = pipeline.folder.path().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}leave_out = \"{entry}\"\n")).unwrap();
    let steps = pipeline.report("run-pipeline");
    assert_eq!(statuses(&steps)[1..], [vec!["loaded"], vec!["loaded"]], "{steps:#?}");

    // A delivery that is left out after it was staged is not loaded.
    fs::write(&config, format!("{text}leave_out = \"{entry}, {}\"\n", id(&delivered[1]))).unwrap();
    fs::remove_file(pipeline.folder.path().join("data/finops.duckdb")).unwrap();
    let steps = pipeline.report("run-pipeline");
    assert!(statuses(&steps)[..2].iter().all(Vec::is_empty), "{steps:#?}");
}
