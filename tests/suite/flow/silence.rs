//! No deliveries, or no new ones: the run fails, although no month does.

use std::fs;

use billing_exports::{Dialect, Export, Format, Run};
use finops_core::hint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    storage::s3::S3Server,
    support::{
        azure_job::{AzureJob, in_each_warehouse},
        jobs::{CloudJob, LocalJob},
        program::{BUCKET, DATASET, Finops, assert_names, each},
        tree::{Delivery, REPORT},
    },
};

in_each_warehouse!(deliveries_older_than_max_age_fail_the_run_after_their_months_were_loaded);

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "1"])
}

/// The error of the export as a whole, in a report or a plan.
#[track_caller]
fn assert_fails(finops: &Finops, verb: &str, kind: &str, said: &[&str]) -> Value {
    let report = finops.report_of(&[verb, "--output", "json"], 1);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], kind, "{report:#}");
    assert_names(error["message"].as_str().unwrap(), said);
    assert!(!error["hint"].as_str().unwrap().is_empty());
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_manifest_a_run_fails_unless_the_dates_exclude_all_loaded_months() {
    let both = [september(), Delivery::new("2025-10", "first", &["10"])];
    let (local, cloud) = (LocalJob::loaded(&both), CloudJob::loaded(&both).await);
    // The mirror is empty.
    fs::remove_dir_all(local.source.join(REPORT)).unwrap();
    for delivery in &both {
        for (key, _) in delivery.files() {
            cloud.storage.delete(BUCKET, &format!("cur/{REPORT}/{key}")).await;
        }
    }
    for (finops, figures) in [(&local.finops, local.figures()), (&cloud.finops, cloud.figures())] {
        for verb in ["run", "plan"] {
            let said = ["there is no manifest below ", "2 months are loaded from there (2025-09 to 2025-10)"];
            let report = assert_fails(finops, verb, "not_found", &said);
            assert_eq!(report["pipelines"][0]["error"]["hint"], hint::MANIFESTS_GONE);
        }
        for (start, end, code) in [("2025-11", "2025-12", 0), ("2025-10", "2025-12", 1), ("2025-01", "2025-08", 0)] {
            let finops = finops.clone().with("START_DATE", start).with("END_DATE", end);
            assert_eq!(finops.run(&["run"]).code, code, "{start} to {end}");
        }
        // With a limit, no delivery at all is older than any.
        let limited = finops.clone().with("START_DATE", "2025-11").with("MAX_AGE_HOURS", "72");
        assert_fails(&limited, "run", "not_found", &["there is no manifest"]);
        assert_eq!(limited.with("END_DATE", "2025-12").run(&["run"]).code, 0);
        assert_eq!(figures.len(), 2);
    }
    assert_eq!((local.figures().len(), cloud.figures().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_names_the_exports_and_folders_that_exist() {
    let (local, cloud) = (LocalJob::new(&[september()]), CloudJob::new(&[september()]).await);
    let (s3, folder) = (S3Server::start().await, TempDir::new().unwrap());
    september().write(folder.path());
    s3.upload(folder.path()).await;
    let in_s3 = s3.finops(&folder.path().join("finops.duckdb"));
    let source = local.source.to_str().unwrap();
    let exports = "the exports there: `report` in ";
    let (of_bucket, of_s3) =
        (format!("the folders in gs://{BUCKET}/: `cur`"), format!("the folders in s3://{BUCKET}/: `cur`"));
    let wrong = [
        (local.finops.clone().with("AWS_EXPORT_NAME", "raport"), format!("{exports}{source}")),
        (cloud.finops.clone().with("AWS_EXPORT_NAME", "raport"), format!("{exports}gs://{BUCKET}/cur/")),
        (in_s3.clone().with("AWS_EXPORT_NAME", "raport"), format!("{exports}s3://{BUCKET}/cur/")),
        (cloud.finops.clone().with("AWS_GCS_PREFIX", "curr/deeper"), of_bucket),
        (in_s3.with("AWS_SOURCE", &format!("s3://{BUCKET}/curr/deeper")), of_s3),
    ];
    for (finops, there) in wrong {
        for verb in ["run", "plan"] {
            assert_fails(&finops, verb, "not_found", &["there is no manifest", &there]);
        }
        let report = finops.report_of(&["check", "--output", "json"], 1);
        let checks = report["checks"].as_array().unwrap();
        let of_export = checks.iter().find(|finding| finding["check"] == "export").unwrap();
        assert_eq!(of_export["status"], "failed", "{report:#}");
        assert_names(of_export["found"].as_str().unwrap(), &[&there]);
    }

    // The configured folder has other folders.
    fs::remove_dir_all(local.source.join(REPORT)).unwrap();
    (1..=12).for_each(|number| fs::create_dir(local.source.join(format!("other-{number:02}"))).unwrap());
    let said = [&format!("the folders in {source}: `other-01`, "), "`other-10` and more"];
    assert_fails(&local.finops, "run", "not_found", &said);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_another_provider_are_named_with_their_pipeline() {
    let folder = TempDir::new().unwrap();
    let (aws, azure) = (folder.path().join("aws"), folder.path().join("azure"));
    let run = Run::of("2025-09".parse().unwrap());
    Export::new(Dialect::AwsCur, Format::CsvGzip).deliver(&aws, &run).unwrap();
    Export::new(Dialect::AzureFocus12, Format::Csv).deliver(&azure, &run).unwrap();
    let finops = Finops::local(&azure, &folder.path().join("finops.duckdb"))
        .with("AZURE_SOURCE", aws.to_str().unwrap())
        .with("AZURE_DATASET", DATASET)
        .with("AZURE_TABLE_NAME", "azure");
    for (pipeline, other, there) in [("aws", "azure", &azure), ("azure", "aws", &aws)] {
        let outcome = finops.run(&["run", pipeline]);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        let said = format!("there are manifests of pipeline {other}, such as of `");
        assert_names(&outcome.stderr, &[&said, there.to_str().unwrap(), &hint::other_pipeline(other)]);
    }
}

async fn deliveries_older_than_max_age_fail_the_run_after_their_months_were_loaded(job: AzureJob) {
    let export = Export { rows: 20, ..Export::new(Dialect::AzureActualEnterprise, Format::Csv) };
    for month in ["2025-08", "2025-09"] {
        job.deliver(&export, &Run::of(month.parse().unwrap())).await;
    }
    let limited = job.finops.clone().with("MAX_AGE_HOURS", "72");
    let said = ["the newest delivery is of 2025-", " days old, and MAX_AGE_HOURS allows 72 h"];
    assert_eq!(each(&assert_fails(&limited, "plan", "stale", &said), "action"), ["load", "load"]);
    let report = assert_fails(&limited, "run", "stale", &said);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"]);
    assert_eq!(report["pipelines"][0]["status"], "failed");
    assert_eq!(report["pipelines"][0]["error"]["hint"], hint::EXPORT_SILENT);
    let newest = &report["pipelines"][0]["newest_delivery_at"];
    assert!(newest.as_str().unwrap().starts_with("2025-"), "{report:#}");
    assert_eq!(each(&assert_fails(&limited, "run", "stale", &said), "status"), ["skipped", "skipped"]);

    // The newest delivery of all months counts, also of months that are not requested. Months that are over need no new one.
    let finops = [
        (job.finops.clone(), 0),
        (limited.clone().with("END_DATE", "2025-09"), 0),
        (limited.clone().with("START_DATE", "2025-09"), 1),
        (limited.clone().with("END_DATE", "2999-12"), 1),
    ];
    for (finops, code) in finops {
        assert_eq!(&finops.report(code)["pipelines"][0]["newest_delivery_at"], newest);
    }
    assert_eq!(&job.finops.report_of(&["status", "--output", "json"], 0)[0]["newest_delivery_at"], newest);

    let export_of = |finops: &Finops, code: i32| {
        let report = finops.report_of(&["check", "--output", "json"], code);
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|finding| finding["check"] == "export").unwrap().clone()
    };
    let found = export_of(&limited, 1);
    assert_eq!(found["status"], "failed");
    assert_names(found["found"].as_str().unwrap(), &said);
    let found = export_of(&job.finops, 0);
    assert_names(found["found"].as_str().unwrap(), &["newest delivery ", " days old"]);

    // A new delivery of any month ends it.
    let months = ["START_DATE", "END_DATE"].map(|name| (name, "2025-08"));
    let at_now =
        |manifest: &mut Value| manifest["runInfo"]["submittedTime"] = json!(jiff::Timestamp::now().to_string());
    let again = job.deliver(&export, &Run::again("2025-08".parse().unwrap(), 2)).await;
    job.change_manifest(&again, at_now).await;
    let report = limited.report(0);
    assert_eq!(each(&report, "status"), ["skipped", "loaded"]);
    let only_august = months.into_iter().fold(limited, |finops, (name, month)| finops.with(name, month));
    assert_eq!(
        only_august.report(0)["pipelines"][0]["newest_delivery_at"],
        report["pipelines"][0]["newest_delivery_at"]
    );
}

#[test]
fn after_a_step_that_finds_old_deliveries_the_others_run_and_the_program_fails() {
    let folder = TempDir::new().unwrap();
    let export = Export { rows: 20, ..Export::new(Dialect::AzureActualEnterprise, Format::Csv) };
    export.deliver(&folder.path().join("delivered"), &Run::of("2025-09".parse().unwrap())).unwrap();
    let settings = |limit: &str| {
        let text = format!("{limit}\n[azure]\nsource = \"delivered\"\n");
        fs::write(folder.path().join("config.toml"), text).unwrap();
        Finops::unconfigured().within(folder.path())
    };
    let dry = settings("max_age_hours = 72").run(&["azure", "run-pipeline", "--dry-run"]);
    assert_eq!(dry.code, 1);
    assert_names(&dry.stdout, &["2025-09", "extract"]);
    assert_names(&dry.stderr, &["max_age_hours"]);
    assert_eq!(settings("max_age_hours = 72").run(&["azure", "discover-manifests"]).code, 0);
    assert_eq!(settings("").run(&["azure", "run-pipeline", "--dry-run"]).code, 0);

    let report = settings("max_age_hours = 72").report_of(&["azure", "run-pipeline", "--output", "json"], 1);
    let pipelines = report["pipelines"].as_array().unwrap();
    let of_step = |step: &Value| (step["status"].as_str().unwrap().to_owned(), step["error"]["kind"].clone());
    let steps: Vec<_> = pipelines.iter().map(of_step).collect();
    let went = |status: &str, kind: Value| (status.to_owned(), kind);
    let well = went("succeeded", Value::Null);
    assert_eq!(steps, [went("failed", json!("stale")), well.clone(), well], "{report:#}");
    let message = pipelines[0]["error"]["message"].as_str().unwrap();
    assert_names(message, &["the newest delivery is of 2025-", " days old, and max_age_hours allows 72 h"]);
    settings("").report_of(&["azure", "run-pipeline", "--output", "json"], 0);

    for hours in ["0", "-1", "100001"] {
        let refused = settings(&format!("max_age_hours = {hours}")).run(&["azure", "extract-billing"]);
        assert_eq!(refused.code, 2);
        let expected = format!("max_age_hours is `{hours}`: a whole number of hours from 1 to 100000 was expected");
        assert_names(&refused.stderr, &[&expected]);
    }
}

#[test]
fn the_error_names_a_missing_metadata_folder_and_a_prefix_that_is_too_high() {
    let folder = TempDir::new().unwrap();
    let payers = ["111111111111", "222222222222"];
    for payer in payers {
        let export = Export { rows: 5, ..Export::new(Dialect::AwsCur2, Format::Parquet) };
        export.deliver(&folder.path().join("cur2").join(payer), &Run::of("2025-09".parse().unwrap())).unwrap();
    }
    let finops = |source: &str| {
        Finops::local(&folder.path().join(source), &folder.path().join("f.duckdb")).without("AWS_EXPORT_NAME")
    };
    let hint = |report: &Value| report["pipelines"][0]["error"]["hint"].as_str().unwrap().to_owned();
    let high = assert_fails(&finops("cur2"), "run", "not_found", &[&["one folder deeper"], &payers[..]].concat());
    assert_names(&hint(&high), &[hint::CHOOSE_FOLDER]);

    let name = fs::read_dir(folder.path().join("cur2/111111111111")).unwrap().next().unwrap().unwrap().file_name();
    let copied = folder.path().join("cur2/111111111111").join(&name);
    fs::remove_dir_all(copied.join("metadata")).unwrap();
    for source in ["cur2/111111111111".to_owned(), format!("cur2/111111111111/{}", name.display())] {
        let said = ["has a folder `data` and no `metadata`"];
        assert_names(&hint(&assert_fails(&finops(&source), "run", "not_found", &said)), &[hint::COPY_METADATA]);
    }
}
