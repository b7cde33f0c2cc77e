//! From variables to the exports: where each lies, and which table it has.

use std::{collections::BTreeMap, path::PathBuf};

use finops_core::{
    formats::formats,
    model::{load_record::STATE_TABLE, provider::Provider, shown::shown, text::is_harmful},
    plan::leave_out::LeaveOut,
};

use crate::{
    flow::export::{Export, ExportOptions, Source},
    settings::{
        ENVIRONMENT, FLAG_OR_ENVIRONMENT, WarehouseConfig,
        problem::Problems,
        scope::{ExportVariables, is_configured},
        values::{self, cur_version, list, scopes},
    },
};

/// The exports of the pipelines that are `wanted`: `aws`, `azure` or `all`.
pub fn exports(
    wanted: Option<&str>,
    environment: &BTreeMap<String, String>,
    warehouse: &WarehouseConfig,
    problems: &mut Problems,
) -> Vec<Export> {
    let named = Provider::ALL.into_iter().find(|provider| wanted == Some(provider.as_str()));
    let providers: Vec<Provider> = match (wanted, named) {
        (_, Some(provider)) => vec![provider],
        (Some("all"), None) => Provider::ALL.into_iter().filter(|p| is_configured(*p, environment)).collect(),
        (Some(other), None) => {
            problems.add(
                "PIPELINE",
                format!("is `{}`: aws, azure or all was expected", shown(other)),
                FLAG_OR_ENVIRONMENT,
            );
            return Vec::new();
        }
        (None, None) => {
            problems.add("PIPELINE", "is not set: aws, azure or all", FLAG_OR_ENVIRONMENT);
            return Vec::new();
        }
    };
    if providers.is_empty() {
        let what = "is `all`, but neither a variable AWS_... nor AZURE_... of an export is set";
        problems.add("PIPELINE", what, FLAG_OR_ENVIRONMENT);
    }
    let mut exports = Vec::new();
    for provider in providers {
        let scopes = ExportVariables::all(provider, environment, problems);
        exports.extend(scopes.iter().map(|scope| (export(scope, warehouse, problems), scope.own("TABLE_NAME"))));
    }
    refuse_shared_tables(&exports, problems);
    exports.into_iter().map(|(export, _)| export).collect()
}

/// Refuses two exports in one table, given each with its variable for the table: each would erase the other's months.
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

/// A value that must be there; empty where it is not.
fn required(scope: &ExportVariables<'_>, suffix: &str, what_it_is: &str, problems: &mut Problems) -> String {
    if let Some((_, value)) = scope.get(suffix) {
        return value.clone();
    }
    let (own, shared) = (scope.own(suffix), scope.provider.variable(None, suffix));
    let neither = if own == shared { String::new() } else { format!(", nor is {shared}") };
    problems.add(&own, format!("is not set{neither}: {what_it_is}"), ENVIRONMENT);
    String::new()
}

/// What is wrong with a dataset's name, if anything is.
pub fn wrong_dataset(name: &str) -> Option<String> {
    let is_reserved = ["information_schema", "pg_catalog"].iter().any(|reserved| name.eq_ignore_ascii_case(reserved));
    let reserved = is_reserved.then(|| format!("is `{name}`, a name that warehouses keep for themselves"));
    wrong_characters(name, "_").or(reserved)
}

/// What is wrong with a name of letters, digits and `others`, if anything is.
fn wrong_characters(name: &str, others: &str) -> Option<String> {
    let fits = name.len() <= 200 && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c));
    (!fits).then(|| {
        let others = others.chars().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        format!("is `{}`: at most 200 characters were expected: letters, digits, {others}", shown(name))
    })
}

/// What is wrong with the name of a schema or a table in DuckDB, which takes any characters between quotes. Those that a
/// name hardly has are refused, as they are part of URLs, which may carry credentials, or end a quoted name in messages.
pub fn wrong_in_duckdb(name: &str) -> Option<String> {
    let is_odd = |c: char| is_harmful(c) || "`\"?@".contains(c);
    let fits = !name.trim().is_empty() && !name.contains("://") && !name.contains(is_odd);
    (!fits).then(|| format!("is `{}`: a name was expected, without `\"`, `?`, `@`, `://` and backticks", shown(name)))
}

/// What is wrong with the name of a table in BigQuery: it takes letters, marks and digits of any script, connectors, dashes
/// and spaces. Which of the characters beyond ASCII are such, BigQuery says.
pub fn wrong_in_bigquery(name: &str) -> Option<String> {
    let may_be = |c: char| if c.is_ascii() { c.is_ascii_alphanumeric() || "_- ".contains(c) } else { !is_harmful(c) };
    let fits = !name.trim().is_empty() && name.len() <= 1024 && name.chars().all(may_be);
    (!fits).then(|| {
        format!("is `{}`: at most 1024 bytes were expected: letters, digits, `_`, `-` and spaces", shown(name))
    })
}

/// What is wrong with an export's name, if anything is: providers make a folder or a file of it.
pub fn wrong_export(name: &str) -> Option<String> {
    let what = || format!("is `{}`: an export's name has neither `/` nor `?`", shown(name));
    (name.contains(['/', '?']) || shown(name) != name).then(what)
}

/// What is wrong with a path in a bucket, if anything is.
pub fn wrong_prefix(prefix: &str) -> Option<String> {
    let is_url = prefix.contains("://") || shown(prefix) != prefix;
    is_url.then(|| format!("is `{}`: a path in the bucket was expected", shown(prefix)))
}

/// What is wrong with a project's id, if anything is. Old ones have a domain in front: `example.com:billing`.
pub fn wrong_project(id: &str) -> Option<String> {
    let fits = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    (!fits).then(|| format!("is `{}`: a project's id was expected, such as my-project", shown(id)))
}

