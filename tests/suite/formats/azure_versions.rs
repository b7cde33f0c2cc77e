//! Versions of Azure's FOCUS share one table. A renamed column remains a column of its own. A column that changed its type
//! is converted, and the report says so.

use std::fs;

use billing_exports::{
    Delivered, Dialect,
    Dialect::{AzureFocus10, AzureFocus10Preview, AzureFocus10r2, AzureFocus12, AzureFocus12Preview},
    Export, Format, Run,
};
use serde_json::{Value, json};

use crate::support::{
    azure_job::{AzureJob, FOCUS, TABLE, expected, in_each_warehouse},
    program::{each, month},
};

in_each_warehouse!(
    a_table_that_began_with_the_preview_takes_the_versions_after_it,
    a_table_that_began_with_the_newest_version_takes_the_ones_before_it,
    all_versions_at_once_make_one_table,
    a_rate_that_is_not_a_number_loads_although_the_preview_had_numbers,
);

const MONTHS: [&str; 5] = ["2025-05", "2025-06", "2025-07", "2025-08", "2025-09"];
const VERSIONS: [Dialect; 5] = [AzureFocus10Preview, AzureFocus10, AzureFocus10r2, AzureFocus12Preview, AzureFocus12];

/// Delivers the month of that number: as Parquet and CSV in turn.
async fn deliver(job: &AzureJob, at: usize, version: Dialect) -> Delivered {
    let format = if at.is_multiple_of(2) { Format::Parquet } else { Format::CsvGzip };
    job.deliver(&Export::new(version, format), &Run::of(MONTHS[at].parse().unwrap())).await
}

/// What the report says about the schema: column, change, from, to.
fn changes(report: &Value) -> Vec<String> {
    let line =
        |change: &Value| ["column", "change", "from", "to"].map(|key| change[key].as_str().unwrap_or("-")).join(" ");
    report["pipelines"][0]["schema"].as_array().unwrap().iter().map(line).collect()
}

/// Delivers a version a month and loads each on its own, with these changes to the schema.
async fn load_one_by_one(job: &AzureJob, versions: [(Dialect, &[&str]); 5]) {
    let mut delivered = Vec::new();
    for (at, (version, changed)) in versions.into_iter().enumerate() {
        delivered.push(deliver(job, at, version).await);
        let report = job.finops.report(0);
        let (rows, cost) = &expected(delivered.last())[MONTHS[at]];
        let found = month(&report, MONTHS[at]);
        assert_eq!((&found["status"], &found["rows"]), (&json!("loaded"), &json!(rows)), "{report:#}");
        assert_eq!(found["cost"], json!({"USD": cost}));
        assert_eq!(changes(&report), changed, "{version:?}");
    }
    assert_eq!(job.figures(TABLE, FOCUS), expected(&delivered));
    assert_columns(job, &versions.map(|(version, _)| version));
}

/// Each version's values are in its own columns, and partners' credits are the same text in all.
#[track_caller]
fn assert_columns(job: &AzureJob, versions: &[Dialect]) {
    let named = |column: &str| format!("CAST(count(DISTINCT nullif({column}, '')) > 0 AS VARCHAR)");
    let sql = format!(
        "SELECT {}, {}, CAST(count(UsageQuantity) AS VARCHAR), CAST(count(ConsumedQuantity) AS VARCHAR), \
         string_agg(DISTINCT x_PartnerCreditRate), string_agg(DISTINCT x_PartnerCreditApplied ORDER BY x_PartnerCreditApplied) \
         FROM {} GROUP BY CAST(BillingPeriodStart AS VARCHAR)[:7] ORDER BY min(BillingPeriodStart)",
        named("Region"),
        named("RegionId"),
        job.table(TABLE)
    );
    let found: Vec<Vec<String>> =
        job.rows(&sql).into_iter().map(|row| row.into_iter().map(Option::unwrap).collect()).collect();
    let of_version = |version: &Dialect| match version {
        AzureFocus10Preview => ["true", "false", "20", "0", "0.15", "false,true"],
        _ => ["false", "true", "0", "20", "0.15", "false,true"],
    };
    assert_eq!(found, versions.iter().map(of_version).collect::<Vec<_>>());
}

