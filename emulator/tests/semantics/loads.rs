//! Load jobs of CSV.

use std::time::Duration;

use bigquery_emulator::Options;
use serde_json::{Value, json};

use crate::harness::{Harness, gzip};

const HEADER: &str = "month,cost,note\n";

fn september(cost: &str) -> String {
    format!("{HEADER}2025-09-01T00:00:00.000Z,{cost},x\n")
}

fn error(job: &Value) -> (&str, &str) {
    let error = &job["status"]["errorResult"];
    (error["reason"].as_str().unwrap_or("none"), error["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn p1_truncate_on_a_decorator_replaces_that_month_only() {
    let h = Harness::new().await;
    h.table().await;
    let august = h.put("aug.csv.gz", gzip(&format!("{HEADER}2025-08-01T00:00:00.000Z,1.5,a\n")));
    let first = h.put("sep.csv.gz", gzip(&september("2")));
    let second = h.put("sep2.csv.gz", gzip(&september("3")));
    h.load("j1", "t$202508", &[&august], json!({})).await;
    let job = h.load("j2", "t$202509", &[&first], json!({})).await;
    let load = &job["statistics"]["load"];
    assert_eq!((load["outputRows"].as_str(), load["inputFiles"].as_str()), (Some("1"), Some("1")));
    assert_eq!(load["badRecords"], "0");
    h.load("j3", "t$202509", &[&second], json!({})).await;
    assert_eq!(h.rows("SELECT cost, note FROM d.t ORDER BY month").await, [["1.5", "a"], ["3", "x"]]);
    let partitions = "SELECT partition_id, total_rows FROM `demo.d`.INFORMATION_SCHEMA.PARTITIONS \
                      WHERE table_name = 't' ORDER BY 1";
    assert_eq!(h.rows(partitions).await, [["202508", "1"], ["202509", "1"]]);
    // The same rows, read without the API.
    let stored = h.emulator.query("SELECT bq_bignumeric_text(sum(cost)) FROM \"demo:d\".t").unwrap();
    assert_eq!(stored, [[Some("4.5".to_owned())]]);
}

#[tokio::test]
async fn p1_a_reader_never_sees_the_month_empty_or_double() {
    let h = Harness::new().await;
    h.table().await;
    let small = h.put("a.csv", september("1"));
    h.load("j0", "t$202509", &[&small], json!({})).await;
    let many: String = std::iter::repeat_n("2025-09-01,1,y\n", 20_000).collect();
    let big = h.put("b.csv", format!("{HEADER}{many}"));
    for round in 0..4 {
        let uri = if round % 2 == 0 { &big } else { &small };
        let id = format!("j{round}-again");
        h.insert_load(&id, "t$202509", &[uri], json!({})).await;
        loop {
            let rows = h.rows("SELECT COUNT(*) FROM d.t").await;
            assert!(rows == [["1"]] || rows == [["20000"]], "{rows:?}");
            let (_, job) = h.get(&format!("/jobs/{id}?location=US")).await;
            if job["status"]["state"] == "DONE" {
                break;
            }
        }
    }
}

#[tokio::test]
async fn p2_a_row_of_another_month_fails_the_load_and_changes_nothing() {
    let h = Harness::new().await;
    h.table().await;
    let good = h.put("good.csv", september("1"));
    h.load("j1", "t$202509", &[&good], json!({})).await;
    for (id, row) in [("j2", "2025-10-01,2,x\n"), ("j3", ",2,x\n")] {
        let mixed = h.put("mixed.csv", format!("{}{row}", september("2")));
        let job = h.load(id, "t$202509", &[&mixed], json!({})).await;
        let (reason, message) = error(&job);
        assert_eq!(reason, "invalid");
        let expected = "Some rows belong to different partitions rather than destination partition";
        assert!(message.starts_with(expected), "{message}");
    }
    assert_eq!(h.rows("SELECT cost FROM d.t").await, [["1"]]);
}

#[tokio::test]
async fn p3_schema_update_options_are_allowed_only_with_append_and_partition_truncate() {
    let h = Harness::with(Options { allow_missing_columns: true, ..Options::default() }).await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,extra\n2025-09-01,1,new\n");
    let schema = json!({"fields": [
        {"name": "month", "type": "TIMESTAMP"},
        {"name": "cost", "type": "BIGNUMERIC"},
        {"name": "extra", "type": "STRING"},
    ]});
    let settings = json!({"schema": schema, "schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"]});
    let (status, body) = h.insert_load("whole", "t", &[&file], settings.clone()).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(body["error"]["errors"][0]["reason"], "invalid");
    let job = h.load("refused", "t$202509", &[&file], json!({"schema": schema})).await;
    assert!(error(&job).1.ends_with("Cannot add fields (field: extra)"), "{job}");
    let job = h.load("accepted", "t$202509", &[&file], settings).await;
    assert_eq!(error(&job).0, "none", "{job}");
    assert_eq!(h.rows("SELECT note, extra FROM d.t").await, [["NULL", "new"]]);
    let (_, table) = h.get("/datasets/d/tables/t").await;
    assert_eq!(table["schema"]["fields"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn p4_without_decorator_truncate_replaces_the_whole_table() {
    let h = Harness::new().await;
    h.table().await;
    let august = h.put("a.csv", format!("{HEADER}2025-08-01,1,x\n"));
    let next = h.put("b.csv", september("2"));
    h.load("j1", "t", &[&august], json!({"writeDisposition": "WRITE_APPEND"})).await;
    h.load("j2", "t", &[&next], json!({})).await;
    assert_eq!(h.rows("SELECT cost FROM d.t").await, [["2"]]);
    let schema = json!({"schema": {"fields": [{"name": "month", "type": "TIMESTAMP"}]}});
    assert_eq!(error(&h.load("j3", "t", &[&next], schema).await).0, "notImplemented");
}

#[tokio::test]
async fn p5_partitioning_and_clustering_in_a_job_must_match_the_table() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", september("1"));
    let same = json!({"timePartitioning": {"type": "MONTH", "field": "month"}});
    assert_eq!(error(&h.load("same", "t$202509", &[&file], same).await).0, "none");
    let other = json!({"clustering": {"fields": ["note"]}});
    assert_eq!(error(&h.load("other", "t$202509", &[&file], other).await).0, "invalid");
}

#[tokio::test]
async fn p6_create_never_requires_the_table_and_create_if_needed_creates_it() {
    let h = Harness::new().await;
    let file = h.put("a.csv", september("1"));
    let job = h.load("never", "t$202509", &[&file], json!({})).await;
    assert_eq!(error(&job), ("notFound", "Not found: Table demo:d.t"));
    let schema = json!({"fields": [{"name": "month", "type": "DATE"}]});
    let unpartitioned = json!({"createDisposition": "CREATE_IF_NEEDED", "schema": schema});
    let months = h.put("months.csv", "month\n2025-09-01\n");
    assert_eq!(error(&h.load("unpartitioned", "t$202509", &[&months], unpartitioned).await).0, "invalid");
    assert_eq!(h.get("/datasets/d/tables/t").await.0, 404);
    let settings = json!({
        "createDisposition": "CREATE_IF_NEEDED",
        "timePartitioning": {"type": "MONTH", "field": "month"},
        "schema": {"fields": [
            {"name": "month", "type": "DATE"},
            {"name": "cost", "type": "BIGNUMERIC"},
            {"name": "note", "type": "STRING"},
        ]},
    });
    let file = h.put("b.csv", format!("{HEADER}2025-09-01,0.10,x\n"));
    let job = h.load("creates", "t$202509", &[&file], settings).await;
    assert_eq!(error(&job).0, "none", "{job}");
    assert_eq!(h.rows("SELECT month, cost FROM d.t").await, [["2025-09-01", "0.1"]]);
}

#[tokio::test]
async fn s1_a_partition_truncate_with_missing_columns_is_refused_unless_the_option_allows_it() {
    let h = Harness::with(Options { allow_missing_columns: true, ..Options::default() }).await;
    h.table().await;
    let file = h.put("a.csv", "cost,month\n1,2025-09-01\n");
    let schema = json!({"schema": {"fields": [
        {"name": "cost", "type": "BIGNUMERIC"},
        {"name": "month", "type": "TIMESTAMP"},
    ]}});
    let job = h.load("j", "t$202509", &[&file], schema.clone()).await;
    assert_eq!(error(&job).0, "none", "{job}");
    assert_eq!(h.rows("SELECT cost, note FROM d.t").await, [["1", "NULL"]]);

    let strict = Harness::new().await;
    strict.table().await;
    let file = strict.put("a.csv", "cost,month\n1,2025-09-01\n");
    let job = strict.load("j", "t$202509", &[&file], schema).await;
    let expected = "Provided Schema does not match Table demo:d.t$202509. Field note is missing in new schema";
    assert_eq!(error(&job), ("invalid", expected));
}

#[tokio::test]
async fn s2_required_columns_and_changed_types_are_refused() {
    let h = Harness::new().await;
    h.table_with(json!([
        {"name": "month", "type": "DATE", "mode": "REQUIRED"},
        {"name": "cost", "type": "BIGNUMERIC"},
    ]))
    .await;
    let load = async |id: &str, schema: Value, text: &str| {
        let file = h.put("a.csv", text);
        h.load(id, "t$202509", &[&file], json!({"schema": {"fields": schema}})).await
    };
    let job = load("missing", json!([{"name": "cost", "type": "BIGNUMERIC"}]), "cost\n1\n").await;
    assert!(error(&job).1.ends_with("Field month is missing in new schema"), "{job}");
    let month = json!({"name": "month", "type": "DATE", "mode": "REQUIRED"});
    let job = load("type", json!([month, {"name": "cost", "type": "STRING"}]), "month,cost\n").await;
    assert!(error(&job).1.ends_with("Field cost has changed type from BIGNUMERIC to STRING"), "{job}");
    let job = load("null", json!([month, {"name": "cost", "type": "BIGNUMERIC"}]), "month,cost\n,1\n").await;
    assert!(job["status"]["errors"][1]["message"].as_str().unwrap().contains("Required column value"));
}

#[tokio::test]
async fn c1_a_row_must_have_as_many_columns_as_the_schema() {
    let h = Harness::new().await;
    h.table().await;
    let short = h.put("short.csv", format!("{HEADER}2025-09-01,1\n"));
    let long = h.put("long.csv", format!("{HEADER}2025-09-01,1,x,y\n"));
    assert_eq!(error(&h.load("short", "t$202509", &[&short], json!({})).await).0, "invalid");
    assert_eq!(error(&h.load("long", "t$202509", &[&long], json!({})).await).0, "invalid");
}

#[tokio::test]
async fn c2_quoted_newlines_are_refused_unless_allowed() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", format!("{HEADER}2025-09-01,1,\"two\nlines, \"\"quoted\"\"\"\n"));
    let job = h.load("no", "t$202509", &[&file], json!({"allowQuotedNewlines": false})).await;
    assert_eq!(error(&job).0, "invalid");
    h.load("yes", "t$202509", &[&file], json!({})).await;
    assert_eq!(h.rows("SELECT note FROM d.t").await, [["two\nlines, \"quoted\""]]);
}

