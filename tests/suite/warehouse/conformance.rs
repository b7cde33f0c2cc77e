//! What every warehouse does. Each rule runs against DuckDB and against BigQuery on the emulator, with all of its options at
//! their defaults and with all of them reversed.

use std::{collections::BTreeSet, pin::pin};

use finops::{
    error::ErrorKind,
    warehouse::{Committed, MonthLoad, Stage, Swap, Warehouse},
};
use finops_core::{
    hint,
    model::{
        amount::Costs,
        column_type::ColumnType,
        key_columns::NetCost,
        kind::ExportKind,
        load_record::{LoadRecord, LoadStatus, STATE_TABLE},
    },
    schema::Column,
};
use jiff::{Timestamp, civil::Date};

use crate::support::{
    bigquery::BigQueryHarness,
    delivery::{Delivery, HEADER, line},
    harness::{ByHand, Harness, ReplaceMonth, Rows, TABLE, Table},
};

/// Creates a test of each rule for each warehouse; for BigQuery with the emulator's options at their defaults and reversed.
macro_rules! for_each_warehouse {
    ($($rule:ident),+ $(,)?) => {
        mod duckdb {
            use crate::warehouse::duckdb::DuckDbHarness;
            $(#[tokio::test]
            async fn $rule() {
                super::$rule::<DuckDbHarness>().await;
            })+
        }
        mod bigquery {
            use crate::support::bigquery::BigQueryHarness;
            $(#[tokio::test]
            async fn $rule() {
                super::$rule::<BigQueryHarness>().await;
            })+
        }
        mod bigquery_turned {
            use crate::support::bigquery::BigQueryHarness;
            $(#[tokio::test]
            async fn $rule() {
                super::$rule::<BigQueryHarness<true>>().await;
            })+
        }
    };
}

pub(crate) use for_each_warehouse;

for_each_warehouse!(
    a_warehouse_without_the_table_has_no_records_and_stays_unchanged,
    preparing_twice_changes_nothing,
    a_load_is_recorded_with_its_figures,
    a_new_delivery_replaces_its_month_and_no_other,
    amounts_and_their_sum_are_exact,
    a_row_without_a_currency_counts_as_unknown,
    older_rows_lack_a_column_added_later,
    a_file_may_lack_columns_of_the_table_and_have_them_in_another_order,
    text_is_kept_as_delivered,
    timestamps_are_the_same_in_csv_and_parquet,
    a_whole_number_column_widened_to_decimals_keeps_its_values,
    a_month_deleted_by_hand_is_seen_and_loads_again,
    a_table_dropped_by_hand_is_seen_and_loads_again,
    a_table_that_finops_did_not_create_is_refused_and_stays_unchanged,
    a_staged_month_that_is_dropped_changes_nothing_and_hinders_no_load,
    one_of_two_staged_deliveries_becomes_the_month_and_readers_see_no_mixture,
    the_same_delivery_staged_twice_is_loaded_once_whichever_is_swapped_first,
    a_table_that_changed_since_a_month_was_staged_never_gets_wrong_rows,
    a_key_column_that_changed_since_a_month_was_staged_is_found_by_the_next_run,
    a_month_whose_record_is_lost_is_recorded_again_without_a_new_load,
    a_month_without_rows_is_never_swapped,
    a_key_column_that_is_gone_or_has_another_type_is_named,
    the_record_has_the_delivery_and_its_cost_after_discounts,
    a_state_table_of_an_earlier_version_is_read_and_gets_its_columns_once,
    a_state_table_without_a_column_that_every_version_wrote_is_named_with_the_column,
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
        .map(|row| row[0].as_ref().unwrap().parse::<finops_core::model::amount::Amount>().unwrap().to_string())
        .collect();
    amounts.sort();
    amounts
}

