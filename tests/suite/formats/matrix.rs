//! Every dialect in every format and layout, in both warehouses, compared with the generator's figures of its own files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use bigquery_emulator::{Emulator, Options};
use billing_exports::{ColumnType, Delivered, Dialect, Export, Format, Layout, ManifestForm, Run};
use finops_core::Amount;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    dialects::{for_each_dialect, into_tables, prefix},
    program::{BUCKET, DATASET, Finops},
    servers::{BigQueryServer, PROJECT, StorageServer, bigquery_with, client},
    tables::exact_in_bigquery,
};

const LATER: &str = "later";
const MONTHS: [&str; 2] = ["2025-08", "2025-09"];

/// One export of the dialect for each format and layout, by its table.
fn exports(dialect: Dialect) -> BTreeMap<String, Export> {
    let forms = dialect.formats().iter().flat_map(|format| dialect.layouts().iter().map(|layout| (*format, *layout)));
    let export = |(format, layout): (Format, Layout)| {
        let name = format!("{format:?}_{layout:?}").to_ascii_lowercase();
        let manifest = match layout {
            Layout::ByMinute | Layout::Overwritten => ManifestForm::Sparse,
            Layout::Flat => ManifestForm::Underscored,
            Layout::Versioned | Layout::ByRun => ManifestForm::Full,
        };
        let export = Export {
            layout,
            manifest,
            name: name.clone(),
            parts: 2,
            currencies: ["EUR", "USD", ""].map(str::to_owned).into(),
            byte_order_mark: layout == Layout::ByRun,
            iso_dates: layout == Layout::Flat,
            ..Export::new(dialect, format)
        };
        (name, export)
    };
    forms.map(export).collect()
}

/// Table to what each of its months, oldest first, should contain.
type Expected = BTreeMap<String, [Delivered; 2]>;

/// Delivers August, and September's run of that number.
fn deliver(exports: &BTreeMap<String, Export>, folder: &Path, number: u32) -> Expected {
    let deliver = |(table, export): (&String, &Export)| {
        let [august, september] = MONTHS.map(|month| month.parse().unwrap());
        let runs = [Run::of(august), Run::again(september, number)];
        (table.clone(), runs.map(|run| export.deliver(folder, &run).unwrap()))
    };
    exports.iter().map(deliver).collect()
}

fn configured(finops: Finops, dialect: Dialect, exports: &BTreeMap<String, Export>) -> Finops {
    into_tables(finops, dialect, exports.keys().map(String::as_str), |name| ("EXPORT_NAME", name.to_owned()))
}

/// Rows and the exact cost by currency.
type Figures = (u64, BTreeMap<String, String>);

fn figures(delivered: &Delivered) -> Figures {
    let named = |currency: &String| if currency.is_empty() { "unknown".to_owned() } else { currency.clone() };
    (delivered.rows as u64, delivered.cost.iter().map(|(currency, cost)| (named(currency), cost.clone())).collect())
}

/// Compares a run's report with what was delivered: months that are not among `loaded` are skipped.
#[track_caller]
fn assert_report(report: &Value, expected: &Expected, loaded: &[&str]) {
    let pipelines = report["pipelines"].as_array().unwrap();
    assert_eq!(pipelines.len(), expected.len());
    for pipeline in pipelines {
        let table = pipeline["table"].as_str().unwrap().rsplit('.').next().unwrap();
        for (month, delivered) in pipeline["months"].as_array().unwrap().iter().rev().zip(&expected[table]) {
            assert_eq!(month["billing_period"], *delivered.billing_period, "{pipeline:#}");
            if loaded.contains(&delivered.billing_period.as_str()) {
                let cost = serde_json::from_value(month["cost"].clone()).unwrap_or_default();
                let found = (month["rows"].as_u64().unwrap_or_default(), cost);
                assert_eq!((month["status"].as_str(), found), (Some("loaded"), figures(delivered)), "{pipeline:#}");
                assert_eq!(month["files"], delivered.files.len(), "{pipeline:#}");
            } else {
                assert_eq!(month["status"], "skipped", "{pipeline:#}");
            }
            if let Some(id) = &delivered.execution_id {
                assert_eq!(month["execution_id"], **id, "{pipeline:#}");
            }
        }
    }
}

/// The columns of the billing period, the cost and its currency.
pub fn figures_columns(delivered: &Delivered) -> [&'static str; 3] {
    let of_any = |names: &[&str]| {
        let mut columns = delivered.columns.iter().map(|(name, _)| *name);
        columns.find(|name| names.contains(name)).unwrap()
    };
    [
        of_any(&["bill_billing_period_start_date", "BillingPeriodStart", "billingPeriodStartDate"]),
        of_any(&["line_item_unblended_cost", "BilledCost", "costInBillingCurrency"]),
        of_any(&["line_item_currency_code", "BillingCurrency", "billingCurrency", "billingCurrencyCode"]),
    ]
}

