//! A table has one kind of rows.

use std::collections::{BTreeMap, HashMap};

use finops_core::{
    BillingPeriod,
    model::{
        delivery::Delivery,
        kind::ExportKind,
        load_record::{LoadRecord, LoadStatus, LoadedMonth},
        manifest::{FileFormat, Manifest, ManifestError},
    },
    plan::{Candidate, kinds::keep_one_kind},
};
use jiff::Timestamp;
use proptest::{collection, option, prelude::*, sample};

use crate::few_months;

fn kind() -> impl Strategy<Value = ExportKind> {
    sample::select(vec![ExportKind::Cur, ExportKind::Cur2, ExportKind::Focus])
}

fn candidate(at: usize, period: BillingPeriod, kind: ExportKind, hour: i64) -> Candidate {
    let manifest = Manifest {
        issued_at: Some(Timestamp::from_second(1_760_000_000 + hour * 3600).unwrap()),
        ..Manifest::new(kind, "cur", period, at.to_string(), FileFormat::Csv)
    };
    let manifest_uri = format!("s3://b/{at}");
    let mut delivery = Delivery::new(manifest, manifest_uri.clone(), Timestamp::UNIX_EPOCH, HashMap::new());
    delivery.fingerprint = format!("fingerprint {at}");
    Candidate { billing_period: period, manifest_uri, delivery: Ok(delivery) }
}

fn loaded_month(
    period: BillingPeriod,
    kind: Option<ExportKind>,
    fingerprint: String,
    rows_in_table: u64,
) -> LoadedMonth {
    let record = LoadRecord {
        pipeline: "aws".to_owned(),
        export_name: "cur".to_owned(),
        table_name: "t".to_owned(),
        billing_period: period,
        sequence: 1,
        execution_id: "loaded".to_owned(),
        fingerprint,
        manifest_uri: "s3://b/m".to_owned(),
        job_id: None,
        status: LoadStatus::Loaded,
        rows: 1,
        files: 1,
        bytes: 1,
        cost: BTreeMap::new(),
        previous_execution_id: None,
        run_id: "r".to_owned(),
        loaded_at: Timestamp::UNIX_EPOCH,
        kind: kind.map(|kind| kind.as_str().to_owned()),
        issued_at: None,
        covers_until: None,
        cost_net: None,
        scopes: None,
    };
    LoadedMonth { record, rows_in_table }
}

fn kinds_of(candidates: &[Candidate]) -> Vec<Option<ExportKind>> {
    candidates.iter().map(|candidate| candidate.delivery.as_ref().ok().map(|d| d.manifest.kind)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_tables_kind_counts_before_any_delivery_and_no_delivery_of_it_is_refused(
        found in collection::vec((few_months(), kind(), 0..9i64), 1..6),
        recorded in option::of(kind()),
        of_columns in option::of(kind()),
        rows in 0..2u64,
        loaded in few_months(),
        is_there in any::<bool>(),
    ) {
        let mut candidates: Vec<Candidate> =
            found.iter().enumerate().map(|(at, (period, kind, hour))| candidate(at, *period, *kind, *hour)).collect();
        let same_month = candidates.iter().position(|candidate| candidate.billing_period == loaded).filter(|_| is_there);
        let fingerprint = same_month.map_or("gone".to_owned(), |at| format!("fingerprint {at}"));
        let months = BTreeMap::from([(loaded, loaded_month(loaded, recorded, fingerprint, rows))]);

        let newest = found.iter().enumerate().max_by_key(|(at, (period, _, hour))| (*period, *hour, *at));
        let newest = newest.map(|(_, (_, kind, _))| *kind);
        let of_table = recorded.or_else(|| same_month.map(|at| found[at].1)).or(of_columns).filter(|_| rows > 0);
        let expected = of_table.or(newest).unwrap();

        let kept = keep_one_kind(&mut candidates, &months, of_columns);

        let of_expected: Vec<_> = found.iter().map(|(_, kind, _)| Some(*kind).filter(|kind| *kind == expected)).collect();
        prop_assert_eq!(kinds_of(&candidates), of_expected.clone());
        prop_assert_eq!(kept, of_expected.into_iter().flatten().next());
        for refused in candidates.iter().filter_map(|candidate| candidate.delivery.as_ref().err()) {
            let ManifestError::OtherKind { found, kind, .. } = refused else { panic!("{refused}") };
            let between_versions = (*found == ExportKind::Cur) != (kind == "cur");
            prop_assert_eq!(refused.hint().contains("AWS_CUR_VERSION"), between_versions);
        }
    }
}