async fn a_warehouse_without_the_table_has_no_records_and_stays_unchanged<H: Harness>() {
    let table = Table::<H>::new().await;
    let inventory = table.inspect().await;
    assert_eq!((inventory.columns, inventory.months.len()), (None, 0));
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

async fn a_load_is_recorded_with_its_figures<H: Harness>() {
    let table = Table::<H>::new().await;
    let first = format!("{HEADER}\n{}{}", line("2025-08", "1", "USD", "0.10"), line("2025-08", "2", "USD", "0.20"));
    let second = format!("{HEADER}\n{}", line("2025-08", "3", "EUR", "7"));
    let delivery = Delivery::new("2025-08", "execution-a").csv(&first).csv(&second);
    let started = Timestamp::now();
    let request = table.prepare(&delivery).await;

    let load = table.replace(&request).await.unwrap();

    let record = table.loaded_month("2025-08").await.unwrap().record;
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
    assert_eq!(table.loaded_month("2025-08").await.unwrap().rows_in_table, 3);
}

async fn a_new_delivery_replaces_its_month_and_no_other<H: Harness>() {
    let table = Table::<H>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["7.1", "7.2"])).await.unwrap();
    table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2", "8.3"])).await.unwrap();
    table.load(&Delivery::of_costs("2025-09", "c", &["9.1"])).await.unwrap();
    let others = || (table.month("2025-07"), table.month("2025-09"));
    let (before, july) = (others(), table.loaded_month("2025-07").await);

    let load = table.load(&Delivery::of_costs("2025-08", "d", &["80.5"])).await.unwrap();

    assert_eq!(others(), before);
    assert_eq!(table.loaded_month("2025-07").await, july);
    assert_eq!(table.month("2025-08").len(), 1);
    assert_eq!(amounts(&table), ["7.1", "7.2", "80.5", "9.1"]);
    assert_eq!((load.record.sequence, load.record.previous_execution_id.as_deref()), (2, Some("b")));
    assert_eq!(load.record.cost, costs(&[("USD", "80.5")]));
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, load.record);
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
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record.cost, load.record.cost);
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

async fn timestamps_are_the_same_in_csv_and_parquet<H: Harness>() {
    let table = Table::<H>::new().await;
    let forms = ["2025-08-02T16:00:00Z", "2025-08-02 16:00:00+00:00", "2025-08-02T16:00:00.000Z"];
    let rows: String = forms
        .iter()
        .map(|form| line("2025-08", "x", "USD", "1").replace("2025-08-02T16:00:00Z", form))
        .map(|row| row.replace("2025-08-01T00:00:00Z", "2025-08-01 00:00:00+00:00"))
        .collect();
    table.load(&Delivery::new("2025-08", "a").csv(&format!("{HEADER}\n{rows}"))).await.unwrap();
    let timestamps = "epoch_us(line_item_usage_start_date), epoch_us(bill_billing_period_start_date)";
    assert_eq!(table.select(timestamps), texts(&[["1754150400000000", "1754006400000000"]; 3]));
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
        .map(|text| text.unwrap().parse::<finops_core::model::amount::Amount>().unwrap().to_string())
        .collect();
    seats.sort();
    assert_eq!(seats, ["0.5", "9007199254740993"]);
}

/// A table with two months, and everything that a reader sees of it.
pub async fn with_two_months<H: Harness>() -> (Table<H>, crate::support::harness::Snapshot) {
    let table = Table::<H>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["7.1", "7.2"])).await.unwrap();
    table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2"])).await.unwrap();
    let snapshot = table.snapshot().await;
    (table, snapshot)
}

async fn a_month_deleted_by_hand_is_seen_and_loads_again<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    table.harness.delete_month("2025-08".parse().unwrap()).await;
    assert_eq!(table.loaded_month("2025-08").await.unwrap().rows_in_table, 0);
    assert_eq!(table.loaded_month("2025-07").await.unwrap().rows_in_table, 2);

    let load = table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2"])).await.unwrap();

    assert_eq!(load.record.sequence, 2);
    assert_eq!(table.loaded_month("2025-08").await.unwrap().rows_in_table, 2);
    assert_eq!(table.snapshot().await.rows(), before.rows());
}

