//! Two payer accounts of AWS and two exports of Azure in one deployment: a broken one does not affect the others.

use std::collections::BTreeMap;

use billing_exports::{Delivered, Dialect, Export, Format, Run};
use serde_json::Value;

use crate::support::{
    azure_job::{AzureJob, COST, FOCUS, expected, in_each_warehouse},
    program::{BUCKET, DATASET, Finops, assert_names},
};

in_each_warehouse!(
    an_azure_export_whose_folder_has_two_is_refused_and_the_others_load,
    an_azure_export_whose_table_somebody_created_is_refused_and_the_others_load,
);

const CUR: [&str; 2] = ["bill_billing_period_start_date", "line_item_unblended_cost"];

/// Each table, which has the name of its export's folder, with its dialect, format, and the columns of months and costs.
const TABLES: [(&str, Dialect, Format, [&str; 2]); 4] = [
    ("payer1", Dialect::AwsCur, Format::CsvGzip, CUR),
    ("payer2", Dialect::AwsCur2, Format::Parquet, CUR),
    ("actual", Dialect::AzureActualCustomer, Format::CsvGzip, COST),
    ("focus", Dialect::AzureFocus12, Format::Parquet, FOCUS),
];

/// A deployment of all four, with September delivered to each.
struct Deployment {
    job: AzureJob,
    finops: Finops,
    delivered: BTreeMap<&'static str, Delivered>,
}

impl Deployment {
    async fn new(job: AzureJob) -> Self {
        let mut finops = job
            .finops
            .clone()
            .without("AZURE_TABLE_NAME")
            .with("PIPELINE", "all")
            .with("AWS_EXPORTS", "payer1,payer2")
            .with("AZURE_EXPORTS", "actual,focus")
            .with("AWS_DATASET", DATASET);
        let mut delivered = BTreeMap::new();
        for (name, dialect, format, _) in TABLES {
            let provider = if dialect.is_azure() { "AZURE" } else { "AWS" };
            let own = |suffix: &str| format!("{provider}_{}_{suffix}", name.to_uppercase());
            finops = finops.with(&own("TABLE_NAME"), name);
            finops = if job.storage().is_some() {
                finops.with(&format!("{provider}_GCS_BUCKET"), BUCKET).with(&own("GCS_PREFIX"), name)
            } else {
                finops.without("AZURE_SOURCE").with(&own("SOURCE"), job.source().join(name).to_str().unwrap())
            };
            delivered.insert(
                name,
                deliver(&job, name, &Export { seed: name.len() as u64, ..Export::new(dialect, format) }).await,
            );
        }
        Self { job, finops, delivered }
    }

    /// Checks the figures of all tables except the broken one, and what a run, a plan and a status report of all.
    fn check(&self, broken: &str, exit_code: i32, kind: &str, said: &[&str]) {
        let outcome = self.finops.run(&["run", "--output", "json"]);
        assert_eq!(outcome.code, exit_code, "{}", outcome.stderr);
        assert_names(&outcome.stderr, &[&format!("error: {broken}: ")]);
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let entries = report["pipelines"].as_array().unwrap();
        let found: Vec<_> = entries.iter().map(|e| (named(e), text(&e["status"]))).collect();
        let status = |name| if name == broken { "failed" } else { "succeeded" };
        assert_eq!(found, TABLES.map(|(name, ..)| (name, status(name))));
        let failed = entries.iter().find(|entry| named(entry) == broken).unwrap();
        assert_eq!(failed["error"]["kind"], kind);
        assert_names(text(&failed["error"]["message"]), said);
        assert_eq!(failed["months"].as_array().unwrap().len(), 0);

        let others = TABLES.iter().filter(|(name, ..)| *name != broken);
        for (name, _, _, columns) in others.clone() {
            assert_eq!(self.job.figures(name, *columns), expected([&self.delivered[name]]), "{name}");
        }
        let outcome = self.finops.run(&["status", "--output", "json"]);
        let status: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let loaded = |entry: &Value| entry["months"].as_array().unwrap().len();
        let found: Vec<_> = status.as_array().unwrap().iter().map(|e| (named(e).to_owned(), loaded(e))).collect();
        assert_eq!(found, TABLES.map(|(name, ..)| (name.to_owned(), usize::from(name != broken))));
        // A second run finds nothing to do, except for the broken one.
        let report = self.finops.report(exit_code);
        for (entry, (name, ..)) in report["pipelines"].as_array().unwrap().iter().zip(TABLES) {
            assert_eq!(entry["status"], if name == broken { "failed" } else { "nothing_to_do" });
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// An entry's table, without its dataset.
fn named(entry: &Value) -> &str {
    text(&entry["table"]).rsplit('.').next().unwrap()
}

/// Delivers September into a folder of that name.
async fn deliver(job: &AzureJob, folder: &str, export: &Export) -> Delivered {
    let delivered = export.deliver(&job.source().join(folder), &Run::of("2025-09".parse().unwrap())).unwrap();
    for path in delivered.files.iter().map(|file| &file.path).chain([&delivered.manifest]) {
        job.mirror(&format!("{folder}/{path}")).await;
    }
    delivered
}

async fn an_azure_export_whose_folder_has_two_is_refused_and_the_others_load(job: AzureJob) {
    let deployment = Deployment::new(job).await;
    let second = Export { name: "weekly".to_owned(), ..Export::new(Dialect::AzureActualCustomer, Format::CsvGzip) };
    deliver(&deployment.job, "actual", &second).await;
    let said = ["there are several exports below ", "`daily` in ", "`weekly` in "];
    // The configuration can distinguish them.
    deployment.check("actual", 2, "configuration", &said);
}

async fn an_azure_export_whose_table_somebody_created_is_refused_and_the_others_load(job: AzureJob) {
    let deployment = Deployment::new(job).await;
    deployment.job.create_foreign_table("focus").await;
    deployment.check("focus", 1, "foreign_table", &["focus", "exists, but finops did not create it"]);
}