#[tokio::test]
async fn c2_malformed_quotes_and_bytes_are_refused() {
    let h = Harness::new().await;
    h.table().await;
    for row in [&b"2025-09-01,1,\"open\n"[..], b"2025-09-01,1,\"a\"b\n", b"2025-09-01,1,\xff\n"] {
        let id = format!("j{}", row.len());
        let file = h.put(&id, [HEADER.as_bytes(), row].concat());
        assert_eq!(error(&h.load(&id, "t$202509", &[&file], json!({})).await).0, "invalid");
    }
    let file = h.put("crlf.csv", "month,cost,note\r\n2025-09-01,1,\"a\"\r\n2025-09-01,2,b");
    h.load("crlf", "t$202509", &[&file], json!({})).await;
    assert_eq!(h.rows("SELECT note FROM d.t ORDER BY cost").await, [["a"], ["b"]]);
}

/// Loads values into a column of the type. Each has its expected stored text; `None` where it must be refused.
async fn assert_stored(ty: &str, values: &[(&str, Option<&str>)]) {
    let h = Harness::new().await;
    h.table_with(json!([{"name": "month", "type": "DATE"}, {"name": "value", "type": ty}])).await;
    for (at, (text, expected)) in values.iter().enumerate() {
        let file = h.put("value.csv", format!("month,value\n2025-09-01,{text}\n"));
        let job = h.load(&format!("j{at}"), "t$202509", &[&file], json!({})).await;
        assert_eq!(error(&job).0, if expected.is_some() { "none" } else { "invalid" }, "{ty} {text}");
        if let Some(expected) = expected {
            assert_eq!(h.rows("SELECT CAST(value AS STRING) FROM d.t").await, [[*expected]], "{ty} {text}");
        }
    }
}

