//! Where the commands of a document run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;
use billing_exports::{Content, Dialect, Export, Run};
use duckdb::Connection;
use jiff::Timestamp;
use regex_lite::Regex;
use tempfile::TempDir;

use super::root;
use crate::support::{
    program::{DATASET, Finops, Outcome},
    tree::copy,
};

/// The time in the documents, in place of that of the test.
const TIME: &str = "2025-11-03 06:00 UTC";

/// A folder with the files of the repository that commands of documents read.
pub struct Machine {
    folder: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        let machine = Self { folder: TempDir::new().unwrap() };
        copy(&root().join("examples/aws"), &machine.path("examples/aws"));
        for name in [".env.example", "config.toml.example"] {
            fs::copy(root().join(name), machine.path(name)).unwrap();
        }
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command in bash, with the program in the path.
    pub fn run(&self, command: &str) -> Outcome {
        let program = cargo_bin!("finops");
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-euc", command]).current_dir(self.folder.path());
        bash.env_clear().env("PATH", path).env("HOME", self.folder.path());
        let output = tokio::task::block_in_place(|| bash.output()).unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            stdout: self.masked(&String::from_utf8(output.stdout).unwrap()),
            stderr: self.masked(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// The text without what differs in each run: the folder, times of today, and the age of the generator's exports.
    fn masked(&self, text: &str) -> String {
        let text = text.replace(self.folder.path().to_str().unwrap(), "/home/me");
        let now = Timestamp::now();
        let today = now.to_string()[..10].to_owned();
        let yesterday = (now - jiff::SignedDuration::from_hours(24)).to_string()[..10].to_owned();
        let time = Regex::new(&format!("({today}|{yesterday}) [0-9]{{2}}:[0-9]{{2}} UTC")).unwrap();
        let age = Regex::new("[0-9]+ days old").unwrap();
        age.replace_all(&time.replace_all(&text, TIME), "18 h old").into_owned()
    }
}

/// Writes an export of two months of the sample's time.
fn deliver(dialect: Dialect, name: &str, folder: &Path) {
    let export = Export {
        name: name.to_owned(),
        rows: 200,
        currencies: vec!["EUR".to_owned()],
        ..Export::new(dialect, dialect.formats()[0])
    };
    for month in ["2025-09", "2025-10"] {
        export.deliver(folder, &Run::of(month.parse().unwrap())).unwrap();
    }
}

/// Writes a delivery of a small company's bill.
pub fn deliver_bill(dialect: Dialect, currency: &str, folder: &Path, run: &Run) {
    let new = Export::new(dialect, dialect.formats()[0]);
    let export =
        Export { content: Content::Bill, name: "daily".to_owned(), currencies: vec![currency.to_owned()], ..new };
    export.deliver(folder, run).unwrap();
}

/// A DuckDB file with a table for each kind of export that the queries of the documents read.
pub fn tables(folder: &Path) -> Connection {
    let database = folder.join("bills.duckdb");
    let finops = Finops::unconfigured()
        .within(folder)
        .with("PIPELINE", "all")
        .with("WAREHOUSE", "duckdb")
        .with("DUCKDB_PATH", database.to_str().unwrap())
        .with("AWS_DATASET", DATASET)
        .with("AZURE_DATASET", DATASET)
        .with("AWS_EXPORTS", "cur,cur2,focus")
        .with("AZURE_EXPORTS", "actual,focus")
        .with("AWS_CUR_SOURCE", root().join("examples/aws/first/cur").to_str().unwrap())
        .with("AWS_CUR_TABLE_NAME", "aws_cur");
    let generated = [
        ("AWS_CUR2", "aws_cur2", Dialect::AwsCur2),
        ("AWS_FOCUS", "aws_focus", Dialect::AwsFocus12),
        ("AZURE_ACTUAL", "azure_actual", Dialect::AzureActualEnterprise),
        ("AZURE_FOCUS", "azure_focus", Dialect::AzureFocus12),
    ];
    let finops = generated.into_iter().fold(finops, |finops, (prefix, table, dialect)| {
        let export = folder.join(table);
        deliver(dialect, table, &export);
        finops.with(&format!("{prefix}_SOURCE"), export.to_str().unwrap()).with(&format!("{prefix}_TABLE_NAME"), table)
    });
    let outcome = finops.run(&["run"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    Connection::open(database).unwrap()
}