/// Of CSV files, whose timestamps have no seconds in version 1.0.
const TIMESTAMPS: [&str; 4] = [
    "BillingPeriodEnd cast TEXT TIMESTAMP",
    "BillingPeriodStart cast TEXT TIMESTAMP",
    "ChargePeriodEnd cast TEXT TIMESTAMP",
    "ChargePeriodStart cast TEXT TIMESTAMP",
];
/// Of the preview's Parquet files.
const CREDITS: [&str; 2] = ["x_PartnerCreditApplied cast BOOLEAN STRING", "x_PartnerCreditRate cast DECIMAL STRING"];

async fn a_table_that_began_with_the_preview_takes_the_versions_after_it(job: AzureJob) {
    let since_1_0 = [
        "ChargeClass add - STRING",
        "ConsumedQuantity add - DECIMAL",
        "ConsumedUnit add - STRING",
        "ContractedCost add - DECIMAL",
        "ContractedUnitPrice add - DECIMAL",
        "RegionId add - STRING",
    ];
    let since_1_2 = [
        "InvoiceId add - STRING",
        "PricingCurrency add - STRING",
        "ServiceSubcategory add - STRING",
        "SkuMeter add - STRING",
        "SkuPriceDetails add - STRING",
    ];
    let with_1_0 = [&since_1_0[..], &TIMESTAMPS].concat();
    let versions = [
        (AzureFocus10Preview, &CREDITS[..]),
        (AzureFocus10, &with_1_0),
        (AzureFocus10r2, &[]),
        (AzureFocus12Preview, &since_1_2),
        (AzureFocus12, &[]),
    ];
    load_one_by_one(&job, versions).await;
}

async fn a_table_that_began_with_the_newest_version_takes_the_ones_before_it(job: AzureJob) {
    let until_1_0 = ["x_InvoiceId add - STRING", "x_PricingCurrency add - STRING", "x_SkuMeterName add - STRING"];
    let of_preview = ["Region add - STRING", "UsageQuantity add - DECIMAL", "UsageUnit add - STRING"];
    let with_preview = [&of_preview[..], &CREDITS].concat();
    let versions = [
        (AzureFocus12, &[][..]),
        (AzureFocus12Preview, &[]),
        (AzureFocus10r2, &until_1_0),
        (AzureFocus10, &TIMESTAMPS),
        (AzureFocus10Preview, &with_preview),
    ];
    load_one_by_one(&job, versions).await;
}

async fn all_versions_at_once_make_one_table(job: AzureJob) {
    let mut delivered = Vec::new();
    for (at, version) in VERSIONS.into_iter().enumerate() {
        delivered.push(deliver(&job, at, version).await);
    }
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["loaded"; 5]);
    assert_eq!(changes(&report), [&TIMESTAMPS[..], &CREDITS].concat());
    assert_eq!(job.figures(TABLE, FOCUS), expected(&delivered));
    assert_columns(&job, &VERSIONS);
}

async fn a_rate_that_is_not_a_number_loads_although_the_preview_had_numbers(job: AzureJob) {
    let preview = deliver(&job, 0, AzureFocus10Preview).await;
    job.finops.report(0);
    let later = job.deliver(&Export::new(AzureFocus10, Format::Csv), &Run::of(MONTHS[1].parse().unwrap())).await;
    let path = &later.files[0].path;
    let text = fs::read_to_string(job.source().join(path)).unwrap();
    // Of the same length, because the manifest has the size.
    job.write(path, &text.replace(",0.15\r\n", ",15 %\r\n")).await;
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded", "skipped"]);
    assert_eq!(job.figures(TABLE, FOCUS), expected([&preview, &later]));
    let rates = format!(
        "SELECT x_PartnerCreditRate, CAST(count(*) AS VARCHAR) FROM {} GROUP BY 1 ORDER BY 1",
        job.table(TABLE)
    );
    let found = job.rows(&rates);
    assert_eq!(found, [["0.15", "20"], ["15 %", "20"]].map(|row| row.map(|text| Some(text.to_owned())).to_vec()));
}
