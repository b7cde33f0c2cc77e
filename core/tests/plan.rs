//! Decisions on a month that has several deliveries, as Azure's exports do.

#![allow(clippy::unwrap_used, reason = "a failure is the test's result")]
#![allow(missing_docs, reason = "tests")]

use std::collections::{BTreeMap, HashMap};

use finops_core::{
    hint,
    model::{
        delivery::{Delivery, StoredFile},
        kind::ExportKind,
        load_record::{LoadRecord, LoadStatus, LoadedMonth},
        manifest::{FileFormat, Manifest, ManifestError, ManifestFile},
    },
    plan::{Candidate, Decision, PlannedMonth, Rules, Selection, plan},
    report::{reason::why, run::MonthVerb},
};
use jiff::{SignedDuration, Timestamp, civil::Date};

/// A run of March 2025.
#[derive(Clone, Copy)]
struct Run {
    id: &'static str,
    /// The day of April on which it was issued.
    issued: i8,
    /// The last day that it covers.
    until: i8,
    rows: u64,
    /// How many of its two files are there.
    there: usize,
}

const fn run(id: &'static str, issued: i8, until: i8) -> Run {
    Run { id, issued, until, rows: 5, there: 2 }
}

fn april(day: i8) -> Timestamp {
    Date::constant(2025, 4, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

fn delivery(run: Run) -> Delivery {
    let paths = [1, 2].map(|part| format!("20250301-20250331/{}/{part}.csv", run.id));
    let manifest = Manifest {
        issued_at: Some(april(run.issued)),
        covers_until: Some(Date::constant(2025, 3, run.until)),
        rows: Some(run.rows),
        files: paths.iter().map(|path| ManifestFile { relative_path: path.clone(), bytes: None }).collect(),
        ..Manifest::new(
            ExportKind::AzureActual,
            "daily",
            "2025-03".parse().unwrap(),
            run.id.to_owned(),
            FileFormat::Csv,
        )
    };
    let stored: HashMap<_, _> = paths
        .into_iter()
        .take(run.there)
        .map(|path| {
            (
                path.clone(),
                StoredFile { key: path, bytes: 1, updated: april(10), checksum: "c".to_owned(), version: None },
            )
        })
        .collect();
    // A mirror writes all of them at one time, in any order.
    Delivery::new(manifest, format!("gs://b/{}/manifest.json", run.id), april(10), stored)
}

/// The run as a loaded month, with all its rows, since 5 April.
fn loaded_month(loaded: Run) -> LoadedMonth {
    let whole = delivery(Run { there: 2, ..loaded });
    let record = LoadRecord {
        pipeline: "azure".to_owned(),
        export_name: "daily".to_owned(),
        table_name: "t".to_owned(),
        billing_period: whole.manifest.billing_period,
        sequence: 1,
        execution_id: loaded.id.to_owned(),
        fingerprint: whole.fingerprint,
        manifest_uri: whole.manifest_uri,
        job_id: None,
        status: LoadStatus::Loaded,
        rows: 5,
        files: 2,
        bytes: 2,
        cost: BTreeMap::new(),
        previous_execution_id: None,
        run_id: "r".to_owned(),
        loaded_at: april(5),
        kind: None,
        issued_at: None,
        covers_until: Some(Date::constant(2025, 3, loaded.until)),
        cost_net: None,
        scopes: None,
    };
    LoadedMonth { record, rows_in_table: 5 }
}

const RULES: Rules = Rules {
    force: false,
    // 11 April.
    now: Timestamp::constant(1_744_329_600, 0),
    wait_max: SignedDuration::from_hours(20),
};

fn candidate(delivery: Delivery) -> Candidate {
    let (billing_period, manifest_uri) = (delivery.manifest.billing_period, delivery.manifest_uri.clone());
    Candidate { billing_period, manifest_uri, delivery: Ok(delivery) }
}

/// The decision on the one month, its delivery, and why.
fn described(planned: &[PlannedMonth]) -> String {
    assert_eq!(planned.len(), 1);
    let what = match &planned[0].decision {
        Decision::Load(_) => "load",
        Decision::Reload(_) => "reload",
        Decision::Skip { empty: false } => "skip",
        Decision::Skip { empty: true } => "skip loudly",
        Decision::Wait { stale: true } => "stale",
        Decision::Wait { stale: false } => "wait",
        Decision::Refuse { .. } => "refuse",
    };
    format!("{what} {}: {}", planned[0].execution_id.as_deref().unwrap_or("-"), why(&planned[0], MonthVerb::Load))
}

/// The decision, its delivery, and why, on 11 April.
fn decided_with(runs: &[Run], loaded: Option<LoadedMonth>) -> String {
    let candidate = |run: &Run| candidate(delivery(*run));
    let months = loaded.into_iter().map(|s| (s.record.billing_period, s)).collect();
    let decide = |candidates| described(&plan(candidates, &months, &Selection::default(), &RULES));
    let decision = decide(runs.iter().map(candidate).collect());
    assert_eq!(decide(runs.iter().rev().map(candidate).collect()), decision, "the order of the runs does not count");
    decision
}

fn decided(runs: &[Run], loaded: Option<Run>) -> String {
    decided_with(runs, loaded.map(loaded_month))
}

const FIRST: Run = run("first", 1, 31);
const SECOND: Run = run("second", 2, 31);
const NARROW: Run = run("narrow", 3, 5);
const EMPTY: Run = Run { rows: 0, ..run("empty", 4, 31) };

fn partly(run: Run) -> Run {
    Run { there: 1, ..run }
}

fn gone(run: Run) -> Run {
    Run { there: 0, ..run }
}

#[test]
fn the_newest_run_counts() {
    assert_eq!(decided(&[FIRST, SECOND], None), "load second: not loaded yet");
    assert_eq!(decided(&[FIRST, SECOND], Some(FIRST)), "reload second: new delivery, in place of first");
    assert_eq!(decided(&[FIRST, SECOND], Some(SECOND)), "skip second: already loaded on 2025-04-05 00:00 UTC");
    let wider = run("wider", 2, 21);
    assert_eq!(
        decided(&[NARROW, wider], Some(NARROW)),
        "reload wider: new delivery, in place of narrow; \
         the newer narrow is left out: it ends with 2025-03-05, not 2025-03-21"
    );
}

#[test]
fn a_narrower_run_never_replaces_a_wider_one() {
    let why = "; the newer narrow is left out: it ends with 2025-03-05, not 2025-03-31";
    assert_eq!(decided(&[FIRST, NARROW], None), format!("load first: not loaded yet{why}"));
    assert_eq!(
        decided(&[FIRST, NARROW], Some(FIRST)),
        format!("skip first: already loaded on 2025-04-05 00:00 UTC{why}")
    );
    assert_eq!(
        decided(&[gone(FIRST), NARROW], Some(FIRST)),
        format!("skip first: already loaded; its source files are no longer there{why}")
    );
    let shrunk = LoadedMonth { rows_in_table: 4, ..loaded_month(FIRST) };
    assert!(decided_with(&[gone(FIRST), NARROW], Some(shrunk)).starts_with("stale first: "));
}

#[test]
fn an_empty_run_never_replaces_a_fuller_one() {
    let why = "; the newer empty is left out: it is empty";
    assert_eq!(decided(&[FIRST, EMPTY], None), format!("load first: not loaded yet{why}"));
    assert_eq!(
        decided(&[FIRST, EMPTY], Some(FIRST)),
        format!("skip first: already loaded on 2025-04-05 00:00 UTC{why}")
    );
    for loaded in [None, Some(FIRST)] {
        assert_eq!(decided(&[EMPTY], loaded), "skip loudly empty: empty delivery: its manifest counts no rows");
    }
}

#[test]
fn a_wider_delivery_stays_loaded_without_its_manifest_unless_its_rows_are_lost() {
    let why = "first is loaded and covers the month until 2025-03-31; narrow ends with 2025-03-05 and is left out";
    for narrow in [NARROW, partly(NARROW)] {
        assert_eq!(decided(&[narrow], Some(FIRST)), format!("skip narrow: {why}"));
    }
    let lost = LoadedMonth { rows_in_table: 3, ..loaded_month(FIRST) };
    assert_eq!(decided_with(&[NARROW], Some(lost)), "reload narrow: the table has 3 of the 5 rows that were loaded");
    let unknown =
        LoadedMonth { record: LoadRecord { covers_until: None, ..loaded_month(FIRST).record }, rows_in_table: 5 };
    assert_eq!(decided_with(&[NARROW], Some(unknown)), "reload narrow: new delivery, in place of first");
}

#[test]
fn manifests_that_cannot_be_used_are_named_beside_what_is_done_with_the_others() {
    let broken = |uri: &str| Candidate {
        billing_period: "2025-03".parse().unwrap(),
        manifest_uri: uri.to_owned(),
        delivery: Err(ManifestError::Malformed("no JSON".to_owned())),
    };
    let decided = |runs: &[Run], broken: &[Candidate], loaded: Option<Run>| {
        let months = loaded.map(loaded_month).into_iter().map(|s| (s.record.billing_period, s)).collect();
        let candidates: Vec<_> = runs.iter().map(|run| candidate(delivery(*run))).chain(broken.to_vec()).collect();
        let turned = candidates.iter().rev().cloned().collect();
        let decided = described(&plan(candidates, &months, &Selection::default(), &RULES));
        assert_eq!(
            described(&plan(turned, &months, &Selection::default(), &RULES)),
            decided,
            "the order of the runs does not count"
        );
        decided
    };
    let one = [broken("gs://b/2/manifest.json")];
    let three = ["1", "3", "2"].map(|run| broken(&format!("gs://b/{run}/manifest.json")));
    let what =
        |run: u8| format!("manifest gs://b/{run}/manifest.json: it is not a manifest of a billing export: no JSON");
    let left_out = format!("; left out: {}", what(2));
    assert_eq!(decided(&[FIRST], &one, None), format!("load first: not loaded yet{left_out}"));
    assert_eq!(
        decided(&[FIRST], &one, Some(FIRST)),
        format!("skip first: already loaded on 2025-04-05 00:00 UTC{left_out}")
    );
    assert!(decided(&[FIRST, partly(SECOND)], &one, None).ends_with(&left_out));
    assert!(decided(&[FIRST, NARROW], &one, None).ends_with(&format!("2025-03-31{left_out}")));
    let many = format!("{} (and 2 more that cannot be used)", what(3));
    assert_eq!(decided(&[FIRST], &three, None), format!("load first: not loaded yet; left out: {many}"));
    assert_eq!(decided(&[], &three, None), format!("refuse -: {many}"));
    assert_eq!(decided(&[], &one, Some(FIRST)), format!("refuse -: {}", what(2)));
}

#[test]
fn files_of_another_size_are_not_gone() {
    let mut whole = delivery(FIRST);
    whole.manifest.files.iter_mut().for_each(|file| file.bytes = Some(2));
    let stored = whole
        .manifest
        .files
        .iter()
        .zip(&whole.files)
        .map(|(listed, file)| (listed.relative_path.clone(), file.clone()));
    let resized =
        Delivery::new(whole.manifest.clone(), whole.manifest_uri.clone(), whole.delivered_at, stored.collect());
    let waits = decided_over_first(resized);
    assert!(waits.starts_with("stale first: waiting for 2 of 2 files (2 there in another size) for 24 h: "), "{waits}");
}

#[test]
fn an_older_run_is_loaded_while_the_newest_waits() {
    let waits = "waiting for 1 of 2 files for 24 h: 20250301-20250331/second/2.csv";
    assert_eq!(decided(&[FIRST, partly(SECOND)], None), format!("load first: not loaded yet; second is still {waits}"));
    let older = run("older", 1, 21);
    assert_eq!(
        decided(&[older, FIRST, partly(SECOND)], Some(older)),
        format!("reload first: new delivery, in place of older; second is still {waits}")
    );
    let lost = LoadedMonth { rows_in_table: 0, ..loaded_month(SECOND) };
    assert!(decided_with(&[FIRST, gone(SECOND)], Some(lost)).starts_with("load first: "));
}

#[test]
fn a_run_that_waits_too_long_is_stale_once_its_fallback_is_loaded() {
    let waits = "stale second: waiting for 1 of 2 files for 24 h: 20250301-20250331/second/2.csv";
    assert_eq!(decided(&[FIRST, partly(SECOND)], Some(FIRST)), waits);
    assert_eq!(decided(&[FIRST, partly(SECOND)], Some(SECOND)), waits);
    assert_eq!(decided(&[partly(FIRST), partly(SECOND)], None), waits);
}

#[test]
fn a_load_whose_manifest_is_gone_is_replaced_by_what_was_issued_after_it() {
    let forgotten = Some(run("forgotten", 1, 21));
    let (after, before) = (run("after", 7, 21), run("before", 2, 21));
    assert!(decided(&[after, partly(SECOND)], forgotten).starts_with("reload after: "));
    assert!(decided(&[before, partly(SECOND)], forgotten).starts_with("stale second: "));
    let fuller = Some(run("fuller", 1, 31));
    assert!(decided(&[after, partly(SECOND)], fuller).starts_with("stale second: "));
    let recorded = LoadRecord { issued_at: Some(april(6)), ..loaded_month(run("forgotten", 1, 21)).record };
    let between = run("between", 5, 21);
    let decided =
        |run| decided_with(&[run, partly(SECOND)], Some(LoadedMonth { record: recorded.clone(), rows_in_table: 5 }));
    assert!(decided(between).starts_with("stale second: "), "issued before the one that is loaded");
    assert!(decided(after).starts_with("reload after: "));
    assert!(decided(run("same-time", 6, 21)).starts_with("stale second: "), "issued when the one that is loaded was");
}

#[test]
fn a_month_waits_for_missing_files_up_to_the_limit_and_no_longer() {
    let month = loaded_month(FIRST);
    let decided = |wait_max| decided_over(delivery(partly(SECOND)), month.clone(), &Rules { wait_max, ..RULES });
    assert!(decided(SignedDuration::from_hours(24)).starts_with("wait second: "));
    assert!(decided(SignedDuration::from_secs(24 * 3600 - 1)).starts_with("stale second: "));
}

#[test]
fn only_three_missing_files_are_named() {
    let missing = |count: usize| {
        let mut waits = delivery(partly(FIRST));
        waits.missing = ["a", "b", "c", "d"][..count].iter().map(|name| (*name).to_owned()).collect();
        decided_over_first(waits)
    };
    assert!(missing(3).ends_with(": a, b, c"), "{}", missing(3));
    assert!(missing(4).ends_with(": a, b, c, ..."), "{}", missing(4));
}

#[test]
fn only_another_delivery_that_is_newer_is_named_as_left_out() {
    let second_day = |id| run(id, 2, 5);
    let load = "load second: not loaded yet";
    assert_eq!(decided(&[SECOND, second_day("same-time")], None), load);
    // AWS keeps an assembly's id where it delivers it again.
    assert_eq!(decided(&[SECOND, Run { issued: 3, ..second_day("second") }], None), load);
    let later = decided(&[SECOND, Run { issued: 3, ..second_day("later") }], None);
    assert!(later.starts_with(&format!("{load}; the newer later is left out")), "{later}");
}

/// The second run over the first, which is loaded since 5 April; with the times of its manifest and its files.
fn overwritten(manifest: &str, files: [&str; 2]) -> Delivery {
    let mut delivery = delivery(SECOND);
    delivery.manifest.overwrites_previous = true;
    delivery.delivered_at = manifest.parse().unwrap();
    for (file, updated) in delivery.files.iter_mut().zip(files) {
        file.updated = updated.parse().unwrap();
    }
    delivery
}

fn decided_over(delivery: Delivery, loaded: LoadedMonth, rules: &Rules) -> String {
    let months = BTreeMap::from([(loaded.record.billing_period, loaded)]);
    described(&plan(vec![candidate(delivery)], &months, &Selection::default(), rules))
}

fn decided_over_first(delivery: Delivery) -> String {
    decided_over(delivery, loaded_month(FIRST), &RULES)
}

const BEFORE: &str = "2025-04-04T00:00Z";
const EARLY: &str = "2025-04-10T03:00Z";
const LATE: &str = "2025-04-10T06:00Z";
const LOAD: &str = "reload second: new delivery, in place of first";
const ONE_LEFT: &str = "1 of 2 files to be replaced: 20250301-20250331/second/2.csv, unchanged since the load of \
                        2025-04-05 00:00 UTC; if they are not, the month is loaded with them after 2025-04-11 02:00 UTC";

#[test]
fn files_that_were_all_replaced_are_loaded_at_once() {
    for manifest in [BEFORE, EARLY, LATE] {
        assert_eq!(decided_over_first(overwritten(manifest, [EARLY, LATE])), LOAD);
    }
}

#[test]
fn a_mirror_that_has_replaced_some_files_is_waited_for() {
    for (manifest, files) in [(EARLY, [LATE, BEFORE]), (LATE, [EARLY, BEFORE]), (BEFORE, [LATE, BEFORE])] {
        assert_eq!(decided_over_first(overwritten(manifest, files)), format!("wait second: waiting for {ONE_LEFT}"));
    }
    let manifest_first = decided_over_first(overwritten(LATE, [BEFORE, BEFORE]));
    assert!(manifest_first.starts_with("wait second: waiting for 2 of 2 files to be replaced: "), "{manifest_first}");
    let mut same_id = loaded_month(FIRST);
    same_id.record.execution_id = "second".to_owned();
    let decided = decided_over(overwritten(EARLY, [LATE, BEFORE]), same_id, &RULES);
    assert_eq!(decided, format!("wait second: waiting for {ONE_LEFT}"));
}

#[test]
fn a_month_that_has_waited_for_its_mirror_is_loaded_with_the_files_that_did_not_change() {
    let rules = |hours| Rules { wait_max: SignedDuration::from_hours(hours), ..RULES };
    let decided = |files, hours| decided_over(overwritten(EARLY, files), loaded_month(FIRST), &rules(hours));
    let named = "20250301-20250331/second/2.csv, unchanged since the load of 2025-04-05 00:00 UTC";
    assert_eq!(decided([LATE, BEFORE], 17), format!("{LOAD}, except 1 of 2 files: {named}"));
    // The mirror replaces files again.
    assert!(decided([LATE, BEFORE], 18).starts_with("wait "));
    assert!(decided([EARLY, BEFORE], 18).starts_with("reload "));
}

#[test]
fn where_sizes_agree_a_month_waits_no_longer_since_its_last_load_however_often_deliveries_come() {
    let mut sized = overwritten(EARLY, [LATE, BEFORE]);
    sized.manifest.files.iter_mut().for_each(|file| file.bytes = Some(1));
    let decided = |hours| {
        let rules = Rules { wait_max: SignedDuration::from_hours(hours), ..RULES };
        decided_over(sized.clone(), loaded_month(FIRST), &rules)
    };
    assert!(decided(20).starts_with(&format!("{LOAD}, except 1 of 2 files")));
    let waits = decided(24 * 7);
    assert!(waits.starts_with("wait ") && waits.ends_with("after 2025-04-12 00:00 UTC"), "{waits}");
}

#[test]
fn only_file_times_after_the_load_show_that_a_mirror_replaces_files() {
    assert_eq!(decided_over_first(overwritten(BEFORE, [BEFORE, BEFORE])), LOAD);
    // Files that were replaced during the load may not be in the table.
    let mut slow = loaded_month(FIRST);
    slow.record.run_id = "20250404T230000Z-abcdef".to_owned();
    let replaced = |files| decided_over(overwritten(BEFORE, files), slow.clone(), &RULES);
    assert_eq!(replaced(["2025-04-04T23:30Z", LATE]), LOAD);
    assert!(replaced(["2025-04-04T23:30Z", BEFORE]).starts_with(&format!("{LOAD}, except 1 of 2 files")));
    // A file with the time at which the loaded ones were listed may be new.
    let listed = "2025-04-04T23:00Z";
    assert_eq!(replaced([listed, LATE]), LOAD);
    assert!(replaced([listed, BEFORE]).starts_with(&format!("{LOAD}, except 1 of 2 files")));
}

#[test]
fn a_delivery_in_its_own_folder_a_forced_one_and_a_repair_do_not_wait_for_a_mirror() {
    let in_flight = overwritten(EARLY, [LATE, BEFORE]);
    let mut versioned = in_flight.clone();
    versioned.manifest.overwrites_previous = false;
    assert_eq!(decided_over_first(versioned), LOAD);
    let forced = Rules { force: true, ..RULES };
    assert_eq!(decided_over(in_flight.clone(), loaded_month(FIRST), &forced), "reload second: reload asked for");
    let shrunk = LoadedMonth { rows_in_table: 4, ..loaded_month(FIRST) };
    assert!(
        decided_over(in_flight.clone(), shrunk, &RULES).starts_with("reload second: the table has 4 of the 5 rows")
    );
    let missing = Delivery { missing: vec!["3.csv".to_owned()], ..in_flight };
    assert!(decided_over_first(missing).contains("waiting for 1 of 2 files for "));
}

#[test]
fn a_month_whose_manifest_was_archived_after_its_load_is_unchanged() {
    let archived = |day: i8| Candidate {
        billing_period: "2025-03".parse().unwrap(),
        manifest_uri: "s3://b/m".to_owned(),
        delivery: Err(ManifestError::Archived { written: april(day) }),
    };
    let other = Candidate {
        delivery: Err(ManifestError::OtherKind { found: ExportKind::Cur2, kind: "cur".to_owned(), of: "the table" }),
        ..archived(4)
    };
    let decided = |candidates: &[Candidate], loaded: Option<LoadedMonth>, rules: &Rules| {
        let months = loaded.map(|loaded| (loaded.record.billing_period, loaded)).into_iter().collect();
        described(&plan(candidates.to_vec(), &months, &Selection::default(), rules))
    };
    let skipped = "skip -: already loaded on 2025-04-05 00:00 UTC; its delivery was archived since";
    assert_eq!(decided(&[archived(4)], Some(loaded_month(FIRST)), &RULES), skipped);
    assert_eq!(decided(&[archived(4), other.clone()], Some(loaded_month(FIRST)), &RULES), skipped);
    // It must be restored if it was written after the load, if rows are missing, or if the load is forced.
    let part = LoadedMonth { rows_in_table: 4, ..loaded_month(FIRST) };
    let malformed = Candidate { delivery: Err(ManifestError::Malformed("no JSON".to_owned())), ..archived(6) };
    for (candidates, loaded, rules) in [
        (vec![archived(6)], Some(loaded_month(FIRST)), RULES),
        (vec![archived(4)], None, RULES),
        (vec![archived(4)], Some(part), RULES),
        (vec![archived(4)], Some(loaded_month(FIRST)), Rules { force: true, ..RULES }),
        (vec![archived(4), malformed], Some(loaded_month(FIRST)), RULES),
        (vec![other], Some(loaded_month(FIRST)), RULES),
    ] {
        let decided = decided(&candidates, loaded, &rules);
        assert!(decided.starts_with("refuse -: manifest s3://b/m: "), "{decided}");
    }
    let refused = plan(vec![archived(4)], &BTreeMap::new(), &Selection::default(), &RULES);
    assert!(matches!(refused[0].decision, Decision::Refuse { hint } if hint == hint::RESTORE_ARCHIVED));
}
