//! The staging folder: which deliveries are whole there, and how one is fetched.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use finops_core::{
    BillingPeriod,
    formats::{
        Format, Written,
        staging::{self, StagedFiles, StagedManifest, file_names, manifest_name, staging_folder},
    },
    model::{
        delivery::{Delivery, StoredFile},
        load_record::{LoadRecord, LoadStatus, LoadedMonth, ScopeRecord},
        manifest::Manifest,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::staging::files::{PARTIAL, remove, rename, with_suffix, write_manifest};
use crate::{
    error::{ErrorKind, Result},
    flow::export::Export,
    storage::{Local, Object, OnBytes, ReadRange, Store, hashes, unreadable, unwritable},
    warehouse::Loaded,
};

/// Downloads under way at once.
const CONCURRENT: usize = 8;

/// A delivery in the staging folder.
pub(super) struct Staged {
    /// Its own folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: StagedManifest,
}

/// What is in a staging folder, read before anything is listed at the provider.
pub(super) struct Folder {
    root: PathBuf,
    /// The whole deliveries, the newest of a month last.
    staged: Vec<Staged>,
}

impl Folder {
    /// Reads the folder's deliveries of the export, or of all exports of the provider if it has no name.
    pub(super) async fn read(root: &Path, export: &Export) -> Result<Self> {
        if root.exists() && !root.is_dir() {
            return Err(unreadable(root, io::ErrorKind::NotADirectory.into()));
        }
        let staged = if root.exists() { find(root, export, "").await? } else { Vec::new() };
        Ok(Self { root: root.to_owned(), staged })
    }

    /// The same for the listing.
    pub(super) fn loaded(&self) -> Loaded {
        Loaded::new(self.staged.iter().map(|staged| record(&self.root, &staged.manifest)))
    }

    /// The export's deliveries, the newest of a month last.
    pub(super) fn of<'a>(&'a self, export_name: &'a str) -> impl Iterator<Item = &'a Staged> {
        self.staged.iter().filter(move |staged| staged.manifest.manifest.export_name == export_name)
    }

    /// The export's months as the plan compares them: a delivery has one row if its files are there.
    pub(super) fn months(&self, export_name: &str) -> BTreeMap<BillingPeriod, LoadedMonth> {
        let month = |staged: &Staged| {
            let is_whole = staged.manifest.manifest.files.iter().all(|file| {
                fs::metadata(self.root.join(&file.relative_path))
                    .is_ok_and(|found| file.bytes.is_none_or(|bytes| found.len() == bytes))
            });
            let record = record(&self.root, &staged.manifest);
            (record.billing_period, LoadedMonth { record, rows_in_table: u64::from(is_whole) })
        };
        self.of(export_name).map(month).collect()
    }
}

/// The deliveries of the export that a run began to fetch and did not complete. The caller has locked the folder.
pub(super) async fn unfinished(root: &Path, export: &Export) -> Result<Vec<Staged>> {
    find(root, export, PARTIAL).await
}

/// The deliveries whose manifest has a name that ends with `suffix`.
async fn find(root: &Path, export: &Export, suffix: &str) -> Result<Vec<Staged>> {
    let (provider, export_name) = (export.provider, export.name.as_deref());
    let (store, format) = (Store::Local(Local::new(root)), StagedFiles(provider));
    let mut found = Vec::new();
    for pattern in format.manifest_patterns(export_name) {
        for object in store.list("", &format!("{pattern}{suffix}")).await? {
            let key = object.key.strip_suffix(suffix).unwrap_or(&object.key);
            let Some(location) = format.locate("", export_name, key) else { continue };
            let Some(bytes) = as_listed(&store, &object).await? else { continue };
            // If it cannot be read, its delivery is fetched again.
            let Ok(manifest) = staging::parse(provider, &location, &bytes) else { continue };
            let folder = root.join(&object.key).parent().map(Path::to_owned).unwrap_or_default();
            found.push(Staged { folder, manifest });
        }
    }
    found.sort_by_key(|staged| staged.manifest.listed_at);
    Ok(found)
}

/// The bytes of a manifest; `None` if it was replaced or removed after it was listed: a dry run has no lock, and another run
/// may extract at the same time.
async fn as_listed(store: &Store, manifest: &Object) -> Result<Option<Bytes>> {
    match store.read(manifest, ReadRange::First(u64::MAX)).await {
        Err(error) if error.kind() == ErrorKind::Busy => Ok(None),
        read => read.map(Some),
    }
}

/// A delivery in a folder of finops, in the form in which a table's load is recorded, for the plan: with one row.
pub(super) fn record(root: &Path, staged: &StagedManifest) -> LoadRecord {
    let StagedManifest { provider, manifest_uri, fingerprint, listed_at, manifest, .. } = staged;
    LoadRecord {
        pipeline: provider.as_str().to_owned(),
        export_name: manifest.export_name.clone(),
        table_name: root.display().to_string(),
        billing_period: manifest.billing_period,
        sequence: 1,
        execution_id: manifest.execution_id.clone(),
        fingerprint: fingerprint.clone(),
        manifest_uri: manifest_uri.clone(),
        job_id: None,
        status: LoadStatus::Loaded,
        rows: 1,
        files: manifest.files.len() as u64,
        bytes: manifest.files.iter().filter_map(|file| file.bytes).sum(),
        cost: BTreeMap::new(),
        previous_execution_id: None,
        run_id: String::new(),
        loaded_at: *listed_at,
        kind: Some(manifest.kind.as_str().to_owned()),
        issued_at: manifest.issued_at,
        covers_until: manifest.covers_until,
        cost_net: None,
        scopes: scopes(manifest),
    }
}

fn scopes(manifest: &Manifest) -> Option<Vec<ScopeRecord>> {
    match manifest.runs.as_slice() {
        [] => manifest.scope.as_ref().map(|_| vec![scope_record(manifest)]),
        runs => Some(runs.iter().map(scope_record).collect()),
    }
}

/// What is known of a run in the folder, whose rows were not read.
fn scope_record(run: &Manifest) -> ScopeRecord {
    ScopeRecord {
        scope: run.scope.clone().unwrap_or_default(),
        execution_id: run.execution_id.clone(),
        first_day: None,
        last_day: None,
        days: 0,
        rows: run.rows.unwrap_or(1),
        cost: BTreeMap::new(),
        issued_at: run.issued_at,
        covers_until: run.covers_until,
        folder: String::new(),
        outside: Vec::new(),
        kept: run.kept,
        usage_month: false,
    }
}

/// Fetches a delivery to the staging folder: its files, each under its final name once it is whole, and the manifest last.
/// Files that are there already stay. Until all is there the manifest has another name, so that the next run finds what this
/// one began.
///
/// # Errors
/// Of the store, or of writing. No partial file has a final name, and the next run goes on from there.
pub(super) async fn stage(
    store: &Store,
    delivery: &Delivery,
    root: &Path,
    mut staged: StagedManifest,
    got: OnBytes<'_>,
) -> Result<()> {
    let folder = root.join(staging_folder(&delivery.manifest));
    let manifest = folder.join(manifest_name(staged.provider, &delivery.manifest.export_name));
    let begun = with_suffix(&manifest, PARTIAL);
    fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, error))?;
    write_manifest(&begun, &staged)?;
    // A provider that overwrites files keeps their names: from now on, the folder is not what its manifest says.
    remove(&manifest)?;
    let written: Vec<Written> = stream::iter(delivery.files.iter().zip(file_names(delivery)))
        .map(|(file, name)| fetch(store, file, folder.join(name), got))
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    let paths = staged.manifest.files.iter().map(|file| file.relative_path.clone());
    staged.written = paths.zip(written).collect();
    write_manifest(&begun, &staged)?;
    rename(&begun, &manifest)
}

