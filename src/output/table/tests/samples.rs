//! Reports as they occur: three years of months, currencies with eighteen decimals, and months of each result.

use finops_core::{
    BillingPeriod, Costs, hint,
    model::{
        column_type::ColumnType,
        error_kind::ErrorKind,
        load_record::{LoadRecord, LoadStatus, LoadedMonth},
    },
    report::{
        check::{Check, CheckReport, Finding},
        run::{Action, MonthReport, MonthResult, MonthStatus, MonthVerb, PipelineReport, ReportedError, TableStatus},
    },
    schema::{ChangeKind, SchemaChange},
};
use jiff::Timestamp;

use crate::{
    settings::{Origin, Setting},
    staging::{Content, MonthOverview, StepActions},
};

pub const NOW: &str = "2025-11-03T08:05:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// Three years, newest first.
pub fn periods() -> Vec<BillingPeriod> {
    let first: BillingPeriod = "2025-11".parse().unwrap();
    std::iter::successors(Some(first), |period| Some(period.before())).take(36).collect()
}

pub fn costs(amounts: &[(&str, &str)]) -> Costs {
    amounts.iter().map(|(amount, currency)| ((*currency).to_owned(), amount.parse().unwrap())).collect()
}

/// An id that begins with a number.
pub fn uuid(number: usize) -> String {
    format!("{:08x}-ba14-46af-8993-e5efb1bb5ec7", 0x41_52_4a_17_usize.wrapping_mul(number * 2 + 1) & 0xffff_ffff)
}

fn error(kind: ErrorKind, message: &str) -> ReportedError {
    ReportedError { kind, message: message.to_owned(), hint: None }
}

/// A month that is skipped.
pub fn month(billing_period: BillingPeriod, number: usize) -> MonthReport {
    let reason = format!("already loaded on 2025-{:02}-04 08:05 UTC", number % 12 + 1);
    MonthReport {
        billing_period,
        execution_id: uuid(number),
        action: Action::Skip,
        remarks: vec![reason.clone()],
        reason,
        reason_code: "already_loaded",
        scopes: Vec::new(),
        files: 0,
        bytes: 0,
        result: Some(MonthStatus::Skipped.into()),
        error: None,
        fingerprint: None,
    }
}

pub fn because(month: MonthReport, action: Action, code: &'static str, remarks: &[&str]) -> MonthReport {
    let remarks: Vec<String> = remarks.iter().map(|remark| (*remark).to_owned()).collect();
    MonthReport { action, reason_code: code, reason: remarks.join("; "), remarks, ..month }
}

pub fn loaded(month: MonthReport, files: u64, rows: u64, cost: &Costs, previous: &Costs) -> MonthReport {
    let (cost, previous_cost) = (cost.clone(), previous.clone());
    let result = MonthResult { rows, cost, previous_cost, ..MonthStatus::Loaded.into() };
    MonthReport { files, bytes: rows * 631, result: Some(result), ..month }
}

fn failed(month: MonthReport, status: MonthStatus, kind: ErrorKind, message: &str) -> MonthReport {
    MonthReport { result: Some(status.into()), error: Some(error(kind, message)), ..month }
}