/// The column that a table is clustered by, besides the one of its billing period.
fn clustered_by(period: &str) -> &'static str {
    match period {
        "bill_billing_period_start_date" => "line_item_usage_start_date",
        "BillingPeriodStart" => "ChargePeriodStart",
        _ => "date",
    }
}

/// Whether BigQuery can load a month straight into its partition: each value is one of the table's type and under the
/// table's name, and its days and timestamps are in a form that a load reads.
fn is_direct(dialect: Dialect, format: Format) -> bool {
    use Dialect::{AzureFocus10, AzureFocus10Preview, AzureFocus10r2, AzureFocus12, AzureFocus12Preview};

    match format {
        // The others have doubles, maps, booleans, timestamps for days, or other names.
        Format::Parquet => matches!(dialect, AzureFocus10 | AzureFocus10r2 | AzureFocus12Preview | AzureFocus12),
        // These have timestamps without seconds.
        Format::Csv | Format::CsvGzip => !matches!(dialect, AzureFocus10Preview | AzureFocus10),
    }
}

/// Compares into which tables September's files were loaded, and with which form of days, with the files' own forms.
#[track_caller]
fn assert_ways(emulator: &Emulator, dialect: Dialect, exports: &BTreeMap<String, Export>, delivered: &Expected) {
    let requests = emulator.requests().into_iter().filter(|request| request.method == "POST");
    let jobs: Vec<Value> = requests.map(|request| request.body).collect();
    let load_of = |table: &str, way: &str| {
        let prefix = format!("finops-{DATASET}-{table}-202509-finops_staging_");
        let is_load = |job: &&Value| {
            let id = job["jobReference"]["jobId"].as_str().unwrap_or_default();
            id.starts_with(&prefix) && id.ends_with(way)
        };
        jobs.iter().find(is_load).map(|job| &job["configuration"]["load"])
    };
    for (table, export) in exports {
        // Straight into the typed staging table, or without conversion into one that a query converts.
        let direct = load_of(table, "-load-1").map(|load| load["dateFormat"].as_str());
        assert_eq!(load_of(table, "-files-1").is_some(), direct.is_none(), "{table}");
        let has_days = delivered[table][0].columns.iter().any(|(_, column_type)| *column_type == ColumnType::Date);
        let days = (has_days && !export.iso_dates).then_some("MM/DD/YYYY");
        assert_eq!(direct, is_direct(dialect, export.format).then_some(days), "{table}");
    }
}

/// A query for month, currency, rows and cost. `cost` converts the column to DECIMAL.
pub fn figures_query(table: &str, delivered: &Delivered, cost: impl Fn(&str) -> String) -> String {
    let [period, amount, currency] = figures_columns(delivered);
    format!(
        "SELECT CAST(\"{period}\" AS VARCHAR)[:7], coalesce(nullif(\"{currency}\", ''), 'unknown'), \
         CAST(count(*) AS VARCHAR), CAST(sum({}) AS VARCHAR) FROM {table} GROUP BY 1, 2",
        cost(amount)
    )
}

#[track_caller]
pub fn assert_rows(table: &str, rows: Vec<[String; 4]>, expected: &[Delivered]) {
    let mut found: BTreeMap<String, Figures> = BTreeMap::new();
    for [month, currency, count, cost] in rows {
        let of_month = found.entry(month).or_default();
        of_month.0 += count.parse::<u64>().unwrap();
        of_month.1.insert(currency, cost.parse::<Amount>().unwrap().to_string());
    }
    let expected = expected.iter().map(|delivered| (delivered.billing_period.clone(), figures(delivered))).collect();
    assert_eq!(found, expected, "{table}");
}

/// Compares columns, each with its type, with those that were delivered.
#[track_caller]
fn assert_columns(table: &str, found: impl Iterator<Item = (String, String)>, delivered: &Delivered) {
    let text = |value: Value| value.as_str().unwrap().to_owned();
    let expected = delivered.columns.iter();
    let expected = expected.map(|(name, column_type)| ((*name).to_owned(), text(json!(column_type))));
    let (found, expected): (BTreeSet<_>, BTreeSet<_>) = (found.collect(), expected.collect());
    let surplus: Vec<_> = found.difference(&expected).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(surplus.is_empty() && missing.is_empty(), "{table} has {surplus:?} and lacks {missing:?}");
}

fn check_duckdb(database: &Path, expected: &Expected) {
    let connection = duckdb::Connection::open(database).unwrap();
    for (table, delivered) in expected {
        let sql = figures_query(&format!("{DATASET}.{table}"), &delivered[0], str::to_owned);
        let mut statement = connection.prepare(&sql).unwrap();
        let read = |row: &duckdb::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
        assert_rows(table, statement.query_map([], read).unwrap().map(Result::unwrap).collect(), delivered);

        let sql = "SELECT column_name, replace(replace(data_type, 'VARCHAR', 'STRING'), '(38,18)', '') \
                   FROM duckdb_columns() WHERE table_name = ?";
        let mut statement = connection.prepare(sql).unwrap();
        let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_columns(table, found.map(Result::unwrap), &delivered[0]);
    }
}

