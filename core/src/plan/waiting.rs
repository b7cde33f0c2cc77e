//! What a month waits for: files that are missing, and files that a mirror has not replaced yet.

use jiff::Timestamp;

use super::{
    decision::Rules,
    reason::{MissingFiles, Reason, Unchanged},
};
use crate::model::{delivery::Delivery, load_record::LoadRecord, run_id::started_at};

/// The files that the delivery lacks.
pub(super) fn missing_files(delivery: &Delivery, rules: &Rules) -> MissingFiles {
    MissingFiles {
        files: delivery.missing.clone(),
        of: delivery.manifest.files.len(),
        of_another_size: delivery.of_another_size,
        hours: rules.now.duration_since(delivery.delivered_at).as_hours(),
    }
}

/// Files that did not change when another delivery began to overwrite them.
pub(super) struct NotYetOverwritten {
    pub unchanged: Unchanged,
    /// When the month began to wait for them.
    pub since: Timestamp,
}

impl NotYetOverwritten {
    /// Why the month waits for them. `run` is their run, if the month has several.
    pub fn reason(self, run: Option<String>, rules: &Rules) -> Reason {
        let load_after = self.since.saturating_add(rules.wait_max).unwrap_or(Timestamp::MAX);
        Reason::FilesNotReplaced { run, unchanged: self.unchanged, load_after }
    }
}

/// The files of a complete delivery that are still those of `record`, as far as the times of files that are overwritten
/// show it. `None` if all of them were written again since, or none was, as with a mirror that keeps the times.
pub(super) fn files_not_yet_overwritten(delivery: &Delivery, record: &LoadRecord) -> Option<NotYetOverwritten> {
    if !delivery.manifest.overwrites_previous || is_in_another_folder(delivery, record) {
        return None;
    }
    // The run listed the files after it began. A file that was replaced between then and the record's time is new.
    let listed_at = started_at(&record.run_id).map_or(record.loaded_at, |began| began.min(record.loaded_at));
    let last_change = delivery.files.iter().map(|file| file.updated).fold(delivery.delivered_at, Timestamp::max);
    // No file is missing, so both lists have the same order.
    let files = || delivery.files.iter().zip(&delivery.manifest.files);
    let old: Vec<String> =
        files().filter(|(file, _)| file.updated < listed_at).map(|(_, f)| f.relative_path.clone()).collect();
    // If the manifest has sizes and they agree, unchanged files probably belong to the new delivery. The month must not wait
    // again with each new delivery.
    let sizes_agree = files().all(|(file, f)| f.bytes == Some(file.bytes));
    let since = if sizes_agree { listed_at } else { last_change };
    let unchanged = Unchanged { files: old, of: delivery.files.len(), loaded_at: record.loaded_at };
    (last_change >= listed_at && !unchanged.files.is_empty()).then_some(NotYetOverwritten { unchanged, since })
}

/// Whether the files are in the folder of their manifest, and that is another folder than the loaded one: then none of them
/// was loaded, whatever its time is.
fn is_in_another_folder(delivery: &Delivery, record: &LoadRecord) -> bool {
    let folder = |path: &str| path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
    let own = folder(&delivery.manifest_uri);
    own != folder(&record.manifest_uri) && delivery.files.iter().all(|file| own.ends_with(&folder(&file.key)))
}
