//! Any history of good and bad deliveries and of runs: a month is its last complete delivery, or unchanged.

use std::{collections::BTreeMap, fs, path::Path};

use finops::warehouse::duckdb::DuckDb;
use finops_core::report::run::{MonthReport, MonthStatus, PipelineReport};
use proptest::{collection, prelude::*, sample};
use tempfile::TempDir;

use crate::support::{
    jobs::run_in_process,
    program::{DATASET, TABLE},
    tables::in_duckdb,
    tree::{Delivery, REPORT, write},
};

const MONTHS: [&str; 3] = ["2025-08", "2025-09", "2025-10"];

/// What happens between two runs.
#[derive(Clone, Debug)]
enum Event {
    /// A delivery arrives, in some condition.
    Delivered {
        month: usize,
        id: &'static str,
        costs: Vec<&'static str>,
        overwriting: bool,
        tag: bool,
        condition: Condition,
    },
    /// Somebody deletes rows of a month.
    Deleted { month: usize },
    /// Somebody drops the table.
    Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Whole,
    FileMissing,
    FileTruncated,
    ManifestBroken,
    AmountBroken,
    RowOfAnotherMonth,
}

fn event() -> impl Strategy<Value = Event> {
    use Condition::{AmountBroken, FileMissing, FileTruncated, ManifestBroken, RowOfAnotherMonth, Whole};
    let conditions =
        vec![Whole, Whole, Whole, FileMissing, FileTruncated, ManifestBroken, AmountBroken, RowOfAnotherMonth];
    let costs = collection::vec(sample::select(vec!["1", "0.25", "1E-10", "-3"]), 0..4);
    let parts = (0..3usize, sample::select(vec!["a", "b"]), costs, any::<bool>(), any::<bool>());
    let delivered =
        (parts, sample::select(conditions)).prop_map(|((month, id, costs, overwriting, tag), condition)| {
            Event::Delivered { month, id, costs, overwriting, tag, condition }
        });
    prop_oneof![10 => delivered, 1 => (0..3usize).prop_map(|month| Event::Deleted { month }), 1 => Just(Event::Dropped)]
}

/// Writes the delivery in its condition. Returns the expected rows of its month, if it can be loaded.
fn deliver(source: &Path, event: &Event) -> Option<(u64, String)> {
    let Event::Delivered { month, id, costs, overwriting, tag, condition } = event else { return None };
    let mut delivery = Delivery::new(MONTHS[*month], id, costs).in_parts(2);
    delivery.versioned = !overwriting;
    if *tag {
        delivery = delivery.with_column("resourceTags/user:Team", "a");
    }
    match (condition, delivery.rows.first_mut()) {
        (Condition::AmountBroken, Some(row)) => "free".clone_into(&mut row[7]),
        (Condition::RowOfAnotherMonth, Some(row)) => "2024-01-01T00:00:00Z".clone_into(&mut row[1]),
        _ => {}
    }
    delivery.write(source);
    let second = delivery.data_path(source, 1);
    match condition {
        Condition::FileMissing => fs::remove_file(second).unwrap(),
        Condition::FileTruncated => {
            let bytes = fs::read(&second).unwrap();
            write(&second, &bytes[..bytes.len() - 9]);
        }
        Condition::ManifestBroken => write(&source.join(REPORT).join(delivery.manifest_key()), b"{"),
        _ => {}
    }
    // In units of 1E-10.
    let unit = |cost: &&str| match *cost {
        "1" => 10_000_000_000_i64,
        "0.25" => 2_500_000_000,
        "1E-10" => 1,
        "-3" => -30_000_000_000,
        other => panic!("{other}"),
    };
    let sum: i64 = costs.iter().map(unit).sum();
    let sign = if sum < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:010}", sum.abs() / 10_000_000_000, sum.abs() % 10_000_000_000);
    let plain = text.parse::<finops_core::Amount>().unwrap().to_string();
    (*condition == Condition::Whole && !costs.is_empty()).then_some((costs.len() as u64, plain))
}

async fn run_once(source: &Path, database: &Path) -> PipelineReport {
    run_in_process(source, &DuckDb::open(database).unwrap()).await
}

fn statuses(report: &PipelineReport) -> Vec<Option<MonthStatus>> {
    report.months.iter().map(MonthReport::status).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_month_is_its_last_complete_delivery_or_unchanged(
        rounds in collection::vec(collection::vec(event(), 1..4), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let folder = TempDir::new().unwrap();
        let (source, database) = (folder.path().join("cur"), folder.path().join("finops.duckdb"));
        fs::create_dir(&source).unwrap();
        let mut delivered: BTreeMap<usize, Option<(u64, String)>> = BTreeMap::new();
        for round in rounds {
            for event in &round {
                let execute = |sql: &str| {
                    // Where nothing was loaded yet, there is nothing to delete.
                    let _ = duckdb::Connection::open(&database).unwrap().execute_batch(sql);
                };
                match event {
                    Event::Delivered { month, .. } => drop(delivered.insert(*month, deliver(&source, event))),
                    Event::Deleted { month } => execute(&format!(
                        "DELETE FROM {DATASET}.{TABLE} WHERE line_item_unblended_cost <> 1 \
                         AND month(bill_billing_period_start_date) = {}", month + 8
                    )),
                    Event::Dropped => execute(&format!("DROP TABLE {DATASET}.{TABLE}")),
                }
            }
            let mut expected = in_duckdb(&database);
            for (month, figures) in &delivered {
                expected.extend(figures.clone().map(|figures| (MONTHS[*month].to_owned(), figures)));
            }
            let report = runtime.block_on(run_once(&source, &database));
            prop_assert_eq!(&in_duckdb(&database), &expected, "{:#?}", report);
            // Without any manifest a run fails, since nothing was loaded before.
            prop_assert_eq!(report.error.is_some(), delivered.is_empty(), "{:#?}", report);

            let again = runtime.block_on(run_once(&source, &database));
            prop_assert!(!statuses(&again).contains(&Some(MonthStatus::Loaded)), "{:#?}", again);
            prop_assert_eq!(&in_duckdb(&database), &expected, "after the second run");
        }
    }
}