async fn a_table_dropped_by_hand_is_seen_and_loads_again<H: Harness>() {
    let (table, _) = with_two_months::<H>().await;
    table.harness.drop_table().await;
    let inventory = table.inspect().await;
    assert_eq!(inventory.columns, None);
    let rows: Vec<u64> = inventory.months.values().map(|month| month.rows_in_table).collect();
    assert_eq!(rows, [0, 0]);

    let load = table.load(&Delivery::of_costs("2025-08", "b", &["8.1", "8.2"])).await.unwrap();

    assert_eq!(load.record.sequence, 2);
    assert_eq!(amounts(&table), ["8.1", "8.2"]);
    assert_eq!(table.loaded_month("2025-08").await.unwrap().rows_in_table, 2);
    assert_eq!(table.loaded_month("2025-07").await.unwrap().rows_in_table, 0, "its rows went with the table");
}

async fn a_table_that_finops_did_not_create_is_refused_and_stays_unchanged<H: Harness>() {
    let table = Table::<H>::new().await;
    table.harness.create_foreign_table().await;
    let error = table.harness.warehouse().look_up(&table.target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignTable);
    assert!(error.full_message().contains(TABLE), "{}", error.full_message());
    assert!(error.next_step().unwrap().contains(hint::ANOTHER_TABLE));
    assert_eq!(table.select("*"), Rows::new());
}

async fn a_staged_month_that_is_dropped_changes_nothing_and_hinders_no_load<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "c", &["80.5"])).await;

    let (_, staged, _) = table.harness.warehouse().stage_month(&table.target, &load).await;
    assert_eq!(table.select("*"), *before.rows(), "while it is staged");
    drop(staged);
    assert_eq!(table.snapshot().await, before);
    let (_, staged, _) = table.harness.warehouse().stage_month(&table.target, &load).await;
    table.harness.warehouse().discard(staged).await;
    assert_eq!((table.snapshot().await, table.recorded()), (before, 2));

    let load = table.load(&Delivery::of_costs("2025-08", "d", &["90.5"])).await.unwrap();
    assert_eq!((load.record.sequence, load.record.previous_execution_id.as_deref()), (2, Some("b")));
    assert_eq!(amounts(&table), ["7.1", "7.2", "90.5"]);
}

/// Two runs stage their loads before either swaps, and swap in this order or the other. Returns the result of each, in
/// the runs' order, and everything that a reader saw of the month. `None` where the warehouse takes one month at a time.
async fn stage_both_then_swap<H: Harness>(
    table: &Table<H>,
    loads: [&MonthLoad; 2],
    the_second_first: bool,
) -> Option<([Swap; 2], BTreeSet<Rows>)> {
    let (one, two) = (table.harness.warehouse(), table.harness.another_run());
    if one.limits().months == 1 {
        return None;
    }
    let work = async {
        let (prepared, staged, record) = one.stage_month(&table.target, loads[0]).await;
        let (prepared_too, staged_too, record_too) = two.stage_month(&table.target, loads[1]).await;
        let (first, second) = (one.swap(&prepared, staged, record), two.swap(&prepared_too, staged_too, record_too));
        if the_second_first {
            let second = second.await.unwrap();
            [first.await.unwrap(), second]
        } else {
            let first = first.await.unwrap();
            [first, second.await.unwrap()]
        }
    };
    Some(table.while_reading("2025-08", work).await)
}

