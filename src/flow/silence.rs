//! Failures of a whole run: there are no deliveries, or no new ones.

use finops_core::{
    BillingPeriod,
    formats::{azure, formats},
    hint,
    model::{provider::Provider, text::excerpt},
    plan::age::{MaxAge, issued},
};
use jiff::Timestamp;

use crate::{
    error::{Error, ErrorKind, Result},
    flow::{
        discover::{all_manifests, exports_of},
        export::Export,
    },
    storage::Store,
};

/// The number of names in an error.
const SHOWN: usize = 10;

/// Fails if the newest delivery is older than the setting allows.
///
/// # Errors
/// `Stale` for such a delivery.
pub fn check_age(newest: Option<Timestamp>, max_age: &MaxAge, now: Timestamp) -> Result<()> {
    let exceeded = newest.and_then(|newest| Some((issued(newest, now), max_age.exceeded(newest, now)?.as_hours())));
    let Some((issued, hours)) = exceeded else { return Ok(()) };
    let message = format!("the newest delivery is of {issued}, and {} allows {hours} h", max_age.setting);
    Err(Error::new(ErrorKind::Stale, message).hint(hint::EXPORT_SILENT))
}

/// The error for an export without any manifest: a name or a prefix is misspelt, or the mirror is empty. `months` are loaded
/// from it. The error names the exports or folders that exist.
pub async fn no_manifest(store: &Store, export: &Export, months: &[BillingPeriod]) -> Error {
    let of_export = export.name.as_ref().map(|name| format!(" of export `{name}`")).unwrap_or_default();
    let loaded = match months {
        [] => String::new(),
        [month] => format!(", and {month} is loaded from there"),
        [first, .., last] => format!(", and {} months are loaded from there ({first} to {last})", months.len()),
    };
    let mut message = format!("there is no manifest{of_export} below {}{loaded}", store.uri(&export.prefix));
    if let Ok(Some(file)) = azure_without_manifest(store, export).await
        && let Ok(None) = of_other_provider(store, export).await
    {
        message = format!("{message}; there are data files without one, such as {file}");
        return Error::new(ErrorKind::NotFound, message).hint(hint::FILE_PARTITIONING);
    }
    // If these cannot be listed, the error is still the missing manifest.
    let mut found_hint = None;
    if let Ok(Some((there, hint))) = what_is_there(store, export).await {
        message = format!("{message}; {there}");
        found_hint = hint;
    }
    let hint = match (export.written_by(), months) {
        _ if found_hint.is_some() => found_hint.unwrap_or_default(),
        (Some(step), _) => hint::run_step(export.provider.as_str(), step),
        (None, []) => hint::NO_MANIFEST.to_owned(),
        (None, _) => hint::MANIFESTS_GONE.to_owned(),
    };
    Error::new(ErrorKind::NotFound, message).hint(hint)
}

/// A data file of an Azure export that has no manifest: Azure writes one only with file partitioning (Microsoft's page on exports).
async fn azure_without_manifest(store: &Store, export: &Export) -> Result<Option<String>> {
    if export.provider != Provider::Azure || export.written_by().is_some() {
        return Ok(None);
    }
    let mut keys = store.list_all(&export.prefix, &azure::data_patterns()).await?.into_iter().map(|object| object.key);
    let file = keys.find(|key| azure::is_data_file(&export.prefix, export.name.as_deref(), key));
    Ok(file.map(|key| excerpt(&store.uri(&key))))
}

/// The exports below the prefix. If there are none: the folders in it, or in the nearest folder above with folders.
async fn what_is_there(store: &Store, export: &Export) -> Result<Option<(String, Option<String>)>> {
    let manifests = all_manifests(store, export, None).await?;
    let exports = exports_of(&manifests);
    if !exports.is_empty() {
        let names =
            exports.iter().map(|(name, folder)| format!("`{}` in {}", excerpt(name), excerpt(&store.uri(folder))));
        return Ok(Some((format!("the exports there: {}", some_of(names.collect())), None)));
    }
    if export.written_by().is_none()
        && let Some((there, hint)) = deeper_or_without_metadata(store, export).await?
    {
        return Ok(Some((there, Some(hint.to_owned()))));
    }
    if export.written_by().is_none()
        && let Some((there, hint)) = of_other_provider(store, export).await?
    {
        return Ok(Some((there, Some(hint))));
    }
    let mut folder = export.prefix.as_str();
    loop {
        let there = store.folders(folder).await?;
        if !there.is_empty() {
            let names = there.iter().map(|name| format!("`{}`", excerpt(name)));
            let there = format!("the folders in {}: {}", excerpt(&store.uri(folder)), some_of(names.collect()));
            return Ok(Some((there, None)));
        }
        if folder.is_empty() {
            return Ok(None);
        }
        folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

/// Exports of another provider below the prefix.
async fn of_other_provider(store: &Store, export: &Export) -> Result<Option<(String, String)>> {
    for provider in Provider::ALL.into_iter().filter(|provider| *provider != export.provider) {
        let there = Export { provider, formats: formats(provider), name: None, ..export.clone() };
        let manifests = all_manifests(store, &there, None).await?;
        if let Some((name, folder)) = exports_of(&manifests).first() {
            let pipeline = provider.as_str();
            let folder = excerpt(&store.uri(folder));
            let there =
                format!("there are manifests of pipeline {pipeline}, such as of `{}` in {folder}", excerpt(name));
            return Ok(Some((there, hint::other_pipeline(pipeline))));
        }
    }
    Ok(None)
}

/// Folders directly below the prefix with manifests of the export; or the folder `data` of a data export of AWS without its
/// `metadata`, because a replication copies only what queries read. Only the first of many folders are listed.
async fn deeper_or_without_metadata(store: &Store, export: &Export) -> Result<Option<(String, &'static str)>> {
    let prefix = &export.prefix;
    let below = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    let mut names = store.folders(prefix).await?;
    names.truncate(SHOWN);
    let mut deeper = Vec::new();
    for name in &names {
        let there = Export { prefix: below(name), ..export.clone() };
        if !all_manifests(store, &there, export.name.as_deref()).await?.is_empty() {
            deeper.push(format!("`{}`", excerpt(&store.uri(&there.prefix))));
        }
    }
    if !deeper.is_empty() {
        return Ok(Some((format!("the manifests are one folder deeper, in {}", some_of(deeper)), hint::CHOOSE_FOLDER)));
    }
    let is_named = |name: &&String| export.name.as_ref().is_none_or(|wanted| wanted == *name);
    let of_export = names.iter().filter(is_named).map(|name| below(name)).chain([prefix.clone()]);
    for folder in of_export.filter(|_| export.provider == Provider::Aws) {
        let there = store.folders(&folder).await?;
        let has = |name: &str| there.iter().any(|there| there == name);
        if has("data") && !has("metadata") {
            let folder = excerpt(&store.uri(&folder));
            return Ok(Some((format!("{folder} has a folder `data` and no `metadata`"), hint::COPY_METADATA)));
        }
    }
    Ok(None)
}

fn some_of(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    // Not all folders are listed.
    if more == 0 { shown } else { format!("{shown} and more") }
}
