//! Exports as they occur in practice, from public bug reports, documentation and sample files: each case of `tests/cases`,
//! in each way that finops loads. `case.json` says what is right; its figures come from the program that wrote the files,
//! not from finops.

mod place;
mod ran;
mod truth;

use std::{collections::BTreeSet, fs};

use self::{
    place::{Place, Way},
    ran::{Ran, is_loaded, rows},
    truth::Case,
};

/// A test of each case in each way. What is S3's own cannot be in a bucket of Google Cloud.
macro_rules! cases {
    ($($case:ident)+; of_s3: $($of_s3:ident)+) => {
        mod in_duckdb {
            cases!(@tests DuckDb: $($case)+ $($of_s3)+);
        }
        mod in_bigquery {
            cases!(@tests BigQuery: $($case)+);
        }
        mod staged {
            cases!(@tests Staged: $($case)+ $($of_s3)+);
        }
        const CASES: &[&str] = &[$(stringify!($case),)+ $(stringify!($of_s3)),+];
    };
    (@tests $way:ident: $($case:ident)+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $case() {
            super::is_right(stringify!($case), super::Way::$way).await;
        })+
    };
}

cases! {
    aws_03a_replaced_by_other_kind
    aws_03b_refused_beside_other_kind
    aws_06_decimals
    aws_08_real_manifest
    aws_10_csv_quoting
    aws_12_cn_relay
    aws_16_shrinking_overwrite
    aws_20_cur2_selection
    aws_21_cid_no_metadata
    aws_23_int_ids
    aws_26_versioning_change
    aws_28_null_text
    aws_29_all_gone
    azure_01_null_period
    azure_02_long_decimals
    azure_03_trailing_zeros
    azure_04_usage_type
    azure_05_mosp
    azure_06_ea_2019
    azure_07_two_scopes
    azure_08_null_counts
    azure_09_hand_manifest
    azure_10_no_manifest
    azure_11_localized
    azure_12_three_months
    azure_13_smaller_newer
    azure_14_dirty_csv
    azure_15_first_of_month
    azure_16_agreement_change
    azure_20_billing_cycle
    azure_21_currencies
    azure_25_dates
    azure_27_kind_change
    azure_28_hand_full_month
    azure_33_name_case
    azure_35_weekly
    azure_39_overwrite_new_guid
    azure_40_csv_then_parquet;
    of_s3:
    aws_01_kms_etag
    aws_02_leading_slash
    aws_04_glacier
}

async fn is_right(name: &str, way: Way) {
    let case = Case::read(name);
    let place = Place::new(way, &case.steps).await;
    for (number, step) in (1..).zip(&case.steps) {
        place.deliver(name, number, step).await;
        for (at, run) in (1..).zip(&step.runs) {
            let table = run.table.clone().unwrap_or_else(|| format!("run_{at}"));
            let what = format!("step {number}, run {at}");
            let ran = Ran::new(&place, &place.run(run, &table).await);
            let loaded = rows(&place, &table);
            for rows in &loaded {
                ran.assert(&what, rows, &run.right);
            }
            if ran.code == 0 {
                let again = Ran::new(&place, &place.run(run, &table).await);
                assert_eq!(again.code, 0, "{what}: a second run fails: {}", again.said());
                assert!(!again.months().any(is_loaded), "{what}: a second run loads: {}", again.said());
                assert_eq!(rows(&place, &table), loaded, "{what}: a second run changes rows");
            }
        }
    }
}

#[test]
fn every_case_is_tested_and_says_what_it_is() {
    let entries = fs::read_dir(truth::folder()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), CASES.iter().map(|&name| name.to_owned()).collect());
    for name in CASES {
        assert!(!Case::read(name).about.is_empty(), "{name}");
    }
}
