//! How every warehouse loads Parquet, and months into a table that began with another format or type.

use finops::error::ErrorKind;
use finops_core::{
    hint,
    model::{column_type::ColumnType, kind::ExportKind},
    schema::Column,
};

use crate::{
    support::{
        delivery::{Delivery, HEADER, line},
        harness::{Harness, Rows, Table},
    },
    warehouse::conformance::{amounts, for_each_warehouse},
};

for_each_warehouse!(
    doubles_become_their_shortest_decimals,
    timestamps_of_any_unit_are_the_same_in_utc,
    a_text_that_is_not_a_timestamp_fails_its_month,
    zeros_after_the_microseconds_are_accepted,
    nanoseconds_that_a_timestamp_cannot_have_fail_their_month,
    nanoseconds_at_midnight_become_a_day,
    a_table_that_began_as_csv_takes_parquet,
    a_table_that_began_as_parquet_takes_csv,
    ids_are_text_whatever_the_files_have,
    a_text_that_a_column_of_numbers_would_change_is_refused_in_each_format,
    whole_numbers_widen_to_decimals_for_doubles,
    empty_text_is_null_unless_the_column_is_text,
    values_that_cannot_be_converted_fail_their_month_with_column_count_and_example,
    numbers_in_a_text_column_are_written_as_csv_files_have_them,
    maps_become_the_text_of_json_objects,
    a_row_of_another_month_fails_the_month,
    columns_that_some_files_lack_are_null_in_their_rows,
    exact_decimals_stay_exact,
    decimals_of_any_length_are_kept_to_the_last_digit,
    texts_that_mean_no_value_are_null_unless_the_column_is_text,
    a_text_in_place_of_an_amount_fails_its_month_and_the_hint_names_the_setting,
    booleans_are_the_text_that_csv_files_of_their_kind_have,
    empty_lines_are_not_rows,
    files_with_other_row_counts_than_their_footers_are_refused,
);

/// A query for rows of `month`, under the columns of [`HEADER`]: one for each cost, which is of type `cost_type`; and
/// more columns.
fn rows(month: &str, costs: &[&str], cost_type: &str, more: &[&str]) -> String {
    let values: Vec<String> = costs.iter().enumerate().map(|(at, cost)| format!("('li-{at}', {cost})")).collect();
    let columns = [&["CAST(cost AS {cost_type}) AS line_item_unblended_cost"], more].concat().join(", ");
    let columns = columns.replace("{cost_type}", cost_type);
    format!(
        "SELECT id AS identity_line_item_id, TIMESTAMP '{month}-01' AS bill_billing_period_start_date, \
         TIMESTAMP '{month}-02 16:00:00' AS line_item_usage_start_date, '000123456789' AS line_item_usage_account_id, \
         'Usage' AS line_item_line_item_description, 'USD' AS line_item_currency_code, \
         {columns} FROM (VALUES {}) AS t(id, cost)",
        values.join(", ")
    )
}

fn parquet(month: &str, execution_id: &str, costs: &[&str], more: &[&str]) -> Delivery {
    Delivery::new(month, execution_id).parquet(&rows(month, costs, "DOUBLE", more))
}

fn some(rows: &[&[&str]]) -> Rows {
    rows.iter().map(|row| row.iter().map(|text| Some((*text).to_owned())).collect()).collect()
}

fn type_of(columns: &[Column], name: &str) -> ColumnType {
    columns.iter().find(|column| column.name == name).unwrap().column_type
}

async fn doubles_become_their_shortest_decimals<H: Harness>() {
    let table = Table::<H>::new().await;
    // Each is the shortest decimal of its double; the second needs 16 digits, the third 17.
    let costs =
        ["'0.1'", "'0.6666666666666666'", "'0.30000000000000004'", "'1e-7'", "'1234567.89'", "'-2.5'", "'1e15'"];
    let load = table.load(&parquet("2025-08", "a", &costs, &[])).await.unwrap();
    assert_eq!(
        amounts(&table),
        ["-2.5", "0.0000001", "0.1", "0.30000000000000004", "0.6666666666666666", "1000000000000000", "1234567.89"]
    );
    // Summed by hand, to the last digit.
    assert_eq!(load.record.cost["USD"].to_string(), "1000000001234566.45666676666666664");
}

