//! Parquet files: which types go where, by name, exactly.

use serde_json::{Value, json};

use crate::harness::Harness;

/// A file of one row that DuckDB writes: what `SELECT` brings.
fn file(select: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let connection = duckdb::Connection::open_in_memory().unwrap();
    connection.execute_batch(&format!("COPY (SELECT {select}) TO '{}' (FORMAT parquet)", path.display())).unwrap();
    std::fs::read(path).unwrap()
}

fn schema(columns: &[(&str, &str)]) -> Value {
    let fields: Vec<Value> = columns.iter().map(|(name, ty)| json!({"name": name, "type": ty})).collect();
    json!({"fields": fields})
}

/// Loads a file into the new table `d.<id>`; returns the job.
async fn load(h: &Harness, id: &str, bytes: impl Into<Vec<u8>>, columns: &[(&str, &str)], extra: Value) -> Value {
    let uri = h.put(id, bytes);
    let mut wish = json!({
        "sourceFormat": "PARQUET",
        "skipLeadingRows": null,
        "allowQuotedNewlines": false,
        "createDisposition": "CREATE_IF_NEEDED",
        "decimalTargetTypes": ["NUMERIC", "BIGNUMERIC"],
        "parquetOptions": {"enumAsString": true, "enableListInference": true},
        "schema": schema(columns),
    });
    for (key, value) in extra.as_object().unwrap() {
        wish[key] = value.clone();
    }
    h.load(id, id, &[&uri], wish).await
}

