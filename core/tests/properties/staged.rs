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

fn names(tails: &[String]) -> Vec<String> {
    let manifest = Manifest {
        files: tails.iter().map(|tail| ManifestFile { relative_path: tail.clone(), bytes: None }).collect(),
        ..Manifest::new(ExportKind::Cur, "cur", "2025-09".parse().unwrap(), "a", FileFormat::Csv)
    };
    file_names(&Delivery::new(manifest, "m".to_owned(), Timestamp::UNIX_EPOCH, HashMap::new()))
}

#[test]
fn a_name_that_a_number_would_give_again_gets_another() {
    let tails = ["x/a.csv", "y/A.csv", "z/1-a.csv"].map(str::to_owned);
    assert_eq!(names(&tails), ["a.csv", "1-A.csv", "2-1-a.csv"]);
}

proptest! {
    #[test]
    fn names_differ_in_more_than_case_and_are_none_of_finopss_own(
        tails in collection::vec("[xy]/([0-2]-){0,2}[aA](\\.csv|\\.part|\\.csv\\.part|\\.aws\\.manifest\\.json)", 0..12)
    ) {
        let found = names(&tails);
        let lower: HashSet<String> = found.iter().map(|name| name.to_lowercase()).collect();
        prop_assert_eq!(lower.len(), tails.len());
        for (name, tail) in found.iter().zip(&tails) {
            let is_ours = [".part", ".manifest.json"].iter().any(|ending| name.ends_with(ending));
            prop_assert!(!is_ours, "{} of {}", name, tail);
        }
        // A file that is added at the end changes no name before it, so that an incomplete folder can be completed.
        let begun = names(&tails[..tails.len() / 2]);
        prop_assert_eq!(&found[..begun.len()], &begun[..]);
    }

    #[test]
    fn names_that_are_the_only_ones_stay_as_they_are(number in 0..100u8) {
        let tails: Vec<String> = (0..number).map(|n| format!("m/cur-{n}.csv.gz")).collect();
        let expected: Vec<String> = (0..number).map(|n| format!("cur-{n}.csv.gz")).collect();
        prop_assert_eq!(names(&tails), expected);
    }
}
