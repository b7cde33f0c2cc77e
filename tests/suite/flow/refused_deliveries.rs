//! A reader while deliveries that must be refused are tried over a loaded month, in both warehouses: it sees the loaded
//! month and nothing else.

use finops::{
    error::ErrorKind,
    flow::replace::{Replaced, replace_month},
    warehouse::{MonthLoad, Warehouse},
};

use crate::{
    support::{
        delivery::{Delivery, HEADER, line},
        harness::{Harness, Snapshot, Table},
    },
    warehouse::conformance::{for_each_warehouse, with_two_months},
};

for_each_warehouse!(
    a_file_cut_at_a_rows_end_is_never_seen,
    files_of_two_deliveries_are_never_seen_together,
    a_row_of_another_month_is_never_seen,
    a_month_of_another_count_of_rows_is_never_seen,
    a_month_without_rows_is_never_seen,
);

/// Rows of August from this number on.
fn rows(from: usize, count: usize) -> String {
    (from..from + count).map(|number| line("2025-08", &format!("new-{number}"), "USD", "2")).collect()
}

fn file(rows: &str) -> String {
    format!("{HEADER}\n{rows}")
}

/// The load of a delivery whose manifest counts `rows` rows.
async fn load<H: Harness>(table: &Table<H>, delivery: &Delivery, rows: u64) -> MonthLoad {
    MonthLoad { rows: Some(rows), ..table.prepare(delivery).await }
}

/// Tries the load over the loaded month, beside a reader; `unchanged` is the result of the check of its files. Returns why it
/// was refused; `None` if the month must be planned again.
async fn refused<H: Harness>(
    (table, before): &(Table<H>, Snapshot),
    load: &MonthLoad,
    unchanged: bool,
) -> Option<(ErrorKind, String)> {
    let (warehouse, month, recorded) = (table.harness.warehouse(), table.month("2025-08"), table.recorded());
    let columns: Vec<_> = load.batches[0].columns.iter().map(|column| column.column.clone()).collect();
    let prepared = warehouse.prepare(&table.target, &columns, &[]).await.unwrap();
    let work = replace_month(warehouse, &table.target, &prepared, load, async { Ok(unchanged) });

    let (replaced, seen) = table.while_reading("2025-08", work).await;

    assert_eq!(seen, [month].into());
    assert_eq!((table.snapshot().await, table.recorded()), (before.clone(), recorded));
    match replaced {
        Err(error) => {
            assert!(error.next_step().unwrap().contains("nothing was changed"), "{error:?}");
            Some((error.kind(), error.full_message()))
        }
        Ok(Replaced::Superseded) => None,
        Ok(other) => panic!("it is loaded: {other:?}"),
    }
}

/// The same month in a whole delivery.
async fn is_loaded_once_it_is_whole<H: Harness>(table: &Table<H>) {
    let whole = load(table, &Delivery::new("2025-08", "whole").csv(&file(&rows(0, 300))), 300).await;
    let loaded = table.replace(&whole).await.unwrap();
    assert_eq!((loaded.record.rows, table.month("2025-08").len()), (300, 300));
    assert_eq!((loaded.record.sequence, loaded.record.previous_execution_id.as_deref()), (2, Some("b")));
}

async fn a_file_cut_at_a_rows_end_is_never_seen<H: Harness>() {
    let loaded = with_two_months::<H>().await;
    let cut = Delivery::new("2025-08", "cut").csv(&file(&rows(0, 200))).csv(&file(&rows(200, 60)));
    let cut = load(&loaded.0, &cut, 300).await;
    let (kind, message) = refused(&loaded, &cut, true).await.unwrap();
    assert_eq!(kind, ErrorKind::Verification);
    assert!(message.contains("2025-08") && message.contains("300 rows were expected"), "{message}");
    assert!(message.contains("260 were read") && message.contains("cur-00002"), "{message}");
    is_loaded_once_it_is_whole(&loaded.0).await;
}

async fn files_of_two_deliveries_are_never_seen_together<H: Harness>() {
    let loaded = with_two_months::<H>().await;
    // The second file was replaced after the files were listed. All counts are right.
    let mixed = Delivery::new("2025-08", "mixed").csv(&file(&rows(0, 200))).csv(&file(&rows(1000, 100)));
    let mixed = load(&loaded.0, &mixed, 300).await;
    assert_eq!(refused(&loaded, &mixed, false).await, None);
    is_loaded_once_it_is_whole(&loaded.0).await;
}

async fn a_row_of_another_month_is_never_seen<H: Harness>() {
    let loaded = with_two_months::<H>().await;
    for other in ["2025-07", "2025-09"] {
        let stray = format!("{}{}", rows(0, 299), line(other, "stray", "USD", "2"));
        let stray = load(&loaded.0, &Delivery::new("2025-08", "stray").csv(&file(&stray)), 300).await;
        let (kind, message) = refused(&loaded, &stray, true).await.unwrap();
        assert_eq!(kind, ErrorKind::Data);
        assert!(message.contains(&format!("1 row belongs to {other}")), "{message}");
    }
    is_loaded_once_it_is_whole(&loaded.0).await;
}

async fn a_month_of_another_count_of_rows_is_never_seen<H: Harness>() {
    let loaded = with_two_months::<H>().await;
    let delivery = Delivery::new("2025-08", "wrong").csv(&file(&rows(0, 300)));
    for counted in [0, 299, 301] {
        let wrong = load(&loaded.0, &delivery, counted).await;
        let (kind, message) = refused(&loaded, &wrong, true).await.unwrap();
        assert_eq!(kind, ErrorKind::Verification);
        assert!(message.contains(&format!("{counted} rows were expected")), "{message}");
    }
    is_loaded_once_it_is_whole(&loaded.0).await;
}

async fn a_month_without_rows_is_never_seen<H: Harness>() {
    let loaded = with_two_months::<H>().await;
    let empty = load(&loaded.0, &Delivery::new("2025-08", "empty").csv(&file("")), 0).await;
    let (kind, message) = refused(&loaded, &empty, true).await.unwrap();
    assert_eq!(kind, ErrorKind::Data);
    assert!(message.contains("no rows were read"), "{message}");
    is_loaded_once_it_is_whole(&loaded.0).await;
}
