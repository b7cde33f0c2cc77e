//! The staging folder: which deliveries are whole there, and how one gets there.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use finops_core::{
    BillingPeriod,
    delivery::{Delivery, StoredFile},
    export::Provider,
    manifest::Manifest,
    staged::{self, Place, StagedManifest, file_names, manifest_name, staging_folder},
    state::{LoadRecord, LoadStatus, Standing},
};
use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};

use crate::{
    config::Export,
    error::{Error, Kind, Result},
    storage::{Got, Local, Part, Store, crc32c_of, unwritable},
    warehouse::Loaded,
};

/// Downloads under way at once.
const CONCURRENT: usize = 8;
/// What a file is called until it is whole.
const PARTIAL: &str = ".part";

/// The deliveries of an export that are whole in the staging folder, each with its own folder's manifest.
pub(super) struct Staged {
    /// Where it lies.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: StagedManifest,
}

/// What a staging folder holds, read before anything is listed at the provider.
pub(super) struct Folder {
    root: PathBuf,
    /// The newest of a month last.
    staged: Vec<Staged>,
}

impl Folder {
    /// Reads what is there of the export, or of all of the provider's where it has no name.
    pub(super) async fn read(root: &Path, export: &Export) -> Result<Self> {
        let mut staged = Vec::new();
        if root.exists() {
            if !root.is_dir() {
                return Err(unwritable(root, io::ErrorKind::NotADirectory.into()));
            }
            staged = find(root, export.provider, export.name.as_deref()).await?;
        }
        Ok(Self { root: root.to_owned(), staged })
    }

    /// What a listing needs to know.
    pub(super) fn loaded(&self) -> Loaded {
        Loaded::new(self.staged.iter().map(|staged| record(&self.root, staged)))
    }

    /// The export's deliveries, the newest of a month last.
    pub(super) fn of<'a>(&'a self, export_name: &'a str) -> impl Iterator<Item = &'a Staged> {
        self.staged.iter().filter(move |staged| staged.manifest.manifest.export_name == export_name)
    }

    /// The export's months in the form in which the plan weighs a table's: a delivery has a row where its files are there.
    pub(super) fn months(&self, export_name: &str) -> BTreeMap<BillingPeriod, Standing> {
        let month = |staged: &Staged| {
            let is_whole = staged.manifest.manifest.files.iter().all(|file| {
                fs::metadata(self.root.join(&file.tail))
                    .is_ok_and(|found| file.bytes.is_none_or(|bytes| found.len() == bytes))
            });
            let record = record(&self.root, staged);
            (record.billing_period, Standing { record, rows_in_table: u64::from(is_whole) })
        };
        self.of(export_name).map(month).collect()
    }
}

async fn find(root: &Path, provider: Provider, export_name: Option<&str>) -> Result<Vec<Staged>> {
    let store = Store::Local(Local::new(root));
    let mut found = Vec::new();
    for pattern in Place::Staging.manifest_patterns(provider, export_name) {
        for object in store.list("", &pattern).await? {
            let Some(location) = Place::Staging.locate(provider, "", export_name, &object.key) else { continue };
            let bytes = store.read(&object.key, Part::Head(u64::MAX)).await?;
            // One that cannot be read is as good as none: its delivery is fetched again.
            let Ok(manifest) = staged::parse(provider, &location, &bytes) else { continue };
            let folder = root.join(&object.key).parent().map(Path::to_owned).unwrap_or_default();
            found.push(Staged { folder, manifest });
        }
    }
    found.sort_by_key(|staged| staged.manifest.listed_at);
    Ok(found)
}

/// A delivery in the form of a load.
fn record(root: &Path, Staged { manifest: staged, .. }: &Staged) -> LoadRecord {
    let StagedManifest { provider, manifest_uri, fingerprint, listed_at, manifest } = staged;
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
        issued_at: manifest.issued,
        covers_until: manifest.until,
        cost_net: None,
        scopes: None,
    }
}

