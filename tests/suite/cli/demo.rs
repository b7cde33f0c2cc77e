//! `finops demo`: what it shows, the folder that it writes, and the commands that it ends with.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use billing_exports::{Content, Dialect, Export, Format, Run};
use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{
    program::{Finops, assert_names},
    require::{output, python},
};

/// Times, ages and the folder differ from call to call.
fn redacted(text: &str, folder: &Path) -> String {
    let text = text.replace(folder.canonicalize().unwrap().to_str().unwrap(), "/home/me");
    let program = assert_cmd::cargo::cargo_bin!("finops").canonicalize().unwrap();
    let text = text.replace(program.to_str().unwrap(), "finops");
    let rules = [
        (r"20(2[6-9]|[3-9]\d)-\d\d-\d\d \d\d:\d\d UTC", "<now>"),
        (r"(less than )?\d+ (h|days?|months?|years?) old", "<age>"),
    ];
    rules
        .iter()
        .fold(text, |text, (rule, with)| regex_lite::Regex::new(rule).unwrap().replace_all(&text, *with).into_owned())
}

/// What the demo prints in an empty folder.
fn demo(folder: &Path) -> String {
    Finops::unconfigured().within(folder).prints(&["demo"])
}

/// Calls a shell as a user does who pastes a command, in a folder of its own.
fn pasted(command: &str, path: &Path) -> String {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    let path = std::env::join_paths([path, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    shell.env_clear().env("PATH", path).current_dir(&elsewhere).args(["-c", command]);
    output(&mut shell)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_every_command_on_invented_bills() {
    let folder = tempfile::tempdir().unwrap();
    assert_snapshot!("demo", redacted(&demo(folder.path()), folder.path()));
}

/// What the generator says that it delivered last, by month.
fn delivered(dialect: Dialect, name: &str, currency: &str, september: u32) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let (name, currencies) = (name.to_owned(), vec![currency.to_owned()]);
    let new = Export::new(dialect, if name == "focus-cost" { Format::Parquet } else { Format::CsvGzip });
    let export = Export { content: Content::Bill, name, currencies, ..new };
    let runs = [("2025-08", 1), ("2025-09", september), ("2025-10", 1)];
    let runs = runs.map(|(month, number)| Run::again(month.parse().unwrap(), number));
    let delivered = runs.map(|run| export.deliver(folder.path(), &run).unwrap());
    delivered.into_iter().map(|month| (month.billing_period, month.cost[currency].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_loads_what_the_generator_delivered_last_and_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path());
    demo(folder.path());
    let here = folder.path().join("data/demo");
    let status = Finops::unconfigured().within(&here).report_of(&["status", "--output", "json"], 0);
    let loaded = |table: &Value| -> BTreeMap<String, String> {
        let months = table["months"].as_array().unwrap().iter().map(|month| {
            let costs = month["cost"].as_object().unwrap();
            assert_eq!(costs.len(), 1);
            (
                month["billing_period"].as_str().unwrap().to_owned(),
                costs.values().next().unwrap().as_str().unwrap().to_owned(),
            )
        });
        months.collect()
    };
    let [aws, actual, focus] = [0, 1, 2].map(|table| loaded(&status[table]));
    assert_eq!(aws, delivered(Dialect::AwsCur, "cost-and-usage", "USD", 2));
    assert_eq!(focus, delivered(Dialect::AzureFocus12, "focus-cost", "EUR", 1));
    // Both exports are of the same bill.
    assert_eq!(actual, focus);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_files_that_the_demo_did_not_create_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("bill.csv"), "mine").unwrap();
    // A file of a name that the demo uses is somebody else's without the demo's settings beside it.
    let named_alike = folder.path().join("named_alike");
    fs::create_dir(&named_alike).unwrap();
    fs::write(named_alike.join("finops.duckdb"), "mine").unwrap();
    demo(folder.path());
    let demos = folder.path().join("data/demo");
    fs::write(demos.join("notes.txt"), "mine").unwrap();
    for (refused, foreign) in [(own, "bill.csv"), (named_alike, "finops.duckdb"), (demos, "notes.txt")] {
        let outcome = Finops::unconfigured().run(&["demo", "--dir", refused.to_str().unwrap()]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
        assert_names(&outcome.stderr, &["error: ", foreign, "hint: choose an empty or new folder with --dir"]);
        assert!(refused.join(foreign).exists());
    }
    assert!(folder.path().join("data/demo/finops.duckdb").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_commands_at_the_end_work_as_printed() {
    // The shell quotes it.
    let folder = tempfile::Builder::new().prefix("it's a").tempdir().unwrap();
    let text = demo(folder.path());
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("cd ")).collect();
    let [status, query] = commands[..] else { panic!("{text}") };
    let shown = pasted(status, Path::new("/usr/bin"));
    let printed = text.split("$ finops status\n").nth(1).unwrap();
    assert!(printed.starts_with(&shown), "{shown}");
    let Some(python) = python() else { return };
    let answer = pasted(query, python.parent().unwrap());
    assert_names(&answer, &["SavingsPlanCoveredUsage", "SavingsPlanNegation", "EdpDiscount", "Credit", "Tax", "Usage"]);
}
