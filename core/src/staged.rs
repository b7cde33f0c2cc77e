//! Deliveries that finops itself put somewhere: a staging folder, and Parquet files of a table. Beside the files lies a
//! manifest of finops's own, written last, so that what has one is complete.
//!
//! A staging folder holds `<YYYY-MM>/<execution id>/<file>` and `<YYYY-MM>/<execution id>/<export>.<provider>.manifest.json`;
//! a Parquet folder `<YYYY-MM>_<provider>_billing.parquet` and `<YYYY-MM>_<provider>_billing.manifest.json`.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    delivery::{Delivery, hash},
    export::{ManifestLocation, Provider},
    manifest::{Manifest, ManifestError, ManifestFile, read, safe_path},
    period::BillingPeriod,
    text::{as_pattern, short},
};

/// Where finops puts deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The provider's files as they are.
    Staging,
    /// A table's months as Parquet.
    Parquet,
}

/// A file as finops wrote it: as long as it has that size and time, it has that checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub updated: Timestamp,
    /// Its CRC32C, as in [`crate::delivery::StoredFile::checksum`].
    pub checksum: String,
}

/// The manifest of finops's own. A field that is added later must be optional: a manifest that cannot be read is as good as
/// none, and all that it lists would be brought there again.
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
    /// Its files as they were written, by tail; none where an older version wrote them, or before all are there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<String, Written>,
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
            written: BTreeMap::new(),
            manifest: Manifest { in_place: false, files: files.collect(), ..delivery.manifest.clone() },
        }
    }
}

/// The folder of a delivery below the staging folder: its month, and its execution id as one safe component.
pub fn staging_folder(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.billing_period, component(&manifest.execution_id))
}

