//! What every warehouse does with deliveries that it cannot load: the previously loaded month is unchanged.

use finops::error::ErrorKind;

use crate::{
    support::{
        delivery::{Delivery, HEADER, gzip_cut_between, line},
        harness::Harness,
    },
    warehouse::conformance::{amounts, for_each_warehouse, with_two_months},
};

for_each_warehouse!(
    a_row_of_another_month_fails_the_load,
    a_value_that_is_no_amount_fails_the_load,
    a_truncated_file_fails_the_load,
    a_missing_file_fails_the_load,
    a_failed_load_does_not_hinder_the_next,
);

async fn a_row_of_another_month_fails_the_load<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    for stray in [line("2025-07", "2", "USD", "2"), line("2025-09", "2", "USD", "2")] {
        let text = format!("{HEADER}\n{}{stray}", line("2025-08", "1", "USD", "1"));
        let error = table.load(&Delivery::new("2025-08", "c").csv(&text)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{}", error.full_message());
        assert!(error.full_message().contains("2025-08"), "{}", error.full_message());
        assert_eq!(table.snapshot().await, before);
    }
}

async fn a_value_that_is_no_amount_fails_the_load<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    for cost in ["twelve", "12 USD", "\"1,5\""] {
        let error = table.load(&Delivery::of_costs("2025-08", "c", &["1", cost])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{}", error.full_message());
        let message = error.full_message();
        assert!(message.contains("line_item_unblended_cost") && message.contains(cost.trim_matches('"')), "{message}");
        assert_eq!(table.snapshot().await, before);
    }
}

async fn a_truncated_file_fails_the_load<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    let head = format!("{HEADER}\n{}", line("2025-08", "1", "USD", "1"));
    let between_rows = gzip_cut_between(&head, &line("2025-08", "2", "USD", "2"));
    let whole = Delivery::of_costs("2025-08", "c", &["1", "2", "3"]);
    let bytes = &whole.files[0].1;
    for cut in [between_rows, bytes[..bytes.len() - 4].to_vec(), bytes[..bytes.len() / 2].to_vec()] {
        let delivery = whole.clone().file(cut);
        let error = table.load(&delivery).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{}", error.full_message());
        assert!(error.full_message().contains(&delivery.files[1].0), "{}", error.full_message());
        assert_eq!(table.snapshot().await, before);
    }
}

async fn a_missing_file_fails_the_load<H: Harness>() {
    let (table, before) = with_two_months::<H>().await;
    let mut load = table.prepare(&Delivery::of_costs("2025-08", "c", &["1"])).await;
    let files = &mut load.batches[0].files;
    files.push(files[0].replace("00001", "00002"));
    let error = table.replace(&load).await.unwrap_err();
    assert!(error.full_message().contains("00002"), "{}", error.full_message());
    assert_eq!(table.snapshot().await, before);
}

async fn a_failed_load_does_not_hinder_the_next<H: Harness>() {
    let (table, _) = with_two_months::<H>().await;
    table.load(&Delivery::of_costs("2025-08", "c", &["twelve"])).await.unwrap_err();
    let load = table.load(&Delivery::of_costs("2025-08", "d", &["12"])).await.unwrap();
    assert_eq!(amounts(&table), ["12", "7.1", "7.2"]);
    assert_eq!(load.record.previous_execution_id.as_deref(), Some("b"));
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, load.record);
}
