//! Which deliveries are there: manifests found, read, and held against the objects that they list.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use finops_core::{
    BillingPeriod,
    aws_data_exports::is_data_export,
    azure,
    delivery::{Delivery, StoredFile},
    export::{ExportKind, ManifestLocation, Provider},
    hint,
    kinds::newest_kind,
    leave_out::LeaveOut,
    manifest::{Manifest, ManifestError, ManifestFile},
    plan::{Candidate, rank},
    run_id::began,
    staged::{self, Written},
    state::LoadRecord,
};
use futures::{StreamExt, TryStreamExt, future, stream};
use jiff::Timestamp;
use tracing::{Instrument, debug, info_span};

use crate::{
    config::{CurVersion, Export, Months},
    error::{Error, Kind, Result},
    storage::{Object, Part, REQUESTS, Store},
    warehouse::Loaded,
};

/// A manifest is some hundred kilobytes; what is larger by far is none.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// What was found of one export.
#[derive(Debug, Default)]
pub struct Discovered {
    /// The export's name; `None` where there is no manifest.
    pub export_name: Option<String>,
    /// What its rows are; `None` where no manifest could be read.
    pub kind: Option<ExportKind>,
    /// Of each month those that may count.
    pub candidates: Vec<Candidate>,
    /// When the newest delivery was issued, over all months, wanted or not; `None` where a month cannot be read.
    pub newest_at: Option<Timestamp>,
    /// Months of which the store would not tell: their manifest is there, but it or the list of their files was not given.
    pub unreadable: Vec<(BillingPeriod, Error)>,
}

/// Finds the deliveries of the months wanted, where the export lies, for a load. It needs what the state names: that was
/// read before, so that every delivery in it was listed, by the run that loaded it, before this listing begins.
///
/// # Errors
/// As [`deliveries`].
pub async fn discover(store: &Store, export: &Export, months: &Months, loaded: &Loaded) -> Result<Discovered> {
    list(store, export, months, loaded.records()).await
}

/// The deliveries of the months wanted, to be shown: what is loaded is decided on what [`discover`] finds.
///
/// # Errors
/// What the store says to the listing of manifests; `Configuration` where several exports lie there. What is wrong with
/// one month is part of the result.
pub async fn deliveries(store: &Store, export: &Export, months: &Months) -> Result<Discovered> {
    list(store, export, months, &Records::new()).await
}

/// What is recorded of each month.
type Records = BTreeMap<BillingPeriod, LoadRecord>;

