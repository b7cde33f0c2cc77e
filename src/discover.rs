//! Which deliveries are there: manifests found, read, and held against the objects that they list.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use finops_core::{
    BillingPeriod,
    aws_cur::{self, ManifestLocation},
    delivery::{Delivery, StoredFile},
    manifest::{Manifest, ManifestError},
    plan::Candidate,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    config::Months,
    error::{Error, Kind, Result},
    storage::{Object, Part, Store},
};

/// Requests under way at once while discovering.
pub const CONCURRENT_READS: usize = 32;

/// A manifest is some hundred kilobytes; what is larger by far is none.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// What was found of one export.
#[derive(Debug, Default)]
pub struct Discovered {
    /// The report's name; `None` where there is no manifest.
    pub export_name: Option<String>,
    /// One a month.
    pub candidates: Vec<Candidate>,
    /// Months of which the store would not tell: their manifest is there, but it or the list of their files was not given.
    pub unreadable: Vec<(BillingPeriod, Error)>,
}

/// Finds the deliveries of the months wanted, below `prefix`.
///
/// # Errors
/// What the store says to the listing of manifests; `Configuration` where several exports lie there. What is wrong with
/// one month is part of the result.
pub async fn discover(store: &Store, prefix: &str, export_name: Option<&str>, months: &Months) -> Result<Discovered> {
    let manifests = manifests(store, prefix, export_name).await?;
    let export_name = manifests.first().map(|(location, _)| location.export_name.clone());
    let wanted = manifests.into_iter().filter(|(location, _)| months.contain(location.billing_period));
    let read: Vec<_> = stream::iter(wanted)
        .map(|(location, object)| async move {
            let read = read_delivery(store, &location, &object).await;
            (location.billing_period, store.uri(&location.key), read)
        })
        .buffer_unordered(CONCURRENT_READS)
        .collect()
        .await;
    let mut discovered = Discovered { export_name, ..Discovered::default() };
    for (billing_period, manifest_uri, read) in read {
        match read {
            Ok(delivery) => discovered.candidates.push(Candidate { billing_period, manifest_uri, delivery }),
            Err(error) => discovered.unreadable.push((billing_period, error)),
        }
    }
    Ok(discovered)
}

/// The manifests of the one export that lies there.
async fn manifests(store: &Store, prefix: &str, export_name: Option<&str>) -> Result<Vec<(ManifestLocation, Object)>> {
    let patterns = aws_cur::manifest_patterns(export_name);
    let lists = patterns.iter().map(|pattern| store.list(prefix, pattern));
    let listed: Vec<Vec<Object>> = futures::future::try_join_all(lists).await?;
    let mut found: BTreeMap<String, (ManifestLocation, Object)> = BTreeMap::new();
    for object in listed.into_iter().flatten() {
        if let Some(location) = aws_cur::locate(prefix, export_name, &object.key) {
            found.insert(object.key.clone(), (location, object));
        }
    }
    let exports: BTreeSet<(&str, &str)> =
        found.values().map(|(l, _)| (l.export_name.as_str(), l.export_folder.as_str())).collect();
    if exports.len() > 1 {
        let list: Vec<String> =
            exports.iter().map(|(name, folder)| format!("`{name}` in {}", store.uri(folder))).collect();
        return Err(Error::new(
            Kind::Configuration,
            format!("several exports lie below {}: {}", store.uri(prefix), list.join(", ")),
        )
        .hint(match export_name {
            None => "name one with AWS_EXPORT_NAME, or choose a prefix that holds only one",
            Some(_) => "choose a prefix that holds only one of these folders",
        }));
    }
    Ok(found.into_values().collect())
}

/// The delivery, or why its manifest cannot be used; an error is the store's.
async fn read_delivery(
    store: &Store,
    location: &ManifestLocation,
    object: &Object,
) -> Result<Result<Delivery, ManifestError>> {
    if object.bytes > LARGEST_MANIFEST {
        let what = format!("it has {} bytes, far more than a manifest", object.bytes);
        return Ok(Err(ManifestError::Malformed(what)));
    }
    let bytes = store.read(&location.key, Part::Head(LARGEST_MANIFEST)).await?;
    let manifest = match aws_cur::parse(location, &bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Err(error)),
    };
    let stored = stored_files(store, &location.export_folder, &manifest).await?;
    Ok(Ok(Delivery::new(manifest, store.uri(&location.key), object.updated, stored)))
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
    let Some(export_folder) = first.and_then(|(file, tail)| file.key.strip_suffix(tail.as_str())) else {
        return Ok(files.is_empty());
    };
    let stored = stored_files(store, export_folder, manifest).await?;
    let now = Delivery::new(manifest.clone(), manifest_uri.clone(), *delivered_at, stored);
    Ok(now.fingerprint == delivery.fingerprint)
}

/// The listed files that are there, by their tail below the export's folder.
async fn stored_files(store: &Store, export_folder: &str, manifest: &Manifest) -> Result<HashMap<String, StoredFile>> {
    let listed: BTreeSet<&str> = manifest.files.iter().map(String::as_str).collect();
    let folders: BTreeSet<&str> = listed.iter().filter_map(|tail| tail.rsplit_once('/')).map(|(f, _)| f).collect();
    let mut objects = Vec::new();
    for folder in folders {
        let found = store.list(&format!("{export_folder}{folder}"), "*").await?;
        objects.extend(found.into_iter().filter_map(|object| {
            let tail = object.key.strip_prefix(export_folder)?.to_owned();
            listed.contains(tail.as_str()).then_some((tail, object))
        }));
    }
    stream::iter(objects)
        .map(|(tail, object)| async move {
            let checksum = store.checksum(&object).await?;
            Ok((tail, StoredFile { key: object.key, bytes: object.bytes, checksum }))
        })
        .buffer_unordered(CONCURRENT_READS)
        .try_collect()
        .await
}
