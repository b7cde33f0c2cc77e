//! A delivery: a manifest, compared with the objects that exist.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date, tz::Offset};

use crate::model::{
    digest::hash,
    manifest::{Manifest, ManifestFile},
};

/// An object or file as its storage lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path in its store.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written there.
    pub updated: Timestamp,
    /// CRC32C in base64 for local files and in Google Cloud Storage, where it is the one checksum that every object has. The ETag
    /// in S3, which lists no other.
    pub checksum: String,
    /// Identifies this version of the object: the generation in Google Cloud Storage, the ETag in S3. Local files have none:
    /// their size and time are compared.
    pub version: Option<String>,
}

/// A manifest with those of its files that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The manifest.
    pub manifest: Manifest,
    /// Where the manifest was read.
    pub manifest_uri: String,
    /// Where the provider's manifest was read, if this one is finops's own.
    pub origin: Option<String>,
    /// When the manifest was written to the place where it was read.
    pub delivered_at: Timestamp,
    /// The listed files that exist, in the manifest's order.
    pub files: Vec<StoredFile>,
    /// Relative paths of listed files that do not exist, or have another size than listed.
    pub missing: Vec<String>,
    /// How many of the missing files exist with another size: a file of the previous delivery, or one that is being written.
    pub of_another_size: usize,
    /// A hash over relative paths, sizes and checksums of the files that exist, without generations and times. A mirror does not
    /// change it.
    pub fingerprint: String,
}

impl Delivery {
    /// Compares `manifest` with `stored`, which has the existing files by relative path.
    pub fn new(
        manifest: Manifest,
        manifest_uri: String,
        delivered_at: Timestamp,
        mut stored: HashMap<String, StoredFile>,
    ) -> Self {
        let mut files = Vec::new();
        let mut missing = Vec::new();
        let mut of_another_size = 0;
        let mut lines = Vec::new();
        for ManifestFile { relative_path, bytes } in &manifest.files {
            match stored.remove(relative_path) {
                Some(file) if manifest.sizes_may_differ || bytes.is_none_or(|bytes| bytes == file.bytes) => {
                    lines.push(format!("{relative_path}\n{}\n{}\n", file.bytes, file.checksum));
                    files.push(file);
                }
                other => {
                    of_another_size += usize::from(other.is_some());
                    missing.push(relative_path.clone());
                }
            }
        }
        lines.sort_unstable();
        let fingerprint = hash(lines);
        Self { manifest, manifest_uri, origin: None, delivered_at, files, missing, of_another_size, fingerprint }
    }

    /// The name of its manifest in the state: the provider's own, wherever it was read.
    pub fn recorded_uri(&self) -> &str {
        self.origin.as_deref().unwrap_or(&self.manifest_uri)
    }

    /// When the provider issued it; if that is not known, when the manifest was written.
    pub fn issued_at(&self) -> Timestamp {
        self.manifest.issued_at.unwrap_or(self.delivered_at)
    }

    /// The last day that it may cover: from its manifest, or else the month's last day, but no day after it was issued.
    pub fn reach(&self) -> Date {
        let issued = Offset::UTC.to_datetime(self.issued_at()).date();
        self.manifest.covers_until.unwrap_or_else(|| self.manifest.billing_period.last_day().min(issued))
    }

    /// All `runs` as one delivery; `None` if there are none. A single run is unchanged. The execution id of several depends on
    /// the runs only.
    pub fn united(mut runs: Vec<Self>) -> Option<Self> {
        runs.sort_by(|a, b| a.part().cmp(&b.part()));
        if runs.len() < 2 {
            return runs.pop();
        }
        let newest = runs.iter().max_by_key(|run| (run.issued_at(), &run.manifest_uri))?;
        let fingerprint = hash(runs.iter().map(|run| format!("{:?}\n{}\n", run.part(), run.fingerprint)));
        let id = hash(runs.iter().map(|run| format!("{:?}\n", run.part())));
        let all = |of: fn(&Manifest) -> Option<u64>| runs.iter().map(|run| of(&run.manifest)).sum::<Option<u64>>();
        let manifest = Manifest {
            execution_id: format!("{}-runs-{}", runs.len(), &id[..12]),
            issued_at: Some(newest.issued_at()),
            scope: None,
            from: None,
            covers_until: runs.iter().filter_map(|run| run.manifest.covers_until).max(),
            rows: all(|manifest| manifest.rows),
            files: runs.iter().flat_map(|run| run.manifest.files.clone()).collect(),
            runs: runs
                .iter()
                .map(|run| Manifest { issued_at: Some(run.issued_at()), ..run.manifest.clone() })
                .collect(),
            ..newest.manifest.clone()
        };
        Some(Self {
            manifest,
            manifest_uri: newest.manifest_uri.clone(),
            origin: newest.origin.clone(),
            delivered_at: newest.delivered_at,
            missing: runs.iter().flat_map(|run| run.missing.clone()).collect(),
            of_another_size: runs.iter().map(|run| run.of_another_size).sum(),
            files: runs.into_iter().flat_map(|run| run.files).collect(),
            fingerprint,
        })
    }

