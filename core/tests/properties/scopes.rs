//! Months of several scopes and months in pieces, in any order of arrival: a month is what the best runs deliver together, or
//! is refused, and never less than what is loaded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use finops_core::{
    BillingPeriod, hint,
    model::{
        delivery::{Delivery, StoredFile},
        kind::ExportKind,
        load_record::{LoadRecord, LoadStatus, LoadedMonth, ScopeRecord},
        manifest::{FileFormat, Manifest, ManifestFile},
    },
    plan::{Candidate, Decision, PlannedMonth, Rules, Selection, plan},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use proptest::{collection, prelude::*};

/// A run of September.
#[derive(Clone, Copy, Debug)]
struct Run {
    scope: u8,
    from: i8,
    until: i8,
    /// The day of October on which it was issued.
    issued: i8,
}

fn month() -> BillingPeriod {
    "2025-09".parse().unwrap()
}

fn day(day: i8) -> Date {
    Date::constant(2025, 9, day)
}

fn october(day: i8) -> Timestamp {
    Date::constant(2025, 10, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

/// The run with the number as its id; `whole` if its file is there.
fn delivery(number: usize, run: Run, whole: bool) -> Delivery {
    let path = format!("20250901-20250930/{number}/part.csv");
    let manifest = Manifest {
        issued_at: Some(october(run.issued)),
        scope: Some(format!("/subscriptions/{}", run.scope)),
        from: (run.from > 1).then(|| day(run.from)),
        covers_until: Some(day(run.until)),
        rows: Some(1),
        files: vec![ManifestFile { relative_path: path.clone(), bytes: None }],
        ..Manifest::new(ExportKind::AzureActual, "daily", month(), number.to_string(), FileFormat::Csv)
    };
    let file = StoredFile {
        key: format!("daily/{path}"),
        bytes: 1,
        updated: october(run.issued),
        checksum: number.to_string(),
        version: None,
    };
    let stored = if whole { HashMap::from([(path, file)]) } else { HashMap::new() };
    Delivery::new(
        manifest,
        format!("gs://b/daily/20250901-20250930/{number}/manifest.json"),
        october(run.issued),
        stored,
    )
}

/// Which parts of a run are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Nothing,
    Manifest,
    All,
}

fn there() -> impl Strategy<Value = There> {
    prop_oneof![Just(There::Nothing), Just(There::Manifest), Just(There::All)]
}

fn decided(
    runs: &[Run],
    there: &[There],
    current: Option<&LoadedMonth>,
    selection: &Selection,
) -> Option<PlannedMonth> {
    let seen = runs.iter().zip(there).enumerate().filter(|(_, (_, there))| **there != There::Nothing);
    planned(seen.map(|(number, (run, there))| delivery(number, *run, *there == There::All)), current, selection)
}

fn planned(
    deliveries: impl IntoIterator<Item = Delivery>,
    current: Option<&LoadedMonth>,
    selection: &Selection,
) -> Option<PlannedMonth> {
    let candidate = |delivery: Delivery| {
        let manifest_uri = delivery.manifest_uri.clone();
        Candidate { billing_period: month(), manifest_uri, delivery: Ok(delivery) }
    };
    let candidates: Vec<Candidate> = deliveries.into_iter().map(candidate).collect();
    let months = current.map(|current| (month(), current.clone())).into_iter().collect();
    let rules = Rules { force: false, now: october(28), wait_max: SignedDuration::from_hours(48) };
    let mut planned = plan(candidates, &months, selection, &rules);
    assert!(planned.len() < 2);
    planned.pop()
}

/// The record of a load of the delivery.
fn loaded(delivery: &Delivery) -> LoadedMonth {
    let scopes: Vec<ScopeRecord> = delivery
        .runs()
        .iter()
        .map(|(run, _)| ScopeRecord {
            scope: run.scope.clone().unwrap_or_default(),
            execution_id: run.execution_id.clone(),
            first_day: Some(run.from.unwrap_or(day(1))),
            last_day: run.covers_until,
            days: 0,
            rows: 1,
            cost: BTreeMap::new(),
            issued_at: run.issued_at,
            covers_until: run.covers_until,
            folder: String::new(),
            outside: Vec::new(),
            kept: run.kept,
            usage_month: false,
        })
        .collect();
    let rows = scopes.len() as u64;
    let record = LoadRecord {
        pipeline: "azure".to_owned(),
        export_name: "daily".to_owned(),
        table_name: "t".to_owned(),
        billing_period: month(),
        sequence: 1,
        execution_id: delivery.manifest.execution_id.clone(),
        fingerprint: delivery.fingerprint.clone(),
        manifest_uri: delivery.manifest_uri.clone(),
        job_id: None,
        status: LoadStatus::Loaded,
        rows,
        files: rows,
        bytes: rows,
        cost: BTreeMap::new(),
        previous_execution_id: None,
        run_id: "r".to_owned(),
        loaded_at: october(27),
        kind: None,
        issued_at: Some(delivery.issued_at()),
        covers_until: delivery.manifest.covers_until,
        cost_net: None,
        scopes: Some(scopes),
    };
    LoadedMonth { record, rows_in_table: rows }
}

fn delivered(month: &PlannedMonth) -> Option<&Delivery> {
    match &month.decision {
        Decision::Load(delivery) | Decision::Reload(delivery) => Some(delivery),
        _ => None,
    }
}

/// The last day of each scope's run that counts.
fn reached(delivery: &Delivery) -> BTreeMap<String, Date> {
    let mut reached = BTreeMap::new();
    for (run, _) in delivery.runs() {
        let until: &mut Date = reached.entry(run.scope.clone().unwrap_or_default()).or_insert(Date::MIN);
        *until = (*until).max(run.covers_until.unwrap_or(Date::MIN));
    }
    reached
}

fn whole_run() -> impl Strategy<Value = Run> {
    (0..3u8, 1..31i8, 1..20i8).prop_map(|(scope, until, issued)| Run { scope, from: 1, until, issued })
}

fn piece() -> impl Strategy<Value = Run> {
    (0..10i8, 1..4i8, 1..20i8).prop_map(|(start, length, issued)| Run {
        scope: 0,
        from: 1 + 3 * start,
        until: 3 * (start + length).min(10),
        issued,
    })
}

proptest! {
    #[test]
    fn a_month_is_the_best_run_of_each_scope_whatever_the_order(
        runs in collection::vec(whole_run(), 1..8),
        steps in collection::vec(collection::vec(there(), 8), 0..5),
    ) {
        let mut current: Option<LoadedMonth> = None;
        let mut before: BTreeMap<String, Date> = BTreeMap::new();
        for step in steps.iter().chain([&vec![There::All; 8]]) {
            let Some(planned) = decided(&runs, step, current.as_ref(), &Selection::default()) else { continue };
            let Some(delivery) = delivered(&planned) else { continue };
            prop_assert!(delivery.missing.is_empty());
            let now = reached(delivery);
            for (scope, until) in &before {
                prop_assert!(now.get(scope) >= Some(until), "{scope}: {:?}", planned.reason);
            }
            before = now;
            current = Some(loaded(delivery));
        }
        // Everything is there. The run of each scope that reaches furthest counts, or the newest of several.
        let mut best: BTreeMap<u8, (i8, i8, usize)> = BTreeMap::new();
        for (number, run) in runs.iter().enumerate() {
            let best = best.entry(run.scope).or_insert((0, 0, 0));
            *best = (*best).max((run.until, run.issued, number));
        }
        let expected: BTreeSet<String> = best.values().map(|(.., number)| number.to_string()).collect();
        let record = current.unwrap().record;
        let found: BTreeSet<String> = record.scopes.unwrap().into_iter().map(|scope| scope.execution_id).collect();
        prop_assert_eq!(found, expected);
        let last = loaded(&delivered(&decided(&runs, &[There::All; 8], None, &Selection::default()).unwrap()).unwrap().clone());
        prop_assert_eq!(record.fingerprint, last.record.fingerprint, "the steps before do not count");
    }

    #[test]
    fn pieces_are_one_month_as_far_as_they_follow_each_other(
        runs in collection::vec(piece(), 1..8),
        steps in collection::vec(collection::vec(there(), 8), 0..5),
    ) {
        let mut current: Option<LoadedMonth> = None;
        let mut before = Date::MIN;
        for step in steps.iter().chain([&vec![There::All; 8]]) {
            let Some(planned) = decided(&runs, step, current.as_ref(), &Selection::default()) else { continue };
            let Some(delivery) = delivered(&planned) else { continue };
            let mut next = day(1);
            for (run, files) in delivery.runs() {
                prop_assert_eq!(run.from.unwrap_or(day(1)), next, "{:?}", planned.reason);
                prop_assert_eq!(files.len(), 1);
                next = run.covers_until.unwrap().tomorrow().unwrap();
            }
            prop_assert!(next >= before, "{:?}", planned.reason);
            before = next;
            current = Some(loaded(delivery));
        }
    }

    #[test]
    fn what_is_loaded_is_planned_once(runs in collection::vec(prop_oneof![whole_run(), piece()], 1..8), seen in collection::vec(there(), 8)) {
        let Some(planned) = decided(&runs, &seen, None, &Selection::default()) else { return Ok(()) };
        if let Some(delivery) = delivered(&planned) {
            let again = decided(&runs, &seen, Some(&loaded(delivery)), &Selection::default()).unwrap();
            prop_assert!(delivered(&again).is_none(), "{:?}", again.reason);
        }
    }

    #[test]
    fn only_scopes_that_count_are_loaded(runs in collection::vec(whole_run(), 1..8), seen in collection::vec(there(), 8)) {
        let selection = Selection { scopes: ["/subscriptions/1".to_owned()].into(), ..Selection::default() };
        let Some(planned) = decided(&runs, &seen, None, &selection) else { return Ok(()) };
        if let Some(delivery) = delivered(&planned) {
            prop_assert_eq!(reached(delivery).into_keys().collect::<Vec<_>>(), ["/subscriptions/1"]);
        } else {
            let counts = |(run, there): (&Run, &There)| run.scope == 1 && *there == There::All;
            prop_assert!(!runs.iter().zip(&seen).any(counts), "{:?}", planned.reason);
        }
    }
}

/// The hint of a month that is refused, or that has a part which fails.
fn hint_of(planned: Option<PlannedMonth>) -> Option<&'static str> {
    let planned = planned?;
    if let Decision::Refuse { hint } = planned.decision {
        return Some(hint);
    }
    planned.failure.map(|failure| failure.hint)
}

