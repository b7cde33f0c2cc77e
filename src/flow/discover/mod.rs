//! The deliveries of an export: manifests are found, read, and compared with the objects that they list.

mod files;
mod manifests;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use finops_core::{
    BillingPeriod,
    formats::{ParsedManifest, Written},
    model::{delivery::Delivery, kind::ExportKind, load_record::LoadRecord},
    plan::{Candidate, kinds::newest_kind, rank},
};
use futures::{StreamExt, TryStreamExt, future, stream};
use jiff::Timestamp;
use tracing::{Instrument, info_span};

pub use self::{
    files::is_unchanged,
    manifests::{all_manifests, exports_of},
};
use self::{
    files::list_files,
    manifests::{FoundManifest, Manifests, is_left_out, manifests, read_manifest},
};
use crate::{
    error::{Error, Result},
    flow::export::{Export, Months},
    storage::{REQUESTS, Store, absolute_uri},
    warehouse::Loaded,
};

/// The deliveries of one export.
#[derive(Debug, Default)]
pub struct Discovered {
    /// The export's name; `None` if there is no manifest.
    pub export_name: Option<String>,
    /// The kind of its rows; `None` if no manifest can be read.
    pub kind: Option<ExportKind>,
    /// The deliveries of each month that may count.
    pub candidates: Vec<Candidate>,
    /// When the newest delivery of all months was issued; `None` if a month cannot be read.
    pub newest_at: Option<Timestamp>,
    /// Months whose manifest or list of files the store did not return.
    pub unreadable: Vec<(BillingPeriod, Error)>,
}

/// Finds the deliveries of the wanted months, for a load. It needs the state, which was read before. So every delivery in the
/// state was listed, by the run that loaded it, before this listing begins.
///
/// # Errors
/// As [`deliveries`].
pub async fn discover(store: &Store, export: &Export, months: &Months, loaded: &Loaded) -> Result<Discovered> {
    list(store, export, months, loaded.records()).await
}

/// The deliveries of the wanted months, only to be shown. A load uses [`discover`].
///
/// # Errors
/// Those of the store while it lists manifests; `Configuration` if there are several exports. A failure of one month is part
/// of the result.
pub async fn deliveries(store: &Store, export: &Export, months: &Months) -> Result<Discovered> {
    list(store, export, months, &Records::new()).await
}

/// The record of each month.
type Records = BTreeMap<BillingPeriod, LoadRecord>;

async fn list(store: &Store, export: &Export, months: &Months, records: &Records) -> Result<Discovered> {
    let Manifests { export_name, manifests } = manifests(store, export).await?;
    let mut by_month: BTreeMap<BillingPeriod, Vec<FoundManifest>> = BTreeMap::new();
    let (wanted, others): (Vec<_>, Vec<_>) =
        manifests.into_iter().partition(|found| months.contain(found.location.billing_period));
    for found in wanted {
        by_month.entry(found.location.billing_period).or_default().push(found);
    }
    let read: Vec<_> = stream::iter(by_month)
        .map(|(period, runs)| async move {
            let span = info_span!("month", billing_period = %period);
            (period, candidates(store, export, period, runs, records.get(&period)).instrument(span).await)
        })
        .buffer_unordered(REQUESTS)
        .collect()
        .await;
    let mut discovered = Discovered { export_name, ..Discovered::default() };
    for (billing_period, read) in read {
        match read {
            Ok(candidates) => discovered.candidates.extend(candidates),
            Err(error) => discovered.unreadable.push((billing_period, error)),
        }
    }
    if discovered.unreadable.is_empty() {
        discovered.newest_at = newest_at(store, export, &discovered.candidates, others).await;
    }
    discovered.candidates.sort_by_key(|candidate| Reverse(candidate.billing_period));
    discovered.kind = newest_kind(&discovered.candidates, |_| true);
    // At the top of a bucket no folder has the name: the newest manifest has it.
    if discovered.export_name.as_deref() == Some("")
        && let Some(newest) = discovered.candidates.iter().find_map(|candidate| candidate.delivery.as_ref().ok())
    {
        discovered.export_name = Some(newest.manifest.export_name.clone());
    }
    Ok(discovered)
}

/// The months with a manifest, except those that the settings leave out; `None` if there is no manifest.
///
/// # Errors
/// As [`deliveries`].
pub async fn delivered_months(store: &Store, export: &Export) -> Result<Option<BTreeSet<BillingPeriod>>> {
    let Manifests { export_name, manifests } = manifests(store, export).await?;
    Ok(export_name.map(|_| manifests.iter().map(|found| found.location.billing_period).collect()))
}

