//! Properties of plans.

use std::collections::{BTreeMap, HashMap, HashSet};

use finops_core::{
    BillingPeriod,
    model::{
        delivery::{Delivery, StoredFile},
        kind::ExportKind,
        load_record::{LoadRecord, LoadStatus, LoadedMonth},
        manifest::{FileFormat, Manifest, ManifestError, ManifestFile},
    },
    plan::{Candidate, Decision, PlannedMonth, Rules, Selection, plan},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use proptest::{collection, option, prelude::*, sample};

use crate::few_months;

fn any_month() -> impl Strategy<Value = BillingPeriod> {
    (1..=9999i16, 1..=12i8, 1..=28i8)
        .prop_map(|(year, month, day)| BillingPeriod::containing(Date::constant(year, month, day)))
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..200i64).prop_map(|hours| Timestamp::from_second(1_760_000_000 + hours * 3600).unwrap())
}

/// Among the days that deliveries reach to.
fn january() -> impl Strategy<Value = Date> {
    (1..4i8).prop_map(|day| Date::constant(2025, 1, day))
}

/// A delivery that lists up to three files, some of which are there, with one of few contents.
fn delivery(number: usize) -> impl Strategy<Value = Delivery> {
    let files = collection::vec((any::<bool>(), 0..3u64, timestamp()), 0..4);
    let facts = (option::of(timestamp()), option::of(january()), option::of(0..2u64), any::<bool>());
    (few_months(), sample::select(vec!["a", "b"]), timestamp(), files, facts).prop_map(
        move |(period, id, delivered_at, files, (issued, until, rows, overwrites_previous))| {
            let names: Vec<String> = (0..files.len()).map(|n| format!("{period}/{id}/cur-{n}.csv.gz")).collect();
            let manifest = Manifest {
                issued_at: issued,
                covers_until: until,
                rows,
                overwrites_previous,
                files: names.iter().map(|name| ManifestFile { relative_path: name.clone(), bytes: None }).collect(),
                ..Manifest::new(ExportKind::Cur, "cur", period, id.to_owned(), FileFormat::Csv)
            };
            let there = names.into_iter().zip(files).filter(|(_, (there, ..))| *there);
            let stored: HashMap<_, _> = there
                .map(|(key, (_, bytes, updated))| {
                    (key.clone(), StoredFile { key, bytes, updated, checksum: bytes.to_string(), version: None })
                })
                .collect();
            Delivery::new(manifest, format!("gs://b/{number}/cur-Manifest.json"), delivered_at, stored)
        },
    )
}

fn candidate(number: usize) -> impl Strategy<Value = Candidate> {
    let broken = few_months().prop_map(move |billing_period| Candidate {
        billing_period,
        manifest_uri: format!("gs://b/{number}/cur-Manifest.json"),
        delivery: Err(ManifestError::Malformed("broken".to_owned())),
    });
    let readable = delivery(number).prop_map(|delivery| Candidate {
        billing_period: delivery.manifest.billing_period,
        manifest_uri: delivery.manifest_uri.clone(),
        delivery: Ok(delivery),
    });
    prop_oneof![1 => broken, 5 => readable]
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    (0..8usize).prop_flat_map(|count| (0..count).map(candidate).collect::<Vec<_>>())
}

fn record(billing_period: BillingPeriod, execution_id: &str, fingerprint: String, rows: u64) -> LoadRecord {
    LoadRecord {
        pipeline: "aws".to_owned(),
        export_name: "cur".to_owned(),
        table_name: "t".to_owned(),
        billing_period,
        sequence: 1,
        execution_id: execution_id.to_owned(),
        fingerprint,
        manifest_uri: String::new(),
        job_id: None,
        status: LoadStatus::Loaded,
        rows,
        files: 1,
        bytes: 1,
        cost: BTreeMap::new(),
        previous_execution_id: None,
        run_id: "r".to_owned(),
        loaded_at: Timestamp::UNIX_EPOCH,
        kind: None,
        issued_at: None,
        covers_until: None,
        cost_net: None,
        scopes: None,
    }
}

/// Loaded months, whose tables have their rows or not.
fn loaded() -> impl Strategy<Value = BTreeMap<BillingPeriod, LoadedMonth>> {
    let load = (sample::select(vec!["a", "b"]), any::<bool>(), 0..3u64, 0..3u64, timestamp(), option::of(january()));
    collection::btree_map(few_months(), load, 0..6).prop_map(|loads| {
        let month = |(period, (id, verified, rows, rows_in_table, loaded_at, until))| {
            let fingerprint = format!("fingerprint {rows}");
            let mut record = LoadRecord { loaded_at, ..record(period, id, fingerprint, rows) };
            record.status = if verified { LoadStatus::Loaded } else { LoadStatus::Unverified };
            record.covers_until = until;
            (period, LoadedMonth { record, rows_in_table })
        };
        loads.into_iter().map(month).collect()
    })
}

fn rules(force: bool) -> Rules {
    Rules { force, now: Timestamp::from_second(1_761_000_000).unwrap(), wait_max: SignedDuration::from_hours(48) }
}

/// Carries out a plan: every month to load is loaded with its fingerprint, and the table has its rows.
fn apply(planned: &[PlannedMonth], loaded: &mut BTreeMap<BillingPeriod, LoadedMonth>) {
    for month in planned {
        if let Decision::Load(delivery) | Decision::Reload(delivery) = &month.decision {
            let id = &delivery.manifest.execution_id;
            let record = record(month.billing_period, id, delivery.fingerprint.clone(), 10);
            loaded.insert(month.billing_period, LoadedMonth { record, rows_in_table: 10 });
        }
    }
}