/// DuckDB locks the database: another process is refused, and in this process the months share a connection. A staged
/// month is an open transaction of it. A second one waits until the first is swapped or dropped.
async fn stage_while_another_is_staged<H: Harness>(table: &Table<H>, loads: [&MonthLoad; 2]) -> [Committed; 2] {
    let (one, two) = (table.harness.warehouse(), table.harness.another_run());
    let (prepared, staged, record) = one.stage_month(&table.target, loads[0]).await;
    let before = table.month("2025-08");
    let mut waiting = pin!(two.stage(&prepared, loads[1]));
    let (early, seen) = table.while_reading("2025-08", async { futures::poll!(&mut waiting).is_ready() }).await;
    assert_eq!((early, seen), (false, [before].into()));
    let Swap::Committed(first) = one.swap(&prepared, staged, record).await.unwrap() else { panic!("superseded") };
    let Stage::Ready(staged, figures) = waiting.await.unwrap() else { panic!("not staged") };
    assert_eq!(table.month("2025-08").len() as u64, first.record.rows, "while the second is staged");
    let record = loads[1].record(&table.target, &figures);
    let Swap::Committed(second) = two.swap(&prepared, staged, record).await.unwrap() else { panic!("superseded") };
    [*first, *second]
}

async fn one_of_two_staged_deliveries_becomes_the_month_and_readers_see_no_mixture<H: Harness>() {
    for the_second_first in [false, true] {
        let (table, _) = with_two_months::<H>().await;
        let old = table.month("2025-08");
        let deliveries = [("c", ["1", "2", "3"].as_slice()), ("d", &["10"])]
            .map(|(id, costs)| Delivery::of_costs("2025-08", id, costs));
        let (one, two) = (table.prepare(&deliveries[0]).await, table.prepare(&deliveries[1]).await);

        let Some((swaps, seen)) = stage_both_then_swap(&table, [&one, &two], the_second_first).await else {
            let [first, second] = stage_while_another_is_staged(&table, [&one, &two]).await;
            assert_eq!((first.record.rows, second.record.rows, table.month("2025-08").len()), (3, 1, 1));
            assert_eq!(table.loaded_month("2025-08").await.unwrap().record, second.record);
            continue;
        };
        let (winner, loser) = if the_second_first { (1, 0) } else { (0, 1) };
        let Swap::Committed(committed) = &swaps[winner] else { panic!("{swaps:?}") };
        assert!(matches!(&swaps[loser], Swap::Superseded), "{swaps:?}");
        assert_eq!((committed.record.sequence, committed.record.execution_id.as_str()), (2, ["c", "d"][winner]));
        assert_eq!(table.loaded_month("2025-08").await.unwrap().record, committed.record);
        let new = table.month("2025-08");
        assert_eq!((new.len(), seen), ([3, 1][winner], [old, new].into()));
    }
}

async fn the_same_delivery_staged_twice_is_loaded_once_whichever_is_swapped_first<H: Harness>() {
    for the_second_first in [false, true] {
        let (table, _) = with_two_months::<H>().await;
        let old = table.month("2025-08");
        let load = table.prepare(&Delivery::of_costs("2025-08", "c", &["1", "2", "3"])).await;
        let same = MonthLoad { run_id: "another".to_owned(), ..load.clone() };

        let Some((swaps, seen)) = stage_both_then_swap(&table, [&load, &same], the_second_first).await else {
            let [first, second] = stage_while_another_is_staged(&table, [&load, &same]).await;
            assert_eq!((first.record.cost, table.month("2025-08").len()), (second.record.cost, 3));
            continue;
        };
        let [Swap::Committed(one), Swap::Committed(two)] = &swaps else { panic!("{swaps:?}") };
        let job = |committed: &Committed| (committed.record.sequence, committed.record.job_id.clone());
        assert_eq!(job(one), job(two));
        assert_eq!((one.record.sequence, table.recorded()), (2, 3));
        assert_eq!(seen, [old, table.month("2025-08")].into());
    }
}

