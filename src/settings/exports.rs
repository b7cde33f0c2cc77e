//! From variables to exports: where each is, and its table.

use std::collections::BTreeMap;

use finops_core::{
    formats::formats,
    model::{provider::Provider, shown::shown},
};

use super::{
    export_variables::{ExportVariables, configured},
    problem::{ENVIRONMENT, FLAG_OR_ENVIRONMENT, Problems},
    registry, values,
};
use crate::{
    flow::export::{Export, Source},
    warehouse::open::WarehouseConfig,
};

/// The exports of the pipelines that are `wanted`: `aws`, `azure` or `all`. Without a wish, of all that are configured.
pub fn exports(
    wanted: Option<&str>,
    environment: &BTreeMap<String, String>,
    warehouse: &WarehouseConfig,
    problems: &mut Problems,
) -> Vec<Export> {
    let named = wanted.map(str::to_ascii_lowercase);
    let providers: Vec<Provider> = match named.as_deref() {
        None | Some("all") => configured(environment),
        Some(name) => Provider::ALL.into_iter().filter(|provider| provider.as_str() == name).collect(),
    };
    if providers.is_empty() {
        let what = match named.as_deref() {
            None => Some(format!(
                "is not set, and no export is configured: set {}; `finops init` asks for them",
                required()
            )),
            Some("all") => {
                Some("is `all`, but neither a variable AWS_... nor AZURE_... of an export is set".to_owned())
            }
            Some(_) => wanted.and_then(|wanted| registry::variable("PIPELINE").problem(wanted)),
        };
        problems.refuse("PIPELINE", what, FLAG_OR_ENVIRONMENT);
    }
    let mut exports = Vec::new();
    for provider in providers {
        let all = ExportVariables::all(provider, environment, problems);
        exports
            .extend(all.iter().map(|variables| (export(variables, warehouse, problems), variables.own("TABLE_NAME"))));
    }
    refuse_shared_tables(&exports, problems);
    exports.into_iter().map(|(export, _)| export).collect()
}

/// The variables that an export needs, for each provider.
fn required() -> String {
    let of = |provider: Provider| {
        let required = registry::of_export(provider).filter(|setting| setting.is_required);
        let names: Vec<String> = required.map(|setting| setting.variable(Some(provider))).collect();
        let [bucket, source] = ["GCS_BUCKET", "SOURCE"].map(|name| provider.variable(None, name));
        format!("{bucket} (or {source}), {}", names.join(" and "))
    };
    Provider::ALL.map(of).join(", or ")
}

/// Refuses two exports in one table: each would erase the other's months. Each is given with the variable of its table.
fn refuse_shared_tables(exports: &[(Export, String)], problems: &mut Problems) {
    for (at, (export, variable)) in exports.iter().enumerate() {
        let alike = |a: &str, b: &str| !a.is_empty() && a.eq_ignore_ascii_case(b);
        let same = |(other, _): &&(Export, String)| {
            alike(&other.table, &export.table) && alike(&other.dataset, &export.dataset)
        };
        if let Some((other, of_other)) = exports[..at].iter().find(same) {
            let called = |export: &Export| match &export.label {
                Some(label) => format!("the {} export `{label}`", export.provider.as_str()),
                None => format!("the {} export", export.provider.as_str()),
            };
            let what = format!(
                "must name another table: {} would load into {}.{}, as {} does ({of_other}), and each would erase the \
                 other's months",
                called(export),
                shown(&export.dataset),
                shown(&export.table),
                called(other),
            );
            problems.add(variable, what, ENVIRONMENT);
        }
    }
}

fn export(variables: &ExportVariables<'_>, warehouse: &WarehouseConfig, problems: &mut Problems) -> Export {
    let (source, prefix) = source(variables, problems);
    let unreadable = match (&source, warehouse) {
        // An empty path: its problem is known already.
        (Source::Local(path), WarehouseConfig::BigQuery(_)) if !path.as_os_str().is_empty() => {
            Some("is a local folder, which BigQuery cannot read: use gs://bucket/prefix, or WAREHOUSE=duckdb")
        }
        (Source::S3(_), WarehouseConfig::BigQuery(_)) => {
            Some("starts with s3://, and BigQuery reads gs:// only: mirror the bucket, or WAREHOUSE=duckdb")
        }
        (Source::S3(_), WarehouseConfig::DuckDb(_)) if cfg!(not(feature = "s3")) => {
            Some("starts with s3://, which this build does not have: use one with S3")
        }
        _ => None,
    };
    problems.refuse(&variables.name("SOURCE"), unreadable.map(str::to_owned), ENVIRONMENT);
    let dataset = variables.required("DATASET", "the BigQuery dataset, or DuckDB schema", problems);
    let table = variables.required("TABLE_NAME", "the table to load into", problems);
    Export {
        provider: variables.provider,
        formats: formats(variables.provider),
        label: variables.label.clone(),
        name: variables.checked("EXPORT_NAME", problems).map(str::to_owned),
        name_setting: variables.own("EXPORT_NAME"),
        options: values::options(variables.name("LEAVE_OUT"), |suffix| variables.checked(suffix, problems)),
        source,
        prefix,
        dataset,
        table,
    }
}

/// The bucket or folder, and the prefix below it.
fn source(variables: &ExportVariables<'_>, problems: &mut Problems) -> (Source, String) {
    let trimmed = |prefix: &str| prefix.trim_matches('/').to_owned();
    let prefix = variables.checked("GCS_PREFIX", problems);
    let Some((variable, source)) = variables.get("SOURCE") else {
        let what_it_is = format!("the bucket with the export (or set {})", variables.own("SOURCE"));
        let bucket = variables.required("GCS_BUCKET", &what_it_is, problems);
        if bucket.contains(['/', ':', '?', '@']) {
            let instead = match values::bucket_url(&bucket) {
                Some(("s3", _)) => format!("an export in S3 goes to {}", variables.own("SOURCE")),
                _ => format!("a path goes to {}", variables.name("GCS_PREFIX")),
            };
            let what = format!("is `{}`: a bucket's bare name was expected; {instead}", shown(&bucket));
            problems.add(&variables.name("GCS_BUCKET"), what, ENVIRONMENT);
        }
        return (Source::Gcs(bucket), trimmed(prefix.unwrap_or_default()));
    };
    if variables.get("GCS_BUCKET").is_some() || prefix.is_some() {
        let (bucket, prefix) = (variables.name("GCS_BUCKET"), variables.name("GCS_PREFIX"));
        problems.add(
            &variable,
            format!("is set together with {bucket} or {prefix}: set one or the other"),
            ENVIRONMENT,
        );
    }
    let (source, prefix) = values::source(source, &variable, ENVIRONMENT, problems);
    (source, trimmed(&prefix))
}
