//! Variables that nothing reads, and whose names are near one of ours: perhaps misspelt.

use std::collections::{BTreeMap, BTreeSet};

use finops_core::model::provider::Provider;
use strsim::osa_distance;

use super::{
    export_variables::{ExportVariables, is_configured, is_of_export},
    file::variable,
    others::is_known_elsewhere,
    problem::{ENVIRONMENT, Problem, Problems},
    registry,
};

/// A problem for each of these variables. As in `deploy/settings.py`.
pub fn unread(environment: &BTreeMap<String, String>) -> Vec<Problem> {
    let read = read(environment);
    let is_known = |name: &str| {
        let of_list = |provider: &Provider| environment.contains_key(&provider.variable(None, "EXPORTS"));
        read.contains(name)
            || is_known_elsewhere(name)
            // A variable of an export that the list does not name has a problem of its own.
            || Provider::ALL.into_iter().filter(of_list).any(|provider| is_of_export(provider, name))
    };
    let missed: Vec<&str> = read.iter().map(String::as_str).filter(|name| is_missed(name, environment)).collect();
    let mut problems = Problems::default();
    for name in environment.keys().filter(|name| !is_known(name)) {
        if let Some(meant) = nearest(name, &missed) {
            problems.add(name, format!("is not read: did you mean {meant}?"), ENVIRONMENT);
        }
    }
    problems.0
}

/// The name that is nearest to `name`, if one is near.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_uppercase();
    let near = names.iter().copied().filter(|other| is_near(&name, other));
    near.min_by_key(|other| (osa_distance(&name, other), *other))
}

/// Whether few letters differ, or one has a part between `_` more than the other, or `one` is `FINOPS_` and the other.
fn is_near(one: &str, other: &str) -> bool {
    let most = match other.len() {
        ..7 => 0,
        7..10 => 1,
        10.. => 2,
    };
    osa_distance(one, other) <= most
        || one.strip_prefix("FINOPS_") == Some(other)
        || has_a_part_more(one, other)
        || has_a_part_more(other, one)
}

/// Whether `long` is `short` with one more part, which is not the first one.
fn has_a_part_more(long: &str, short: &str) -> bool {
    let parts: Vec<&str> = long.split('_').collect();
    let without = |at: usize| [&parts[..at], &parts[at + 1..]].concat().join("_");
    short.contains('_') && (1..parts.len()).any(|at| without(at) == short)
}

/// The variables that finops reads.
fn read(environment: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = registry::of_run().map(|setting| setting.name.to_owned()).collect();
    names.extend(registry::keys().map(|(key, _)| variable(&key)));
    for provider in Provider::ALL {
        names.extend(registry::of_pipeline(provider).map(|setting| setting.variable(Some(provider))));
        // `exports` reports their problems.
        for export in ExportVariables::all(provider, environment, &mut Problems::default()) {
            names.extend(registry::of_export(provider).map(|setting| export.own(setting.name)));
        }
    }
    names
}

/// Whether a run may lack the variable: it is not set, and neither is what makes it needless.
fn is_missed(name: &str, environment: &BTreeMap<String, String>) -> bool {
    let is_set = |name: &str| environment.contains_key(name);
    let other_form = |ends: &[&str], other: &str| {
        ends.iter().any(|end| name.strip_suffix(end).is_some_and(|begin| is_set(&format!("{begin}{other}"))))
    };
    let of_other_provider = Provider::ALL.into_iter().any(|provider| {
        let is_wanted = |provider: Provider| {
            is_configured(provider, environment)
                || environment.get("PIPELINE").is_some_and(|name| name.eq_ignore_ascii_case(provider.as_str()))
        };
        name.starts_with(&provider.variable(None, ""))
            && !is_wanted(provider)
            && Provider::ALL.into_iter().any(is_wanted)
    });
    let is_of_bigquery = name == "GCP_PROJECT_ID" && environment.get("WAREHOUSE").is_some_and(|name| name == "duckdb");
    !is_set(name)
        && !other_form(&["GCS_BUCKET", "GCS_PREFIX"], "SOURCE")
        && !other_form(&["SOURCE"], "GCS_BUCKET")
        && !of_other_provider
        && !is_of_bigquery
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::others::CLOUDS;

    fn found(pairs: &[(&str, &str)]) -> Vec<String> {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        unread(&environment).into_iter().map(|problem| format!("{} {}", problem.name, problem.what)).collect()
    }

    #[test]
    fn a_misspelt_name_is_reported_with_the_right_one() {
        for (name, meant) in [
            ("AWS_TABLE", "AWS_TABLE_NAME"),
            ("AWS_BUCKET", "AWS_GCS_BUCKET"),
            ("AWS_TABEL_NAME", "AWS_TABLE_NAME"),
            ("AZURE_DATASETS", "AZURE_DATASET"),
            ("AZURE_DATASET_ID", "AZURE_DATASET"),
            ("FINOPS_AWS_BUKET", "FINOPS_AWS_BUCKET"),
            ("FINOPS_BUCKET", "FINOPS_AWS_BUCKET"),
            ("FINOPS_PIPELINE", "PIPELINE"),
            ("PIPELIN", "PIPELINE"),
            ("WAREHOSE", "WAREHOUSE"),
            ("GCP_PROJECT", "GCP_PROJECT_ID"),
            ("BIGQUERY_LOCATON", "BIGQUERY_LOCATION"),
            ("DUCKDB_DATABASE_PATH", "DUCKDB_PATH"),
            ("MAX_AGE", "MAX_AGE_HOURS"),
            ("aws_table_name", "AWS_TABLE_NAME"),
        ] {
            assert_eq!(found(&[(name, "x")]), [format!("{name} is not read: did you mean {meant}?")]);
        }
    }

    #[test]
    fn the_clouds_own_variables_and_those_of_other_tools_are_never_reported() {
        let others =
            ["PATH", "HOME", "LANG", "EDITOR", "PAGER", "TIMEOUT_SECONDS", "memory", "AWS_LAMBDA_FUNCTION_NAME"];
        for name in CLOUDS.iter().map(|name| name.replace('*', "NAME")).chain(others.map(str::to_owned)) {
            assert_eq!(found(&[(&name, "x")]), [""; 0]);
        }
    }

    #[test]
    fn a_name_is_reported_only_if_the_right_one_may_be_missing() {
        let aws = [("AWS_SOURCE", "gs://b/p"), ("AWS_DATASET", "d"), ("AWS_TABLE_NAME", "t")];
        for other in ["AWS_TABLE", "AWS_BUCKET", "AWS_DYNAMODB_TABLE_NAME", "AZURE_TABLE", "AZURE_DATASETS"] {
            assert_eq!(found(&[&aws[..], &[(other, "x")]].concat()), [""; 0], "{other}");
        }
        assert_eq!(found(&[("WAREHOUSE", "duckdb"), ("GCP_PROJECT", "p")]), [""; 0]);
        assert_eq!(found(&[&aws[..], &[("AWS_EXPORT_NAM", "x")]].concat()).len(), 1);
    }

    #[test]
    fn names_of_several_exports_count() {
        let of = |name| found(&[("AWS_EXPORTS", "prod,old-cur"), (name, "x")]);
        assert_eq!(of("AWS_OLD_CUR_TABLE"), ["AWS_OLD_CUR_TABLE is not read: did you mean AWS_OLD_CUR_TABLE_NAME?"]);
        assert_eq!(of("AWS_PROD_TABLE_NAME"), [""; 0]);
        // It belongs to no export, which is a problem of its own.
        assert_eq!(of("AWS_PORD_TABLE_NAME"), [""; 0]);
    }
}