async fn a_table_that_changed_since_a_month_was_staged_never_gets_wrong_rows<H: Harness>() {
    let ids = "identity_line_item_id, strftime(bill_billing_period_start_date, '%Y-%m')";
    for change in [ByHand::Add("note"), ByHand::Drop("line_item_line_item_description")] {
        let (table, _) = with_two_months::<H>().await;
        let delivery = Delivery::of_costs("2025-08", "c", &["80.5", "90.5", "100.5"]);
        let load = table.prepare(&delivery).await;
        let (prepared, staged, record) = table.harness.warehouse().stage_month(&table.target, &load).await;
        let changed = table.harness.change_column(change).await;
        let (before, costs_before) = (table.select(ids), amounts(&table));

        let swapped = table.harness.warehouse().swap(&prepared, staged, record).await;

        if let Ok(Swap::Committed(committed)) = &swapped {
            let of_august = |row: &&Vec<Option<String>>| row[1].as_deref() == Some("2025-08");
            assert_eq!(table.select(ids).iter().filter(of_august).count(), 3, "{change:?}");
            assert_eq!((committed.record.rows, committed.record.cost.clone()), (3, costs(&[("USD", "271.5")])));
            assert_eq!(table.loaded_month("2025-08").await.unwrap().rows_in_table, 3, "{change:?}");
        } else {
            assert!(changed.is_ok(), "nothing was changed, and yet: {swapped:?}");
            assert_eq!((table.select(ids), amounts(&table)), (before, costs_before), "{change:?}: {swapped:?}");
            assert_eq!(table.recorded(), 2);
        }
        // The next run finds the changed table.
        let load = table.load(&Delivery::of_costs("2025-08", "d", &["1", "2"])).await.unwrap();
        assert_eq!(
            (load.record.rows, table.loaded_month("2025-08").await.unwrap().rows_in_table),
            (2, 2),
            "{change:?}"
        );
    }
}

async fn a_key_column_that_changed_since_a_month_was_staged_is_found_by_the_next_run<H: Harness>() {
    let (cost, ids) = ("line_item_unblended_cost", "identity_line_item_id");
    for change in [ByHand::Drop(cost), ByHand::Rename(cost, "mine"), ByHand::Retype(cost, "INTEGER")] {
        let (table, _) = with_two_months::<H>().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "c", &["80.5", "90.5", "100.5"])).await;
        let (prepared, staged, record) = table.harness.warehouse().stage_month(&table.target, &load).await;
        table.harness.change_column(change).await.unwrap();
        let before = table.select(ids);

        let swapped = table.harness.warehouse().swap(&prepared, staged, record).await;

        // Values without a column in the table may be left out, as if the column had been dropped later. Nothing is rounded.
        let is_there = table.select(ids) != before;
        assert_eq!(is_there, matches!(swapped, Ok(Swap::Committed(_))), "{change:?}: {swapped:?}");
        assert!(!is_there || !matches!(change, ByHand::Retype(..)), "{swapped:?}");
        let error = table.harness.warehouse().look_up(&table.target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema, "{change:?}");
        assert!(error.full_message().contains(cost), "{change:?}: {}", error.full_message());
    }
}

/// The column of a Cost and Usage Report that has the cost after discounts.
const NET: NetCost = NetCost { net: "line_item_net_unblended_cost", line_type: "line_item_line_item_type" };

async fn a_month_whose_record_is_lost_is_recorded_again_without_a_new_load<H: Harness>() {
    let table = Table::<H>::new().await;
    let (row, other) = (line("2025-08", "1", "USD", "100"), line("2025-08", "2", "EUR", "-9"));
    let columns = [NET.line_type, NET.net].join(",");
    let text = format!("{HEADER},{columns}\n{},Usage,91\n{},EdpDiscount,\n", row.trim_end(), other.trim_end());
    let load = MonthLoad {
        net_cost: Some(NET),
        covers_until: Some(Date::constant(2025, 8, 21)),
        ..table.prepare(&Delivery::new("2025-08", "a").csv(&text)).await
    };
    let first = table.replace(&load).await.unwrap().record;
    assert_eq!(first.cost_net, Some(costs(&[("USD", "91"), ("EUR", "0")])));
    let rows = table.select("*");
    table.harness.drop_state_table().await;
    assert_eq!(table.inspect().await.months.len(), 0);

    let again = table.replace(&load).await.unwrap().record;

    // With BigQuery the same job too: nothing was loaded or swapped.
    let loaded_at = again.loaded_at;
    assert_eq!(again, LoadRecord { loaded_at, ..first });
    assert_eq!((table.select("*"), table.recorded()), (rows, 1));
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, again);
}

