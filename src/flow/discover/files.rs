//! The files of a delivery: which of the files in its manifest exist.

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

/// Files that were read before, by relative path.
type Known = BTreeMap<String, Written>;

/// Compares the delivery with the files that exist.
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
        Some(_) => listed.into_iter().map(|(path, object)| (path, stored_file(object, String::new()))).collect(),
        None => stored_files(store, listed, written).await?,
    };
    let Delivery { manifest, manifest_uri, origin, delivered_at, .. } = &*delivery;
    let compared = Delivery::new(manifest.clone(), manifest_uri.clone(), *delivered_at, stored);
    *delivery = Delivery { origin: origin.clone(), ..compared };
    if let Some(fingerprint) = recorded {
        fingerprint.clone_into(&mut delivery.fingerprint);
    }
    Ok(())
}

/// Whether the files of a complete delivery are unchanged since they were listed. A mirror may replace them while they are
/// loaded.
///
/// # Errors
/// Those of the store.
pub async fn is_unchanged(store: &Store, delivery: &Delivery) -> Result<bool> {
    let Delivery { manifest, manifest_uri, delivered_at, files, .. } = delivery;
    // Nothing is missing: the files are in the order of the manifest.
    let first = files.first().zip(manifest.files.first());
    let Some(export_folder) = first.and_then(|(file, listed)| file.key.strip_suffix(listed.relative_path.as_str()))
    else {
        return Ok(files.is_empty());
    };
    let known = |(file, listed): (&StoredFile, &ManifestFile)| {
        let StoredFile { bytes, updated, checksum, .. } = file;
        (listed.relative_path.clone(), Written { bytes: *bytes, updated: *updated, checksum: checksum.clone() })
    };
    let known = files.iter().zip(&manifest.files).map(known).collect();
    let listed = listed_files(store, export_folder, manifest).await?;
    let stored = stored_files(store, listed, &known).await?;
    let now = Delivery::new(manifest.clone(), manifest_uri.clone(), *delivered_at, stored);
    let is_same = |(now, then): (&StoredFile, &StoredFile)| (now.bytes, &now.checksum) == (then.bytes, &then.checksum);
    Ok(now.missing.is_empty() && now.files.iter().zip(files).all(is_same))
}

/// The recorded fingerprint of a delivery, if all its files are in a local folder and none changed since the run that
/// recorded it began. Then they need not be read.
async fn unread<'a>(
    store: &Store,
    delivery: &Delivery,
    listed: &[(String, Object)],
    record: Option<&'a LoadRecord>,
) -> Option<&'a str> {
    let Delivery { manifest, manifest_uri, .. } = delivery;
    let is_of = |r: &&LoadRecord| {
        // An older version recorded the manifest of the staging folder.
        let is_its = r.manifest_uri == delivery.recorded_uri() || r.manifest_uri == *manifest_uri;
        r.execution_id == manifest.execution_id && is_its
    };
    let record = record.filter(is_of)?;
    let bytes: u64 = listed.iter().map(|(_, object)| object.bytes).sum();
    let is_whole = listed.len() == manifest.files.len();
    if !is_whole || (record.files, record.bytes) != (listed.len() as u64, bytes) {
        return None;
    }
    let is_old = store.unchanged_since(listed.iter().map(|(_, object)| object), started_at(&record.run_id)?).await;
    is_old.then_some(record.fingerprint.as_str())
}

/// The files of the manifest that exist, with their path relative to the export's folder.
async fn listed_files(store: &Store, export_folder: &str, manifest: &Manifest) -> Result<Vec<(String, Object)>> {
    let listed: BTreeSet<&str> = manifest.files.iter().map(|file| file.relative_path.as_str()).collect();
    let folders: BTreeSet<&str> = listed.iter().map(|path| path.rsplit_once('/').map_or("", |(f, _)| f)).collect();
    let mut objects = Vec::new();
    for folder in folders {
        let found = store.list(&format!("{export_folder}{folder}"), "*").await?;
        objects.extend(found.into_iter().filter_map(|object| {
            let path = object.key.strip_prefix(export_folder)?.to_owned();
            listed.contains(path.as_str()).then_some((path, object))
        }));
    }
    Ok(objects)
}

/// The files with their checksums, by relative path. If the listing has no checksums, files are read, except those with the
/// size and time of a file that is `known`.
async fn stored_files(
    store: &Store,
    listed: Vec<(String, Object)>,
    known: &Known,
) -> Result<HashMap<String, StoredFile>> {
    stream::iter(listed)
        .map(|(path, object)| async move {
            let same = known.get(&path).filter(|known| (known.bytes, known.updated) == (object.bytes, object.updated));
            let checksum = match (same, &object.checksum) {
                (Some(same), None) => same.checksum.clone(),
                _ => store.checksum(&object).await?,
            };
            Ok((path, stored_file(object, checksum)))
        })
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await
}

fn stored_file(Object { key, bytes, updated, version, .. }: Object, checksum: String) -> StoredFile {
    StoredFile { key, bytes, updated, checksum, version }
}
