//! The paths of a Cost and Usage Report below a prefix.
//!
//! `<prefix>/[<export name>/]<YYYYMMDD-YYYYMMDD>/<export name>-Manifest.json`, in every layout of the files. The folder of the
//! assembly, one deeper, has a copy of the manifest, which finops does not read.

use crate::model::{
    manifest::ManifestLocation,
    period::{BillingPeriod, compact_day},
    text::as_pattern,
};

/// The end of the names of AWS's manifests.
pub(crate) const MANIFEST_SUFFIX: &str = "-Manifest.json";

/// The name of the export with the manifest `file`, in the folder of the export if there is one. `None` if it is no manifest, or
/// of another export than the `wanted` one.
pub(crate) fn export_of<'f>(file: &'f str, folder: Option<&str>, wanted: Option<&str>) -> Option<&'f str> {
    let name = file.strip_suffix(MANIFEST_SUFFIX).filter(|name| !name.is_empty())?;
    (wanted.is_none_or(|wanted| wanted == name) && folder.is_none_or(|folder| folder == name)).then_some(name)
}

/// Glob patterns (`*` stays within a folder) below the prefix that together match every manifest. With an export name they match
/// no copies.
pub fn manifest_patterns(export_name: Option<&str>) -> Vec<String> {
    let name = export_name.map_or_else(|| "*".to_owned(), as_pattern);
    vec![format!("*/{name}{MANIFEST_SUFFIX}"), format!("{name}/*/{name}{MANIFEST_SUFFIX}")]
}

/// The part of `key` below `prefix` (without a `/` at its end). If the path prefix at AWS ends with a `/` or is `/`, as in
/// reports of 2019 and 2020, keys have an empty folder: `cur//name/...`, `/name/...`.
pub(crate) fn below<'k>(prefix: &str, key: &'k str) -> Option<&'k str> {
    let below = if prefix.is_empty() { key } else { key.strip_prefix(prefix)?.strip_prefix('/')? };
    Some(below.strip_prefix('/').unwrap_or(below))
}

/// The patterns below an empty folder, as described at [`below`].
pub(crate) fn below_empty_folder(patterns: Vec<String>) -> Vec<String> {
    patterns.into_iter().map(|pattern| format!("/{pattern}")).collect()
}

/// As [`crate::formats::Format::locate`].
pub fn locate(prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
    let below = below(prefix, key)?;
    let parts: Vec<&str> = below.split('/').collect();
    let (folder, period_folder, file) = match parts.as_slice() {
        [period, file] => (None, *period, *file),
        [folder, period, file] => (Some(*folder), *period, *file),
        _ => return None,
    };
    let name = export_of(file, folder, export_name)?;
    let billing_period = period_of_folder(period_folder)?;
    let folder_and_file = period_folder.len() + 1 + file.len();
    Some(ManifestLocation {
        key: key.to_owned(),
        export_folder: key[..key.len() - folder_and_file].to_owned(),
        export_name: name.to_owned(),
        period_folder: period_folder.to_owned(),
        billing_period,
        issued_at: None,
    })
}

fn period_of_folder(folder: &str) -> Option<BillingPeriod> {
    let (start, end) = folder.split_once('-')?;
    let start = compact_day(start)?;
    compact_day(end)?;
    Some(BillingPeriod::containing(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_or_a_folder_below_it_can_be_the_exports_folder() {
        for (prefix, key) in [
            ("a/b", "a/b/cur/20250901-20251001/cur-Manifest.json"),
            ("a/b/cur", "a/b/cur/20250901-20251001/cur-Manifest.json"),
            ("", "cur/20250901-20251001/cur-Manifest.json"),
            ("", "20250901-20251001/cur-Manifest.json"),
            ("", "/cur/20250901-20251001/cur-Manifest.json"),
            ("a/b", "a/b//cur/20250901-20251001/cur-Manifest.json"),
            ("a//b", "a//b//20250901-20251001/cur-Manifest.json"),
        ] {
            for name in [Some("cur"), None] {
                let found = locate(prefix, name, key).unwrap();
                assert_eq!(found.billing_period.to_string(), "2025-09");
                assert_eq!(found.export_name, "cur");
                assert_eq!(format!("{}20250901-20251001/cur-Manifest.json", found.export_folder), key);
            }
        }
    }

    #[test]
    fn inner_copies_and_strangers_are_not_manifests() {
        for key in [
            "p/cur/20250901-20251001/11111111-2222/cur-Manifest.json",
            "p/20250901-20251001/11111111-2222/cur-Manifest.json",
            "p/cur/metadata/cur-Manifest.json",
            "p/cur/20250901-20251001/cur-00001.csv.gz",
            "p/cur/20251301-20251001/cur-Manifest.json",
            "p/other/20250901-20251001/cur-Manifest.json",
            "p/cur/20250901-20251001/-Manifest.json",
            "pq/cur/20250901-20251001/cur-Manifest.json",
            "p///cur/20250901-20251001/cur-Manifest.json",
        ] {
            assert_eq!(locate("p", None, key), None, "{key}");
        }
        assert_eq!(locate("p", Some("cur"), "p/b/20250901-20251001/b-Manifest.json"), None);
    }

    #[test]
    fn a_name_with_glob_characters_is_not_a_pattern() {
        assert_eq!(manifest_patterns(Some("c[u]*r"))[0], "*/c?u??r-Manifest.json");
    }
}