fn kind(decision: &Decision) -> &'static str {
    match decision {
        Decision::Load(_) => "load",
        Decision::Reload(_) => "reload",
        Decision::Skip { .. } => "skip",
        Decision::Wait { .. } => "wait",
        Decision::Refuse { .. } => "refuse",
    }
}

proptest! {
    #[test]
    fn replanning_after_a_plan_was_carried_out_loads_nothing_and_may_wait_for_something_better(
        candidates in candidates(), mut loaded in loaded(), force: bool,
    ) {
        let planned = plan(candidates.clone(), &loaded, &Selection::default(), &rules(force));
        apply(&planned, &mut loaded);
        let again = plan(candidates, &loaded, &Selection::default(), &rules(false));
        prop_assert_eq!(planned.len(), again.len());
        for (before, after) in planned.iter().zip(&again) {
            let as_expected = match (kind(&before.decision), kind(&after.decision)) {
                ("load" | "reload", now) => now == "skip" || now == "wait",
                // Only force waits for the files of a delivery that reaches less far than what is loaded.
                ("wait", "skip") if force => true,
                (then, now) => then == now,
            };
            prop_assert!(as_expected, "{}: {:?}; then: {:?}", after.billing_period, before.reason, after.reason);
        }
    }

    #[test]
    fn no_month_with_all_its_files_waits_longer_than_allowed_after_the_last_change_and_only_one_that_is_overwritten_waits(
        delivery in delivery(0), loaded_at in timestamp(), hours in 0..300i64,
    ) {
        let loaded = record(delivery.manifest.billing_period, "a", "another".to_owned(), 1);
        let loaded = LoadedMonth { record: LoadRecord { loaded_at, ..loaded }, rows_in_table: 1 };
        let loaded = BTreeMap::from([(delivery.manifest.billing_period, loaded)]);
        let rules = Rules { wait_max: SignedDuration::from_hours(hours), ..rules(false) };
        let (billing_period, manifest_uri) = (delivery.manifest.billing_period, delivery.manifest_uri.clone());
        let candidate = Candidate { billing_period, manifest_uri, delivery: Ok(delivery.clone()) };
        let planned = plan(vec![candidate], &loaded, &Selection::default(), &rules);
        if delivery.missing.is_empty() && kind(&planned[0].decision) == "wait" {
            let last_change = delivery.files.iter().map(|file| file.updated).max().max(Some(delivery.delivered_at));
            prop_assert!(delivery.manifest.overwrites_previous);
            prop_assert!(rules.now.duration_since(last_change.unwrap()) <= rules.wait_max, "{:?}", planned[0].reason);
        }
    }

    #[test]
    fn a_plan_has_each_month_once_and_the_newest_first(
        candidates in candidates(), loaded in loaded(), force: bool,
    ) {
        let found: HashSet<BillingPeriod> = candidates.iter().map(|c| c.billing_period).collect();
        let planned = plan(candidates, &loaded, &Selection::default(), &rules(force));
        prop_assert!(planned.windows(2).all(|pair| pair[0].billing_period > pair[1].billing_period));
        prop_assert_eq!(planned.iter().map(|month| month.billing_period).collect::<HashSet<_>>(), found);
    }

    #[test]
    fn of_the_whole_deliveries_with_rows_the_widest_and_then_the_last_is_loaded(
        candidates in candidates(), loaded in loaded(), force: bool,
    ) {
        let order = |delivery: &Delivery| (delivery.reach(), delivery.issued_at());
        for month in plan(candidates.clone(), &loaded, &Selection::default(), &rules(force)) {
            if let Decision::Load(delivery) | Decision::Reload(delivery) = &month.decision {
                prop_assert!(delivery.missing.is_empty() && !delivery.is_empty());
                let of_month = candidates.iter().filter(|c| c.billing_period == month.billing_period);
                let readable = of_month.filter_map(|c| c.delivery.as_ref().ok());
                let whole = readable.filter(|d| d.missing.is_empty() && !d.is_empty());
                prop_assert_eq!(Some(order(delivery)), whole.map(order).max());
            }
        }
    }

    #[test]
    fn what_is_loaded_is_never_replaced_by_a_narrower_delivery(
        candidates in candidates(), loaded in loaded(), force: bool,
    ) {
        for month in plan(candidates.clone(), &loaded, &Selection::default(), &rules(force)) {
            if let (Decision::Reload(delivery), Some(loaded)) = (&month.decision, loaded.get(&month.billing_period)) {
                let of_month = candidates.iter().filter(|c| c.billing_period == month.billing_period);
                let of_record = of_month
                    .filter_map(|c| c.delivery.as_ref().ok())
                    .filter(|d| d.manifest.execution_id == loaded.record.execution_id && !d.is_empty());
                let widest = of_record.map(Delivery::reach).max();
                prop_assert!(Some(delivery.reach()) >= widest, "{:?}", month.reason);
                let record = &loaded.record;
                let whole = record.status == LoadStatus::Loaded && record.rows == loaded.rows_in_table;
                if let (Some(until), Some(covered)) = (delivery.manifest.covers_until, record.covers_until) {
                    prop_assert!(until >= covered || force || !whole, "{:?}", month.reason);
                }
            }
        }
    }

    #[test]
    fn any_month_reads_back_from_its_text(period in any_month()) {
        prop_assert_eq!(period.to_string().parse::<BillingPeriod>().unwrap(), period);
        let json = serde_json::to_string(&period).unwrap();
        prop_assert_eq!(serde_json::from_str::<BillingPeriod>(&json).unwrap(), period);
        prop_assert_eq!(BillingPeriod::containing(period.first_day().last_of_month()), period);
        prop_assert!(period.end() > period.first_day());
    }
}