async fn timestamps_of_any_unit_are_the_same_in_utc<H: Harness>() {
    let table = Table::<H>::new().await;
    for (month, sql_type) in [
        ("2025-05", "TIMESTAMP_MS"),
        ("2025-06", "TIMESTAMP"),
        ("2025-07", "TIMESTAMP_NS"),
        // Marked as UTC; the machine that writes the rows may have any time zone.
        ("2025-08", "TIMESTAMPTZ"),
    ] {
        let timestamp = |day: &str| match sql_type {
            "TIMESTAMPTZ" => format!("TIMESTAMPTZ '{month}-{day}+00'"),
            _ => format!("CAST(TIMESTAMP '{month}-{day}' AS {sql_type})"),
        };
        let query = rows(month, &["'1'"], "DOUBLE", &[]);
        let query = query.replace(&format!("TIMESTAMP '{month}-01'"), &timestamp("01 00:00:00"));
        let query = query.replace(&format!("TIMESTAMP '{month}-02 16:00:00'"), &timestamp("02 16:00:00.250"));
        table.load(&Delivery::new(month, "a").parquet(&query)).await.unwrap();
    }
    let text = "CAST(bill_billing_period_start_date AS VARCHAR), CAST(line_item_usage_start_date AS VARCHAR)";
    let expected = ["05", "06", "07", "08"]
        .map(|month| [format!("2025-{month}-01 00:00:00"), format!("2025-{month}-02 16:00:00.25")].map(Some).to_vec());
    assert_eq!(table.select(text), expected);
}

/// A month whose first row has that timestamp, read as a run reads it.
fn with_timestamp(execution_id: &str, timestamp: &str) -> Delivery {
    let row = line("2025-08", "x", "USD", "1").replace("2025-08-02T16:00:00Z", timestamp);
    let delivery = Delivery::new("2025-08", execution_id).csv(&format!("{HEADER}\n{row}"));
    delivery.formed("line_item_usage_start_date", timestamp)
}

async fn a_text_that_is_not_a_timestamp_fails_its_month<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&with_timestamp("good", "2025-08-02T16:00:00Z")).await.unwrap();
    let before = table.snapshot().await;
    for timestamp in [
        "2025-08-02T16:00:00.1234567Z",
        "2025-08-31 23:59:59.9999999Z",
        "25-08-02 10:00:00",
        "2025-08-31 24:00:00",
        "2025-08-31T24:00:00.0000000Z",
        "2025-08-31T24:00Z",
    ] {
        let error = table.load(&with_timestamp("bad", timestamp)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{timestamp}: {}", error.full_message());
        assert!(error.full_message().contains(timestamp), "{timestamp}: {}", error.full_message());
        assert_eq!(table.snapshot().await, before, "{timestamp}");
    }
}

async fn zeros_after_the_microseconds_are_accepted<H: Harness>() {
    for (timestamp, seconds) in [
        ("2025-08-02T16:00:00.0000000Z", "16:00:00"),
        ("2025-08-02 16:00:00.1234560", "16:00:00.123456"),
        ("2025-08-02T16:00:00.250000000+00:00", "16:00:00.25"),
        ("2025-08-02T16:00Z", "16:00:00"),
    ] {
        let table = Table::<H>::new().await;
        table.load(&with_timestamp("a", timestamp)).await.unwrap();
        let stored = table.select("CAST(line_item_usage_start_date AS VARCHAR)");
        assert_eq!(stored, some(&[&[&format!("2025-08-02 {seconds}")]]), "{timestamp}");
    }
}

