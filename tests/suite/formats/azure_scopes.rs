//! Months that consist of several runs of Azure: of several scopes under one name, in pieces, and before and after a
//! subscription was moved.

use std::fs;

use billing_exports::{Dialect, Export, Format};
use finops_core::hint;
use serde_json::{Value, json};

use crate::{
    staging::steps::{Pipeline, statuses},
    support::{
        azure_job::{AzureJob, COST, TABLE, in_each_warehouse},
        program::{assert_names, each, month},
    },
};

in_each_warehouse!(
    scopes_of_one_name_are_one_month,
    a_scope_that_waits_keeps_its_run_and_does_not_delay_the_others,
    a_scope_whose_files_are_gone_is_never_lost,
    rows_of_another_scope_fail_the_month_and_name_the_scopes,
    scopes_that_may_overlap_are_refused_until_the_settings_name_those_that_count,
    scopes_that_no_column_distinguishes_are_summed_separately,
    runs_of_other_columns_are_one_month,
    pieces_are_one_month_and_overlapping_ones_are_refused,
    a_run_that_begins_later_does_not_replace_the_month,
    a_usage_month_may_have_rows_of_a_few_days_outside,
    a_hundred_scopes_are_one_month,
    files_without_the_rows_that_are_counted_fail_the_month,
    neither_force_nor_a_damaged_month_loses_a_scope,
    a_scope_that_cannot_be_loaded_or_is_misspelt_fails_the_export,
    a_run_is_left_out_by_its_folder_too,
    a_first_piece_and_one_beyond_the_months_end_are_refused,
    a_day_that_two_usage_months_have_is_named,
);

const GUID: &str = "aaaaaaaa-0000-4000-8000-00000000000";

/// A run of September 2025 in actual cost.
struct Run<'a> {
    scope: &'a str,
    id: u32,
    /// The day of October on which it was submitted.
    submitted: u8,
    days: [u8; 2],
    /// Day, subscription and cost of each row.
    rows: &'a [(u8, &'a str, &'a str)],
    counts: bool,
    /// The header's names of the subscription and the billing period.
    columns: [&'a str; 2],
    kind: &'a str,
}

const RUN: Run<'static> = Run {
    scope: "/subscriptions/1",
    id: 1,
    submitted: 1,
    days: [1, 30],
    rows: &[],
    counts: true,
    columns: ["SubscriptionId", "BillingPeriodStartDate"],
    kind: "ActualCost",
};

impl Run<'_> {
    fn folder(&self) -> String {
        let [first, last] = if self.days[0] == 1 && !self.days[1].is_multiple_of(7) { [1, 30] } else { self.days };
        format!("daily/202509{first:02}-202509{last:02}/2025100{}0300/{}", self.submitted, self.name())
    }

    fn name(&self) -> String {
        format!("{:08}-0000-4000-8000-000000000000", self.id)
    }

    fn text(&self) -> String {
        let mut text =
            format!("{},Date,CostInBillingCurrency,BillingCurrencyCode,{}\n", self.columns[0], self.columns[1]);
        for (day, subscription, cost) in self.rows {
            let day = if *day == 31 { "10/01/2025".to_owned() } else { format!("09/{day:02}/2025") };
            let period = if self.columns[1] == "Tags" { "" } else { "09/01/2025" };
            text += &[subscription, day.as_str(), cost, "EUR", period].join(",");
            text += "\n";
        }
        text
    }

    fn manifest(&self) -> Value {
        let (folder, rows) = (self.folder(), self.counts.then_some(self.rows.len()));
        json!({
            "blobCount": 1, "dataRowCount": rows,
            "exportConfig": {
                "exportName": "daily", "type": self.kind, "timeFrame": "MonthToDate",
                "resourceId": format!("{}/providers/Microsoft.CostManagement/exports/daily", self.scope),
            },
            "deliveryConfig": {"fileFormat": "Csv", "compressionMode": "None"},
            "runInfo": {
                "runId": self.name(), "submittedTime": format!("2025-10-0{}T03:00:00Z", self.submitted),
                "startDate": format!("2025-09-{:02}T00:00:00", self.days[0]),
                "endDate": format!("2025-09-{:02}T00:00:00", self.days[1]),
            },
            "blobs": [{"blobName": format!("dir/{folder}/part.csv"), "byteCount": self.text().len(), "dataRowCount": rows}],
        })
    }

    async fn deliver(&self, job: &AzureJob) {
        self.deliver_manifest(job).await;
        job.write(&format!("{}/part.csv", self.folder()), &self.text()).await;
    }

    async fn deliver_manifest(&self, job: &AzureJob) {
        fs::create_dir_all(job.source().join(self.folder())).unwrap();
        job.write(&format!("{}/manifest.json", self.folder()), &self.manifest().to_string()).await;
    }

    async fn remove(&self, job: &AzureJob) {
        for file in ["part.csv", "manifest.json"] {
            let path = format!("{}/{file}", self.folder());
            fs::remove_file(job.source().join(&path)).unwrap();
            if let Some(storage) = job.storage() {
                storage.delete(crate::support::program::BUCKET, &path).await;
            }
        }
    }
}

