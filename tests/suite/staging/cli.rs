//! The complete output of the staged pipeline.

use std::fs;

use billing_exports::{Dialect, Export, Format, Run};
use finops_core::{Amount, Costs, model::amount::total};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cli::commands,
    support::program::{Finops, assert_names},
};

/// A folder with an export of two months and a `config.toml`, in which all paths are relative.
struct Desk {
    folder: TempDir,
    finops: Finops,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = "[aws]\nsource = \"delivered\"\nexport_name = \"daily\"\n";
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let desk = Self { finops: Finops::unconfigured().within(folder.path()), folder };
        desk.deliver(1);
        desk
    }

    /// Two months, of the second the run of that number.
    fn deliver(&self, number: u32) {
        let export = Export { name: "daily".to_owned(), ..Export::new(Dialect::AwsCur, Format::CsvGzip) };
        let [august, september] = ["2025-08", "2025-09"].map(|month| month.parse().unwrap());
        for run in [Run::of(august), Run::again(september, number)] {
            export.deliver(&self.folder.path().join("delivered"), &run).unwrap();
        }
    }

    #[track_caller]
    fn prints(&self, arguments: &[&str]) -> String {
        masked(&self.finops.prints(arguments))
    }
}

/// The text with timestamps and sizes masked: they depend on the clock and on the compressor.
fn masked(text: &str) -> String {
    let size = regex_lite::Regex::new(r" *[0-9.]+ (B|KiB)\b").unwrap();
    let sizes = size.replace_all(text, |found: &regex_lite::Captures| format!("{:>1$}", "[size]", found[0].len()));
    commands::masked(&sizes)
}

#[test]
fn in_cloud_run_all_steps_are_summed_up_in_one_last_line_that_counts_rows_and_cost_once() {
    let desk = Desk::new();
    let finops = desk.finops.clone().with("CLOUD_RUN_JOB", "staged");
    let outcome = finops.run(&["aws", "run-pipeline", "--output", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let months = report["pipelines"][1]["months"].as_array().unwrap();
    let rows: u64 = months.iter().map(|month| month["rows"].as_u64().unwrap()).sum();
    let cost = |month: &Value| month["cost"]["USD"].as_str().unwrap().parse::<Amount>().unwrap();
    let costs: Vec<Costs> = months.iter().map(|month| Costs::from([("USD".to_owned(), cost(month))])).collect();
    let cost = total(costs.iter());
    let last: Value = serde_json::from_str(outcome.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((outcome.code, &last["rows"]), (0, &rows.into()), "{last}");
    assert_eq!(last["cost"], format!("{} USD", cost["USD"]));
    for step in ["extract-billing", "load-billing-local", "export-parquet"] {
        assert_names(last["message"].as_str().unwrap(), &["run ended well", step]);
    }
    // A step that moves no rows reports none.
    let outcome = finops.run(&["aws", "extract-billing"]);
    let last: Value = serde_json::from_str(outcome.stderr.lines().last().unwrap()).unwrap();
    assert!(last["message"].as_str().unwrap().ends_with("months: 2 skipped"), "{last}");
}

#[test]
fn steps_are_reported_as_skipped_only_where_some_follow_the_failed_one() {
    let desk = Desk::new();
    // Nothing answers at either.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let in_vain = desk.finops.clone().with("BIGQUERY_EMULATOR_HOST", &format!("http://{closed}"));
    let settings = "[aws]\nsource = \"delivered\"\n[database.bigquery]\nproject_id = \"p\"\ndataset_id = \"d\"\n";
    let file = desk.folder.path().join("remote.toml");
    fs::write(&file, settings).unwrap();
    let remote = in_vain.run(&["--config", file.to_str().unwrap(), "aws", "run-pipeline"]);
    assert_eq!(remote.code, 1);
    assert_names(&remote.stdout, &["export-parquet: aws daily -> "]);
    assert!(remote.stdout.ends_with("failed\n") && !remote.stdout.contains("skipped"), "{}", remote.stdout);

    fs::write(&file, settings.replace("delivered", "gone")).unwrap();
    let source = in_vain.run(&["--config", file.to_str().unwrap(), "aws", "run-pipeline"]);
    assert_eq!(source.code, 1);
    assert!(source.stdout.ends_with("the steps after that were skipped\n"), "{}", source.stdout);
}

#[test]
fn steps_their_second_run_and_a_redelivery_read_well() {
    let desk = Desk::new();
    let steps = ["discover-manifests", "extract-billing", "load-billing-local", "export-parquet"];
    let all = || {
        let printed = steps.map(|step| format!("$ finops aws {step}\n{}", desk.prints(&["aws", step])));
        printed.join("\n\n")
    };
    insta::assert_snapshot!("first_run", all());
    insta::assert_snapshot!("second_run", all());
    desk.deliver(2);
    insta::assert_snapshot!("dry_run_of_a_redelivery", desk.prints(&["aws", "run-pipeline", "--dry-run"]));
    insta::assert_snapshot!("redelivery", desk.prints(&["aws", "run-pipeline"]));
    insta::assert_snapshot!("second_run_of_all_steps", desk.prints(&["aws", "run-pipeline"]));
}

#[test]
fn settings_in_a_file_are_shown_without_its_secrets() {
    let desk = Desk::new();
    let file = "[aws]\nbucket = \"billing\"\naws_access_key_id = \"AKIAEXAMPLE\"\naws_secret_access_key = \"hush\"\n\
                aws_session_token = \"hush too\"\n[database.bigquery]\nproject_id = \"example-project\"\n";
    fs::write(desk.folder.path().join("config.toml"), file).unwrap();
    let finops = desk.finops.clone().with("FINOPS_STAGING_DIR", "/mnt/staging");
    let outcome = finops.run(&["config"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let of_the_file: Vec<&str> = outcome.stdout.lines().skip_while(|line| !line.contains("staging_dir")).collect();
    insta::assert_snapshot!("config", of_the_file.join("\n"));
    let outcome = finops.run(&["aws", "load-billing-remote", "--start-date", "2025-13"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!("missing_settings", outcome.stderr);
}
