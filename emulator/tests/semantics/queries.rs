//! Statements: supported SQL, its types, and refused SQL.

use serde_json::{Value, json};

use crate::harness::Harness;

/// A table like the state table.
async fn state() -> Harness {
    let h = Harness::new().await;
    let body = json!({
        "tableReference": {"tableId": "loads"},
        "schema": {"fields": [
            {"name": "period", "type": "DATE", "mode": "REQUIRED"},
            {"name": "sequence", "type": "INTEGER"},
            {"name": "cost", "type": "JSON"},
            {"name": "loaded_at", "type": "TIMESTAMP"},
            {"name": "amount", "type": "BIGNUMERIC"},
        ]},
    });
    assert_eq!(h.call("POST", "/datasets/d/tables", body).await.0, 200);
    h
}

const RECORD: &str = "INSERT INTO `demo.d.loads` (period, sequence, cost, loaded_at, amount) \
    SELECT @period, @sequence, PARSE_JSON(@cost), CURRENT_TIMESTAMP(), CAST(@amount AS BIGNUMERIC) FROM (SELECT 1) \
    WHERE NOT EXISTS (SELECT 1 FROM `demo.d.loads` WHERE period = @period AND sequence = @sequence)";

fn record<'a>(period: &'a str, sequence: &'a str, amount: &'a str) -> [(&'a str, &'a str, &'a str); 4] {
    [
        ("period", "DATE", period),
        ("sequence", "INT64", sequence),
        ("cost", "STRING", r#"{"USD": "12.50"}"#),
        ("amount", "STRING", amount),
    ]
}

#[tokio::test]
async fn q1_a_conditional_insert_adds_a_row_once() {
    let h = state().await;
    let (status, body) = h.query(RECORD, &record("2025-09-01", "1", "1E-10")).await;
    assert_eq!((status, body["numDmlAffectedRows"].as_str()), (200, Some("1")), "{body}");
    let (_, body) = h.query(RECORD, &record("2025-09-01", "1", "2")).await;
    assert_eq!(body["numDmlAffectedRows"], "0");
    h.query(RECORD, &record("2025-09-01", "2", "12345678.123456789012")).await;
    h.query(RECORD, &record("2025-08-01", "1", "-3.10")).await;
    let newest = "SELECT period, sequence, TO_JSON_STRING(cost) AS cost, amount \
                  FROM `demo`.d.loads WHERE period >= DATE '2025-01-01' \
                  QUALIFY ROW_NUMBER() OVER (PARTITION BY period ORDER BY sequence DESC) = 1 ORDER BY period DESC";
    assert_eq!(
        h.rows(newest).await,
        [
            ["2025-09-01", "2", r#"{"USD":"12.50"}"#, "12345678.123456789012"],
            ["2025-08-01", "1", r#"{"USD":"12.50"}"#, "-3.1"]
        ]
    );
    let (_, body) = h.query("SELECT period, sequence, cost, loaded_at, amount FROM d.loads LIMIT 1", &[]).await;
    let types: Vec<&str> =
        body["schema"]["fields"].as_array().unwrap().iter().map(|field| field["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["DATE", "INTEGER", "JSON", "TIMESTAMP", "BIGNUMERIC"]);
    assert_eq!(body["rows"][0]["f"][2]["v"], r#"{"USD":"12.50"}"#);
}

#[tokio::test]
async fn q2_rows_are_grouped_and_summed_and_null_is_first() {
    let h = state().await;
    let insert = "INSERT INTO d.loads (period, sequence, amount) VALUES \
        (DATE '2025-08-01', 1, CAST('0.1' AS BIGNUMERIC)), (DATE '2025-08-01', NULL, CAST('0.2' AS BIGNUMERIC)), \
        ('2025-09-01', 3, 4)";
    assert_eq!(h.query(insert, &[]).await.0, 200);
    let grouped = "SELECT period, COUNT(*) AS n, COUNT(sequence), SUM(amount) AS total, SUM(sequence), MIN(amount) \
                   FROM d.loads GROUP BY period ORDER BY total DESC";
    assert_eq!(
        h.rows(grouped).await,
        [["2025-09-01", "1", "1", "4", "3", "4"], ["2025-08-01", "2", "1", "0.3", "1", "0.1"]]
    );
    assert_eq!(h.rows("SELECT sequence FROM d.loads ORDER BY sequence").await.concat(), ["NULL", "1", "3"]);
    assert_eq!(
        h.rows("SELECT COALESCE(sequence, 0), IFNULL(amount, 0), amount > 1 FROM d.loads ORDER BY 2").await,
        [["1", "0.1", "false"], ["0", "0.2", "false"], ["3", "4", "true"]]
    );
}

#[tokio::test]
async fn q2_a_month_is_summed_by_currency() {
    let h = Harness::new().await;
    h.table().await;
    let insert = "INSERT INTO d.t (month, cost, note) VALUES (TIMESTAMP '2025-09-01', CAST('1.5' AS BIGNUMERIC), 'USD'), \
        (TIMESTAMP '2025-09-30 23:59:59', CAST('2.25' AS BIGNUMERIC), 'USD'), (TIMESTAMP '2025-09-02', NULL, ''), \
        (TIMESTAMP '2025-09-02', 3, NULL), (TIMESTAMP '2025-10-01', 9, 'USD')";
    h.query(insert, &[]).await;
    let sums = "SELECT COALESCE(NULLIF(`note`, ''), 'unknown') AS currency, \
        CAST(COALESCE(SUM(`cost`), 0) AS STRING) AS cost, COUNT(*) AS row_count FROM `demo`.`d`.`t` \
        WHERE `month` >= TIMESTAMP '2025-09-01 00:00:00' AND `month` < TIMESTAMP '2025-10-01 00:00:00' GROUP BY 1 ORDER BY 1";
    assert_eq!(h.rows(sums).await, [["USD", "3.75", "2"], ["unknown", "3", "2"]]);
}

#[tokio::test]
async fn q3_casts_are_exact_and_strict() {
    let h = Harness::new().await;
    let one = async |sql: &str| h.rows(&format!("SELECT {sql}")).await[0][0].clone();
    for (sql, expected) in [
        ("CAST('1.50' AS BIGNUMERIC)", "1.5"),
        ("CAST('-1e-38' AS BIGNUMERIC)", "-0.00000000000000000000000000000000000001"),
        // Text to BIGNUMERIC rounds half away from zero.
        ("CAST('0.000000000000000000000000000000000000005' AS BIGNUMERIC)", "0.00000000000000000000000000000000000001"),
        ("CAST(CAST('100' AS BIGNUMERIC) AS STRING)", "100"),
        ("CAST(7 AS BIGNUMERIC)", "7"),
        ("SAFE_CAST('x' AS BIGNUMERIC)", "NULL"),
        ("SAFE_CAST('1.5' AS INT64)", "NULL"),
        ("CAST(5 AS STRING)", "5"),
        ("CAST(CAST('1.0' AS FLOAT64) AS STRING)", "1"),
        ("CAST(CAST('-2.50' AS BIGNUMERIC) AS FLOAT64)", "-2.5"),
        ("CAST(CAST(NULL AS INT64) AS BIGNUMERIC)", "NULL"),
        ("CAST('1e-300' AS BIGNUMERIC)", "0"),
        ("SAFE_CAST('1e100' AS BIGNUMERIC)", "NULL"),
        ("CAST(CAST('0.1' AS FLOAT64) AS BIGNUMERIC)", "0.10000000000000000555111512312578270212"),
        ("SAFE_CAST(CAST('inf' AS FLOAT64) AS BIGNUMERIC)", "NULL"),
        ("CAST(CAST('-2.5' AS FLOAT64) AS INT64)", "-3"),
        ("CAST(CAST('2.5' AS BIGNUMERIC) AS INT64)", "3"),
        ("CAST(CAST('-0.4' AS BIGNUMERIC) AS INT64)", "0"),
        ("CAST(2 AS BOOL)", "true"),
        ("CAST(true AS INT64)", "1"),
        ("CAST(false AS STRING)", "false"),
        ("CAST('TRUE' AS BOOL)", "true"),
        ("CAST(TIMESTAMP '2025-09-01 23:30:00-01' AS DATE)", "2025-09-02"),
        ("CAST(CAST(DATE '2025-09-01' AS TIMESTAMP) AS STRING)", "2025-09-01 00:00:00+00"),
        ("CAST('2025-09-01' AS DATE)", "2025-09-01"),
        ("SAFE_CAST('2025-02-30' AS DATE)", "NULL"),
        ("CAST(NULL AS DATE)", "NULL"),
        (
            "IF(CAST(CAST(x AS DATE) AS TIMESTAMP) = x, CAST(x AS DATE), NULL) FROM (SELECT TIMESTAMP '2025-09-01' AS x)",
            "2025-09-01",
        ),
        (
            "IF(CAST(CAST(x AS DATE) AS TIMESTAMP) = x, CAST(x AS DATE), NULL) FROM (SELECT TIMESTAMP '2025-09-01 00:00:01' AS x)",
            "NULL",
        ),
        ("SAFE_CAST('2025-02-30' AS TIMESTAMP)", "NULL"),
        ("CAST(TIMESTAMP '2025-09-01 12:00:00.5+02' AS STRING)", "2025-09-01 10:00:00.500+00"),
        ("CAST(TIMESTAMP '2025-09-01 10:00:00.1234' AS STRING)", "2025-09-01 10:00:00.123400+00"),
        ("CAST('2025-09-01T10:00:00Z' AS TIMESTAMP) = TIMESTAMP '2025-09-01 10:00:00'", "true"),
        ("TIMESTAMP '2025-09-04 08:00:00'", "1.7569728E9"),
        ("TIMESTAMP '2025-09-04 08:00:00.000001'", "1.756972800000001E9"),
        ("TIMESTAMP '1970-01-01'", "0.0"),
        ("TIMESTAMP '1969-12-31 23:59:58.5'", "-1.5E0"),
    ] {
        assert_eq!(one(sql).await, expected, "{sql}");
    }
    for sql in [
        "CAST('x' AS INT64)",
        "CAST('2025-02-30' AS DATE)",
        "CAST('1,5' AS BIGNUMERIC)",
        "CAST('1e100' AS BIGNUMERIC)",
        "CAST(CAST('nan' AS FLOAT64) AS BIGNUMERIC)",
        "CAST(CAST('1e300' AS FLOAT64) AS INT64)",
        "PARSE_JSON('{')",
    ] {
        let (status, body) = h.query(&format!("SELECT {sql}"), &[]).await;
        assert_eq!((status, body["error"]["errors"][0]["reason"].as_str()), (400, Some("invalidQuery")), "{sql}");
    }
}

#[tokio::test]
async fn q4_unsupported_sql_is_an_invalid_query() {
    let h = state().await;
    for sql in [
        "SELECT",
        "SELECT nothing FROM d.loads",
        "SELECT period FROM d.loads WHERE period = TIMESTAMP '2025-09-01'",
        "SELECT SUM(cost) FROM d.loads",
        "SELECT UPPER('x')",
        "SELECT DISTINCT period FROM d.loads",
        "SELECT loads.period FROM d.loads",
        "SELECT period FROM d.loads WHERE sequence IN (1, 2)",
        "SELECT CASE WHEN true THEN 1 END",
        "SELECT sequence * 2 FROM d.loads",
        "SELECT amount + 1 FROM d.loads",
        "SELECT IF(sequence, 1, 2) FROM d.loads",
        "SELECT IF(true, 'a', 2)",
        "SELECT IF(true, 1)",
        "SELECT CONCAT('a', 1)",
        "SELECT 'a' || 1",
        "SELECT LENGTH(1)",
        "SELECT REGEXP_CONTAINS('a', CAST(sequence AS STRING)) FROM d.loads",
        "SELECT REGEXP_EXTRACT('a', '(a)(b)')",
        "SELECT REGEXP_CONTAINS('a', '(')",
        "SELECT REGEXP_REPLACE('a', '(a)', r'\\2')",
        "SELECT REGEXP_REPLACE('a', 'a', r'\\n')",
        "SELECT REGEXP_REPLACE('a', 'a')",
        "SELECT FORMAT_TIMESTAMP('%Y', TIMESTAMP '2025-09-01')",
        "SELECT CAST(true AS FLOAT64)",
        "SELECT CAST(DATE '2025-09-01' AS INT64)",
        "SELECT '\\d'",
        "SELECT 'a''b'",
        "SELECT 1.5",
        "SELECT COUNT(*) FROM d.loads HAVING COUNT(*) > 0",
        "SELECT SUM(sequence) OVER () FROM d.loads",
        "ALTER TABLE d.loads SET OPTIONS (description = 'x')",
        "SELECT * FROM d.loads, d.loads AS other",
        "SELECT 1; SELECT 2",
        "DELETE FROM d.loads",
        "DROP TABLE d.loads",
        "INSERT INTO d.loads (sequence) VALUES (1)",
        "INSERT INTO d.loads (period) VALUES (1)",
        "INSERT INTO d.loads (period) VALUES (@missing)",
        "SELECT * FROM d.INFORMATION_SCHEMA.JOBS",
        "ALTER TABLE d.loads ALTER COLUMN cost SET DATA TYPE STRING",
        "ALTER TABLE d.loads ADD COLUMN sequence INT64",
    ] {
        let (status, body) = h.query(sql, &[]).await;
        assert_eq!(
            (status, body["error"]["errors"][0]["reason"].as_str()),
            (400, Some("invalidQuery")),
            "{sql}: {body}"
        );
    }
    let (status, body) = h.query("SELECT 1 FROM d.none", &[]).await;
    let message = "Not found: Table demo:d.none was not found in location US";
    assert_eq!((status, body["error"]["message"].as_str()), (404, Some(message)));
}

#[tokio::test]
async fn q5_one_statement_adds_all_columns_or_none_and_types_only_widen() {
    let h = state().await;
    h.query("INSERT INTO d.loads (period, sequence) VALUES ('2025-09-01', 7)", &[]).await;
    let add = "ALTER TABLE `demo.d.loads` ADD COLUMN IF NOT EXISTS a STRING, ADD COLUMN IF NOT EXISTS sequence INT64, \
               ADD COLUMN IF NOT EXISTS b BIGNUMERIC";
    for _ in 0..2 {
        let (status, body) = h.query(add, &[]).await;
        assert_eq!(status, 200, "{body}");
    }
    let half = "ALTER TABLE d.loads ADD COLUMN c STRING, ADD COLUMN a STRING";
    assert_eq!(h.query(half, &[]).await.0, 400);
    let widen = "ALTER TABLE d.loads ALTER COLUMN sequence SET DATA TYPE BIGNUMERIC";
    assert_eq!(h.query(widen, &[]).await.0, 200);
    let again = "ALTER TABLE d.loads ALTER COLUMN amount SET DATA TYPE FLOAT64";
    assert_eq!(h.query(again, &[]).await.0, 200);
    let (_, table) = h.get("/datasets/d/tables/loads").await;
    let fields: Vec<(&str, &str)> = table["schema"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| (field["name"].as_str().unwrap(), field["type"].as_str().unwrap()))
        .collect();
    assert_eq!(fields[1], ("sequence", "BIGNUMERIC"));
    assert_eq!(fields[5..], [("a", "STRING"), ("b", "BIGNUMERIC")]);
    assert_eq!(h.rows("SELECT sequence, a FROM d.loads").await, [["7", "NULL"]]);
}

#[tokio::test]
async fn q6_a_delete_reports_its_number_of_rows() {
    let h = state().await;
    h.query("INSERT INTO d.loads (period) VALUES ('2025-08-01'), ('2025-09-01')", &[]).await;
    let (_, body) = h.query("DELETE FROM d.loads WHERE period = @p", &[("p", "DATE", "2025-09-01")]).await;
    assert_eq!(body["numDmlAffectedRows"], "1");
    assert_eq!(h.rows("SELECT period FROM d.loads").await, [["2025-08-01"]]);
}

#[tokio::test]
async fn q7_results_have_pages_and_jobs_report_the_bytes_billed() {
    let h = state().await;
    h.query("INSERT INTO d.loads (period) VALUES ('2025-07-01'), ('2025-08-01'), ('2025-09-01')", &[]).await;
    let body = json!({"query": "SELECT period FROM d.loads ORDER BY 1", "useLegacySql": false, "maxResults": 2});
    let (_, first) = h.call("POST", "/queries", body).await;
    assert_eq!((first["rows"].as_array().unwrap().len(), first["totalRows"].as_str()), (2, Some("3")));
    let job = first["jobReference"]["jobId"].as_str().unwrap();
    let token = first["pageToken"].as_str().unwrap();
    let (_, second) = h.get(&format!("/queries/{job}?location=US&maxResults=2&pageToken={token}")).await;
    assert_eq!(second["rows"], json!([{"f": [{"v": "2025-09-01"}]}]));
    let (_, job) = h.get(&format!("/jobs/{job}?location=US")).await;
    assert_eq!(job["statistics"]["query"]["totalBytesBilled"], "10485760");
    assert_eq!(job["statistics"]["query"]["statementType"], "SELECT");
}

#[tokio::test]
async fn q8_a_repeated_request_id_does_not_run_a_query_again() {
    let h = state().await;
    let insert = |id: &str| {
        let query = "INSERT INTO d.loads (period) VALUES ('2025-09-01')";
        json!({"query": query, "useLegacySql": false, "requestId": id})
    };
    for id in ["a", "a", "b"] {
        assert_eq!(h.call("POST", "/queries", insert(id)).await.0, 200);
    }
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.loads").await, [["2"]]);
}

#[tokio::test]
async fn q9_a_query_beyond_its_timeout_is_answered_as_incomplete() {
    let h = state().await;
    h.emulator.hold_jobs("");
    let body = json!({"query": "SELECT 1 AS one", "useLegacySql": false, "timeoutMs": 10});
    let (status, answer) = h.call("POST", "/queries", body).await;
    assert_eq!((status, answer["jobComplete"].as_bool()), (200, Some(false)));
    h.emulator.release();
    let job = answer["jobReference"]["jobId"].as_str().unwrap();
    let (_, result) = h.get(&format!("/queries/{job}?location=US")).await;
    assert_eq!((result["jobComplete"].as_bool(), &result["rows"]), (Some(true), &json!([{"f": [{"v": "1"}]}])));
    let nulls = h.query("SELECT CAST(NULL AS DATE) AS d", &[]).await.1;
    assert_eq!(nulls["rows"][0]["f"][0]["v"], Value::Null);
}

#[tokio::test]
async fn q10_a_double_as_text_has_fifteen_digits_or_seventeen() {
    let h = Harness::new().await;
    for (double, text, sixteen) in [
        ("0.1", "0.1", "0.1"),
        ("123.0", "123", "123"),
        ("0.0000001", "1e-07", "1e-07"),
        ("-1234567.89", "-1234567.89", "-1234567.89"),
        ("100000000000000", "100000000000000", "100000000000000"),
        ("1e15", "1e+15", "1000000000000000"),
        ("0.6666666666666666", "0.66666666666666663", "0.6666666666666666"),
        ("0.30000000000000004", "0.30000000000000004", "0.3"),
        ("-0.0", "0", "-0"),
        ("inf", "inf", "inf"),
        ("nan", "nan", "nan"),
    ] {
        let sql =
            format!("SELECT CAST(x AS STRING), FORMAT('%.16g', x) FROM (SELECT CAST('{double}' AS FLOAT64) AS x)");
        assert_eq!(h.rows(&sql).await, [[text, sixteen]], "{double}");
    }
}

#[tokio::test]
async fn q11_regular_expressions_length_and_concat_work_on_texts() {
    let h = Harness::new().await;
    for (sql, expected) in [
        (r"REGEXP_CONTAINS('1.50', r'^-?\d+\.\d+$')", "true"),
        (r"REGEXP_CONTAINS('1x50', '^\\d+\\.')", "false"),
        (r"REGEXP_CONTAINS(CAST(NULL AS STRING), 'a')", "NULL"),
        (r"REGEXP_CONTAINS('a\nb', 'a.b')", "false"),
        (r"REGEXP_EXTRACT('1.50e3', r'\.(\d+)')", "50"),
        (r"REGEXP_EXTRACT('1.50e3', r'[.(]\d+')", ".50"),
        (r"REGEXP_EXTRACT('150', r'\.(\d*)')", "NULL"),
        (r"REGEXP_EXTRACT('15.', r'\.(?:x|(\d*))')", ""),
        (r"REGEXP_REPLACE('9/30/2025', r'^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})$', r'\3-\1-\2')", "2025-9-30"),
        (r"REGEXP_REPLACE('2025-09-30', '^([0-9]+)/([0-9]+)$', '\\2-\\1')", "2025-09-30"),
        (
            r"SAFE_CAST(REGEXP_REPLACE('2025-09-30T00:00:00Z', r'[T ]00:00:00(\.0+)?(Z|\+00:00)?$', '') AS DATE)",
            "2025-09-30",
        ),
        (r"REGEXP_REPLACE('a.b.c', r'\.', r'\\\0')", r"a\.b\.c"),
        (r"REGEXP_REPLACE(CAST(NULL AS STRING), 'a', 'b')", "NULL"),
        ("LENGTH('größe')", "5"),
        ("LENGTH(CONCAT('a', 'b', CAST(1 AS STRING)) || 'c') - 1 + 10", "13"),
        ("CONCAT('a', CAST(NULL AS STRING))", "NULL"),
        ("COALESCE(NULL, CAST(NULL AS STRING), 'c', 'd')", "c"),
        ("IFNULL(NULL, 7)", "7"),
        ("NOT (1 < 2 AND 2 <> 2) OR 1 = -1", "true"),
        (r"'it\'s \x41\u00e9 \\'", "it's Aé \\"),
        (r#"r'\d"' || "'""#, "\\d\"'"),
        ("FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E*SZ', TIMESTAMP '2025-09-01 10:00:00')", "2025-09-01T10:00:00Z"),
        ("FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E*SZ', TIMESTAMP '2025-09-01 10:00:00.120')", "2025-09-01T10:00:00.12Z"),
    ] {
        assert_eq!(h.rows(&format!("SELECT {sql}")).await, [[expected]], "{sql}");
    }
}

#[tokio::test]
async fn q15_to_json_string_escapes_only_the_listed_characters() {
    let h = Harness::new().await;
    for (sql, expected) in [
        (r#"'a"b\\c/d é 😀 <>&\''"#, r#""a\"b\\c/d é 😀 <>&'""#),
        (r"'\b\f\n\r\t\x01\v\x1f\x7f'", "\"\\b\\f\\n\\r\\t\\u0001\\u000b\\u001f\u{7f}\""),
        (r"'\u2028\u2029'", r#""\u2028\u2029""#),
        (r"r'\u000B'", r#""\\u000B""#),
        ("''", "\"\""),
        ("CAST(NULL AS STRING)", "null"),
    ] {
        assert_eq!(h.rows(&format!("SELECT TO_JSON_STRING({sql})")).await, [[expected]], "{sql}");
    }
}

#[tokio::test]
async fn q12_error_ends_the_query_only_where_it_is_evaluated() {
    let h = state().await;
    let insert = "INSERT INTO d.loads (period, sequence, amount) VALUES ('2025-08-01', 1, 4), ('2025-09-01', -1, NULL)";
    assert_eq!(h.query(insert, &[]).await.0, 200);
    for ty in ["STRING", "INT64", "FLOAT64", "BIGNUMERIC", "BOOL", "TIMESTAMP", "DATE"] {
        let guarded = format!("SELECT IF(sequence < 5, CAST(NULL AS {ty}), ERROR('never')) FROM d.loads");
        assert_eq!(h.rows(&guarded).await, [["NULL"], ["NULL"]], "{ty}");
    }
    let casts = "SELECT IF(sequence = sequence, 'a', CAST(CAST('x' AS INT64) AS STRING)), \
                 IF(amount IS NULL, NULL, CAST(CAST(sequence AS STRING) AS BIGNUMERIC)) FROM d.loads ORDER BY 2";
    assert_eq!(h.rows(casts).await, [["a", "NULL"], ["a", "1"]]);
    let sql = "SELECT IF(sequence > 0, amount, ERROR(CONCAT('negative: ', CAST(sequence AS STRING)))) FROM d.loads";
    let (status, body) = h.query(sql, &[]).await;
    assert_eq!((status, body["error"]["errors"][0]["reason"].as_str()), (400, Some("invalidQuery")));
    assert_eq!(body["error"]["message"], "negative: -1");
}

#[tokio::test]
async fn q13_failed_casts_are_counted_with_an_example() {
    let h = Harness::new().await;
    h.table().await;
    let values = "INSERT INTO d.t (note) VALUES ('1.5'), ('x'), ('abc'), (NULL)";
    assert_eq!(h.query(values, &[]).await.0, 200);
    let failed = "`note` IS NOT NULL AND SAFE_CAST(`note` AS BIGNUMERIC) IS NULL";
    let sql = format!(
        "SELECT COUNTIF({failed}) AS `rows`, MIN(IF({failed}, CAST(`note` AS STRING), NULL)) AS `example`, COUNT(*) AS n \
         FROM `demo`.`d`.`t`"
    );
    assert_eq!(h.rows(&sql).await, [["2", "abc", "4"]]);
    assert_eq!(h.rows("SELECT COUNTIF(cost > 1), COUNTIF(note = 'none') FROM d.t").await, [["0", "0"]]);
}

#[tokio::test]
async fn q14_a_statement_with_hundreds_of_casts_runs() {
    let h = Harness::new().await;
    let names: Vec<String> = (0..300).map(|at| format!("c{at}")).collect();
    let fields: Vec<Value> = names.iter().map(|name| json!({"name": name, "type": "FLOAT"})).collect();
    let table = json!({"tableReference": {"tableId": "wide"}, "schema": {"fields": fields}});
    assert_eq!(h.call("POST", "/datasets/d/tables", table).await.0, 200);
    let row = vec!["0.1"; 300].join(",");
    let file = h.put("wide.csv", format!("{row}\n{row}\n"));
    h.load("load", "wide", &[&file], json!({"skipLeadingRows": "0"})).await;
    let casts = names.iter().map(|name| {
        format!(
            "IF(`{name}` IS NULL, NULL, IFNULL(SAFE_CAST(CAST(`{name}` AS STRING) AS BIGNUMERIC), \
             ERROR(CONCAT('{name}: ', CAST(`{name}` AS STRING))))) AS `{name}`"
        )
    });
    let casts = casts.collect::<Vec<_>>().join(", ");
    let rows = h.rows(&format!("SELECT {casts} FROM `demo`.`d`.`wide`")).await;
    assert_eq!(rows, vec![vec!["0.1"; 300]; 2]);
}
