//! A CUR v1 manifest: the first line of the input is its key, the rest its bytes.
#![no_main]

use std::collections::HashSet;

use finops_core::aws_cur::{locate, manifest_patterns, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (key, bytes) = (String::from_utf8_lossy(&data[..end]), &data[end + 1..]);
    let (prefix, _) = key.split_once('/').unwrap_or_default();
    for prefix in ["", prefix] {
        let Some(location) = locate(prefix, None, &key) else { continue };
        let name = location.export_name.as_str();
        assert_eq!(location.key, key);
        assert_eq!(format!("{}{}/{name}-Manifest.json", location.export_folder, location.period_folder), key);
        assert_eq!(locate(prefix, Some(name), &key).as_ref(), Some(&location));
        assert_eq!(manifest_patterns(Some(name)).len(), 2);
    }
    let usual = || locate("cur", None, "cur/cost-and-usage/20250901-20251001/cost-and-usage-Manifest.json");
    let location = locate("", None, &key).or_else(usual).unwrap();
    let Ok(manifest) = parse(&location, bytes) else { return };
    assert_eq!(manifest.billing_period, location.billing_period);
    assert!(!manifest.execution_id.trim().is_empty());
    assert_eq!(manifest.files.iter().collect::<HashSet<_>>().len(), manifest.files.len());
    for file in &manifest.files {
        assert!(!file.contains('\\'), "{file}");
        assert!(file.split('/').all(|part| !matches!(part, "" | "." | "..")), "{file}");
    }
});