/// Removes other deliveries of the month from the staging folder, once `kept` is whole there, and files of incomplete ones.
pub(super) fn remove_others(folder: &Folder, unfinished: &[Staged], kept: &Manifest) -> Result<()> {
    let kept_folder = folder.root.join(staging_folder(kept));
    let of_month = |staged: &&Staged| is_of(staged, &kept.export_name, kept.billing_period);
    let others = folder.staged.iter().chain(unfinished).filter(of_month);
    remove_deliveries(&folder.root, others.filter(|staged| staged.folder != kept_folder))
}

/// Removes files of the month's incomplete deliveries that are not to be loaded any more.
pub(super) fn remove_unfinished(
    folder: &Folder,
    unfinished: &[Staged],
    export_name: &str,
    period: BillingPeriod,
) -> Result<()> {
    let is_whole = |begun: &Staged| folder.staged.iter().any(|staged| staged.folder == begun.folder);
    let of_month = unfinished.iter().filter(|begun| is_of(begun, export_name, period));
    remove_deliveries(&folder.root, of_month.filter(|begun| !is_whole(begun)))
}

fn is_of(staged: &Staged, export_name: &str, period: BillingPeriod) -> bool {
    let manifest = &staged.manifest.manifest;
    (manifest.export_name.as_str(), manifest.billing_period) == (export_name, period)
}

/// Removes the files of the deliveries, each from its own folder: a manifest that was copied or moved elsewhere lists files
/// of another one. What another export or somebody else has in a folder stays.
fn remove_deliveries<'a>(root: &Path, deliveries: impl Iterator<Item = &'a Staged>) -> Result<()> {
    for Staged { folder, manifest } in deliveries {
        let own = folder.join(manifest_name(manifest.provider, &manifest.manifest.export_name));
        remove(&own)?;
        for file in &manifest.manifest.files {
            let path = root.join(&file.relative_path);
            if path.parent() != Some(folder) {
                continue;
            }
            remove(&path)?;
            remove(&with_suffix(&path, PARTIAL))?;
        }
        // Last: as long as it is there, the next run removes the rest.
        let begun = with_suffix(&own, PARTIAL);
        remove(&with_suffix(&begun, PARTIAL))?;
        remove(&begun)?;
        // Fails if something else is there.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

async fn fetch(store: &Store, file: &StoredFile, to: PathBuf, got: OnBytes<'_>) -> Result<Written> {
    let size = match fs::metadata(&to) {
        Ok(found) => Some(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&to, error)),
    };
    // A file with another checksum may still be the same, as not every ETag in S3 is one of the bytes. It is fetched again.
    if size == Some(file.bytes)
        && let Some(there) = hashes(to.clone()).await?
        && (file.checksum == there.md5 || file.checksum == there.written.checksum)
    {
        got(file.bytes);
        return Ok(there.written);
    }
    let partial = with_suffix(&to, PARTIAL);
    let written = store.fetch(&Object::from(file), &partial, got).await?;
    rename(&partial, &to)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manifest_that_another_run_renames_after_it_was_listed_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.manifest.json.part");
        fs::write(&path, "{}").unwrap();
        let store = Store::Local(Local::new(folder.path()));
        let [listed] = store.list("", "*.part").await.unwrap().try_into().unwrap();
        assert_eq!(as_listed(&store, &listed).await.unwrap().unwrap(), "{}");
        fs::rename(&path, folder.path().join("a.manifest.json")).unwrap();
        assert_eq!(as_listed(&store, &listed).await.unwrap(), None);
    }
}