fn assert_has(job: &AzureJob, rows: usize, cost: &str) {
    assert_eq!(job.figures(TABLE, COST), [("2025-09".to_owned(), (rows, cost.to_owned()))].into());
}

fn said(report: &Value) -> String {
    let september = month(report, "2025-09");
    format!("{} {} {}", september["reason"], september["error"]["message"], september["error"]["hint"])
}

/// What is recorded of the scopes.
fn recorded(job: &AzureJob) -> Vec<Value> {
    let status = job.finops.report_of(&["status", "--output", "json"], 0);
    status[0]["months"][0]["scopes"].as_array().unwrap().clone()
}

/// A month written by `export-parquet` has all of its scopes, but its manifest names one only if there is no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_written_month_of_several_scopes_lacks_none() {
    let pipeline =
        Pipeline::new(Export { name: "daily".to_owned(), ..Export::new(Dialect::AzureActualEnterprise, Format::Csv) });
    let august = |text: String| text.replace("202509", "202508").replace("2025-09", "2025-08").replace("09/", "08/");
    let deliver = |run: &Run, name: &str, text: String, in_august: bool| {
        let (folder, text) = if in_august { (august(run.folder()), august(text)) } else { (run.folder(), text) };
        let folder = pipeline.folder.path().join("delivered").join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    };
    let september = Run { id: 3, ..ONE };
    for (run, in_august) in [(&ONE, true), (&september, false), (&TWO, false)] {
        deliver(run, "part.csv", run.text(), in_august);
        deliver(run, "manifest.json", run.manifest().to_string(), in_august);
    }
    assert_eq!(statuses(&pipeline.report("run-pipeline")), vec![vec!["loaded"; 2]; 3]);
    let again = pipeline.report("export-parquet");
    assert_eq!(statuses(&again), [["skipped"; 2]]);
    for month in again[0]["months"].as_array().unwrap() {
        assert_eq!((&month["reason"], &month["scopes"]), (&json!("already written"), &Value::Null));
    }
}

const ONE: Run<'static> = Run { rows: &[(1, "1", "100"), (30, "1", "100")], ..RUN };
const TWO: Run<'static> = Run { scope: "/subscriptions/2", id: 2, rows: &[(1, "2", "7"), (30, "2", "7")], ..RUN };