async fn nanoseconds_at_midnight_become_a_day<H: Harness>() {
    let table = Table::<H>::new().await;
    let day = |id: &str, value: &str| parquet("2025-08", id, &["1"], &[&format!("{value} AS day")]);
    table.load(&day("days", "DATE '2025-08-02'")).await.unwrap();
    table.load(&day("midnight", "TIMESTAMP_NS '2025-08-03 00:00:00'")).await.unwrap();
    assert_eq!(table.select("CAST(day AS VARCHAR)"), some(&[&["2025-08-03"]]));
    let error = table.load(&day("noon", "TIMESTAMP_NS '2025-08-04 12:00:00'")).await.unwrap_err();
    assert!(error.full_message().contains("column day: 1 value is not a date"), "{}", error.full_message());
    assert_eq!(table.select("CAST(day AS VARCHAR)"), some(&[&["2025-08-03"]]));
}

async fn nanoseconds_that_a_timestamp_cannot_have_fail_their_month<H: Harness>() {
    let table = Table::<H>::new().await;
    let with = |fraction: &str| {
        let query = rows("2025-08", &["'1'", "'2'"], "DOUBLE", &[]);
        let timestamp = format!("TIMESTAMP_NS '2025-08-02 16:00:00.{fraction}'");
        Delivery::new("2025-08", fraction).parquet(&query.replace("TIMESTAMP '2025-08-02 16:00:00'", &timestamp))
    };
    table.load(&with("123456000")).await.unwrap();
    let timestamps = "CAST(line_item_usage_start_date AS VARCHAR)";
    assert_eq!(table.select(timestamps), some(&[&["2025-08-02 16:00:00.123456"][..]; 2]));
    let before = table.snapshot().await;
    let error = table.load(&with("123456789")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{}", error.full_message());
    let expected = "column line_item_usage_start_date: 2 values are not a timestamp of at most six decimals, such as `";
    assert!(error.full_message().contains(expected), "{}", error.full_message());
    assert_eq!(table.snapshot().await, before);
}

async fn a_table_that_began_as_csv_takes_parquet<H: Harness>() {
    let table = Table::<H>::new().await;
    let row = line("2025-08", "csv", "USD", "0.1234567891");
    let more = "product_rate,product_since,product_seats,product_free,product_day,product_size";
    let csv =
        format!("{HEADER},{more}\n{},0.0500000000,2025-08-01T00:00:00Z,7,true,2025-08-01,small\n", row.trim_end());
    let csv = Delivery::new("2025-08", "a").csv(&csv);
    table.load(&csv.typed("product_seats", ColumnType::Decimal).typed("product_day", ColumnType::Date)).await.unwrap();
    let before = table.inspect().await.columns.unwrap();

    let more = [
        "0.05::DOUBLE AS product_rate",
        "TIMESTAMP '2025-09-01 10:00:00.5' AS product_since",
        "7::BIGINT AS product_seats",
        "false AS product_free",
        "DATE '2025-09-01' AS product_day",
        "5::DOUBLE AS product_size",
    ];
    table.load(&parquet("2025-09", "b", &["'0.25'"], &more)).await.unwrap();

    assert_eq!(table.inspect().await.columns.unwrap(), before, "every column keeps its name and type");
    assert_eq!(amounts(&table), ["0.1234567891", "0.25"]);
    assert_eq!(
        table.select("product_rate, product_since, product_free, CAST(product_day AS VARCHAR), product_size"),
        some(&[
            &["0.05", "2025-09-01T10:00:00.5Z", "false", "2025-09-01", "5"],
            &["0.0500000000", "2025-08-01T00:00:00Z", "true", "2025-08-01", "small"],
        ])
    );
    let seats = table.select(&format!("CAST({} AS DOUBLE)", table.harness.amount("product_seats")));
    assert_eq!(seats, some(&[&["7.0"], &["7.0"]]));
}

async fn a_table_that_began_as_parquet_takes_csv<H: Harness>() {
    let table = Table::<H>::new().await;
    let more = ["0.05::DOUBLE AS product_rate", "7::BIGINT AS product_seats", "true AS product_free"];
    table.load(&parquet("2025-08", "a", &["'0.25'"], &more)).await.unwrap();
    let before = table.inspect().await.columns.unwrap();
    assert_eq!(type_of(&before, "product_rate"), ColumnType::Decimal);
    assert_eq!(type_of(&before, "product_seats"), ColumnType::Int64);

    let row = line("2025-09", "csv", "USD", "0.123456789012345678");
    let csv = format!("{HEADER},product_rate,product_seats,product_free\n{},0.0612345678,8,false\n", row.trim_end());
    table.load(&Delivery::new("2025-09", "b").csv(&csv)).await.unwrap();

    assert_eq!(table.inspect().await.columns.unwrap(), before, "every column keeps its name and type");
    assert_eq!(amounts(&table), ["0.123456789012345678", "0.25"], "no digit is lost");
    assert_eq!(table.select("product_seats, product_free"), some(&[&["7", "true"], &["8", "false"]]));
}

async fn ids_are_text_whatever_the_files_have<H: Harness>() {
    let table = Table::<H>::new().await;
    let numbers = ["12345678901::BIGINT AS bill_payer_account_id", "1000000001::DOUBLE AS bill_invoice_id"];
    table.load(&parquet("2025-08", "a", &["'1'"], &numbers)).await.unwrap();
    let texts = ["'012345678901' AS bill_payer_account_id", "'0000000042' AS bill_invoice_id"];
    table.load(&parquet("2025-09", "b", &["'2'"], &texts)).await.unwrap();
    assert_eq!(
        table.select("bill_payer_account_id, bill_invoice_id"),
        some(&[&["012345678901", "0000000042"], &["12345678901", "1000000001"]])
    );
}

async fn a_text_that_a_column_of_numbers_would_change_is_refused_in_each_format<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&parquet("2025-08", "a", &["'1'"], &["7::BIGINT AS product_seats"])).await.unwrap();
    let row = line("2025-09", "csv", "USD", "2");
    let csv =
        |text: &str| Delivery::new("2025-09", "b").csv(&format!("{HEADER},product_seats\n{},{text}\n", row.trim_end()));
    for text in ["007", "+7"] {
        for month in [csv(text), parquet("2025-09", "b", &["'2'"], &[&format!("'{text}' AS product_seats")])] {
            let message = table.load(&month).await.unwrap_err().full_message();
            let said = "column product_seats: 1 value is not a whole number of 64 bits without zeros";
            assert!(message.contains(said) && message.contains(text), "{message}");
        }
    }
    table.load(&csv("-8")).await.unwrap();
    assert_eq!(table.select("product_seats"), some(&[&["-8"], &["7"]]));
}