async fn list(store: &Store, export: &Export, months: &Months, records: &Records) -> Result<Discovered> {
    let Manifests { export_name, manifests } = manifests(store, export).await?;
    let mut by_month: BTreeMap<BillingPeriod, Vec<(ManifestLocation, Object)>> = BTreeMap::new();
    let (wanted, others): (Vec<_>, Vec<_>) =
        manifests.into_iter().partition(|(location, _)| months.contain(location.billing_period));
    for (location, object) in wanted {
        by_month.entry(location.billing_period).or_default().push((location, object));
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
    let version = |kind| if kind == ExportKind::Cur { CurVersion::V1 } else { CurVersion::V2 };
    discovered.kind.map_or(Ok(()), |kind| check_version(export, version(kind)))?;
    // Where folders do not tell it, as at the top of a bucket, the newest manifest does.
    if discovered.export_name.as_deref() == Some("")
        && let Some(newest) = discovered.candidates.iter().find_map(|candidate| candidate.delivery.as_ref().ok())
    {
        discovered.export_name = Some(newest.manifest.export_name.clone());
    }
    Ok(discovered)
}

/// The months that the export has a manifest of, but for those that the settings leave out; `None` where it has none.
///
/// # Errors
/// As [`discover`], and `Configuration` where several exports lie there.
pub async fn delivered_months(store: &Store, export: &Export) -> Result<Option<BTreeSet<BillingPeriod>>> {
    let Manifests { export_name, manifests } = manifests(store, export).await?;
    Ok(export_name.map(|_| manifests.iter().map(|(location, _)| location.billing_period).collect()))
}

/// Refuses deliveries of another version than is asked for.
fn check_version(export: &Export, found: CurVersion) -> Result<()> {
    match export.options.cur_version.filter(|_| export.place.is_none()) {
        Some(wanted) if wanted != found => {
            let (wanted, found) = (format!("{wanted:?}").to_lowercase(), format!("{found:?}").to_lowercase());
            let message = format!("the setting cur_version is {wanted}, and the export that lies there is of {found}");
            Err(Error::new(Kind::Configuration, message).hint(hint::CUR_VERSION))
        }
        _ => Ok(()),
    }
}

/// The manifests of the version that the setting names; what lies in folders of finops's own does not tell it.
///
/// # Errors
/// `Configuration` where only the other version is there.
fn of_version(export: &Export, mut found: Vec<(ManifestLocation, Object)>) -> Result<Vec<(ManifestLocation, Object)>> {
    let Some(wanted) = export.options.cur_version.filter(|_| export.place.is_none()) else { return Ok(found) };
    let version = |location: &ManifestLocation| if is_data_export(location) { CurVersion::V2 } else { CurVersion::V1 };
    let other = found.first().map(|(location, _)| version(location));
    found.retain(|(location, _)| version(location) == wanted);
    match other {
        Some(other) if found.is_empty() => check_version(export, other).map(|()| found),
        _ => Ok(found),
    }
}

/// When the newest delivery was issued: of the months that are wanted, whose manifests were read, or of the `others`.
async fn newest_at(
    store: &Store,
    export: &Export,
    read: &[Candidate],
    mut others: Vec<(ManifestLocation, Object)>,
) -> Option<Timestamp> {
    let newest = read.iter().filter_map(|candidate| candidate.delivery.as_ref().ok()).map(Delivery::issued).max();
    others.retain(|other| Some(listed_at(other)) > newest);
    others.sort_by_key(listed_at);
    while let Some((location, object)) = others.pop() {
        // A mirror may have copied it long after it was issued.
        let issued = match read_manifest(store, export, &location, &object).await {
            Ok(Ok((manifest, _))) if is_left_out(export, &location, &manifest) => continue,
            Ok(Ok((manifest, _))) => manifest.issued,
            _ => None,
        };
        return newest.max(Some(issued.unwrap_or(listed_at(&(location, object)))));
    }
    newest
}

/// Whether the settings leave out what this manifest delivers.
fn is_left_out(export: &Export, location: &ManifestLocation, manifest: &Manifest) -> bool {
    let LeaveOut { setting, .. } = &export.options.leave_out;
    let folder = &location.export_folder;
    let is_left_out = export.options.leave_out.has_delivery(export.provider, &export.prefix, folder, manifest);
    if is_left_out {
        debug!(manifest = location.key, setting, "left out");
    }
    is_left_out
}

/// When a delivery was issued, as far as the listing tells.
fn listed_at((location, object): &(ManifestLocation, Object)) -> Timestamp {
    location.issued.unwrap_or(object.updated)
}

/// A month's deliveries, with the files of those that may count.
async fn candidates(
    store: &Store,
    export: &Export,
    billing_period: BillingPeriod,
    mut runs: Vec<(ManifestLocation, Object)>,
    record: Option<&LoadRecord>,
) -> Result<Vec<Candidate>> {
    // Where keys tell which is the newest of each version, as AWS's do, the others need not be read, unless the settings leave
    // it out.
    let mut counted = runs.len();
    let mut versions: BTreeMap<bool, Vec<(ManifestLocation, Object)>> = BTreeMap::new();
    if export.provider == Provider::Aws && export.place.is_none() {
        runs.sort_by_key(|run| Reverse(listed_at(run)));
        counted = 1;
    }
    for run in runs {
        versions.entry(is_data_export(&run.0)).or_default().push(run);
    }
    let mut found: Vec<(String, Known, Candidate)> = Vec::new();
    for runs in versions.into_values() {
        let of_version: Vec<_> = stream::iter(runs)
            .map(|(location, object)| async move {
                let manifest = read_manifest(store, export, &location, &object).await?;
                if manifest.as_ref().is_ok_and(|(manifest, _)| is_left_out(export, &location, manifest)) {
                    return Ok(None);
                }
                let manifest_uri = store.uri(&location.key);
                let unlisted = |manifest| Delivery::new(manifest, manifest_uri.clone(), object.updated, HashMap::new());
                let (manifest, written) = match manifest {
                    Ok((manifest, written)) => (Ok(manifest), written),
                    Err(error) => (Err(error), Known::new()),
                };
                let delivery = manifest.map(unlisted);
                Ok::<_, Error>(Some((
                    location.export_folder,
                    written,
                    Candidate { billing_period, manifest_uri, delivery },
                )))
            })
            .buffered(REQUESTS.min(counted.max(1)))
            .try_filter_map(future::ok)
            .take(counted)
            .try_collect()
            .await?;
        found.extend(of_version);
    }
    // Of each scope and kind, files are listed from the best run on, until one has all of them.
    found.sort_by(|(.., a), (.., b)| match (&a.delivery, &b.delivery) {
        (Ok(a), Ok(b)) => rank(b).cmp(&rank(a)),
        (a, b) => a.is_err().cmp(&b.is_err()),
    });
    let mut by_scope: BTreeMap<_, Vec<(String, Known, Candidate)>> = BTreeMap::new();
    for run in found {
        let of = |delivery: &Delivery| (delivery.manifest.kind.as_str(), delivery.manifest.scope.clone());
        by_scope.entry(run.2.delivery.as_ref().ok().map(of)).or_default().push(run);
    }
    let listed: Vec<Vec<Candidate>> = stream::iter(by_scope.into_values())
        .map(|runs| with_files(store, export, runs, record))
        .buffered(REQUESTS)
        .try_collect()
        .await?;
    Ok(listed.into_iter().flatten().collect())
}

/// The runs of one scope, best first, with their files, as far as they may count: pieces of a month do together, and those
/// that the settings unite with others.
async fn with_files(
    store: &Store,
    export: &Export,
    runs: Vec<(String, Known, Candidate)>,
    record: Option<&LoadRecord>,
) -> Result<Vec<Candidate>> {
    let mut has_whole = false;
    let mut candidates = Vec::with_capacity(runs.len());
    for (export_folder, written, mut candidate) in runs {
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

/// Holds the delivery against the files that are there.
async fn list_files(
    store: &Store,
    export_folder: &str,
    delivery: &mut Delivery,
    written: &Known,
    record: Option<&LoadRecord>,
) -> Result<()> {
    let listed = listed_files(store, export_folder, &delivery.manifest).await?;
    let recorded = unread(store, delivery, &listed, record).await;
    let stored = match recorded {
        Some(_) => listed.into_iter().map(|(tail, object)| (tail, stored_file(object, String::new()))).collect(),
        None => stored_files(store, listed, written).await?,
    };
    *delivery = Delivery::new(delivery.manifest.clone(), delivery.manifest_uri.clone(), delivery.delivered_at, stored);
    if let Some(fingerprint) = recorded {
        fingerprint.clone_into(&mut delivery.fingerprint);
    }
    Ok(())
}

/// The manifests of the one export that lies there, but for those that the settings leave out.
struct Manifests {
    /// `None` where there are none, not even some that are left out.
    export_name: Option<String>,
    manifests: Vec<(ManifestLocation, Object)>,
}

async fn manifests(store: &Store, export: &Export) -> Result<Manifests> {
    let mut found = of_version(export, all_manifests(store, export, export.name.as_deref()).await?)?;
    let name = |found: &[(ManifestLocation, Object)]| found.first().map(|(location, _)| location.export_name.clone());
    let of_all = name(&found);
    let leave_out = &export.options.leave_out;
    found.retain(|(location, _)| {
        let is_left_out = leave_out.has_folder(export.provider, &export.prefix, &location.key);
        if is_left_out {
            debug!(manifest = location.key, setting = leave_out.setting, "left out");
        }
        !is_left_out
    });
    let exports = exports_of(&found);
    if exports.len() > 1 {
        let list: Vec<String> =
            exports.iter().map(|(name, folder)| format!("`{name}` in {}", store.uri(folder))).collect();
        return Err(Error::new(
            Kind::Configuration,
            format!("several exports lie below {}: {}", store.uri(&export.prefix), list.join(", ")),
        )
        .hint(match &export.name {
            None => hint::name_export(export.name_variable()),
            Some(_) => hint::NARROWER_PREFIX.to_owned(),
        }));
    }
    Ok(Manifests { export_name: name(&found).or(of_all), manifests: found })
}

/// The exports that manifests belong to, each by its name and folder.
pub fn exports_of(manifests: &[(ManifestLocation, Object)]) -> BTreeSet<(&str, &str)> {
    manifests.iter().map(|(l, _)| (l.export_name.as_str(), l.export_folder.as_str())).collect()
}

/// The manifests that lie where the export is looked for: those of `export_name`, or of every export of the provider.
///
/// # Errors
/// What the store says to the listing.
pub async fn all_manifests(
    store: &Store,
    export: &Export,
    export_name: Option<&str>,
) -> Result<Vec<(ManifestLocation, Object)>> {
    let (provider, prefix) = (export.provider, export.prefix.as_str());
    let patterns = match export.place {
        None => provider.manifest_patterns(export_name),
        Some(place) => place.manifest_patterns(provider, export_name),
    };
    let located = |listed: Vec<Object>| -> BTreeMap<String, (ManifestLocation, Object)> {
        let locate = |object: Object| {
            let location = match export.place {
                None => provider.locate(prefix, export_name, &object.key),
                Some(place) => place.locate(provider, prefix, export_name, &object.key),
            };
            location.map(|location| (object.key.clone(), (location, object)))
        };
        listed.into_iter().filter_map(locate).collect()
    };
    let mut found = located(store.list_all(prefix, &patterns).await?);
    // AWS's path prefix may have had a `/` at its end, or be one: in keys an empty folder is there.
    if found.is_empty() && provider == Provider::Aws && export.place.is_none() && !store.is_local() {
        let below_empty: Vec<String> = patterns.iter().map(|pattern| format!("/{pattern}")).collect();
        found = located(store.list_all(prefix, &below_empty).await?);
    }
    if let (Provider::Azure, None, Some(name)) = (provider, export.place, export_name) {
        if found.is_empty() {
            found = located(store.list_all(prefix, &azure::any_case(name)).await?);
        }
        // Names have no case at Azure. Where a mirror has folders of several, that of the setting's spelling counts.
        let folder = |location: &ManifestLocation| {
            let folder = location.export_folder.trim_end_matches('/');
            folder.rsplit('/').next().unwrap_or_default().to_owned()
        };
        if found.values().any(|(location, _)| folder(location) == name) {
            found.retain(|_, (location, _)| {
                let folder = folder(location);
                folder == name || !folder.eq_ignore_ascii_case(name)
            });
        }
    }
    Ok(found.into_values().collect())
}

/// Files that were read before, by tail.
type Known = BTreeMap<String, Written>;

/// The manifest with what finops wrote itself of its files, or why it cannot be used; an error is the store's.
async fn read_manifest(
    store: &Store,
    export: &Export,
    location: &ManifestLocation,
    object: &Object,
) -> Result<Result<(Manifest, Known), ManifestError>> {
    if object.bytes > LARGEST_MANIFEST {
        let what = format!("it has {} bytes, far more than a manifest", object.bytes);
        return Ok(Err(ManifestError::Malformed(what)));
    }
    let bytes = match store.read(object, Part::Head(LARGEST_MANIFEST)).await {
        Err(error) if error.kind() == Kind::Archived => {
            return Ok(Err(ManifestError::Archived { written: object.updated }));
        }
        read => read?,
    };
    Ok(match export.place {
        None => export.provider.parse(location, &bytes).map(|manifest| (manifest, Known::new())),
        Some(_) => staged::parse(export.provider, location, &bytes).map(|staged| (staged.manifest, staged.written)),
    })
}

/// Whether the files of a complete delivery are still those that were listed. A mirror may replace them while they are
/// loaded.
///
/// # Errors
/// What the store says.
pub async fn is_unchanged(store: &Store, delivery: &Delivery) -> Result<bool> {
    let Delivery { manifest, manifest_uri, delivered_at, files, .. } = delivery;
    // Nothing is missing, so files and tails are in the same order.
    let first = files.first().zip(manifest.files.first());
    let Some(export_folder) = first.and_then(|(file, tail)| file.key.strip_suffix(tail.tail.as_str())) else {
        return Ok(files.is_empty());
    };
    let known = |(file, tail): (&StoredFile, &ManifestFile)| {
        let StoredFile { bytes, updated, checksum, .. } = file;
        (tail.tail.clone(), Written { bytes: *bytes, updated: *updated, checksum: checksum.clone() })
    };
    let known = files.iter().zip(&manifest.files).map(known).collect();
    let listed = listed_files(store, export_folder, manifest).await?;
    let stored = stored_files(store, listed, &known).await?;
    let now = Delivery::new(manifest.clone(), manifest_uri.clone(), *delivered_at, stored);
    let is_same = |(now, then): (&StoredFile, &StoredFile)| (now.bytes, &now.checksum) == (then.bytes, &then.checksum);
    Ok(now.missing.is_empty() && now.files.iter().zip(files).all(is_same))
}

/// The recorded fingerprint of a delivery of which a local folder has all files, as long as none of them changed since the
/// run began that recorded it: then they need not be read for it.
async fn unread<'a>(
    store: &Store,
    Delivery { manifest, manifest_uri, .. }: &Delivery,
    listed: &[(String, Object)],
    record: Option<&'a LoadRecord>,
) -> Option<&'a str> {
    let is_of = |r: &&LoadRecord| (&r.execution_id, &r.manifest_uri) == (&manifest.execution_id, manifest_uri);
    let record = record.filter(is_of)?;
    let bytes: u64 = listed.iter().map(|(_, object)| object.bytes).sum();
    let is_whole = listed.len() == manifest.files.len();
    if !is_whole || (record.files, record.bytes) != (listed.len() as u64, bytes) {
        return None;
    }
    let is_old = store.unchanged_since(listed.iter().map(|(_, object)| object), began(&record.run_id)?).await;
    is_old.then_some(record.fingerprint.as_str())
}

/// The objects of the listed files that are there, with their tail below the export's folder.
async fn listed_files(store: &Store, export_folder: &str, manifest: &Manifest) -> Result<Vec<(String, Object)>> {
    let listed: BTreeSet<&str> = manifest.files.iter().map(|file| file.tail.as_str()).collect();
    let folders: BTreeSet<&str> = listed.iter().map(|tail| tail.rsplit_once('/').map_or("", |(f, _)| f)).collect();
    let mut objects = Vec::new();
    for folder in folders {
        let found = store.list(&format!("{export_folder}{folder}"), "*").await?;
        objects.extend(found.into_iter().filter_map(|object| {
            let tail = object.key.strip_prefix(export_folder)?.to_owned();
            listed.contains(tail.as_str()).then_some((tail, object))
        }));
    }
    Ok(objects)
}

/// The files with their checksums, by tail. Where a listing tells none, files are read for them, but for those that have the
/// size and time of one that is `known`.
async fn stored_files(
    store: &Store,
    listed: Vec<(String, Object)>,
    known: &Known,
) -> Result<HashMap<String, StoredFile>> {
    stream::iter(listed)
        .map(|(tail, object)| async move {
            let same = known.get(&tail).filter(|known| (known.bytes, known.updated) == (object.bytes, object.updated));
            let checksum = match (same, &object.checksum) {
                (Some(same), None) => same.checksum.clone(),
                _ => store.checksum(&object).await?,
            };
            Ok((tail, stored_file(object, checksum)))
        })
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await
}

fn stored_file(Object { key, bytes, updated, version, .. }: Object, checksum: String) -> StoredFile {
    StoredFile { key, bytes, updated, checksum, version }
}