async fn check_bigquery(emulator: &Emulator, expected: &Expected) {
    let get = async |path: &str| -> Value {
        let url = format!("{}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/{path}", emulator.url());
        client().get(url).send().await.unwrap().json().await.unwrap()
    };
    for (table, delivered) in expected {
        let sql = figures_query(&format!("\"{PROJECT}:{DATASET}\".\"{table}\""), &delivered[0], exact_in_bigquery);
        let rows = emulator.query(&sql).unwrap().into_iter();
        let rows = rows.map(|row| <[_; 4]>::try_from(row).unwrap().map(Option::unwrap)).collect();
        assert_rows(table, rows, delivered);

        let found = get(&format!("tables/{table}")).await;
        let [period, ..] = figures_columns(&delivered[0]);
        assert_eq!(found["timePartitioning"], json!({"type": "MONTH", "field": period}));
        assert_eq!(found["clustering"], json!({"fields": [clustered_by(period)]}));
        let field = |field: &Value| {
            let text = |key: &str| field[key].as_str().unwrap().to_owned();
            (text("name"), text("type").replace("BIGNUMERIC", "DECIMAL"))
        };
        assert_columns(table, found["schema"]["fields"].as_array().unwrap().iter().map(field), &delivered[0]);
    }
    let tables = get("tables?maxResults=1000").await;
    let names = tables["tables"].as_array().unwrap().iter();
    let names: BTreeSet<&str> = names.map(|table| table["tableReference"]["tableId"].as_str().unwrap()).collect();
    let known = expected.keys().map(String::as_str).chain(["finops_loads"]).collect();
    assert_eq!(names, known, "no staging table is left");
}

fn loads_into_duckdb(dialect: Dialect) {
    let folder = TempDir::new().unwrap();
    let (source, database) = (folder.path().join("exports"), folder.path().join("finops.duckdb"));
    let exports = exports(dialect);
    let expected = deliver(&exports, &source, 1);
    let finops = Finops::unconfigured()
        .with("WAREHOUSE", "duckdb")
        .with("DUCKDB_PATH", database.to_str().unwrap())
        .with(&format!("{}_SOURCE", prefix(dialect)), source.to_str().unwrap());
    let finops = configured(finops, dialect, &exports);
    assert_report(&finops.report(0), &expected, &MONTHS);
    check_duckdb(&database, &expected);

    let expected = deliver(&exports, &source, 2);
    assert_report(&finops.report(0), &expected, &MONTHS[1..]);
    check_duckdb(&database, &expected);
    assert_report(&finops.report(0), &expected, &[]);
}

async fn loads_into_bigquery(dialect: Dialect) {
    let (emulator, exports, first) = loads_into(dialect, Options::default()).await;
    assert_ways(&emulator, dialect, &exports, &first);
}

/// Returns the exports, and their first deliveries.
async fn loads_into(dialect: Dialect, options: Options) -> (BigQueryServer, BTreeMap<String, Export>, Expected) {
    let seed = TempDir::new().unwrap();
    let exports = exports(dialect);
    let first = deliver(&exports, &seed.path().join(BUCKET), 1);
    let later = deliver(&exports, &seed.path().join(LATER), 2);
    let storage = StorageServer::start(seed.path());
    let emulator = bigquery_with(&storage, options).await;
    let bucket = format!("{}_GCS_BUCKET", prefix(dialect));
    let finops = Finops::unconfigured()
        .with("GCP_PROJECT_ID", PROJECT)
        .with("STORAGE_EMULATOR_HOST", storage.url())
        .with("BIGQUERY_EMULATOR_HOST", &emulator.url())
        .with(&bucket, BUCKET);
    let finops = configured(finops, dialect, &exports);
    assert_report(&finops.report(0), &first, &MONTHS);
    check_bigquery(&emulator, &first).await;

    let finops = finops.with(&bucket, LATER);
    assert_report(&finops.report(0), &later, &MONTHS[1..]);
    check_bigquery(&emulator, &later).await;
    assert_report(&finops.report(0), &later, &[]);
    (emulator, exports, first)
}

/// Maps, exponents and empty texts, with an emulator that does the opposite in each case that is not certain.
#[tokio::test(flavor = "multi_thread")]
async fn bigquery_takes_the_dialects_that_differ_most_in_the_other_world_too() {
    for dialect in [Dialect::AwsCur, Dialect::AwsFocus12, Dialect::AzureFocus12] {
        loads_into(dialect, Options::alternative()).await;
    }
}

macro_rules! tests {
    ($($name:ident: $dialect:ident,)+) => {
        mod duckdb_takes {
            $(#[test]
            fn $name() {
                super::loads_into_duckdb(billing_exports::Dialect::$dialect);
            })+
        }
        mod bigquery_takes {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::loads_into_bigquery(billing_exports::Dialect::$dialect).await;
            })+
        }
    };
}

for_each_dialect!(tests);