/// A run of three exports: months of each result, an export in two currencies, and one that failed.
pub fn run() -> Vec<PipelineReport> {
    let mut months: Vec<MonthReport> =
        periods().into_iter().enumerate().map(|(number, period)| month(period, number)).collect();
    let waiting = "waiting for 1 of 12 files for 3 h: 20251101-20251201/20251103T041205Z/cost-and-usage-00012.csv.gz";
    months[0] = because(months[0].clone(), Action::Wait, "files_missing", &[waiting]);
    months[0].result = Some(MonthStatus::Waiting.into());
    let october = because(months[1].clone(), Action::Load, "not_loaded", &["not loaded yet"]);
    months[1] = loaded(october, 12, 1_824_331, &costs(&[("66663.6662496624", "USD")]), &Costs::new());
    let september = format!("new delivery, in place of {}", uuid(40));
    let september = because(months[2].clone(), Action::Reload, "new_delivery", &[&september]);
    let (before, after) = (costs(&[("66840.1", "USD")]), costs(&[("66842.074160008", "USD")]));
    months[2] = loaded(september, 1, 624, &after, &before);
    let message = "2025-08 cannot be loaded: column line_item_unblended_cost: 1 value is not a decimal of at most 38 \
                   digits, such as `free` (in cur/cost-and-usage/20250801-20250901/20250903T120125Z/cost-and-usage-00001.csv.gz)";
    let august = because(months[3].clone(), Action::Load, "not_loaded", &["not loaded yet"]);
    months[3] =
        MonthReport { files: 1, bytes: 66_312, ..failed(august, MonthStatus::Failed, ErrorKind::Data, message) };
    let july = "manifest cur/cost-and-usage/20250701-20250801/cost-and-usage-Manifest.json: it is compressed as ZIP";
    let refused = because(months[4].clone(), Action::Refuse, "manifest_unusable", &[july]);
    months[4] = failed(refused, MonthStatus::Refused, ErrorKind::Manifest, &format!("2025-07: {july}"));
    let shorter = format!("the newer {} is left out: it ends with 2025-06-12, not 2025-06-30", uuid(41));
    months[5] = because(
        months[5].clone(),
        Action::Skip,
        "already_loaded",
        &["already loaded on 2025-07-04 08:05 UTC", &shorter],
    );
    let column = |name: &str| SchemaChange {
        column: name.to_owned(),
        change: ChangeKind::Add,
        from: None,
        to: ColumnType::String,
        billing_periods: vec!["2025-10".parse().unwrap()],
        reason: "the files have it and the table does not".to_owned(),
    };
    let aws = PipelineReport {
        schema: vec![column("resource_tags_user_cost_center"), column("split_line_item_net_unused_cost")],
        months,
        newest_delivery_at: Some("2025-11-03T04:12:05Z".parse().unwrap()),
        ..PipelineReport::new("aws", "cost-and-usage", "example-project.billing.aws_cur")
    };
    let mut months: Vec<MonthReport> =
        periods().into_iter().take(3).enumerate().map(|(number, period)| month(period, number + 50)).collect();
    let two = costs(&[("953986.811234567890123456", "EUR"), ("-0.000000000000000123", "CHF")]);
    let before = costs(&[("953987.001234567890123456", "EUR"), ("12.5", "USD")]);
    months[0] = loaded(
        because(months[0].clone(), Action::Load, "not_loaded", &["not loaded yet", "2 of 3 scopes"]),
        3,
        200,
        &two,
        &Costs::new(),
    );
    let replaces = format!("new delivery, in place of {}", uuid(60));
    months[1] = loaded(because(months[1].clone(), Action::Reload, "new_delivery", &[&replaces]), 1, 1, &two, &before);
    let azure = PipelineReport {
        label: Some("eu".to_owned()),
        months,
        newest_delivery_at: Some("2025-11-01T21:04:06Z".parse().unwrap()),
        ..PipelineReport::new("azure", "focus", "example-project.billing.azure_focus")
    };
    let broken = PipelineReport {
        label: Some("old".to_owned()),
        error: Some(error(ErrorKind::NotFound, "there is no manifest below gs://billing-mirror/old")),
        ..PipelineReport::new("azure", "", "example-project.billing.azure_old")
    };
    vec![aws, azure, broken]
}

/// The same, before the run.
pub fn plan() -> Vec<PipelineReport> {
    let mut reports = run();
    reports.iter_mut().flat_map(|report| &mut report.months).for_each(|month| {
        month.result = None;
        if month.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Data) {
            month.error = None;
        }
    });
    reports
}

/// A step that wrote a month, and found nothing to do.
pub fn steps() -> Vec<PipelineReport> {
    let mut months: Vec<MonthReport> =
        periods().into_iter().skip(1).enumerate().map(|(number, period)| month(period, number)).collect();
    let unchanged = PipelineReport {
        step: Some("load-billing-local".to_owned()),
        months: months.clone(),
        ..PipelineReport::new("aws", "daily", "main.aws_billing_data")
    };
    let september = because(
        months[0].clone(),
        Action::Reload,
        "new_delivery",
        &[&format!("new delivery, in place of {}", uuid(70))],
    );
    months[0] = loaded(september, 1, 20, &costs(&[("23719.910303687177", "USD")]), &Costs::new());
    let written = PipelineReport {
        step: Some("export-parquet".to_owned()),
        verb: MonthVerb::Write,
        months,
        ..PipelineReport::new("aws", "daily", "./data/exports")
    };
    vec![unchanged, written]
}

pub fn loaded_month(billing_period: BillingPeriod, number: usize, cost: Costs) -> LoadedMonth {
    let rows = 12_345 * (number as u64 + 1);
    let record = LoadRecord {
        pipeline: "aws".to_owned(),
        export_name: "cost-and-usage".to_owned(),
        table_name: "aws_cur".to_owned(),
        billing_period,
        sequence: 1,
        execution_id: uuid(number),
        fingerprint: String::new(),
        manifest_uri: String::new(),
        job_id: None,
        status: LoadStatus::Loaded,
        rows,
        files: number as u64 + 1,
        bytes: 1,
        cost,
        previous_execution_id: None,
        run_id: String::new(),
        loaded_at: NOW.parse().unwrap(),
        kind: None,
        issued_at: None,
        covers_until: None,
        cost_net: None,
        scopes: None,
    };
    LoadedMonth { record, rows_in_table: rows }
}

