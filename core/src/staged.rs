//! Deliveries that finops itself put somewhere: a staging folder, and Parquet files of a table. Beside the files lies a
//! manifest of finops's own, written last, so that what has one is complete.
//!
//! A staging folder holds `<YYYY-MM>/<execution id>/<file>` and `<YYYY-MM>/<execution id>/<export>.<provider>.manifest.json`;
//! a Parquet folder `<YYYY-MM>_<provider>_billing.parquet` and `<YYYY-MM>_<provider>_billing.manifest.json`.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    delivery::Delivery,
    export::{ManifestLocation, Provider},
    manifest::{Manifest, ManifestError, ManifestFile, read, safe_path},
    period::BillingPeriod,
    text::as_pattern,
};

/// Where finops puts deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The provider's files as they are.
    Staging,
    /// A table's months as Parquet.
    Parquet,
}

/// The manifest of finops's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedManifest {
    /// Whose export it is.
    pub provider: Provider,
    /// Where the provider's manifest was read.
    pub manifest_uri: String,
    /// The fingerprint of the delivery as it lay there.
    pub fingerprint: String,
    /// When that was looked at.
    pub listed_at: Timestamp,
    /// What it said; its files are those of this place.
    pub manifest: Manifest,
}

impl StagedManifest {
    /// The manifest of `delivery`, seen at `listed_at`, once its files lie in a staging folder.
    pub fn of(delivery: &Delivery, provider: Provider, listed_at: Timestamp) -> Self {
        let folder = staging_folder(&delivery.manifest);
        let files = file_names(delivery).into_iter().zip(&delivery.files);
        let files =
            files.map(|(name, file)| ManifestFile { tail: format!("{folder}/{name}"), bytes: Some(file.bytes) });
        Self {
            provider,
            manifest_uri: delivery.manifest_uri.clone(),
            fingerprint: delivery.fingerprint.clone(),
            listed_at,
            manifest: Manifest { in_place: false, files: files.collect(), ..delivery.manifest.clone() },
        }
    }
}

/// The folder of a delivery below the staging folder: its month, and its execution id as one safe component.
pub fn staging_folder(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.billing_period, component(&manifest.execution_id))
}

/// The names that a delivery's files get in its folder, in their order: their own, and where two have one, a number too.
pub fn file_names(delivery: &Delivery) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |(at, file): (usize, &ManifestFile)| {
        let own = component(file.tail.rsplit('/').next().unwrap_or_default());
        if taken.insert(own.to_lowercase()) { own } else { format!("{at}-{own}") }
    };
    delivery.manifest.files.iter().enumerate().map(name).collect()
}

/// The name of the manifest in a delivery's staging folder: it tells whose the folder is.
pub fn manifest_name(provider: Provider, export_name: &str) -> String {
    format!("{}{}", component(export_name), manifest_suffix(provider))
}

fn manifest_suffix(provider: Provider) -> String {
    format!(".{}.manifest.json", provider.as_str())
}

/// `text` as one component of a path on any machine: other characters than letters, digits and `.-_:=` as `%` and their
/// code.
fn component(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_:=".contains(c);
    let escaped = |(at, c): (usize, char)| {
        if fits(c) || (c == '.' && at > 0) { c.to_string() } else { format!("%{:02X}", u32::from(c)) }
    };
    text.chars().enumerate().map(escaped).collect()
}

/// The name of the month's Parquet file.
pub fn parquet_name(provider: Provider, period: BillingPeriod) -> String {
    format!("{period}{}.parquet", parquet_stem(provider))
}

/// The name of the manifest beside it.
pub fn parquet_manifest_name(provider: Provider, period: BillingPeriod) -> String {
    format!("{period}{}.manifest.json", parquet_stem(provider))
}

/// What Parquet files of the provider are called after their month.
fn parquet_stem(provider: Provider) -> String {
    format!("_{}_billing", provider.as_str())
}

impl Place {
    /// Glob patterns below the folder that together match every manifest.
    pub fn manifest_patterns(self, provider: Provider, export_name: Option<&str>) -> Vec<String> {
        let pattern = match self {
            Self::Staging => {
                let name = export_name.map_or_else(|| "*".to_owned(), |name| as_pattern(&component(name)));
                format!("????-??/*/{name}{}", manifest_suffix(provider))
            }
            Self::Parquet => format!("????-??{}.manifest.json", parquet_stem(provider)),
        };
        vec![pattern]
    }

    /// Takes `key` apart if it is a manifest of the export below `prefix` (without a `/` at its end), else `None`. A key
    /// does not tell the export's name in full.
    pub fn locate(
        self,
        provider: Provider,
        prefix: &str,
        export_name: Option<&str>,
        key: &str,
    ) -> Option<ManifestLocation> {
        let below = if prefix.is_empty() { key } else { key.strip_prefix(prefix)?.strip_prefix('/')? };
        let (period, found) = match (self, below.split('/').collect::<Vec<_>>().as_slice()) {
            (Self::Staging, [period, _, file]) => {
                let name = file.strip_suffix(&manifest_suffix(provider))?;
                (*period, Some(name).filter(|name| export_name.is_none_or(|wanted| component(wanted) == *name))?)
            }
            (Self::Parquet, [file]) => {
                let period = file.strip_suffix(".manifest.json")?.strip_suffix(&parquet_stem(provider))?;
                (period, export_name.unwrap_or_default())
            }
            _ => return None,
        };
        Some(ManifestLocation {
            key: key.to_owned(),
            export_folder: key[..key.len() - below.len()].to_owned(),
            export_name: export_name.unwrap_or(found).to_owned(),
            period_folder: period.to_owned(),
            billing_period: period.parse().ok()?,
            issued: None,
        })
    }
}

/// Reads the manifest that lies at `location`.
///
/// # Errors
/// `Malformed` for what finops did not write, `Contradiction` where it is not of that place or of another export.
pub fn parse(provider: Provider, location: &ManifestLocation, bytes: &[u8]) -> Result<StagedManifest, ManifestError> {
    let staged: StagedManifest = read(bytes)?;
    let Manifest { billing_period, export_name, files, .. } = &staged.manifest;
    if staged.provider != provider || *billing_period != location.billing_period {
        let (found, expected) = (staged.provider.as_str(), provider.as_str());
        let what = format!(
            "it is of {found}'s {billing_period}, and {expected}'s {} was expected there",
            location.billing_period
        );
        return Err(ManifestError::Contradiction(what));
    }
    if component(export_name) != component(&location.export_name) && !location.export_name.is_empty() {
        let what = format!("it is of export `{export_name}`, and `{}` was expected", location.export_name);
        return Err(ManifestError::Contradiction(what));
    }
    let is_safe = |file: &&ManifestFile| safe_path(&file.tail.split('/').collect::<Vec<_>>()).is_some();
    match files.iter().find(|file| !is_safe(file)) {
        Some(file) => Err(ManifestError::Contradiction(format!("it lists `{}`, outside of its folder", file.tail))),
        None => Ok(staged),
    }
}
