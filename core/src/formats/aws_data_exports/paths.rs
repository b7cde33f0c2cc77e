//! The paths of a data export below a prefix.
//!
//! `<prefix>/[<export name>/]metadata/BILLING_PERIOD=2025-04/[<run folder>/]<export name>-Manifest.json`, and the files of the
//! month in `data/` instead of `metadata/`. FOCUS exports write `billing_period=`. If each run is kept, it has a folder such as
//! `2025-04-11T16:16:37.516Z-<execution id>`; the manifest is in this folder, above it, or both.

use jiff::Timestamp;

use crate::{
    formats::aws_cur::{MANIFEST_SUFFIX, below, export_of},
    model::{manifest::ManifestLocation, period::BillingPeriod, text::as_pattern},
};

/// Glob patterns (`*` stays within a folder) below the prefix that together match every manifest.
pub fn manifest_patterns(export_name: Option<&str>) -> Vec<String> {
    let name = export_name.map_or_else(|| "*".to_owned(), as_pattern);
    let folders = ["metadata/*".to_owned(), format!("{name}/metadata/*")];
    let runs = ["", "/*"];
    let patterns = folders.iter().flat_map(|folder| runs.map(|run| format!("{folder}{run}/{name}{MANIFEST_SUFFIX}")));
    patterns.collect()
}

/// As [`crate::formats::Format::locate`].
pub fn locate(prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
    let below = below(prefix, key)?;
    let parts: Vec<&str> = below.split('/').collect();
    let (folder, period_folder, run, file) = match parts.as_slice() {
        ["metadata", period, file] => (None, *period, None, *file),
        ["metadata", period, run, file] if period_of_folder(period).is_some() => (None, *period, Some(*run), *file),
        [folder, "metadata", period, file] => (Some(*folder), *period, None, *file),
        [folder, "metadata", period, run, file] => (Some(*folder), *period, Some(*run), *file),
        _ => return None,
    };
    let name = export_of(file, folder, export_name)?;
    let billing_period = period_of_folder(period_folder)?;
    let export_folder = key.len() - below.len() + folder.map_or(0, |folder| folder.len() + 1);
    Some(ManifestLocation {
        key: key.to_owned(),
        export_folder: key[..export_folder].to_owned(),
        export_name: name.to_owned(),
        period_folder: period_folder.to_owned(),
        billing_period,
        issued_at: run.and_then(run_time),
    })
}

/// The month of a folder such as `BILLING_PERIOD=2025-04`.
pub(super) fn period_of_folder(folder: &str) -> Option<BillingPeriod> {
    let (key, month) = folder.split_once('=')?;
    key.eq_ignore_ascii_case("billing_period").then(|| month.parse().ok()).flatten()
}

/// The start of a run, if the name of its folder has it.
pub(super) fn run_time(folder: &str) -> Option<Timestamp> {
    let end = folder.find('Z')? + 1;
    folder[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "2025-04-11T16:16:37.516Z-2f9a0d1e-0000-4000-8000-3f0f2b6ed6c5";

    #[test]
    fn every_layout_is_found() {
        let began = Some("2025-04-11T16:16:37.516Z".parse().unwrap());
        for (prefix, folder) in [
            ("a/b", "a/b/cur2/"),
            ("a/b/cur2", "a/b/cur2/"),
            ("a/b", "a/b/"),
            ("", "cur2/"),
            ("", ""),
            ("", "/cur2/"),
            ("a", "a//"),
        ] {
            for period in ["BILLING_PERIOD=2025-04", "billing_period=2025-04"] {
                for (run, issued) in [(String::new(), None), (format!("{RUN}/"), began), ("a-run/".to_owned(), None)] {
                    for name in [Some("cur2"), None] {
                        let key = format!("{folder}metadata/{period}/{run}cur2-Manifest.json");
                        let expected = ManifestLocation {
                            export_folder: folder.to_owned(),
                            export_name: "cur2".to_owned(),
                            period_folder: period.to_owned(),
                            billing_period: "2025-04".parse().unwrap(),
                            issued_at: issued,
                            key: key.clone(),
                        };
                        assert_eq!(locate(prefix, name, &key), Some(expected), "{key}");
                    }
                }
            }
        }
    }

    #[test]
    fn strangers_are_not_manifests() {
        for key in [
            "p/x/data/BILLING_PERIOD=2025-04/x-Manifest.json",
            "p/x/metadata/BILLING_PERIOD=2025-04/y-Manifest.json",
            "p/x/metadata/BILLING_PERIOD=2025-04/-Manifest.json",
            "p/x/metadata/BILLING_PERIOD=2025-04/x-00001.csv.gz",
            "p/x/metadata/BILLING_PERIOD=2025-4/x-Manifest.json",
            "p/x/metadata/BILLING_PERIOD=2025-04-01/x-Manifest.json",
            "p/x/metadata/BILLING_PERIOD=2025-13/x-Manifest.json",
            "p/x/metadata/DATE=2025-04/x-Manifest.json",
            "p/x/metadata/BILLING_PERIOD=2025-04/run/deeper/x-Manifest.json",
            "p/y/x/metadata/BILLING_PERIOD=2025-04/x-Manifest.json",
            "p/x/metadata/x-Manifest.json",
            "pq/x/metadata/BILLING_PERIOD=2025-04/x-Manifest.json",
            "p/x/20250401-20250501/x-Manifest.json",
        ] {
            assert_eq!(locate("p", None, key), None, "{key}");
        }
        assert_eq!(locate("p", Some("x"), "p/y/metadata/BILLING_PERIOD=2025-04/y-Manifest.json"), None);
    }

    #[test]
    fn an_export_may_be_called_as_its_folders_are() {
        let found = locate("p", None, "p/metadata/metadata/BILLING_PERIOD=2025-04/metadata-Manifest.json").unwrap();
        assert_eq!((found.export_folder.as_str(), found.export_name.as_str()), ("p/metadata/", "metadata"));
    }

    #[test]
    fn the_patterns_name_the_export() {
        assert_eq!(
            manifest_patterns(Some("c*r")),
            [
                "metadata/*/c?r-Manifest.json",
                "metadata/*/*/c?r-Manifest.json",
                "c?r/metadata/*/c?r-Manifest.json",
                "c?r/metadata/*/*/c?r-Manifest.json"
            ]
        );
        assert_eq!(manifest_patterns(None)[2], "*/metadata/*/*-Manifest.json");
    }
}