/// Three years of AWS, Azure in euros, a table that is empty, and one that cannot be read.
pub fn status() -> Vec<TableStatus> {
    let table = |pipeline: &str, label: Option<&str>, name: &str, months| TableStatus {
        pipeline: pipeline.to_owned(),
        label: label.map(str::to_owned),
        table: format!("example-project.billing.{name}"),
        months,
        newest_delivery_at: None,
        error: None,
    };
    let of_aws = |(number, period)| loaded_month(period, number, costs(&[(&format!("{number}6842.074160008"), "USD")]));
    let mut aws: Vec<LoadedMonth> = periods().into_iter().enumerate().map(of_aws).collect();
    aws[1].rows_in_table = 0;
    aws[2].rows_in_table = 1_000;
    aws[3].record.status = LoadStatus::Unverified;
    aws[4].record.execution_id = "20250903T120125Z".to_owned();
    let of_azure = |(number, period)| {
        loaded_month(period, number + 50, costs(&[("1142924.199995313759161879", "EUR"), ("0.000000000186", "USD")]))
    };
    let azure = periods().into_iter().take(2).enumerate().map(of_azure).collect();
    let mut unknown = table("azure", Some("old"), "azure_old", Vec::new());
    unknown.error = Some(error(ErrorKind::Permission, "no permission"));
    let mut aws = table("aws", None, "aws_cur", aws);
    aws.newest_delivery_at = Some("2025-11-03T04:12:05Z".parse().unwrap());
    vec![
        aws,
        table("azure", Some("eu"), "azure_focus", azure),
        table("azure", Some("new"), "azure_new", Vec::new()),
        unknown,
    ]
}

pub fn checks() -> CheckReport {
    let (source, bucket) = ("gs://biling-mirror/cur", "gs://billing-mirror");
    let [fix, grant] = [hint::check_bucket("biling-mirror"), hint::grant_viewer("billing-mirror")];
    let clock = "this machine's clock is 61 s behind the service's";
    CheckReport::new([
        Finding::ok(Check::Version, "finops", "0.1.0"),
        Finding::ok(Check::Dataset, "dataset example-project.billing", "in US"),
        Finding::warning(Check::Clock, "BigQuery", clock, hint::SET_CLOCK),
        Finding::failed(Check::Source, source, "there is no gs://biling-mirror/cur/: Not Found", Some(&fix)),
        Finding::failed(Check::Permissions, bucket, "storage.objects.get is missing", Some(&grant)),
        Finding::not_checked(Check::Export, "aws", "the source"),
    ])
}

pub fn settings() -> Vec<Setting> {
    let long = "gs://billing-mirror-of-the-finance-department/exports/cost-and-usage/daily/with-resources";
    [
        ("PIPELINE", "all", Origin::Environment),
        ("DUCKDB_PATH", "./data/finops.duckdb", Origin::Default),
        ("AWS_SOURCE", long, Origin::Flag),
        ("AWS_OLD_CUR_GCS_BUCKET", "billing-mirror", Origin::Shared("AWS_GCS_BUCKET".to_owned())),
        ("database.bigquery.credentials_path", "", Origin::NotSet),
    ]
    .map(|(name, value, origin)| Setting { name: name.to_owned(), value: value.to_owned(), origin })
    .into()
}

/// How far three years are: two months with something to do, and one that cannot be read.
pub fn overview() -> Vec<MonthOverview> {
    let skip = Some(Action::Skip);
    let of_month = |(number, billing_period): (usize, BillingPeriod)| MonthOverview {
        billing_period,
        execution_id: uuid(number),
        files: number as u64 + 1,
        bytes: 66_312 * (number as u64 + 1),
        obstacle: None,
        staging: Content::Current,
        duckdb: Content::Current,
        parquet: Content::Current,
        bigquery: Some(Content::Current),
        steps: StepActions {
            extract_billing: skip,
            load_billing_local: skip,
            export_parquet: skip,
            load_billing_remote: skip,
        },
        fails: false,
    };
    let mut months: Vec<MonthOverview> = periods().into_iter().enumerate().map(of_month).collect();
    let load = Some(Action::Reload);
    months[0].staging = Content::Nothing;
    months[0].steps.extract_billing = Some(Action::Load);
    for month in &mut months[..2] {
        month.duckdb = Content::Other(uuid(80));
        month.parquet = Content::Nothing;
        month.steps = StepActions {
            load_billing_local: load,
            export_parquet: load,
            load_billing_remote: load,
            ..month.steps.clone()
        };
    }
    let obstacle = "manifest cur/daily/20250901-20251001/daily-Manifest.json: the report is compressed as ZIP";
    months[2] = MonthOverview {
        execution_id: String::new(),
        files: 0,
        obstacle: Some(obstacle.to_owned()),
        fails: true,
        staging: Content::Nothing,
        steps: StepActions { extract_billing: Some(Action::Refuse), ..months[2].steps.clone() },
        ..months[2].clone()
    };
    months
}
