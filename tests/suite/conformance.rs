//! What every warehouse does. Each rule runs against DuckDB and against BigQuery at the emulator.

use finops::{error::Kind, warehouse::Warehouse};
use finops_core::{
    amount::Costs,
    schema::{Column, ColumnType},
    state::{LoadStatus, STATE_TABLE},
};
use jiff::Timestamp;

use crate::{
    delivery::{Delivery, HEADER, line},
    harness::{Harness, ReplaceMonth, Rows, TABLE, Table},
};

/// Makes a test of each rule for each warehouse.
macro_rules! for_each_warehouse {
    ($($rule:ident),+ $(,)?) => {
        mod duckdb {
            use crate::duckdb::DuckDbHarness;
            $(#[tokio::test]
            async fn $rule() {
                super::$rule::<DuckDbHarness>().await;
            })+
        }
        mod bigquery {
            use crate::bigquery::BigQueryHarness;
            $(#[tokio::test]
            async fn $rule() {
                super::$rule::<BigQueryHarness>().await;
            })+
        }
    };
}

pub(crate) use for_each_warehouse;

for_each_warehouse!(
    a_warehouse_without_the_table_has_nothing_standing_and_is_left_so,
    preparing_twice_changes_nothing,
    a_load_is_recorded_with_what_it_holds,
    a_new_delivery_replaces_its_month_and_no_other,
    amounts_and_their_sum_are_exact,
    a_row_without_a_currency_counts_as_unknown,
    older_rows_lack_a_column_added_later,
    a_file_may_lack_columns_of_the_table_and_have_them_in_another_order,
    text_is_kept_as_delivered,
    moments_are_the_same_in_either_form,
    a_whole_number_column_widened_to_decimals_keeps_its_values,
    a_month_deleted_by_hand_is_seen_and_loads_again,
    a_table_dropped_by_hand_is_seen_and_loads_again,
    a_table_of_somebody_else_is_refused_and_left_alone,
);

fn costs(pairs: &[(&str, &str)]) -> Costs {
    pairs.iter().map(|(currency, amount)| ((*currency).to_owned(), amount.parse().unwrap())).collect()
}

fn texts<const N: usize>(rows: &[[&str; N]]) -> Rows {
    rows.iter().map(|row| row.iter().map(|text| Some((*text).to_owned())).collect()).collect()
}

/// The amounts as decimal text without trailing zeros, which warehouses write or not.
pub fn amounts<H: Harness>(table: &Table<H>) -> Vec<String> {
    let rows = table.select(&table.harness.amount("line_item_unblended_cost"));
    let mut amounts: Vec<String> = rows
        .into_iter()
        .map(|row| row[0].as_ref().unwrap().parse::<finops_core::amount::Amount>().unwrap().to_string())
        .collect();
    amounts.sort();
    amounts
}

async fn a_warehouse_without_the_table_has_nothing_standing_and_is_left_so<H: Harness>() {
    let table = Table::<H>::new().await;
    let inventory = table.inspect().await;
    assert_eq!((inventory.columns, inventory.standing.len()), (None, 0));
    for name in [TABLE, STATE_TABLE] {
        let name = table.harness.table(name);
        assert!(table.harness.rows(&format!("SELECT * FROM {name}")).is_err(), "{name} exists");
    }
}

async fn preparing_twice_changes_nothing<H: Harness>() {
    let table = Table::<H>::new().await;
    let delivery = Delivery::of_costs("2025-08", "a", &["1"]);
    table.load(&delivery).await.unwrap();
    let before = table.snapshot().await;
    table.harness.warehouse().prepare(&table.target, &delivery.table_columns(), &[]).await.unwrap();
    assert_eq!(table.snapshot().await, before);
    assert_eq!(table.inspect().await.columns, Some(delivery.table_columns()));
}

async fn a_load_is_recorded_with_what_it_holds<H: Harness>() {
    let table = Table::<H>::new().await;
    let first = format!("{HEADER}\n{}{}", line("2025-08", "1", "USD", "0.10"), line("2025-08", "2", "USD", "0.20"));
    let second = format!("{HEADER}\n{}", line("2025-08", "3", "EUR", "7"));
    let delivery = Delivery::new("2025-08", "execution-a").csv(&first).csv(&second);
    let started = Timestamp::now();
    let request = table.prepare(&delivery).await;

    let load = table.replace(&request).await.unwrap();

    let record = table.standing("2025-08").await.unwrap().record;
    assert_eq!(load.record, record);
    assert_eq!((record.rows, record.files, record.bytes), (3, 2, request.bytes));
    assert_eq!(record.cost, costs(&[("USD", "0.3"), ("EUR", "7")]));
    assert_eq!(
        (record.pipeline.as_str(), record.export_name.as_str(), record.table_name.as_str()),
        ("aws", "cur", TABLE)
    );
    assert_eq!((record.execution_id.as_str(), record.previous_execution_id), ("execution-a", None));
    assert_eq!((record.fingerprint, record.manifest_uri), (request.fingerprint, request.manifest_uri));
    assert_eq!((record.sequence, record.status, record.run_id), (1, LoadStatus::Loaded, request.run_id));
    assert!(started.as_millisecond() <= record.loaded_at.as_millisecond() && record.loaded_at <= Timestamp::now());
    assert_eq!(table.standing("2025-08").await.unwrap().rows_in_table, 3);
}

