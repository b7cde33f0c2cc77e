//! The manifest that finops itself writes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::paths::{file_names, staging_folder};
use crate::{
    formats::Written,
    model::{
        delivery::Delivery,
        manifest::{Manifest, ManifestError, ManifestFile, ManifestLocation, read, safe_path},
        provider::Provider,
        text::excerpt,
    },
};

/// The form of the Parquet files that this version writes: 1 has timestamps without a zone, 0 had them in UTC.
pub const PARQUET_FORM: u32 = 1;

/// finops's own manifest. New fields must be optional: without a readable manifest, all files would be downloaded again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedManifest {
    /// The provider.
    pub provider: Provider,
    /// Where the provider's manifest was read. In a folder of Parquet files that an older version wrote: in the staging folder.
    pub manifest_uri: String,
    /// The fingerprint of the provider's delivery.
    pub fingerprint: String,
    /// When that delivery was listed.
    pub listed_at: Timestamp,
    /// The provider's manifest, with the files in this folder.
    pub manifest: Manifest,
    /// Its files by relative path; empty until all are there, or if an older version wrote them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<String, Written>,
    /// The form of Parquet files that finops wrote; 0 for a provider's files.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub form: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(form: &u32) -> bool {
    *form == 0
}

impl StagedManifest {
    /// The manifest for the files of `delivery`, listed at `listed_at`, in a staging folder.
    pub fn of(delivery: &Delivery, provider: Provider, listed_at: Timestamp) -> Self {
        let folder = staging_folder(&delivery.manifest);
        let files = file_names(delivery).into_iter().zip(&delivery.files);
        let files = files
            .map(|(name, file)| ManifestFile { relative_path: format!("{folder}/{name}"), bytes: Some(file.bytes) });
        Self {
            provider,
            manifest_uri: delivery.manifest_uri.clone(),
            fingerprint: delivery.fingerprint.clone(),
            listed_at,
            written: BTreeMap::new(),
            form: 0,
            manifest: Manifest { overwrites_previous: false, files: files.collect(), ..delivery.manifest.clone() },
        }
    }
}

/// Reads the manifest at `location`.
///
/// # Errors
/// `Malformed` if finops did not write it, `Contradiction` if it is of another location or export.
pub fn parse(provider: Provider, location: &ManifestLocation, bytes: &[u8]) -> Result<StagedManifest, ManifestError> {
    let staged: StagedManifest = read(bytes)?;
    let staged = StagedManifest { manifest: staged.manifest.bounded()?, ..staged };
    let Manifest { billing_period, export_name, files, .. } = &staged.manifest;
    if staged.provider != provider || *billing_period != location.billing_period {
        let (found, expected) = (staged.provider.as_str(), provider.as_str());
        let what = format!(
            "it is of {found}'s {billing_period}, and {expected}'s {} was expected there",
            location.billing_period
        );
        return Err(ManifestError::Contradiction(what));
    }
    if *export_name != location.export_name && !location.export_name.is_empty() {
        let what = format!("it is of export `{}`, and `{}` was expected", excerpt(export_name), location.export_name);
        return Err(ManifestError::Contradiction(what));
    }
    let is_safe = |file: &&ManifestFile| safe_path(&file.relative_path.split('/').collect::<Vec<_>>()).is_some();
    match files.iter().find(|file| !is_safe(file)) {
        Some(file) => Err(ManifestError::Contradiction(format!(
            "it lists `{}`, outside of its folder",
            excerpt(&file.relative_path)
        ))),
        None => Ok(staged),
    }
}
