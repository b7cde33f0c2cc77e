//! Rules of the core that hold for any input.

#![allow(clippy::unwrap_used, reason = "a failure is the test's result")]
#![allow(missing_docs, reason = "tests")]

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::Write,
};

use finops_core::{
    BillingPeriod, aws_cur, aws_data_exports, azure,
    csv_header::read_header,
    delivery::{Delivery, StoredFile},
    export::{ExportKind, ManifestLocation, Provider},
    manifest::{FileFormat, Manifest, ManifestError, ManifestFile},
    plan::{Candidate, Decision, PlannedMonth, Rules, plan},
    schema::{
        ChangeKind, Column, ColumnType, FileColumn, FileType, MapForm, MonthColumns, Reading, SchemaChange, TimeForm,
        additions, castings, column_names, known_type, prepared, refused, spelled_column_names, union,
    },
    state::{LoadRecord, LoadStatus, Standing},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use proptest::{collection, prelude::*, sample};

/// Months close together, so that deliveries and standing loads meet.
fn few_months() -> impl Strategy<Value = BillingPeriod> {
    (1..=6i8).prop_map(|month| BillingPeriod::containing(Date::constant(2025, month, 1)))
}

fn any_month() -> impl Strategy<Value = BillingPeriod> {
    (1..=9999i16, 1..=12i8, 1..=28i8)
        .prop_map(|(year, month, day)| BillingPeriod::containing(Date::constant(year, month, day)))
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (0..200i64).prop_map(|hours| Timestamp::from_second(1_760_000_000 + hours * 3600).unwrap())
}

/// A delivery that lists up to three files, some of which are there, with one of few contents.
fn delivery(number: usize) -> impl Strategy<Value = Delivery> {
    let files = collection::vec((any::<bool>(), 0..3u64, moment()), 0..4);
    let told =
        (proptest::option::of(moment()), proptest::option::of(1..4i8), proptest::option::of(0..2u64), any::<bool>());
    (few_months(), sample::select(vec!["a", "b"]), moment(), files, told).prop_map(
        move |(period, id, delivered_at, files, (issued, until, rows, in_place))| {
            let names: Vec<String> = (0..files.len()).map(|n| format!("{period}/{id}/cur-{n}.csv.gz")).collect();
            let manifest = Manifest {
                kind: ExportKind::Cur,
                issued,
                until: until.map(|day| Date::constant(2025, 1, day)),
                rows,
                in_place,
                format: FileFormat::Csv,
                export_name: "cur".to_owned(),
                billing_period: period,
                execution_id: id.to_owned(),
                columns: Vec::new(),
                files: names.iter().map(|tail| ManifestFile { tail: tail.clone(), bytes: None }).collect(),
            };
            let there = names.into_iter().zip(files).filter(|(_, (there, ..))| *there);
            let stored: HashMap<_, _> = there
                .map(|(key, (_, bytes, updated))| {
                    (key.clone(), StoredFile { key, bytes, updated, checksum: bytes.to_string() })
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
    }
}

/// What stands, at peace with its table or not.
fn standing() -> impl Strategy<Value = BTreeMap<BillingPeriod, Standing>> {
    let load = (sample::select(vec!["a", "b"]), any::<bool>(), 0..3u64, 0..3u64, moment());
    collection::btree_map(few_months(), load, 0..6).prop_map(|loads| {
        let standing = |(period, (id, verified, rows, rows_in_table, loaded_at))| {
            let fingerprint = format!("fingerprint {rows}");
            let mut record = LoadRecord { loaded_at, ..record(period, id, fingerprint, rows) };
            record.status = if verified { LoadStatus::Loaded } else { LoadStatus::Unverified };
            (period, Standing { record, rows_in_table })
        };
        loads.into_iter().map(standing).collect()
    })
}

fn rules(force: bool) -> Rules {
    Rules { force, now: Timestamp::from_second(1_761_000_000).unwrap(), wait_max: SignedDuration::from_hours(48) }
}

/// Carries out a plan: every month to load stands with its fingerprint, and the table has its rows.
fn apply(planned: &[PlannedMonth], standing: &mut BTreeMap<BillingPeriod, Standing>) {
    for month in planned {
        if let Decision::Load(delivery) | Decision::Reload(delivery) = &month.decision {
            let id = &delivery.manifest.execution_id;
            let record = record(month.billing_period, id, delivery.fingerprint.clone(), 10);
            standing.insert(month.billing_period, Standing { record, rows_in_table: 10 });
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
        candidates in candidates(), mut standing in standing(), force: bool,
    ) {
        let planned = plan(candidates.clone(), &standing, &rules(force));
        apply(&planned, &mut standing);
        let again = plan(candidates, &standing, &rules(false));
        prop_assert_eq!(planned.len(), again.len());
        for (before, after) in planned.iter().zip(&again) {
            let as_expected = match (kind(&before.decision), kind(&after.decision)) {
                ("load" | "reload", now) => now == "skip" || now == "wait",
                (then, now) => then == now,
            };
            prop_assert!(as_expected, "{}: {}; then: {}", after.billing_period, before.reason, after.reason);
        }
    }

    #[test]
    fn no_month_with_all_its_files_waits_longer_than_allowed_after_the_last_change_and_only_one_that_is_overwritten_waits(
        delivery in delivery(0), loaded_at in moment(), hours in 0..300i64,
    ) {
        let loaded = record(delivery.manifest.billing_period, "a", "another".to_owned(), 1);
        let standing = Standing { record: LoadRecord { loaded_at, ..loaded }, rows_in_table: 1 };
        let standing = BTreeMap::from([(delivery.manifest.billing_period, standing)]);
        let rules = Rules { wait_max: SignedDuration::from_hours(hours), ..rules(false) };
        let (billing_period, manifest_uri) = (delivery.manifest.billing_period, delivery.manifest_uri.clone());
        let candidate = Candidate { billing_period, manifest_uri, delivery: Ok(delivery.clone()) };
        let planned = plan(vec![candidate], &standing, &rules);
        if delivery.missing.is_empty() && kind(&planned[0].decision) == "wait" {
            let last_change = delivery.files.iter().map(|file| file.updated).max().max(Some(delivery.delivered_at));
            prop_assert!(delivery.manifest.in_place);
            prop_assert!(rules.now.duration_since(last_change.unwrap()) <= rules.wait_max, "{}", planned[0].reason);
        }
    }

    #[test]
    fn a_plan_has_each_month_once_and_the_newest_first(
        candidates in candidates(), standing in standing(), force: bool,
    ) {
        let found: HashSet<BillingPeriod> = candidates.iter().map(|c| c.billing_period).collect();
        let planned = plan(candidates, &standing, &rules(force));
        prop_assert!(planned.windows(2).all(|pair| pair[0].billing_period > pair[1].billing_period));
        prop_assert_eq!(planned.iter().map(|month| month.billing_period).collect::<HashSet<_>>(), found);
    }

    #[test]
    fn of_the_whole_deliveries_with_rows_the_widest_and_then_the_last_is_loaded(
        candidates in candidates(), standing in standing(), force: bool,
    ) {
        let order = |delivery: &Delivery| (delivery.manifest.until, delivery.issued());
        for month in plan(candidates.clone(), &standing, &rules(force)) {
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
    fn what_stands_never_gives_way_to_a_narrower_delivery(
        candidates in candidates(), standing in standing(), force: bool,
    ) {
        for month in plan(candidates.clone(), &standing, &rules(force)) {
            if let (Decision::Reload(delivery), Some(standing)) = (&month.decision, standing.get(&month.billing_period)) {
                let of_month = candidates.iter().filter(|c| c.billing_period == month.billing_period);
                let of_record = of_month
                    .filter_map(|c| c.delivery.as_ref().ok())
                    .filter(|d| d.manifest.execution_id == standing.record.execution_id && !d.is_empty());
                let widest = of_record.map(|d| d.manifest.until).max().flatten();
                prop_assert!(delivery.manifest.until >= widest, "{}", month.reason);
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

/// Headers of few letters, so that names collide, and any others.
fn headers() -> impl Strategy<Value = Vec<String>> {
    let header = prop_oneof![
        4 => "[abAB1:/_ ]{0,5}",
        1 => "_?_(table|TABLE|File|PARTITION|colIdentifier|change|root__)_x?",
        1 => "resourceTags/user:[nN]ame[0-9]?",
        1 => any::<String>(),
        1 => "[a-zA-Z0-9]{250,400}",
    ];
    collection::hash_set(header, 1..40).prop_map(|headers| headers.into_iter().collect())
}

const RESERVED_BY_BIGQUERY: &[&str] =
    &["_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier", "_change_"];

proptest! {
    #[test]
    fn names_are_valid_and_unique(headers in headers()) {
        let names = column_names(&headers).unwrap();
        prop_assert_eq!(names.iter().collect::<HashSet<_>>().len(), headers.len());
        for name in &names {
            prop_assert!(name.len() <= 300, "{} characters", name.len());
            prop_assert!(name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase()), "{name}");
            prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{name}");
            prop_assert!(!RESERVED_BY_BIGQUERY.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        }
    }

    #[test]
    fn names_as_spelled_are_valid_and_unique(headers in headers()) {
        let names = spelled_column_names(&headers, &["BilledCost"]).unwrap();
        let lower: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        prop_assert_eq!(lower.len(), headers.len());
        for name in &lower {
            prop_assert!(name.len() <= 300, "{} characters", name.len());
            prop_assert!(name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase()), "{name}");
            prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{name}");
            prop_assert!(!RESERVED_BY_BIGQUERY.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        }
    }

    #[test]
    fn a_name_does_not_depend_on_the_order_of_the_columns(
        (headers, shuffled) in headers().prop_flat_map(|headers| (Just(headers.clone()), Just(headers).prop_shuffle())),
    ) {
        let named = |headers: &[String]| -> HashMap<String, String> {
            headers.iter().cloned().zip(column_names(headers).unwrap()).collect()
        };
        prop_assert_eq!(named(&headers), named(&shuffled));
    }

    #[test]
    fn a_column_keeps_its_name_when_another_month_has_other_columns_beside_it(headers in headers()) {
        let others: Vec<String> = (0..5).map(|n| format!("zzz/Other{n}")).collect();
        let alone = column_names(&headers).unwrap();
        let beside = column_names(&[headers.clone(), others].concat()).unwrap();
        prop_assert_eq!(&alone[..], &beside[..headers.len()]);
    }
}

fn column_type() -> impl Strategy<Value = ColumnType> {
    use ColumnType::{Date, Decimal, Int64, String, Timestamp};
    sample::select(vec![String, Int64, Decimal, Timestamp, Date])
}

fn file_type() -> impl Strategy<Value = FileType> {
    use FileType::{Boolean, Date, Decimal, Double, Int64, LongDecimal, Map, Other, String, Text, TimeText, Timestamp};
    let parquet = sample::select(vec![String, Int64, Double, Decimal, LongDecimal, Timestamp, Date, Boolean, Other]);
    let time = sample::select(vec![TimeForm::Day, TimeForm::MonthFirst, TimeForm::Moment, TimeForm::Other]);
    let map = any::<[bool; 2]>().prop_map(|[numbers, by_the_book]| MapForm { numbers, by_the_book });
    prop_oneof![
        4 => proptest::option::of(column_type()).prop_map(Text),
        6 => parquet,
        1 => time.prop_map(TimeText),
        1 => map.prop_map(Map),
    ]
}

fn file_column((name, file_type): (&str, FileType)) -> FileColumn {
    FileColumn { name: name.to_owned(), file_name: name.to_owned(), file_type }
}

fn months() -> impl Strategy<Value = Vec<MonthColumns>> {
    let of_known_type = ["line_item_unblended_cost", "resource_tags_user_x", "date", "BillingPeriodStart"];
    let name = sample::select([&["a", "b", "c", "d"][..], &of_known_type].concat());
    let columns = collection::btree_map(name, file_type(), 0..6);
    collection::btree_map(few_months(), columns, 0..6).prop_map(|months| {
        let month = |(billing_period, columns): (_, BTreeMap<&str, _>)| MonthColumns {
            billing_period,
            columns: columns.into_iter().map(file_column).collect(),
            rows: None,
        };
        months.into_iter().map(month).collect()
    })
}

proptest! {
    #[test]
    fn a_union_of_schemas_does_not_depend_on_the_order_of_the_months(
        (months, shuffled) in months().prop_flat_map(|months| (Just(months.clone()), Just(months).prop_shuffle())),
    ) {
        let pillars = aws_cur::TABLE_LAYOUT.pillars(|_| false);
        prop_assert_eq!(union(&months, &pillars), union(&shuffled, &pillars));
    }

    #[test]
    fn a_union_has_every_column_once_with_a_type_that_holds_every_months_values(months in months()) {
        let union = union(&months, &aws_cur::TABLE_LAYOUT.pillars(|_| false));
        let types: HashMap<&str, ColumnType> = union.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
        prop_assert_eq!(types.len(), union.len());
        for FileColumn { name, file_type, .. } in months.iter().flat_map(|month| &month.columns) {
            let got = types[name.as_str()];
            match (file_type.asks_for(), known_type(name)) {
                (_, Some(known)) => prop_assert_eq!(got, known),
                (Some(asked), None) => {
                    prop_assert_eq!(got.join(asked), got, "{}: {} in one month, {} in the table", name, asked, got);
                    prop_assert_ne!(file_type.reading(got), Reading::Never);
                }
                (None, None) => {}
            }
        }
    }

    #[test]
    fn a_month_is_refused_exactly_where_a_column_cannot_become_the_tables_and_every_cast_is_told(months in months()) {
        let table = union(&months, &[]);
        let types: HashMap<&str, ColumnType> = table.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
        let changes = castings(&table, &months);
        for MonthColumns { billing_period, columns, .. } in &months {
            let readings = columns.iter().map(|c| (c, c.file_type.reading(types[c.name.as_str()])));
            let readings: Vec<_> = readings.collect();
            let never = readings.iter().any(|(_, reading)| *reading == Reading::Never);
            prop_assert_eq!(refused(&changes, *billing_period).is_some(), never);
            for (column, _) in readings.iter().filter(|(_, reading)| *reading == Reading::Cast) {
                let told = |change: &SchemaChange| {
                    change.column == column.name
                        && change.change == ChangeKind::Cast
                        && change.from.as_deref() == Some(&column.file_type.to_string())
                        && change.billing_periods.contains(billing_period)
                };
                prop_assert!(changes.iter().any(told), "{:?} into {}", column, types[column.name.as_str()]);
            }
        }
    }

    #[test]
    fn a_prepared_table_keeps_its_columns_in_place_and_has_every_column_of_the_months(
        months in months(),
        existing in collection::btree_map(sample::select(vec!["a", "b", "x"]), column_type(), 0..3),
    ) {
        let column = |(name, column_type): (&str, _)| Column { name: name.to_owned(), column_type };
        let existing: Vec<Column> = existing.into_iter().map(column).collect();
        let wanted = union(&months, &[]);
        let changes = additions(&existing, &wanted, &months);
        let columns = prepared(Some(&existing), &wanted, &changes);
        for (before, after) in existing.iter().zip(&columns) {
            let widened = (before.column_type, after.column_type) == (ColumnType::Int64, ColumnType::Decimal);
            prop_assert!(before == after || (before.name == after.name && widened));
        }
        let names: HashSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        prop_assert_eq!(names.len(), columns.len());
        prop_assert!(wanted.iter().all(|column| names.contains(column.name.as_str())));
        prop_assert!(additions(&columns, &wanted, &months).is_empty());
    }
}

fn location() -> ManifestLocation {
    aws_cur::locate("p", None, "p/cur/20250901-20251001/cur-Manifest.json").unwrap()
}

/// Manifests with one of their values replaced by anything.
fn odd_manifest() -> impl Strategy<Value = String> {
    let keys = vec!["assemblyId", "reportName", "billingPeriod", "compression", "contentType", "columns", "reportKeys"];
    let value = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        collection::vec(any::<String>(), 0..4).prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(|text| serde_json::json!({"start": text, "end": text})),
        any::<String>().prop_map(|text| serde_json::json!([format!("x/20250901-20251001/{text}")])),
        any::<String>().prop_map(|text| serde_json::json!([{"category": text, "name": text, "type": text}])),
    ];
    (sample::select(keys), value).prop_map(|(key, value)| {
        let mut manifest = serde_json::json!({
            "assemblyId": "a", "reportName": "cur", "compression": "GZIP", "contentType": "text/csv", "columns": [],
            "billingPeriod": {"start": "20250901T000000.000Z", "end": "20251001T000000.000Z"},
            "reportKeys": ["cur/20250901-20251001/a/cur-1.csv.gz"],
        });
        manifest[key] = value;
        manifest.to_string()
    })
}

fn data_export() -> ManifestLocation {
    aws_data_exports::locate("p", None, "p/x/metadata/BILLING_PERIOD=2025-09/x-Manifest.json").unwrap()
}

/// Manifests of data exports with one of their values replaced by anything.
fn odd_data_export() -> impl Strategy<Value = String> {
    let keys = vec!["executionId", "contentType", "compression", "columns", "dataFiles", "billingPeriod"];
    let value = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        collection::vec(any::<String>(), 0..4).prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(|text| serde_json::json!({"start": text, "end": text})),
        any::<String>().prop_map(|text| serde_json::json!([format!("s3://b/data/BILLING_PERIOD=2025-09/{text}.csv")])),
        "[a./\\\\]{0,8}".prop_map(|text| serde_json::json!([format!("data/billing_period=2025-09/{text}.csv")])),
        any::<String>()
            .prop_map(|text| serde_json::json!([{"name": text, "type": text}, {"name": "BillingPeriodStart"}])),
    ];
    (sample::select(keys), value).prop_map(|(key, value)| {
        let mut manifest = serde_json::json!({
            "columns": [{"name": "bill_billing_period_start_date"}],
            "dataFiles": ["s3://b/x/data/BILLING_PERIOD=2025-09/a/x-1.csv.gz"],
        });
        manifest[key] = value;
        manifest.to_string()
    })
}

fn azure_location() -> ManifestLocation {
    azure::locate("p", None, "p/daily/20250301-20250331/5f9a/manifest.json").unwrap()
}

/// Manifests of Azure with one of their values replaced by anything.
fn odd_azure_manifest() -> impl Strategy<Value = String> {
    let pointers = vec![
        "/blobCount",
        "/dataRowCount",
        "/exportConfig/type",
        "/exportConfig/exportName",
        "/deliveryConfig",
        "/deliveryConfig/fileFormat",
        "/deliveryConfig/dataOverwriteBehavior",
        "/runInfo/submittedTime",
        "/runInfo/runId",
        "/runInfo/startDate",
        "/runInfo/endDate",
        "/blobs",
        "/blobs/0/blobName",
        "/blobs/0/byteCount",
        "/blobs/0/dataRowCount",
    ];
    let value = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        "[0-9]{1,5}-[0-9]{2}-[0-9]{2}(T[0-9:.]{0,20}(Z|[+-][0-9:]{0,6})?)?".prop_map(serde_json::Value::from),
        "( |/)?(x/|\\.\\./)?20250301-20250331/(\\.{0,2}|x|\\\\)/.{0,5}".prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    (sample::select(pointers), value).prop_map(|(pointer, value)| {
        let mut manifest = serde_json::json!({
            "blobCount": 1, "dataRowCount": 1, "exportConfig": {"exportName": "daily", "type": "FocusCost"},
            "deliveryConfig": {"fileFormat": "Parquet", "dataOverwriteBehavior": "CreateNewReport"},
            "runInfo": {"submittedTime": "2025-03-21T21:04:06.5234447Z", "runId": "5f9a",
                "startDate": "2025-03-01T00:00:00", "endDate": "2025-03-21T00:00:00Z"},
            "blobs": [{"blobName": "daily/20250301-20250331/5f9a/a.parquet", "byteCount": 1, "dataRowCount": 1}],
        });
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest.to_string()
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_a_manifest_or_an_error(bytes: Vec<u8>) {
        let _ = aws_cur::parse(&location(), &bytes);
        let _ = aws_data_exports::parse(&data_export(), &bytes);
        let _ = azure::parse(&azure_location(), &bytes);
    }

    #[test]
    fn files_of_any_azure_manifest_stay_below_the_ranges_folder(manifest in odd_azure_manifest()) {
        if let Ok(manifest) = azure::parse(&azure_location(), manifest.as_bytes()) {
            prop_assert!(manifest.until.is_none_or(|until| BillingPeriod::containing(until) == manifest.billing_period));
            for file in &manifest.files {
                prop_assert!(file.tail.starts_with("20250301-20250331/"), "{file:?}");
                prop_assert!(!file.tail.split('/').any(|part| matches!(part, "" | "." | "..")), "{file:?}");
            }
        }
    }

    #[test]
    fn files_of_any_manifest_stay_below_the_exports_folder(manifest in odd_manifest()) {
        if let Ok(manifest) = aws_cur::parse(&location(), manifest.as_bytes()) {
            for file in &manifest.files {
                prop_assert!(file.tail.starts_with("20250901-20251001/"), "{file:?}");
                prop_assert!(!file.tail.split('/').any(|part| matches!(part, "" | "." | "..")), "{file:?}");
            }
        }
    }

    #[test]
    fn files_of_any_data_export_stay_in_its_folder_of_the_month(manifest in odd_data_export()) {
        if let Ok(manifest) = aws_data_exports::parse(&data_export(), manifest.as_bytes()) {
            prop_assert!(!manifest.execution_id.trim().is_empty());
            for file in &manifest.files {
                let tail = file.tail.to_lowercase();
                prop_assert!(tail.starts_with("data/billing_period=2025-09/"), "{file:?}");
                prop_assert!(!tail.split('/').any(|part| matches!(part, "" | "." | "..")), "{file:?}");
                prop_assert!(!tail.contains('\\'), "{file:?}");
            }
        }
    }

    #[test]
    fn any_key_is_a_manifests_or_not(prefix: String, key: String, period in "[0-9]{8}-[0-9]{8}") {
        let _ = aws_cur::locate(&prefix, None, &key);
        let _ = aws_cur::locate("", Some(&key), &format!("{key}/{period}/{key}-Manifest.json"));
        let _ = aws_data_exports::locate(&prefix, None, &key);
        let found = Provider::Aws.locate("p", None, &format!("p/metadata/BILLING_PERIOD=2025-09/{key}/x-Manifest.json"));
        prop_assert_eq!(found.is_some(), !key.contains('/'));
        let _ = azure::locate(&prefix, None, &key);
        for found in [format!("{key}/{period}/manifest.json"), format!("{period}/{key}/_manifest.json")] {
            if let Some(location) = azure::locate("", None, &found) {
                let folders = format!("{}{period}/", location.export_folder);
                prop_assert!(found.starts_with(&folders), "{location:?}");
            }
        }
    }

    #[test]
    fn any_bytes_are_a_header_or_an_error(bytes: Vec<u8>, whole: bool, cut: sample::Index) {
        let _ = read_header(&bytes, false, whole);
        let _ = read_header(&bytes, true, whole);
        let packed = gzip(&bytes);
        let _ = read_header(&packed[..cut.index(packed.len())], true, whole);
        prop_assert_eq!(read_header(&packed, true, true), read_header(&bytes, false, true));
    }
}