async fn a_new_delivery_replaces_its_month_and_no_other<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["7.1", "7.2"])).await.unwrap();
    table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2", "8.3"])).await.unwrap();
    table.load(&Delivery::of_costs("2025-09", "c", &["9.1"])).await.unwrap();
    let others = || (table.month("2025-07"), table.month("2025-09"));
    let (before, july) = (others(), table.standing("2025-07").await);

    let load = table.load(&Delivery::of_costs("2025-08", "d", &["80.5"])).await.unwrap();

    assert_eq!(others(), before);
    assert_eq!(table.standing("2025-07").await, july);
    assert_eq!(table.month("2025-08").len(), 1);
    assert_eq!(amounts(&table), ["7.1", "7.2", "80.5", "9.1"]);
    assert_eq!((load.record.sequence, load.record.previous_execution_id.as_deref()), (2, Some("b")));
    assert_eq!(load.record.cost, costs(&[("USD", "80.5")]));
    assert_eq!(table.standing("2025-08").await.unwrap().record, load.record);
}

async fn amounts_and_their_sum_are_exact<H: Harness>() {
    let table = Table::<H>::new().await;
    let delivered = ["0.0000000186", "1E-10", "12345678.123456789012", "-3.5", "-0.000000000000000001", "0"];
    let load = table.load(&Delivery::of_costs("2025-08", "a", &delivered)).await.unwrap();
    assert_eq!(
        amounts(&table),
        ["-0.000000000000000001", "-3.5", "0", "0.0000000001", "0.0000000186", "12345678.123456789012"]
    );
    assert_eq!(load.record.cost, costs(&[("USD", "12345674.623456807711999999")]));
    assert_eq!(table.standing("2025-08").await.unwrap().record.cost, load.record.cost);
}

async fn a_row_without_a_currency_counts_as_unknown<H: Harness>() {
    let table = Table::<H>::new().await;
    let rows = [("1", "USD", "1.5"), ("2", "", "2.25"), ("3", "\"\"", "0.75")];
    let rows: String = rows.iter().map(|(id, currency, cost)| line("2025-08", id, currency, cost)).collect();
    let load = table.load(&Delivery::new("2025-08", "a").csv(&format!("{HEADER}\n{rows}"))).await.unwrap();
    assert_eq!(load.record.cost, costs(&[("USD", "1.5"), ("unknown", "3")]));
}

async fn older_rows_lack_a_column_added_later<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
    let row = line("2025-09", "new", "USD", "2");
    let wider = format!("{HEADER},resource_tags_user_team\n{},core\n", row.trim_end());
    table.load(&Delivery::new("2025-09", "b").csv(&wider)).await.unwrap();
    assert_eq!(
        table.select("identity_line_item_id, resource_tags_user_team"),
        [vec![Some("li-0".to_owned()), None], vec![Some("new".to_owned()), Some("core".to_owned())]]
    );
    assert_eq!(
        table.inspect().await.columns.unwrap().last(),
        Some(&Column { name: "resource_tags_user_team".to_owned(), column_type: ColumnType::String })
    );
}

async fn a_file_may_lack_columns_of_the_table_and_have_them_in_another_order<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&Delivery::of_costs("2025-09", "a", &["1"])).await.unwrap();
    let text = "line_item_unblended_cost,identity_line_item_id,line_item_currency_code,bill_billing_period_start_date\n\
                2.5,old,EUR,2025-08-01T00:00:00Z\n";
    let load = table.load(&Delivery::new("2025-08", "b").csv(text)).await.unwrap();
    assert_eq!(load.record.cost, costs(&[("EUR", "2.5")]));
    assert_eq!(
        table.select("identity_line_item_id, line_item_currency_code, line_item_usage_account_id"),
        [
            vec![Some("li-0".to_owned()), Some("USD".to_owned()), Some("000123456789".to_owned())],
            vec![Some("old".to_owned()), Some("EUR".to_owned()), None]
        ]
    );
}