/// The names that a delivery's files get in its folder, in their order: their own, with a number before it until nothing else
/// there has that name, whatever its case. None is that of a manifest, nor of a file that is not whole.
pub fn file_names(delivery: &Delivery) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |(at, file): (usize, &ManifestFile)| {
        let mut name = component(file.tail.rsplit('/').next().unwrap_or_default());
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

/// The name of the manifest in a delivery's staging folder: it tells whose the folder is.
pub fn manifest_name(provider: Provider, export_name: &str) -> String {
    format!("{}{}", component(export_name), manifest_suffix(provider))
}

fn manifest_suffix(provider: Provider) -> String {
    format!(".{}.manifest.json", provider.as_str())
}

/// No component is longer: with all that is added to it, it has less than the 255 bytes that file systems allow.
const LONGEST_COMPONENT: usize = 200;

/// `text` as one component of a path on any machine: other bytes than letters, digits and `.-_:=` as `%` and two digits. In a
/// long one, a hash between two `~` replaces the middle: the end of a file's name shows its type.
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

/// What Parquet files of the provider are called after their month.
fn parquet_stem(provider: Provider) -> String {
    format!("_{}_billing", provider.as_str())
}

impl Place {
    /// The step of the staged pipeline that writes there.
    pub fn written_by(self) -> &'static str {
        match self {
            Self::Staging => "extract-billing",
            Self::Parquet => "export-parquet",
        }
    }

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

    /// Takes `key` apart if it is a manifest of the export below `prefix` (without a `/` at its end), else `None`. The
    /// export's name is empty where the file's name does not have it: in Parquet folders, and where it is cut.
    pub fn locate(
        self,
        provider: Provider,
        prefix: &str,
        export_name: Option<&str>,
        key: &str,
    ) -> Option<ManifestLocation> {
        let below = if prefix.is_empty() { key } else { key.strip_prefix(prefix)?.strip_prefix('/')? };
        let (period, export_name) = match (self, below.split('/').collect::<Vec<_>>().as_slice()) {
            (Self::Staging, [period, _, file]) => {
                let name = file.strip_suffix(&manifest_suffix(provider))?;
                match export_name {
                    Some(wanted) if component(wanted) == name => (*period, wanted.to_owned()),
                    Some(_) => return None,
                    None if name.contains('~') => (*period, String::new()),
                    None => (*period, text_of(name)?),
                }
            }
            (Self::Parquet, [file]) => {
                let period = file.strip_suffix(".manifest.json")?.strip_suffix(&parquet_stem(provider))?;
                (period, export_name.unwrap_or_default().to_owned())
            }
            _ => return None,
        };
        Some(ManifestLocation {
            key: key.to_owned(),
            export_folder: key[..key.len() - below.len()].to_owned(),
            export_name,
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
        let what = format!("it is of export `{}`, and `{}` was expected", short(export_name), location.export_name);
        return Err(ManifestError::Contradiction(what));
    }
    let is_safe = |file: &&ManifestFile| safe_path(&file.tail.split('/').collect::<Vec<_>>()).is_some();
    match files.iter().find(|file| !is_safe(file)) {
        Some(file) => {
            Err(ManifestError::Contradiction(format!("it lists `{}`, outside of its folder", short(&file.tail))))
        }
        None => Ok(staged),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{delivery::StoredFile, export::ExportKind, manifest::FileFormat};

    fn delivery(execution_id: &str, tails: &[&str]) -> Delivery {
        let file = |tail: &&str| ManifestFile { tail: (*tail).to_owned(), bytes: None };
        let manifest = Manifest {
            kind: ExportKind::Cur2,
            export_name: "cost & usage".to_owned(),
            billing_period: "2025-09".parse().unwrap(),
            execution_id: execution_id.to_owned(),
            issued: None,
            until: None,
            scope: None,
            from: None,
            kept: false,
            sizes_may_differ: false,
            runs: Vec::new(),
            in_place: true,
            rows: None,
            format: FileFormat::Csv,
            columns: Vec::new(),
            files: tails.iter().map(file).collect(),
        };
        let (key, checksum, updated) = ("k".to_owned(), "c".to_owned(), Timestamp::UNIX_EPOCH);
        let stored = |tail: &&str| {
            (
                (*tail).to_owned(),
                StoredFile { key: key.clone(), bytes: 3, updated, checksum: checksum.clone(), version: None },
            )
        };
        let stored: HashMap<String, StoredFile> = tails.iter().map(stored).collect();
        Delivery::new(manifest, "s3://b/m".to_owned(), Timestamp::UNIX_EPOCH, stored)
    }

    #[test]
    fn what_was_staged_is_found_again_and_reads_as_what_was_delivered() {
        let delivery = delivery("2025-09-03T06:00:00.5Z-a/b", &["x/1.csv.gz", "y/1.csv.gz"]);
        let staged = StagedManifest::of(&delivery, Provider::Aws, Timestamp::UNIX_EPOCH);
        let folder = staging_folder(&delivery.manifest);
        assert_eq!(folder, "2025-09/2025-09-03T06:00:00.5Z-a%2Fb");
        let tails: Vec<&str> = staged.manifest.files.iter().map(|file| file.tail.as_str()).collect();
        assert_eq!(tails, [format!("{folder}/1.csv.gz"), format!("{folder}/1-1.csv.gz")]);

        let key = format!("{folder}/{}", manifest_name(Provider::Aws, "cost & usage"));
        for wanted in [Some("cost & usage"), None] {
            let location = Place::Staging.locate(Provider::Aws, "", wanted, &key).unwrap();
            let bytes = serde_json::to_vec(&staged).unwrap();
            assert_eq!(parse(Provider::Aws, &location, &bytes).unwrap(), staged);
            assert!(parse(Provider::Azure, &location, &bytes).is_err());
        }
        assert_eq!(Place::Staging.locate(Provider::Aws, "", Some("another"), &key), None);
        assert_eq!(Place::Staging.locate(Provider::Azure, "", None, &key), None);
    }

    #[test]
    fn what_has_long_names_is_found_again_under_names_that_a_file_system_takes() {
        let long = |end: &str| format!("{}{end}", "ä".repeat(500));
        let (id, name) = (long("id"), long("export"));
        let mut delivery = delivery(&id, &[&long("1.csv.gz"), &long("2.csv.gz")]);
        delivery.manifest.export_name.clone_from(&name);
        let staged = StagedManifest::of(&delivery, Provider::Azure, Timestamp::UNIX_EPOCH);
        let key = format!("{}/{}", staging_folder(&delivery.manifest), manifest_name(Provider::Azure, &name));
        let paths = staged.manifest.files.iter().map(|file| &file.tail).chain([&key]);
        let parts: HashSet<&str> = paths.flat_map(|path| path.split('/')).collect();
        assert_eq!(parts.len(), 5, "{parts:?}");
        assert!(parts.iter().all(|part| part.len() + ".part.part".len() <= 255), "{parts:?}");
        assert!(staged.manifest.files[1].tail.ends_with("2.csv.gz"));

        let bytes = serde_json::to_vec(&staged).unwrap();
        for wanted in [Some(name.as_str()), None] {
            let location = Place::Staging.locate(Provider::Azure, "", wanted, &key).unwrap();
            assert_eq!(location.export_name, wanted.unwrap_or_default());
            assert_eq!(parse(Provider::Azure, &location, &bytes).unwrap(), staged);
        }
        assert_eq!(Place::Staging.locate(Provider::Azure, "", Some(&long("other")), &key), None);
        assert_ne!(
            staging_folder(&Manifest { execution_id: long("di"), ..delivery.manifest.clone() }),
            staging_folder(&delivery.manifest)
        );
    }

    #[test]
    fn ids_and_names_from_outside_are_one_component_below_the_folder() {
        for (id, component) in
            [("..", "%2E."), ("a/../b", "a%2F..%2Fb"), ("/etc", "%2Fetc"), ("a\\b", "a%5Cb"), ("ä", "%C3%A4")]
        {
            assert_eq!(staging_folder(&delivery(id, &[]).manifest), format!("2025-09/{component}"));
        }
        let mut staged = StagedManifest::of(&delivery("a", &["x/1.csv"]), Provider::Aws, Timestamp::UNIX_EPOCH);
        staged.manifest.files[0].tail = "../../etc/passwd".to_owned();
        let location = Place::Staging.locate(Provider::Aws, "", None, "2025-09/a/x.aws.manifest.json").unwrap();
        let location = ManifestLocation { export_name: "cost & usage".to_owned(), ..location };
        let refused = parse(Provider::Aws, &location, &serde_json::to_vec(&staged).unwrap()).unwrap_err();
        assert!(matches!(refused, ManifestError::Contradiction(text) if text.contains("outside of its folder")));
    }

    #[test]
    fn parquet_files_are_found_by_their_month_and_provider() {
        let period = "2025-09".parse().unwrap();
        let key = parquet_manifest_name(Provider::Aws, period);
        let location = Place::Parquet.locate(Provider::Aws, "", Some("daily"), &key).unwrap();
        assert_eq!((location.billing_period, location.export_name.as_str()), (period, "daily"));
        assert_eq!(Place::Parquet.locate(Provider::Azure, "", None, &key), None);
        for stranger in
            ["2025-13_aws_billing.manifest.json", "2025-09_aws_billing.parquet", "a/2025-09_aws_billing.manifest.json"]
        {
            assert_eq!(Place::Parquet.locate(Provider::Aws, "", None, stranger), None, "{stranger}");
        }
    }
}