async fn a_month_without_rows_is_never_swapped<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    for month in ["2025-08", "2025-09"] {
        let empty = Delivery::new(month, "c").csv(&format!("{HEADER}\n"));
        let error = table.load(&empty).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{}", error.full_message());
        let message = error.full_message();
        assert!(message.contains(month) && message.contains("no rows were read"), "{message}");
        assert_eq!((table.snapshot().await, table.recorded()), (before.clone(), 2));
    }
}

async fn a_key_column_that_is_gone_or_has_another_type_is_named<H: Harness>() {
    for (column, other_type) in [
        ("line_item_unblended_cost", "INTEGER"),
        ("line_item_currency_code", "INTEGER"),
        ("line_item_usage_start_date", "DATE"),
        ("bill_billing_period_start_date", "DATE"),
    ] {
        for change in [ByHand::Drop(column), ByHand::Rename(column, "mine"), ByHand::Retype(column, other_type)] {
            let table = Table::<H>::new().await;
            table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
            table.harness.change_column(change).await.unwrap();
            let error = table.harness.warehouse().look_up(&table.target).await.unwrap_err();
            // BigQuery's partitions are by the period: without that column it is not finops's table any more.
            let gone = column.starts_with("bill_") && !matches!(change, ByHand::Retype(..));
            let kinds = if gone { vec![ErrorKind::Schema, ErrorKind::ForeignTable] } else { vec![ErrorKind::Schema] };
            let message = error.full_message();
            assert!(kinds.contains(&error.kind()), "{change:?}: {message}");
            assert!(message.contains(column) && message.contains(TABLE), "{change:?}: {message}");
            let hint = if error.kind() == ErrorKind::Schema { hint::RESTORE_COLUMN } else { hint::ANOTHER_TABLE };
            assert_eq!(error.next_step(), Some(hint), "{change:?}");
            assert_eq!(table.recorded(), 1);
        }
    }
}

async fn the_record_has_the_delivery_and_its_cost_after_discounts<H: Harness>() {
    // Line type, cost, net cost: an enterprise discount, as AWS delivers it in three ways, and one more with a zero.
    type Lines = &'static [(&'static str, &'static str, &'static str)];
    let ways: [(Option<NetCost>, Lines, &str, Option<&str>); 4] = [
        (None, &[("Usage", "100", ""), ("EdpDiscount", "-9", "")], "91", None),
        (Some(NET), &[("Usage", "100", "91")], "100", Some("91")),
        (Some(NET), &[("Usage", "100", "91"), ("EdpDiscount", "-9", "")], "91", Some("91")),
        (Some(NET), &[("Usage", "100", "91"), ("EdpDiscount", "-9", "0")], "91", Some("91")),
    ];
    let issued_at: Timestamp = "2025-08-22T10:11:12.123456Z".parse().unwrap();
    for (net_cost, lines, cost, after_discounts) in ways {
        let table = Table::<H>::new().await;
        let net_column = if net_cost.is_some() { ",line_item_net_unblended_cost" } else { "" };
        let mut rows = String::new();
        for (of, cost, net) in lines {
            let net = if net_cost.is_some() { format!(",{net}") } else { String::new() };
            rows.push_str(line("2025-08", of, "USD", cost).trim_end());
            rows.extend([",", of, &net, "\n"]);
        }
        let text = format!("{HEADER},line_item_line_item_type{net_column}\n{rows}");
        let load = MonthLoad {
            net_cost,
            kind: ExportKind::Cur2,
            issued_at,
            covers_until: Some(Date::constant(2025, 8, 21)),
            ..table.prepare(&Delivery::new("2025-08", "a").csv(&text)).await
        };

        let record = table.replace(&load).await.unwrap().record;

        assert_eq!(record.cost, costs(&[("USD", cost)]), "{lines:?}");
        assert_eq!(record.cost_net, after_discounts.map(|cost| costs(&[("USD", cost)])), "{lines:?}");
        assert_eq!((record.kind.as_deref(), record.issued_at), (Some("cur2"), Some(issued_at)));
        assert_eq!((record.covers_until, record.scopes.clone()), (load.covers_until, None));
        assert_eq!(table.loaded_month("2025-08").await.unwrap().record, record, "{lines:?}");
    }
}

