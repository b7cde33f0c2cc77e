//! The names of columns.

use std::collections::{HashMap, HashSet};

use finops_core::formats::names::{column_names, spelled_column_names};
use proptest::{collection, prelude::*};

/// Headers of few letters, so that names collide, and any other headers.
fn headers() -> impl Strategy<Value = Vec<String>> {
    let header = prop_oneof![
        4 => "[abAB1:/_ ]{0,5}",
        1 => "_?_(table|TABLE|File|PARTITION|colIdentifier|change|root__)_x?",
        1 => "resourceTags/user:[nN]ame[0-9]?",
        1 => any::<String>(),
        1 => "[a-zA-Z0-9]{250,400}",
    ];
    collection::hash_set(header, 1..40).prop_map(|headers| headers.into_iter().collect())
}

const RESERVED_BY_BIGQUERY: &[&str] =
    &["_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier", "_change_"];

proptest! {
    #[test]
    fn names_are_valid_and_unique(headers in headers()) {
        let names = column_names(&headers).unwrap();
        prop_assert_eq!(names.iter().collect::<HashSet<_>>().len(), headers.len());
        for name in &names {
            prop_assert!(name.len() <= 300, "{} characters", name.len());
            prop_assert!(name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase()), "{name}");
            prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{name}");
            prop_assert!(!RESERVED_BY_BIGQUERY.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        }
    }

    #[test]
    fn names_as_spelled_are_valid_and_unique(headers in headers()) {
        let names = spelled_column_names(&headers, &["BilledCost"]).unwrap();
        let lower: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        prop_assert_eq!(lower.len(), headers.len());
        for name in &lower {
            prop_assert!(name.len() <= 300, "{} characters", name.len());
            prop_assert!(name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase()), "{name}");
            prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{name}");
            prop_assert!(!RESERVED_BY_BIGQUERY.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        }
    }

    #[test]
    fn a_name_does_not_depend_on_the_order_of_the_columns(
        (headers, shuffled) in headers().prop_flat_map(|headers| (Just(headers.clone()), Just(headers).prop_shuffle())),
    ) {
        let named = |headers: &[String]| -> HashMap<String, String> {
            headers.iter().cloned().zip(column_names(headers).unwrap()).collect()
        };
        prop_assert_eq!(named(&headers), named(&shuffled));
    }

    #[test]
    fn a_column_keeps_its_name_when_another_month_has_other_columns_beside_it(headers in headers()) {
        let others: Vec<String> = (0..5).map(|n| format!("zzz/Other{n}")).collect();
        let alone = column_names(&headers).unwrap();
        let beside = column_names(&[headers.clone(), others].concat()).unwrap();
        prop_assert_eq!(&alone[..], &beside[..headers.len()]);
    }
}
