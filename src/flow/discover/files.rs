//! The files of a delivery: which of those that a manifest lists are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use finops_core::{
    formats::Written,
    model::{
        delivery::{Delivery, StoredFile},
        load_record::LoadRecord,
        manifest::{Manifest, ManifestFile},
        run_id::started_at,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    error::Result,
    storage::{Object, REQUESTS, Store},
};

/// Files that were read before, by tail.
type Known = BTreeMap<String, Written>;

/// Holds the delivery against the files that are there.
pub(super) async fn list_files(
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

/// Whether the files of a complete delivery are still those that were listed. A mirror may replace them while they are
/// loaded.
///
/// # Errors
/// What the store says.
pub async fn is_unchanged(store: &Store, delivery: &Delivery) -> Result<bool> {
    let Delivery { manifest, manifest_uri, delivered_at, files, .. } = delivery;
    // Nothing is missing, so files and tails are in the same order.
    let first = files.first().zip(manifest.files.first());
    let Some(export_folder) = first.and_then(|(file, tail)| file.key.strip_suffix(tail.relative_path.as_str())) else {
        return Ok(files.is_empty());
    };
    let known = |(file, tail): (&StoredFile, &ManifestFile)| {
        let StoredFile { bytes, updated, checksum, .. } = file;
        (tail.relative_path.clone(), Written { bytes: *bytes, updated: *updated, checksum: checksum.clone() })
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
    let is_old = store.unchanged_since(listed.iter().map(|(_, object)| object), started_at(&record.run_id)?).await;
    is_old.then_some(record.fingerprint.as_str())
}

/// The objects of the listed files that are there, with their tail below the export's folder.
async fn listed_files(store: &Store, export_folder: &str, manifest: &Manifest) -> Result<Vec<(String, Object)>> {
    let listed: BTreeSet<&str> = manifest.files.iter().map(|file| file.relative_path.as_str()).collect();
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