/// When the newest delivery was issued: one of the wanted months, whose manifests were `read`, or one of the `others`.
async fn newest_at(
    store: &Store,
    export: &Export,
    read: &[Candidate],
    mut others: Vec<FoundManifest>,
) -> Option<Timestamp> {
    let newest = read.iter().filter_map(|candidate| candidate.delivery.as_ref().ok()).map(Delivery::issued_at).max();
    others.retain(|other| Some(other.issued_at()) > newest);
    others.sort_by_key(FoundManifest::issued_at);
    while let Some(found) = others.pop() {
        // A mirror may copy it long after it was issued.
        let issued = match read_manifest(store, &found).await {
            Ok(Ok(read)) if is_left_out(export, &found.location, &read.manifest) => continue,
            Ok(Ok(read)) => read.manifest.issued_at,
            _ => None,
        };
        return newest.max(Some(issued.unwrap_or(found.issued_at())));
    }
    newest
}

/// A month's deliveries, with the files of those that may count.
async fn candidates(
    store: &Store,
    export: &Export,
    billing_period: BillingPeriod,
    runs: Vec<FoundManifest>,
    record: Option<&LoadRecord>,
) -> Result<Vec<Candidate>> {
    let mut by_format: BTreeMap<&str, Vec<FoundManifest>> = BTreeMap::new();
    for run in runs {
        by_format.entry(run.format.name()).or_default().push(run);
    }
    let mut found: Vec<Run> = Vec::new();
    for mut runs in by_format.into_values() {
        let mut count = runs.len();
        // Of some formats only the newest manifest is read that the settings do not leave out.
        if runs.iter().any(|run| run.format.newest_only()) {
            runs.sort_by_key(|run| Reverse(run.issued_at()));
            count = 1;
        }
        let read: Vec<_> = stream::iter(runs)
            .map(|run| async move { read_run(store, export, billing_period, run).await })
            .buffered(REQUESTS.min(count))
            .try_filter_map(future::ok)
            .take(count)
            .try_collect()
            .await?;
        found.extend(read);
    }
    // For each scope and kind, files are listed from the best run on, until a run has all its files.
    found.sort_by(|a, b| match (&a.candidate.delivery, &b.candidate.delivery) {
        (Ok(a), Ok(b)) => rank(b).cmp(&rank(a)),
        (a, b) => a.is_err().cmp(&b.is_err()),
    });
    let mut by_scope: BTreeMap<_, Vec<Run>> = BTreeMap::new();
    for run in found {
        let of = |delivery: &Delivery| (delivery.manifest.kind.as_str(), delivery.manifest.scope.clone());
        by_scope.entry(run.candidate.delivery.as_ref().ok().map(of)).or_default().push(run);
    }
    let listed: Vec<Vec<Candidate>> = stream::iter(by_scope.into_values())
        .map(|runs| with_files(store, export, runs, record))
        .buffered(REQUESTS)
        .try_collect()
        .await?;
    Ok(listed.into_iter().flatten().collect())
}

/// A manifest that was read: a delivery without its files.
struct Run {
    export_folder: String,
    written: BTreeMap<String, Written>,
    candidate: Candidate,
}

/// Reads one manifest; `None` if the settings leave it out.
async fn read_run(
    store: &Store,
    export: &Export,
    billing_period: BillingPeriod,
    found: FoundManifest,
) -> Result<Option<Run>> {
    let read = read_manifest(store, &found).await?;
    if read.as_ref().is_ok_and(|read| is_left_out(export, &found.location, &read.manifest)) {
        return Ok(None);
    }
    let manifest_uri = store.uri(&found.location.key);
    let (delivery, written) = match read {
        Ok(ParsedManifest { manifest, written, origin }) => {
            let delivery = Delivery::new(manifest, manifest_uri.clone(), found.object.updated, HashMap::new());
            (Ok(Delivery { origin: origin.map(absolute_uri), ..delivery }), written)
        }
        Err(error) => (Err(error), BTreeMap::new()),
    };
    let candidate = Candidate { billing_period, manifest_uri, delivery };
    Ok(Some(Run { export_folder: found.location.export_folder, written, candidate }))
}

/// The runs of one scope, best first, with the files of those that may count. Pieces of a month count together, and so do runs
/// that the settings unite.
async fn with_files(
    store: &Store,
    export: &Export,
    runs: Vec<Run>,
    record: Option<&LoadRecord>,
) -> Result<Vec<Candidate>> {
    let mut has_whole = false;
    let mut candidates = Vec::with_capacity(runs.len());
    for Run { export_folder, written, mut candidate } in runs {
        if let Ok(delivery) = &mut candidate.delivery {
            let manifest = &delivery.manifest;
            let is_part = manifest.from.is_some() || export.options.keeps(&manifest.execution_id);
            if !has_whole || is_part {
                list_files(store, &export_folder, delivery, &written, record).await?;
                has_whole |= !is_part && delivery.missing.is_empty() && !delivery.files.is_empty();
            }
        }
        candidates.push(candidate);
    }
    Ok(candidates)
}