#[tokio::test]
async fn c3_timestamps_of_all_documented_forms_become_utc() {
    let forms = [
        ("2018-08-19T12:11:35.220Z", Some("2018-08-19 12:11:35.220+00")),
        ("2025-09-02 16:00:00+00:00", Some("2025-09-02 16:00:00+00")),
        ("2025-09-02 16:00:00+02", Some("2025-09-02 14:00:00+00")),
        ("2025-09-02 16:00:00-05:30", Some("2025-09-02 21:30:00+00")),
        ("2025-09-01 00:00:00 UTC", Some("2025-09-01 00:00:00+00")),
        ("2025-9-1", Some("2025-09-01 00:00:00+00")),
        ("2025-9-1 0:0:0", Some("2025-09-01 00:00:00+00")),
        ("2025-02-30", None),
        ("08/01/2025", None),
        ("2025-08-01T00:00", None),
        ("2025-08-01T00:00:00.1234567Z", None),
        ("20250801T000000Z", None),
    ];
    assert_stored("TIMESTAMP", &forms).await;
}

#[tokio::test]
async fn c3_other_types_are_read_strictly() {
    assert_stored("INTEGER", &[("-7", Some("-7")), ("1.5", None)]).await;
    assert_stored("BOOLEAN", &[("TRUE", Some("true")), ("maybe", None)]).await;
    assert_stored("DATE", &[("2025-09-01", Some("2025-09-01")), ("2025-13-01", None)]).await;
    assert_stored("JSON", &[("{", None)]).await;
}