async fn scopes_of_one_name_are_one_month(job: AzureJob) {
    ONE.deliver(&job).await;
    job.finops.report(0);
    let alone = &recorded(&job)[0];
    assert_eq!(
        (&alone["scope"], &alone["rows"], &alone["days"]),
        (&json!("/subscriptions/1"), &json!(2), &json!(1 | 1 << 29))
    );
    // The manifest of the second does not count its rows: its load does.
    Run { counts: false, ..TWO }.deliver(&job).await;
    let report = job.finops.report(0);
    assert_names(&said(&report), &["2 of 2 scopes"]);
    assert_has(&job, 4, "214");
    let scopes = recorded(&job);
    assert_eq!(scopes.iter().map(|scope| scope["cost"]["EUR"].as_str().unwrap()).collect::<Vec<_>>(), ["200", "14"]);
    assert_eq!(scopes[1]["first_day"], "2025-09-01");
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
    let newer = Run { id: 3, submitted: 2, rows: &[(1, "2", "8"), (30, "2", "8")], ..TWO };
    newer.deliver(&job).await;
    job.finops.report(0);
    assert_has(&job, 4, "216");
    let only_one = job.finops.clone().with("AZURE_SCOPES", "/Subscriptions/1");
    let report = only_one.report(0);
    assert_eq!(each(&report, "status"), ["loaded"]);
    assert_has(&job, 2, "200");
    let none = job.finops.clone().with("AZURE_SCOPES", "/subscriptions/9").report(1);
    assert_names(&said(&none), &["none of its scopes counts", "/subscriptions/1, /subscriptions/2", "AZURE_SCOPES"]);
}

async fn a_scope_that_waits_keeps_its_run_and_does_not_delay_the_others(job: AzureJob) {
    ONE.deliver(&job).await;
    TWO.deliver(&job).await;
    job.finops.report(0);
    let newer = Run { id: 3, submitted: 4, rows: &[(1, "1", "90"), (30, "1", "90")], ..ONE };
    newer.deliver(&job).await;
    Run { id: 4, submitted: 4, ..TWO }.deliver_manifest(&job).await;
    let patient = job.finops.clone().with("WAIT_MAX_HOURS", "100000");
    let report = patient.report(0);
    assert_names(
        &said(&report),
        &["2 of 2 scopes, 1 older than 36 h: /subscriptions/2", "is still waiting for 1 of 1 files"],
    );
    assert_has(&job, 4, "194");
    // A third one that was never there waits, too.
    Run { scope: "/subscriptions/3", id: 5, ..TWO }.deliver_manifest(&job).await;
    let report = patient.report(0);
    assert_names(&said(&report), &["2 of 3 scopes"]);
    assert_eq!(each(&report, "status"), ["skipped"]);
    let report = job.finops.clone().with("WAIT_MAX_HOURS", "0").report(1);
    assert_eq!(each(&report, "status"), ["skipped"]);
    assert_eq!(month(&report, "2025-09")["error"]["kind"], "stale");
}

async fn a_scope_whose_files_are_gone_is_never_lost(job: AzureJob) {
    ONE.deliver(&job).await;
    TWO.deliver(&job).await;
    job.finops.report(0);
    TWO.remove(&job).await;
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
    let newer = Run { id: 3, submitted: 2, ..ONE };
    newer.deliver(&job).await;
    let report = job.finops.clone().with("WAIT_MAX_HOURS", "100000").report(0);
    assert_eq!(each(&report, "status"), ["waiting"]);
    let report = job.finops.clone().with("WAIT_MAX_HOURS", "0").report(1);
    assert_names(&said(&report), &["/subscriptions/2", &TWO.name(), "not there any more", "AZURE_SCOPES"]);
    assert_eq!(month(&report, "2025-09")["error"]["kind"], "stale");
    assert_has(&job, 4, "214");
    let left_out = job.finops.clone().with("AZURE_LEAVE_OUT", &TWO.name());
    left_out.report(0);
    assert_has(&job, 2, "200");
}

async fn rows_of_another_scope_fail_the_month_and_name_the_scopes(job: AzureJob) {
    ONE.deliver(&job).await;
    Run { rows: &[(1, "2", "7"), (30, "1", "7")], ..TWO }.deliver(&job).await;
    let report = job.finops.report(1);
    assert_names(
        &said(&report),
        &["/subscriptions/1, run", "/subscriptions/2, run", "2 rows were expected", "3 are staged"],
    );
    Run { rows: &[(1, "2", "7"), (30, "9", "7")], ..TWO }.deliver(&job).await;
    let report = job.finops.report(1);
    assert_names(&said(&report), &["1 row is of no scope", "AZURE_SCOPES"]);
}

