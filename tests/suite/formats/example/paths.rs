//! Where a manifest is below a prefix: `<prefix>/<export name>/<YYYY-MM>/<run>/delivery.json`. The names of runs begin with
//! the time of the run, such as `20251003T060000Z-7`. Data files are in the folder of the run.

use finops_core::model::{manifest::ManifestLocation, text::as_pattern};
use jiff::Timestamp;

/// The name of every manifest.
pub const MANIFEST: &str = "delivery.json";

pub fn manifest_patterns(export_name: Option<&str>) -> Vec<String> {
    let name = export_name.map_or_else(|| "*".to_owned(), as_pattern);
    vec![format!("{name}/????-??/*/{MANIFEST}")]
}

pub fn locate(prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
    let below = if prefix.is_empty() { key } else { key.strip_prefix(prefix)?.strip_prefix('/')? };
    let [name, month, run, MANIFEST] = below.split('/').collect::<Vec<_>>()[..] else { return None };
    if export_name.is_some_and(|wanted| wanted != name) {
        return None;
    }
    let above = key.len() - below.len();
    Some(ManifestLocation {
        key: key.to_owned(),
        export_folder: key[..=above + name.len()].to_owned(),
        export_name: name.to_owned(),
        period_folder: month.to_owned(),
        billing_period: month.parse().ok()?,
        issued_at: time_of(run),
    })
}

/// The time in the name of a run.
pub fn time_of(run: &str) -> Option<Timestamp> {
    run.split_once('-')?.0.parse().ok()
}

#[test]
fn a_manifest_is_found_below_the_prefix_with_its_month_and_time() {
    let key = "bills/team/2025-09/20251003T060000Z-7/delivery.json";
    let found = locate("bills", None, key).unwrap();
    assert_eq!((found.export_folder.as_str(), found.export_name.as_str()), ("bills/team/", "team"));
    assert_eq!(found.billing_period, "2025-09".parse().unwrap());
    assert_eq!(found.issued_at, Some("2025-10-03T06:00:00Z".parse().unwrap()));
    assert_eq!(locate("", None, "team/2025-09/7/delivery.json").unwrap().export_folder, "team/");
}

#[test]
fn other_objects_are_not_manifests() {
    for key in [
        "bills/team/2025-09/delivery.json",
        "bills/team/2025-13/7/delivery.json",
        "bills/team/2025-09/7/part-0.csv",
        "bill/team/2025-09/7/delivery.json",
    ] {
        assert_eq!(locate("bills", None, key), None, "{key}");
    }
    assert_eq!(locate("bills", Some("other"), "bills/team/2025-09/7/delivery.json"), None);
}