    /// Its part of the month.
    fn part(&self) -> (&Option<String>, &Option<Date>, &str) {
        (&self.manifest.scope, &self.manifest.from, &self.manifest.execution_id)
    }

    /// The runs that it combines, or itself if it is one run, each with its files.
    pub fn runs(&self) -> Vec<(&Manifest, &[StoredFile])> {
        if self.manifest.runs.is_empty() {
            return vec![(&self.manifest, &self.files)];
        }
        let mut rest = self.files.as_slice();
        let runs = self.manifest.runs.iter();
        let mut with_files = Vec::with_capacity(runs.len());
        for run in runs {
            let (files, others) = rest.split_at_checked(run.files.len()).unwrap_or((rest, &[]));
            rest = others;
            with_files.push((run, files));
        }
        with_files
    }

    /// Whether its manifest says that it is empty.
    pub fn is_empty(&self) -> bool {
        self.manifest.files.is_empty() || self.manifest.rows == Some(0)
    }

    /// The size of all existing files, as stored (compressed).
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{kind::ExportKind, manifest::FileFormat};

    fn stored(bytes: u64, checksum: &str, head: &str) -> StoredFile {
        let updated = Timestamp::UNIX_EPOCH;
        StoredFile { key: format!("{head}/f"), bytes, updated, checksum: checksum.to_owned(), version: None }
    }

    fn delivery(files: &[&str], stored: HashMap<String, StoredFile>) -> Delivery {
        let manifest = Manifest {
            files: files.iter().map(|f| ManifestFile { relative_path: (*f).to_owned(), bytes: None }).collect(),
            ..Manifest::new(ExportKind::Cur, "cur", "2025-09".parse().unwrap(), "a", FileFormat::Csv)
        };
        Delivery::new(manifest, "gs://b/m".to_owned(), Timestamp::UNIX_EPOCH, stored)
    }

    #[test]
    fn a_mirror_with_another_head_has_the_same_fingerprint() {
        let at = |head: &str| HashMap::from([("p/1".to_owned(), stored(5, "crc", head))]);
        assert_eq!(delivery(&["p/1"], at("mirror/a")).fingerprint, delivery(&["p/1"], at("b")).fingerprint);
    }

    #[test]
    fn size_checksum_and_name_each_change_the_fingerprint() {
        let of = |name: &str, bytes, crc| {
            delivery(&[name], HashMap::from([(name.to_owned(), stored(bytes, crc, "x"))])).fingerprint
        };
        let base = of("p/1", 5, "a");
        assert_ne!(base, of("p/2", 5, "a"));
        assert_ne!(base, of("p/1", 6, "a"));
        assert_ne!(base, of("p/1", 5, "b"));
    }

    #[test]
    fn a_listed_file_that_is_not_there_is_named_and_strangers_are_left_out() {
        let there = HashMap::from([("p/1".to_owned(), stored(1, "a", "x")), ("p/old".to_owned(), stored(1, "b", "x"))]);
        let delivery = delivery(&["p/1", "p/2"], there);
        assert_eq!(delivery.missing, ["p/2"]);
        assert_eq!(delivery.files.len(), 1);
    }

    #[test]
    fn the_bytes_of_a_delivery_are_those_of_the_files_that_are_there() {
        let there = HashMap::from([("p/1".to_owned(), stored(5, "a", "x")), ("p/2".to_owned(), stored(7, "b", "x"))]);
        assert_eq!(delivery(&["p/1", "p/2", "p/3"], there).bytes(), 12);
        assert_eq!(delivery(&["p/1"], HashMap::new()).bytes(), 0);
    }
}
