//! Azure's exports as they occur in practice: finops loads what it can, and refuses the rest with a next step.

use std::fs;

use billing_exports::{Delivered, Dialect, Export, Format, Run};
use finops_core::hint;
use serde_json::{Value, json};

use crate::{
    formats::azure_data::deliver_text,
    staging::steps::{Pipeline, statuses},
    support::{
        azure_job::{AzureJob, COST, FOCUS, TABLE, expected, id, in_each_warehouse},
        program::{assert_names, each, month},
    },
};

in_each_warehouse!(
    a_count_in_a_manifest_that_is_wrong_is_named_with_the_manifest,
    data_files_without_a_manifest_are_named_with_the_setting_in_azure,
    headers_in_the_portals_language_load_under_azures_own_names,
    days_of_another_locale_are_refused_by_their_form,
    an_export_that_changed_its_kind_is_refused_for_that_and_not_for_its_columns,
    a_name_in_another_case_is_the_same_export,
);

fn actual() -> Export {
    Export::new(Dialect::AzureActualEnterprise, Format::Csv)
}

fn whole(month: &str) -> Run {
    Run::of(month.parse().unwrap())
}

/// Message and hint of September's error in the report of a run that fails.
fn refused(job: &AzureJob) -> [String; 2] {
    let report = job.finops.report(1);
    ["message", "hint"].map(|key| month(&report, "2025-09")["error"][key].as_str().unwrap().to_owned())
}

#[track_caller]
fn assert_lacks(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(!text.contains(part), "`{part}` is in:\n{text}");
    }
}

async fn a_count_in_a_manifest_that_is_wrong_is_named_with_the_manifest(job: AzureJob) {
    let delivered = job.deliver(&actual(), &whole("2025-09")).await;
    let one = |manifest: &mut Value| {
        manifest["dataRowCount"] = json!(1);
        manifest["blobs"].as_array_mut().unwrap().truncate(1);
    };
    job.change_manifest(&delivered, one).await;
    let [message, hint] = refused(&job);
    let read = format!("{} were read", delivered.rows);
    assert_names(&message, &["1 rows were expected, as the manifest ", &delivered.manifest, &read]);
    assert_names(&hint, &["written by hand", "correct the counts", "to AZURE_LEAVE_OUT"]);
    assert_lacks(&hint, &["run again"]);
}

async fn data_files_without_a_manifest_are_named_with_the_setting_in_azure(job: AzureJob) {
    let file = "daily/20250901-20250930/daily_c0c0c0c0.csv";
    fs::create_dir_all(job.source().join(file).parent().unwrap()).unwrap();
    job.write(file, "Date,Cost\n").await;
    for (setting, found) in [("daily", true), ("weekly", false)] {
        let finops = job.finops.clone().with("AZURE_EXPORT_NAME", setting);
        let error = &finops.report(1)["pipelines"][0]["error"];
        let [message, hint] = ["message", "hint"].map(|key| error[key].as_str().unwrap());
        assert_names(message, &["there is no manifest of export"]);
        assert_eq!(message.contains(file), found, "{message}");
        assert_eq!(hint.contains(hint::FILE_PARTITIONING), found, "{hint}");
        let checked = finops.run(&["check"]);
        assert_eq!((checked.code, checked.stdout.contains("partitioning")), (1, found), "{}", checked.stdout);
    }
}

async fn headers_in_the_portals_language_load_under_azures_own_names(job: AzureJob) {
    let text = "Beginn des Abrechnungszeitraums (BillingPeriodStartDate),Datum (Date),\"Kosten, gesamt (CostInBillingCurrency)\",\
                Abrechnungswährung (BillingCurrencyCode),Größe (Quantity)\n\
                09/01/2025,09/01/2025,1.25,USD,3\n09/01/2025,09/02/2025,2.50,USD,4\n";
    deliver_text(&job, "2025-09", text).await;
    let english = job.deliver(&actual(), &whole("2025-08")).await;
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"]);
    assert_eq!(month(&report, "2025-09")["cost"], json!({"USD": "3.75"}));
    let mut figures = expected([&english]);
    figures.insert("2025-09".to_owned(), (2, "3.75".to_owned()));
    assert_eq!(job.figures(TABLE, COST), figures);
    let quantity = job.amount("quantity");
    let september = "CAST(billingPeriodStartDate AS VARCHAR) LIKE '2025-09%'";
    let rows = job.rows(&format!(
        "SELECT CAST(CAST(sum({quantity}) AS INTEGER) AS VARCHAR), min(billingCurrencyCode) FROM {} WHERE {september}",
        job.table(TABLE)
    ));
    assert_eq!(rows, [["7", "USD"].map(|text| Some(text.to_owned()))]);
}

