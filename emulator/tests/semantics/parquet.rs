//! Load jobs of Parquet: columns by name, accepted types, exact values.

use bigquery_emulator::Options;
use serde_json::{Value, json};

use crate::{destinations::run, harness::Harness};

/// A file that DuckDB writes with the rows of `SELECT`.
pub fn file(select: &str) -> Vec<u8> {
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

/// Loads a file into the new table `d.<id>`. Returns the job.
async fn load(h: &Harness, id: &str, bytes: impl Into<Vec<u8>>, columns: &[(&str, &str)], extra: Value) -> Value {
    let uri = h.put(id, bytes);
    let mut settings = json!({
        "sourceFormat": "PARQUET",
        "skipLeadingRows": null,
        "allowQuotedNewlines": false,
        "createDisposition": "CREATE_IF_NEEDED",
        "decimalTargetTypes": ["NUMERIC", "BIGNUMERIC"],
        "parquetOptions": {"enumAsString": true, "enableListInference": true},
        "schema": schema(columns),
    });
    for (key, value) in extra.as_object().unwrap() {
        settings[key] = value.clone();
    }
    h.load(id, id, &[&uri], settings).await
}

fn message(job: &Value) -> String {
    let error = &job["status"]["errorResult"];
    format!("{}: {}", error["reason"].as_str().unwrap_or("none"), error["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn r1_columns_are_matched_by_name_and_other_columns_are_null_or_dropped() {
    let h = Harness::new().await;
    h.table().await;
    let uri = h.put(
        "a.parquet",
        file("'x' AS NOTE, {'a': 1} AS dropped, 1.5::DECIMAL(9, 2) AS Cost, TIMESTAMPTZ '2025-09-01 00:00:00+00' AS month"),
    );
    let columns = [("month", "TIMESTAMP"), ("extra", "STRING"), ("cost", "BIGNUMERIC"), ("note", "STRING")];
    let settings = json!({
        "sourceFormat": "PARQUET", "skipLeadingRows": null, "allowQuotedNewlines": null,
        "schema": schema(&columns), "schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"],
    });
    let job = h.load("j", "t$202509", &[&uri, &uri], settings.clone()).await;
    assert_eq!(message(&job), "none: ");
    let statistics = &job["statistics"]["load"];
    assert_eq!((&statistics["outputRows"], &statistics["inputFiles"]), (&json!("2"), &json!("2")));
    let row = ["x", "1.5", "NULL"];
    assert_eq!(h.rows("SELECT note, cost, extra FROM d.t").await, [row, row]);
    // As with CSV, a file of another month changes nothing.
    let job = h.load("other", "t$202510", &[&uri], settings).await;
    assert!(message(&job).starts_with("invalid: Some rows belong to different partitions"), "{job}");
}

#[tokio::test]
async fn r1_required_fields_load_into_nullable_columns_unless_the_option_refuses_them() {
    let mut keys = map("tags", "STRING");
    keys["fields"][0]["fields"][0]["mode"] = "REQUIRED".into();
    let text = |mode: &str| json!([{"name": "text", "type": "STRING", "mode": mode}]);
    for refuse in [false, true] {
        let h = Harness::with(Options { refuse_required_fields: refuse, ..Options::default() }).await;
        for (id, bytes, fields, is_required) in [
            ("text", &include_bytes!("files/types.parquet")[..], text("NULLABLE"), true),
            ("same", include_bytes!("files/types.parquet"), text("REQUIRED"), false),
            ("key", include_bytes!("files/map.parquet"), json!([map("tags", "STRING")]), true),
            ("same_key", include_bytes!("files/map.parquet"), json!([keys]), false),
        ] {
            let job = load(&h, id, bytes, &[], json!({"schema": {"fields": fields}})).await;
            let name = if id == "text" { "text" } else { "key" };
            let expected = if refuse && is_required {
                format!(
                    "invalid: Error while reading data, error message: Provided schema is not compatible with the file \
                     'gs://b/{id}'. Field '{name}' is specified as NULLABLE in provided schema which does not match REQUIRED \
                     as specified in the file. File: gs://b/{id}"
                )
            } else {
                "none: ".to_owned()
            };
            assert_eq!(message(&job), expected, "{id}");
        }
    }
}

#[tokio::test]
async fn r1_optional_fields_for_required_columns_are_refused() {
    let h = Harness::new().await;
    let fields = json!([{"name": "note", "type": "STRING", "mode": "REQUIRED"}]);
    let job = load(&h, "t", file("'x' AS note"), &[], json!({"schema": {"fields": fields}})).await;
    assert!(message(&job).contains("OPTIONAL field into a REQUIRED column: 'note'"), "{job}");
}

#[tokio::test]
async fn r2_values_of_all_accepted_types_are_loaded_exactly() {
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
    let moments = [("utc", "TIMESTAMP"), ("nanos", "INTEGER")];
    load(&h, "moments", include_bytes!("files/moments.parquet"), &moments, json!({})).await;
    let expected = "2025-09-02 16:00:00.123456+00";
    let read = "SELECT CAST(utc AS STRING), CAST(nanos AS STRING) FROM d.moments";
    assert_eq!(h.rows(read).await, [[expected, "1756828800123456000"]]);
    load(&h, "int96", include_bytes!("files/int96.parquet"), &[("old", "TIMESTAMP")], json!({})).await;
    assert_eq!(h.rows("SELECT CAST(old AS STRING) FROM d.int96").await, [[expected]]);
}

#[tokio::test]
async fn r2_timestamps_that_are_not_in_utc_are_datetimes_and_timestamps_unless_the_option_refuses_those() {
    for refuse in [false, true] {
        let h = Harness::with(Options { refuse_local_timestamps: refuse, ..Options::default() }).await;
        let bytes = file("TIMESTAMP '2025-09-02 16:00:00.5' AS local, TIMESTAMPTZ '2025-09-02 16:00:00.5+00' AS utc");
        let of = |local: &'static str, utc: &'static str| [("local", local), ("utc", utc)];
        let job = load(&h, "a", bytes.clone(), &of("DATETIME", "TIMESTAMP"), json!({})).await;
        assert_eq!(message(&job), "none: ");
        let read = "SELECT CAST(TIMESTAMP(local) AS STRING), CAST(utc AS STRING) FROM d.a";
        assert_eq!(h.rows(read).await, [["2025-09-02 16:00:00.500+00", "2025-09-02 16:00:00.500+00"]]);
        let job = load(&h, "b", bytes.clone(), &of("TIMESTAMP", "TIMESTAMP"), json!({})).await;
        let refused =
            "Parquet column 'local' has type INT64 (TIMESTAMP_MICROS) which does not match the target type TIMESTAMP.";
        assert_eq!(message(&job).contains(refused), refuse, "{job}");
        assert_eq!(message(&job) == "none: ", !refuse, "{job}");
        let job = load(&h, "c", bytes, &of("DATETIME", "DATETIME"), json!({})).await;
        assert!(message(&job).contains("'utc' has type INT64"), "{job}");
    }
}

#[tokio::test]
async fn r3_other_types_are_refused_and_column_and_file_are_named() {
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
        ("MAP {'a': 'x'}", "STRING"),
    ]
    .iter()
    .enumerate()
    {
        let job = load(&h, &format!("j{at}"), file(&format!("{select} AS value")), &[("value", ty)], json!({})).await;
        let message = message(&job);
        assert!(message.starts_with("invalid: ") && message.contains("Parquet column 'value'"), "{select}: {message}");
    }
}

/// The record type of a Parquet map.
fn map(name: &str, values: &str) -> Value {
    let entry = json!([{"name": "key", "type": "STRING"}, {"name": "value", "type": values}]);
    let entries = json!([{"name": "key_value", "type": "RECORD", "mode": "REPEATED", "fields": entry}]);
    json!({"name": name, "type": "RECORD", "fields": entries})
}

#[tokio::test]
async fn r6_a_map_becomes_a_record_of_repeated_keys_and_values() {
    let h = Harness::new().await;
    let rows = "SELECT MAP {'b': 'x', 'a': NULL, 'ä': ''} AS tags, MAP {'n': 0.5::DOUBLE} AS rates, 1 AS id \
                UNION ALL SELECT MAP {}, NULL, 2 UNION ALL SELECT NULL, MAP {}, 3";
    let bytes = file(&format!("* FROM ({rows})"));
    let fields = json!([map("tags", "STRING"), map("rates", "FLOAT64"), {"name": "id", "type": "INT64"}]);
    let job = load(&h, "maps", bytes.clone(), &[], json!({"schema": {"fields": fields}})).await;
    assert_eq!(message(&job), "none: ");
    let text = |map: &str, value: &str| {
        format!(
            "IF({map} IS NULL, 'none', IFNULL((SELECT STRING_AGG(CONCAT(`key`, '=', IFNULL({value}, '-')), ' ' ORDER BY \
             `at` DESC) FROM UNNEST({map}.`key_value`) WITH OFFSET AS `at`), 'empty'))"
        )
    };
    let (tags, rates) = (text("tags", "`value`"), text("`rates`", "CAST(value AS STRING)"));
    assert_eq!(
        h.rows(&format!("SELECT {tags}, {rates}, tags IS NOT NULL FROM d.maps ORDER BY id")).await,
        [["ä= a=- b=x", "n=0.5", "true"], ["empty", "none", "true"], ["none", "empty", "false"]]
    );
    let mut old = bytes.clone();
    while let Some(at) = old.windows(9).position(|name| name == b"key_value") {
        old[at..at + 9].copy_from_slice(b"old_names");
    }
    let job = load(&h, "names", old, &[], json!({"schema": {"fields": [map("tags", "STRING")]}})).await;
    assert_eq!(message(&job), "none: ", "groups with other names are not an error");
    assert_eq!(h.rows("SELECT COUNT(*), COUNTIF(tags IS NOT NULL) FROM d.names").await, [["3", "0"]]);
    for (id, bytes, values) in [("values", bytes, "FLOAT64"), ("text", file("'x' AS tags"), "STRING")] {
        let message = message(&load(&h, id, bytes, &[], json!({"schema": {"fields": [map("tags", values)]}})).await);
        assert!(message.contains("Parquet column 'tags'") && message.contains("target type STRUCT"), "{id}: {message}");
    }
}

#[tokio::test]
async fn r6_other_records_are_refused_and_rows_with_records_are_not_listed() {
    let h = Harness::new().await;
    let mut other = map("tags", "STRING");
    other["fields"][0]["name"] = "entries".into();
    let mut single = map("tags", "STRING");
    single["fields"][0]["mode"] = "NULLABLE".into();
    let flat = json!({"name": "tags", "type": "RECORD", "mode": "REPEATED", "fields": map("tags", "STRING")["fields"][0]["fields"]});
    let text = json!({"name": "tags", "type": "STRING", "fields": [{"name": "a", "type": "STRING"}]});
    let bare = json!({"name": "tags", "type": "RECORD"});
    let create = async |name: &str, field: Value| {
        let table = json!({"tableReference": {"tableId": name}, "schema": {"fields": [field]}});
        h.call("POST", "/datasets/d/tables", table).await
    };
    for field in [other, single, flat, text, bare, map("tags", "INT64")] {
        assert_eq!(create("refused", field.clone()).await.0, 501, "{field}");
    }
    let (status, table) = create("t", map("tags", "STRING")).await;
    assert_eq!((status, &table["schema"]["fields"][0]["fields"][0]["mode"]), (200, &json!("REPEATED")), "{table}");
    let (_, found) = h.get("/datasets/d/tables/t").await;
    assert_eq!(found["schema"], table["schema"]);
    assert_eq!(h.get("/datasets/d/tables/t/data").await.0, 501);
}

#[tokio::test]
async fn q16_a_query_can_only_join_the_entries_of_a_map_in_their_order() {
    let h = Harness::new().await;
    let fields = json!([map("tags", "STRING")]);
    load(&h, "t", file("MAP {'b': 'x', 'a': 'y'} AS tags"), &[], json!({"schema": {"fields": fields}})).await;
    let ordered =
        "SELECT (SELECT STRING_AGG(key, ',' ORDER BY at) FROM UNNEST(tags.key_value) WITH OFFSET AS at) FROM d.t";
    assert_eq!(h.rows(ordered).await, [["b,a"]]);
    for sql in [
        "SELECT tags FROM d.t",
        "SELECT * FROM d.t",
        "SELECT TO_JSON_STRING(tags) FROM d.t",
        "SELECT (SELECT key FROM UNNEST(tags.key_value) WITH OFFSET AS at LIMIT 1) AS a, at FROM d.t",
        "SELECT (SELECT STRING_AGG(key, ',' ORDER BY at) FROM UNNEST(other.key_value) WITH OFFSET AS at) FROM d.t",
        "SELECT (SELECT STRING_AGG(key, ',') FROM UNNEST(tags.key_value) WITH OFFSET AS at) FROM d.t",
        "SELECT (SELECT STRING_AGG(key, ',' ORDER BY at) FROM UNNEST(tags.entries) WITH OFFSET AS at) FROM d.t",
        "SELECT (SELECT STRING_AGG(key, ',' ORDER BY at) FROM UNNEST(tags) WITH OFFSET AS at) FROM d.t",
        "SELECT (SELECT STRING_AGG(other, ',' ORDER BY at) FROM UNNEST(tags.key_value) WITH OFFSET AS at) FROM d.t",
        "SELECT (SELECT COUNT(*) FROM d.t) FROM d.t",
        "SELECT key FROM d.t, UNNEST(tags.key_value)",
    ] {
        let (status, body) = h.query(sql, &[]).await;
        assert_eq!((status, &body["error"]["errors"][0]["reason"]), (400, &json!("invalidQuery")), "{sql}: {body}");
    }
}

#[tokio::test]
async fn q19_select_star_into_a_table_copies_maps() {
    let h = Harness::new().await;
    let settings = json!({"schema": {"fields": [map("tags", "STRING"), {"name": "note", "type": "STRING"}]}});
    load(&h, "t", file("MAP {'b': 'x', 'a': 'y'} AS tags, 'n' AS note"), &[], settings).await;
    for (id, disposition) in [("first", "WRITE_EMPTY"), ("second", "WRITE_APPEND")] {
        let settings = json!({"createDisposition": "CREATE_IF_NEEDED", "writeDisposition": disposition});
        assert_eq!(run(&h, id, "copy", "SELECT * FROM d.t", settings).await, ("none".to_owned(), "none".to_owned()));
    }
    let keys = "SELECT note, (SELECT STRING_AGG(key, ',' ORDER BY at) FROM UNNEST(tags.key_value) WITH OFFSET AS at) \
        FROM d.copy";
    assert_eq!(h.rows(keys).await, [["n", "b,a"], ["n", "b,a"]]);
    assert_eq!(h.get("/queries/first?location=US").await.0, 501, "maps are not sent to clients");
}

#[tokio::test]
async fn r4_a_file_that_is_not_parquet_or_is_cut_off_is_invalid_and_changes_nothing() {
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
        let mut settings = json!({"sourceFormat": format, "schema": schema(&[("note", "STRING")]), "skipLeadingRows": null,
            "allowQuotedNewlines": null});
        for (key, value) in option.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let (status, body) = h.insert_load("j", "t", &["gs://b/a"], settings).await;
        assert_eq!(status, 501, "{option}: {body}");
    }
}