#[tokio::test]
async fn c3_a_value_that_does_not_parse_names_column_and_file() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", september("abc"));
    let job = h.load("j", "t$202509", &[&file], json!({})).await;
    let (reason, message) = error(&job);
    assert_eq!(reason, "invalid");
    assert_eq!(
        message,
        "Error while reading data, error message: CSV table encountered too many errors, giving up. Rows: 1; errors: 1. \
         Please look into the errors[] collection for more details."
    );
    let detail = &job["status"]["errors"][1];
    assert_eq!(detail["location"], file.as_str());
    let text = detail["message"].as_str().unwrap();
    assert!(
        text.contains("Could not parse 'abc' as BIGNUMERIC for field cost (position 1) starting at location 16"),
        "{text}"
    );
}

#[tokio::test]
async fn c4_empty_fields_are_null_or_empty_strings_depending_on_options() {
    let text = format!("{HEADER}2025-09-01,,\n2025-09-01,1,\"\"\n");
    let markers = json!({"nullMarkers": [""]});
    for (as_text, settings, expected) in [
        (false, json!({}), ["NULL", ""]),
        (true, json!({}), ["", ""]),
        (false, markers.clone(), ["NULL", "NULL"]),
        (true, markers, ["NULL", "NULL"]),
    ] {
        let h = Harness::with(Options { empty_fields_as_text: as_text, ..Options::default() }).await;
        h.table().await;
        let file = h.put("a.csv", text.clone());
        h.load("j", "t$202509", &[&file], settings).await;
        let rows = h.rows("SELECT cost, note FROM d.t ORDER BY cost").await;
        assert_eq!(rows, [["NULL", expected[0]], ["1", expected[1]]]);
        let both = json!({"nullMarkers": [""], "nullMarker": ""});
        assert_eq!(h.insert_load("both", "t", &[&file], both).await.0, 400);
        assert_eq!(h.insert_load("other", "t", &[&file], json!({"nullMarkers": ["-"]})).await.0, 501);
    }
}

#[tokio::test]
async fn c7_a_nul_is_refused_unless_control_characters_are_preserved() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", format!("{HEADER}2025-09-01,1,a\0b\n"));
    let job = h.load("refused", "t$202509", &[&file], json!({})).await;
    let detail = job["status"]["errors"][1]["message"].as_str().unwrap();
    assert!(error(&job).0 == "invalid" && detail.contains("Bad character (ASCII 0)"), "{job}");
    let job = h.load("accepted", "t$202509", &[&file], json!({"preserveAsciiControlCharacters": true})).await;
    assert_eq!(error(&job).0, "none");
    assert_eq!(h.rows("SELECT note FROM d.t").await, [["a\0b"]]);
}