async fn days_of_another_locale_are_refused_by_their_form(job: AzureJob) {
    let header = "BillingPeriodStartDate,BillingPeriodEndDate,Date,CostInBillingCurrency,BillingCurrencyCode";
    let rows = "01/09/2025,30/09/2025,01/09/2025,1,USD\n01/09/2025,30/09/2025,02/09/2025,2,USD\n";
    let delivered = deliver_text(&job, "2025-09", &format!("{header}\n{rows}")).await;
    let [message, hint] = refused(&job);
    let form = "its days have the form dd/MM/yyyy, as `01/09/2025` in column billingPeriodStartDate";
    assert_names(&message, &[&delivered.files[0].path, form]);
    assert_names(&hint, &[hint::DAY_FIRST, "add `20250901-20250930/"]);

    // The days of the cycle that begins with the 9th are valid in both forms.
    let rows = "08/09/2025,09/08/2025,09/01/2025,1,USD\n09/09/2025,10/08/2025,09/10/2025,2,USD\n";
    deliver_text(&job, "2025-09", &format!("{header}\n{rows}")).await;
    let [message, hint] = refused(&job);
    assert_names(&message, &["1 row belongs to 2025-08"]);
    assert_names(&hint, &[hint::ROWS_OF_OTHER_MONTHS, hint::WITHOUT_BILLING_PERIODS]);
    assert_lacks(&(message + &hint), &["dd/MM", "such as month to date"]);
}

async fn an_export_that_changed_its_kind_is_refused_for_that_and_not_for_its_columns(job: AzureJob) {
    let amortized = Export { dialect: Dialect::AzureAmortizedEnterprise, ..actual() };
    let august = job.deliver(&amortized, &whole("2025-08")).await;
    job.finops.report(0);
    let focus = Export { dialect: Dialect::AzureFocus12, ..actual() };
    let september: Delivered = job.deliver(&focus, &whole("2025-09")).await;
    let to_do = ["export each kind under its own name", "add `20250901-20250930/"];
    for _ in 0..2 {
        let [message, hint] = refused(&job);
        assert_names(&message, &["another kind than the table (`focus`, not `azure_amortized`)"]);
        assert_names(&hint, &to_do);
        assert_lacks(&hint, &["restore the column", "compare the object"]);
        assert_eq!(job.figures(TABLE, COST), expected([&august]));
    }
    let checked = job.finops.run(&["check"]);
    assert_eq!(checked.code, 1, "{}", checked.stdout);
    let said = ["another kind than the export's newest delivery: its columns are those of `azure_actual`", to_do[0]];
    assert_names(&checked.stdout, &said);
    assert_lacks(&checked.stdout, &["restore the column"]);
    assert_eq!(job.finops.run(&["status"]).code, 0);

    // After the setting is changed, runs succeed.
    let left_out = job.finops.clone().with("AZURE_LEAVE_OUT", "202509??-*");
    assert_eq!(each(&left_out.report(0), "status"), ["skipped"]);
    let fresh = job.finops.clone().with("AZURE_TABLE_NAME", "fresh");
    let report = fresh.report(1);
    assert_eq!(each(&report, "status"), ["loaded", "refused"]);
    let error = &month(&report, "2025-08")["error"];
    let newest = "the export's newest delivery (`azure_amortized`, not `focus`)";
    assert_names(error["message"].as_str().unwrap(), &[newest]);
    assert_names(error["hint"].as_str().unwrap(), &[to_do[0], "add `20250801-20250831/"]);
    assert_eq!(job.figures("fresh", FOCUS), expected([&september]));
}

async fn a_name_in_another_case_is_the_same_export(job: AzureJob) {
    let export = Export { name: "Daily-Cost".to_owned(), ..actual() };
    let delivered = job.deliver(&export, &whole("2025-09")).await;
    job.deliver(&Export { name: "Daily-Cost2".to_owned(), ..actual() }, &whole("2025-08")).await;
    for (name, status) in [("daily-cost", "loaded"), ("DAILY-COST", "skipped"), ("Daily-Cost", "skipped")] {
        let report = job.finops.clone().with("AZURE_EXPORT_NAME", name).report(0);
        assert_eq!(each(&report, "status"), [status], "{name}");
        assert_eq!(each(&report, "execution_id"), [id(&delivered)]);
    }
    assert_eq!(job.figures(TABLE, COST), expected([&delivered]));
    // If no spelling exists, the error names what exists.
    let outcome = job.finops.clone().with("AZURE_EXPORT_NAME", "dailycost").run(&["run"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["no manifest of export `dailycost`", "`Daily-Cost` in ", "`Daily-Cost2` in "]);

    // If folders differ in case only, the one with the setting's spelling counts.
    let lower = job.deliver(&Export { name: "daily-cost".to_owned(), ..actual() }, &whole("2025-10")).await;
    let report = job.finops.clone().with("AZURE_EXPORT_NAME", "daily-cost").report(0);
    assert_eq!((each(&report, "execution_id"), each(&report, "status")), (vec![id(&lower)], vec!["loaded"]));
    let outcome = job.finops.clone().with("AZURE_EXPORT_NAME", "DAILY-COST").run(&["run"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stderr, &["there are several exports below", "/Daily-Cost/", "/daily-cost/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_another_case_goes_through_the_staged_pipeline() {
    let pipeline = Pipeline::new(Export { name: "daily-cost".to_owned(), ..actual() });
    let to = pipeline.folder.path().join("delivered");
    let export = Export { name: "Daily-Cost".to_owned(), ..actual() };
    let delivered = ["2025-08", "2025-09"].map(|month| export.deliver(&to, &whole(month)).unwrap());
    for status in ["loaded", "skipped"] {
        let steps = pipeline.report("run-pipeline");
        assert_eq!(statuses(&steps), vec![vec![status; 2]; steps.len()], "{steps:#?}");
    }
    pipeline.assert_has(&delivered);
}