/// What is wrong with a server's address, if anything is.
pub fn wrong_url(url: &str) -> Option<String> {
    let fits = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    (!fits).then(|| format!("is `{}`: a URL such as http://127.0.0.1:9050 was expected", shown(url)))
}

/// What is wrong with a location of BigQuery, if anything is.
pub fn wrong_location(location: &str) -> Option<String> {
    let fits = location.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (!fits).then(|| format!("is `{}`: a location such as US or europe-west3 was expected", shown(location)))
}

fn export(scope: &ExportVariables<'_>, warehouse: &WarehouseConfig, problems: &mut Problems) -> Export {
    let (source, prefix) = source(scope, problems);
    let unreadable = match (&source, warehouse) {
        // Without a path, what it was given as is wrong already.
        (Source::Local(path), WarehouseConfig::BigQuery(_)) if !path.as_os_str().is_empty() => {
            Some("is a local folder, which BigQuery cannot read: use gs://bucket/prefix, or WAREHOUSE=duckdb")
        }
        (Source::S3(_), WarehouseConfig::BigQuery(_)) => {
            Some("starts with s3://, and BigQuery reads gs:// only: mirror the bucket, or WAREHOUSE=duckdb")
        }
        (Source::S3(_), WarehouseConfig::DuckDb(_)) if cfg!(not(feature = "s3")) => {
            Some("starts with s3://, which this build leaves out: use one with S3")
        }
        _ => None,
    };
    if let Some(what) = unreadable {
        problems.add(&scope.name("SOURCE"), what, ENVIRONMENT);
    }
    let dataset = required(scope, "DATASET", "the BigQuery dataset, or DuckDB schema", problems);
    if let Some(what) = wrong_dataset(&dataset) {
        problems.add(&scope.name("DATASET"), what, ENVIRONMENT);
    }
    let table = required(scope, "TABLE_NAME", "the table to load into", problems);
    if let Some(what) = wrong_characters(&table, "_-") {
        problems.add(&scope.name("TABLE_NAME"), what, ENVIRONMENT);
    }
    if table.eq_ignore_ascii_case(STATE_TABLE) {
        let what = format!("is `{STATE_TABLE}`, the name of the state table");
        problems.add(&scope.name("TABLE_NAME"), what, ENVIRONMENT);
    }
    let name = scope.get("EXPORT_NAME").map(|(_, name)| name.clone());
    problems.refuse(&scope.name("EXPORT_NAME"), name.as_deref().and_then(wrong_export), ENVIRONMENT);
    Export {
        provider: scope.provider,
        formats: formats(scope.provider),
        options: options(scope, problems),
        label: scope.label.clone(),
        name,
        source,
        prefix,
        dataset,
        table,
    }
}

fn options(scope: &ExportVariables<'_>, problems: &mut Problems) -> ExportOptions {
    fn read<T>(
        scope: &ExportVariables<'_>,
        suffix: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        problems: &mut Problems,
    ) -> Option<T> {
        let (name, text) = scope.get(suffix)?;
        parse(text).map_err(|what| problems.add(&name, what, ENVIRONMENT)).ok()
    }
    // One that its provider's exports do not have is not looked for.
    let has = |provider| scope.provider == provider;
    let of_azure = |suffix, parse: fn(&str) -> _, problems: &mut Problems| {
        has(Provider::Azure).then(|| read(scope, suffix, parse, problems)).flatten().unwrap_or_default()
    };
    ExportOptions {
        cur_version: has(Provider::Aws).then(|| read(scope, "CUR_VERSION", cur_version, problems)).flatten(),
        scopes: of_azure("SCOPES", scopes, problems),
        keep_runs: of_azure("KEEP_RUNS", list, problems),
        leave_out: LeaveOut {
            setting: scope.name("LEAVE_OUT"),
            entries: read(scope, "LEAVE_OUT", list, problems).unwrap_or_default(),
        },
        null_values: read(scope, "NULL_VALUES", list, problems).unwrap_or_default(),
    }
}

/// The bucket or folder, and the prefix below it.
fn source(scope: &ExportVariables<'_>, problems: &mut Problems) -> (Source, String) {
    let trimmed = |prefix: &str| prefix.trim_matches('/').to_owned();
    let prefix = scope.get("GCS_PREFIX");
    if let Some(what) = prefix.as_ref().and_then(|(_, prefix)| wrong_prefix(prefix)) {
        problems.add(&scope.name("GCS_PREFIX"), what, ENVIRONMENT);
    }
    let Some((variable, source)) = scope.get("SOURCE") else {
        let what_it_is = format!("the bucket with the export (or set {})", scope.own("SOURCE"));
        let bucket = required(scope, "GCS_BUCKET", &what_it_is, problems);
        if bucket.contains(['/', ':', '?', '@']) {
            let path = scope.name("GCS_PREFIX");
            let what = format!("is `{}`: a bucket's bare name was expected; a path goes to {path}", shown(&bucket));
            problems.add(&scope.name("GCS_BUCKET"), what, ENVIRONMENT);
        }
        return (Source::Gcs(bucket), trimmed(prefix.map_or("", |(_, prefix)| prefix)));
    };
    if scope.get("GCS_BUCKET").or(prefix).is_some() {
        let (bucket, prefix) = (scope.name("GCS_BUCKET"), scope.name("GCS_PREFIX"));
        problems.add(&variable, format!("is set beside {bucket} or {prefix}: set one or the other"), ENVIRONMENT);
    }
    let (source, prefix) = values::source(source).unwrap_or_else(|what| {
        problems.add(&variable, what, ENVIRONMENT);
        (Source::Local(PathBuf::new()), String::new())
    });
    (source, trimmed(&prefix))
}
