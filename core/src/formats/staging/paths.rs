//! The paths of deliveries that finops wrote.

use std::collections::HashSet;

use crate::model::{
    delivery::Delivery,
    digest::hash,
    manifest::{Manifest, ManifestFile, ManifestLocation},
    period::BillingPeriod,
    provider::Provider,
    text::as_pattern,
};

/// The folder of a delivery below the staging folder: its month, and its execution id as one safe component.
pub fn staging_folder(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.billing_period, component(&manifest.execution_id))
}

/// The names of a delivery's files in its folder, in their order: their own names, with a number in front until they are unique
/// in any case. No name is one of a manifest or of an incomplete file.
pub fn file_names(delivery: &Delivery) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |(at, file): (usize, &ManifestFile)| {
        let mut name = component(file.relative_path.rsplit('/').next().unwrap_or_default());
        let is_ours = [".part", ".manifest.json"].iter().any(|ending| name.to_lowercase().ends_with(ending));
        if let Some(dot) = name.rfind('.').filter(|_| is_ours) {
            name.replace_range(dot..=dot, "%2E");
        }
        while !taken.insert(name.to_lowercase()) {
            name = format!("{at}-{name}");
        }
        name
    };
    delivery.manifest.files.iter().enumerate().map(name).collect()
}

/// The name of the manifest in a delivery's staging folder. It shows the provider and the export.
pub fn manifest_name(provider: Provider, export_name: &str) -> String {
    format!("{}{}", component(export_name), manifest_suffix(provider))
}

fn manifest_suffix(provider: Provider) -> String {
    format!(".{}.manifest.json", provider.as_str())
}

/// The limit of a component. File systems allow 255 bytes, and more is added to it.
const LONGEST_COMPONENT: usize = 200;

/// `text` as one component of a path on any machine: bytes except letters, digits and `.-_:=` become `%` and two digits. In a
/// long text, a hash between two `~` replaces the middle, because the end of a file's name shows its type.
fn component(text: &str) -> String {
    let escaped = escape(text);
    if escaped.len() <= LONGEST_COMPONENT {
        return escaped;
    }
    let middle = format!("~{}~", hash([text.as_bytes()]));
    let kept = (LONGEST_COMPONENT - middle.len()) / 2;
    format!("{}{middle}{}", &escaped[..kept], &escaped[escaped.len() - kept..])
}

fn escape(text: &str) -> String {
    let fits =
        |(at, byte): (usize, u8)| byte.is_ascii_alphanumeric() || b"-_:=".contains(&byte) || (byte == b'.' && at > 0);
    let escaped = |(at, byte)| if fits((at, byte)) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().enumerate().map(escaped).collect()
}

/// The text of a component that is not cut.
fn text_of(component: &str) -> Option<String> {
    let mut parts = component.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// The name of the month's Parquet file.
pub fn parquet_name(provider: Provider, period: BillingPeriod) -> String {
    format!("{period}{}.parquet", parquet_stem(provider))
}

/// The name of the manifest beside it.
pub fn parquet_manifest_name(provider: Provider, period: BillingPeriod) -> String {
    format!("{period}{}.manifest.json", parquet_stem(provider))
}

/// The part of a Parquet file's name after its month.
fn parquet_stem(provider: Provider) -> String {
    format!("_{}_billing", provider.as_str())
}

/// Glob patterns below a staging folder that together match every manifest.
pub(super) fn staged_patterns(provider: Provider, export_name: Option<&str>) -> Vec<String> {
    let name = export_name.map_or_else(|| "*".to_owned(), |name| as_pattern(&component(name)));
    vec![format!("????-??/*/{name}{}", manifest_suffix(provider))]
}

/// Glob patterns below a folder of Parquet files that together match every manifest.
pub(super) fn parquet_patterns(provider: Provider) -> Vec<String> {
    vec![format!("????-??{}.manifest.json", parquet_stem(provider))]
}

/// The location of a manifest in a staging folder. The export's name is empty if the file's name was cut.
pub(super) fn locate_staged(
    provider: Provider,
    prefix: &str,
    export_name: Option<&str>,
    key: &str,
) -> Option<ManifestLocation> {
    let below = below(prefix, key)?;
    let [period, _, file] = below.split('/').collect::<Vec<_>>()[..] else { return None };
    let name = file.strip_suffix(&manifest_suffix(provider))?;
    let export_name = match export_name {
        Some(wanted) if component(wanted) == name => wanted.to_owned(),
        Some(_) => return None,
        None if name.contains('~') => String::new(),
        None => text_of(name)?,
    };
    location(key, below, period, export_name)
}

/// The location of a manifest beside a Parquet file. Its name does not have the name of the export.
pub(super) fn locate_parquet(
    provider: Provider,
    prefix: &str,
    export_name: Option<&str>,
    key: &str,
) -> Option<ManifestLocation> {
    let below = below(prefix, key)?;
    let period = below.strip_suffix(".manifest.json")?.strip_suffix(&parquet_stem(provider))?;
    location(key, below, period, export_name.unwrap_or_default().to_owned())
}

fn below<'a>(prefix: &str, key: &'a str) -> Option<&'a str> {
    if prefix.is_empty() { Some(key) } else { key.strip_prefix(prefix)?.strip_prefix('/') }
}

fn location(key: &str, below: &str, period: &str, export_name: String) -> Option<ManifestLocation> {
    Some(ManifestLocation {
        key: key.to_owned(),
        export_folder: key[..key.len() - below.len()].to_owned(),
        export_name,
        period_folder: period.to_owned(),
        billing_period: period.parse().ok()?,
        issued_at: None,
    })
}
