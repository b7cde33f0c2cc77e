//! AWS Data Exports: CUR 2.0 and FOCUS, each format and layout, in both warehouses.

use std::{fs, path::Path};

use finops_core::hint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    program::{BUCKET, DATASET, Finops, Outcome, TABLE, assert_names, each, month},
    servers::{PROJECT, StorageServer, bigquery, query},
    tables::duckdb_value,
    tree::{gzip, parquet, write},
};

const NAME: &str = "daily";

/// What is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cur2,
    Focus,
}

use Kind::{Cur2, Focus};

impl Kind {
    /// Names of the columns for period, timestamp, cost, currency and text, with the manifest's types.
    fn columns(self) -> [(&'static str, &'static str); 5] {
        match self {
            Cur2 => [
                ("bill_billing_period_start_date", "timestamp"),
                ("line_item_usage_start_date", "timestamp"),
                ("line_item_unblended_cost", "double"),
                ("line_item_currency_code", "string"),
                ("product_comment", "string"),
            ],
            Focus => [
                ("BillingPeriodStart", "timestamp"),
                ("ChargePeriodStart", "timestamp"),
                ("BilledCost", "double"),
                ("BillingCurrency", "string"),
                ("ChargeDescription", "string"),
            ],
        }
    }
}

/// A delivery of one month: a row for each cost.
struct Export<'a> {
    kind: Kind,
    parquet: bool,
    /// The run's folder, if each delivery has one.
    run: Option<&'a str>,
    month: &'a str,
    costs: &'a [&'a str],
    /// One more column of a map, as CSV has it.
    map: Option<&'a str>,
}

impl Export<'_> {
    /// Writes the delivery below the folder that has the export's folder.
    fn write(&self, above: &Path) {
        let Self { kind, parquet: as_parquet, run, month, costs, map } = self;
        // FOCUS has the folder in lower case.
        let key = if *kind == Cur2 { "BILLING_PERIOD" } else { "billing_period" };
        let run = run.map(|run| format!("{run}/")).unwrap_or_default();
        let ending = if *as_parquet { "snappy.parquet" } else { "csv.gz" };
        let data = format!("{NAME}/data/{key}={month}/{run}{NAME}-00001.{ending}");
        let columns = kind.columns();
        let bytes = if *as_parquet {
            let values = costs.iter().map(|cost| format!("({cost}::DOUBLE)")).collect::<Vec<_>>().join(", ");
            let [period, timestamp, cost, currency, text] = columns.map(|(name, _)| format!("\"{name}\""));
            let map = map.map(|_| ", MAP {'region': 'eu', 'b': 'x\"y'} AS product").unwrap_or_default();
            parquet(&format!(
                "SELECT TIMESTAMP '{month}-01' AS {period}, TIMESTAMP '{month}-02 03:00:00' AS {timestamp}, c AS {cost}, \
                 'USD' AS {currency}, 'Größe' AS {text}{map} FROM (VALUES {values}) AS t(c)"
            ))
        } else {
            let header = columns.map(|(name, _)| name).join(",");
            let quoted = |map: &str| format!(",\"{}\"", map.replace('"', "\"\""));
            let (name, value) = (map.map(|_| ",product").unwrap_or_default(), map.map(quoted).unwrap_or_default());
            let row = |cost: &&str| format!("{month}-01T00:00:00Z,{month}-02T03:00:00Z,{cost},USD,Größe{value}\n");
            gzip(format!("{header}{name}\n{}", costs.iter().map(row).collect::<Vec<_>>().concat()).as_bytes())
        };
        write(&above.join(&data), &bytes);
        let columns = columns.map(|(name, column_type)| json!({"name": name, "type": column_type}));
        let manifest = json!({
            "executionId": format!("{month}-{run}{}", costs.len()),
            "exportArn": "arn:aws:bcm-data-exports:us-east-1:210987654321:export/daily-1",
            "columns": columns,
            "dataFiles": [format!("s3://example-billing-bucket/exports/{data}")],
        });
        write(
            &above.join(format!("{NAME}/metadata/{key}={month}/{run}{NAME}-Manifest.json")),
            manifest.to_string().as_bytes(),
        );
    }
}

