//! A manifest of any format. The first line of the input is its key, the rest its bytes.
#![no_main]

use std::collections::HashSet;

use finops_core::formats::{Format, aws_cur::AwsCur, aws_data_exports::AwsDataExports, azure::Azure};
use libfuzzer_sys::fuzz_target;

/// Keys of manifests, for inputs that do not begin with one.
const USUAL: [(&dyn Format, &str); 3] = [
    (&AwsCur, "cur/cost-and-usage/20250901-20251001/cost-and-usage-Manifest.json"),
    (&AwsDataExports, "cur/daily/metadata/BILLING_PERIOD=2025-09/2025-10-01T06:00:00.000Z-a/daily-Manifest.json"),
    (&Azure, "cur/daily/20250901-20250930/202509302100/5f9a/manifest.json"),
];

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (key, bytes) = (String::from_utf8_lossy(&data[..end]), &data[end + 1..]);
    let (prefix, _) = key.split_once('/').unwrap_or_default();
    for (format, usual) in USUAL {
        for prefix in ["", prefix] {
            let Some(location) = format.locate(prefix, None, &key) else { continue };
            assert_eq!(location.key, key);
            assert!(key.starts_with(&location.export_folder));
            if !location.export_name.is_empty() {
                let named = format.locate(prefix, Some(&location.export_name), &key);
                assert_eq!(named.map(|named| named.billing_period), Some(location.billing_period));
            }
        }
        let found = format.locate("", None, &key).or_else(|| format.locate("cur", None, usual));
        let location = found.unwrap();
        let Ok(parsed) = format.parse(&location, bytes) else { continue };
        let manifest = parsed.manifest;
        assert_eq!(manifest.billing_period, location.billing_period);
        assert!(!manifest.execution_id.trim().is_empty());
        let paths: Vec<&str> = manifest.files.iter().map(|file| file.relative_path.as_str()).collect();
        assert_eq!(paths.iter().collect::<HashSet<_>>().len(), paths.len());
        for path in paths {
            assert!(!path.contains('\\'), "{path}");
            assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path}");
        }
    }
});