#[tokio::test]
async fn c5_dates_are_read_only_in_the_format_of_the_job() {
    let h = Harness::new().await;
    h.table_with(json!([{"name": "month", "type": "DATE"}, {"name": "moment", "type": "TIMESTAMP"}])).await;
    let american = "09/30/2025";
    let forms =
        ["30/09/2025", "2025-09-30", "09-30-2025", "09/31/2025", " 09/30/2025", "09/30/2025 00:00:00", "009/30/2025"];
    let load = async |id: String, format: &str, day: &str| {
        let file = h.put("a.csv", format!("month,moment\n{day},2025-09-02 03:00:00\n,2025-09-02\n"));
        let settings = json!({"dateFormat": format, "writeDisposition": "WRITE_APPEND"});
        h.load(&id, "t", &[&file], settings).await
    };
    let job = load("american".to_owned(), "MM/DD/YYYY", american).await;
    assert_eq!(error(&job).0, "none", "{job}");
    let expected = [["NULL", "2025-09-02 00:00:00+00"], ["2025-09-30", "2025-09-02 03:00:00+00"]];
    assert_eq!(h.rows("SELECT month, CAST(moment AS STRING) FROM d.t ORDER BY 1").await, expected);
    for (at, day) in forms.into_iter().enumerate() {
        let job = load(format!("other{at}"), "MM/DD/YYYY", day).await;
        let text = job["status"]["errors"][1]["message"].as_str().unwrap();
        assert!(text.contains(&format!("Could not parse '{day}' as DATE for field month (position 0)")), "{text}");
    }
    assert_eq!(error(&load("iso".to_owned(), "YYYY-MM-DD", "2025-09-30").await).0, "none");
    for (at, (day, read)) in [("9/3/2025", "2025-09-03"), ("09/15/25", "0025-09-15")].into_iter().enumerate() {
        assert_eq!(error(&load(format!("short{at}"), "MM/DD/YYYY", day).await).0, "none");
        let month = format!("SELECT COUNT(*) FROM d.t WHERE month = DATE '{read}'");
        assert_eq!(h.rows(&month).await, [["1"]], "{day}");
    }
    assert_eq!(error(&load("iso-other".to_owned(), "YYYY-MM-DD", american).await).0, "invalid");
    assert_eq!(h.insert_load("j", "t", &["gs://b/a"], json!({"dateFormat": "DD MON YYYY"})).await.0, 501);
}

#[tokio::test]
async fn c6_a_byte_order_mark_is_skipped_with_the_first_line() {
    for header in ["month,note", "\"month\",\"note\""] {
        let h = Harness::new().await;
        h.table_with(json!([{"name": "month", "type": "DATE"}, {"name": "note", "type": "STRING"}])).await;
        let file = h.put("a.csv", format!("\u{feff}{header}\n2025-09-01,x\n"));
        let skipped = h.load("skipped", "t", &[&file], json!({"skipLeadingRows": "1"})).await;
        assert_eq!(error(&skipped).0, "none", "{skipped}");
        assert_eq!(h.rows("SELECT note FROM d.t").await, [["x"]]);
        let file = h.put("b.csv", "\u{feff}2025-09-01,x\n".to_owned());
        let read = h.load("read", "t", &[&file], json!({"skipLeadingRows": "0"})).await;
        assert_eq!(error(&read).0, "invalid", "{read}");
    }
}

#[tokio::test]
async fn n1_bignumeric_keeps_every_digit_through_load_sum_and_result() {
    let h = Harness::new().await;
    h.table().await;
    let costs = ["0.0000000186", "1E-10", "12345678.123456789012", "-0.00000000000000000000000000000000000001"];
    let rows = costs.map(|cost| format!("2025-09-01,{cost},x\n")).concat();
    let file = h.put("a.csv", format!("{HEADER}{rows}"));
    h.load("j", "t$202509", &[&file], json!({})).await;
    assert_eq!(
        h.rows("SELECT cost FROM d.t ORDER BY cost").await.concat(),
        ["-0.00000000000000000000000000000000000001", "0.0000000001", "0.0000000186", "12345678.123456789012"]
    );
    assert_eq!(
        h.rows("SELECT SUM(cost) AS total, COUNTIF(cost > 1), CAST(MAX(cost) AS STRING) FROM d.t").await,
        [["12345678.12345680771199999999999999999999999999", "1", "12345678.123456789012"]]
    );
}