async fn whole_numbers_widen_to_decimals_for_doubles<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&parquet("2025-08", "a", &["'1'"], &["9007199254740993::BIGINT AS product_seats"])).await.unwrap();
    table.load(&parquet("2025-09", "b", &["'1'"], &["0.5::DOUBLE AS product_seats"])).await.unwrap();
    assert_eq!(type_of(&table.inspect().await.columns.unwrap(), "product_seats"), ColumnType::Decimal);
    let seats = table.select(&table.harness.amount("product_seats")).concat();
    let mut seats: Vec<String> =
        seats.into_iter().map(|text| text.unwrap().parse::<finops_core::Amount>().unwrap().to_string()).collect();
    seats.sort();
    assert_eq!(seats, ["0.5", "9007199254740993"]);
}

async fn empty_text_is_null_unless_the_column_is_text<H: Harness>() {
    let table = Table::<H>::new().await;
    let row = line("2025-08", "csv", "USD", "1");
    let csv = format!("{HEADER},product_rate\n{},0.5\n", row.trim_end());
    table.load(&Delivery::new("2025-08", "a").csv(&csv).typed("product_rate", ColumnType::Decimal)).await.unwrap();
    table.load(&parquet("2025-09", "b", &["'2'"], &["'' AS product_rate"])).await.unwrap();
    assert_eq!(
        table.select("identity_line_item_id, product_rate IS NULL"),
        some(&[&["csv", "false"], &["li-0", "true"]])
    );
}

