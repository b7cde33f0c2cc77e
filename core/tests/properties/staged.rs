//! Names of files in the staging folder.

use std::collections::{HashMap, HashSet};

use finops_core::{
    formats::staging::file_names,
    model::{
        delivery::Delivery,
        kind::ExportKind,
        manifest::{FileFormat, Manifest, ManifestFile},
    },
};
use jiff::Timestamp;
use proptest::{collection, prelude::*};

fn names(paths: &[String]) -> Vec<String> {
    let manifest = Manifest {
        files: paths.iter().map(|path| ManifestFile { relative_path: path.clone(), bytes: None }).collect(),
        ..Manifest::new(ExportKind::Cur, "cur", "2025-09".parse().unwrap(), "a", FileFormat::Csv)
    };
    file_names(&Delivery::new(manifest, "m".to_owned(), Timestamp::UNIX_EPOCH, HashMap::new()))
}

#[test]
fn a_number_in_front_never_repeats_a_name() {
    let paths = ["x/a.csv", "y/A.csv", "z/1-a.csv"].map(str::to_owned);
    assert_eq!(names(&paths), ["a.csv", "1-A.csv", "2-1-a.csv"]);
}

proptest! {
    #[test]
    fn names_differ_in_more_than_case_and_are_never_reserved_by_finops(
        paths in collection::vec("[xy]/([0-2]-){0,2}[aA](\\.csv|\\.part|\\.csv\\.part|\\.aws\\.manifest\\.json)", 0..12)
    ) {
        let found = names(&paths);
        let lower: HashSet<String> = found.iter().map(|name| name.to_lowercase()).collect();
        prop_assert_eq!(lower.len(), paths.len());
        for (name, path) in found.iter().zip(&paths) {
            let is_ours = [".part", ".manifest.json"].iter().any(|ending| name.ends_with(ending));
            prop_assert!(!is_ours, "{} of {}", name, path);
        }
        // A file that is added at the end changes no name before it, so that an incomplete folder can be completed.
        let begun = names(&paths[..paths.len() / 2]);
        prop_assert_eq!(&found[..begun.len()], &begun[..]);
    }

    #[test]
    fn unique_names_are_unchanged(number in 0..100u8) {
        let paths: Vec<String> = (0..number).map(|n| format!("m/cur-{n}.csv.gz")).collect();
        let expected: Vec<String> = (0..number).map(|n| format!("cur-{n}.csv.gz")).collect();
        prop_assert_eq!(names(&paths), expected);
    }
}
