//! A table takes rows of one kind: which of the deliveries that were found count.

use std::collections::BTreeMap;

use crate::{
    model::{
        delivery::Delivery, kind::ExportKind, load_record::LoadedMonth, manifest::ManifestError, period::BillingPeriod,
    },
    plan::{Candidate, rank},
};

/// Refuses the deliveries of another kind than the one that counts: the kind in the state, else that of the loaded deliveries
/// that are still there, else that of the loaded table's columns, else that of the newest delivery. Returns the kind, if a
/// delivery of it was found.
pub fn keep_one_kind(
    candidates: &mut [Candidate],
    loaded: &BTreeMap<BillingPeriod, LoadedMonth>,
    of_columns: Option<ExportKind>,
) -> Option<ExportKind> {
    let in_table = || loaded.values().rev().filter_map(LoadedMonth::record_if_in_table);
    let recorded = in_table().find_map(|record| record.kind.clone());
    let is_loaded = |delivery: &Delivery| {
        let record = loaded.get(&delivery.manifest.billing_period).and_then(LoadedMonth::record_if_in_table);
        record.is_some_and(|record| record.fingerprint == delivery.fingerprint)
    };
    let of_table = recorded
        .or_else(|| newest_kind(candidates, is_loaded).map(named))
        .or_else(|| of_columns.filter(|_| in_table().next().is_some()).map(named));
    let of_newest = || newest_kind(candidates, |_| true).map(|kind| (named(kind), "the export's newest delivery"));
    let (kind, of) = of_table.map(|kind| (kind, "the table")).or_else(of_newest)?;
    let mut kept = None;
    for candidate in candidates {
        match candidate.delivery.as_ref().map(|delivery| delivery.manifest.kind) {
            Ok(found) if found.as_str() == kind => kept = Some(found),
            Ok(found) => {
                let scope = candidate.delivery.as_ref().ok().and_then(|delivery| delivery.manifest.scope.clone());
                candidate.delivery = Err(ManifestError::OtherKind { found, kind: kind.clone(), of }.of_scope(scope));
            }
            Err(_) => {}
        }
    }
    kept
}

/// The kind of the newest delivery that is `wanted`: of the last month, the best one.
pub fn newest_kind(candidates: &[Candidate], wanted: impl Fn(&Delivery) -> bool) -> Option<ExportKind> {
    let deliveries = candidates.iter().filter_map(|candidate| candidate.delivery.as_ref().ok());
    let newest = deliveries.filter(|delivery| wanted(delivery)).max_by_key(|d| (d.manifest.billing_period, rank(d)));
    newest.map(|delivery| delivery.manifest.kind)
}

fn named(kind: ExportKind) -> String {
    kind.as_str().to_owned()
}
