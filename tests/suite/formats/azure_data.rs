//! What Azure's files may contain: cost data of one kind, a cost column and a billing period, of one calendar month.

use billing_exports::{Delivered, Dialect, Export, Format, Run};
use finops_core::hint;
use serde_json::{Value, json};

use crate::support::{
    azure_job::{AzureJob, COST, TABLE, expected, id, in_each_warehouse},
    program::{assert_names, each, month},
};

in_each_warehouse!(
    what_is_not_cost_data_is_refused_by_name,
    amortized_and_actual_cost_do_not_share_a_table,
    each_month_has_the_cost_column_that_its_files_have,
    files_without_a_cost_or_a_billing_period_are_refused,
    a_file_with_rows_of_two_billing_periods_is_refused,
    a_range_that_is_no_calendar_month_is_refused,
    scopes_with_their_cost_in_different_columns_are_refused,
);

fn actual() -> Export {
    Export::new(Dialect::AzureActualEnterprise, Format::Csv)
}

fn whole(month: &str) -> Run {
    Run::of(month.parse().unwrap())
}

/// The error of the report's month.
fn error<'a>(report: &'a Value, billing_period: &str) -> [&'a str; 3] {
    let error = &month(report, billing_period)["error"];
    ["kind", "message", "hint"].map(|key| error[key].as_str().unwrap_or_else(|| panic!("no {key}: {error:#}")))
}

#[track_caller]
fn assert_refused(report: &Value, billing_period: &str, kind: &str, said: &[&str], to_do: &[&str]) {
    let [found, message, hint] = error(report, billing_period);
    assert_eq!(found, kind, "{message}");
    assert_names(message, said);
    assert_names(hint, to_do);
}

async fn what_is_not_cost_data_is_refused_by_name(job: AzureJob) {
    let good = job.deliver(&actual(), &whole("2025-08")).await;
    let prices = job.deliver(&actual(), &whole("2025-09")).await;
    for kind in ["PriceSheet", "ReservationRecommendations", "ReservationDetails"] {
        job.change_manifest(&prices, |manifest| manifest["exportConfig"]["type"] = json!(kind)).await;
        let report = job.finops.report(1);
        assert_eq!(each(&report, "status")[0], "refused");
        let said = format!("it is of type `{kind}`, which is not cost data: choose an export of type ActualCost");
        let hint = "change the report's settings at the provider";
        assert_refused(&report, "2025-09", "manifest", &[&prices.manifest, &said], &[hint]);
        assert_eq!(job.figures(TABLE, COST), expected([&good]));
    }
}

async fn amortized_and_actual_cost_do_not_share_a_table(job: AzureJob) {
    let august = job.deliver(&actual(), &whole("2025-08")).await;
    let amortized = Export { dialect: Dialect::AzureAmortizedEnterprise, ..actual() };
    let september = job.deliver(&amortized, &whole("2025-09")).await;

    // If nothing is loaded, the newest delivery decides.
    let report = job.finops.report(1);
    assert_eq!(each(&report, "status"), ["loaded", "refused"]);
    let other = "it has rows of another kind than the export's newest delivery (`azure_actual`, not `azure_amortized`)";
    let hint = ["export each kind under its own name", "add `20250801-20250831/"];
    assert_refused(&report, "2025-08", "manifest", &[&august.manifest, other], &hint);
    assert_eq!(job.figures(TABLE, COST), expected([&september]));

    // From then on, the loaded months decide.
    let october = job.deliver(&actual(), &whole("2025-10")).await;
    for _ in 0..2 {
        let report = job.finops.report(1);
        assert_eq!(each(&report, "status"), ["refused", "skipped", "refused"]);
        let other = "it has rows of another kind than the table (`azure_actual`, not `azure_amortized`)";
        assert_refused(&report, "2025-10", "manifest", &[&october.manifest, other], &[]);
        assert_eq!(job.figures(TABLE, COST), expected([&september]));
    }
}

/// Delivers one file with this text.
pub async fn deliver_text(job: &AzureJob, month: &str, text: &str) -> Delivered {
    deliver_run(job, &whole(month), text).await
}

async fn deliver_run(job: &AzureJob, run: &Run, text: &str) -> Delivered {
    let delivered = job.deliver(&actual(), run).await;
    job.write(&delivered.files[0].path, text).await;
    let counts = |manifest: &mut Value| {
        let rows = text.lines().count() - 1;
        manifest["blobs"][0]["byteCount"] = json!(text.len());
        manifest["blobs"][0]["dataRowCount"] = json!(rows);
        manifest["dataRowCount"] = json!(rows);
    };
    job.change_manifest(&delivered, counts).await;
    delivered
}

