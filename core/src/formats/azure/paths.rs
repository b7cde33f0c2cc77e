//! The paths of a Cost Management export below a prefix.
//!
//! `<prefix>/[<export name>/]<YYYYMMDD-YYYYMMDD>/[<yyyyMMddHHmm>/][<run id>/]manifest.json`. The inner folders
//! depend on the age of the export and on whether it overwrites. Older exports wrote `_manifest.json`.

use crate::model::{
    manifest::ManifestLocation,
    period::{BillingPeriod, compact_day},
    text::as_pattern,
};

const MANIFESTS: [&str; 2] = ["manifest.json", "_manifest.json"];

/// Glob patterns (`*` stays within a folder) below the prefix that together match every manifest.
pub fn manifest_patterns(export_name: Option<&str>) -> Vec<String> {
    patterns(&export_name.map_or_else(|| "*".to_owned(), as_pattern), "*manifest.json")
}

/// Patterns that match manifests of the export's name in any case: case does not matter at Azure, but in the folders of a mirror.
pub fn any_case(export_name: &str) -> Vec<String> {
    let name = as_pattern(export_name).replace(|c: char| c.is_ascii_alphabetic(), "?");
    patterns(&name, "*manifest.json")
}

/// Patterns that match all files in the folders of manifests.
pub fn data_patterns() -> Vec<String> {
    patterns("*", "*")
}

fn patterns(export_name: &str, file: &str) -> Vec<String> {
    let exports = [String::new(), format!("{export_name}/")];
    let inner = |export: &String| ["", "*/", "*/*/"].map(|inner| format!("{export}20??????-20??????/{inner}{file}"));
    exports.iter().flat_map(inner).collect()
}

/// Whether the object at `key` is a data file in a folder of the export's months. Without file partitioning, Azure writes such
/// a file, and no manifest.
pub fn is_data_file(prefix: &str, export_name: Option<&str>, key: &str) -> bool {
    let Some((folder, file)) = key.rsplit_once('/') else { return false };
    let file = file.to_ascii_lowercase();
    [".csv", ".csv.gz", ".parquet"].iter().any(|ending| file.ends_with(ending))
        && locate(prefix, export_name, &format!("{folder}/{}", MANIFESTS[0])).is_some()
}

/// As [`crate::formats::Format::locate`]. Without `export_name`, the name is that of the export's folder, or empty at the top of a
/// bucket. With it, the folder may have it in another case.
pub fn locate(prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
    let below = if prefix.is_empty() { key } else { key.strip_prefix(prefix)?.strip_prefix('/')? };
    let (folders, file) = below.rsplit_once('/')?;
    if !MANIFESTS.contains(&file) {
        return None;
    }
    let parts: Vec<&str> = folders.split('/').collect();
    let (folder, range, inner) = match parts.as_slice() {
        [range, inner @ ..] if days(range).is_some() => (None, *range, inner),
        [folder, range, inner @ ..] => (Some(*folder), *range, inner),
        _ => return None,
    };
    let (first, _) = days(range)?;
    if !matches!(inner, [] | [_]) && !matches!(inner, [time, _] if is_minute(time)) {
        return None;
    }
    if let (Some(folder), Some(wanted)) = (folder, export_name)
        && !folder.eq_ignore_ascii_case(wanted)
    {
        return None;
    }
    let above = prefix.rsplit('/').next().unwrap_or_default();
    let export_folder = key.len() - below.len() + folder.map_or(0, |folder| folder.len() + 1);
    Some(ManifestLocation {
        issued_at: None,
        key: key.to_owned(),
        export_folder: key[..export_folder].to_owned(),
        export_name: export_name.or(folder).unwrap_or(above).to_owned(),
        period_folder: range.to_owned(),
        billing_period: BillingPeriod::containing(first),
    })
}

/// First and last day of a folder such as `20250301-20250331`. Unlike in AWS's reports, the last day is included.
pub(super) fn days(folder: &str) -> Option<(jiff::civil::Date, jiff::civil::Date)> {
    let (first, last) = folder.split_once('-')?;
    Some((compact_day(first)?, compact_day(last)?))
}

/// Whether the folder is named after the days that a run covers.
pub(crate) fn is_range(folder: &str) -> bool {
    days(folder).is_some()
}