async fn scopes_that_may_overlap_are_refused_until_the_settings_name_those_that_count(job: AzureJob) {
    let account = "/providers/Microsoft.Billing/billingAccounts/8611537";
    ONE.deliver(&job).await;
    Run { scope: account, id: 2, rows: &[(1, "8", "7"), (30, "9", "7")], ..RUN }.deliver(&job).await;
    let report = job.finops.report(1);
    assert_eq!(each(&report, "status"), ["refused"]);
    assert_names(&said(&report), &["/subscriptions/1", &account.to_lowercase(), "AZURE_SCOPES"]);
    let both = job.finops.clone().with("AZURE_SCOPES", &format!("/subscriptions/1,{account}"));
    both.report(0);
    assert_has(&job, 4, "214");
    Run { scope: "/subscriptions/1/resourceGroups/rg", id: 3, ..ONE }.deliver(&job).await;
    let report =
        job.finops.clone().with("AZURE_SCOPES", "/subscriptions/1,/subscriptions/1/resourceGroups/rg").report(1);
    assert_names(&said(&report), &["/subscriptions/1 contains /subscriptions/1/resourcegroups/rg"]);
    assert_has(&job, 4, "214");
}

async fn scopes_that_no_column_distinguishes_are_summed_separately(job: AzureJob) {
    let account = "/providers/Microsoft.Billing/billingAccounts/1/departments";
    let (sales, research) = (format!("{account}/7"), format!("{account}/8"));
    Run { scope: &sales, ..ONE }.deliver(&job).await;
    Run { scope: &research, ..TWO }.deliver(&job).await;
    job.finops.report(0);
    assert_has(&job, 4, "214");
    let costs: Vec<Value> = recorded(&job).iter().map(|scope| scope["cost"]["EUR"].clone()).collect();
    assert_eq!(costs, [json!("200"), json!("14")]);
    Run { scope: &research, id: 3, submitted: 2, rows: &[(1, "2", "7")], ..RUN }.deliver(&job).await;
    let report = job.finops.report(1);
    assert_names(&said(&report), &["ends with day 1", "with day 30", &TWO.name(), "--force"]);
}

async fn runs_of_other_columns_are_one_month(job: AzureJob) {
    ONE.deliver(&job).await;
    Run { columns: ["SubscriptionGuid", "BillingPeriodStartDate"], ..TWO }.deliver(&job).await;
    job.finops.report(0);
    assert_has(&job, 4, "214");
    assert_eq!(recorded(&job).len(), 2);
}

async fn pieces_are_one_month_and_overlapping_ones_are_refused(job: AzureJob) {
    for week in 0..4u8 {
        let (first, last) = (1 + 7 * week, 7 + 7 * week);
        let rows = [(first, "1", "10"), (last, "1", "10")];
        Run { id: 10 + u32::from(week), days: [first, last], rows: &rows, ..RUN }.deliver(&job).await;
        let report = job.finops.report(0);
        // The last one was submitted three days after its last day.
        let settling = if week == 3 { ", settling" } else { "" };
        let pieces = format!("{} of {} pieces, until 2025-09-{last:02}{settling};", week + 1, week + 1);
        if week > 0 {
            assert_names(&said(&report), &[&pieces]);
        }
        assert_has(&job, 2 * (usize::from(week) + 1), &(20 * (u32::from(week) + 1)).to_string());
    }
    assert_eq!(recorded(&job).len(), 4);
    Run { id: 20, days: [28, 30], rows: &[(28, "1", "1")], ..RUN }.deliver(&job).await;
    let report = job.finops.report(1);
    assert_names(&said(&report), &["pieces that overlap", "2025-09-28 to 2025-09-30", "month to date"]);
    assert_has(&job, 8, "80");
}