#[tokio::test]
async fn n1_an_option_refuses_exponents_in_csv() {
    let h = Harness::with(Options { refuse_exponents: true, ..Options::default() }).await;
    h.table().await;
    for (id, cost, end) in [("exponent", "2.1e-07", "invalid"), ("plain", "0.00000021", "none")] {
        let file = h.put("a.csv", september(cost));
        let job = h.load(id, "t$202509", &[&file], json!({})).await;
        assert_eq!(error(&job).0, end, "{job}");
    }
}

#[tokio::test]
async fn f3_names_with_two_slashes_in_a_row_are_not_found() {
    let h = Harness::new().await;
    h.table().await;
    for (at, key) in ["/report/a.csv", "report//a.csv"].into_iter().enumerate() {
        let file = h.put(key, september("1"));
        let job = h.load(&format!("j{at}"), "t$202509", &[&file], json!({})).await;
        assert_eq!(error(&job), ("notFound", format!("Not found: URI {file}").as_str()));
    }
}

#[tokio::test]
async fn n2_amounts_beyond_bignumeric_are_refused() {
    let refused = ["1e39", "abc", ".", "1.2.3", "0x10"].map(|text| (text, None));
    assert_stored("BIGNUMERIC", &refused).await;
    assert_stored("BIGNUMERIC", &[("-12", Some("-12")), ("-0.0", Some("0")), ("1e3", Some("1000"))]).await;
}

#[tokio::test]
async fn n2_more_than_38_decimals_are_refused_not_rounded() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", september(&format!("0.{}1", "0".repeat(38))));
    assert_eq!(error(&h.load("j", "t$202509", &[&file], json!({})).await).0, "invalid");
}

#[tokio::test]
async fn f1_missing_and_damaged_files_fail_the_job_and_change_nothing() {
    let h = Harness::new().await;
    h.table().await;
    let good = h.put("good.csv.gz", gzip(&september("1")));
    h.load("j0", "t$202509", &[&good], json!({})).await;
    let job = h.load("missing", "t$202509", &[&good, "gs://b/none.csv"], json!({})).await;
    assert_eq!(error(&job), ("notFound", "Not found: URI gs://b/none.csv"));
    let whole = gzip(&september("2"));
    let cut = h.put("cut.csv.gz", &whole[..whole.len() - 9]);
    let job = h.load("cut", "t$202509", &[&good, &cut], json!({})).await;
    let (reason, message) = error(&job);
    assert!(reason == "invalid" && message.contains("gs://b/cut.csv.gz"), "{message}");
    let plain = h.put("plain.csv", september("3"));
    assert_eq!(error(&h.load("mix", "t$202509", &[&good, &plain], json!({})).await).0, "invalid");
    assert_eq!(h.rows("SELECT cost FROM d.t").await, [["1"]]);
}

#[tokio::test]
async fn f2_a_job_accepts_at_most_ten_thousand_files() {
    let h = Harness::new().await;
    h.table().await;
    let uris = vec!["gs://b/a.csv"; 10_001];
    assert_eq!(h.insert_load("j", "t$202509", &uris, json!({})).await.0, 400);
}

#[tokio::test]
async fn x1_a_held_job_is_running_and_its_rows_are_invisible() {
    let h = Harness::with(Options { job_duration: Duration::from_millis(20), ..Options::default() }).await;
    h.table().await;
    let file = h.put("a.csv", september("1"));
    h.emulator.hold_jobs("held");
    let (_, job) = h.insert_load("held-1", "t$202509", &[&file], json!({})).await;
    assert_ne!(job["status"]["state"], "DONE");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (_, job) = h.get("/jobs/held-1?location=US").await;
    assert_eq!(job["status"]["state"], "RUNNING");
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["0"]]);
    h.emulator.release();
    h.wait("held-1").await;
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["1"]]);
}
