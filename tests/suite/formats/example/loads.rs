//! Meadow's months, loaded from a folder into DuckDB by the flow.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use finops::{
    flow::export::{Export, ExportOptions, Source},
    warehouse::duckdb::DuckDb,
};
use finops_core::{
    model::provider::Provider,
    report::run::{MonthReport, MonthStatus, PipelineReport},
};
use tempfile::TempDir;

use super::{
    Meadow,
    paths::MANIFEST,
    write::{EXPORT, MeadowRun},
};
use crate::{
    support::{
        jobs::run_export_in_process,
        program::{DATASET, assert_names},
        tables::{Figures, figures_of},
        tree::write,
    },
    warehouse::duckdb::rows,
};

const SEPTEMBER: MeadowRun<'static> =
    MeadowRun { month: "2025-09", run: "20251003T060000Z-7", costs: &["0.1", "0.2", "12345678.123456789012"] };
const OCTOBER: MeadowRun<'static> = MeadowRun { month: "2025-10", run: "20251103T060000Z-8", costs: &["5", "-2.5"] };

/// A folder with deliveries, and a DuckDB file.
struct Job(TempDir);

impl Job {
    fn new(runs: &[MeadowRun<'_>]) -> Self {
        let job = Self(TempDir::new().unwrap());
        for run in runs {
            run.write(&job.source());
        }
        job
    }

    fn source(&self) -> PathBuf {
        self.0.path().join("bills")
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("finops.duckdb")
    }

    async fn run(&self) -> PipelineReport {
        let export = Export {
            // A provider of its own would be a variant of `Provider`, which has the names of its settings.
            provider: Provider::Aws,
            formats: vec![Arc::new(Meadow)],
            options: ExportOptions::default(),
            label: None,
            name: None,
            name_setting: String::new(),
            source: Source::Local(self.source()),
            prefix: String::new(),
            dataset: DATASET.to_owned(),
            table: "meadow".to_owned(),
        };
        run_export_in_process(&export, &self.source(), &DuckDb::open(&self.database()).unwrap()).await
    }

    fn figures(&self) -> Figures {
        let sql = format!(
            "SELECT CAST(BillingPeriodStart AS VARCHAR)[:7], CAST(count(*) AS VARCHAR), CAST(sum(BilledCost) AS VARCHAR) \
             FROM {DATASET}.meadow GROUP BY 1"
        );
        let rows = rows(&duckdb::Connection::open(self.database()).unwrap(), &sql).unwrap();
        figures_of(rows.into_iter().map(|row| <[_; 3]>::try_from(row).unwrap().map(Option::unwrap)))
    }
}

fn figures<const N: usize>(months: [(&str, u64, &str); N]) -> Figures {
    months.into_iter().map(|(month, rows, cost)| (month.to_owned(), (rows, cost.to_owned()))).collect()
}

fn statuses(report: &PipelineReport) -> Vec<(String, MonthStatus)> {
    let status = |month: &MonthReport| (month.billing_period.to_string(), month.status().unwrap());
    report.months.iter().map(status).collect()
}

fn month<'a>(report: &'a PipelineReport, billing_period: &str) -> &'a MonthReport {
    report.months.iter().find(|month| month.billing_period.to_string() == billing_period).unwrap()
}

fn manifest_of(source: &Path, run: &MeadowRun<'_>) -> PathBuf {
    source.join(EXPORT).join(run.month).join(run.run).join(MANIFEST)
}

#[tokio::test(flavor = "multi_thread")]
async fn months_of_a_new_format_are_loaded_once_with_their_exact_cost() {
    let job = Job::new(&[SEPTEMBER, OCTOBER]);
    let report = job.run().await;
    assert_eq!(report.export, EXPORT);
    let both = |status| [("2025-10".to_owned(), status), ("2025-09".to_owned(), status)];
    assert_eq!(statuses(&report), both(MonthStatus::Loaded), "{report:#?}");
    let loaded = figures([("2025-09", 3, "12345678.423456789012"), ("2025-10", 2, "2.5")]);
    assert_eq!(job.figures(), loaded);
    assert_eq!(statuses(&job.run().await), both(MonthStatus::Skipped));
    assert_eq!(job.figures(), loaded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivery_of_a_new_format_replaces_its_month_only() {
    let job = Job::new(&[SEPTEMBER, OCTOBER]);
    job.run().await;
    MeadowRun { month: "2025-09", run: "20251004T060000Z-9", costs: &["7"] }.write(&job.source());
    let report = job.run().await;
    assert_eq!(month(&report, "2025-09").status(), Some(MonthStatus::Loaded), "{report:#?}");
    assert_eq!(month(&report, "2025-10").status(), Some(MonthStatus::Skipped));
    assert_eq!(job.figures(), figures([("2025-09", 1, "7"), ("2025-10", 2, "2.5")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_manifest_of_a_new_format_fails_only_its_month() {
    let job = Job::new(&[SEPTEMBER, OCTOBER]);
    let manifest = manifest_of(&job.source(), &SEPTEMBER);
    let text = fs::read_to_string(&manifest).unwrap();
    for (broken, message) in [
        (text[..text.len() / 2].to_owned(), "it is not a manifest of a billing export"),
        (text.replace("2025-09", "2025-08"), "it is of 2025-08, and its folder is 2025-09"),
        (text.replace("part-0", "../part-0"), "its file `../part-0.csv` is not the name of a file"),
    ] {
        write(&manifest, broken.as_bytes());
        let report = job.run().await;
        let september = month(&report, "2025-09");
        assert_eq!(september.status(), Some(MonthStatus::Refused), "{september:#?}");
        assert_names(&september.error.as_ref().unwrap().message, &[message]);
        assert_eq!(job.figures(), figures([("2025-10", 2, "2.5")]));
    }
}