async fn each_month_has_the_cost_column_that_its_files_have(job: AzureJob) {
    let months = [
        // Of pay-as-you-go accounts, older ones and newer ones, and of a Customer Agreement. If there are several, the one in
        // the billing currency counts.
        (
            "2025-07",
            "BillingPeriodStartDate,Date,PreTaxCost,Currency\n07/01/2025,07/03/2025,0.10,EUR\n07/01/2025,07/04/2025,1.000000000000000001,EUR\n",
            ("EUR", "1.100000000000000001"),
        ),
        (
            "2025-08",
            "BillingPeriodStartDate,Date,Cost,BillingCurrencyCode\n08/01/2025,08/03/2025,20,USD\n08/01/2025,08/04/2025,-3.5,USD\n",
            ("USD", "16.5"),
        ),
        (
            "2025-09",
            "billingPeriodStartDate,date,cost,preTaxCost,costInBillingCurrency,billingCurrency,currency\n09/01/2025,09/03/2025,1,2,300,GBP,XXX\n",
            ("GBP", "300"),
        ),
    ];
    for (month, text, _) in months {
        deliver_text(&job, month, text).await;
    }
    let report = job.finops.report(0);
    for (billing_period, text, (currency, cost)) in months {
        let found = month(&report, billing_period);
        assert_eq!(found["cost"], json!({currency: cost}), "{found:#}");
        assert_eq!(found["rows"], text.lines().count() - 1);
    }
    let sums = ["preTaxCost", "cost", "costInBillingCurrency"]
        .map(|name| format!("CAST(sum({}) AS VARCHAR)", job.amount(name)));
    let rows = job.rows(&format!("SELECT {} FROM {}", sums.join(", "), job.table(TABLE)));
    let plain = |sum: &Option<String>| sum.as_ref().unwrap().parse::<finops_core::Amount>().unwrap().to_string();
    assert_eq!(rows[0].iter().map(plain).collect::<Vec<_>>(), ["3.100000000000000001", "17.5", "300"]);
}

async fn files_without_a_cost_or_a_billing_period_are_refused(job: AzureJob) {
    let good = job.deliver(&actual(), &whole("2025-08")).await;
    job.finops.report(0);
    for (header, said) in [
        (
            "BillingPeriodStartDate,Date,Quantity",
            "it has no column that gives a cost: `costInBillingCurrency` or `preTaxCost` or `cost` was expected",
        ),
        (
            "PreTaxCost,Currency,Quantity",
            "it has no column that gives `billingPeriodStartDate`, by which rows belong to a month",
        ),
    ] {
        let bad = deliver_text(&job, "2025-09", &format!("{header}\n09/01/2025,09/03/2025,1\n")).await;
        let report = job.finops.report(1);
        assert_eq!(each(&report, "status"), ["failed", "skipped"]);
        assert_refused(&report, "2025-09", "data", &[&bad.files[0].path, said], &["is this a billing export"]);
        assert_eq!(job.figures(TABLE, COST), expected([&good]));
    }
}

async fn a_file_with_rows_of_two_billing_periods_is_refused(job: AzureJob) {
    let first = job.deliver(&actual(), &whole("2025-10")).await;
    job.finops.report(0);
    for format in [Format::Csv, Format::Parquet] {
        let two_periods = Export { two_periods: true, format, ..actual() };
        let again = job.deliver(&two_periods, &Run::again("2025-10".parse().unwrap(), 2)).await;
        let report = job.finops.report(1);
        assert_eq!(each(&report, "status"), ["failed"]);
        let said = ["2025-10 cannot be loaded: ", &again.files[0].path, "belong to 2025-09"];
        assert_refused(
            &report,
            "2025-10",
            "data",
            &said,
            &["export month to date in a data set without billing periods"],
        );
        assert_eq!(job.figures(TABLE, COST), expected([&first]));
        let status = job.finops.report_of(&["status", "--output", "json"], 0);
        assert_eq!(status[0]["months"][0]["execution_id"], id(&first));
    }
}

async fn a_range_that_is_no_calendar_month_is_refused(job: AzureJob) {
    let august = job.deliver(&actual(), &whole("2025-08")).await;
    let september = job.deliver(&actual(), &whole("2025-09")).await;
    let from_15th = |manifest: &mut Value| manifest["runInfo"]["startDate"] = json!("2025-09-15T00:00:00");
    job.change_manifest(&september, from_15th).await;
    let report = job.finops.report(1);
    assert_eq!(each(&report, "status"), ["refused", "loaded"]);
    let said = ["it covers 2025-09-15 to 2025-09-30 (MonthToDate)"];
    let to_do = ["with this time frame Azure exports one calendar month", "add `20250901-20250930/"];
    assert_refused(&report, "2025-09", "manifest", &said, &to_do);
    assert_eq!(job.figures(TABLE, COST), expected([&august]));
}

async fn scopes_with_their_cost_in_different_columns_are_refused(job: AzureJob) {
    let header = "BillingPeriodStartDate,Date,SubscriptionId";
    for (number, columns) in [(1, "Cost,BillingCurrencyCode"), (2, "PreTaxCost,Currency")] {
        let text = format!("{header},{columns}\n09/01/2025,09/03/2025,{number},1,USD\n");
        let run = deliver_run(&job, &Run::again("2025-09".parse().unwrap(), number), &text).await;
        let scope = json!(format!("/subscriptions/{number}"));
        job.change_manifest(&run, |manifest| manifest["exportConfig"]["resourceId"] = scope).await;
    }
    let report = job.finops.report(1);
    assert_refused(&report, "2025-09", "schema", &["which its other runs have"], &[hint::SAME_VERSION]);
}