async fn text_is_kept_as_delivered<H: Harness>() {
    let table = Table::<H>::new().await;
    let described = [
        ("1", "\"two\nlines, and \"\"quotes\"\"\""),
        ("2", "\"carriage\r\nreturn\""),
        ("3", "  spaces  "),
        ("4", "\"Größe, € 日本 \""),
        ("5", "NULL"),
        ("6", "1e5"),
        ("7", "back\\slash"),
    ];
    let rows: String = described
        .iter()
        .map(|(id, text)| line("2025-08", id, "USD", "1").replace(&format!("Usage of {id}"), text))
        .collect();
    let load = table.load(&Delivery::new("2025-08", "a").csv(&format!("{HEADER}\n{rows}"))).await.unwrap();
    assert_eq!(load.record.rows, 7);
    assert_eq!(
        table.select("identity_line_item_id, line_item_line_item_description, line_item_usage_account_id"),
        texts(&[
            ["1", "two\nlines, and \"quotes\"", "000123456789"],
            ["2", "carriage\r\nreturn", "000123456789"],
            ["3", "  spaces  ", "000123456789"],
            ["4", "Größe, € 日本 ", "000123456789"],
            ["5", "NULL", "000123456789"],
            ["6", "1e5", "000123456789"],
            ["7", "back\\slash", "000123456789"],
        ])
    );
}

async fn moments_are_the_same_in_either_form<H: Harness>() {
    let table = Table::<H>::new().await;
    let forms = ["2025-08-02T16:00:00Z", "2025-08-02 16:00:00+00:00", "2025-08-02T16:00:00.000Z"];
    let rows: String = forms
        .iter()
        .map(|form| line("2025-08", "x", "USD", "1").replace("2025-08-02T16:00:00Z", form))
        .map(|row| row.replace("2025-08-01T00:00:00Z", "2025-08-01 00:00:00+00:00"))
        .collect();
    table.load(&Delivery::new("2025-08", "a").csv(&format!("{HEADER}\n{rows}"))).await.unwrap();
    let moments = "epoch_us(line_item_usage_start_date), epoch_us(bill_billing_period_start_date)";
    assert_eq!(table.select(moments), texts(&[["1754150400000000", "1754006400000000"]; 3]));
}

async fn a_whole_number_column_widened_to_decimals_keeps_its_values<H: Harness>() {
    let table = Table::<H>::new().await;
    let with_seats = |month: &str, seats: &str| {
        format!("{HEADER},product_seats\n{},{seats}\n", line(month, "x", "USD", "1").trim_end())
    };
    let whole = Delivery::new("2025-08", "a").csv(&with_seats("2025-08", "9007199254740993"));
    table.load(&whole.typed("product_seats", ColumnType::Int64)).await.unwrap();
    let decimal = Delivery::new("2025-09", "b").csv(&with_seats("2025-09", "0.5"));
    table.load(&decimal.typed("product_seats", ColumnType::Decimal)).await.unwrap();
    let seats = table.select(&table.harness.amount("product_seats")).concat();
    let mut seats: Vec<String> = seats
        .into_iter()
        .map(|text| text.unwrap().parse::<finops_core::amount::Amount>().unwrap().to_string())
        .collect();
    seats.sort();
    assert_eq!(seats, ["0.5", "9007199254740993"]);
}

/// A table with two months, and everything that is to be seen of it.
pub async fn with_two_months<H: Harness>() -> (Table<H>, crate::harness::Snapshot) {
    let table = Table::<H>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["7.1", "7.2"])).await.unwrap();
    table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2"])).await.unwrap();
    let snapshot = table.snapshot().await;
    (table, snapshot)
}

async fn a_month_deleted_by_hand_is_seen_and_loads_again<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    table.harness.delete_month("2025-08".parse().unwrap()).await;
    assert_eq!(table.standing("2025-08").await.unwrap().rows_in_table, 0);
    assert_eq!(table.standing("2025-07").await.unwrap().rows_in_table, 2);

    let load = table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2"])).await.unwrap();

    assert_eq!(load.record.sequence, 2);
    assert_eq!(table.standing("2025-08").await.unwrap().rows_in_table, 2);
    assert_eq!(table.snapshot().await.rows(), before.rows());
}

async fn a_table_dropped_by_hand_is_seen_and_loads_again<H: Harness>() {
    let (table, _) = with_two_months::<H>().await;
    table.harness.drop_table().await;
    let inventory = table.inspect().await;
    assert_eq!(inventory.columns, None);
    let rows: Vec<u64> = inventory.standing.values().map(|standing| standing.rows_in_table).collect();
    assert_eq!(rows, [0, 0]);

    let load = table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2"])).await.unwrap();

    assert_eq!(load.record.sequence, 2);
    assert_eq!(amounts(&table), ["8.1", "8.2"]);
    assert_eq!(table.standing("2025-08").await.unwrap().rows_in_table, 2);
    assert_eq!(table.standing("2025-07").await.unwrap().rows_in_table, 0, "its rows went with the table");
}

async fn a_table_of_somebody_else_is_refused_and_left_alone<H: Harness>() {
    let table = Table::<H>::new().await;
    table.harness.create_foreign_table().await;
    let error = table.harness.warehouse().look_up(&table.target).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ForeignTable);
    assert!(error.full_message().contains(TABLE), "{}", error.full_message());
    assert!(error.next_step().unwrap().contains("another table name"));
    assert_eq!(table.select("*"), Rows::new());
}