/// Whether the folder is named after the minute of a run, `202503212104`.
pub(super) fn is_minute(folder: &str) -> bool {
    folder.len() == 12 && folder.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "5f9a0d1e-0000-4000-8000-3f0f2b6ed6c5";

    #[test]
    fn every_layout_is_found() {
        for (prefix, folder) in
            [("a/b", "a/b/daily/"), ("a/b/daily", "a/b/daily/"), ("", "daily/"), ("daily", "daily/")]
        {
            for inner in [String::new(), format!("{RUN}/"), "202503212104/".to_owned(), format!("202503212104/{RUN}/")]
            {
                for (file, name) in [("manifest.json", Some("daily")), ("_manifest.json", None)] {
                    let key = format!("{folder}20250301-20250331/{inner}{file}");
                    let expected = ManifestLocation {
                        issued_at: None,
                        export_folder: folder.to_owned(),
                        export_name: "daily".to_owned(),
                        period_folder: "20250301-20250331".to_owned(),
                        billing_period: "2025-03".parse().unwrap(),
                        key: key.clone(),
                    };
                    assert_eq!(locate(prefix, name, &key), Some(expected), "{key}");
                }
            }
        }
    }

    #[test]
    fn a_folder_may_have_another_name_than_the_export() {
        let name = |prefix: &str, name, key: &str| locate(prefix, name, key).map(|location| location.export_name);
        let key = "mirror/20250301-20250331/manifest.json";
        assert_eq!(name("mirror", Some("daily"), key).as_deref(), Some("daily"));
        assert_eq!(name("mirror", None, key).as_deref(), Some("mirror"));
        assert_eq!(name("", Some("daily"), key), None);
        assert_eq!(name("", None, "20250301-20250331/manifest.json").as_deref(), Some(""));
    }

    #[test]
    fn an_export_is_found_in_whatever_case_its_name_is_written() {
        let key = "p/Daily-Cost/20250301-20250331/manifest.json";
        let found = locate("p", Some("daily-COST"), key).unwrap();
        assert_eq!((found.export_name.as_str(), found.export_folder.as_str()), ("daily-COST", "p/Daily-Cost/"));
        assert_eq!(locate("p", None, key).unwrap().export_name, "Daily-Cost");
        assert_eq!(locate("p", Some("daily-cost2"), key), None);
        assert_eq!(any_case("d*ly-C1")[3], "????-?1/20??????-20??????/*manifest.json");
    }

    #[test]
    fn a_data_file_is_one_of_the_exports_months() {
        for key in ["p/daily/20250901-20250930/daily_c0c0.csv", "p/20250901-20250930/202510010300/x.CSV.GZ"] {
            assert!(is_data_file("p", Some("Daily"), key) && is_data_file("p", None, key), "{key}");
        }
        for key in
            ["p/weekly/20250901-20250930/x.csv", "p/daily/20250901/x.csv", "p/daily/20250901-20250930/x.txt", "x.csv"]
        {
            assert!(!is_data_file("p", Some("daily"), key), "{key}");
        }
        assert_eq!(data_patterns()[3], "*/20??????-20??????/*");
    }

    #[test]
    fn strangers_are_not_manifests() {
        for key in [
            "p/daily/20250301-20250331/202503212104/run/deeper/manifest.json",
            "p/daily/20250301-20250331/run/other/manifest.json",
            "p/daily/20250301-20250331/run/part_0_0001.csv",
            "p/daily/20250301-20250331/run/old-manifest.json",
            "p/daily/20251301-20250331/manifest.json",
            "p/daily/20250301/manifest.json",
            "p/daily/manifest.json",
            "p/manifest.json",
            "p/team/daily/20250301-20250331/manifest.json",
            "pq/daily/20250301-20250331/manifest.json",
        ] {
            assert_eq!(locate("p", None, key), None, "{key}");
        }
    }

    #[test]
    fn the_patterns_reach_every_layout() {
        assert_eq!(
            manifest_patterns(Some("d*y")),
            [
                "20??????-20??????/*manifest.json",
                "20??????-20??????/*/*manifest.json",
                "20??????-20??????/*/*/*manifest.json",
                "d?y/20??????-20??????/*manifest.json",
                "d?y/20??????-20??????/*/*manifest.json",
                "d?y/20??????-20??????/*/*/*manifest.json",
            ]
        );
        assert_eq!(manifest_patterns(None)[3], "*/20??????-20??????/*manifest.json");
    }
}