/// Brings a delivery to the staging folder: its files, each under its name once it is whole, and at last the manifest.
/// Files that are there already are left.
///
/// # Errors
/// What the store says, or what writing says; nothing partial has a final name, and the next run goes on from there.
pub(super) async fn stage(
    store: &Store,
    delivery: &Delivery,
    root: &Path,
    staged: &StagedManifest,
    got: Got<'_>,
) -> Result<()> {
    let folder = root.join(staging_folder(&delivery.manifest));
    let manifest = folder.join(manifest_name(staged.provider, &delivery.manifest.export_name));
    fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, error))?;
    // Files that are overwritten at the provider keep their names: from now on, the folder is not what its manifest says.
    remove(&manifest)?;
    stream::iter(delivery.files.iter().zip(file_names(delivery)))
        .map(|(file, name)| fetch(store, file, folder.join(name), got))
        .buffer_unordered(CONCURRENT)
        .try_collect::<()>()
        .await?;
    write_manifest(&manifest, staged)
}

/// Writes a manifest, whole or not at all.
pub(super) fn write_manifest(path: &Path, staged: &StagedManifest) -> Result<()> {
    let partial = with_suffix(path, PARTIAL);
    let json = serde_json::to_vec_pretty(staged)
        .map_err(|error| Error::new(Kind::Storage, "cannot write a manifest").cause(error))?;
    fs::write(&partial, json).map_err(|error| unwritable(&partial, error))?;
    fs::rename(&partial, path).map_err(|error| unwritable(path, error))
}

/// Removes other deliveries of the month from the staging folder, now that `kept` is whole there. What another export has
/// in a folder stays.
pub(super) fn remove_others(folder: &Folder, kept: &Manifest) -> Result<()> {
    let root = &folder.root;
    let kept_folder = root.join(staging_folder(kept));
    let of_month =
        folder.of(&kept.export_name).filter(|staged| staged.manifest.manifest.billing_period == kept.billing_period);
    for Staged { folder, manifest } in of_month.filter(|staged| staged.folder != kept_folder) {
        remove(&folder.join(manifest_name(manifest.provider, &manifest.manifest.export_name)))?;
        for file in &manifest.manifest.files {
            remove(&root.join(&file.tail))?;
        }
        // Not where something else lies there.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

async fn fetch(store: &Store, file: &StoredFile, to: PathBuf, got: Got<'_>) -> Result<()> {
    if is_same(&to, file)? == Some(true) {
        got(file.bytes);
        return Ok(());
    }
    let partial = with_suffix(&to, PARTIAL);
    store.fetch(&file.key, &partial, got).await?;
    if is_same(&partial, file)? == Some(false) {
        let message =
            format!("{} did not arrive as it is listed: {} bytes, {}", store.uri(&file.key), file.bytes, file.checksum);
        return Err(Error::new(Kind::Storage, message).hint("it may have been replaced meanwhile: run again"));
    }
    fs::rename(&partial, &to).map_err(|error| unwritable(&to, error))
}

/// Whether the local file is the one that is listed, by its size and checksum; `None` where its size is right and its
/// checksum is none that can be computed, as that of an S3 object which was uploaded in parts.
fn is_same(path: &Path, file: &StoredFile) -> Result<Option<bool>> {
    match fs::metadata(path) {
        Ok(found) if found.len() == file.bytes => {}
        Ok(_) => return Ok(Some(false)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(false)),
        Err(error) => return Err(unwritable(path, error)),
    }
    let checksum = &file.checksum;
    // An ETag in S3 is the MD5 of an object that was uploaded at once.
    let is_md5 = checksum.len() == 32 && checksum.bytes().all(|b| b.is_ascii_hexdigit());
    // CRC32C in base64.
    let is_crc32c = checksum.len() == 8 && checksum.ends_with("==");
    let found = match (is_md5, is_crc32c) {
        (true, _) => md5_of(path),
        (_, true) => crc32c_of(path),
        _ => return Ok(None),
    };
    Ok(Some(found.map_err(|error| unwritable(path, error))? == *checksum))
}

fn md5_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Md5::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    let digest: [u8; 16] = hasher.finalize().into();
    // Big-endian, so that the first byte comes first.
    Ok(format!("{:032x}", u128::from_be_bytes(digest)))
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, error)),
        _ => Ok(()),
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