async fn values_that_cannot_be_converted_fail_their_month_with_column_count_and_example<H: Harness>() {
    let table = Table::<H>::new().await;
    let row = line("2025-08", "csv", "USD", "1");
    let csv = format!("{HEADER},product_rate,product_since,product_seats,product_day\n{},0.5,,1,\n", row.trim_end());
    let csv = Delivery::new("2025-08", "a").csv(&csv).typed("product_rate", ColumnType::Decimal);
    let csv = csv.typed("product_since", ColumnType::Timestamp).typed("product_seats", ColumnType::Int64);
    table.load(&csv.typed("product_day", ColumnType::Date)).await.unwrap();
    table.load(&parquet("2025-09", "b", &["'3'"], &[])).await.unwrap();
    let before = table.snapshot().await;
    for (costs, more, parts) in [
        (vec!["'1'", "'nan'", "'nan'"], None, ["line_item_unblended_cost: 2 values are not a decimal", "`nan`"]),
        (vec!["'1'", "'inf'", "'2'"], None, ["line_item_unblended_cost: 1 value is not a decimal", "inf"]),
        (vec!["'1'", "'1.5e-60'"], None, ["line_item_unblended_cost: 1 value is not a decimal", "`1.5e-60`"]),
        (vec!["'1'", "'2'"], Some("'free' AS product_rate"), ["product_rate: 2 values are not a decimal", "`free`"]),
        (vec!["'1'"], Some("'soon' AS product_since"), ["product_since: 1 value is not a timestamp", "`soon`"]),
        (vec!["'1'"], Some("'2025-09-01T10:00:00Z' AS product_day"), ["product_day: 1 value is not a date", "T10"]),
        (vec!["'1'"], Some("'1.5' AS product_seats"), ["product_seats: 1 value is not a whole number", "`1.5`"]),
    ] {
        let more: Vec<&str> = more.into_iter().collect();
        let error = table.load(&parquet("2025-09", "c", &costs, &more)).await.unwrap_err();
        let message = error.full_message();
        assert_eq!(error.kind(), ErrorKind::Data, "{message}");
        for part in ["2025-09", parts[0], parts[1]] {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        // In a new table, the cost would be a decimal as well.
        let is_cost = message.contains("column line_item_unblended_cost");
        // A text without a digit may mean "no value".
        let hint = match parts[1] {
            "`free`" | "`soon`" => hint::name_no_value("AWS_NULL_VALUES"),
            _ if is_cost => hint::COMPARE_VALUES.to_owned(),
            _ => hint::COMPARE_OR_ANOTHER_TABLE.to_owned(),
        };
        assert_eq!(error.next_step(), Some(hint.as_str()), "{message}");
        assert_eq!(table.snapshot().await, before);
    }
}

async fn numbers_in_a_text_column_are_written_as_csv_files_have_them<H: Harness>() {
    let table = Table::<H>::new().await;
    let row = line("2025-08", "csv", "USD", "1");
    let csv = format!("{HEADER},product_rate,product_size\n{},0.0000166667,\n", row.trim_end());
    table.load(&Delivery::new("2025-08", "a").csv(&csv)).await.unwrap();
    // Each with its text: plain if it has at most 20 digits before and 18 after the point.
    let numbers = [
        ("0.05", "0.05"),
        ("1.66667e-05", "0.0000166667"),
        ("1e-7", "0.0000001"),
        ("1e-18", "0.000000000000000001"),
        ("1e-19", "1e-19"),
        ("1.5e-18", "1.5e-18"),
        ("5e-324", "4.94065645841247e-324"),
        ("-2.5", "-2.5"),
        ("100", "100"),
        ("0", "0"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1e15", "1000000000000000"),
        ("1234567890123456", "1234567890123456"),
        ("-12345678901234568", "-12345678901234568"),
        ("1e19", "10000000000000000000"),
        ("1e20", "1e+20"),
        ("1.25e38", "1.25e+38"),
        ("1e100", "1e+100"),
        ("nan", "nan"),
        ("-inf", "-inf"),
    ];
    let texts: Vec<String> = numbers.iter().map(|(number, _)| format!("'{number}'")).collect();
    let rate = format!("CAST([{}] AS DOUBLE[])[CAST(id[4:] AS INTEGER) + 1] AS product_rate", texts.join(", "));
    let size =
        "CAST(CASE id WHEN 'li-0' THEN 0.15 WHEN 'li-1' THEN 100 ELSE 20.5 END AS DECIMAL(38,18)) AS product_size";
    let costs = vec!["'1'"; numbers.len()];
    table.load(&parquet("2025-09", "b", &costs, &[&rate, size])).await.unwrap();

    let found = table.select("identity_line_item_id, product_rate, product_size");
    let size = |at: usize| ["0.15", "100"].get(at).copied().unwrap_or("20.5");
    let mut expected: Rows = (numbers.iter().enumerate())
        .map(|(at, (_, text))| [format!("li-{at}"), (*text).to_owned(), size(at).to_owned()].map(Some).to_vec())
        .collect();
    expected.sort();
    assert_eq!(found[0][1].as_deref(), Some("0.0000166667"), "as the CSV file has it");
    assert_eq!(found[1..], expected);
}

async fn maps_become_the_text_of_json_objects<H: Harness>() {
    let table = Table::<H>::new().await;
    // In the order of rows: each kind of awkward text, no entry, no map.
    let product = r#"CASE id
        WHEN 'li-0' THEN MAP {'': '', 'a"b\c/d': 'e"f\\g/h', '\u000B': '{"x": [1]}', 'größe': '日本 😀 ''<>&''', 'b': NULL}
        WHEN 'li-1' THEN MAP {chr(9) || chr(10) || chr(13): chr(8) || chr(12) || chr(0) || chr(1), chr(11): chr(31),
            chr(127): chr(8232) || chr(8233)}
        WHEN 'li-2' THEN CAST(MAP {} AS MAP(VARCHAR, VARCHAR)) END AS product"#;
    let numbers = "0.1, 1e-7, 1e21, 5.0, 1e15, 123456789012345680.0, -2.5, 0.0, 2/3, 0.30000000000000004, 5e-324, 1e-5, \
                   'nan', 'inf', '-inf', NULL";
    let discount = format!(
        "CASE id WHEN 'li-0' THEN MAP_FROM_ENTRIES([(CAST(i AS VARCHAR), n) FOR n, i IN CAST([{numbers}] AS DOUBLE[])]) \
         WHEN 'li-2' THEN CAST(MAP {{}} AS MAP(VARCHAR, DOUBLE)) END AS discount"
    );
    let costs = ["'0'", "'1'", "'2'", "'3'"];
    table.load(&parquet("2025-08", "a", &costs, &[product, &discount])).await.unwrap();
    let found = table.select("identity_line_item_id, product, discount");
    let found: Vec<Vec<_>> =
        found.iter().map(|row| row.iter().map(|text| text.as_deref().unwrap_or("-")).collect()).collect();
    assert_eq!(
        found,
        [
            [
                "li-0",
                r#"{"":"","a\"b\\c/d":"e\"f\\\\g/h","\\u000B":"{\"x\": [1]}","größe":"日本 😀 '<>&'","b":null}"#,
                r#"{"1":0.1,"2":0.0000001,"3":1e+21,"4":5,"5":1000000000000000,"6":123456789012345680,"7":-2.5,"8":0,"9":0.6666666666666666,"10":0.30000000000000004,"11":4.94065645841247e-324,"12":0.00001,"13":"nan","14":"inf","15":"-inf","16":null}"#,
            ],
            [
                "li-1",
                "{\"\\t\\n\\r\":\"\\b\\f\\u0000\\u0001\",\"\\u000b\":\"\\u001f\",\"\u{7f}\":\"\\u2028\\u2029\"}",
                "-"
            ],
            ["li-2", "{}", "{}"],
            ["li-3", "-", "-"],
        ]
    );
}

async fn a_row_of_another_month_fails_the_month<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&parquet("2025-09", "a", &["'1'"], &[])).await.unwrap();
    let before = table.snapshot().await;
    let strangers =
        rows("2025-09", &["'1'"], "DOUBLE", &[]) + " UNION ALL " + &rows("2025-08", &["'2'"], "DOUBLE", &[]);
    let error = table.load(&Delivery::new("2025-09", "b").parquet(&strangers)).await.unwrap_err();
    assert!(error.full_message().contains("1 row belongs to 2025-08, by bill_billing_period_start_date"), "{error:?}");
    assert_eq!(table.snapshot().await, before);
}

