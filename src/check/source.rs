//! Checks of an export's source.

use finops_core::{
    hint,
    plan::age::{MaxAge, age},
    report::check::{BucketLocation, Check, Finding, Status},
};
use futures::future::join3;
use jiff::Timestamp;

use super::finding::{CREDENTIALS, failed, permissions, signed_in};
use crate::{
    error::{Error, ErrorKind, Result},
    flow::{
        discover::{Discovered, delivered_months, deliveries},
        export::{Export, Months, Source},
        silence::{check_age, no_manifest},
        table::Delivered,
    },
    storage::Store,
};

const GCS: &str = "Google Cloud Storage";
const SOURCE: &str = "the source";

/// Findings of an export's source.
pub struct SourceChecks {
    pub findings: Vec<Finding>,
    pub bucket_location: BucketLocationLookup,
    /// The export in it, if its newest manifest can be read.
    pub delivered: Option<Delivered>,
}

/// Where a bucket is.
pub enum BucketLocationLookup {
    /// The answer; `None` without the permission to know.
    Asked(Result<Option<BucketLocation>>),
    /// It was not requested, because this failed.
    NotAsked(&'static str),
}

/// The bucket or folder, without the prefix.
pub fn bucket(export: &Export) -> String {
    match &export.source {
        Source::Gcs(bucket) => format!("gs://{bucket}"),
        Source::S3(bucket) => format!("s3://{bucket}"),
        Source::Local(folder) => folder.display().to_string(),
    }
}

/// Checks the clock against that of a Google Cloud Storage bucket's server.
#[cfg(feature = "duckdb")]
pub async fn clock(store: &Result<Store>) -> Option<Finding> {
    let Ok(Store::Gcs(gcs)) = store else { return None };
    Some(super::finding::clock_finding(GCS, gcs.clock_ahead().await))
}

pub async fn check_source(export: &Export, opened: &Result<Store>, wanted: &Months, max_age: &MaxAge) -> SourceChecks {
    let service = if matches!(export.source, Source::S3(_)) { "S3" } else { GCS };
    let signed_in = match opened {
        Ok(Store::Gcs(gcs)) if gcs.is_emulator() => {
            Some(Finding::ok(Check::Credentials, GCS, "none are needed: STORAGE_EMULATOR_HOST is set"))
        }
        Ok(Store::Gcs(gcs)) => Some(signed_in(GCS, gcs.sign_in().await)),
        // To open it is to sign in.
        #[cfg(feature = "s3")]
        Ok(Store::S3(_)) => Some(Finding::ok(Check::Credentials, service, "found in the AWS environment")),
        Ok(Store::Local(_)) => None,
        Err(error) => Some(failed(Check::Credentials, service, error)),
    };
    let is_signed_in = signed_in.as_ref().is_none_or(|finding| finding.status == Status::Ok);
    let mut findings: Vec<Finding> = signed_in.into_iter().collect();
    let store = match opened {
        Ok(store) if is_signed_in => store,
        _ => {
            let checks =
                [(Check::Source, source(export)), (Check::Permissions, bucket(export)), (Check::Export, name(export))];
            let needed = checks.iter().filter(|(check, _)| *check != Check::Permissions || service == GCS);
            findings.extend(needed.map(|(check, object)| Finding::not_checked(*check, object, CREDENTIALS)));
            let bucket_location = BucketLocationLookup::NotAsked(CREDENTIALS);
            return SourceChecks { findings, bucket_location, delivered: None };
        }
    };
    let Store::Gcs(gcs) = store else {
        let Contents { source, export, delivered, .. } = contents(export, store, wanted, max_age).await;
        findings.extend([source, export]);
        return SourceChecks { findings, bucket_location: BucketLocationLookup::NotAsked(SOURCE), delivered };
    };
    let asked = join3(contents(export, store, wanted, max_age), gcs.missing_permissions(), gcs.place());
    let (Contents { source, export: export_found, is_missing, delivered }, missing, location) = asked.await;
    let object = bucket(export);
    let (permissions, bucket_location) = if is_missing {
        (Finding::not_checked(Check::Permissions, &object, SOURCE), BucketLocationLookup::NotAsked(SOURCE))
    } else {
        let role = "roles/storage.objectViewer on the bucket";
        (permissions(&object, missing, role), BucketLocationLookup::Asked(location))
    };
    findings.extend([source, permissions, export_found]);
    SourceChecks { findings, bucket_location, delivered }
}

/// The findings of what is in a source.
struct Contents {
    /// Whether it can be listed and read.
    source: Finding,
    /// The export in it.
    export: Finding,
    /// Whether the bucket or folder itself is missing.
    is_missing: bool,
    delivered: Option<Delivered>,
}

async fn contents(export: &Export, store: &Store, wanted: &Months, max_age: &MaxAge) -> Contents {
    let (object, name) = (source(export), name(export));
    let found = |source, export| Contents { source, export, is_missing: false, delivered: None };
    let unread = |error: &Error| Contents {
        is_missing: error.kind() == ErrorKind::NotFound,
        ..found(failed(Check::Source, &object, error), Finding::not_checked(Check::Export, &name, SOURCE))
    };
    let listed = || Finding::ok(Check::Source, &object, "can be listed");
    let months = match delivered_months(store, export).await {
        Ok(Some(months)) => months,
        Ok(None) => return found(listed(), failed(Check::Export, &name, &no_manifest(store, export, &[]).await)),
        // It has several exports.
        Err(error) if error.kind() == ErrorKind::Configuration => {
            return found(listed(), failed(Check::Export, &name, &error));
        }
        Err(error) => return unread(&error),
    };
    let Some(newest) = months.into_iter().rfind(|month| wanted.contain(*month)) else {
        let mut hint = hint::CHECK_DATES.to_owned();
        if !export.options.leave_out.entries.is_empty() {
            hint = format!("{hint} And {}?", export.options.leave_out.setting);
        }
        return found(listed(), Finding::warning(Check::Export, &name, "none of the months asked for is there", &hint));
    };
    let month = Months { start: Some(newest), end: Some(newest) };
    match deliveries(store, export, &month).await {
        Ok(Discovered { unreadable, .. }) if !unreadable.is_empty() => unread(&unreadable[0].1),
        Ok(discovered) => {
            let read = Finding::ok(Check::Source, &object, "can be listed and read");
            let export = of_export(&name, export, &discovered, max_age);
            let delivered = discovered.export_name.zip(discovered.kind);
            let delivered = delivered.map(|(export_name, kind)| Delivered { export_name, kind });
            Contents { delivered, ..found(read, export) }
        }
        Err(error) => unread(&error),
    }
}

/// Checks the deliveries of the newest month.
fn of_export(object: &str, settings: &Export, discovered: &Discovered, max_age: &MaxAge) -> Finding {
    let mut candidates = discovered.candidates.iter();
    let usable =
        candidates.find_map(|candidate| candidate.delivery.as_ref().ok().map(|delivery| (candidate, delivery)));
    let export = discovered.export_name.as_deref().unwrap_or_default();
    if let Some((candidate, delivery)) = usable {
        let (listed, month, now) = (delivery.manifest.files.len(), candidate.billing_period, Timestamp::now());
        let found = format!("`{export}`, newest month {month}");
        if let Err(stale) = check_age(discovered.newest_at, max_age, now) {
            return failed(Check::Export, object, &stale);
        }
        return if delivery.missing.is_empty() {
            let files = if listed == 1 { "file" } else { "files" };
            let newest = discovered.newest_at.map(|newest| age(newest, now)).unwrap_or_default();
            Finding::ok(Check::Export, object, &format!("{found}, {listed} {files}, newest delivery {newest}"))
        } else {
            let found = format!("{found}: {} of {listed} files are not there", delivery.missing.len());
            Finding::warning(Check::Export, object, &found, hint::MIRROR_RUNNING)
        };
    }
    let broken =
        discovered.candidates.iter().find_map(|candidate| Some((candidate, candidate.delivery.as_ref().err()?)));
    match broken {
        Some((candidate, error)) => {
            let found = format!("`{export}`: manifest {}: {error}", candidate.manifest_uri);
            let hint = settings.hint_without(error.hint(), &candidate.manifest_uri, None);
            Finding::failed(Check::Export, object, &found, Some(&hint))
        }
        None if !settings.options.leave_out.entries.is_empty() => {
            let setting = &settings.options.leave_out.setting;
            let found = format!("`{export}`: {setting} leaves out all deliveries of its newest month");
            Finding::warning(Check::Export, object, &found, &hint::names_nothing_else(setting))
        }
        None => Finding::failed(
            Check::Export,
            object,
            "its newest manifest was removed during the check",
            Some(hint::CHECK_AGAIN),
        ),
    }
}

/// The bucket or folder of the export, as in the settings.
fn source(export: &Export) -> String {
    let bucket = bucket(export);
    match (&export.source, export.prefix.as_str()) {
        (Source::Local(_), _) | (_, "") => bucket,
        (_, prefix) => format!("{bucket}/{prefix}"),
    }
}

/// The export, as the settings call it.
fn name(export: &Export) -> String {
    let (provider, label) = (export.provider.as_str(), export.label.as_deref().or(export.name.as_deref()));
    label.map_or_else(|| provider.to_owned(), |label| format!("{provider} {label}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use finops_core::{formats::formats, model::provider::Provider};

    use super::*;
    use crate::flow::export::{ExportOptions, Source};

    #[test]
    fn the_hint_for_a_manifest_removed_during_the_check_is_to_check_again() {
        let nothing = Discovered {
            export_name: None,
            kind: None,
            candidates: Vec::new(),
            newest_at: None,
            unreadable: Vec::new(),
        };
        let export = Export {
            provider: Provider::Aws,
            formats: formats(Provider::Aws),
            options: ExportOptions::default(),
            label: None,
            name: None,
            name_setting: String::new(),
            source: Source::Local(PathBuf::new()),
            prefix: String::new(),
            dataset: String::new(),
            table: String::new(),
        };
        assert_eq!(of_export("aws", &export, &nothing, &MaxAge::default()).hint.as_deref(), Some(hint::CHECK_AGAIN));
    }
}