async fn a_run_that_begins_later_does_not_replace_the_month(job: AzureJob) {
    ONE.deliver(&job).await;
    job.finops.report(0);
    let moved = Run { id: 2, submitted: 2, rows: &[(11, "1", "3"), (30, "1", "90")], ..ONE };
    moved.deliver(&job).await;
    let report = job.finops.report(1);
    assert_names(
        &said(&report),
        &["begins with day 11", "with day 1", &moved.name(), &ONE.name(), "AZURE_KEEP_RUNS", "--force"],
    );
    assert_has(&job, 2, "200");
    // Both have rows of the 30th.
    let keep = job.finops.clone().with("AZURE_KEEP_RUNS", &ONE.name());
    assert_names(&said(&keep.report(1)), &["both have rows of 2025-09-30"]);
    Run { rows: &[(12, "1", "3"), (29, "1", "90")], ..moved }.deliver(&job).await;
    keep.report(0);
    assert_has(&job, 4, "293");
    assert_eq!(recorded(&job).iter().filter(|scope| scope["kept"] == true).count(), 1);
    assert_eq!(each(&keep.report(0), "status"), ["skipped"]);
    // The move is undone: the kept rows are removed on purpose.
    job.finops.report(0);
    assert_has(&job, 2, "93");
    Run { id: 3, submitted: 3, rows: &[(30, "1", "5")], ..moved }.deliver(&job).await;
    job.finops.report(1);
    job.finops.report_of(&["run", "--force", "--output", "json"], 0);
    assert_has(&job, 1, "5");
}

async fn a_usage_month_may_have_rows_of_a_few_days_outside(job: AzureJob) {
    let without = ["SubscriptionId", "Tags"];
    Run { columns: without, kind: "Usage", rows: &[(1, "1", "2"), (31, "1", "0.5")], ..RUN }.deliver(&job).await;
    let report = job.finops.report(0);
    assert_names(&said(&report), &["usage month", "1 row of 2025-10-01, outside the month (0.5 EUR)"]);
    assert_has(&job, 2, "2.5");
    assert_eq!(recorded(&job)[0]["usage_month"], true);
    let status = job.finops.report_of(&["status", "--output", "json"], 0);
    assert_eq!(status[0]["months"][0]["kind"], "azure_usage");
}

async fn files_without_the_rows_that_are_counted_fail_the_month(job: AzureJob) {
    ONE.deliver(&job).await;
    TWO.deliver(&job).await;
    let header = TWO.text().lines().next().unwrap().to_owned() + "\n";
    let mut manifest = TWO.manifest();
    manifest["blobs"][0]["byteCount"] = json!(header.len());
    job.write(&format!("{}/manifest.json", TWO.folder()), &manifest.to_string()).await;
    job.write(&format!("{}/part.csv", TWO.folder()), &header).await;
    let report = job.finops.report(1);
    assert_names(&said(&report), &["have headers and no rows", "counts 2"]);
}

async fn neither_force_nor_a_damaged_month_loses_a_scope(job: AzureJob) {
    ONE.deliver(&job).await;
    TWO.deliver(&job).await;
    job.finops.report(0);
    TWO.remove(&job).await;
    job.finops.report_of(&["run", "--force", "--output", "json"], 0);
    assert_has(&job, 4, "214");
    if job.storage().is_none() {
        let database = duckdb::Connection::open(job.source().parent().unwrap().join("finops.duckdb")).unwrap();
        let of_the_first =
            format!("DELETE FROM {} WHERE costInBillingCurrency = 100 AND date = '2025-09-01'", job.table(TABLE));
        database.execute_batch(&of_the_first).unwrap();
        drop(database);
        let report = job.finops.clone().with("WAIT_MAX_HOURS", "100000").report(0);
        assert_eq!(each(&report, "status"), ["waiting"], "{report:#}");
        assert_has(&job, 3, "114");
    }
}