async fn columns_that_some_files_lack_are_null_in_their_rows<H: Harness>() {
    let table = Table::<H>::new().await;
    let wide = Delivery::new("2025-08", "a").parquet(&rows("2025-08", &["'1'"], "DOUBLE", &[]));
    let delivery = wide.parquet(&rows("2025-08", &["'2'"], "DOUBLE", &["'core' AS resource_tags_user_team"]));
    let load = table.load(&delivery).await.unwrap();
    assert_eq!((load.record.rows, load.record.files), (2, 2));
    let teams = table.select("resource_tags_user_team");
    assert_eq!(teams, [[Some("core".to_owned())], [None]]);
}

async fn exact_decimals_stay_exact<H: Harness>() {
    let table = Table::<H>::new().await;
    let costs = ["'0.123456789012345678'", "'12345678901234567890.000000000000000001'"];
    let query = rows("2025-08", &costs, "DECIMAL(38,18)", &[]);
    let load = table.load(&Delivery::new("2025-08", "a").parquet(&query)).await.unwrap();
    assert_eq!(amounts(&table), ["0.123456789012345678", "12345678901234567890.000000000000000001"]);
    assert_eq!(load.record.cost["USD"].to_string(), "12345678901234567890.123456789012345679");
}

async fn decimals_of_any_length_are_kept_to_the_last_digit<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["1.000000000000000001"])).await.unwrap();
    // Shares of a reservation, as Azure writes them; a ratio, as Java writes a double.
    let amounts_of_csv =
        ["0.0000000064381927710542360001", "0.0003371148205916627419", "1.388888888888889E-5", "-3.25"];
    let load = table.load(&Delivery::of_costs("2025-08", "b", &amounts_of_csv)).await.unwrap();
    assert_eq!(load.record.cost["USD"].to_string(), "-3.2496489898523266773138639999");
    let load = table.load(&parquet("2025-09", "c", &["'1.736111111111111e-4'", "'1.6666666666666667e-5'"], &[])).await;
    assert_eq!(load.unwrap().record.cost["USD"].to_string(), "0.000190277777777777767");
    let text = rows("2025-10", &["'0.00069444444444444451'"], "VARCHAR", &[]);
    table.load(&Delivery::new("2025-10", "d").parquet(&text)).await.unwrap();
    let exact = rows("2025-11", &["'0.1234567890123456789012345678'", "'2'"], "DECIMAL(38,28)", &[]);
    table.load(&Delivery::new("2025-11", "e").parquet(&exact)).await.unwrap();
    assert_eq!(
        amounts(&table),
        [
            "-3.25",
            "0.0000000064381927710542360001",
            "0.00001388888888888889",
            "0.000016666666666666667",
            "0.0001736111111111111",
            "0.0003371148205916627419",
            "0.00069444444444444451",
            "0.1234567890123456789012345678",
            "1.000000000000000001",
            "2",
        ]
    );
}