const RUNS: [&str; 2] = ["2025-10-01T06:00:00.000Z-aaaa", "2025-10-02T06:00:00.000Z-bbbb"];

/// Each kind, format and layout: a first delivery of two months, and a second delivery of the later one.
fn each_form(mut check: impl FnMut(Kind, bool, [Export<'static>; 3])) {
    for kind in [Cur2, Focus] {
        for parquet in [false, true] {
            for versioned in [true, false] {
                let run = |at: usize| versioned.then_some(RUNS[at]);
                let export = |at, month, costs| Export { kind, parquet, run: run(at), month, costs, map: None };
                check(
                    kind,
                    parquet,
                    [
                        export(0, "2025-08", &["0.1", "0.2"]),
                        export(0, "2025-09", &["1e-7", "5"]),
                        export(1, "2025-09", &["2.5", "0.0000001", "7"]),
                    ],
                );
            }
        }
    }
}

fn assert_costs(report: &Value, expected: &[(&str, &str, &str)]) {
    for (billing_period, status, cost) in expected {
        let month = month(report, billing_period);
        assert_eq!(month["status"], *status, "{report:#}");
        if *status == "loaded" {
            assert_eq!(month["cost"], json!({"USD": cost}), "{report:#}");
        }
    }
}

#[test]
fn every_data_export_loads_into_duckdb_and_a_new_run_replaces_its_month() {
    each_form(|kind, parquet, [august, september, again]| {
        let folder = TempDir::new().unwrap();
        let (source, database) = (folder.path().join("exports"), folder.path().join("f.duckdb"));
        august.write(&source);
        september.write(&source);
        let finops = Finops::local(&source, &database);
        let form = format!("{kind:?}, Parquet: {parquet}, run: {:?}", again.run);
        assert_costs(&finops.report(0), &[("2025-08", "loaded", "0.3"), ("2025-09", "loaded", "5.0000001")]);
        again.write(&source);
        assert_costs(&finops.report(0), &[("2025-08", "skipped", ""), ("2025-09", "loaded", "9.5000001")]);
        assert_eq!(each(&finops.report(0), "status"), ["skipped", "skipped"], "{form}");
        let [period, timestamp, cost, _, text] = kind.columns().map(|(name, _)| name);
        let sql = format!(
            "SELECT count(*) || ' ' || sum(\"{cost}\") || ' ' || min(\"{timestamp}\") || ' ' || min(\"{text}\") \
             FROM {DATASET}.{TABLE} WHERE \"{period}\" = TIMESTAMP '2025-09-01'"
        );
        assert_eq!(duckdb_value(&database, &sql), "3 9.500000100000000000 2025-09-02 03:00:00 Größe", "{form}");
        let status = finops.run(&["status"]);
        assert_eq!(status.code, 0, "{}", status.stderr);
        assert_names(&status.stdout, &["9.50 USD"]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_data_export_loads_into_bigquery_and_a_new_run_replaces_its_month() {
    let mut forms = Vec::new();
    each_form(|kind, parquet, exports| forms.push((kind, parquet, exports)));
    for (kind, parquet, [august, september, again]) in forms {
        let seed = TempDir::new().unwrap();
        let (bucket, later) = (seed.path().join(BUCKET), seed.path().join("later"));
        for (above, exports) in [(&bucket, [&august, &september]), (&later, [&august, &again])] {
            for export in exports {
                export.write(&above.join("exports"));
            }
        }
        let storage = StorageServer::start(seed.path());
        let emulator = bigquery(&storage).await;
        let finops = Finops::cloud(&storage, &emulator).with("AWS_GCS_PREFIX", "exports");
        let form = format!("{kind:?}, Parquet: {parquet}, run: {:?}", again.run);
        assert_costs(&finops.report(0), &[("2025-08", "loaded", "0.3"), ("2025-09", "loaded", "5.0000001")]);
        let finops = finops.with("AWS_GCS_BUCKET", "later");
        assert_costs(&finops.report(0), &[("2025-08", "skipped", ""), ("2025-09", "loaded", "9.5000001")]);
        assert_eq!(each(&finops.report(0), "status"), ["skipped", "skipped"], "{form}");
        let [period, _, cost, _, text] = kind.columns().map(|(name, _)| name);
        let sql = format!(
            "SELECT COUNT(*), CAST(SUM({cost}) AS STRING), MIN({text}) FROM `{PROJECT}`.{DATASET}.{TABLE} \
             WHERE {period} = TIMESTAMP '2025-09-01 00:00:00'"
        );
        let expected = ["3", "9.5000001", "Größe"].map(|text| Some(text.to_owned()));
        assert_eq!(query(&emulator, &sql).await, [expected], "{form}");
        assert_eq!(finops.run(&["status"]).code, 0);
    }
}

#[test]
fn a_manifest_whose_range_is_no_calendar_month_is_refused_and_fails_only_its_own_month() {
    each_form(|kind, _, [august, september, _]| {
        let folder = TempDir::new().unwrap();
        let source = folder.path().join("exports");
        august.write(&source);
        september.write(&source);
        let key = if kind == Cur2 { "BILLING_PERIOD" } else { "billing_period" };
        let run = september.run.map(|run| format!("{run}/")).unwrap_or_default();
        let path = source.join(format!("{NAME}/metadata/{key}=2025-09/{run}{NAME}-Manifest.json"));
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        manifest["billingPeriod"] = json!({"start": "2025-09-15", "end": "2025-10-15"});
        write(&path, manifest.to_string().as_bytes());
        let report = Finops::local(&source, &folder.path().join("f.duckdb")).report(1);
        assert_eq!(each(&report, "status"), ["refused", "loaded"], "{report:#}");
        let message = month(&report, "2025-09")["error"]["message"].as_str().unwrap();
        assert_names(message, &[path.to_str().unwrap(), "2025-09-15", "one whole calendar month was expected"]);
    });
}

/// The month's maps in both warehouses, or the message of the failure.
async fn maps(seed: &Path) -> [Result<String, Value>; 2] {
    let storage = StorageServer::start(seed);
    let emulator = bigquery(&storage).await;
    let (exports, database) = (seed.join(BUCKET).join("exports"), seed.join("f.duckdb"));
    let local = Finops::local(&exports, &database).run(&["run", "--output", "json"]);
    let cloud = Finops::cloud(&storage, &emulator).with("AWS_GCS_PREFIX", "exports").run(&["run", "--output", "json"]);
    let failure = |outcome: &Outcome| {
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        month(&report, "2025-09")["error"].clone()
    };
    let found = |outcome: Outcome, map| if outcome.code == 0 { Ok(map) } else { Err(failure(&outcome)) };
    let in_duckdb = duckdb_value(&database, &format!("SELECT min(product) FROM {DATASET}.{TABLE}"));
    let in_bigquery = query(&emulator, &format!("SELECT MIN(product) FROM `{PROJECT}`.{DATASET}.{TABLE}")).await;
    let in_bigquery = in_bigquery[0][0].clone().unwrap_or_default();
    [found(local, in_duckdb), found(cloud, in_bigquery)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_is_the_text_of_a_json_object_from_csv_and_from_parquet_in_both_warehouses() {
    for parquet in [false, true] {
        let seed = TempDir::new().unwrap();
        let text = r#"{"region":"eu","b":"x\"y"}"#;
        let export = Export { kind: Cur2, parquet, run: None, month: "2025-09", costs: &["1"], map: Some(text) };
        export.write(&seed.path().join(BUCKET).join("exports"));
        assert_eq!(maps(seed.path()).await, [Ok(text.to_owned()), Ok(text.to_owned())], "Parquet: {parquet}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_whose_groups_have_other_names_is_refused_by_name_in_bigquery() {
    let seed = TempDir::new().unwrap();
    let above = seed.path().join(BUCKET).join("exports");
    Export { kind: Cur2, parquet: true, run: None, month: "2025-09", costs: &["1"], map: Some("") }.write(&above);
    let file = above.join(format!("{NAME}/data/BILLING_PERIOD=2025-09/{NAME}-00001.snappy.parquet"));
    let mut bytes = fs::read(&file).unwrap();
    while let Some(at) = bytes.windows(9).position(|name| name == b"key_value") {
        bytes[at..at + 9].copy_from_slice(b"old_names");
    }
    write(&file, &bytes);
    let [in_duckdb, in_bigquery] = maps(seed.path()).await;
    assert_eq!(in_duckdb.unwrap(), r#"{"region":"eu","b":"x\"y"}"#);
    let error = in_bigquery.unwrap_err();
    assert_eq!(error["kind"], "schema", "{error:#}");
    assert_names(error["message"].as_str().unwrap(), &["column product is a map", "key_value"]);
    assert_eq!(error["hint"], hint::DELIVER_CSV);
}

#[test]
fn a_table_of_one_kind_takes_no_other() {
    let folder = TempDir::new().unwrap();
    let (source, database) = (folder.path().join("exports"), folder.path().join("f.duckdb"));
    Export { kind: Cur2, parquet: false, run: None, month: "2025-08", costs: &["1"], map: None }.write(&source);
    let finops = Finops::local(&source, &database);
    assert_eq!(each(&finops.report(0), "status"), ["loaded"]);
    let focus = Export { kind: Focus, parquet: false, run: None, month: "2025-09", costs: &["1"], map: None };
    focus.write(&source);
    let report = finops.report(1);
    let error = &month(&report, "2025-09")["error"];
    assert_names(error["message"].as_str().unwrap(), &["another kind than the table (`focus`, not `cur2`)"]);
    assert_names(error["hint"].as_str().unwrap(), &["into its own table"]);
    let rows = duckdb_value(&database, &format!("SELECT count(*) FROM {DATASET}.{TABLE}"));
    assert_eq!(rows, "1", "the loaded month is unchanged");
}

/// CUR 2.0 of one month as CSV, with this header.
fn queried(above: &Path, month: &str, header: &str, row: &str) {
    let export = Export { kind: Cur2, parquet: false, run: None, month, costs: &["1"], map: None };
    export.write(above);
    let csv = format!("{header}\n{row}\n");
    write(&above.join(format!("{NAME}/data/BILLING_PERIOD={month}/{NAME}-00001.csv.gz")), &gzip(csv.as_bytes()));
}

const OF_QUERY: &str = "bill_billing_period_start_date,line_item_usage_start_date,line_item_currency_code";

#[test]
fn a_column_that_a_query_hides_under_an_alias_is_named_in_the_plan_with_what_was_found() {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("exports");
    let finops = Finops::local(&source, &folder.path().join("f.duckdb"));
    let row = "2025-09-01T00:00:00Z,2025-09-02T00:00:00Z,USD,1.5";
    queried(&source, "2025-09", &format!("{OF_QUERY},my_cost"), row);
    let plan: Value = serde_json::from_str(&finops.run(&["plan", "--output", "json"]).stdout).unwrap();
    for report in [&plan, &finops.report(1)] {
        let month = month(report, "2025-09");
        assert_eq!((month["action"].as_str(), month["error"]["kind"].as_str()), (Some("refuse"), Some("schema")));
        let found =
            "found bill_billing_period_start_date, my_cost, line_item_usage_start_date, line_item_currency_code";
        assert_names(month["error"]["message"].as_str().unwrap(), &["`line_item_unblended_cost` was expected", found]);
        assert_names(month["error"]["hint"].as_str().unwrap(), &[hint::SELECT_COLUMN]);
    }
}

#[test]
fn a_table_keeps_the_name_that_an_older_version_gave_a_column_of_cur_2() {
    let folder = TempDir::new().unwrap();
    let (source, database) = (folder.path().join("exports"), folder.path().join("f.duckdb"));
    let finops = Finops::local(&source, &database);
    let header = format!("{OF_QUERY},line_item_unblended_cost,product_instanceSKU");
    queried(&source, "2025-08", &header, "2025-08-01T00:00:00Z,2025-08-02T00:00:00Z,USD,1,SKU1");
    finops.report(0);
    let values = |column: &str| {
        duckdb_value(&database, &format!("SELECT string_agg({column}, ',' ORDER BY {column}) FROM {DATASET}.{TABLE}"))
    };
    assert_eq!(values("product_instancesku"), "SKU1");
    let rename = format!("ALTER TABLE {DATASET}.{TABLE} RENAME product_instancesku TO product_instance_s_k_u");
    duckdb::Connection::open(&database).unwrap().execute_batch(&rename).unwrap();
    queried(&source, "2025-09", &header, "2025-09-01T00:00:00Z,2025-09-02T00:00:00Z,USD,2,SKU2");
    finops.report(0);
    assert_eq!(values("product_instance_s_k_u"), "SKU1,SKU2");
}

/// A FOCUS export of one month as CSV, with these columns and those that every export has.
fn focus(above: &Path, month: &str, cost: &str, more: &[(&str, &str)]) {
    let export = Export { kind: Focus, parquet: false, run: None, month, costs: &["1"], map: None };
    export.write(above);
    let (names, values): (Vec<&str>, Vec<&str>) = more.iter().copied().unzip();
    let csv = format!(
        "BillingPeriodStart,ChargePeriodStart,{cost},BillingCurrency,{}\n\
         {month}-01T00:00:00Z,{month}-02T00:00:00Z,1.25,USD,{}\n",
        names.join(","),
        values.join(",")
    );
    write(&above.join(format!("{NAME}/data/billing_period={month}/{NAME}-00001.csv.gz")), &gzip(csv.as_bytes()));
}

#[test]
fn versions_of_focus_share_one_table_and_renamed_columns_are_reported_not_merged() {
    let folder = TempDir::new().unwrap();
    let (source, database) = (folder.path().join("exports"), folder.path().join("f.duckdb"));
    focus(&source, "2025-08", "BilledCost", &[("Region", "eu"), ("UsageQuantity", "1.5"), ("ServiceName", "s")]);
    let finops = Finops::local(&source, &database);
    assert_costs(&finops.report(0), &[("2025-08", "loaded", "1.25")]);

    focus(&source, "2025-09", "billedCost", &[("RegionId", "eu-1"), ("ConsumedQuantity", "2.5"), ("servicename", "s")]);
    let report = finops.report(0);

    assert_costs(&report, &[("2025-08", "skipped", ""), ("2025-09", "loaded", "1.25")]);
    let changes = report["pipelines"][0]["schema"].as_array().unwrap();
    let added: Vec<_> =
        changes.iter().map(|change| (change["column"].as_str().unwrap(), change["to"].as_str().unwrap())).collect();
    assert_eq!(added, [("RegionId", "STRING"), ("ConsumedQuantity", "DECIMAL")]);
    assert!(changes.iter().all(|change| change["change"] == "add"), "{changes:?}");
    let sql = format!(
        "SELECT string_agg(concat_ws('|', coalesce(Region, '-'), coalesce(RegionId, '-'), ServiceName), ' ' \
         ORDER BY BillingPeriodStart) FROM {DATASET}.{TABLE}"
    );
    assert_eq!(duckdb_value(&database, &sql), "eu|-|s -|eu-1|s");
}