/// The columns of version 0.1's state table.
const OLD_STATE_COLUMNS: [&str; 17] = [
    "pipeline",
    "export_name",
    "table_name",
    "billing_period",
    "sequence",
    "execution_id",
    "fingerprint",
    "manifest_uri",
    "job_id",
    "status",
    "rows",
    "files",
    "bytes",
    "cost",
    "previous_execution_id",
    "run_id",
    "loaded_at",
];

async fn a_state_table_of_an_earlier_version_is_read_and_gets_its_columns_once<H: Harness>() {
    let table = Table::<H>::new().await;
    let delivery = Delivery::of_costs("2025-08", "a", &["1"]);
    let record = table.load(&delivery).await.unwrap().record;
    table.harness.keep_state_columns(&OLD_STATE_COLUMNS).await;
    let width = || table.harness.rows(&format!("SELECT * FROM {}", table.harness.table(STATE_TABLE))).unwrap()[0].len();
    let old = LoadRecord { kind: None, issued_at: None, covers_until: None, cost_net: None, scopes: None, ..record };

    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, old);
    assert_eq!(width(), 17, "reading alters nothing");

    for _ in 0..2 {
        table.harness.warehouse().prepare(&table.target, &delivery.table_columns(), &[]).await.unwrap();
        assert_eq!(width(), 22);
        assert_eq!(table.loaded_month("2025-08").await.unwrap().record, old);
    }
    let load = table.load(&Delivery::of_costs("2025-08", "b", &["2"])).await.unwrap();
    assert_eq!((load.record.sequence, load.record.kind.as_deref()), (2, Some("cur")));
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, load.record);
}

async fn a_state_table_without_a_column_that_every_version_wrote_is_named_with_the_column<H: Harness>() {
    // Two columns that the query for the last records names, and one that it does not.
    for missing in ["run_id", "sequence", "table_name"] {
        let table = Table::<H>::new().await;
        table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
        let kept: Vec<&str> = OLD_STATE_COLUMNS.into_iter().filter(|column| *column != missing).collect();
        table.harness.keep_state_columns(&kept).await;
        let error = table.harness.warehouse().loaded(&table.target.name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        let message = error.full_message();
        assert!(message.contains(STATE_TABLE), "{message}");
        assert!(message.contains(&format!("the column {missing} is missing")), "{message}");
        assert!(error.next_step().unwrap().contains(hint::RESTORE_STATE), "{error:?}");
    }
}

#[tokio::test]
async fn columns_that_the_state_table_of_bigquery_has_are_not_added_again() {
    let table = Table::<BigQueryHarness>::new().await;
    let delivery = Delivery::of_costs("2025-08", "a", &["1"]);
    table.load(&delivery).await.unwrap();
    table.harness.keep_state_columns(&OLD_STATE_COLUMNS).await;
    let alterations = || {
        let requests = table.harness.emulator.requests().into_iter();
        requests.filter(|r| r.body["query"].as_str().is_some_and(|sql| sql.starts_with("ALTER TABLE"))).count()
    };
    for (prepared, altered) in [(0, 0), (1, 1), (2, 1)] {
        if prepared > 0 {
            table.harness.warehouse().prepare(&table.target, &delivery.table_columns(), &[]).await.unwrap();
        }
        table.inspect().await;
        assert_eq!(alterations(), altered, "prepared {prepared} times");
    }
}