/// Rows of August whose rate, timestamp, day, seats and note are these.
fn noted(notes: &[&str]) -> Delivery {
    let row = |text: &&str| format!("{},{text}\n", line("2025-08", "x", "USD", "1").trim_end());
    let rows: String = notes.iter().map(row).collect();
    let csv = format!("{HEADER},product_rate,product_since,product_day,product_seats,product_note\n{rows}");
    let csv = Delivery::new("2025-08", "a").csv(&csv).typed("product_rate", ColumnType::Decimal);
    let csv = csv.typed("product_since", ColumnType::Timestamp).typed("product_day", ColumnType::Date);
    csv.typed("product_seats", ColumnType::Int64)
}

async fn texts_that_mean_no_value_are_null_unless_the_column_is_text<H: Harness>() {
    let table = Table::<H>::new().await;
    let delivery = noted(&["0.5,2025-08-02T10:00:00Z,2025-08-02,7,None", "None,NULL,None, NULL ,NULL", ",,,,it's"]);
    table.load(&delivery.no_value(&["None", "NULL", "it's"])).await.unwrap();
    let query = rows("2025-09", &["'1'"], "DOUBLE", &["'None' AS product_rate", "'None' AS product_note"]);
    table.load(&Delivery::new("2025-09", "b").parquet(&query).no_value(&["None"])).await.unwrap();
    let found = table.select(
        "product_note, product_rate IS NULL, product_since IS NULL, product_day IS NULL, product_seats IS NULL",
    );
    let (all, none) = (["true"; 4], ["false"; 4]);
    let row = |note: &str, are_null: [&str; 4]| {
        [&[note], &are_null[..]].concat().into_iter().map(|text| Some(text.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(found, [row("NULL", all), row("None", none), row("None", all), row("it's", all)]);
}

async fn a_text_in_place_of_an_amount_fails_its_month_and_the_hint_names_the_setting<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&noted(&["0.5,,,,"])).await.unwrap();
    let before = table.snapshot().await;
    let failed = async |delivery: &Delivery| {
        let error = table.load(delivery).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
        assert_eq!(table.snapshot().await, before);
        let names_setting = error.next_step().unwrap() == hint::name_no_value("AWS_NULL_VALUES");
        (error.full_message(), names_setting)
    };
    let (message, names_setting) = failed(&noted(&["NULL,,,,"])).await;
    assert!(message.contains("product_rate") && message.contains("NULL") && names_setting, "{message}");
    // Another text, and a number that does not fit, need another hint.
    let (message, names_setting) = failed(&noted(&["free,,,,"]).no_value(&["NULL"])).await;
    assert!(message.contains("product_rate: 1 value is not a decimal") && !names_setting, "{message}");
    let (message, names_setting) = failed(&noted(&[",,,1.5,"])).await;
    assert!(message.contains("product_seats") && message.contains("1.5") && !names_setting, "{message}");
}

async fn booleans_are_the_text_that_csv_files_of_their_kind_have<H: Harness>() {
    for (kind, expected) in [(ExportKind::AzureActual, ["False", "True"]), (ExportKind::Focus, ["false", "true"])] {
        let table = Table::<H>::new().await;
        let flag = "CASE id WHEN 'li-0' THEN true WHEN 'li-1' THEN false END AS product_free";
        let mut load = table.prepare(&parquet("2025-08", "a", &["'1'", "'2'", "'3'"], &[flag])).await;
        load.kind = kind;
        table.replace(&load).await.unwrap();
        let expected = expected.map(|text| Some(text.to_owned()));
        assert_eq!(table.select("product_free").concat(), [&expected[..], &[None]].concat());
    }
}

async fn empty_lines_are_not_rows<H: Harness>() {
    for end in ["\n", "\r\n"] {
        let table = Table::<H>::new().await;
        let [one, two] = ["1", "2"].map(|cost| line("2025-08", cost, "USD", cost));
        let text = format!("{HEADER}\n{one}\n{two}\n\n\n").replace('\n', end);
        assert_eq!(table.load(&Delivery::new("2025-08", "a").csv(&text)).await.unwrap().record.rows, 2);
        assert_eq!(amounts(&table), ["1", "2"]);
    }
}

async fn files_with_other_row_counts_than_their_footers_are_refused<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&parquet("2025-08", "a", &["'1'"], &[])).await.unwrap();
    let before = table.snapshot().await;
    let mut load = table.prepare(&parquet("2025-08", "b", &["'2'", "'3'"], &[])).await;
    load.rows = Some(3);
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Verification, "{error:?}");
    assert!(error.full_message().contains("3 rows were expected"), "{error:?}");
    assert_eq!(table.snapshot().await, before);
}