const fn of(scope: u8, from: i8, until: i8) -> Run {
    Run { scope, from, until, issued: 10 }
}

#[test]
fn scopes_that_cannot_be_united_have_the_hint_that_helps() {
    let all = Selection::default();
    let mut group = delivery(1, of(0, 1, 30), true);
    group.manifest.scope = Some("/subscriptions/0/resourcegroups/a".to_owned());
    let subscription = delivery(0, of(0, 1, 30), true);
    assert_eq!(hint_of(planned([subscription.clone(), group], None, &all)), Some(hint::NAME_SCOPES));

    let mut silent = delivery(2, of(0, 1, 30), true);
    silent.manifest.scope = None;
    let several = [subscription.clone(), delivery(1, of(1, 1, 30), true), silent];
    assert_eq!(hint_of(planned(several, None, &all)), Some(hint::RUN_WITHOUT_SCOPE));

    let others = Selection { scopes: ["/subscriptions/9".to_owned()].into(), ..Selection::default() };
    assert_eq!(hint_of(planned([subscription.clone()], None, &others)), Some(hint::OTHER_SCOPES));

    let both = planned([subscription, delivery(1, of(1, 1, 30), true)], None, &all).unwrap();
    let current = loaded(delivered(&both).unwrap());
    let newer = delivery(2, Run { issued: 20, ..of(0, 1, 30) }, true);
    assert_eq!(hint_of(planned([newer], Some(&current), &all)), Some(hint::FILES_OF_SCOPE_GONE));
}

#[test]
fn pieces_that_do_not_follow_each_other_have_the_hint_that_helps() {
    let decided = |runs: [Run; 2]| decided(&runs, &[There::All; 2], None, &Selection::default());
    assert_eq!(hint_of(decided([of(0, 1, 6), of(0, 5, 9)])), Some(hint::BY_MONTH));
    assert_eq!(hint_of(decided([of(0, 1, 6), of(0, 10, 12)])), Some(hint::MISSING_PIECE));
}