async fn a_scope_that_cannot_be_loaded_or_is_misspelt_fails_the_export(job: AzureJob) {
    ONE.deliver(&job).await;
    Run { kind: "PriceSheet", ..TWO }.deliver(&job).await;
    let report = job.finops.report(1);
    assert_names(&said(&report), &["1 of 2 scopes", "PriceSheet"]);
    assert_has(&job, 2, "200");
    // It has another kind of rows.
    Run { kind: "AmortizedCost", id: 3, submitted: 2, scope: "/subscriptions/3", ..TWO }.deliver(&job).await;
    assert_names(&said(&job.finops.report(1)), &["1 of 3 scopes"]);
    let misspelt = job.finops.clone().with("AZURE_SCOPES", "/subscriptions/1,/subscriptions/b-typo");
    let report = misspelt.report(1);
    assert_names(&said(&report), &["names scopes that no delivery has: /subscriptions/b-typo", "AZURE_SCOPES"]);
    let only = job.finops.clone().with("AZURE_SCOPES", "/subscriptions/1").report(0);
    assert_names(&said(&only), &["AZURE_SCOPES leaves out /subscriptions/2, /subscriptions/3"]);
}

async fn a_run_is_left_out_by_its_folder_too(job: AzureJob) {
    ONE.deliver(&job).await;
    Run { submitted: 2, ..TWO }.deliver(&job).await;
    job.finops.report(0);
    let left_out = job.finops.clone().with("AZURE_LEAVE_OUT", "202510020300");
    let report = left_out.report(0);
    assert_eq!(each(&report, "status"), ["loaded"], "{report:#}");
    assert_has(&job, 2, "200");
}

async fn a_first_piece_and_one_beyond_the_months_end_are_refused(job: AzureJob) {
    let first = Run { days: [1, 7], rows: &[(1, "1", "10")], ..RUN };
    first.deliver(&job).await;
    let crossing = Run { id: 2, days: [29, 30], rows: &[(29, "1", "10")], ..RUN };
    let folder = crossing.folder().replace("20250929-20250930", "20250929-20251005");
    fs::create_dir_all(job.source().join(&folder)).unwrap();
    let manifest = crossing.manifest().to_string().replace("20250929-20250930", "20250929-20251005");
    let manifest = manifest.replace("2025-09-30T00", "2025-10-05T00");
    job.write(&format!("{folder}/part.csv"), &crossing.text()).await;
    job.write(&format!("{folder}/manifest.json"), &manifest).await;
    let report = job.finops.report(1);
    assert_names(&said(&report), &["delivered in pieces, and one reaches beyond it", "2025-09-29 to 2025-10-05"]);
    assert_has(&job, 1, "10");
}

async fn a_day_that_two_usage_months_have_is_named(job: AzureJob) {
    let september = Run { columns: ["SubscriptionId", "Tags"], rows: &[(1, "1", "2"), (31, "1", "0.5")], ..RUN };
    september.deliver(&job).await;
    job.finops.report(0);
    let october = |text: String| {
        text.replace("202509", "202510").replace("2025-09", "2025-10").replace("09/01/2025", "10/01/2025")
    };
    let run = Run { id: 2, submitted: 2, rows: &[(1, "1", "2")], ..september };
    let folder = october(run.folder());
    fs::create_dir_all(job.source().join(&folder)).unwrap();
    job.write(&format!("{folder}/part.csv"), &october(run.text())).await;
    job.write(&format!("{folder}/manifest.json"), &october(run.manifest().to_string())).await;
    job.finops.report(0);
    let report = job.finops.report(1);
    assert_names(
        &said(&report),
        &["has rows of 2025-10-01, and 2025-10, which has that day too, is loaded", hint::DAY_TWICE],
    );
}

async fn a_hundred_scopes_are_one_month(job: AzureJob) {
    let scopes: Vec<(String, String)> =
        (0..100).map(|n| (format!("/subscriptions/{GUID}{n}"), format!("{GUID}{n}"))).collect();
    for (n, (scope, subscription)) in (0u32..).zip(&scopes) {
        Run { scope, id: n, rows: &[(1, subscription, "1"), (2, subscription, "0.01")], ..RUN }.deliver(&job).await;
    }
    let report = job.finops.report(0);
    assert_names(&said(&report), &["100 of 100 scopes"]);
    assert_has(&job, 200, "101");
    assert!(recorded(&job).iter().all(|scope| scope["cost"]["EUR"] == "1.01" && scope["rows"] == 2));
}