fn message(job: &Value) -> String {
    let error = &job["status"]["errorResult"];
    format!("{}: {}", error["reason"].as_str().unwrap_or("none"), error["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn r1_columns_go_by_name_ignoring_case_and_the_rest_is_null_or_dropped() {
    let h = Harness::new().await;
    h.table().await;
    let uri = h.put(
        "a.parquet",
        file("'x' AS NOTE, {'a': 1} AS dropped, 1.5::DECIMAL(9, 2) AS Cost, TIMESTAMPTZ '2025-09-01 00:00:00+00' AS month"),
    );
    let columns = [("month", "TIMESTAMP"), ("extra", "STRING"), ("cost", "BIGNUMERIC"), ("note", "STRING")];
    let wish = json!({
        "sourceFormat": "PARQUET", "skipLeadingRows": null, "allowQuotedNewlines": null,
        "schema": schema(&columns), "schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"],
    });
    let job = h.load("j", "t$202509", &[&uri, &uri], wish.clone()).await;
    assert_eq!(message(&job), "none: ");
    let statistics = &job["statistics"]["load"];
    assert_eq!((&statistics["outputRows"], &statistics["inputFiles"]), (&json!("2"), &json!("2")));
    let row = ["x", "1.5", "NULL"];
    assert_eq!(h.rows("SELECT note, cost, extra FROM d.t").await, [row, row]);
    // Like a CSV: of another month, it changes nothing.
    let job = h.load("other", "t$202510", &[&uri], wish).await;
    assert!(message(&job).starts_with("invalid: Some rows belong to different partitions"), "{job}");
}

#[tokio::test]
async fn r2_values_of_all_accepted_types_arrive_exactly() {
    let h = Harness::new().await;
    let columns = [
        ("cost", "BIGNUMERIC"),
        ("month", "TIMESTAMP"),
        ("small", "BIGNUMERIC"),
        ("old", "TIMESTAMP"),
        ("day", "DATE"),
        ("narrow", "INTEGER"),
        ("single", "FLOAT"),
        ("yes", "BOOLEAN"),
        ("text", "STRING"),
        ("after", "INTEGER"),
    ];
    let job = load(&h, "types", include_bytes!("files/types.parquet"), &columns, json!({})).await;
    assert_eq!(message(&job), "none: ");
    let names = columns.map(|(name, _)| format!("CAST({name} AS STRING)")).join(", ");
    assert_eq!(
        h.rows(&format!("SELECT {names} FROM d.types")).await,
        [[
            "12345678901234567890.123456789012345678",
            "2025-09-02 16:00:00+00",
            "-0.05",
            "2025-09-02 16:00:00.123456+00",
            "2025-09-02",
            "-7",
            "0.5",
            "true",
            "größer",
            "9"
        ]]
    );
    let moments = [("utc", "TIMESTAMP"), ("nanos", "TIMESTAMP")];
    load(&h, "moments", include_bytes!("files/moments.parquet"), &moments, json!({})).await;
    let expected = "2025-09-02 16:00:00.123456+00";
    let read = "SELECT CAST(utc AS STRING), CAST(nanos AS STRING) FROM d.moments";
    assert_eq!(h.rows(read).await, [[expected, expected]]);
    load(&h, "int96", include_bytes!("files/int96.parquet"), &[("old", "TIMESTAMP")], json!({})).await;
    assert_eq!(h.rows("SELECT CAST(old AS STRING) FROM d.int96").await, [[expected]]);
}

#[tokio::test]
async fn r3_other_types_are_refused_with_column_and_file() {
    let h = Harness::new().await;
    let job = load(&h, "double", file("1.5::DOUBLE AS Cost"), &[("cost", "BIGNUMERIC")], json!({})).await;
    assert_eq!(
        message(&job),
        "invalid: Error while reading data, error message: Parquet column 'Cost' has type DOUBLE which does not match \
         the target type BIGNUMERIC. File: gs://b/double"
    );
    for (at, (select, ty)) in [
        ("1.5::DOUBLE", "STRING"),
        ("1.5::DOUBLE", "INTEGER"),
        ("1::BIGINT", "BIGNUMERIC"),
        ("1::BIGINT", "FLOAT"),
        ("1::BIGINT", "TIMESTAMP"),
        ("1::UBIGINT", "INTEGER"),
        ("1.5::DECIMAL(9, 2)", "FLOAT"),
        ("'1'", "BIGNUMERIC"),
        ("'2025-09-01'", "DATE"),
        ("'x'::BLOB", "STRING"),
        ("DATE '2025-09-01'", "TIMESTAMP"),
        ("TIMESTAMP '2025-09-01'", "DATE"),
        ("TIME '10:00'", "INTEGER"),
        ("true", "INTEGER"),
        ("[1]", "INTEGER"),
        ("{'a': 'x'}", "STRING"),
    ]
    .iter()
    .enumerate()
    {
        let job = load(&h, &format!("j{at}"), file(&format!("{select} AS value")), &[("value", ty)], json!({})).await;
        let message = message(&job);
        assert!(message.starts_with("invalid: ") && message.contains("Parquet column 'value'"), "{select}: {message}");
    }
}

#[tokio::test]
async fn r4_what_is_no_parquet_or_cut_off_is_invalid_and_changes_nothing() {
    let h = Harness::new().await;
    let whole = file("'x' AS note FROM range(3)");
    let columns = [("note", "STRING")];
    load(&h, "good", whole.clone(), &columns, json!({})).await;
    let mut garbled = whole.clone();
    garbled[4..24].fill(0xff);
    for (id, bytes) in
        [("cut", &whole[..whole.len() - 5]), ("csv", b"note\nx\n"), ("empty", b""), ("garbled", &garbled)]
    {
        let good = json!({"destinationTable": {"projectId": "demo", "datasetId": "d", "tableId": "good"}});
        let message = message(&load(&h, id, bytes, &columns, good).await);
        assert!(
            message.starts_with("invalid: ") && message.ends_with(&format!("File: gs://b/{id}")),
            "{id}: {message}"
        );
    }
    assert_eq!(h.rows("SELECT note FROM d.good").await, [["x"], ["x"], ["x"]]);
}

#[tokio::test]
async fn r5_options_of_other_formats_are_refused() {
    let h = Harness::new().await;
    for (format, option) in [
        ("PARQUET", json!({"skipLeadingRows": "1"})),
        ("PARQUET", json!({"allowQuotedNewlines": true})),
        ("PARQUET", json!({"dateFormat": "YYYY-MM-DD"})),
        ("PARQUET", json!({"parquetOptions": {"mapTargetType": "ARRAY_OF_STRUCT"}})),
        ("PARQUET", json!({"schema": null})),
        ("CSV", json!({"parquetOptions": {"enumAsString": true}})),
    ] {
        let mut wish = json!({"sourceFormat": format, "schema": schema(&[("note", "STRING")]), "skipLeadingRows": null,
            "allowQuotedNewlines": null});
        for (key, value) in option.as_object().unwrap() {
            wish[key] = value.clone();
        }
        let (status, body) = h.insert_load("j", "t", &["gs://b/a"], wish).await;
        assert_eq!(status, 501, "{option}: {body}");
    }
}
