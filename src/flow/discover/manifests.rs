//! The manifests of an export: found, chosen by the settings, and read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use finops_core::{
    formats::{Format, ParsedManifest},
    hint,
    model::manifest::{Manifest, ManifestError, ManifestLocation},
    plan::leave_out::LeaveOut,
};
use jiff::Timestamp;
use tracing::debug;

use crate::{
    error::{Error, ErrorKind, Result},
    flow::export::{CurVersion, Export},
    storage::{Object, ReadRange, Store},
};

/// A manifest has some hundred kilobytes. A file that is far larger is no manifest.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// A manifest in the listing.
#[derive(Clone, Debug)]
pub struct FoundManifest {
    /// Its format.
    pub format: Arc<dyn Format>,
    /// What its key says.
    pub location: ManifestLocation,
    /// The object.
    pub object: Object,
}

impl FoundManifest {
    /// When the delivery was issued, from the listing alone.
    pub(super) fn issued_at(&self) -> Timestamp {
        self.location.issued_at.unwrap_or(self.object.updated)
    }
}

/// The manifests of one export, except those that the settings leave out.
pub(super) struct Manifests {
    /// `None` if there are no manifests at all.
    pub export_name: Option<String>,
    pub manifests: Vec<FoundManifest>,
}

pub(super) async fn manifests(store: &Store, export: &Export) -> Result<Manifests> {
    let mut found = of_version(export, all_manifests(store, export, export.name.as_deref()).await?)?;
    let name = |found: &[FoundManifest]| found.first().map(|found| found.location.export_name.clone());
    let of_all = name(&found);
    let leave_out = &export.options.leave_out;
    found.retain(|FoundManifest { location, .. }| {
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
            ErrorKind::Configuration,
            format!("there are several exports below {}: {}", store.uri(&export.prefix), list.join(", ")),
        )
        .hint(match &export.name {
            None => hint::name_export(&export.name_setting),
            Some(_) => hint::NARROWER_PREFIX.to_owned(),
        }));
    }
    Ok(Manifests { export_name: name(&found).or(of_all), manifests: found })
}

/// The manifests of the version in the settings.
///
/// # Errors
/// `Configuration` if there is only the other version.
fn of_version(export: &Export, mut found: Vec<FoundManifest>) -> Result<Vec<FoundManifest>> {
    let (Some(wanted), None) = (export.options.cur_version, export.written_by()) else { return Ok(found) };
    let is_empty = found.is_empty();
    found.retain(|manifest| manifest.format.name() == wanted.format());
    if is_empty || !found.is_empty() {
        return Ok(found);
    }
    let (wanted, found) = if wanted == CurVersion::V1 { ("v1", "v2") } else { ("v2", "v1") };
    let message = format!("the setting cur_version is {wanted}, and the export has version {found}");
    Err(Error::new(ErrorKind::Configuration, message).hint(hint::CUR_VERSION))
}

/// Whether the settings leave out this delivery.
pub(super) fn is_left_out(export: &Export, location: &ManifestLocation, manifest: &Manifest) -> bool {
    let LeaveOut { setting, .. } = &export.options.leave_out;
    let folder = &location.export_folder;
    let is_left_out = export.options.leave_out.has_delivery(export.provider, &export.prefix, folder, manifest);
    if is_left_out {
        debug!(manifest = location.key, setting, "left out");
    }
    is_left_out
}

/// The exports of the manifests, by name and folder.
pub fn exports_of(manifests: &[FoundManifest]) -> BTreeSet<(&str, &str)> {
    manifests.iter().map(|m| (m.location.export_name.as_str(), m.location.export_folder.as_str())).collect()
}

/// The manifests in the export's bucket and prefix: those of `export_name`, or those of all exports of the provider.
///
/// # Errors
/// Those of the store.
pub async fn all_manifests(store: &Store, export: &Export, export_name: Option<&str>) -> Result<Vec<FoundManifest>> {
    let mut found = listed(store, export, export_name, |format| format.manifest_patterns(export_name)).await?;
    if found.is_empty() {
        found = listed(store, export, export_name, |format| format.other_patterns(export_name)).await?;
    }
    let has_name = |found: &FoundManifest, same: fn(&str, &str) -> bool| {
        let folder = found.location.export_folder.trim_end_matches('/');
        export_name.is_some_and(|name| same(folder.rsplit('/').next().unwrap_or_default(), name))
    };
    // A mirror may have folders whose names differ in case only. The spelling of the setting counts.
    if !export.provider.names_have_case() && found.iter().any(|found| has_name(found, |a, b| a == b)) {
        found.retain(|found| has_name(found, |a, b| a == b) || !has_name(found, str::eq_ignore_ascii_case));
    }
    Ok(found)
}

/// The manifests that match the patterns of a format.
async fn listed(
    store: &Store,
    export: &Export,
    export_name: Option<&str>,
    patterns: impl Fn(&dyn Format) -> Vec<String>,
) -> Result<Vec<FoundManifest>> {
    let mut patterns: Vec<String> = export.formats.iter().flat_map(|format| patterns(format.as_ref())).collect();
    // A key can have an empty folder name, a path of a file system cannot.
    patterns.retain(|pattern| !(store.is_local() && pattern.starts_with('/')));
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let locate = |object: Object| {
        let of = |format: &Arc<dyn Format>| {
            let location = format.locate(&export.prefix, export_name, &object.key)?;
            Some((object.key.clone(), FoundManifest { format: Arc::clone(format), location, object: object.clone() }))
        };
        export.formats.iter().find_map(of)
    };
    // Patterns overlap: each key counts once.
    let objects = store.list_all(&export.prefix, &patterns).await?;
    let found: BTreeMap<String, FoundManifest> = objects.into_iter().filter_map(locate).collect();
    Ok(found.into_values().collect())
}

/// The manifest, or why it cannot be used.
///
/// # Errors
/// Those of the store.
pub(super) async fn read_manifest(
    store: &Store,
    FoundManifest { format, location, object }: &FoundManifest,
) -> Result<Result<ParsedManifest, ManifestError>> {
    if object.bytes > LARGEST_MANIFEST {
        let what = format!("it has {} bytes, far more than a manifest", object.bytes);
        return Ok(Err(ManifestError::Malformed(what)));
    }
    let bytes = match store.read(object, ReadRange::First(LARGEST_MANIFEST)).await {
        Err(error) if error.kind() == ErrorKind::Archived => {
            return Ok(Err(ManifestError::Archived { written: object.updated }));
        }
        read => read?,
    };
    Ok(format.parse(location, &bytes))
}
