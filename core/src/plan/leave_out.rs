//! Deliveries that do not count. A setting names them by execution id, or by a pattern of their folder.

use crate::{
    formats::azure,
    hint,
    model::{manifest::Manifest, provider::Provider, text::is_like},
};

/// The value of a setting such as `AZURE_LEAVE_OUT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveOut {
    /// The setting's name.
    pub setting: String,
    /// Execution ids, or patterns of one folder or of several in a row. For Azure, case does not count.
    pub entries: Vec<String>,
}

impl LeaveOut {
    /// Whether an entry matches a folder of the object, below `prefix` (without a `/` at its end).
    pub fn has_folder(&self, provider: Provider, prefix: &str, key: &str) -> bool {
        let below = key.strip_prefix(prefix).unwrap_or(key).trim_start_matches('/');
        let folders: Vec<&str> = below.rsplit_once('/').map_or_else(Vec::new, |(above, _)| above.split('/').collect());
        let is_like = |pattern: &str, folder: &str| {
            if provider.names_have_case() {
                is_like(pattern, folder)
            } else {
                is_like(&pattern.to_lowercase(), &folder.to_lowercase())
            }
        };
        self.entries.iter().any(|entry| {
            let patterns: Vec<&str> = entry.trim_matches('/').split('/').collect();
            folders.windows(patterns.len()).any(|folders| folders.iter().zip(&patterns).all(|(f, p)| is_like(p, f)))
        })
    }

    /// Whether an entry is the delivery's id, or matches a folder of its files, whose paths are relative to `export_folder`.
    pub fn has_delivery(&self, provider: Provider, prefix: &str, export_folder: &str, manifest: &Manifest) -> bool {
        let id = &manifest.execution_id;
        let is_id = |entry: &String| provider.is_same_name(entry, id);
        let is_below = |path: &str| self.has_folder(provider, prefix, &format!("{export_folder}{path}"));
        self.entries.iter().any(is_id)
            || (!self.entries.is_empty() && manifest.files.iter().any(|file| is_below(&file.relative_path)))
    }

    /// `hint`, and how to go on without the delivery that cannot be loaded.
    pub fn hint(&self, hint: &str, provider: Provider, manifest_uri: &str, execution_id: Option<&str>) -> String {
        // A month of several runs has no one delivery to leave out.
        if manifest_uri.is_empty() {
            return hint.to_owned();
        }
        let end = if hint.ends_with('?') { "" } else { "." };
        hint::or_leave_out(format!("{hint}{end}"), entry(provider, manifest_uri, execution_id), &self.setting)
    }
}

/// The entry for one delivery. Of Azure's, the manifest's folder from the month on: in overwriting mode, runs of several months
/// may have one id. Else its id, as the manifest of a Cost and Usage Report is in the folder of the whole month.
fn entry(provider: Provider, manifest_uri: &str, execution_id: Option<&str>) -> String {
    let folders: Vec<&str> = manifest_uri.split('/').rev().skip(1).collect();
    let of_month = folders.iter().position(|folder| provider == Provider::Azure && azure::is_range(folder));
    match (of_month, execution_id) {
        (Some(at), _) => folders[..=at].iter().rev().copied().collect::<Vec<_>>().join("/"),
        (None, Some(id)) => id.to_owned(),
        (None, None) => folders.first().copied().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        kind::ExportKind,
        manifest::{FileFormat, ManifestFile},
    };

    const KEY: &str = "p/x/Daily/20250701-20250930/202510200900/ABC/manifest.json";

    fn leave_out(entry: &str) -> LeaveOut {
        LeaveOut { setting: "AZURE_LEAVE_OUT".to_owned(), entries: vec!["other".to_owned(), entry.to_owned()] }
    }

    #[test]
    fn a_folder_below_the_prefix_is_matched_at_any_depth_alone_or_with_those_around_it() {
        let has = |provider, entry: &str| leave_out(entry).has_folder(provider, "p/x", KEY);
        for entry in
            ["20250701-20250930", "Daily/20250701-20250930", "/ABC/", "202507??-*", "20250701-*/*/ABC", "D*y", "*"]
        {
            assert!(has(Provider::Aws, entry) && has(Provider::Azure, entry), "{entry}");
        }
        for entry in ["p", "x", "p/x/Daily", "20250701", "manifest.json", "Daily/ABC", "20250701-2025093", "ABC/*", "?"]
        {
            assert!(!has(Provider::Aws, entry) && !has(Provider::Azure, entry), "{entry}");
        }
        // Azure's names have no case, S3's keys do.
        for entry in ["daily", "abc", "DAILY/*"] {
            assert_eq!([Provider::Aws, Provider::Azure].map(|provider| has(provider, entry)), [false, true], "{entry}");
        }
        assert!(!leave_out("*").has_folder(Provider::Aws, "", "manifest.json"));
        assert!(!LeaveOut::default().has_folder(Provider::Aws, "p/x", KEY));
    }

    #[test]
    fn a_delivery_is_matched_by_its_id_and_by_the_folders_of_its_files() {
        let manifest = Manifest {
            files: vec![ManifestFile { relative_path: "20250901-20251001/f1/1.csv".to_owned(), bytes: None }],
            ..Manifest::new(ExportKind::Cur, "cur", "2025-09".parse().unwrap(), "2025/Run", FileFormat::Csv)
        };
        let has = |provider, entry: &str| leave_out(entry).has_delivery(provider, "p", "p/cur/", &manifest);
        for entry in ["2025/Run", "20250901-20251001/f1", "cur/*/f1", "f?"] {
            assert!(has(Provider::Aws, entry), "{entry}");
        }
        for entry in ["2025/R*n", "Run", "1.csv", "p"] {
            assert!(!has(Provider::Aws, entry) && !has(Provider::Azure, entry), "{entry}");
        }
        assert_eq!([Provider::Aws, Provider::Azure].map(|provider| has(provider, "2025/run")), [false, true]);
        assert!(!LeaveOut::default().has_delivery(Provider::Aws, "p", "p/cur/", &manifest));
    }

    #[test]
    fn the_hint_names_the_setting_and_an_entry_that_matches_this_delivery_only() {
        let uri = format!("gs://b/{KEY}");
        for (provider, uri, id, expected) in [
            (Provider::Azure, uri.as_str(), Some("ABC"), "20250701-20250930/202510200900/ABC"),
            (Provider::Azure, &uri, None, "20250701-20250930/202510200900/ABC"),
            (Provider::Azure, "/s/2025-09/a%2Fb/x.manifest.json", Some("a/b"), "a/b"),
            (Provider::Aws, "s3://b/cur/20250901-20251001/cur-Manifest.json", Some("assembly"), "assembly"),
            (Provider::Aws, "s3://b/cur/20250901-20251001/cur-Manifest.json", None, "20250901-20251001"),
        ] {
            let hint = leave_out("x").hint("choose CSV", provider, uri, id);
            let without = "To load the export without this delivery, add";
            assert_eq!(hint, format!("choose CSV. {without} `{expected}` to AZURE_LEAVE_OUT"));
        }
        let entry = entry(Provider::Azure, &uri, None);
        assert!(leave_out(&entry).has_folder(Provider::Azure, "p/x", KEY));
    }
}
